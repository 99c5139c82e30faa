"""Rebuilding the catalog from a cartridge alone: label, segments, their catalogs, and what later trailers remember."""

import dataclasses
from datetime import datetime

from drivers.base import Drive
from formats.segment import Evidence
from tapekit.cartridge import cartridge as opening
from tapekit.cartridge.cartridge import Segment, open_cartridge
from tapekit.cartridge.catalog import read_catalog
from tapekit.cartridge.directory import remembered
from tapekit.catalog.store import Store
from tapekit.errors import CartridgeError, KeyNeeded, KeyRefused, VerificationFailed
from tapekit.evidence import Evidences
from tapekit.jobs.learn import admit
from tapekit.jobs.nightly.reach import copy_of, site_of
from tapekit.keys.opener import NO_KEY, Opener
from tapekit.model import RUNG_WORDS, Cartridge, Copy, Place, Rung
from tapekit.units import parse_time


@dataclasses.dataclass(frozen=True)
class Result:
    """What a cartridge told. `vanished` are archives that the catalog believed to be on it."""

    name: str
    label: str
    archives: tuple[Copy, ...]
    vanished: tuple[str, ...]
    problems: tuple[str, ...]


def run(
    drive: Drive, store: Store, evidences: Evidences, now: datetime, *, adopt: bool, opener: Opener = NO_KEY
) -> Result:
    """Take a cartridge and all its archives into the catalog; the names in an encrypted one where a key opens them.

    What the catalog knows besides (places, loads, older evidence) stays. Raises CartridgeError for a cartridge without
    a readable label, one of another site without `adopt`, and one whose name another one has.
    """
    opened = open_cartridge(drive)
    label = opened.label
    if label is None:
        raise CartridgeError(
            f"{drive.url}: {opened.label_problem}: the catalog cannot know it",
            "restore what it holds, then label it anew",
        )
    segments = opened.segments()
    stock = store.stock()
    known = stock.labelled(label.cartridge)
    medium = drive.medium()
    seen = Cartridge(
        label.name, label.cartridge, label.pool, site_of(segments), Place.SHELF, labelled=parse_time(label.labelled),
        capacity_bytes=medium.capacity_bytes, remaining_bytes=medium.remaining_bytes,
        is_write_protected=medium.write_protected, is_worm=medium.worm,
    )  # fmt: skip
    if known is None:
        admit(seen, stock, store.site, adopt=adopt)
    store.record_label(seen)
    before = {copy.archive: copy for copy in known.copies} if known else {}
    carried = {entry.archive: entry.evidence for entry in remembered(segments).values()}
    vanished = before.keys() - {segment.archive for segment in segments}
    if vanished:
        store.mark_overwritten(label.cartridge, now)
    problems: list[str] = []
    copies = []
    for segment in segments:
        if not segment.archive:
            problems.append(f"file {segment.file}: {segment.problem}")
            continue
        noted = _highest(carried.get(segment.archive), evidences.highest(label.cartridge, segment.archive))
        copy = _proven(copy_of(segment, before.get(segment.archive), noted))
        _take(opened, store, opener, segment, copy, problems)
        copies.append(copy)
    return Result(label.name, label.cartridge, tuple(copies), tuple(sorted(vanished)), tuple(problems))


def _take(
    opened: opening.Cartridge, store: Store, opener: Opener, segment: Segment, copy: Copy, problems: list[str]
) -> None:
    assert opened.label is not None  # noqa: S101 - the caller has seen to it
    label = opened.label.cartridge
    if segment.trailer is None:
        problems.append(f"archive {segment.archive[:8]}: incomplete: its members are not known")
        store.record_archive(label, copy)
        return
    try:
        found = read_catalog(opened.drive, opened.unlock(segment, opener, for_data=False))
    except (KeyNeeded, KeyRefused, VerificationFailed) as error:
        problems.append(f"{error}: its members are not known")
        store.record_archive(label, copy)
        return
    with found.tables:
        problems += (f"archive {segment.archive[:8]}: {problem}" for problem in found.problems)
        store.record_archive(label, copy, found.tables.entries())


def _highest(*known: Evidence | None) -> Evidence | None:
    order = list(RUNG_WORDS.values())
    found = [evidence for evidence in known if evidence is not None and evidence.rung in order]
    return max(found, key=lambda evidence: (order.index(evidence.rung), evidence.at), default=None)


def _proven(copy: Copy) -> Copy:
    """A trailer with the filemark behind it proves by itself that the copy was written and flushed."""
    if copy.finished is None:
        return copy
    rungs = {Rung.WRITTEN: copy.finished, Rung.FLUSHED: copy.finished} | dict(copy.evidence)
    return dataclasses.replace(copy, evidence=tuple(sorted(rungs.items())))
