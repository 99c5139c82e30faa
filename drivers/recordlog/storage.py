"""Bytes of a disk or an image file, past the page cache."""

import errno
import fcntl
import mmap
import os
from typing import Protocol

from drivers.errors import DriveError, MediumError, NoMedium, WriteProtected, translated

DIRECT_ALIGNMENT = 4096
"""Alignment of memory, offset and size that every O_DIRECT device accepts (open(2), "O_DIRECT")."""

_MEDIUM_ERRNOS = (errno.EIO, errno.ENODATA, errno.EREMOTEIO, errno.EILSEQ)
"""A medium error reaches user space as ENODATA with O_DIRECT and as EIO through the cache."""

_GONE_ERRNOS = (errno.ENODEV, errno.ENXIO, errno.ENOMEDIUM)


class Storage(Protocol):
    """A run of bytes that is read and written in multiples of its sector, never from a cache of stale pages."""

    size_bytes: int
    sector_bytes: int
    writable: bool

    def read(self, offset: int, size_bytes: int) -> memoryview:
        """Up to `size_bytes` from `offset`; fewer only at the end of the storage. Valid until the next call.

        Raises BadPlace where the medium cannot be read.
        """

    def write(self, offset: int, *parts: "bytes | bytearray | memoryview") -> None:
        """Write the parts one behind the other, filled up with zeros to a whole unit of 4,096 (or to a sector).

        Raises WriteProtected, HostFull, NoMedium, BadPlace where the medium cannot be written.
        """

    def flush(self) -> None:
        """Return when everything written is on the medium."""

    def close(self) -> None:
        """Give the storage back."""


class BadPlace(MediumError):
    """A medium error at a byte offset; the driver above knows which block that is."""

    def __init__(self, message: str, offset: int) -> None:
        """Name the byte offset."""
        super().__init__(message, file=-1, block=-1)
        self.offset = offset


