"""`image:FILE`: a cartridge in a file, byte for byte what would be on an RDX cartridge of the same size."""

import contextlib
import errno
import fcntl
import os
import stat

from drivers.base import Identity
from drivers.errors import Busy, DriveError, NoDevice, translated
from drivers.recordlog.drive import RecordLogDrive
from drivers.recordlog.storage import DirectFile
from formats import gpt, recordlog
from formats.errors import Damaged
from formats.recordlog import UNIT_BYTES

SCHEME = "image"
SECTOR_BYTES = 512
"""Sector of the partition table in an image, whatever the file system below has."""


def open_drive(path: str, *, writable: bool) -> RecordLogDrive:
    """Open an image file; one program writes, or several read.

    Raises NoDevice, NoPermission, Busy and what the operating system says.
    """
    url = f"{SCHEME}:{path}"
    fd, can_write = _open(path, url, writable=writable)
    try:
        status = os.fstat(fd)
        if stat.S_ISDIR(status.st_mode):
            raise NoDevice(f"{url}: is a directory, expected an image file")
        if not stat.S_ISREG(status.st_mode):
            raise NoDevice(f"{url}: is no regular file, expected an image file", f"for a device write disk:{path}")
        try:
            fcntl.flock(fd, (fcntl.LOCK_EX if can_write else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Busy(f"{url}: in use by another program", "wait until it is done") from error
        size_bytes = max(status.st_size, _log_end(fd)) if can_write else status.st_size
        storage = DirectFile(
            fd, url, size_bytes=size_bytes, sector_bytes=SECTOR_BYTES, writable=can_write, is_device=False
        )
        protected = (writable and not can_write) or not os.access(path, os.W_OK)
        return RecordLogDrive(url, Identity(node=path, model="image file"), storage, write_protected=protected)
    except OSError as error:
        os.close(fd)
        raise translated(error, url) from error
    except DriveError:
        os.close(fd)
        raise


def _log_end(fd: int) -> int:
    """Where the log in an image ends, by its superblocks; 0 where there is none.

    An image that was cut short is written on to the size that it had: the missing part is a hole until then.
    """
    ends = [0]
    for slot in (0, 1):
        with contextlib.suppress(Damaged):
            unit = os.pread(fd, UNIT_BYTES, gpt.LOG_START + slot * UNIT_BYTES)
            ends.append(gpt.LOG_START + recordlog.parse_superblock(unit).size_bytes)
    return max(ends)


def create(path: str, size_bytes: int) -> None:
    """Make a new, blank image file of this capacity; it takes no room on the disk before it is written.

    Raises DriveError where the file is there already, or cannot be made.
    """
    url = f"{SCHEME}:{path}"
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        raise NoDevice(f"{url}: is there already", "leave --size out to use it as it is") from error
    except OSError as error:
        raise translated(error, url) from error
    try:
        os.ftruncate(fd, size_bytes - size_bytes % SECTOR_BYTES)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(path)  # noqa: PTH108
        raise translated(error, url) from error
    finally:
        os.close(fd)


def _open(path: str, url: str, *, writable: bool) -> tuple[int, bool]:
    """A descriptor, and whether it can be written: a file that is read-only for us is a write-protected cartridge."""
    flags = os.O_CLOEXEC | os.O_NONBLOCK
    if writable:
        try:
            return os.open(path, os.O_RDWR | flags), True
        except OSError as error:
            if error.errno not in _READ_ONLY:
                raise translated(error, url) from error
    try:
        return os.open(path, os.O_RDONLY | flags), False
    except OSError as error:
        raise translated(error, url) from error


_READ_ONLY = frozenset((errno.EPERM, errno.EACCES, errno.EISDIR, errno.EROFS))
