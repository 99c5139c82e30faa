import pytest

from tapekit.model import Cartridge, Place
from tapekit.rotation.permit import Reason, may_append, may_overwrite
from tests.rotation.made import cartridge, copy, night, policy, stock

TODAY = night("03-09")
OLD, YOUNG = copy(night("03-02")), copy(night("03-06"))
ELSEWHERE = cartridge("TUE-1", copy(night("03-03")))


def overwriting(one: Cartridge, *others: Cartridge, destroy: str | None = None, needed: int = 0) -> list[Reason]:
    refusals = may_overwrite(one, stock(one, *others), policy(), TODAY, destroy, needed_bytes=needed)
    assert all(refusal.words.en and refusal.words.fr for refusal in refusals)
    return [refusal.reason for refusal in refusals]


def appending(one: Cartridge, needed: int = 0) -> list[Reason]:
    return [refusal.reason for refusal in may_append(one, stock(one), policy(), needed)]


def test_an_expired_cartridge_with_newer_ones_beside_it() -> None:
    assert overwriting(cartridge("MON-1", OLD), ELSEWHERE) == []


def test_unexpired() -> None:
    one = cartridge("MON-1", OLD, YOUNG)
    assert overwriting(one, ELSEWHERE) == [Reason.UNEXPIRED]
    assert str(may_overwrite(one, stock(one, ELSEWHERE), policy(), TODAY)[0].words) == "protected until 12 March"
    assert overwriting(one, ELSEWHERE, destroy="MON-1") == []
    assert overwriting(one, ELSEWHERE, destroy="MON-2") == [Reason.UNEXPIRED]
    assert appending(one) == []


def test_jobs_that_the_configuration_does_not_name_never_expire() -> None:
    one = cartridge("MON-1", copy(night("01-02"), job="former", verified=False))
    assert overwriting(one) == [Reason.UNEXPIRED]
    assert overwriting(one, destroy="MON-1") == []


@pytest.mark.parametrize(
    "other",
    (
        cartridge("TUE-1", copy(night("03-03"), verified=False)),
        cartridge("TUE-1", copy(night("03-03"), failed=True)),
        cartridge("TUE-1", copy(night("03-03"), complete=False)),
        cartridge("TUE-1", copy(night("03-03"), job="photos")),
        cartridge("TUE-1", copy(night("03-03")), place=Place.LOST),
        cartridge("TUE-1", copy(night("03-03")), place=Place.RETIRED),
    ),
)
def test_the_last_verified_copy_of_a_job_even_if_a_person_gives_it_up(other: Cartridge) -> None:
    one = cartridge("MON-1", OLD)
    assert overwriting(one, other) == [Reason.LAST_VERIFIED]
    assert overwriting(one, other, destroy="MON-1") == [Reason.LAST_VERIFIED]
    assert appending(one) == []


def test_foreign() -> None:
    other_site = cartridge("MON-1", OLD, site="elsewhere")
    assert overwriting(other_site, ELSEWHERE) == [Reason.FOREIGN]
    assert overwriting(other_site, ELSEWHERE, destroy="MON-1") == []
    assert appending(other_site) == [Reason.FOREIGN]
    unknown = may_overwrite(cartridge("MON-1", OLD), stock(ELSEWHERE), policy(), TODAY)
    assert [refusal.reason for refusal in unknown] == [Reason.FOREIGN]
    assert overwriting(cartridge("MON-1", OLD, site=""), ELSEWHERE) == []


@pytest.mark.parametrize(
    ("one", "reason", "stops_appending"),
    (
        (cartridge("MON-1", OLD, is_locked=True), Reason.LOCKED, True),
        (cartridge("MON-1", OLD, is_write_protected=True), Reason.WRITE_PROTECTED, True),
        (cartridge("MON-1", OLD, place=Place.LOST), Reason.OUT_OF_SERVICE, True),
        (cartridge("MON-1", OLD, place=Place.RETIRED), Reason.OUT_OF_SERVICE, True),
        (cartridge("MON-1", OLD, is_worm=True), Reason.WORM, False),
    ),
)
def test_what_nobody_can_lift(one: Cartridge, reason: Reason, *, stops_appending: bool) -> None:
    assert overwriting(one, ELSEWHERE) == [reason]
    assert overwriting(one, ELSEWHERE, destroy="MON-1") == [reason]
    assert appending(one) == [reason] * stops_appending


def test_room() -> None:
    assert appending(cartridge("MON-1", OLD, left=10), 10) == []
    assert appending(cartridge("MON-1", OLD, left=10), 11) == [Reason.FULL]
    assert appending(cartridge("MON-1", OLD), 11) == []
    assert overwriting(cartridge("MON-1", OLD), ELSEWHERE, needed=100) == []
    assert overwriting(cartridge("MON-1", OLD), ELSEWHERE, needed=101) == [Reason.TOO_SMALL]


def test_every_reason_is_said() -> None:
    one = cartridge("MON-1", YOUNG, is_locked=True, is_worm=True)
    assert overwriting(one) == [Reason.LOCKED, Reason.WORM, Reason.UNEXPIRED, Reason.LAST_VERIFIED]
