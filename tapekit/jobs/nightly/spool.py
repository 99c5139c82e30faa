"""The spool: a night that no cartridge could take waits on the server's disk, as a cartridge in an image file.

So it is written, read back and compared as any other, can be inspected and restored meanwhile, and is copied block by
block when a cartridge with room comes. It is no replacement for one: it burns with the server.

The rest of a night whose beginning is on a cartridge waits in the same way; and a night that is larger than the
cartridges waits in parts, each in an image of its own that fits one.
"""

import contextlib
import dataclasses
import os
import shutil
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

from drivers import image
from drivers.base import Drive
from formats.gpt import LOG_START
from tapekit.cartridge.cartridge import by_archive, choose, open_cartridge
from tapekit.errors import REPORTED, MediumFull, VerificationFailed
from tapekit.evidence import Evidences
from tapekit.jobs import duplicate, label, verify
from tapekit.keys.site import SiteKey
from tapekit.model import SPOOL, night_of
from tapekit.progress import Progress
from tapekit.units import parse_time, size_text

SUFFIX = ".tkc"
BLOCK_BYTES = 256 << 10
"""As on tape, which is the smallest of the sizes that cartridges have unasked: the archive fits all of them."""
SLACK_BYTES = 64 << 20
AROUND_BYTES = LOG_START + (1 << 20)
"""Of an image around its log, which alone is what a cartridge's capacity tells."""
SPARED = 32
"""This fraction of a cartridge's room is not used by what waits for it: a copy reckons a little more for each block."""
KEPT_FREE = 0.05
"""Of the disk: a full one stops what the site lives on."""


@dataclasses.dataclass(frozen=True)
class Waiting:
    """An image in the spool, and the part of an archive that it holds."""

    path: Path
    archive: str
    job: str
    night: date
    part: int
    is_closed: bool
    is_last: bool
    """Whether the archive ends in it."""
    stored_bytes: int
    block_bytes: int
    finished: datetime | None
    """When it was closed."""

    @property
    def is_of_set(self) -> bool:
        """Whether other parts are elsewhere."""
        return self.part > 0 or not self.is_last


def waiting(directory: Path, job: str) -> list[Path]:
    """What waits of a job, oldest first; a night over several images in their order."""
    return sorted(directory.glob(f"{_stem(job)}.*{SUFFIX}"), key=_age)


def nights(directory: Path, job: str) -> int:
    """How many nights of a job wait; one whose beginning is on a cartridge counts too."""
    return len({_age(path)[:2] for path in waiting(directory, job)})


def _age(path: Path) -> tuple[str, int, int]:
    """What is in a file's name: the night, which run of it, and which part of that run."""
    run, _, part = path.name.removesuffix(SUFFIX).partition("+")
    _, _, number = run.rpartition(".")
    stem, is_again = (run.rpartition(".")[0], int(number)) if number.isdecimal() else (run, 1)
    return stem, is_again, int(part) if part.isdecimal() else 1


def _stem(job: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in job)


def free_bytes(directory: Path) -> int:
    """What may be used of the disk; 0 where the directory cannot be made or written."""
    place = next(folder for folder in (directory, *directory.parents) if folder.exists())
    try:
        usage = shutil.disk_usage(place)
    except OSError:
        return 0
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        return 0
    return max(0, usage.free - int(usage.total * KEPT_FREE))


def make(
    directory: Path, job: str, night: date, needed_bytes: int, *, most_bytes: int | None = None, part: int = 0,
    block_bytes: int = BLOCK_BYTES,
) -> Path:  # fmt: skip
    """A labelled image with room for a night, or for the part of it that fits a cartridge of `most_bytes`.

    `part` is the number of the archive's part that it is for. Raises MediumFull, DriveError.
    """
    size = needed_bytes + needed_bytes // 8 + SLACK_BYTES
    if most_bytes is not None:
        size = min(size, most_bytes - most_bytes // SPARED + AROUND_BYTES)
    with contextlib.suppress(OSError):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    free = free_bytes(directory)
    if free < size:
        raise MediumFull(
            f"{directory}: the night takes {size_text(size)}, and {size_text(free)} may be used of the disk"
        )
    path = _unused(directory, f"{_stem(job)}.{night.isoformat()}", f"+{part + 1}" if part else "")
    image.create(str(path), size)
    with opened(path, writable=True) as drive:
        label.run(drive, barcode=SPOOL, pool=None, block_bytes=block_bytes, destroy=None)
    return path


def _unused(directory: Path, stem: str, part: str) -> Path:
    path, number = directory / f"{stem}{part}{SUFFIX}", 1
    while path.exists():
        number += 1
        path = directory / f"{stem}.{number}{part}{SUFFIX}"
    return path


def look(path: Path) -> Waiting:
    """What is in an image. Raises what reading a cartridge raises, NoSuchArchive where nothing is."""
    with opened(path) as drive:
        cartridge = open_cartridge(drive)
        segment = choose(cartridge.segments(), "latest")
        trailer, header = segment.trailer, segment.header
        return Waiting(
            path, segment.archive, segment.job, night_of(parse_time(segment.started)), segment.number,
            segment.is_closed, segment.is_complete, trailer.stored_bytes if trailer else 0,
            header.block_size if header else BLOCK_BYTES, parse_time(trailer.finished) if trailer else None,
        )  # fmt: skip


def sets(directory: Path, job: str) -> list[Waiting]:
    """Parts of nights that wait, in their order; what cannot be read is left out."""
    found = []
    for path in waiting(directory, job):
        with contextlib.suppress(*REPORTED):
            found.append(look(path))
    return [one for one in found if one.is_closed and one.is_of_set]


@contextlib.contextmanager
def opened(path: Path, *, writable: bool = False) -> Iterator[Drive]:
    """The drive of a spooled night."""
    drive = image.open_drive(str(path), writable=writable)
    try:
        yield drive
    finally:
        drive.close()


def move(
    path: Path, target: Drive, progress: Progress, evidences: Evidences, site_key: SiteKey | None = None
) -> duplicate.Result | None:
    """Copy what waits behind what a cartridge holds, and read it back there; only then is it let go.

    The answer is None where the copy was there already. Raises what `duplicate.run` and `verify.run` raise, and
    VerificationFailed; it then waits on.
    """
    done = None
    with opened(path) as source:
        waits = choose(open_cartridge(source).segments(), "latest")
        archive = waits.archive
        there = by_archive(open_cartridge(target).segments()).get(archive)
        is_there = there is not None and there.state == waits.state and there.number == waits.number
        if not is_there:  # a run that was killed may have copied it, and left it here
            done = duplicate.run(source, target, archive, progress, evidences, site_key)
    found = verify.run(target, archive, progress, evidences)
    if not all(segment.ok for segment in found.segments):
        raise VerificationFailed(f"{target.url}: archive {archive[:8]}: the copy from the spool reads back different")
    discard(path)
    return done


def discard(path: Path) -> None:
    """Remove a night from the spool."""
    with contextlib.suppress(OSError):
        path.unlink()


def remains(directory: Path, job: str) -> list[Path]:
    """What a killed run left that is of no use: images without a closed archive, or of one that nowhere ends."""
    closed: dict[Path, Waiting] = {}
    for path in waiting(directory, job):
        with contextlib.suppress(*REPORTED):
            one = look(path)
            if one.is_closed:
                closed[path] = one
    ended = {one.archive for one in closed.values() if one.is_last}
    return [path for path in waiting(directory, job) if path not in closed or closed[path].archive not in ended]
