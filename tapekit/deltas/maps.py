"""Maps of files: the digest of every block of a file's content, in order. They are streamed, never held.

A frame of a map is the count of its blocks, the length of each where they are chunks, and their digests; one with no
blocks ends the map.
"""

import collections
import operator
import struct
from array import array
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from formats.errors import Damaged
from tapekit.deltas.cut import CHUNKS, PAGE_BYTES, PAGES, Cutter
from tapekit.deltas.frames import FRAME_HEAD_BYTES, FrameWriter
from tapekit.deltas.secret import DIGEST_BYTES, ZERO, SiteSecret

FRAME_BLOCKS = 4096
WINDOW_BYTES = 1 << 30
WINDOW_CHUNKS = 1 << 17
"""Chunks are looked for among so many of the file before, around the place where the last one was found."""
_COUNT = struct.Struct(">I")
PAGES_FRAME_BYTES = FRAME_HEAD_BYTES + _COUNT.size + FRAME_BLOCKS * DIGEST_BYTES
"""Of every frame of a map of pages but the last ones: so any of them is found."""
_ZEROS = bytes(256 << 10)
_FEW = 16
_KEPT_BYTES = 1 << 20


def digests_of(secret: SiteSecret, data: memoryview, ends: Sequence[int]) -> bytes:
    """The digests of the blocks that end there, joined; ZERO for one of zeros alone."""
    found, start, digest = [], 0, secret.digest
    for end in ends:
        block = data[start:end]
        found.append(ZERO if not data[start] and _is_zero(block) else digest(block))
        start = end
    return b"".join(found)


def _is_zero(block: memoryview) -> bool:
    return not any(block[:_FEW]) and bytes(block) == _ZEROS[: len(block)]


class MapWriter:
    """Writes the map of one file behind the others in a file of frames."""

    def __init__(self, writer: FrameWriter, kind: str) -> None:
        """`place` is where the map will be found."""
        self.place = writer.place
        self._writer = writer
        self._lengths: array[int] | None = array("I") if kind == CHUNKS else None
        self._digests = bytearray()

    def add(self, ends: Sequence[int], digests: bytes) -> None:
        """The next blocks: where each ends behind those before, and their digests."""
        if self._lengths is not None:
            self._lengths.extend(map(operator.sub, ends, (0, *ends)))
        self._digests += digests
        while len(self._digests) >= FRAME_BLOCKS * DIGEST_BYTES:
            self._flush()

    def finish(self) -> None:
        """The map is whole."""
        if self._digests:
            self._flush()
        self._flush()

    def _flush(self) -> None:
        digests = self._digests[: FRAME_BLOCKS * DIGEST_BYTES]
        count, lengths = len(digests) // DIGEST_BYTES, b""
        if self._lengths is not None:
            lengths = self._lengths[:count].tobytes()
            del self._lengths[:count]
        self._writer.add(_COUNT.pack(count) + lengths + digests)
        del self._digests[: len(digests)]


class MapMaker:
    """Makes maps of content that is saved as a whole."""

    def __init__(self, secret: SiteSecret, writers: dict[str, FrameWriter]) -> None:
        """One for each way to cut."""
        self._secret = secret
        self._made = [(Cutter(kind), MapWriter(writer, kind)) for kind, writer in writers.items()]
        self.places = {kind: made.place for kind, (_, made) in zip(writers, self._made, strict=True)}

    def add(self, piece: "bytes | memoryview", *, is_last: bool = False) -> None:
        """The next piece of the content."""
        for cutter, made in self._made:
            data, ends = cutter.feed(piece, is_last=is_last)
            made.add(ends, digests_of(self._secret, data, ends))

    def finish(self) -> None:
        """The content is at its end."""
        self.add(b"", is_last=True)
        for _, made in self._made:
            made.finish()


class Table(NamedTuple):
    """Some blocks of a map: how long each is where they are chunks, and their digests."""

    lengths: "array[int]"
    digests: bytes


def tables(frames: Iterator[bytes], kind: str) -> Iterator[Table]:
    """A map, some blocks at a time. Raises Damaged."""
    for frame in frames:
        if len(frame) < _COUNT.size:
            raise Damaged("a map's frame is too short")
        (count,) = _COUNT.unpack_from(frame)
        if not count:
            return
        place = _COUNT.size + (4 * count if kind == CHUNKS else 0)
        if len(frame) != place + count * DIGEST_BYTES:
            raise Damaged("a map's frame does not add up")
        yield Table(array("I", frame[_COUNT.size : place]), frame[place:])
    raise Damaged("a map has no end")


