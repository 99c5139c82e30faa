"""What is in the drives before anything is decided: the cartridge itself tells, and the catalog adds its past."""

import dataclasses
import enum
from collections.abc import Sequence

from drivers.base import Drive, Identity
from drivers.errors import BlankMedium, Busy, DriveError, ForeignMedium, NoMedium
from formats.errors import FormatError
from formats.label import Label
from formats.segment import Evidence
from tapekit import drives
from tapekit.cartridge.cartridge import Cartridge as OpenCartridge
from tapekit.cartridge.cartridge import Segment, by_archive, open_cartridge
from tapekit.cartridge.directory import remembered
from tapekit.errors import UsageError
from tapekit.evidence import Evidences
from tapekit.model import Cartridge, Copy, Place, Rung, Stock, night_of
from tapekit.units import parse_time


class Found(enum.StrEnum):
    """What a drive holds."""

    CARTRIDGE = "cartridge"
    BLANK = "blank"
    FOREIGN = "foreign"
    DAMAGED = "damaged"
    """A cartridge of ours whose label cannot be read, or one of a newer format."""
    NOTHING = "nothing"
    NO_DRIVE = "no drive"
    """The drive itself cannot be opened."""


LOOKED_INTO = frozenset((Found.CARTRIDGE, Found.BLANK, Found.FOREIGN, Found.NOTHING))
"""What tells which cartridge is in a drive, and which one is not."""


@dataclasses.dataclass(frozen=True)
class InDrive:
    """A drive, and what was found in it. `cartridge` is there for Found.CARTRIDGE alone."""

    name: str
    url: str
    found: Found
    cartridge: Cartridge | None = None
    label: Label | None = None
    capacity_bytes: int = 0
    remaining_bytes: int = 0
    is_write_protected: bool = False
    is_busy: bool = False
    """Another program holds it."""
    barcode: str = ""
    """As a changer reads it from the cartridge; empty where none does."""
    is_in_slot: bool = False
    """Not in the drive: a changer can bring it there."""
    words: str = ""
    """The message of the error, or what the foreign medium holds."""
    device: Identity | None = None
    """Which drive it is; None where it could not be opened."""


def look(named: Sequence[tuple[str, str]], stock: Stock, evidences: Evidences) -> list[InDrive]:
    """Look into each drive (name, URL). What goes wrong with one is an answer, never an error."""
    return [_look(name, url, stock, evidences) for name, url in named]


_FOUND_BY_ERROR: tuple[tuple[type[Exception], Found], ...] = (
    (NoMedium, Found.NOTHING),
    (BlankMedium, Found.BLANK),
    (ForeignMedium, Found.FOREIGN),
    (FormatError, Found.DAMAGED),
    (DriveError, Found.DAMAGED),
)


def found_of(error: DriveError | FormatError) -> Found:
    """What an error on the way into a cartridge says of the medium."""
    return next(found for kind, found in _FOUND_BY_ERROR if isinstance(error, kind))


def _look(name: str, url: str, stock: Stock, evidences: Evidences) -> InDrive:
    try:
        drive = drives.open_drive(url, {}, writable=False)
    except (DriveError, UsageError) as error:
        # Of disks and image files the device is the cartridge: where it is not there, nobody has put it in.
        is_empty = isinstance(error, NoMedium) or isinstance(error.__cause__, FileNotFoundError)
        found = Found.NOTHING if is_empty else Found.NO_DRIVE
        return InDrive(name, url, found, is_busy=isinstance(error, Busy), words=str(error))
    try:
        return dataclasses.replace(_look_into(name, drive, stock, evidences), device=drive.identify())
    except (FormatError, DriveError) as error:
        medium = drive.medium()
        return InDrive(
            name, url, found_of(error),
            capacity_bytes=medium.capacity_bytes, remaining_bytes=medium.capacity_bytes,
            is_write_protected=medium.write_protected, words=str(error), device=drive.identify(),
        )  # fmt: skip
    finally:
        drive.close()