class DirectFile:
    """A file or block device opened with O_DIRECT; where the file system has none, flushed and dropped from the cache.

    `where` names it in messages. `is_device`: it may be pulled out, or its medium, at any time. A read of 0 bytes means
    that then, not its end; and so does an error of one place where no other place can be read either.
    """

    def __init__(
        self, fd: int, where: str, *, size_bytes: int, sector_bytes: int, writable: bool, is_device: bool
    ) -> None:
        """Take over the descriptor `fd`."""
        self.size_bytes = size_bytes
        self.sector_bytes = sector_bytes
        self.writable = writable
        self._fd = fd
        self._where = where
        self._is_device = is_device
        self._buffer = mmap.mmap(-1, DIRECT_ALIGNMENT)
        self._is_direct = _set_direct(fd, on=True) and (is_device or self._takes_direct_io())

    def read(self, offset: int, size_bytes: int) -> memoryview:
        """See Storage."""
        start = offset - offset % DIRECT_ALIGNMENT
        wanted = -(-(offset + size_bytes - start) // DIRECT_ALIGNMENT) * DIRECT_ALIGNMENT
        view = self._room(wanted)
        done = 0
        try:
            if not self._is_direct:
                os.posix_fadvise(self._fd, start, wanted, os.POSIX_FADV_DONTNEED)
            while done < wanted:
                got = os.preadv(self._fd, [view[done:wanted]], start + done)
                done += got
                if got == 0 or done % DIRECT_ALIGNMENT:  # the end; O_DIRECT refuses to go on from an odd place
                    break
        except OSError as error:
            raise self._translated(error, "read", start + done) from error
        if self._is_device and done < min(wanted, self.size_bytes - start):
            raise self._went_away()
        return view[offset - start : min(done, offset - start + size_bytes)]

    def write(self, offset: int, *parts: "bytes | bytearray | memoryview") -> None:
        """See Storage."""
        if not self.writable:
            raise WriteProtected(f"{self._where}: opened for reading only")
        total = sum(len(part) for part in parts)
        unit = DIRECT_ALIGNMENT if offset % DIRECT_ALIGNMENT == 0 else self.sector_bytes
        padded = min(-(-total // unit) * unit, -(-(self.size_bytes - offset) // self.sector_bytes) * self.sector_bytes)
        view = self._room(padded)
        place = 0
        for part in parts:
            view[place : place + len(part)] = part
            place += len(part)
        view[place:padded] = bytes(padded - place)
        # The backup partition table of an image may lie where a host disk with large sectors takes no direct write.
        around_cache = self._is_direct and (self._is_device or (offset | padded) % DIRECT_ALIGNMENT == 0)
        done = 0
        try:
            if around_cache != self._is_direct:
                _set_direct(self._fd, on=False)
            while done < padded:
                done += os.pwritev(self._fd, [view[done:padded]], offset + done)
        except OSError as error:
            raise self._translated(error, "written", offset + done) from error
        finally:
            if around_cache != self._is_direct:
                _set_direct(self._fd, on=True)

    def flush(self) -> None:
        """See Storage."""
        if not self.writable:
            return
        try:
            os.fdatasync(self._fd)
            if not self._is_direct:
                os.posix_fadvise(self._fd, 0, 0, os.POSIX_FADV_DONTNEED)
        except OSError as error:
            raise self._translated(error, "flushed", 0) from error

    def close(self) -> None:
        """See Storage."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    def _room(self, size_bytes: int) -> memoryview:
        """An aligned buffer of at least `size_bytes`."""
        if len(self._buffer) < size_bytes:
            self._buffer = mmap.mmap(-1, -(-size_bytes // DIRECT_ALIGNMENT) * DIRECT_ALIGNMENT)
        return memoryview(self._buffer)[:size_bytes]

    def _translated(self, error: OSError, doing: str, offset: int) -> DriveError:
        if self._is_device and (error.errno in _GONE_ERRNOS or not self._answers()):
            return self._went_away()
        if error.errno in _MEDIUM_ERRNOS:
            return BadPlace(f"{self._where}: medium error: byte {offset} could not be {doing}", offset)
        if error.errno in (errno.EROFS, errno.EPERM, errno.EBADF) and doing == "written":
            return WriteProtected(f"{self._where}: write-protected")
        return translated(error, self._where)

    def _takes_direct_io(self) -> bool:
        """Whether the file system means it: overlayfs on tmpfs takes the flag, then refuses even to close the file."""
        try:
            os.preadv(self._fd, [self._buffer], 0)
        except OSError as error:
            if error.errno == errno.EINVAL:
                return _set_direct(self._fd, on=False) and False
        return True

    def _answers(self) -> bool:
        """Whether anything at all can be read: not once the device is gone, or the medium out or changed.

        A device that is gone has no bytes left: Linux reads nothing there, and has no space to write. Of a medium that
        was changed under us it reads and writes nothing until the device is opened anew.
        """
        last = (self.size_bytes - 1) // DIRECT_ALIGNMENT
        probe = memoryview(mmap.mmap(-1, DIRECT_ALIGNMENT))
        for unit in (0, last // 2, last):
            try:
                if os.preadv(self._fd, [probe], unit * DIRECT_ALIGNMENT):
                    return True
            except OSError:
                continue
        return False

    def _went_away(self) -> NoMedium:
        return NoMedium(f"{self._where}: the cartridge was taken out, or the device went away", "put it in again")


def _set_direct(fd: int, *, on: bool) -> bool:
    """Switch O_DIRECT after opening; False where the file system refuses it (old tmpfs, some network shares)."""
    try:
        others = fcntl.fcntl(fd, fcntl.F_GETFL) & ~os.O_DIRECT
        fcntl.fcntl(fd, fcntl.F_SETFL, others | os.O_DIRECT if on else others)
    except OSError as error:
        if error.errno == errno.EINVAL:
            return False
        raise
    return True
