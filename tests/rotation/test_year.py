"""A year of nights, by a person who errs, checked every night by a model that knows nothing of the code under test."""

import dataclasses
import random
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta

import pytest

from formats.segment import COMPLETE
from tapekit.config.values import Duration
from tapekit.model import Cartridge, Copy, Place, Rung, Stock
from tapekit.rotation.calendar import Calendar
from tapekit.rotation.choose import Choice, choose
from tapekit.rotation.decide import Action, InReach, Night, Outcome, State, Way, decide
from tapekit.rotation.gfs import GrandfatherFatherSon
from tapekit.rotation.loss import Kind
from tapekit.rotation.retention import Policy, Reuse, Rotation
from tapekit.rotation.weekdays import Weekdays
from tests.rotation.almanac import (
    ABSENCE,
    BACKWARDS,
    DAY,
    FIRST,
    HOLIDAYS,
    KEPT,
    LAST,
    YEARLY,
    model_is_protected,
    model_pool,
)

CALENDAR = Calendar(frozenset((6,)), HOLIDAYS, frozenset((YEARLY,)), (ABSENCE,))
CAPACITY, NIGHT_BYTES = 100, 30


@dataclasses.dataclass
class Archive:
    """What the model knows of a copy."""

    serial: int
    night: date
    at: datetime
    is_verified: bool


@dataclasses.dataclass
class Medium:
    """What the model knows of a cartridge."""

    name: str
    pool: str
    archives: list[Archive]
    place: Place = Place.SHELF
    is_locked: bool = False

    @property
    def left(self) -> int:
        return CAPACITY - NIGHT_BYTES * len(self.archives)


