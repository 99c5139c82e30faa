"""The spool: a night that no cartridge could take waits on the server's disk, as a cartridge in an image file.

So it is written, read back and compared as any other, can be inspected and restored meanwhile, and is copied block by
block when a cartridge with room comes. It is no replacement for one: it burns with the server.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from drivers import image
from drivers.base import Drive
from tapekit.cartridge.cartridge import by_archive, choose, open_cartridge
from tapekit.errors import REPORTED, MediumFull, VerificationFailed
from tapekit.evidence import Evidences
from tapekit.jobs import duplicate, inspect, label, verify
from tapekit.keys.site import SiteKey
from tapekit.progress import Progress
from tapekit.units import size_text

SUFFIX = ".tkc"
BLOCK_BYTES = 256 << 10
"""As on tape, which is the smallest of the sizes that cartridges have unasked: the archive fits all of them."""
SLACK_BYTES = 64 << 20
KEPT_FREE = 0.05
"""Of the disk: a full one stops what the site lives on."""


def waiting(directory: Path, job: str) -> list[Path]:
    """The nights of a job that wait, oldest first."""
    return sorted(directory.glob(f"{_stem(job)}.*{SUFFIX}"))


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


def make(directory: Path, job: str, night: date, needed_bytes: int) -> Path:
    """A labelled image with room for a night. Raises MediumFull, DriveError."""
    size = needed_bytes + needed_bytes // 8 + SLACK_BYTES
    with contextlib.suppress(OSError):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    free = free_bytes(directory)
    if free < size:
        raise MediumFull(
            f"{directory}: the night takes {size_text(size)}, and {size_text(free)} may be used of the disk"
        )
    path = directory / f"{_stem(job)}.{night.isoformat()}{SUFFIX}"
    number = 1
    while path.exists():
        number += 1
        path = directory / f"{_stem(job)}.{night.isoformat()}.{number}{SUFFIX}"
    image.create(str(path), size)
    with opened(path, writable=True) as drive:
        label.run(drive, barcode="SPOOL", pool=None, block_bytes=BLOCK_BYTES, destroy=None)
    return path


@contextlib.contextmanager
def opened(path: Path, *, writable: bool = False) -> Iterator[Drive]:
    """The drive of a spooled night."""
    drive = image.open_drive(str(path), writable=writable)
    try:
        yield drive
    finally:
        drive.close()


def move(path: Path, target: Drive, progress: Progress, evidences: Evidences, site_key: SiteKey | None = None) -> None:
    """Copy a waiting night behind what a cartridge holds, and read it back there; only then is it let go.

    Raises what `duplicate.run` and `verify.run` raise, and VerificationFailed; the night then waits on.
    """
    with opened(path) as source:
        archive = choose(open_cartridge(source).segments(), "latest").archive
        there = by_archive(open_cartridge(target).segments()).get(archive)
        if there is None or not there.is_complete:  # a run that was killed may have copied it, and left it here
            duplicate.run(source, target, archive, progress, evidences, site_key)
    found = verify.run(target, archive, progress, evidences)
    if not all(segment.ok for segment in found.segments):
        raise VerificationFailed(f"{target.url}: archive {archive[:8]}: the copy from the spool reads back different")
    discard(path)


def discard(path: Path) -> None:
    """Remove a night from the spool."""
    with contextlib.suppress(OSError):
        path.unlink()


def is_whole(path: Path, evidences: Evidences) -> bool:
    """Whether a spooled night is complete; one that a killed run left is not."""
    try:
        with opened(path) as drive:
            archives = inspect.run(drive, evidences).archives
    except REPORTED:
        return False
    return any(archive.segment.is_complete for archive in archives)
