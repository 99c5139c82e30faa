"""What a device that was pulled out, or its medium, says of itself, and what is made of that."""

import errno
import os
from pathlib import Path

import pytest

from drivers.errors import NoMedium
from drivers.recordlog.storage import BadPlace, DirectFile

SIZE_BYTES = 64 << 10


def storage(path: Path, *, is_device: bool = True) -> DirectFile:
    fd = os.open(path, os.O_RDWR)
    return DirectFile(fd, "disk", size_bytes=SIZE_BYTES, sector_bytes=512, writable=True, is_device=is_device)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "disk"
    made.write_bytes(bytes(SIZE_BYTES))
    return made


class Failing:
    """Calls of `os` that fail at some places of a file, with the errors that Linux has for them."""

    def __init__(self, patch: pytest.MonkeyPatch, bad: range, number: int) -> None:
        self._bad, self._number = bad, number
        self._preadv, self._pwritev, self._fdatasync = os.preadv, os.pwritev, os.fdatasync
        patch.setattr(os, "preadv", self.preadv)
        patch.setattr(os, "pwritev", self.pwritev)
        patch.setattr(os, "fdatasync", self.fdatasync)

    def preadv(self, fd: int, buffers: list[memoryview], offset: int) -> int:
        self._meet(offset)
        return self._preadv(fd, buffers, offset)

    def pwritev(self, fd: int, buffers: list[memoryview], offset: int) -> int:
        self._meet(offset)
        return self._pwritev(fd, buffers, offset)

    def fdatasync(self, fd: int) -> None:
        self._meet(self._bad.start)
        self._fdatasync(fd)

    def _meet(self, offset: int) -> None:
        if offset in self._bad:
            raise OSError(self._number, os.strerror(self._number))


@pytest.mark.parametrize("number", (errno.EIO, errno.ENODATA))
def test_one_bad_place_is_a_bad_place(path: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    Failing(monkeypatch, range(4096, 8192), number)
    disk = storage(path)
    with pytest.raises(BadPlace, match="byte 4096 could not be read") as bad:
        disk.read(4096, 4096)
    assert bad.value.offset == 4096
    with pytest.raises(BadPlace, match="byte 4096 could not be written"):
        disk.write(4096, b"block")
    assert bytes(disk.read(0, 4096)) == bytes(4096)
    disk.close()


@pytest.mark.parametrize("number", (errno.EIO, errno.ENODATA, errno.ENODEV, errno.ENXIO, errno.ENOMEDIUM, errno.ENOSPC))
def test_nothing_can_be_read_of_a_medium_that_was_taken_out(
    path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """EIO for a medium that was changed; ENOSPC for a write to a device that has no bytes left."""
    disk = storage(path)
    Failing(monkeypatch, range(SIZE_BYTES), number)
    for operation in (lambda: disk.read(4096, 4096), lambda: disk.write(4096, b"block"), disk.flush):
        with pytest.raises(NoMedium, match="the cartridge was taken out, or the device went away") as gone:
            operation()
        assert gone.value.hint == "put it in again"
    disk.close()


def test_a_file_is_never_taken_out(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = storage(path, is_device=False)
    Failing(monkeypatch, range(SIZE_BYTES), errno.EIO)
    with pytest.raises(BadPlace):
        image.read(4096, 4096)
    image.close()


def test_a_file_system_that_only_says_that_it_takes_direct_io(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        Failing(patch, range(SIZE_BYTES), errno.EINVAL)
        image = storage(path, is_device=False)
    image.write(4096, b"block")
    assert bytes(image.read(4096, 5)) == b"block"
    image.close()
