"""What is really on a cartridge, by the rescue kit's own code: it shares nothing with what writes and decides."""

import contextlib
import dataclasses
import hashlib
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tapekit.rescue import rescue


@dataclasses.dataclass(frozen=True)
class Held:
    """An archive on a cartridge, every block of it read."""

    archive: str
    job: str
    started: str
    is_complete: bool
    """Closed by its trailer and filemark, and nothing in it is damaged."""
    files: dict[str, str]
    """SHA-256 of each regular file, by its path without the first slash."""
    part: int = 0
    """Of an archive on several cartridges, which part is here."""


@dataclasses.dataclass(frozen=True)
class Contents:
    """A cartridge: its label's id, name and pool (empty where there is none), and its archives, oldest first."""

    label: str = ""
    name: str = ""
    pool: str = ""
    archives: tuple[Held, ...] = ()

    def complete(self) -> dict[str, Held]:
        """The archives that give everything back, by id."""
        return {held.archive: held for held in self.archives if held.is_complete}


BLANK = Contents()


def read(path: Path) -> Contents:
    """Read a cartridge in an image file; BLANK for what is none."""
    report = rescue.Report()
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        cartridge = rescue.Cartridge(rescue.find_record_log(rescue.Disk(fd), report), report)
        label = cartridge.label
        held = tuple(_held(archive, report) for archive in rescue.archives_of(cartridge.segments))
        label_id, name, pool = (str(label.get(key) or "") for key in ("cartridge", "barcode", "pool"))
        return Contents(label_id, name, pool, held)
    except rescue.Problem:
        return BLANK
    finally:
        os.close(fd)


def read_set(paths: Sequence[Path], archive: str) -> Held | None:
    """An archive over several cartridges in image files; None where none of them holds anything of it."""
    report = rescue.Report()
    with contextlib.ExitStack() as stack:
        segments = []
        for path in paths:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            stack.callback(os.close, fd)
            segments += rescue.Cartridge(rescue.find_record_log(rescue.Disk(fd), report), report).segments
        found = (of for of in rescue.archives_of(segments) if of.id.hex() == archive)
        return next((_held(of, report) for of in found), None)


def _held(archive: rescue.Archive, report: rescue.Report) -> Held:
    files: dict[str, str] = {}
    is_good, damages = archive.complete and archive.segments[-1].closed, report.damages
    for stream, member, entry in rescue.read_archive(archive, report, every_block=True):
        if member.type == rescue.REGULAR:
            pieces: list[bytes] = []
            found = rescue.read_content(stream, member, entry, partial(_take, pieces))
            is_good = is_good and not found.trouble
            files[os.fsdecode(member.name)] = hashlib.sha256(b"".join(pieces)).hexdigest()
    first = archive.segments[0]
    is_good = is_good and report.damages == damages
    return Held(archive.id.hex(), first.about("job"), first.about("started"), is_good, files, first.number)


def _take(pieces: list[bytes], _place: int, piece: bytes) -> None:
    pieces.append(piece)


def digest(path: Path) -> str:
    """SHA-256 of a file, as Held has it."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
