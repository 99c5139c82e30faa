"""Saving one thing of the source: its headers and content into the stream, its line into the catalog."""

import hashlib
import os
import stat
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from formats import catalog, pax
from formats.catalog import CHANGED, NO_DIGEST, NOT_IN_STREAM, SHORT, SPARSE, Entry
from formats.errors import TooLarge
from formats.pax import Member
from tapekit.cartridge.catalog import CatalogBuilder
from tapekit.deltas.session import Recorder, Session, is_same
from tapekit.deltas.state import Known
from tapekit.jobs.lines import absent, absent_unknown, changed_meanwhile, group_name, line_of, owner_name, shorter
from tapekit.jobs.save_delta import ROTTEN, DeltaSaver
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
_ZEROS = bytes(pax.BLOCK_BYTES)
_SOCKET_NOTE = "a socket: not saved"


class _Content(NamedTuple):
    """What was read of a file: `valid` bytes of its size (-1: all there is), and what went wrong."""

    valid: int
    sha256: bytes
    flags: int
    note: str


_NO_CONTENT = _Content(-1, NO_DIGEST, 0, "")


def _digest_of(before: Known | None, status: os.stat_result) -> bytes:
    """The digest of a file that is as it was, by all that tells of a change; empty where it may be another."""
    if before is None or before.is_racy or before.entry.flags & SPARSE:
        return b""
    return before.entry.sha256 if is_same(before, status, on_any_device=True) else b""


class _First(NamedTuple):
    """The first name of a file with several: where its header is, in this stream or that of a base."""

    path: bytes
    offset: int
    base: int


