"""An archive on several cartridges is one: without one of them it is no copy any more."""

import dataclasses
from datetime import UTC, date, datetime, timedelta

from formats.segment import COMPLETE, CONTINUED
from tapekit.config.values import Duration
from tapekit.model import Cartridge, Copy, Place, Rung, Stock
from tapekit.rotation.loss import Kind, Standing, archives, losses, standings
from tapekit.rotation.permit import Reason, may_overwrite
from tapekit.rotation.retention import Policy
from tapekit.rotation.weekdays import Weekdays
from tests.rotation.made import SITE, night, policy, weekdays

NIGHT = date(2026, 3, 2)
AT = datetime(2026, 3, 2, 21, tzinfo=UTC)


def part(number: int, state: str, archive: str = "aa", rung: Rung = Rung.READ_BACK, night: date = NIGHT) -> Copy:
    at = AT + (night - NIGHT)
    return Copy(archive, "office", night, at, at, 2, state, evidence=((rung, at),), segment=number)


def cartridge(name: str, *copies: Copy) -> Cartridge:
    return Cartridge(name, f"label of {name}", site="s", copies=copies)


SET = (
    cartridge("A", part(0, CONTINUED)), cartridge("B", part(1, CONTINUED)), cartridge("C", part(2, COMPLETE)),
)  # fmt: skip


def test_a_whole_set_is_worth_as_much_as_its_worst_part() -> None:
    assert [held.standing for held in archives(SET)] == [Standing.VERIFIED]
    worse = (SET[0], cartridge("B", part(1, CONTINUED, rung=Rung.FLUSHED)), SET[2])
    assert standings(worse) == {("office", NIGHT): Standing.COMPLETE}
    bad = (SET[0], SET[1], cartridge("C", dataclasses.replace(part(2, COMPLETE), failed=AT)))
    assert standings(bad) == {("office", NIGHT): Standing.PARTIAL}


def test_without_any_of_its_cartridges_it_is_partial() -> None:
    for missing in range(3):
        rest = [each for number, each in enumerate(SET) if number != missing]
        assert standings(rest) == {("office", NIGHT): Standing.PARTIAL}, missing


def test_to_overwrite_any_of_them_loses_the_night() -> None:
    for each in SET:
        assert losses(Stock(SET), {each.name}).nights(Kind.COPY) == {("office", NIGHT)}


def test_a_second_copy_of_a_part_makes_up_for_the_first() -> None:
    stock = Stock((*SET, cartridge("B2", part(1, CONTINUED))))
    assert not losses(stock, {"B"})
    assert losses(stock, {"B", "B2"})


def test_the_last_verified_copy_is_kept_with_all_its_cartridges() -> None:
    """Whatever was promised about its night is over; and the last part alone is no verified copy of anything."""
    older = cartridge("OLD", part(0, COMPLETE, "bb", night=NIGHT - timedelta(days=30)))
    policy = Policy("s", {})
    for each in SET:
        reasons = {refusal.reason for refusal in may_overwrite(each, Stock(SET), policy, NIGHT, destroy=each.name)}
        assert Reason.LAST_VERIFIED in reasons, each.name
    for missing in range(3):
        rest = tuple(each for number, each in enumerate(SET) if number != missing)
        reasons = {r.reason for r in may_overwrite(older, Stock((*rest, older)), policy, NIGHT, destroy="OLD")}
        assert Reason.LAST_VERIFIED in reasons, missing
    assert not may_overwrite(older, Stock((*SET, older)), policy, NIGHT, destroy="OLD")


def test_a_part_is_kept_as_long_as_the_part_that_is_kept_longest() -> None:
    """One of the set is a spare, the other of a pool that is kept for a year: both are."""
    rotation = dataclasses.replace(
        weekdays(), retention={"daily": Duration(6, "day"), "yearly": Duration(365, "day")}, scheme=TwoPools()
    )
    known = dataclasses.replace(policy(rotation), rotations={"office": rotation})
    first = dataclasses.replace(cartridge("A", part(0, CONTINUED)), site=SITE, pool="daily")
    last = dataclasses.replace(cartridge("B", part(1, COMPLETE)), site=SITE, pool="yearly")
    later = Stock((first, last, dataclasses.replace(cartridge("C", part(0, COMPLETE, "bb")), site=SITE)))
    for each in (first, last):
        reasons = {refusal.reason for refusal in may_overwrite(each, later, known, night("03-20"))}
        assert reasons == {Reason.UNEXPIRED}, each.name
    lost = Stock((first, dataclasses.replace(last, place=Place.LOST), later.cartridges[2]))
    assert not may_overwrite(first, lost, known, night("03-20"))


@dataclasses.dataclass(frozen=True)
class TwoPools(Weekdays):
    """Weekdays, and a pool that no night asks for."""

    @property
    def pools(self) -> tuple[str, ...]:
        return "daily", "yearly"
