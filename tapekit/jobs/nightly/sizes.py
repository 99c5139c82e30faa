"""The size watch of a run: how large each source is, and what to think of that."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from tapekit.jobs.nightly.go import Gone
from tapekit.jobs.nightly.keep import Keeper
from tapekit.jobs.nightly.setting import Setting
from tapekit.report import capacity
from tapekit.report.night import NightReport, Note, SourceSize
from tapekit.report.notes import note, of_error, of_size
from tapekit.source.measure import measure
from tapekit.source.walk import NothingToSave, Sources, check_sources

Past = Mapping[str, Sequence[tuple[date, int]]]
"""Nights and bytes of each source and database, oldest first."""
FEW_NIGHTS = 14
"""A forecast below this many nights is a warning: cartridges have to be ordered."""
STORED = "(stored)"
"""Under this name the sizes of a job hold what a night took on its cartridge."""


def of_sources(setting: Setting) -> dict[str, int]:
    """Bytes of each source, by a quick look."""
    paths = [str(source.path) for source in setting.job.sources]
    return {path: measure(Sources("/", (path,))) for path in paths}


def check(sources: Sources, found: Mapping[str, int], before: Past) -> None:
    """Raises NothingToSave where no source is there, or all of them are empty that once were not.

    That is a disk that is not mounted. Nothing is written then: the archive of nothing would be the newest one, and in
    time take the place of every night that held something.
    """
    check_sources(sources)
    if found and not any(found.values()) and any(size for points in before.values() for _, size in points):
        raise NothingToSave("source: nothing to save: empty, and it was not before", "nothing was written")


def why_failed(setting: Setting, error: Exception) -> Note:
    """An error that ends a night, as a note."""
    if not isinstance(error, NothingToSave):
        return of_error(error)
    return note("source-missing", str(error), source=", ".join(str(source.path) for source in setting.job.sources))


def assessed(setting: Setting, found: Mapping[str, int], before: Past, night: date) -> tuple[SourceSize, ...]:
    """Each source and database measured against the nights before."""
    drops = setting.size_drops()
    return tuple(
        capacity.assess(name, night, size, before.get(name, ()), capacity.Thresholds(drop_percent=drops.get(name, 50)))
        for name, size in found.items()
        if name != STORED
    )


def warnings(watched: Iterable[SourceSize], left: int | None = None) -> list[Note]:
    """What is worth a person's attention; `left` is what `nights_left` says."""
    notes = [said for size in watched if (said := of_size(size)) is not None]
    if left is not None and left < FEW_NIGHTS:
        notes.append(note("capacity", nights=str(left)))
    return notes


def nights_left(keeper: Keeper, setting: Setting, gone: Gone, night: date) -> int | None:
    """For how many more nights a night fits on a cartridge, as it grows now; None where it does not, or never will."""
    before = keeper.usual_sizes(setting.name).get(STORED, [])
    room = min((cartridge.capacity_bytes or 0 for cartridge in gone.cartridges), default=0)
    if not gone.stored_bytes or not room or gone.is_set:
        return None
    return capacity.forecast([*before, (night, gone.stored_bytes)], room).nights_left


def recorded(found: Mapping[str, int], report: NightReport) -> dict[str, int]:
    """What the catalog keeps for the nights to come: sizes of sources, and what the night took on its cartridge."""
    return {**found, **({STORED: report.stored_bytes} if report.stored_bytes else {})}
