"""Saving one thing of the source: its headers and content into the stream, its line into the catalog."""

import grp
import hashlib
import os
import pwd
import stat
from collections.abc import Callable
from functools import lru_cache, partial
from typing import NamedTuple

from formats import catalog, pax
from formats.catalog import ABSENT, CHANGED, NO_DIGEST, NOT_IN_STREAM, SHORT, SPARSE, Entry
from formats.errors import TooLarge
from formats.pax import Member
from tapekit.cartridge.catalog import CatalogBuilder
from tapekit.source.compare import catalog_time_ns
from tapekit.source.content import Extents, sparse_extents
from tapekit.source.walk import Thing
from tapekit.stream.pack import StreamPacker

READ_BYTES = 1 << 20
WRITE_BYTES = 16 << 10

_TYPES = {
    stat.S_IFREG: (catalog.REGULAR, pax.REGULAR),
    stat.S_IFDIR: (catalog.DIRECTORY, pax.DIRECTORY),
    stat.S_IFLNK: (catalog.SYMLINK, pax.SYMLINK),
    stat.S_IFIFO: (catalog.FIFO, pax.FIFO),
    stat.S_IFCHR: (catalog.CHARACTER_DEVICE, pax.CHARACTER_DEVICE),
    stat.S_IFBLK: (catalog.BLOCK_DEVICE, pax.BLOCK_DEVICE),
    stat.S_IFSOCK: (catalog.SOCKET, b""),
}
_SIZED = (catalog.REGULAR, catalog.SYMLINK)
_DEVICES = (catalog.CHARACTER_DEVICE, catalog.BLOCK_DEVICE)
_SOCKET_NOTE = "a socket: not saved"


class _Content(NamedTuple):
    """What was read of a file: `valid` bytes of its size (-1: all there is), and what went wrong."""

    valid: int
    sha256: bytes
    flags: int
    note: str


_NO_CONTENT = _Content(-1, NO_DIGEST, 0, "")


