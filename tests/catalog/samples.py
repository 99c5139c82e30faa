"""Made-up cartridges, archives and members."""

import datetime
import hashlib
from collections.abc import Iterator

from formats.catalog import DIRECTORY, HARD_LINK, NO_DIGEST, NOT_IN_STREAM, REGULAR, SOCKET, Entry
from tapekit.model import Cartridge, Copy, Place

BEGIN = datetime.datetime(2026, 3, 2, 20, 30, tzinfo=datetime.UTC)
LABEL = "a" * 32


def at(days: float) -> datetime.datetime:
    """A time, days after the first night."""
    return BEGIN + datetime.timedelta(days=days)


def cartridge(name: str = "MON-1", label: str = LABEL, day: float = 0) -> Cartridge:
    return Cartridge(name, label, "daily", place=Place.SHELF, labelled=at(day), capacity_bytes=10**9)


def copy(archive: str = "1" * 32, file: int = 2, day: float = 0, members: int = 0, job: str = "nightly") -> Copy:
    started = at(day)
    return Copy(
        archive, job, started.date(), started, started + datetime.timedelta(hours=1), file, "complete", members,
        source_bytes=1000, stored_bytes=500,
    )  # fmt: skip


def member(path: bytes, offset: int = 0, content: bytes = b"x", *, kind: bytes = REGULAR, link: bytes = b"") -> Entry:
    size = len(content) if kind == REGULAR else 0
    return Entry(
        type=kind, flags=0, mode=0o644, uid=1000, gid=1000, owner=b"anne", group=b"staff", note=b"", base=0,
        reference=0, inode=int.from_bytes(hashlib.sha256(path).digest()[:8], "big"), size=size, valid=size,
        mtime_ns=1_700_000_000 * 10**9 + size, ctime_ns=1_700_000_000 * 10**9 + 7, offset=offset,
        sha256=hashlib.sha256(content).digest() if kind == REGULAR else NO_DIGEST, path=path, link=link,
    )  # fmt: skip


def tree(changed: bytes = b"same") -> list[Entry]:
    """A small tree as it is walked: every oddity that a catalog may hold."""
    return [
        member(b"srv", 0, kind=DIRECTORY),
        member(b"srv/data", 512, kind=DIRECTORY),
        member(b"srv/data/Invoice-2024.pdf", 1024, changed),
        member(b"srv/data/caf\xc3\xa9.txt", 4096, b"coffee"),
        member(b"srv/data/h", 8192, kind=HARD_LINK, link=b"srv/data/Invoice-2024.pdf")._replace(reference=1024),
        member(b"srv/data/not-utf8-\xff\xfe.dat", 9216, b"?"),
        member(b"srv/data/s", NOT_IN_STREAM, kind=SOCKET)._replace(flags=4, note=b"a socket: not saved"),
        member(b"srv/data/short", 12288, b"abc")._replace(valid=1, flags=2, note=b"shrank"),
        member(b"srv/data.txt", 16384, b"beside the directory"),
        member(b"srv/huge", 20480)._replace(size=2**64 - 1, valid=2**63, inode=2**64 - 1, mtime_ns=-1),
    ]


def many(count: int, *, changed: range = range(0), seed: int = 0) -> Iterator[Entry]:
    """Files in directories of a hundred, in walking order."""
    for number in range(count):
        content = b"%d %d" % (number, seed if number in changed else 0)
        yield member(b"srv/d%05d/file-%07d.dat" % (number // 100, number), number * 1024, content)
