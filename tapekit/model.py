"""What tapekit knows of cartridges and archives: the catalog keeps these values, rotation and reports reason with them.

Times are aware datetimes in UTC; a *night* is the local date on which a run began (before noon: the day before).
"""

import dataclasses
import enum
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta, tzinfo

from formats.segment import COMPLETE, CONTINUED

NOON = 12
SPOOL = "SPOOL"
"""Name of what waits in the spool, as its label has it, and the headers of the parts behind it: where it is by now, the
catalog knows."""


class Rung(enum.IntEnum):
    """The evidence ladder of a copy, lowest first (docs/technician.md, "The evidence ladder")."""

    WRITTEN = 1
    FLUSHED = 2
    READ_BACK = 3
    COMPARED = 4
    SAMPLE_RESTORED = 5
    OTHER_DRIVE = 6

    @property
    def words(self) -> str:
        """As people read it."""
        return RUNG_WORDS[self]


RUNG_WORDS = {
    Rung.WRITTEN: "written",
    Rung.FLUSHED: "flushed",
    Rung.READ_BACK: "read back",
    Rung.COMPARED: "compared with the source",
    Rung.SAMPLE_RESTORED: "sample restored",
    Rung.OTHER_DRIVE: "read on another drive",
}


class Place(enum.StrEnum):
    """Where a cartridge is, as far as is known."""

    DRIVE = "drive"
    SHELF = "shelf"
    HOME = "home"
    OFF_SITE = "off-site"
    RETIRED = "retired"
    LOST = "lost"


GONE = frozenset((Place.RETIRED, Place.LOST))
"""Places of cartridges that are not written any more."""


@dataclasses.dataclass(frozen=True)
class Copy:
    """One archive on one cartridge, or the part of it that is there."""

    archive: str
    job: str
    night: date
    started: datetime
    finished: datetime | None
    file: int
    state: str
    members: int = 0
    problems: int = 0
    source_bytes: int = 0
    stored_bytes: int = 0
    evidence: tuple[tuple[Rung, datetime], ...] = ()
    """Each rung that was reached, with the time when it was last."""
    failed: datetime | None = None
    """When a verification failed last, unless one succeeded since."""
    segment: int = 0
    """Which part of an archive on several cartridges; the last part's state is `complete`, the others' `continued`."""

    @property
    def is_part(self) -> bool:
        """Whether further parts of its archive are on other cartridges, or should be."""
        return self.segment > 0 or self.state == CONTINUED

    @property
    def is_sound(self) -> bool:
        """Whether it was written to its end, and nothing bad was found."""
        return self.state in {COMPLETE, CONTINUED} and self.failed is None

    @property
    def highest(self) -> tuple[Rung, datetime] | None:
        """The highest rung and its time."""
        return max(self.evidence, default=None)

    @property
    def is_verified(self) -> bool:
        """Whether it was read back whole, and nothing bad was found since."""
        highest = self.highest
        return self.is_sound and highest is not None and highest[0] >= Rung.READ_BACK


@dataclasses.dataclass(frozen=True)
class Cartridge:
    """A cartridge and what is on it. `label` is the id of its present label: a new label, a new id, the same name."""

    name: str
    label: str
    pool: str | None = None
    site: str = ""
    place: Place = Place.SHELF
    copies: tuple[Copy, ...] = ()
    """Oldest first."""
    labelled: datetime | None = None
    last_written: datetime | None = None
    capacity_bytes: int | None = None
    remaining_bytes: int | None = None
    is_locked: bool = False
    """Put in for a restore; not written until it is ejected."""
    is_write_protected: bool = False
    is_worm: bool = False
    loads: int = 0
    written_bytes: int = 0
    read_bytes: int = 0
    errors: int = 0

    @property
    def is_in_service(self) -> bool:
        """Whether it may be asked for."""
        return self.place not in GONE


@dataclasses.dataclass(frozen=True)
class Stock:
    """All cartridges that are known."""

    cartridges: tuple[Cartridge, ...]

    def named(self, name: str) -> Cartridge | None:
        """The cartridge of that name."""
        return next((cartridge for cartridge in self.cartridges if cartridge.name == name), None)

    def labelled(self, label: str) -> Cartridge | None:
        """The cartridge with that label id."""
        return next((cartridge for cartridge in self.cartridges if cartridge.label == label), None)

    def copies_of(self, archives: Iterable[str]) -> dict[str, list[tuple[Cartridge, Copy]]]:
        """Every copy of some archives, by archive."""
        found: dict[str, list[tuple[Cartridge, Copy]]] = {archive: [] for archive in archives}
        for cartridge in self.cartridges:
            for copy in cartridge.copies:
                if copy.archive in found:
                    found[copy.archive].append((cartridge, copy))
        return found


def night_of(started: datetime, zone: tzinfo | None = None) -> date:
    """The night that a run belongs to: its local date, or the day before where it began before noon.

    `zone` is the machine's own where it is None.
    """
    local = started.astimezone(zone)
    return local.date() - timedelta(days=local.hour < NOON)


def tonight(now: datetime, begins: time, zone: tzinfo | None = None) -> date:
    """The night that a person means by tonight: today's, also in the morning, when the cartridge is changed.

    Only a job that begins in the small hours, and has not yet, still writes the night of yesterday.
    """
    local = now.astimezone(zone)
    return local.date() - timedelta(days=local.time() < begins < time(NOON))