def _look_into(name: str, drive: Drive, stock: Stock, evidences: Evidences) -> InDrive:
    opened = open_cartridge(drive)
    label = opened.label
    if label is None:
        return InDrive(name, drive.url, Found.DAMAGED, words=opened.label_problem)
    known = stock.labelled(label.cartridge) or stock.named(label.name)
    if opened.is_unfinished and known is not None and known.label == label.cartridge and known.copies:
        return InDrive(
            name, drive.url, Found.DAMAGED,
            words=f"{drive.url}: cartridge {label.name}: {len(known.copies)} archives are known to be on it, and the "
            "drive finds none",
        )  # fmt: skip
    if opened.is_unfinished:
        return InDrive(
            name, drive.url, Found.BLANK, capacity_bytes=opened.medium.capacity_bytes,
            remaining_bytes=opened.medium.capacity_bytes, is_write_protected=opened.medium.write_protected,
            words=f"{drive.url}: its labelling was cut off: nothing is on it",
        )  # fmt: skip
    cartridge = cartridge_of(opened, opened.segments(), known, evidences)
    return InDrive(
        name, drive.url, Found.CARTRIDGE, cartridge, label, opened.medium.capacity_bytes,
        opened.medium.remaining_bytes, opened.medium.write_protected,
    )  # fmt: skip


def cartridge_of(
    opened: OpenCartridge, segments: Sequence[Segment], known: Cartridge | None, evidences: Evidences
) -> Cartridge:
    """A cartridge as it is in the drive, with what is known of its past. Its label must be readable."""
    label = opened.label
    assert label is not None  # noqa: S101 - the caller has seen to it
    known = known or Cartridge(label.name, label.cartridge)
    is_retired = known.place is Place.RETIRED and known.label == label.cartridge  # one that was lost is found again
    medium = opened.drive.medium()
    return dataclasses.replace(
        known, name=label.name, label=label.cartridge, pool=label.pool,
        place=Place.RETIRED if is_retired else Place.DRIVE,
        copies=copies(label.cartridge, segments, known, evidences), labelled=parse_time(label.labelled),
        capacity_bytes=medium.capacity_bytes, remaining_bytes=medium.remaining_bytes,
        is_write_protected=medium.write_protected, is_worm=medium.worm, site=site_of(segments) or known.site,
    )  # fmt: skip


def site_of(segments: Sequence[Segment]) -> str:
    """The site that wrote the newest archive; empty where none says."""
    return next((s.header.site for s in reversed(segments) if s.header and s.header.site), "")


def copies(label: str, segments: Sequence[Segment], known: Cartridge, evidences: Evidences) -> tuple[Copy, ...]:
    """The copies that are on a cartridge, with the evidence that the catalog or the journal has of them."""
    before = {copy.archive: copy for copy in known.copies} if known.label == label else {}
    carried = {entry.archive: entry.evidence for entry in remembered(segments).values()}
    return tuple(
        copy_of(
            segment,
            before.get(segment.archive),
            evidences.highest(label, segment.archive) or carried.get(segment.archive),
        )
        for segment in by_archive(segments).values()
        if segment.archive
    )


def copy_of(segment: Segment, before: Copy | None, noted: Evidence | None) -> Copy:
    """One segment as a copy: what the cartridge says of it, and what is known of it besides."""
    started = parse_time(segment.started)
    trailer = segment.trailer
    evidence = before.evidence if before else ()
    if noted is not None and not evidence:
        evidence = tuple((rung, parse_time(noted.at)) for rung in Rung if rung.words == noted.rung)
    return Copy(
        archive=segment.archive, job=segment.job, night=night_of(started), started=started,
        finished=parse_time(trailer.finished) if trailer else None, file=segment.file, state=segment.state,
        members=trailer.members if trailer else 0, problems=trailer.problems if trailer else 0,
        source_bytes=trailer.source_bytes if trailer else 0, stored_bytes=trailer.stored_bytes if trailer else 0,
        evidence=evidence, failed=before.failed if before else None, segment=segment.number,
    )  # fmt: skip
