"""What changed in a file: its blocks against those it had, as extents and literal bytes, part after part."""

from collections.abc import Callable, Sequence

from formats import delta
from formats.delta import Extent, ExtentKind
from tapekit.deltas.maps import Before
from tapekit.deltas.secret import DIGEST_BYTES, ZERO

PART_LITERAL_BYTES = 4 << 20
"""So much is held before it is written."""
PART_EXTENTS = delta.MOST_EXTENTS // 2
_ENDING = 8
"""Extents that are kept back of what a chain may have."""

Flush = Callable[[int, tuple[Extent, ...], bytearray], None]


class Differ:
    """Takes the blocks of a file in order; `flush` takes each part: where it begins, its extents and its literals."""

    def __init__(self, before: Before, most_extents: int, flush: Flush) -> None:
        """`most_extents` is what the chain may still have; from there on all is literal."""
        self.size_bytes = 0
        self.literal_bytes = 0
        self.extents = 0
        self._before = before
        self._most = min(most_extents, delta.MOST_CHAIN_EXTENTS) - _ENDING
        self._flush = flush
        self._at = 0
        self._parts = 0
        self._open: list[list[int]] = []
        """Kind, length and offset of the extents of this part; the last may still grow."""
        self._literals = bytearray()

    @property
    def is_same(self) -> bool:
        """Whether all of the file as it was stands there again, and nothing else; nothing was flushed then."""
        size = self._before.size_bytes
        return not self._parts and self._open == ([[ExtentKind.BASE, size, 0]] if size else []) and (
            self.size_bytes == size
        )  # fmt: skip

    def add(self, data: memoryview, ends: Sequence[int], digests: bytes) -> None:
        """The next blocks: content, where each ends in it, and their digests. Raises what `flush` raises."""
        self._add(data, ends, digests, 0, len(ends))

    def _add(self, data: memoryview, ends: Sequence[int], digests: bytes, first: int, behind: int) -> None:
        """Blocks from `first` on: all at once where they are as they were, else one half after the other."""
        if first == behind:
            return
        start, digest = ends[first - 1] if first else 0, digests[first * DIGEST_BYTES : behind * DIGEST_BYTES]
        length = ends[behind - 1] - start
        if self.extents <= self._most and self._before.is_same(self.size_bytes, length, digest):
            self._extend(ExtentKind.BASE, length, self.size_bytes)
            self.size_bytes += length
        elif behind - first == 1:
            self._add_block(data[start : start + length], digest)
        else:
            middle = (first + behind) // 2
            self._add(data, ends, digests, first, middle)
            self._add(data, ends, digests, middle, behind)

    def _add_block(self, block: memoryview, digest: bytes) -> None:
        length, place = len(block), self.size_bytes
        found = self._before.find(place, length, digest)
        if self.extents > self._most:
            found, digest = None, b""
        self.size_bytes += length
        if found is not None:
            self._extend(ExtentKind.BASE, length, found)
        elif digest == ZERO:
            self._extend(ExtentKind.ZEROS, length, 0)
        else:
            self._extend(ExtentKind.LITERAL, length, 0)
            self._literals += block
            self.literal_bytes += length
        if len(self._literals) >= PART_LITERAL_BYTES or len(self._open) > PART_EXTENTS:
            self.end_part()

    def add_zeros(self, length: int) -> None:
        """Zeros in place of what cannot be read."""
        self.size_bytes += length
        self._extend(ExtentKind.ZEROS, length, 0)

    def end_part(self) -> None:
        """Flush what there is; at the end of the file, whatever there is."""
        extents = tuple(Extent(*extent) for extent in self._open)
        self._flush(self._at, extents, self._literals)
        self._parts += 1
        self._at = self.size_bytes
        self._open.clear()
        self._literals = bytearray()

    def _extend(self, kind: ExtentKind, length: int, offset: int) -> None:
        last = self._open[-1] if self._open else None
        if last is not None and last[0] == kind and (kind != ExtentKind.BASE or last[2] + last[1] == offset):
            last[1] += length
            return
        self._open.append([kind, length, offset])
        self.extents += 1
