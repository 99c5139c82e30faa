"""The catalog's line of a thing of the source."""

import grp
import os
import pwd
from functools import lru_cache

from formats import catalog
from formats.catalog import ABSENT, NO_DIGEST, NOT_IN_STREAM, Entry
from tapekit.source.compare import catalog_time_ns
from tapekit.source.walk import Thing

_SIZED = (catalog.REGULAR, catalog.SYMLINK)
_DEVICES = (catalog.CHARACTER_DEVICE, catalog.BLOCK_DEVICE)


def line_of(  # noqa: PLR0913, PLR0917 - made once for each small file: positions take half the time of names
    kind: bytes, thing: Thing, status: os.stat_result, offset: int, flags: int = 0, valid: int = -1,
    sha256: bytes = NO_DIGEST, note: str = "",
) -> Entry:  # fmt: skip
    """The catalog's line, in the order of its columns; `valid` bytes, or as many as the thing has."""
    size = status.st_size if kind in _SIZED else 0
    reference = 0
    if kind in _DEVICES:
        reference = os.major(status.st_rdev) << 32 | os.minor(status.st_rdev)
    return Entry(
        kind, flags, status.st_mode & 0o7777, status.st_uid, status.st_gid, owner_name(status.st_uid),
        group_name(status.st_gid), note.encode("utf-8", "replace"), 0, reference, status.st_ino, size,
        size if valid < 0 else valid, catalog_time_ns(status.st_mtime_ns), catalog_time_ns(status.st_ctime_ns),
        offset, sha256, thing.path, thing.link,
    )  # fmt: skip


def absent(entry: Entry, why: str) -> Entry:
    """The line of a thing that is not in the stream, and why."""
    return entry._replace(
        flags=ABSENT, offset=NOT_IN_STREAM, sha256=NO_DIGEST, valid=0, note=why.encode("utf-8", "replace")
    )


def absent_unknown(thing: Thing) -> Entry:
    """A thing that could not even be looked at."""
    return Entry(
        catalog.REGULAR, ABSENT, 0, 0, 0, b"", b"", thing.problem.encode("utf-8", "replace"), 0, 0, 0, 0, 0, 0, 0,
        NOT_IN_STREAM, NO_DIGEST, thing.path, b"",
    )  # fmt: skip


def shorter(size_bytes: int) -> str:
    """Words for a file of which there was less than expected."""
    return f"became shorter while it was read: {size_bytes} bytes"


def changed_meanwhile(before: os.stat_result, after: os.stat_result) -> str:
    """Words for a file whose size or times moved while it was read: its bytes may not belong together."""
    if (
        before.st_mtime_ns == after.st_mtime_ns
        and before.st_ctime_ns == after.st_ctime_ns
        and before.st_size == after.st_size
    ):
        return ""
    grown = f": grew to {after.st_size} bytes" if after.st_size > before.st_size else ""
    return f"changed while it was read{grown}"


@lru_cache(4096)
def owner_name(uid: int) -> bytes:
    """The name of a user; empty where there is none."""
    try:
        return os.fsencode(pwd.getpwuid(uid).pw_name)
    except (KeyError, OverflowError):
        return b""


@lru_cache(4096)
def group_name(gid: int) -> bytes:
    """The name of a group; empty where there is none."""
    try:
        return os.fsencode(grp.getgrgid(gid).gr_name)
    except (KeyError, OverflowError):
        return b""