class Year:
    """The site: its cartridges, the person, the clock, and the checks of every night."""

    def __init__(self, scheme: str, sets: int, per_night: int, reuse: Reuse, seed: int) -> None:
        rotating: Weekdays | GrandfatherFatherSon = (
            Weekdays(tuple(range(6)), sets) if scheme == "weekdays" else GrandfatherFatherSon(5 * sets, 4, 3)
        )
        retention = {pool: Duration(days, "day") for pool, days in KEPT.items()}
        self.scheme = scheme
        self.rotation = Rotation(rotating, CALENDAR, retention, per_night, reuse)
        self.policy = Policy("site", {"job": self.rotation})
        self.media: dict[str, Medium] = {}
        self.drive: str | None = None
        self.chance = random.Random(seed)
        self.serial = 0
        self.seen: Counter[str] = Counter()

    def stock(self) -> Stock:
        return Stock(tuple(self.cartridge(medium) for medium in self.media.values()))

    def cartridge(self, medium: Medium) -> Cartridge:
        copies = tuple(
            Copy(str(a.serial), "job", a.night, a.at, a.at, 2, COMPLETE,
                 evidence=((Rung.COMPARED if a.is_verified else Rung.FLUSHED, a.at),))
            for a in medium.archives
        )  # fmt: skip
        last = medium.archives[-1].at if medium.archives else None
        return Cartridge(
            medium.name, f"id {medium.name}", medium.pool, "site", medium.place, copies, last_written=last,
            capacity_bytes=CAPACITY, remaining_bytes=medium.left, is_locked=medium.is_locked,
        )  # fmt: skip

    def live(self) -> list[Medium]:
        return [medium for medium in self.media.values() if medium.place not in {Place.LOST, Place.RETIRED}]

    def run(self) -> None:
        for number in range((LAST - FIRST).days + 1):
            true_day = FIRST + number * DAY
            self.events()
            today = true_day + timedelta(days=BACKWARDS.get(true_day, 0))
            turn = self.rotation.scheme.turn(today, CALENDAR)
            assert (turn.pool if turn else None) == model_pool(self.scheme, today)
            if turn is None:
                continue
            written: list[str] = []
            choice = choose(turn, self.stock(), self.rotation.per_night)
            assert set(choice.names) <= {n for n in turn.names if n not in self.media or self.media[n] in self.live()}
            self.serial += 1
            for name in choice.names:
                self.person(name)
                self.one_copy(today, choice, written)

    def events(self) -> None:
        """What happens to cartridges by day."""
        for medium in self.media.values():
            medium.is_locked = False
        live = self.live()
        if live and self.chance.random() < 0.01:
            gone = self.chance.choice(live)
            if self.drive != gone.name and sum(m.place is Place.LOST for m in self.media.values()) < 3:
                gone.place = Place.LOST
                self.seen["cartridge lost"] += 1
        if live and self.chance.random() < 0.03:
            self.chance.choice(live).is_locked = True

    def person(self, wanted: str) -> None:
        """Puts a cartridge into the drive: mostly the one that is wanted."""
        luck = self.chance.random()
        if luck < 0.85:
            self.drive = wanted
        elif luck < 0.93 and self.live():
            self.drive = self.chance.choice(self.live()).name
        elif luck < 0.96:
            self.drive = None

    def in_reach(self) -> InReach:
        if self.drive is None:
            return InReach("rdx", State.EMPTY)
        if self.drive not in self.media:
            return InReach("rdx", State.BLANK, capacity_bytes=CAPACITY)
        return InReach("rdx", State.OWN, self.cartridge(self.media[self.drive]))

    def one_copy(self, today: date, choice: Choice, written: list[str]) -> None:
        night = Night(today, choice, self.rotation.reuse, NIGHT_BYTES, 10 * NIGHT_BYTES, tuple(written))
        before = self.protected(today)
        decision = decide(night, [self.in_reach()], self.stock(), self.policy)
        way = decision.way
        self.seen[decision.outcome.name] += 1
        if way is None or way.action is Action.SPOOL:
            self.check_no_other_way(today, written)
            assert way is not None or written
            return
        self.check_outcome(way, choice)
        assert way.cartridge == self.drive or way.action is Action.LABEL
        assert way.cartridge is not None
        if way.action is Action.OVERWRITE:
            self.check_overwrite(self.media[way.cartridge], way, today)
            self.media[way.cartridge].archives.clear()
            self.media[way.cartridge].pool = choice.turn.pool
        elif way.action is Action.LABEL:
            assert way.cartridge not in self.media
            self.media[way.cartridge] = Medium(way.cartridge, choice.turn.pool, [])
        self.seen[way.action.name] += 1
        medium = self.media[way.cartridge]
        assert medium.left >= NIGHT_BYTES
        assert not medium.is_locked
        at = datetime.combine(today, time(20, 30), UTC)
        medium.archives.append(Archive(self.serial, today, at, self.chance.random() > 0.1))
        written.append(medium.name)
        assert before <= {(m.name, a.serial) for m in self.live() for a in m.archives}

    def protected(self, today: date) -> set[tuple[str, int]]:
        """Every protected copy that is there: cartridge and archive."""
        return {
            (medium.name, archive.serial)
            for medium in self.live() for archive in medium.archives
            if model_is_protected(self.scheme, archive.night, medium.pool, today)
        }  # fmt: skip

    def check_outcome(self, way: Way, choice: Choice) -> None:
        assert way.outcome is (Outcome.CLEAN if way.cartridge in choice.names else Outcome.WARNING)

    def check_overwrite(self, medium: Medium, way: Way, today: date) -> None:
        """Nothing unexpired, nor the last verified copy; and the preview names exactly what vanishes."""
        assert not [a for a in medium.archives if model_is_protected(self.scheme, a.night, medium.pool, today)]
        others = [archive for other in self.live() if other is not medium for archive in other.archives]
        verified_here = [archive for archive in medium.archives if archive.is_verified]
        assert not verified_here or any(archive.is_verified for archive in others)
        nights = {a.night for a in medium.archives} - {a.night for a in others}
        assert way.loss.nights(Kind.COPY) == {("job", night) for night in nights}
        verified = {a.night for a in verified_here} - {a.night for a in others if a.is_verified} - nights
        assert way.loss.nights(Kind.VERIFIED) == {("job", night) for night in verified}
        self.seen["nights lost"] += len(nights)
        self.seen["only verified lost"] += len(verified)
        told = {
            first + number * DAY
            for lost in way.loss.jobs if lost.kind is Kind.COPY
            for first, last in lost.spans for number in range((last - first).days + 1)
        }  # fmt: skip
        assert nights <= told
        assert not told & {archive.night for archive in others}

    def check_no_other_way(self, today: date, written: list[str]) -> None:
        """A night is spooled only where the drive holds nothing that could take it."""
        if self.drive is None or self.drive in written:
            return
        medium = self.media[self.drive]
        if medium.left >= NIGHT_BYTES:
            assert medium.is_locked or medium.place is Place.LOST
            return
        others = [archive for other in self.live() if other is not medium for archive in other.archives]
        is_last = any(a.is_verified for a in medium.archives) and not any(a.is_verified for a in others)
        is_protected = any(model_is_protected(self.scheme, a.night, medium.pool, today) for a in medium.archives)
        assert is_last or is_protected or medium.is_locked or medium.place is Place.LOST


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("reuse", tuple(Reuse))
@pytest.mark.parametrize(("sets", "per_night"), ((1, 1), (2, 1), (2, 2)))
@pytest.mark.parametrize("scheme", ("weekdays", "gfs"))
def test_every_night_of_a_year(scheme: str, sets: int, per_night: int, reuse: Reuse, seed: int) -> None:
    year = Year(scheme, sets, per_night, reuse, seed)
    year.run()
    for happened in ("CLEAN", "WARNING", "SPOOLED", "APPEND", "OVERWRITE", "LABEL", "nights lost"):
        assert year.seen[happened], (happened, year.seen)
