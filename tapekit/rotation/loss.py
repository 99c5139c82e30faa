"""Loss preview: what would cease to exist if cartridges were overwritten."""

import dataclasses
import enum
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date, timedelta

from formats.segment import COMPLETE
from tapekit.model import Cartridge, Copy, Stock
from tapekit.rotation.words import Span, Words, joined, spans_words

NEIGHBOURS = timedelta(days=5)
"""Nights this close, with no other night of the job between them, are told as one span: there may be closed days."""


class Standing(enum.IntEnum):
    """How well a night of a job is kept, by its best copy."""

    NONE = 0
    PARTIAL = 1
    """Incomplete, or found damaged."""
    COMPLETE = 2
    VERIFIED = 3


class Kind(enum.Enum):
    """What a night loses."""

    COPY = "the only copy"
    VERIFIED = "the only verified copy"
    PARTIAL = "the only, incomplete copy"


_WORDS = {
    Kind.COPY: Words("the only copy of", "la seule copie"),
    Kind.VERIFIED: Words("the only verified copy of", "la seule copie vérifiée"),
    Kind.PARTIAL: Words("the only, incomplete copy of", "la seule copie, incomplète,"),
}


@dataclasses.dataclass(frozen=True)
class JobLoss:
    """Nights of a job that lose the same."""

    job: str
    kind: Kind
    spans: tuple[Span, ...]
    nights: tuple[date, ...]

    def words(self, today: date) -> Words:
        """As people read it: the only copy of 3 to 9 March."""
        kind, nights = _WORDS[self.kind], spans_words(self.spans, today)
        return Words(f"{kind.en} {nights.en}", f"{kind.fr} {nights.fr}")


@dataclasses.dataclass(frozen=True)
class Loss:
    """What would cease to exist; nothing, where it is empty."""

    jobs: tuple[JobLoss, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.jobs)

    def nights(self, kind: Kind = Kind.COPY) -> frozenset[tuple[str, date]]:
        """Job and night of everything that loses that."""
        return frozenset((lost.job, night) for lost in self.jobs if lost.kind is kind for night in lost.nights)

    def words(self, today: date) -> Words:
        """As people read it; the job is named where there are several."""
        if not self.jobs:
            return Words("nothing", "rien")
        several = len({lost.job for lost in self.jobs}) > 1
        parts = ((lost.job, lost.words(today)) for lost in self.jobs)
        return joined(Words(f"{job}: {w.en}", f"{job} : {w.fr}") if several else w for job, w in parts)


def losses(stock: Stock, overwritten: Collection[str]) -> Loss:
    """What would cease to exist if all cartridges of these names were overwritten.

    Only copies on cartridges in service count, before and after: a cartridge that is lost or retired holds nothing that
    could be relied on.
    """
    before = standings(stock.cartridges)
    after = standings(cartridge for cartridge in stock.cartridges if cartridge.name not in overwritten)
    lost: dict[tuple[str, Kind], list[date]] = {}
    for (job, night), standing in sorted(before.items()):
        kind = _kind(standing, after.get((job, night), Standing.NONE))
        if kind is not None:
            lost.setdefault((job, kind), []).append(night)
    return Loss(tuple(
        JobLoss(job, kind, tuple(_spans(nights, job, before)), tuple(nights)) for (job, kind), nights in lost.items()
    ))  # fmt: skip


def standings(cartridges: Iterable[Cartridge]) -> dict[tuple[str, date], Standing]:
    """How well each night of each job is kept on the cartridges in service among these."""
    found: dict[tuple[str, date], Standing] = {}
    for held in archives(cartridges):
        key = held.job, held.night
        found[key] = max(found.get(key, Standing.NONE), held.standing)
    return found


@dataclasses.dataclass(frozen=True)
class Held:
    """An archive as cartridges hold it: one copy, or its parts on several."""

    archive: str
    job: str
    night: date
    standing: Standing
    copies: tuple[Copy, ...]
    """The best of each part."""


def archives(cartridges: Iterable[Cartridge]) -> list[Held]:
    """Every archive on the cartridges in service among these. Without one of its parts it is no more than partial."""
    best: dict[str, dict[int, Copy]] = {}
    for cartridge in cartridges:
        for copy in cartridge.copies if cartridge.is_in_service else ():
            parts = best.setdefault(copy.archive, {})
            known = parts.get(copy.segment)
            if known is None or _part_standing(copy) > _part_standing(known):
                parts[copy.segment] = copy
    return [_held(archive, parts) for archive, parts in best.items()]


def _held(archive: str, parts: Mapping[int, Copy]) -> Held:
    copies = tuple(parts[number] for number in sorted(parts))
    is_whole = sorted(parts) == list(range(len(parts))) and copies[-1].state == COMPLETE
    standing = min(map(_part_standing, copies)) if is_whole else Standing.PARTIAL
    return Held(archive, copies[0].job, copies[0].night, standing, copies)


def _part_standing(copy: Copy) -> Standing:
    """What a copy is worth, where it is all, or all else is there."""
    if copy.is_verified:
        return Standing.VERIFIED
    return Standing.COMPLETE if copy.is_sound else Standing.PARTIAL


def _kind(before: Standing, after: Standing) -> Kind | None:
    if after >= before:
        return None
    if before is Standing.PARTIAL:
        return Kind.PARTIAL
    return Kind.VERIFIED if after is Standing.COMPLETE else Kind.COPY


def _spans(nights: list[date], job: str, known: Mapping[tuple[str, date], Standing]) -> Iterator[Span]:
    """Nights in their order as spans; a night of the job that loses nothing parts two of them."""
    others = {night for name, night in known if name == job} - set(nights)
    first = last = nights[0]
    for night in nights[1:]:
        if night - last > NEIGHBOURS or any(last < other < night for other in others):
            yield first, last
            first = night
        last = night
    yield first, last
