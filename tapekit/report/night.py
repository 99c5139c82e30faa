"""The report of a night as a value: everything that line, mail, page and metrics say comes from here.

Nothing in it is worded yet: notes carry a kind and values, and `tapekit.report.notes` has the words in each language.
Times are aware datetimes in UTC, sizes bytes, durations seconds.
"""

import dataclasses
import enum
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta

from tapekit.errors import Exit
from tapekit.model import Cartridge, Place, Rung


class Outcome(enum.StrEnum):
    """How a night ended."""

    CLEAN = "clean"
    WARNINGS = "warnings"
    """On a cartridge, but something wants a person's attention."""
    SPOOLED = "spooled"
    """On the server's own disk only: not on any cartridge yet."""
    FAILED = "failed"
    """Nothing that counts was saved."""


class Step(enum.StrEnum):
    """What a run spends its time on, in this order."""

    DUMP = "dump"
    WRITE = "write"
    READ_BACK = "read back"
    COMPARE = "compare"
    SAMPLE_RESTORE = "sample restore"


class Verdict(enum.StrEnum):
    """What the size of a source says, measured against the nights before."""

    NEW = "new"
    """No night to compare with."""
    STEADY = "steady"
    DROP = "drop"
    JUMP = "jump"
    EMPTY = "empty"
    """Nothing was there; that is not a success."""


@dataclasses.dataclass(frozen=True)
class Note:
    """A warning or a problem: what, why and what to do are worded from its kind (`tapekit.report.notes`)."""

    kind: str
    values: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """What its wording names: a cartridge, a database, a path."""
    detail: str = ""
    """The message of an error, as it came; holds nothing secret."""


@dataclasses.dataclass(frozen=True)
class Timing:
    """How long a step took, and how much went through."""

    step: Step
    seconds: float
    size_bytes: int = 0
    stops: int = 0
    """Of the tape, because its source is slower than it needs; both in bytes per second."""
    source_bytes_s: int = 0
    needed_bytes_s: int = 0

    @property
    def bytes_per_second(self) -> float | None:
        """The throughput, where there is one to speak of."""
        return self.size_bytes / self.seconds if self.size_bytes and self.seconds > 0 else None


@dataclasses.dataclass(frozen=True)
class CartridgeState:
    """A cartridge as the night left it."""

    name: str
    rungs: tuple[Rung, ...] = ()
    """What is proven of this night's copy on it."""
    capacity_bytes: int | None = None
    remaining_bytes: int | None = None
    loads: int = 0
    written_bytes: int = 0
    errors: int = 0
    place: Place = Place.DRIVE

    @classmethod
    def of(cls, cartridge: Cartridge, rungs: Iterable[Rung] = ()) -> "CartridgeState":
        """A cartridge as the catalog knows it."""
        return cls(
            cartridge.name,
            tuple(sorted(rungs)),
            cartridge.capacity_bytes,
            cartridge.remaining_bytes,
            cartridge.loads,
            cartridge.written_bytes,
            cartridge.errors,
            cartridge.place,
        )


@dataclasses.dataclass(frozen=True)
class DriveHealth:
    """What a drive says of itself and of the cartridge in it, at the end of a night."""

    drive: str
    """Its name in the configuration."""
    flags: tuple[int, ...] = ()
    """Of TapeAlert."""
    notes: tuple[str, ...] = ()
    counters: Mapping[str, int] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Nights:
    """Nights of a job from the first to the last, both included."""

    job: str
    first: date
    last: date


@dataclasses.dataclass(frozen=True)
class Overwritten:
    """What had to make room on a cartridge."""

    cartridge: str
    nights: tuple[Nights, ...] = ()
    """What was on it."""
    lost: tuple[Nights, ...] = ()
    """Of these no copy is left anywhere."""


@dataclasses.dataclass(frozen=True)
class SourceSize:
    """The size of a source or database, and what to think of it."""

    name: str
    size_bytes: int
    usual_bytes: int | None = None
    """What the nights before let expect."""
    growth_bytes_per_week: int | None = None
    verdict: Verdict = Verdict.NEW


