"""Runs the jobs on image files, in this process: what every test of the jobs begins with."""

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

from drivers import image
from drivers.base import Drive
from drivers.recordlog import front
from drivers.recordlog.index import FileIndex
from drivers.recordlog.storage import DirectFile
from tapekit.evidence import Evidences, state_directory
from tapekit.jobs import backup, label, listing, restore, verify
from tapekit.patterns import Patterns
from tapekit.progress import Silent
from tapekit.source.exclude import Excludes
from tapekit.source.put_back import Overwrite
from tapekit.source.walk import Options, plan_sources

SMALL_BLOCK_BYTES = 4096


@dataclasses.dataclass(frozen=True)
class Image:
    """A cartridge in an image file."""

    path: Path

    @property
    def url(self) -> str:
        return f"image:{self.path}"

    @contextlib.contextmanager
    def drive(self, *, writable: bool = False) -> Iterator[Drive]:
        drive = image.open_drive(str(self.path), writable=writable)
        try:
            yield drive
        finally:
            drive.close()

    def back_up(
        self, *paths: Path | str, job: str = "backup", compression: str = "none", parity: bool = False
    ) -> backup.Result:
        wanted = request(*paths, job=job, compression=compression, parity=parity)
        with self.drive(writable=True) as drive:
            return backup.run(drive, wanted, Silent(), evidences())

    def verify(self, archive: str = "all", *, with_source: bool = False) -> verify.Result:
        with self.drive() as drive:
            return verify.run(drive, archive, Silent(), evidences(), with_source=with_source)

    def restore(
        self, to: Path, *patterns: str, archive: str = "latest", overwrite: str = "never", devices: bool = False
    ) -> restore.Result:
        with self.drive() as drive:
            wanted = restore.Request(str(to), patterns, archive, Overwrite(overwrite), devices)
            return restore.run(drive, wanted, Silent())

    def listed(self, archive: str = "latest", *patterns: str) -> dict[bytes, listing.Listed]:
        problems: list[str] = []
        with self.drive() as drive:
            found = {item.entry.path: item for item in listing.run(drive, archive, Patterns(patterns), problems)}
        assert problems == []
        return found


def new_image(path: Path, size_bytes: int = 16 << 20, block_bytes: int | None = SMALL_BLOCK_BYTES) -> Image:
    """A labelled cartridge without archives."""
    image.create(str(path), size_bytes)
    made = Image(path)
    with made.drive(writable=True) as drive:
        label.run(drive, barcode="WED-1", pool=None, block_bytes=block_bytes, destroy=None)
    return made


def request(
    *paths: Path | str, job: str = "backup", compression: str = "none", parity: bool = False
) -> backup.Request:  # fmt: skip
    """What `tapekit backup` would ask for; without parity, so that a test sees what damage does."""
    sources, options = plan_sources([str(path) for path in paths]), Options(Excludes([]))
    return backup.Request(sources, options, job, compression, parity=parity)


def evidences() -> Evidences:
    return Evidences(state_directory())


def restored(to: Path, source: Path) -> Path:
    """Where a restore below `to` puts what was saved from the absolute path `source`."""
    return to / str(source).lstrip("/")


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a block's record lies in the image file."""

    file: int
    block: int
    record: int
    content: int
    size_bytes: int


def places(path: Path) -> Iterator[Place]:
    """Every block of a cartridge, as the record log has them."""
    fd = os.open(path, os.O_RDONLY)
    storage = DirectFile(
        fd, str(path), size_bytes=path.stat().st_size, sector_bytes=image.SECTOR_BYTES, writable=False, is_device=False
    )
    try:
        reader = front.find(storage).reader
        assert reader is not None
        for number, file in enumerate(reader.files()):
            for block in range(len(file.distances)):
                yield _place(reader.start, number, block, file, reader.record(file.position(block) or 0).length)
    finally:
        storage.close()


def _place(start: int, number: int, block: int, file: FileIndex, size_bytes: int) -> Place:
    record = start + (file.position(block) or 0)
    return Place(number, block, record, record + 64, size_bytes)
