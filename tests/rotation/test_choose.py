from tapekit.model import Place
from tapekit.rotation.choose import choose
from tapekit.rotation.turn import Turn
from tapekit.rotation.weekdays import Weekdays
from tests.rotation.made import cartridge, copy, night, stock, weekdays

TONIGHT = night("03-16")


def turn(sets: int = 3) -> Turn:
    found = Weekdays(sets=sets).turn(TONIGHT, weekdays().calendar)
    assert found
    return found


def test_never_written_first_then_the_least_recently_written() -> None:
    first, second = cartridge("MON-1", copy(night("03-02"))), cartridge("MON-2", copy(night("03-09")))
    assert choose(turn(), stock(first, second)).names == ("MON-3",)
    third = cartridge("MON-3")
    assert choose(turn(), stock(second, first, third)).names == ("MON-3",)
    third = cartridge("MON-3", copy(night("02-23")))
    choice = choose(turn(), stock(first, second, third), per_night=2)
    assert choice.names == ("MON-3", "MON-1")
    assert "MON-3 was last written on 23 February; MON-1 was last written on 2 March" in choice.why.en


def test_lost_and_retired_ones_are_skipped_and_said() -> None:
    lost, retired = cartridge("MON-1", place=Place.LOST), cartridge("MON-2", place=Place.RETIRED)
    choice = choose(turn(), stock(lost, retired, cartridge("MON-3", copy(night("03-09")))))
    assert (choice.names, choice.skipped) == (("MON-3",), ("MON-1", "MON-2"))
    assert str(choice.why) == "Monday’s cartridge; MON-1 is lost; MON-2 is retired"
    assert choice.why.of("fr") == "cartouche du lundi\xa0; MON-1 est perdue\xa0; MON-2 est retirée"


def test_too_few_in_service() -> None:
    choice = choose(turn(1), stock(cartridge("MON-1", place=Place.LOST)), per_night=2)
    assert choice.names == ()
    assert "0 of 2 cartridges in service" in choice.why.en


def test_a_night_that_was_begun_goes_on_where_it_was_begun() -> None:
    begun = cartridge("MON-2", copy(night("03-09")), copy(TONIGHT, complete=False))
    choice = choose(turn(), stock(cartridge("MON-1", copy(night("03-02"))), begun))
    assert choice.names == ("MON-2",)
    assert "holds something of this night already" in choice.why.en
