"""Unpacking: the members of a stream, by the catalog or, where there is none, one behind the other."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator

from formats import pax
from formats.catalog import NOT_IN_STREAM, Entry
from formats.errors import Damaged
from formats.pax import BLOCK_BYTES, Member
from tapekit.stream.read import Hole, Readable

CHUNK_BYTES = 1 << 20


@dataclasses.dataclass
class FoundMember:
    """A member whose headers were read; the stream stands at its content.

    `prefix` is what was already read of the stored content: a sparse member's map.
    """

    member: Member
    entry: Entry | None
    prefix: bytes
    stream: Readable
    content_bytes: int
    """Of the stored content behind `prefix`."""
    place: int = NOT_IN_STREAM
    """Of its first header in the stream."""

    def content(self) -> Iterator[memoryview]:
        """The stored content behind `prefix`, in pieces. Raises Hole and Damaged."""
        left = self.content_bytes
        while left:
            part = self.stream.take(min(left, CHUNK_BYTES))
            if not part:
                raise Damaged("stream: it ends in the middle of a member")
            left -= len(part)
            yield part


@dataclasses.dataclass(frozen=True)
class LostMember:
    """A member whose headers cannot be read; without a catalog its name is not known."""

    path: bytes | None
    entry: Entry | None
    why: str


def by_catalog(stream: Readable, entries: Iterable[Entry]) -> Iterator[FoundMember | LostMember]:
    """The members that `entries` name, each found by its offset; members that are not in the stream are passed over."""
    for entry in entries:
        if entry.is_absent:
            continue
        yield at_offset(stream, entry, entry.offset)


def at_offset(stream: Readable, entry: Entry, offset: int) -> FoundMember | LostMember:
    """The member at a stream offset, which `entry` describes (or links to)."""
    stream.seek(offset)
    try:
        found = read_member(stream, entry)
        if found is None:
            raise Damaged("the stream ends before it")
        if offset == entry.offset and found.member.path != entry.path:
            raise Damaged(f"another member is in its place: {found.member.path[:80]!r}")
    except (Hole, Damaged) as error:
        return LostMember(entry.path, entry, str(error))
    return found


def one_by_one(
    stream: Readable, is_behind: Callable[[int], bool] = lambda _offset: False, *, is_inside: bool = False
) -> Iterator[FoundMember | LostMember]:
    """The members of a stream without a catalog. Behind damage, the next bytes that are a tar header count as one.

    Ends before a member that `is_behind`, by its offset. Where the stream may stand in a member (`is_inside`), the
    next one is the first.
    """
    if is_inside and not _resynchronise(stream, stream.offset):
        return
    while not is_behind(stream.offset):
        place = stream.offset
        try:
            found = read_member(stream, None)
        except Hole as hole:
            yield LostMember(None, None, str(hole))
            if hole.end is None or not _resynchronise(stream, hole.end):
                return
            continue
        except Damaged as error:
            yield LostMember(None, None, str(error))
            if not _resynchronise(stream, place + BLOCK_BYTES):
                return
            continue
        if found is None or is_behind(place):
            return
        behind = stream.offset + found.content_bytes
        behind += pax.padding(behind)
        yield found
        stream.seek(behind)


def _resynchronise(stream: Readable, offset: int) -> bool:
    """Seek to the next tar header from `offset` on; False where there is none."""
    stream.seek(offset + pax.padding(offset))
    while True:
        place = stream.offset
        try:
            block = stream.read(BLOCK_BYTES)
        except Hole as hole:
            if hole.end is None:
                return False
            stream.seek(hole.end + pax.padding(hole.end))
            continue
        except Damaged:
            return False
        if pax.looks_like_header(block):
            stream.seek(place)
            return True


def read_member(stream: Readable, entry: Entry | None) -> FoundMember | None:
    """The headers of the member here, or None at the end of the archive. Raises Hole and Damaged."""
    place = stream.offset
    block = stream.read(BLOCK_BYTES)
    if not any(block):
        return None
    header, records = pax.parse_header(block), {}
    if header.type == pax.PAX_HEADER:
        if header.size_bytes > pax.LARGEST_PAX_HEADER_BYTES:
            raise Damaged(f"pax header: {header.size_bytes} bytes, limit {pax.LARGEST_PAX_HEADER_BYTES}")
        body = stream.read(header.size_bytes + pax.padding(header.size_bytes))
        records = pax.parse_pax_records(body[: header.size_bytes])
        header = pax.parse_header(stream.read(BLOCK_BYTES))
    member, content_bytes = pax.combine(header, records)
    if member.sparse is None:
        return FoundMember(member, entry, b"", stream, content_bytes, place)
    extents, prefix = _read_sparse_map(stream, member.size_bytes, content_bytes)
    if sum(size for _, size in extents) != content_bytes - len(prefix):
        raise Damaged("sparse map: its extents do not add up to the member's size")
    return FoundMember(member._replace(sparse=extents), entry, prefix, stream, content_bytes - len(prefix), place)


def _read_sparse_map(
    stream: Readable, real_bytes: int, content_bytes: int
) -> tuple[tuple[tuple[int, int], ...], bytes]:
    data, step = b"", BLOCK_BYTES
    while True:
        step = min(step, content_bytes - len(data))
        if step <= 0:
            raise Damaged("sparse map: longer than the member")
        data += stream.read(step)
        parsed = pax.parse_sparse_map(data, real_bytes)
        if parsed is not None and parsed[1] <= len(data):
            extents, used = parsed
            stream.seek(stream.offset - (len(data) - used))
            return extents, data[:used]
        step = len(data)
