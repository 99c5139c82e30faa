"""A sample restore proves the kit on the cartridge, and notices where it, or what it gives back, is bad."""

import dataclasses
import os
from pathlib import Path

import pytest

from tapekit.errors import VerificationFailed
from tapekit.jobs import sample
from tests.jobs.cartridges import Image, new_image


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    for number in range(12):
        (folder / f"file-{number}").write_bytes(os.urandom(3000) + bytes(9000) * number)
    (folder / "odd [*]? name\\").write_bytes(b"odd")
    (folder / "line\nbreak").write_bytes(b"not chosen: a pattern has one line")
    (folder / "link").symlink_to("file-1")
    return folder


@pytest.fixture
def saved(source: Path, tmp_path: Path) -> Image:
    image = new_image(tmp_path / "c.tkc")
    image.back_up(source, compression="auto")
    return image


def taken(image: Image, count: int = 99) -> sample.Sample:
    with image.drive() as drive:
        return sample.take(drive, "latest", count)


def test_every_file_comes_back_by_the_kit(saved: Image) -> None:
    chosen = taken(saved)
    assert len(chosen.entries) == 13
    assert sample.run(chosen) == 13


def test_a_few_are_chosen_and_others_the_next_night(saved: Image, source: Path) -> None:
    first = taken(saved, 3)
    assert (len(first.entries), taken(saved, 3)) == (3, first)
    assert sample.run(first) == 3
    others = set()
    for _ in range(5):
        saved.back_up(source)
        others.add(taken(saved, 3).entries[0].path)
    assert len(others) > 1


def test_nothing_to_sample(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    image = new_image(tmp_path / "c.tkc")
    image.back_up(tmp_path / "empty")
    assert sample.run(taken(image)) == 0


def test_content_that_comes_back_different_is_found(saved: Image) -> None:
    chosen = taken(saved)
    changed = (chosen.entries[0]._replace(sha256=b"\1" * 32), *chosen.entries[1:])
    with pytest.raises(VerificationFailed, match="came back different"):
        sample.run(dataclasses.replace(chosen, entries=changed))


def test_a_kit_that_fails_is_found(saved: Image) -> None:
    chosen = taken(saved)
    broken = chosen.kit.replace(b"def main(", b"def niam(")
    with pytest.raises(VerificationFailed, match=r"exit code 1: .*main"):
        sample.run(dataclasses.replace(chosen, kit=broken))


def test_a_damaged_archive_is_found(saved: Image) -> None:
    chosen = taken(saved)
    content = bytearray(saved.path.read_bytes())
    place = content.index(b"TKBLOCK1\x03")
    content[place + 200] ^= 1
    saved.path.write_bytes(content)
    with pytest.raises(VerificationFailed, match="exit code 6"):
        sample.run(chosen)
