"""The size watch of a run: how large each source is, and what to think of that."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from tapekit.jobs.nightly.go import Gone
from tapekit.jobs.nightly.keep import Keeper
from tapekit.jobs.nightly.setting import Setting
from tapekit.report import capacity
from tapekit.report.night import Note, SourceSize, Verdict
from tapekit.source.measure import measure
from tapekit.source.walk import Sources
from tapekit.units import size_text

FEW_NIGHTS = 14
"""A forecast below this many nights is a warning: cartridges have to be ordered."""
STORED = "(stored)"
"""Under this name the sizes of a job hold what a night took on its cartridge."""
_KINDS = {Verdict.EMPTY: "empty", Verdict.DROP: "size-drop", Verdict.JUMP: "size-jump"}


def of_sources(setting: Setting) -> dict[str, int]:
    """Bytes of each source, by a quick look."""
    paths = [str(source.path) for source in setting.job.sources]
    return {path: measure(Sources("/", (path,))) for path in paths}


def assessed(
    setting: Setting, found: Mapping[str, int], before: Mapping[str, Sequence[tuple[date, int]]], night: date
) -> tuple[SourceSize, ...]:
    """Each source and database measured against the nights before."""
    drops = setting.size_drops()
    return tuple(
        capacity.assess(name, night, size, before.get(name, ()), capacity.Thresholds(drop_percent=drops.get(name, 50)))
        for name, size in found.items()
        if name != STORED
    )


def warnings(watched: Iterable[SourceSize]) -> list[Note]:
    """What is worth a person's attention."""
    notes = []
    for size in watched:
        kind = _KINDS.get(size.verdict)
        if kind is not None:
            values = {"name": size.name, "size": size_text(size.size_bytes), "usual": size_text(size.usual_bytes or 0)}
            notes.append(Note(kind, values))
    return notes


def nights_left(keeper: Keeper, setting: Setting, gone: Gone, night: date) -> int | None:
    """For how many more nights a night fits on the cartridges, as it grows now."""
    before = keeper.usual_sizes(setting.name).get(STORED, [])
    room = min((cartridge.capacity_bytes or 0 for cartridge in gone.cartridges), default=0)
    if not gone.stored_bytes or not room:
        return None
    return capacity.forecast([*before, (night, gone.stored_bytes)], room).nights_left
