"""Maps of files: the digest of every block of a file's content, in order. They are streamed, never held.

A frame of a map is the count of its blocks, the length of each where they are chunks, and their digests; one with no
blocks ends the map.
"""

import collections
import struct
from array import array
from collections.abc import Iterator

from formats.errors import Damaged
from tapekit.deltas.cut import CHUNKS, PAGE_BYTES, PAGES, Cutter
from tapekit.deltas.frames import FrameWriter
from tapekit.deltas.secret import DIGEST_BYTES, ZERO, SiteSecret

FRAME_BLOCKS = 4096
WINDOW_BYTES = 1 << 30
WINDOW_CHUNKS = 1 << 17
"""Chunks are looked for among so many of the file before, around the place where the last one was found."""
_COUNT = struct.Struct(">I")
_ZEROS = bytes(256 << 10)
_FEW = 16


def digest_of(secret: SiteSecret, block: memoryview) -> bytes:
    """The digest of a block; ZERO for zeros alone."""
    if block[:_FEW] == _ZEROS[: min(_FEW, len(block))] and bytes(block) == _ZEROS[: len(block)]:
        return ZERO
    return secret.digest(block)


class MapWriter:
    """Writes the map of one file behind the others in a file of frames."""

    def __init__(self, writer: FrameWriter, kind: str) -> None:
        """`place` is where the map will be found."""
        self.place = writer.place
        self._writer = writer
        self._lengths: array[int] | None = array("I") if kind == CHUNKS else None
        self._digests: list[bytes] = []

    def add(self, length: int, digest: bytes) -> None:
        """The next block. Raises OSError."""
        if self._lengths is not None:
            self._lengths.append(length)
        self._digests.append(digest)
        if len(self._digests) == FRAME_BLOCKS:
            self._flush()

    def finish(self) -> None:
        """The map is whole. Raises OSError."""
        if self._digests:
            self._flush()
        self._flush()

    def _flush(self) -> None:
        lengths = b"" if self._lengths is None else self._lengths.tobytes()
        self._writer.add(_COUNT.pack(len(self._digests)) + lengths + b"".join(self._digests))
        self._digests.clear()
        if self._lengths is not None:
            self._lengths = array("I")


class MapMaker:
    """Makes maps of content that is saved as a whole."""

    def __init__(self, secret: SiteSecret, writers: dict[str, FrameWriter]) -> None:
        """One for each way to cut."""
        self._secret = secret
        self._made = [(Cutter(kind), MapWriter(writer, kind)) for kind, writer in writers.items()]
        self.places = {kind: made.place for kind, (_, made) in zip(writers, self._made, strict=True)}

    def add(self, piece: "bytes | memoryview", *, is_last: bool = False) -> None:
        """The next piece of the content. Raises OSError."""
        for cutter, made in self._made:
            for block in cutter.feed(piece, is_last=is_last):
                made.add(len(block), digest_of(self._secret, block))

    def finish(self) -> None:
        """The content is at its end. Raises OSError."""
        self.add(b"", is_last=True)
        for _, made in self._made:
            made.finish()


def blocks(frames: Iterator[bytes], kind: str) -> Iterator[tuple[int, bytes]]:
    """Length and digest of each block of a map. Raises Damaged."""
    for frame in frames:
        if len(frame) < _COUNT.size:
            raise Damaged("a map's frame is too short")
        (count,) = _COUNT.unpack_from(frame)
        lengths = array("I")
        place = _COUNT.size
        if kind == CHUNKS:
            lengths.frombytes(frame[place : place + 4 * count])
            place += 4 * count
        if not count:
            return
        if len(frame) != place + count * DIGEST_BYTES:
            raise Damaged("a map's frame does not add up")
        for number in range(count):
            start = place + number * DIGEST_BYTES
            yield lengths[number] if kind == CHUNKS else PAGE_BYTES, frame[start : start + DIGEST_BYTES]
    raise Damaged("a map has no end")


class Before:
    """The blocks of a file as it was: asked for each block that it has now, in order.

    A map that is damaged is at its end there: what follows counts as new. `problem` says so.
    """

    def __init__(self, found: Iterator[tuple[int, bytes]], size_bytes: int) -> None:
        """The map's blocks, of a file of that size."""
        self.problem = ""
        self.size_bytes = size_bytes
        self._found = found
        self._place = 0

    def _next(self) -> tuple[int, int, bytes] | None:
        """Place, length and digest of the next block."""
        try:
            length, digest = next(self._found)
        except StopIteration:
            return None
        except Damaged as error:
            self.problem = str(error)
            self._found = iter(())
            return None
        place = self._place
        length = min(length, self.size_bytes - place)
        self._place += length
        return (place, length, digest) if length > 0 else None


class PagesBefore(Before):
    """By place alone."""

    def find(self, place: int, length: int, digest: bytes) -> int | None:
        """Where in the file as it was the same block stands; None where it is not known there."""
        known = self._next()
        return place if known == (place, length, digest) else None


class ChunksBefore(Before):
    """By content, wherever it went; where the one behind the last fits, that one."""

    def __init__(self, found: Iterator[tuple[int, bytes]], size_bytes: int) -> None:
        """See Before."""
        super().__init__(found, size_bytes)
        self._behind = 0
        self._by_digest: dict[bytes, int] = {}
        self._by_place: collections.OrderedDict[int, tuple[int, bytes]] = collections.OrderedDict()

    def find(self, place: int, length: int, digest: bytes) -> int | None:
        """See PagesBefore."""
        self._read_ahead(max(place, self._behind) + WINDOW_BYTES)
        found = self._behind if self._by_place.get(self._behind) == (length, digest) else self._by_digest.get(digest)
        if found is None or self._by_place.get(found) != (length, digest):
            return None
        self._behind = found + length
        return found

    def _read_ahead(self, end: int) -> None:
        while self._place < end and (known := self._next()) is not None:
            place, length, digest = known
            self._by_place[place] = length, digest
            self._by_digest[digest] = place
            if len(self._by_place) > WINDOW_CHUNKS:
                gone, (_, old) = self._by_place.popitem(last=False)
                if self._by_digest.get(old) == gone:
                    del self._by_digest[old]


BEFORE: dict[str, type[PagesBefore | ChunksBefore]] = {PAGES: PagesBefore, CHUNKS: ChunksBefore}