@dataclasses.dataclass(frozen=True)
class NightReport:
    """One run of a job, as it ended."""

    site: str
    host: str
    job: str
    night: date
    begun: datetime
    ended: datetime
    outcome: Outcome
    exit_code: int = 0
    archive: str = ""
    cartridges: tuple[CartridgeState, ...] = ()
    """Those that hold this night."""
    health: tuple[DriveHealth, ...] = ()
    """Of the drives that were written to, as far as they tell."""
    due: tuple[str, ...] = ()
    """The cartridges that were due."""
    spool: str = ""
    """The directory where the night waits for a cartridge."""
    waiting: int = 0
    """How many nights wait there, this one included."""
    members: int = 0
    source_bytes: int = 0
    stored_bytes: int = 0
    timings: tuple[Timing, ...] = ()
    problems: tuple[Note, ...] = ()
    """Something was not saved or not proven."""
    warnings: tuple[Note, ...] = ()
    left_overs: tuple[Note, ...] = ()
    """What a run that was killed had left, and what became of it."""
    overwritten: tuple[Overwritten, ...] = ()
    next_cartridges: tuple[str, ...] = ()
    next_slots: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """Of these, those that a changer brings by itself, and the slots that they are in."""
    next_night: date | None = None
    sizes: tuple[SourceSize, ...] = ()
    nights_left: int | None = None
    """For how many more nights a night fits on a cartridge, where it grows on as it does."""
    is_readable_by_anyone: bool = True
    """No key is configured: whoever holds the cartridge reads it."""

    def with_notes(self, problems: Iterable[Note] = (), warnings: Iterable[Note] = ()) -> "NightReport":
        """The report with more to tell: a night that was clean is then one with warnings, none gets worse than that."""
        more = dataclasses.replace(
            self, problems=(*self.problems, *problems), warnings=(*self.warnings, *warnings)
        )  # fmt: skip
        if self.outcome is not Outcome.CLEAN or not (more.problems or more.warnings):
            return more
        return dataclasses.replace(more, outcome=Outcome.WARNINGS, exit_code=int(Exit.WARNINGS))

    @property
    def seconds(self) -> float:
        """How long the run took; never negative, whatever the clock did."""
        return max(0.0, (self.ended - self.begun).total_seconds())

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """What is proven on every cartridge that holds the night: the claim that is true of all of them."""
        sets = [set(cartridge.rungs) for cartridge in self.cartridges]
        return tuple(sorted(set.intersection(*sets))) if sets else ()

    @property
    def rung(self) -> Rung | None:
        """The highest of these."""
        return max(self.rungs, default=None)

    @property
    def bytes_per_second(self) -> float | None:
        """The throughput of writing."""
        return next((timing.bytes_per_second for timing in self.timings if timing.step is Step.WRITE), None)


@dataclasses.dataclass(frozen=True)
class NightMark:
    """A day in the calendar of nights."""

    night: date
    outcome: Outcome | None = None
    """None: there was no run."""
    rung: Rung | None = None
    is_closed: bool = False
    """A day without a night."""

    @property
    def is_missed(self) -> bool:
        """Whether there should have been a run."""
        return self.outcome is None and not self.is_closed


@dataclasses.dataclass(frozen=True)
class SizeSeries:
    """The size of one source, night by night, oldest first."""

    name: str
    points: tuple[tuple[date, int], ...]


@dataclasses.dataclass(frozen=True)
class History:
    """What the pictures of a report show. Everything oldest first."""

    nights: tuple[NightMark, ...] = ()
    sizes: tuple[SizeSeries, ...] = ()
    throughput: tuple[tuple[date, float], ...] = ()
    """Bytes per second of writing."""
    cartridges: tuple[CartridgeState, ...] = ()

    @classmethod
    def of(
        cls,
        reports: Iterable[NightReport],
        cartridges: Iterable[CartridgeState] = (),
        closed: Iterable[date] = (),
    ) -> "History":
        """The history of one job, from its reports.

        Of several runs in a night the one that proved most counts. A day between the first and the last night with no
        report is a missed night, unless it is in `closed`.
        """
        best: dict[date, NightReport] = {}
        for report in sorted(reports, key=lambda report: report.begun):
            known = best.get(report.night)
            if known is None or _merit(report) >= _merit(known):
                best[report.night] = report
        kept = [best[night] for night in sorted(best)]
        series: dict[str, list[tuple[date, int]]] = {}
        for report in kept:
            for size in report.sizes:
                series.setdefault(size.name, []).append((report.night, size.size_bytes))
        return cls(
            tuple(_marks(best, frozenset(closed))),
            tuple(SizeSeries(name, tuple(points)) for name, points in series.items()),
            tuple((report.night, speed) for report in kept if (speed := report.bytes_per_second)),
            tuple(cartridges),
        )


_ORDER = (Outcome.FAILED, Outcome.SPOOLED, Outcome.WARNINGS, Outcome.CLEAN)


def _merit(report: NightReport) -> tuple[int, int]:
    return _ORDER.index(report.outcome), report.rung or 0


def _marks(best: Mapping[date, NightReport], closed: frozenset[date]) -> Iterable[NightMark]:
    night, last = min(best, default=date.max), max(best, default=date.min)
    while night <= last:
        report = best.get(night)
        if report is None:
            yield NightMark(night, is_closed=night in closed)
        else:
            yield NightMark(night, report.outcome, report.rung)
        night += timedelta(days=1)
