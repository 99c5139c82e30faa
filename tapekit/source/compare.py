"""Comparing members with the files they were made from."""

import dataclasses
import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterable

from formats import catalog, pax
from formats.catalog import CHANGED, SHORT, Entry
from tapekit.source.content import sparse_extents

READ_BYTES = 1 << 20
LONGEST_PATH_BYTES = 4000
"""Of one system call: PATH_MAX is 4,096 (linux/limits.h)."""
_TIMES = 1 << 63
_READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclasses.dataclass
class Comparison:
    """How the members stand to the source now.

    `same` have the same bytes. `changed` were written to since (size or mtime say so): no error. `gone` are no longer
    there. `differing` were not written to since, and yet their bytes are others: source or copy is damaged. The ctime
    does not count: it moves with a new owner or name, and who changes bytes and puts the mtime back is to be named.
    `unreadable` could not be compared.
    """

    same: int = 0
    changed: int = 0
    gone: int = 0
    unreadable: list[bytes] = dataclasses.field(default_factory=list)
    differing: list[bytes] = dataclasses.field(default_factory=list)


def catalog_time_ns(time_ns: int) -> int:
    """A time as the catalog's signed 64 bits hold it; the stream has the exact one."""
    return time_ns if -_TIMES <= time_ns < _TIMES else max(-_TIMES, min(time_ns, _TIMES - 1))


def compare(root: bytes, entries: Iterable[Entry], stop: Callable[[], None]) -> Comparison:
    """Compare every regular file in `entries` with what is at its path below `root`. `stop` raises to end it."""
    result = Comparison()
    for entry in entries:
        if entry.type != catalog.REGULAR or entry.is_absent:
            continue
        stop()
        try:
            fd = _open(os.path.join(root, entry.path))
        except (FileNotFoundError, NotADirectoryError):
            result.gone += 1
            continue
        except OSError as error:
            if error.errno == errno.ELOOP:  # a link has taken its place
                result.changed += 1
            else:
                result.unreadable.append(entry.path)
            continue
        try:
            _compare_file(fd, entry, stop, result)
        except OSError:
            result.unreadable.append(entry.path)
        finally:
            os.close(fd)
    return result


def _open(path: bytes) -> int:
    """Open a file for reading, in several steps where its path is longer than the system takes at once."""
    folder = -1
    try:
        while len(path) >= LONGEST_PATH_BYTES:
            cut = path.rindex(b"/", 1, LONGEST_PATH_BYTES)
            below = os.open(path[:cut], os.O_PATH | os.O_DIRECTORY, dir_fd=folder if folder >= 0 else None)
            if folder >= 0:
                os.close(folder)
            folder, path = below, path[cut + 1 :]
        return os.open(path, _READ_FLAGS, dir_fd=folder if folder >= 0 else None)
    finally:
        if folder >= 0:
            os.close(folder)


def _compare_file(fd: int, entry: Entry, stop: Callable[[], None], result: Comparison) -> None:
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        result.changed += 1
        return
    touched = (status.st_size, catalog_time_ns(status.st_mtime_ns)) != (entry.size, entry.mtime_ns)
    if touched or entry.flags & (CHANGED | SHORT):
        result.changed += 1
        return
    digest = hashlib.sha256()
    extents = sparse_extents(fd, status) if entry.flags & catalog.SPARSE else None
    if extents is not None:
        digest.update(pax.sparse_map(extents))
    for start, size in ((0, status.st_size),) if extents is None else extents:
        place, end = start, start + size
        while place < end:
            stop()
            part = os.pread(fd, min(READ_BYTES, end - place), place)
            if not part:
                break
            digest.update(part)
            place += len(part)
    after = os.fstat(fd)
    if digest.digest() == entry.sha256:
        result.same += 1
    elif (after.st_mtime_ns, after.st_ctime_ns) != (status.st_mtime_ns, status.st_ctime_ns):
        result.changed += 1
    else:
        result.differing.append(entry.path)
