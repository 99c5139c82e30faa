"""A part that was not closed, or whose trailer is damaged: what is bad in it costs what is hit, and that is named."""

import io
import os
import random
import tarfile
from pathlib import Path
from typing import Any

import pytest

from drivers.base import Drive
from tapekit.jobs import backup, export, restore
from tapekit.progress import Silent
from tests.jobs.cartridges import Image, evidences, places, request, restored
from tests.jobs.deltas import read
from tests.jobs.spanned import Ending, asking, new_images, openers, restore_from

FILES = 48
FIRST_BYTES = 7 << 20


class Torn:
    """Brings the cartridges in turn; the second refuses a block."""

    def __init__(self, images: list[Image], takes: int) -> None:
        self._openers = openers(images, writable=True)
        self._takes = takes
        self._drive: Any = None

    def next(self, finished: Drive, _asked: object) -> Drive:
        finished.close()
        self._drive = self._openers.pop(0)()
        if self._takes:
            self._drive, self._takes = Ending(self._drive, self._takes), 0
        return self._drive  # type: ignore[no-any-return]

    def may_come(self, _asked: object) -> bool:
        return bool(self._openers)

    def close(self) -> None:
        self._drive.close()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """What a border cuts is sparse, or has an attribute."""
    rng, made = random.Random(7), tmp_path / "source"
    made.mkdir()
    for number in range(FILES):
        path, data = made / f"{number:04}", rng.randbytes(rng.choice((100, 30_001, 120_003)))
        if number % 2:
            path.write_bytes(data)
            os.setxattr(path, "user.number", b"%d" % number)
        else:
            with path.open("wb") as file:
                file.seek(40_960)
                file.write(data)
    return made


def torn_first(folder: Path, source: Path, takes: int) -> list[Image]:
    """Two cartridges; the first refused a block."""
    images = new_images(folder, 2, 16 << 20)
    with images[0].drive(writable=True) as drive, asking(images[1:], writable=True) as further:
        ending: Any = Ending(drive, takes)
        done = backup.run(ending, request(source), Silent(), evidences(), further)
    assert [part.state for part in done.parts] == ["incomplete", "complete"]
    return images


def closed_and_torn(folder: Path, source: Path, takes: int) -> list[Image]:
    """Three cartridges; the first is full and closed, the second refused a block; nothing is damaged."""
    folder.mkdir()
    images = new_images(folder, 1, FIRST_BYTES) + new_images(folder, 2, 16 << 20, name="B")
    with images[0].drive(writable=True) as drive:
        further = Torn(images[1:], takes)
        done = backup.run(drive, request(source), Silent(), evidences(), further)
        further.close()
    assert [part.state for part in done.parts] == ["continued", "incomplete", "complete"]
    return images


def damage(of: Image, block: int) -> None:
    place = [place for place in places(of.path) if place.file >= 2][block]
    with of.path.open("r+b") as file:
        file.seek(place.content + 200)
        file.write(b"damaged")


def exported(images: list[Image]) -> tuple[export.Result, list[tarfile.TarInfo]]:
    out = io.BytesIO()
    with images[0].drive() as drive, asking(images[1:]) as further:
        result = export.run(drive, "latest", out.write, Silent(), next_cartridge=further)
    out.seek(0)
    with tarfile.open(fileobj=out) as tar:
        return result, tar.getmembers()


def check_whole(result: restore.Result, to: Path, source: Path) -> None:
    assert (result.damaged, result.refused, result.problems) == ([], [], [])
    below = restored(to, source)
    assert read(below) == read(source)
    for number in range(FILES):
        path = below / f"{number:04}"
        if number % 2:
            assert os.getxattr(path, "user.number") == b"%d" % number
        else:
            assert path.stat().st_blocks <= (source / path.name).stat().st_blocks


@pytest.mark.parametrize("takes", (20, 31))
def test_behind_a_closed_part_one_that_is_not(tmp_path: Path, source: Path, takes: int) -> None:
    """The member that crosses the border ends within a tar block: the one behind it begins with the next."""
    images = closed_and_torn(tmp_path / "three", source, takes)
    check_whole(restore_from(images, tmp_path / "to"), tmp_path / "to", source)
    result, members = exported(images)
    assert (result.damaged, result.problems) == ([], [])
    names = {os.path.basename(member.name) for member in members}
    assert names >= {path.name for path in source.iterdir()}


@pytest.mark.parametrize(("block", "first"), ((3, 0), (90, 1), (-2, 0)))
def test_a_bad_block_in_a_part_that_is_not_closed(tmp_path: Path, source: Path, block: int, first: int) -> None:
    """Reading goes on behind it, whichever cartridge is in the drive first; what is lost is named."""
    images = torn_first(tmp_path, source, 200)
    damage(images[0], block)
    if first:
        images.reverse()
    result = restore_from(images, tmp_path / "to")
    there, wanted = read(restored(tmp_path / "to", source)), read(source)
    lost = {name for name, content in wanted.items() if there.get(name) != content}
    assert len(lost) == 1
    assert not there.keys() - wanted.keys()
    assert lost <= {os.path.basename(os.fsdecode(path)) for path, _ in result.damaged}


def test_a_bad_block_and_a_damaged_trailer(tmp_path: Path, source: Path) -> None:
    """As one that was never closed."""
    images = closed_and_torn(tmp_path / "three", source, 60)
    damage(images[0], -1)
    damage(images[0], 5)
    result = restore_from(images, tmp_path / "to")
    there, wanted = read(restored(tmp_path / "to", source)), read(source)
    assert len([name for name, content in wanted.items() if there.get(name) != content]) == 1
    assert result.damaged
    assert result.problems


def test_what_no_catalog_told_yet_is_exported(tmp_path: Path, source: Path) -> None:
    images = torn_first(tmp_path, source, 200)
    result, members = exported(images)
    assert (result.damaged, result.problems) == ([], [])
    assert {os.path.basename(member.name): member.size for member in members if member.isreg()} == {
        path.name: path.stat().st_size for path in source.iterdir()
    }
