"""Block devices: who may use one, how large it is, and its storage (linux/fs.h, open(2))."""

import fcntl
import os
import re
import stat
import struct
from pathlib import Path

from drivers.base import Identity
from drivers.errors import Busy, NoDevice, NoMedium, translated
from drivers.recordlog.storage import DirectFile

_BLKROGET = 0x125E
_BLKSSZGET = 0x1268
_BLKGETSIZE64 = 0x80081272
"""linux/fs.h: read-only flag, logical sector size, size in bytes."""


def open_storage(path: str, url: str, *, writable: bool) -> tuple[DirectFile, bool]:
    """The storage of a block device, held for us alone, and whether it is write-protected.

    Raises NoDevice, NoMedium, NoPermission, Busy (it is mounted, or used by another program) and what the operating
    system says; messages call it `url`.
    """
    check_is_block_device(path, url)
    fd, can_write = _open(path, url, writable=writable)
    try:
        size_bytes = _ioctl_number(fd, _BLKGETSIZE64, "Q")
        if size_bytes == 0:
            raise NoMedium(f"{url}: no cartridge in the drive")
        protected = (writable and not can_write) or bool(_ioctl_number(fd, _BLKROGET, "i"))
        storage = DirectFile(
            fd, url, size_bytes=size_bytes, sector_bytes=_ioctl_number(fd, _BLKSSZGET, "i"),
            writable=can_write and not protected, is_device=True,
        )  # fmt: skip
    except OSError as error:
        os.close(fd)
        raise translated(error, url) from error
    except NoMedium:
        os.close(fd)
        raise
    return storage, protected


def check_is_block_device(path: str, url: str) -> None:
    """Raises NoDevice where `path` is something else, or nothing."""
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError as error:
        raise translated(error, url) from error
    if not stat.S_ISBLK(status.st_mode):
        hint = f"for an image file write image:{path}" if stat.S_ISREG(status.st_mode) else None
        raise NoDevice(f"{url}: is no block device", hint)


def sysfs_folder(path: str) -> Path:
    """Where the kernel describes the disk that a node, or a partition's node, belongs to."""
    device = os.stat(path).st_rdev  # noqa: PTH116
    folder = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}").resolve()
    return folder.parent if (folder / "partition").exists() else folder


def identity(path: str) -> Identity:
    """Vendor, model and serial number, as sysfs has them."""
    folder = sysfs_folder(path)

    def attribute(name: str) -> str:
        try:
            return (folder / "device" / name).read_text().strip()
        except OSError:
            return ""

    return Identity(path, attribute("vendor"), attribute("model"), attribute("serial"), attribute("rev"))


def _open(path: str, url: str, *, writable: bool) -> tuple[int, bool]:
    """A descriptor that nobody else holds exclusively, and whether it can be written."""
    flags = os.O_EXCL | os.O_CLOEXEC | os.O_NONBLOCK
    for mode in (os.O_RDWR, os.O_RDONLY) if writable else (os.O_RDONLY,):
        try:
            return os.open(path, mode | flags), mode == os.O_RDWR
        except OSError as error:
            translation = translated(error, url)
            if isinstance(translation, Busy):
                used_by = _users(path)
                raise Busy(f"{url}: {used_by}", "nothing was changed; free it, for example with umount") from error
            if mode == os.O_RDONLY or isinstance(translation, NoDevice | NoMedium):
                raise translation from error
    raise NoDevice(f"{url}: cannot be opened")


def _users(path: str) -> str:
    """Who holds a device, in words: where it or a partition of it is mounted, where that can be seen."""
    real = os.path.realpath(path)
    try:
        mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    except OSError:
        mounts = []
    of_this_disk = re.compile(re.escape(real) + r"(p?\d+)?")
    for device, place, *_ in mounts:
        if of_this_disk.fullmatch(os.path.realpath(device)):
            return f"{device} is mounted on {place}"
    return "in use by another program, or mounted"


def _ioctl_number(fd: int, request: int, code: str) -> int:
    """An ioctl that answers one number."""
    answer = fcntl.ioctl(fd, request, bytes(struct.calcsize(code)))
    return int(struct.unpack(code, answer)[0])