class Before:
    """The blocks of a file as it was: asked for those that it has now, in order.

    A map that is damaged is at its end there: what follows counts as new. `problem` says so.
    """

    def __init__(self, found: Iterator[Table], size_bytes: int) -> None:
        """The map, of a file of that size."""
        self.problem = ""
        self.size_bytes = size_bytes
        self._found = found

    def find(self, place: int, length: int, digest: bytes) -> int | None:
        """Where in the file as it was a block stands that is now at `place`; None where it is not known."""
        raise NotImplementedError

    def is_same(self, place: int, size_bytes: int, digests: bytes) -> bool:
        """Whether all of these blocks are known to stand where they stood."""
        raise NotImplementedError

    def _next(self) -> Table | None:
        try:
            return next(self._found, None)
        except Damaged as error:
            self.problem = str(error)
            self._found = iter(())
            return None


class PagesBefore(Before):
    """By place alone."""

    def __init__(self, found: Iterator[Table], size_bytes: int) -> None:
        """See Before."""
        super().__init__(found, size_bytes)
        self._known = bytearray()
        self._first = 0
        """The number of the first page of those whose digests are at hand."""

    def find(self, place: int, length: int, digest: bytes) -> int | None:
        """See Before."""
        was = min(PAGE_BYTES, self.size_bytes - place)
        return place if length == was and self._digests(place, 1) == digest else None

    def is_same(self, place: int, size_bytes: int, digests: bytes) -> bool:
        """See Before."""
        count = len(digests) // DIGEST_BYTES
        is_whole = size_bytes == count * PAGE_BYTES and place + size_bytes <= self.size_bytes
        return is_whole and self._digests(place, count) == digests

    def _digests(self, place: int, count: int) -> bytes:
        start = (place // PAGE_BYTES - self._first) * DIGEST_BYTES
        behind = start + count * DIGEST_BYTES
        while len(self._known) < behind and (table := self._next()) is not None:
            self._known += table.digests
        found = bytes(self._known[start:behind])
        if start > _KEPT_BYTES:
            del self._known[:start]
            self._first += start // DIGEST_BYTES
        return found


class ChunksBefore(Before):
    """By content, wherever it went; where the one behind the last fits, that one."""

    def __init__(self, found: Iterator[Table], size_bytes: int) -> None:
        """See Before."""
        super().__init__(found, size_bytes)
        self._place = 0
        self._behind = 0
        self._by_digest: dict[bytes, int] = {}
        self._by_place: collections.OrderedDict[int, tuple[int, bytes]] = collections.OrderedDict()

    def find(self, place: int, length: int, digest: bytes) -> int | None:
        """See Before."""
        self._read_ahead(max(place, self._behind) + WINDOW_BYTES)
        found = self._behind if self._by_place.get(self._behind) == (length, digest) else self._by_digest.get(digest)
        if found is None or self._by_place.get(found) != (length, digest):
            return None
        self._behind = found + length
        return found

    def is_same(self, place: int, size_bytes: int, digests: bytes) -> bool:  # noqa: ARG002 - one by one
        """See Before."""
        return False

    def _read_ahead(self, end: int) -> None:
        while self._place < end and (table := self._next()) is not None:
            for number, length in enumerate(table.lengths):
                self._learn(length, table.digests[number * DIGEST_BYTES : (number + 1) * DIGEST_BYTES])

    def _learn(self, length: int, digest: bytes) -> None:
        place, length = self._place, min(length, self.size_bytes - self._place)
        if length <= 0:
            return
        self._place += length
        self._by_place[place] = length, digest
        self._by_digest[digest] = place
        if len(self._by_place) > WINDOW_CHUNKS:
            gone, (_, old) = self._by_place.popitem(last=False)
            if self._by_digest.get(old) == gone:
                del self._by_digest[old]


BEFORE: dict[str, type[PagesBefore] | type[ChunksBefore]] = {PAGES: PagesBefore, CHUNKS: ChunksBefore}
