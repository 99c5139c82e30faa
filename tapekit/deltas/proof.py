"""Proving the deltas of a night, block by block, without a key for what they build upon.

What was read back must come to the file whose map was made while it was read: literals have the digests of their
blocks there, and what is taken from the base has the digests that the base's own map has at that place.
"""

import bisect
import itertools
from array import array
from collections.abc import Callable, Iterator
from typing import NamedTuple

from formats.catalog import Entry
from formats.delta import ExtentKind
from formats.errors import Damaged
from tapekit.deltas.cut import KINDS, PAGE_BYTES, PAGES
from tapekit.deltas.maps import BEFORE, Before, Table, digests_of
from tapekit.deltas.secret import DIGEST_BYTES, ZERO, SiteSecret
from tapekit.deltas.state import Known
from tapekit.stream.chain import part_maps
from tapekit.stream.read import Readable
from tapekit.stream.unpack import read_member

_STEP_BYTES = 1 << 20
_FIELDS = 7


class Made(NamedTuple):
    """A delta as it was made: where in the stream, the way and the place of its map, and the member it builds upon."""

    offset: int
    kind: int
    place: int
    base: int
    """Of the archives that the night builds upon, from 1."""
    base_offset: int
    base_place: int
    """Of the map of the same kind that the base has."""
    base_bytes: int


class Proof:
    """Knows of every delta of one archive: 56 bytes of each."""

    def __init__(
        self, secret: SiteSecret, bases: tuple[str, ...], old: Callable[[str, int, int], Iterator[Table]],
        new: Callable[[str, int], Iterator[Table]],
    ) -> None:  # fmt: skip
        """`old` opens a map by kind, base and place, `new` one of this archive."""
        self._secret = secret
        self._bases = bases
        self._old = old
        self._new = new
        self._made = [array("Q") for _ in range(_FIELDS)]

    def add(self, offset: int, kind: str, place: int, known: Known) -> None:
        """A delta was made; they come in the order of the stream."""
        base_place = known.pages if kind == PAGES else known.chunks
        entry = known.entry
        made = Made(offset, KINDS.index(kind), place, entry.base, entry.offset, base_place, entry.size)
        for column, value in zip(self._made, made, strict=True):
            column.append(value)

    def check(self, entry: Entry, stream: Readable) -> None:
        """Read a delta back, from where the stream stands. Raises Hole, and Damaged where it is not what was made."""
        made = self._of(entry)
        if made is None:
            return
        found = read_member(stream, None)
        if found is None:
            raise Damaged("the stream ends before it")
        kind = KINDS[made.kind]
        old = BEFORE[kind](self._old(kind, made.base, made.base_place), made.base_bytes)
        blocks = _Blocks(self._new(kind, made.place), entry.size)
        for mapped in part_maps(stream, found, entry.path):
            part = mapped.part
            if (part.base, part.base_offset) != (self._bases[made.base - 1], made.base_offset):
                raise Damaged("delta: it builds upon another member than was meant")
            for extent in mapped.extents:
                _Extent(extent.kind, extent.offset, self._secret, old).check(blocks, extent.length, stream)
            if part.is_last and part.sha256 != entry.sha256:
                raise Damaged("delta: its last part has another digest than the catalog")
        blocks.end()

    def _of(self, entry: Entry) -> Made | None:
        offsets = self._made[0]
        number = bisect.bisect_left(offsets, entry.offset)
        if number == len(offsets) or offsets[number] != entry.offset:
            return None
        return Made(*(column[number] for column in self._made))


class _Blocks:
    """The blocks of a map, in order."""

    def __init__(self, found: Iterator[Table], size_bytes: int) -> None:
        self.place = 0
        self._size_bytes = size_bytes
        self._found = found
        self._lengths: array[int] = array("I")
        self._digests = b""
        self._number = 0
        """Of the next block among those at hand."""

    def take(self, most_bytes: int) -> tuple[list[int], bytes]:
        """Some of the next blocks, that are together at most so long: where each ends, and their digests."""
        left = len(self._digests) // DIGEST_BYTES - self._number
        if not left:
            table = next(self._found, None)
            if table is None:
                raise Damaged("delta: it goes on behind the end of its map")
            self._lengths, self._digests, self._number = table.lengths, table.digests, 0
            left = len(self._digests) // DIGEST_BYTES
        lengths = self._lengths[self._number :] if self._lengths else itertools.repeat(PAGE_BYTES, left)
        ends = []
        for end in itertools.accumulate(lengths):
            shorter = min(end, self._size_bytes - self.place)
            if shorter > most_bytes:
                break
            ends.append(shorter)
        if not ends:
            raise Damaged("delta: an extent ends where no block does")
        first, self._number = self._number, self._number + len(ends)
        self.place += ends[-1]
        return ends, self._digests[first * DIGEST_BYTES : self._number * DIGEST_BYTES]

    def end(self) -> None:
        """All blocks were seen. Raises Damaged where more follow, or the file is not as long."""
        if (
            self.place != self._size_bytes
            or self._number * DIGEST_BYTES != len(self._digests)
            or next(self._found, None)
        ):
            raise Damaged("delta: it ends before its map does")


class _Extent(NamedTuple):
    """One stretch of a delta against the maps."""

    kind: int
    offset: int
    secret: SiteSecret
    old: Before

    def check(self, blocks: _Blocks, length: int, stream: Readable) -> None:
        """Raises Hole, and Damaged where it holds anything else."""
        done = 0
        while done < length:
            place = blocks.place
            ends, digests = blocks.take(min(length - done, _STEP_BYTES))
            if self.kind == ExtentKind.BASE and self.offset + done == place and (
                self.old.is_same(place, ends[-1], digests)
            ):  # fmt: skip
                done += ends[-1]
                continue
            if self.kind == ExtentKind.LITERAL:
                data = memoryview(stream.read(ends[-1]))
                if digests_of(self.secret, data, ends) != digests:
                    raise Damaged(f"delta: what is stored of byte {place} and behind is not what was read there")
            for number, (start, end) in enumerate(itertools.pairwise((0, *ends))):
                digest = digests[number * DIGEST_BYTES : (number + 1) * DIGEST_BYTES]
                self._check_block(place + start, end - start, digest, self.offset + done + start)
            done += ends[-1]

    def _check_block(self, place: int, length: int, digest: bytes, offset: int) -> None:
        """Asked of the base's map as it was when the delta was made: it reads ahead in the same way."""
        found = self.old.find(place, length, digest)
        if self.kind == ExtentKind.BASE and found != offset:
            raise Damaged(f"delta: its base has something else for byte {place} and behind")
        if self.kind == ExtentKind.ZEROS and digest != ZERO:
            raise Damaged(f"delta: zeros in place of byte {place} and behind")
