"""Archives copied from cartridge to cartridge: the copy verifies, restores, and disturbs nothing that is there."""

import os
from pathlib import Path

import pytest

from tapekit.cartridge.cartridge import open_cartridge
from tapekit.errors import CartridgeError, MediumFull, VerificationFailed
from tapekit.jobs import duplicate
from tapekit.progress import Silent
from tests.jobs.cartridges import Image, evidences, new_image, restored


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    for number in range(20):
        (folder / f"file-{number}").write_bytes(os.urandom(5000) * (number % 4))
    return folder


def copy(one: Image, other: Image, archive: str = "latest") -> duplicate.Result:
    with one.drive() as here, other.drive(writable=True) as there:
        return duplicate.run(here, there, archive, Silent(), evidences())


def test_a_copy_verifies_and_restores_beside_what_is_there(source: Path, tmp_path: Path) -> None:
    one, other = new_image(tmp_path / "one.tkc"), new_image(tmp_path / "other.tkc")
    first = other.back_up(source, job="first")
    written = one.back_up(source)
    result = copy(one, other)
    assert (result.archive, result.file) == (written.archive, 3)
    last = other.back_up(source, job="last")
    assert other.verify().ok
    other.restore(tmp_path / "to", archive=written.archive)
    for file in source.iterdir():
        assert (restored(tmp_path / "to", source) / file.name).read_bytes() == file.read_bytes()
    with other.drive() as drive:
        segments = [open_cartridge(drive).read_segment(file) for file in (2, 3, 4)]
    assert [s.archive for s in segments] == [first.archive, written.archive, last.archive]
    directories = [[entry.archive for entry in s.trailer.directory] for s in segments if s.trailer]
    assert directories == [[], [first.archive], [first.archive, written.archive]]


def test_a_damaged_archive_is_not_copied_whole(source: Path, tmp_path: Path) -> None:
    one, other = new_image(tmp_path / "one.tkc"), new_image(tmp_path / "other.tkc")
    one.back_up(source)
    data = bytearray(one.path.read_bytes())
    place = data.index((source / "file-3").read_bytes()[:64])
    data[place] ^= 1
    one.path.write_bytes(data)
    with pytest.raises(VerificationFailed, match="left incomplete"):
        copy(one, other)
    other.back_up(source)
    assert [segment.state for segment in other.verify().segments] == ["incomplete", "complete"]


def test_an_incomplete_archive_is_not_copied(source: Path, tmp_path: Path) -> None:
    one, other = new_image(tmp_path / "one.tkc"), new_image(tmp_path / "other.tkc")
    archive = one.back_up(source).archive
    with one.drive(writable=True) as drive:
        drive.locate(2, 5)
        drive.write_filemark()
    with pytest.raises(VerificationFailed, match="incomplete"):
        copy(one, other, archive)
    assert other.verify().segments == []


def test_no_room_is_told_before_anything_is_written(source: Path, tmp_path: Path) -> None:
    one, other = new_image(tmp_path / "one.tkc"), new_image(tmp_path / "other.tkc", 7 << 20)
    (source / "large").write_bytes(os.urandom(3 << 20))
    one.back_up(source)
    with pytest.raises(MediumFull, match="nothing was written"):
        copy(one, other)
    assert other.verify().segments == []


def test_larger_blocks_do_not_fit_smaller_ones(source: Path, tmp_path: Path) -> None:
    one, other = new_image(tmp_path / "one.tkc", block_bytes=8192), new_image(tmp_path / "other.tkc")
    one.back_up(source)
    with pytest.raises(CartridgeError, match="blocks of 4096"):
        copy(one, other)