class Saver:
    """Saves one thing after another. `stop` raises when the work should end; `on_bytes` hears of bytes read."""

    def __init__(
        self, packer: StreamPacker, builder: CatalogBuilder, stop: Callable[[], None], on_bytes: Callable[[int], None]
    ) -> None:
        """Begin with an empty archive."""
        self.source_bytes = 0
        self._packer = packer
        self._builder = builder
        self._stop = stop
        self._on_bytes = on_bytes
        self._begun: Callable[[], Entry] | None = None
        """Makes the catalog's line of what is being saved, as far as it is known."""
        self._linked: dict[tuple[int, int], tuple[bytes, int, int]] = {}
        """(device, inode) of files with several names: first name, offset of its header, names still to come."""

    def save(self, thing: Thing) -> Entry:
        """Save a thing; the entry says what became of it. Raises what `stop` raises, and the writer's errors."""
        status = thing.stat
        if status is None:
            return self._note(_absent_unknown(thing))
        kind, type_flag = _TYPES[stat.S_IFMT(status.st_mode)]
        if kind == catalog.SOCKET:
            return self._note(_absent(_entry(kind, thing, status, NOT_IN_STREAM), _SOCKET_NOTE))
        if kind == catalog.REGULAR and thing.fd is None:
            return self._note(_absent(_entry(kind, thing, status, NOT_IN_STREAM), thing.problem))
        if status.st_nlink > 1 and kind != catalog.DIRECTORY:
            first = self._first_name(thing.path, status)
            if first is not None:
                return self._save_hard_link(_entry(kind, thing, status, self._packer.offset), first)
        return self._save_member(thing, status, kind, type_flag)

    def unfinished(self) -> Entry | None:
        """The catalog's line of a thing that is being saved, as far as it is known."""
        return self._begun() if self._begun else None

    def _save_member(self, thing: Thing, status: os.stat_result, kind: bytes, type_flag: bytes) -> Entry:
        fd, attributes, offset = thing.fd, thing.attributes, self._packer.offset
        extents = sparse_extents(fd, status) if fd is not None else None
        is_device = type_flag in (pax.CHARACTER_DEVICE, pax.BLOCK_DEVICE)
        member = Member(
            type_flag, thing.path, status.st_mode & 0o7777, status.st_uid, status.st_gid, _owner(status.st_uid),
            _group(status.st_gid), status.st_size if fd is not None else 0, status.st_mtime_ns, status.st_atime_ns,
            thing.link, (os.major(status.st_rdev), os.minor(status.st_rdev)) if is_device else (0, 0),
            attributes.xattrs, attributes.acl_access, attributes.acl_default, extents,
        )  # fmt: skip
        try:
            headers = pax.build_headers(member)
        except TooLarge as error:
            return self._note(_absent(_entry(kind, thing, status, NOT_IN_STREAM), str(error)))
        self._begun = partial(_entry, kind, thing, status, offset, 0 if extents is None else SPARSE)
        self._write(headers)
        if fd is None:
            content = _NO_CONTENT
        elif extents is None:
            content = self._save_plain(fd, status)
        else:
            content = self._save_sparse(fd, status, extents)
        valid, sha256, flags, note = content
        if thing.problem:
            flags, note = flags | SHORT, note or thing.problem
        return self._note(_entry(kind, thing, status, offset, flags, valid, sha256, note))

    def _save_plain(self, fd: int, status: os.stat_result) -> _Content:
        """The content of an open file into the stream, exactly as long as its header says."""
        digest, size = hashlib.sha256(), status.st_size
        done, why = self._copy(fd, 0, size, digest)
        if done < size:
            self._fill(digest, size - done)
        self._packer.zeros(-size % pax.BLOCK_BYTES)
        if done < size:
            return _Content(done, digest.digest(), SHORT, why or _shorter(done))
        changed = _changed_meanwhile(status, os.fstat(fd))
        return _Content(size, digest.digest(), CHANGED if changed else 0, changed)

    def _save_sparse(self, fd: int, status: os.stat_result, extents: Extents) -> _Content:
        """The map and the data of an open file with holes, exactly as long as its header says."""
        digest, sparse_map = hashlib.sha256(), pax.sparse_map(extents)
        self._write(sparse_map)
        digest.update(sparse_map)
        valid, flags, note = status.st_size, SPARSE, ""
        for start, size in extents:
            done, why = (0, "") if flags & SHORT else self._copy(fd, start, size, digest)
            if done < size:
                self._fill(digest, size - done)
                if not flags & SHORT:
                    valid, flags, note = start + done, flags | SHORT, why or _shorter(start + done)
        self._packer.zeros(-self._packer.offset % pax.BLOCK_BYTES)
        if not flags & SHORT:
            now = os.fstat(fd)
            if now.st_size < valid:  # a hole looks the same before and behind the end of the file
                valid, flags, note = now.st_size, flags | SHORT, _shorter(now.st_size)
            elif changed := _changed_meanwhile(status, now):
                flags, note = flags | CHANGED, changed
        return _Content(valid, digest.digest(), flags, note)

    def _write(self, data: bytes) -> None:
        """Headers and maps; a very long one in pieces, so that it never outgrows the room that closing needs."""
        if len(data) <= WRITE_BYTES:
            self._packer.write(data)
            return
        self._packer.write(data[:WRITE_BYTES])
        for start in range(WRITE_BYTES, len(data), WRITE_BYTES):
            self._stop()
            self._packer.write(data[start : start + WRITE_BYTES])

    def _copy(self, fd: int, start: int, size: int, digest: "hashlib._Hash") -> tuple[int, str]:
        """Read `size` bytes from `start` into the stream; how many there were, and why not all."""
        packer, place, end = self._packer, start, start + size
        while place < end:
            if place > start:
                self._stop()
            room = packer.room(min(end - place, READ_BYTES))
            try:
                got = os.preadv(fd, [room], place)
            except OSError as error:
                return place - start, f"cannot be read at byte {place}: {(error.strerror or '').lower()}"
            if got == 0:
                break
            digest.update(room if got == len(room) else room[:got])
            packer.advance(got)
            place += got
            self._on_bytes(got)
        self.source_bytes += place - start
        return place - start, ""

    def _fill(self, digest: "hashlib._Hash", size: int) -> None:
        """Zeros in place of what is missing."""
        while size:
            self._stop()
            room = self._packer.room(min(size, READ_BYTES))
            room[:] = bytes(len(room))
            digest.update(room)
            size -= len(room)
            self._packer.advance(len(room))

    def _first_name(self, path: bytes, status: os.stat_result) -> tuple[bytes, int] | None:
        """Name and offset of the first member with the same inode; None where this is the first."""
        key = (status.st_dev, status.st_ino)
        known = self._linked.get(key)
        if known is None:
            self._linked[key] = (path, self._packer.offset, status.st_nlink - 1)
            return None
        first, offset, names_left = known
        if names_left <= 1:
            del self._linked[key]
        else:
            self._linked[key] = (first, offset, names_left - 1)
        return first, offset

    def _save_hard_link(self, entry: Entry, first: tuple[bytes, int]) -> Entry:
        path, offset = first
        member = Member(
            type=pax.HARD_LINK, path=entry.path, mode=entry.mode, uid=entry.uid, gid=entry.gid, owner=entry.owner,
            group=entry.group, mtime_ns=entry.mtime_ns, link=path,
        )  # fmt: skip
        entry = entry._replace(type=catalog.HARD_LINK, link=path, reference=offset, size=0, valid=0)
        self._begun = lambda: entry
        self._packer.write(pax.build_headers(member))
        return self._note(entry)

    def _note(self, entry: Entry) -> Entry:
        self._begun = None
        try:
            self._builder.add(entry)
        except TooLarge as error:
            entry = _absent(entry._replace(path=entry.path[:200] + b"...", link=b""), str(error))
            self._builder.add(entry)
        return entry


