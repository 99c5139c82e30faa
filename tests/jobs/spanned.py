"""Archives over several small image files, and what came back of them."""

import contextlib
import dataclasses
import random
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from drivers import image
from drivers.base import Drive, MediumState
from drivers.errors import BlocksLost, EndOfMedium
from tapekit.jobs import backup, label, restore
from tapekit.jobs.next_cartridge import Asked, Listed
from tapekit.jobs.segments import Part
from tapekit.keys.opener import Opener
from tapekit.progress import Silent
from tests.jobs.cartridges import Image, evidences


def new_images(
    folder: Path, count: int, size_bytes: int = 8 << 20, block_bytes: int = 4096, name: str = "S"
) -> list[Image]:
    """Labelled cartridges S-1, S-2, … without archives."""
    made = []
    for number in range(1, count + 1):
        path = folder / f"{name}-{number}.tkc"
        image.create(str(path), size_bytes)
        made.append(Image(path))
        with made[-1].drive(writable=True) as drive:
            label.run(drive, barcode=f"{name}-{number}", pool=None, block_bytes=block_bytes, destroy=None)
    return made


def openers(images: Sequence[Image], *, writable: bool = False) -> list[Callable[[], Drive]]:
    """What opens each image, when it is its turn."""
    return [lambda of=of: image.open_drive(str(of.path), writable=writable) for of in images]  # type: ignore[misc]


def span(
    images: Sequence[Image], wanted: backup.Request,
    closed: Callable[[Drive, Part, Opener], object] = lambda _drive, _part, _opener: None,
) -> backup.Result:  # fmt: skip
    """Back up over as many images as it takes."""
    with images[0].drive(writable=True) as drive:
        further = Listed(openers(images[1:], writable=True))
        try:
            return backup.run(drive, wanted, Silent(), evidences(), further, closed)
        finally:
            further.close()


def noise_tree(folder: Path, sizes: Sequence[int], seed: int = 1) -> Path:
    """Files that do not compress, by their sizes."""
    rng = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for number, size in enumerate(sizes):
        (folder / f"{number:04}").write_bytes(rng.randbytes(size))
    return folder


class Asking:
    """Remembers what was asked for, on the way to another."""

    def __init__(self, further: Listed) -> None:
        self.further = further
        self.asked: list[Asked] = []

    def next(self, finished: Drive, asked: Asked) -> Drive | None:
        self.asked.append(asked)
        return self.further.next(finished, asked)

    def may_come(self, asked: Asked) -> bool:
        return self.further.may_come(asked)

    def close(self) -> None:
        self.further.close()


def restore_from(
    images: Sequence[Image], to: Path, *patterns: str, archive: str = "latest", needed: Collection[int] | None = None
) -> restore.Result:
    """Restore with the first image in the drive, and the others at hand in this order."""
    with images[0].drive() as drive, asking(images[1:]) as further:
        wanted = restore.Request(str(to), patterns, archive, needed=lambda _archive: needed)
        return restore.run(drive, wanted, Silent(), next_cartridge=further)


@contextlib.contextmanager
def asking(images: Sequence[Image], *, writable: bool = False) -> Iterator[Asking]:
    made = Asking(Listed(openers(images, writable=writable)))
    try:
        yield made
    finally:
        made.close()


class Losing:
    """A drive that takes blocks into a buffer of `depth`, and says of the last ones that it could not write them."""

    def __init__(self, drive: Drive, takes: int, depth: int) -> None:
        self._drive = drive
        self._takes = takes
        self._depth = depth
        self._buffer: list[bytes] = []
        self._block = 0

    def write_block(self, block: "bytes | bytearray | memoryview") -> bool:
        if self._block == self._takes:
            count = len(self._buffer)
            self._buffer.clear()
            self._takes = -1
            raise BlocksLost("losing: not on the tape", 2, self._block - count, count)
        self._block += 1
        self._buffer.append(bytes(block))
        if len(self._buffer) > self._depth:
            self._drive.write_block(self._buffer.pop(0))
        return False

    def medium(self) -> MediumState:
        return dataclasses.replace(self._drive.medium(), is_tape=True)

    def write_filemark(self) -> None:
        while self._buffer:
            self._drive.write_block(self._buffer.pop(0))
        self._drive.write_filemark()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the drive has
        return getattr(self._drive, name)


class Ending:
    """A drive whose medium takes so many blocks more, and then none; nor a filemark, where it is so strict."""

    def __init__(self, drive: Drive, takes: int, *, takes_filemark: bool = True) -> None:
        self._drive = drive
        self.takes = takes
        self._takes_filemark = takes_filemark

    def write_block(self, block: "bytes | bytearray | memoryview") -> bool:
        if self.takes <= 0:
            raise EndOfMedium("ending: no more")
        self.takes -= 1
        return self._drive.write_block(block)

    def write_filemark(self) -> None:
        if self.takes <= 0 and not self._takes_filemark:
            raise EndOfMedium("ending: no filemark either")
        self._drive.write_filemark()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the drive has
        return getattr(self._drive, name)