class Saver:
    """Saves one thing after another. `stop` raises when the work should end; `on_bytes` hears of bytes read."""

    def __init__(
        self, packer: StreamPacker, builder: CatalogBuilder, stop: Callable[[], None],
        on_bytes: Callable[[int], None], session: Session | None = None,
    ) -> None:  # fmt: skip
        """Begin with an empty archive; with a `session`, upon what earlier ones hold."""
        self.source_bytes = 0
        self._packer = packer
        self._builder = builder
        self._stop = stop
        self._on_bytes = on_bytes
        self._session = session
        self._recorder: Recorder | None = None
        """Sees the content of the file that is saved."""
        self._begun: Callable[[], Entry] | None = None
        """Makes the catalog's line of what is being saved, as far as it is known."""
        self._linked: dict[tuple[int, int], tuple[_First, int]] = {}
        """(device, inode) of files with several names: the first name, and how many are still to come."""

    def save(self, thing: Thing) -> Entry:
        """Save a thing; the entry says what became of it. Raises what `stop` raises, and the writer's errors."""
        status = thing.stat
        if status is None:
            return self._note(absent_unknown(thing))
        kind, type_flag = _TYPES[stat.S_IFMT(status.st_mode)]
        if kind == catalog.SOCKET:
            return self._note(absent(line_of(kind, thing, status, NOT_IN_STREAM), _SOCKET_NOTE))
        if kind == catalog.REGULAR and thing.fd is None and not thing.is_known:
            return self._note(absent(line_of(kind, thing, status, NOT_IN_STREAM), thing.problem))
        has_names = status.st_nlink > 1 and kind != catalog.DIRECTORY
        first = self._first_name(status) if has_names else None
        if first is not None:
            return self._save_hard_link(line_of(kind, thing, status, self._packer.offset), first)
        if self._session is not None and kind == catalog.REGULAR:
            entry = self._save_file(thing, status, self._session)
        else:
            extents = sparse_extents(thing.fd, status) if thing.fd is not None else None
            entry = self._save_member(thing, status, kind, type_flag, extents)
        if has_names and not entry.is_absent:
            first = _First(thing.path, entry.offset, entry.base)
            self._linked[status.st_dev, status.st_ino] = first, status.st_nlink - 1
        return entry

    def _save_file(self, thing: Thing, status: os.stat_result, session: Session) -> Entry:
        """A regular file: as a line of the catalog, as what changed in it, or as a whole."""
        known = session.known(thing.path)
        if thing.is_known and known is not None:
            self.source_bytes += status.st_size
            return self._note(session.unchanged(known))
        is_rotten = False
        if known is not None and thing.fd is not None and not thing.problem:
            saving = DeltaSaver(session, self._packer, self._stop, self._on_bytes)
            entry = saving.save(thing, status, known)
            is_rotten = saving.is_rotten
            if entry is not None:
                self.source_bytes += entry.size
                return self._note(entry)
        read_ns = session.now_ns()
        extents = sparse_extents(thing.fd, status) if thing.fd is not None else None
        self._recorder = session.recorder(status.st_size, is_sparse=extents is not None)
        try:
            before = None if known is not None else session.seen(thing.path)
            entry = self._save_member(
                thing, status, catalog.REGULAR, pax.REGULAR, extents, is_rotten=is_rotten,
                expected=_digest_of(before, status),
            )  # fmt: skip
            maps = {}
            if self._recorder is not None:
                self._recorder.finish()
                maps = self._recorder.places
        finally:
            self._recorder = None
        if not entry.is_absent and not entry.flags & SHORT:
            session.saved(entry, status.st_dev, read_ns, maps, changed=entry.size)
        return entry

    def unfinished(self) -> Entry | None:
        """The catalog's line of a thing that is being saved, as far as it is known."""
        return self._begun() if self._begun else None

    def _save_member(
        self, thing: Thing, status: os.stat_result, kind: bytes, type_flag: bytes, extents: Extents | None, *,
        is_rotten: bool = False, expected: bytes = b"",
    ) -> Entry:  # fmt: skip
        """`expected`: what nothing tells of a change of; empty where something does, or it is not known."""
        fd, attributes, offset = thing.fd, thing.attributes, self._packer.offset
        is_device = type_flag in (pax.CHARACTER_DEVICE, pax.BLOCK_DEVICE)
        member = Member(
            type_flag, thing.path, status.st_mode & 0o7777, status.st_uid, status.st_gid, owner_name(status.st_uid),
            group_name(status.st_gid), status.st_size if fd is not None else 0, status.st_mtime_ns, status.st_atime_ns,
            thing.link, (os.major(status.st_rdev), os.minor(status.st_rdev)) if is_device else (0, 0),
            attributes.xattrs, attributes.acl_access, attributes.acl_default, extents,
        )  # fmt: skip
        try:
            headers = pax.build_headers(member)
        except TooLarge as error:
            return self._note(absent(line_of(kind, thing, status, NOT_IN_STREAM), str(error)))
        self._begun = partial(line_of, kind, thing, status, offset, 0 if extents is None else SPARSE)
        self._write(headers)
        if fd is None:
            content = _NO_CONTENT
        elif extents is None:
            content = self._save_plain(fd, status)
        else:
            content = self._save_sparse(fd, status, extents)
        valid, sha256, flags, note = content
        is_rotten = is_rotten or (bool(expected) and extents is None and sha256 != expected)
        if is_rotten and not flags:
            flags, note = CHANGED, ROTTEN
        if thing.problem:
            flags, note = flags | SHORT, note or thing.problem
        return self._note(line_of(kind, thing, status, offset, flags, valid, sha256, note))

    def _save_plain(self, fd: int, status: os.stat_result) -> _Content:
        """The content of an open file into the stream, exactly as long as its header says."""
        digest, size = hashlib.sha256(), status.st_size
        done, why = self._copy(fd, 0, size, digest)
        if done < size:
            self._fill(digest, size - done)
        if padding := -size % pax.BLOCK_BYTES:
            self._packer.write(_ZEROS[:padding])
        if done < size:
            return _Content(done, digest.digest(), SHORT, why or shorter(done))
        changed = changed_meanwhile(status, os.fstat(fd))
        return _Content(size, digest.digest(), CHANGED if changed else 0, changed)

    def _save_sparse(self, fd: int, status: os.stat_result, extents: Extents) -> _Content:
        """The map and the data of an open file with holes, exactly as long as its header says."""
        digest, sparse_map = hashlib.sha256(), pax.sparse_map(extents)
        self._write(sparse_map)
        digest.update(sparse_map)
        valid, flags, note = status.st_size, SPARSE, ""
        seen = 0
        for start, size in extents:
            if self._recorder is not None and start > seen:
                self._recorder.zeros(start - seen)
            seen = start + size
            done, why = (0, "") if flags & SHORT else self._copy(fd, start, size, digest)
            if done < size:
                self._fill(digest, size - done)
                if not flags & SHORT:
                    valid, flags, note = start + done, flags | SHORT, why or shorter(start + done)
        self._packer.zeros(-self._packer.offset % pax.BLOCK_BYTES)
        if not flags & SHORT:
            now = os.fstat(fd)
            if now.st_size < valid:  # a hole looks the same before and behind the end of the file
                valid, flags, note = now.st_size, flags | SHORT, shorter(now.st_size)
            elif changed := changed_meanwhile(status, now):
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
            if self._recorder is not None:
                self._recorder.add(room[:got])
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

    def _first_name(self, status: os.stat_result) -> "_First | None":
        """The first member with the same inode; None where there is none before this."""
        key = (status.st_dev, status.st_ino)
        known = self._linked.get(key)
        if known is None:
            return None
        first, names_left = known
        if names_left <= 1:
            del self._linked[key]
        else:
            self._linked[key] = first, names_left - 1
        return first

    def _save_hard_link(self, entry: Entry, first: "_First") -> Entry:
        member = Member(
            type=pax.HARD_LINK, path=entry.path, mode=entry.mode, uid=entry.uid, gid=entry.gid, owner=entry.owner,
            group=entry.group, mtime_ns=entry.mtime_ns, link=first.path,
        )  # fmt: skip
        entry = entry._replace(
            type=catalog.HARD_LINK, link=first.path, reference=first.offset, size=0, valid=0, base=first.base
        )
        if first.base:  # nothing of the file is in this stream, nor is a name of it
            return self._note(entry._replace(offset=first.offset))
        self._begun = lambda: entry
        self._packer.write(pax.build_headers(member))
        return self._note(entry)

    def _note(self, entry: Entry) -> Entry:
        self._begun = None
        try:
            self._builder.add(entry)
        except TooLarge as error:
            entry = absent(entry._replace(path=entry.path[:200] + b"...", link=b""), str(error))
            self._builder.add(entry)
        return entry