def _entry(  # noqa: PLR0913, PLR0917 - made once for each small file: positions take half the time of names
    kind: bytes, thing: Thing, status: os.stat_result, offset: int, flags: int = 0, valid: int = -1,
    sha256: bytes = NO_DIGEST, note: str = "",
) -> Entry:  # fmt: skip
    """The catalog's line, in the order of its columns; `valid` bytes, or as many as the thing has."""
    size = status.st_size if kind in _SIZED else 0
    reference = 0
    if kind in _DEVICES:
        reference = os.major(status.st_rdev) << 32 | os.minor(status.st_rdev)
    return Entry(
        kind, flags, status.st_mode & 0o7777, status.st_uid, status.st_gid, _owner(status.st_uid),
        _group(status.st_gid), note.encode("utf-8", "replace"), 0, reference, status.st_ino, size,
        size if valid < 0 else valid, catalog_time_ns(status.st_mtime_ns), catalog_time_ns(status.st_ctime_ns),
        offset, sha256, thing.path, thing.link,
    )  # fmt: skip


def _absent(entry: Entry, why: str) -> Entry:
    return entry._replace(
        flags=ABSENT, offset=NOT_IN_STREAM, sha256=NO_DIGEST, valid=0, note=why.encode("utf-8", "replace")
    )


def _absent_unknown(thing: Thing) -> Entry:
    """A thing that could not even be looked at."""
    return Entry(
        catalog.REGULAR, ABSENT, 0, 0, 0, b"", b"", thing.problem.encode("utf-8", "replace"), 0, 0, 0, 0, 0, 0, 0,
        NOT_IN_STREAM, NO_DIGEST, thing.path, b"",
    )  # fmt: skip


def _shorter(size_bytes: int) -> str:
    return f"became shorter while it was read: {size_bytes} bytes"


def _changed_meanwhile(before: os.stat_result, after: os.stat_result) -> str:
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
def _owner(uid: int) -> bytes:
    try:
        return os.fsencode(pwd.getpwuid(uid).pw_name)
    except (KeyError, OverflowError):
        return b""


@lru_cache(4096)
def _group(gid: int) -> bytes:
    try:
        return os.fsencode(grp.getgrgid(gid).gr_name)
    except (KeyError, OverflowError):
        return b""
