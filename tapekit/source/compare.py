"""Comparing members with the files they were made from."""

import dataclasses
import hashlib
import os
from collections.abc import Callable, Iterable

from formats import catalog, pax
from formats.catalog import CHANGED, SHORT, Entry
from tapekit.source.content import sparse_extents

READ_BYTES = 1 << 20


@dataclasses.dataclass
class Comparison:
    """How the members stand to the source now.

    `same` have the same bytes. `changed` were written to since (their times say so): no error. `gone` are no longer
    there. `differing` were not touched since, and yet their bytes are others: source or copy is damaged.
    `unreadable` could not be compared.
    """

    same: int = 0
    changed: int = 0
    gone: int = 0
    unreadable: list[bytes] = dataclasses.field(default_factory=list)
    differing: list[bytes] = dataclasses.field(default_factory=list)


def compare(root: bytes, entries: Iterable[Entry], stop: Callable[[], None]) -> Comparison:
    """Compare every regular file in `entries` with what is at its path below `root`. `stop` raises to end it."""
    result = Comparison()
    for entry in entries:
        if entry.type != catalog.REGULAR or entry.is_absent:
            continue
        stop()
        try:
            fd = os.open(os.path.join(root, entry.path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            result.gone += 1
            continue
        except OSError:
            result.unreadable.append(entry.path)
            continue
        try:
            _compare_file(fd, entry, stop, result)
        except OSError:
            result.unreadable.append(entry.path)
        finally:
            os.close(fd)
    return result


def _compare_file(fd: int, entry: Entry, stop: Callable[[], None], result: Comparison) -> None:
    status = os.fstat(fd)
    touched = (status.st_size, status.st_mtime_ns, status.st_ctime_ns) != (entry.size, entry.mtime_ns, entry.ctime_ns)
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
