"""What the report says of a cartridge that was overwritten."""

from tapekit.jobs.nightly import at_hand
from tapekit.rotation.loss import Kind, losses
from tests.rotation.made import cartridge, copy, night, stock


def test_a_night_of_which_an_unverified_copy_is_left_is_not_told_as_lost() -> None:
    verified = cartridge("MON-1", copy(night("03-02")))
    unverified = cartridge("TUE-1", copy(night("03-02"), verified=False))
    loss = losses(stock(verified, unverified), {"MON-1"})
    assert loss.nights(Kind.VERIFIED)
    assert at_hand._overwritten(verified, loss).lost == ()
    assert at_hand._overwritten(verified, losses(stock(verified), {"MON-1"})).lost
