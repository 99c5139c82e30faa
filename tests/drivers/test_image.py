"""What is true of image files alone."""

import contextlib
import os
import subprocess
from pathlib import Path

import pytest

from drivers import image
from drivers.base import Mark
from drivers.errors import Busy, NoDevice, WriteProtected
from drivers.recordlog.storage import DirectFile
from fixtures.judges import need
from fixtures.loop import available, loop_device
from formats.gpt import LOG_START

SIZE_BYTES = 8 << 20
BLOCK = b"block " * 40_000


def labelled(path: Path) -> None:
    image.create(str(path), SIZE_BYTES)
    with contextlib.closing(image.open_drive(str(path), writable=True)) as drive:
        drive.format({"README.txt": b"a cartridge"})
        drive.write_block(BLOCK)
        drive.write_filemark()


def cached_bytes(path: Path) -> int:
    need("fincore")
    found = subprocess.run(["fincore", "-b", "-n", "-o", "RES", str(path)], check=True, capture_output=True, text=True)
    return int(found.stdout)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "cartridge.img"
    labelled(made)
    return made


def is_direct(path: Path) -> bool:
    """Whether the file is open in this process with O_DIRECT."""
    for number in os.listdir("/proc/self/fd"):
        link = f"/proc/self/fd/{number}"
        if os.path.exists(link) and os.path.realpath(link) == str(path):
            flags = Path(f"/proc/self/fdinfo/{number}").read_text().split("flags:")[1].split()[0]
            return bool(int(flags, 8) & os.O_DIRECT)
    raise AssertionError("not open")


def test_reading_leaves_nothing_in_the_page_cache_and_takes_nothing_from_it(path: Path) -> None:
    drive = image.open_drive(str(path), writable=False)
    if not is_direct(path):
        drive.close()
        pytest.skip("this file system has no direct I/O")
    assert drive.read_block() == BLOCK
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    assert cached_bytes(path) == 0
    drive.rewind()
    assert drive.read_block() == BLOCK
    assert drive.read_block() is Mark.FILEMARK
    assert cached_bytes(path) == 0
    drive.close()


def test_where_there_is_no_direct_io_the_cache_is_emptied_before_reading(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a file system that refuses O_DIRECT: what is read stays in the cache until it is read again, no longer."""
    drive = image.open_drive(str(path), writable=True)
    storage = drive._storage
    assert isinstance(storage, DirectFile)
    storage._is_direct = False
    asked: list[tuple[int, int]] = []
    fadvise = os.posix_fadvise

    def listening(fd: int, offset: int, size: int, advice: int) -> None:
        asked.append((offset, size))
        fadvise(fd, offset, size, advice)

    monkeypatch.setattr(os, "posix_fadvise", listening)
    assert drive.read_block() == BLOCK
    assert asked == [(LOG_START + 8192, 241_664)]
    drive.to_end_of_data()
    drive.write_filemark()
    assert asked[-1] == (0, 0)
    drive.close()


def test_one_writes_or_many_read(path: Path) -> None:
    writer = image.open_drive(str(path), writable=True)
    for writable in (True, False):
        with pytest.raises(Busy, match="in use"):
            image.open_drive(str(path), writable=writable)
    writer.close()
    readers = [image.open_drive(str(path), writable=False) for _ in range(3)]
    with pytest.raises(Busy):
        image.open_drive(str(path), writable=True)
    for reader in readers:
        assert reader.read_block() == BLOCK
        reader.close()


def test_opening_changes_nothing(path: Path) -> None:
    os.truncate(path, SIZE_BYTES - (1 << 20) - 100)
    before = path.read_bytes()
    drive = image.open_drive(str(path), writable=True)
    assert drive.read_block() == BLOCK
    drive.close()
    assert path.read_bytes() == before


@pytest.mark.parametrize("size", (LOG_START + 8192 + 4096, LOG_START + 8192 + 240_064, LOG_START + 8192 + 245_001))
def test_a_cut_image_takes_new_files(path: Path, size: int) -> None:
    os.truncate(path, size)
    drive = image.open_drive(str(path), writable=True)
    drive.to_end_of_data()
    if drive.position().block:
        drive.write_filemark()
    file = drive.position().file
    drive.write_block(BLOCK)
    drive.write_filemark()
    drive.close()
    again = image.open_drive(str(path), writable=False)
    again.locate(file)
    assert again.read_block() == BLOCK
    again.close()


def test_what_is_no_image_is_said(tmp_path: Path) -> None:
    with pytest.raises(NoDevice, match="no such"):
        image.open_drive(str(tmp_path / "nothing"), writable=True)
    with pytest.raises(NoDevice, match="directory"):
        image.open_drive(str(tmp_path), writable=True)
    with pytest.raises(NoDevice, match="no regular file"):
        image.open_drive("/dev/null", writable=False)


def test_an_image_is_never_made_over_another_file(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(NoDevice, match="is there already"):
        image.create(str(path), SIZE_BYTES)
    assert path.read_bytes() == before


@pytest.mark.skipif(not available(), reason="needs root and losetup")
def test_on_a_file_system_with_sectors_of_4096(tmp_path: Path) -> None:
    """The backup partition table begins at no multiple of 4096, which such a disk takes no direct write for."""
    need("mkfs.xfs")
    disk, place = tmp_path / "disk.img", tmp_path / "mounted"
    place.mkdir()
    with disk.open("xb") as file:
        file.truncate(400 << 20)
    with loop_device(disk, 4096) as device:
        subprocess.run(["mkfs.xfs", "-q", device], check=True, capture_output=True)
        subprocess.run(["mount", device, str(place)], check=True, capture_output=True)
        try:
            labelled(place / "cartridge.img")
            with contextlib.closing(image.open_drive(str(place / "cartridge.img"), writable=False)) as drive:
                assert is_direct(place / "cartridge.img")
                assert drive.read_block() == BLOCK
                with pytest.raises(WriteProtected):
                    drive.write_filemark()
        finally:
            subprocess.run(["umount", str(place)], check=True, capture_output=True)
