"""Saving what changed in a file: its parts into the stream (formats/SPEC.md section 11.3), or no more than a line."""

import hashlib
import itertools
import os
from collections.abc import Callable, Iterator

from formats import catalog, delta, pax
from formats.catalog import CHANGED, DELTA, SHORT, SPARSE, Entry
from formats.delta import Extent, Part
from formats.errors import TooLarge
from formats.pax import Member
from tapekit.deltas.session import READ_AHEAD, SMALLEST_BYTES, Comparing, Session, is_same
from tapekit.deltas.state import Known
from tapekit.jobs.lines import changed_meanwhile, group_name, line_of, owner_name, shorter
from tapekit.source.walk import Thing
from tapekit.stream.pack import StreamPacker

READ_BYTES = 1 << 20
WRITE_BYTES = 16 << 10
ROTTEN = (
    "its content is another one, though nothing wrote to it: the disk may be failing; "
    "the archives before this one have it as it was"
)


class DeltaSaver:
    """Saves one file that was saved before.

    `is_rotten` where its content changed, and nothing that should tell so did.
    """

    def __init__(
        self, session: Session, packer: StreamPacker, stop: Callable[[], None], on_bytes: Callable[[int], None]
    ) -> None:
        """Nothing is read yet."""
        self.is_rotten = False
        self._session = session
        self._packer = packer
        self._stop = stop
        self._on_bytes = on_bytes
        self._parts = 0

    def save(self, thing: Thing, status: os.stat_result, known: Known) -> Entry | None:
        """The catalog's line; None where the file is to be saved as a whole, and nothing of it was written."""
        assert thing.fd is not None  # noqa: S101 - the caller has seen to it
        is_still = is_same(known, status, on_any_device=True)
        if status.st_size < SMALLEST_BYTES and is_still and not known.entry.flags & SPARSE:
            return self._compare_small(thing.fd, status, known)
        kind = self._session.best_kind(known, thing.fd) if status.st_size >= SMALLEST_BYTES else None
        if kind is None or not _fits(thing, status):
            return None
        return self._save(thing, status, known, kind, is_still=is_still)

    def _compare_small(self, fd: int, status: os.stat_result, known: Known) -> Entry | None:
        """A small file that may be as it was is read once for that."""
        read_ns = self._session.now_ns()
        content = os.pread(fd, status.st_size + 1, 0)
        if hashlib.sha256(content).digest() == known.entry.sha256:
            self._on_bytes(len(content))
            return self._session.unchanged(known, read_ns)
        self.is_rotten = not known.is_racy and not changed_meanwhile(status, os.fstat(fd))
        return None

    def _save(self, thing: Thing, status: os.stat_result, known: Known, kind: str, *, is_still: bool) -> Entry | None:
        fd, offset, read_ns = thing.fd, self._packer.offset, self._session.now_ns()
        assert fd is not None  # noqa: S101 - the caller has seen to it
        digest = hashlib.sha256()
        pending: list[tuple[int, tuple[Extent, ...], bytearray]] = []

        def flush(at: int, extents: tuple[Extent, ...], literals: bytearray) -> None:
            """One part is held back: only then is it known whether it is the last."""
            if pending:
                self._write_part(thing, status, known, pending.pop(), None)
            pending.append((at, extents, literals))

        comparing = self._session.comparing(known, kind, status.st_size, flush)
        why = self._compare(fd, status, comparing, digest)
        maps = comparing.finish()
        differ = comparing.differ
        after = changed_meanwhile(status, os.fstat(fd))
        if is_still and not why and not after and not pending and differ.is_same:
            return self._session.unchanged(known, read_ns)
        done = differ.size_bytes
        if why:
            differ.add_zeros(status.st_size - done)
            for start in range(done, status.st_size, READ_BYTES):
                digest.update(bytes(min(READ_BYTES, status.st_size - start)))
        differ.end_part()
        self._write_part(thing, status, known, pending.pop(), digest.digest())
        self.is_rotten = is_still and not known.is_racy and not why and not after
        flags, note = (SHORT, why) if why else (CHANGED, ROTTEN) if self.is_rotten else (CHANGED if after else 0, after)
        if not why and done < status.st_size:
            flags, note = CHANGED, shorter(done)
        entry = line_of(catalog.REGULAR, thing, status, offset, flags | DELTA, done, digest.digest(), note)
        entry = entry._replace(size=status.st_size if why else done)
        if not why:
            extents = known.extents + differ.extents
            self._session.saved(entry, status.st_dev, read_ns, maps, extents, differ.literal_bytes)
            self._session.to_prove(entry, known, comparing)
        return entry

    def _compare(self, fd: int, status: os.stat_result, comparing: Comparing, digest: "hashlib._Hash") -> str:
        """Read the file through; why not to its end, where that is so."""
        piece = memoryview(b"")
        try:
            for piece in self._pieces(fd, status.st_size):
                self._stop()
                comparing.add(piece, digest.update)
                self._on_bytes(len(piece))
        except ReadFailed as failed:
            comparing.add(memoryview(b""), digest.update, is_last=True)
            return str(failed)
        comparing.add(memoryview(b""), digest.update, is_last=True)
        return ""

    @staticmethod
    def _pieces(fd: int, size: int) -> Iterator[memoryview]:
        """The content in pieces; each is good until READ_AHEAD more have come."""
        buffers = itertools.cycle([memoryview(bytearray(min(READ_BYTES, size))) for _ in range(READ_AHEAD + 1)])
        place = 0
        while place < size:
            buffer, filled, most = next(buffers), 0, min(READ_BYTES, size - place)
            while filled < most:
                try:
                    got = os.preadv(fd, [buffer[filled:most]], place + filled)
                except OSError as error:
                    if filled:
                        yield buffer[:filled]
                    where = place + filled
                    raise ReadFailed(f"cannot be read at byte {where}: {(error.strerror or '').lower()}") from error
                if not got:
                    break
                filled += got
            if filled:
                yield buffer[:filled]
            if filled < most:
                return
            place += filled

    def _write_part(
        self, thing: Thing, status: os.stat_result, known: Known, held: tuple[int, tuple[Extent, ...], bytearray],
        sha256: bytes | None,
    ) -> None:  # fmt: skip
        at, extents, literals = held
        self._parts += 1
        mapped = delta.build(extents)
        part = Part(thing.path, self._parts, self._session.base_archive(known), known.entry.offset, at, sha256)
        self._write(_headers(thing, status, part, len(mapped) + len(literals)))
        self._write(mapped)
        self._write(literals)
        self._packer.zeros(pax.padding(len(mapped) + len(literals)))

    def _write(self, data: "bytes | bytearray") -> None:
        """In pieces, so that it never outgrows the room that closing needs."""
        view = memoryview(data)
        for start in range(0, len(view), WRITE_BYTES):
            self._stop()
            self._packer.write(view[start : start + WRITE_BYTES])


class ReadFailed(Exception):
    """A file cannot be read to its end; the message says where and why."""


def _headers(thing: Thing, status: os.stat_result, part: Part, size_bytes: int) -> bytes:
    """The headers of a part; attributes stand in the first one. Raises TooLarge where they leave no room."""
    member = Member(
        pax.REGULAR, part.name, status.st_mode & 0o7777, status.st_uid, status.st_gid, owner_name(status.st_uid),
        group_name(status.st_gid), size_bytes, status.st_mtime_ns, status.st_atime_ns, extra=part.records(),
    )  # fmt: skip
    if part.number == 1:
        found = thing.attributes
        member = member._replace(xattrs=found.xattrs, acl_access=found.acl_access, acl_default=found.acl_default)
    return pax.build_headers(member)


def _fits(thing: Thing, status: os.stat_result) -> bool:
    """Whether the attributes leave room for the records of a part."""
    most = Part(thing.path, 1, "0" * 32, 1 << 62, 1 << 62, bytes(32))
    try:
        _headers(thing, status, most, 0)
    except TooLarge:
        return False
    return True
