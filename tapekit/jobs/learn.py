"""What a cartridge holds goes into the catalog: after a night, and after what a person did by hand."""

from datetime import datetime
from typing import TYPE_CHECKING

from drivers.base import Drive
from tapekit.cartridge.cartridge import Cartridge as OpenCartridge
from tapekit.cartridge.cartridge import Segment, by_archive, open_cartridge
from tapekit.cartridge.catalog import read_catalog
from tapekit.errors import CartridgeError, KeyNeeded, KeyRefused, VerificationFailed
from tapekit.evidence import Evidences, Noted
from tapekit.jobs.nightly.reach import cartridge_of
from tapekit.keys.opener import NO_KEY, Opener
from tapekit.model import Cartridge, Copy, Rung, Stock
from tapekit.units import parse_time

if TYPE_CHECKING:
    from tapekit.catalog.store import Store

_IMPLIED = {
    Rung.FLUSHED: (Rung.WRITTEN,),
    Rung.READ_BACK: (Rung.WRITTEN, Rung.FLUSHED),
    Rung.COMPARED: (Rung.WRITTEN, Rung.FLUSHED, Rung.READ_BACK),
    Rung.OTHER_DRIVE: (Rung.WRITTEN, Rung.FLUSHED, Rung.READ_BACK),
}
"""What is true as well where the journal has a rung; a sample restored says nothing of all the rest."""


def learn(
    drive: Drive, store: "Store", evidences: Evidences, replaces: str | None = None, opener: Opener = NO_KEY, *,
    is_admitted: bool = True,
) -> None:  # fmt: skip
    """Bring in what a cartridge holds and the catalog does not know yet; no names of what nothing opens.

    `replaces` is the id of the label that was on the medium before. One that is unknown here is not taken in for being
    there, unless it `is_admitted`. Raises CartridgeError for that, DriveError, FormatError, CatalogError.
    """
    opened = open_cartridge(drive)
    if opened.label is None:
        return
    label = opened.label.cartridge
    segments = opened.segments()
    stock = store.stock()
    known = stock.labelled(label)
    seen = cartridge_of(opened, segments, known, evidences)
    if known is None and not is_admitted:
        admit(seen, stock, store.site, adopt=False)
    store.record_label(seen, replaces=replaces)
    _learn_archives(opened, store, seen, known, segments, opener)
    _learn_evidence(store, seen, known, evidences)


def admit(seen: Cartridge, stock: Stock, site: str, *, adopt: bool) -> None:
    """Whether an unknown cartridge may be taken in. Raises CartridgeError."""
    is_foreign = bool(seen.site) and seen.site != site
    if is_foreign and not adopt:
        raise CartridgeError(
            f"cartridge {seen.name}: it belongs to site {seen.site!r}, this is {site!r}",
            "to take it over, say so: tapekit catalog rebuild --adopt DRIVE",
        )
    other = stock.named(seen.name)
    if other is None or not other.label:
        return
    is_newer = other.labelled is None or (seen.labelled is not None and seen.labelled > other.labelled)
    if is_foreign or not is_newer:
        raise CartridgeError(
            f"cartridge {seen.name}: the catalog knows another cartridge of that name, label {other.label[:8]}",
            "retire one of them, or give this one another name with a new label",
        )


def _learn_archives(
    opened: OpenCartridge, store: "Store", seen: Cartridge, known: Cartridge | None, segments: list[Segment],
    opener: Opener,
) -> None:  # fmt: skip
    before = {(copy.archive, copy.state) for copy in known.copies} if known else set()
    found = by_archive(segments)
    for copy in seen.copies:
        if (copy.archive, copy.state) in before:
            continue
        segment = _unlocked(opened, opener, found[copy.archive])
        if segment.is_encrypted and segment.cipher is None:
            store.record_archive(seen.label, copy)
            continue
        with read_catalog(opened.drive, segment).tables as tables:
            store.record_archive(seen.label, copy, tables.entries())


def _unlocked(opened: OpenCartridge, opener: Opener, segment: Segment) -> Segment:
    """The segment opened for its names, or as it is where they are not for us."""
    try:
        return opened.unlock(segment, opener, for_data=False)
    except (KeyNeeded, KeyRefused, VerificationFailed):
        return segment


def _learn_evidence(store: "Store", seen: Cartridge, known: Cartridge | None, evidences: Evidences) -> None:
    """What the journal has of a cartridge, in its order; nothing of archives whose last line is known already."""
    archives = {copy.archive for copy in seen.copies}
    lines = [line for line in evidences.lines() if line.cartridge == seen.label and line.archive in archives]
    before = {copy.archive: copy for copy in known.copies} if known else {}
    last = {line.archive: line for line in lines}
    behind = {archive for archive, line in last.items() if not _is_known(line, before.get(archive))}
    found: list[tuple[str, Rung | None, datetime]] = []
    for line in lines:
        if line.archive in behind:
            rungs = (None,) if line.rung is None else (*_IMPLIED.get(line.rung, ()), line.rung)
            found += [(line.archive, rung, parse_time(line.at)) for rung in rungs]
    if found:
        store.record_proofs(seen.label, found)


def _is_known(noted: Noted, copy: Copy | None) -> bool:
    """Whether the catalog has a line of the journal, and so all before it."""
    if copy is None:
        return False
    at = parse_time(noted.at)
    return copy.failed == at if noted.rung is None else (noted.rung, at) in copy.evidence and copy.failed is None
