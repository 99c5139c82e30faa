"""The plain stream of a segment, from any offset on, with holes where blocks are damaged."""

import collections
import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Protocol

from drivers.base import Drive
from drivers.errors import EndOfData
from formats.block import NO_PARITY_GROUP, Kind
from formats.errors import Damaged
from tapekit.blocks.cipher import BlockCipher
from tapekit.blocks.read import BadBlock, BlockRun, Expected, FileEnd, GoodBlock, decode, read_blocks, read_one
from tapekit.cartridge.cartridge import Segment
from tapekit.errors import VerificationFailed

SKIP_BLOCKS = 16
"""A jump further than this is a locate; a shorter one reads the blocks between."""


class Hole(Exception):
    """The stream has no bytes at the place that was asked for; they begin again at `end` (None: not known)."""

    def __init__(self, start: int, end: int | None, why: str) -> None:
        """Name the stretch of the stream that is missing."""
        super().__init__(why)
        self.start = start
        self.end = end


@dataclasses.dataclass(frozen=True)
class StreamLayout:
    """Where a segment's data blocks are in its file, and what of the stream they carry.

    `data_blocks` is None where no trailer tells; `end` likewise the stream offset behind the last data block. With
    parity blocks among them, a data block stands where its offset says or later.
    """

    file: int
    first_block: int
    data_blocks: int | None
    cut: int
    start: int
    end: int | None
    expected: Expected
    has_parity: bool = False
    cipher: BlockCipher | None = dataclasses.field(default=None, repr=False, compare=False)


def find_layout(drive: Drive, segment: Segment) -> StreamLayout:
    """The layout of a segment, from its header, or from its data blocks where the header is damaged.

    Raises VerificationFailed where no data block can be found.
    """
    trailer, header = segment.trailer, segment.header
    data_blocks = trailer.blocks.data if trailer else None
    if header is not None:
        expected = segment.expected()
        assert expected is not None  # noqa: S101 - a header gives it
        first, cut, start = segment.header_blocks, header.cut, header.stream_start
        has_parity = header.parity is not None
    else:
        good = _first_data_block(drive, segment)
        found = good.header
        cut = found.plain_bytes
        expected = Expected(found.archive, found.segment, found.sequence - good.number)
        # Without a trailer: as if the segment began with the stream, or else with this block. None before it is good.
        blocks_before = found.stream_offset // cut
        first = (
            trailer.blocks.header if trailer else good.number - (blocks_before if blocks_before < good.number else 0)
        )
        has_parity = found.parity_group != NO_PARITY_GROUP
        if has_parity:  # among the blocks before it may be parity blocks; data blocks there are lost anyway
            first = good.number
        start = found.stream_offset - (good.number - first) * cut
    end = start + trailer.stream_bytes if trailer and not (has_parity and header is None) else None
    return StreamLayout(segment.file, first, data_blocks, cut, start, end, expected, has_parity, segment.cipher)


def _first_data_block(drive: Drive, segment: Segment) -> GoodBlock:
    drive.locate(segment.file, 0)
    for number in range(1 << 20):
        item = read_one(drive, number, None)
        if isinstance(item, FileEnd):
            break
        if isinstance(item, GoodBlock) and item.header.kind == Kind.DATA and item.header.plain_bytes:
            return item
    raise VerificationFailed(f"file {segment.file}: neither its header nor any data block can be read")


class Readable(Protocol):
    """A plain stream: of a segment, or of an archive over all its segments. See PlainStream."""

    offset: int

    def seek(self, offset: int) -> None:
        """Go to a stream offset."""

    def take(self, most: int) -> memoryview:
        """Up to `most` bytes from here."""

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes."""


def read_exactly(stream: Readable, size: int) -> bytes:
    """`size` bytes. Raises what `take` raises, and Damaged where the stream ends before."""
    parts = []
    while size:
        part = stream.take(size)
        if not part:
            raise Damaged("stream: it ends in the middle of a member")
        parts.append(bytes(part))
        size -= len(part)
    return b"".join(parts)


class Recent:
    """The blocks of some streams that were read last: what needs them in turn does not read them in turn."""

    def __init__(self, most_bytes: int) -> None:
        """Keep at most so much, decoded."""
        self._left = most_bytes
        self._kept: collections.OrderedDict[tuple[int, int], memoryview] = collections.OrderedDict()

    def find(self, file: int, start: int) -> memoryview | None:
        """The block of a segment's file that begins at a stream offset, where it is kept."""
        found = self._kept.get((file, start))
        if found is not None:
            self._kept.move_to_end((file, start))
        return found

    def keep(self, file: int, start: int, plain: memoryview) -> None:
        """A block was read; those that were needed longest ago make room."""
        if (file, start) in self._kept:
            return
        self._kept[file, start] = plain
        self._left -= len(plain)
        while self._left < 0 and len(self._kept) > 1:
            self._left += len(self._kept.popitem(last=False)[1])


class PlainStream(contextlib.AbstractContextManager["PlainStream"]):
    """Reads the stream of one segment forward; seeks by locating the block that holds an offset.

    `on_block` is told of every block as it is read. `bad_blocks` counts the damaged ones that were met. What `recent`
    keeps is not read again.
    """

    def __init__(
        self, drive: Drive, layout: StreamLayout, on_block: Callable[[GoodBlock | BadBlock], None] | None = None,
        *, skips: bool = True, recent: Recent | None = None,
    ) -> None:  # fmt: skip
        """Begin at the start of the segment's part of the stream; without `skips`, no block is jumped over."""
        self.layout = layout
        self.offset = layout.start
        self.bad_blocks: list[BadBlock] = []
        self._bad_numbers: set[int] = set()
        self._drive = drive
        self._skip_blocks = SKIP_BLOCKS if skips else 1 << 62
        self._recent = recent
        self._on_block = on_block or (lambda _item: None)
        self._run: BlockRun | None = None
        self._items: Iterator[GoodBlock | BadBlock | FileEnd] = iter(())
        self._next_block = 0
        self._plain: memoryview = memoryview(b"")
        self._plain_start = layout.start
        self._at_end = False
        self._known = (0, layout.first_block)
        """Of the data blocks (by their number in the stream) the last that was met, and where it stands."""

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the drive back."""
        if self._run is not None:
            left, self._run = self._run.close(), None
            for item in left:
                self._keep(item)

    def _keep(self, item: GoodBlock | BadBlock) -> None:
        """What was read on the way, or ahead, is not read again."""
        if self._recent is not None and isinstance(item, GoodBlock) and item.header.kind == Kind.DATA:
            with contextlib.suppress(Damaged):  # it is met again where it is needed
                plain = memoryview(decode(item, self.layout.cipher))
                self._recent.keep(self.layout.file, item.header.stream_offset, plain)

    def seek(self, offset: int) -> None:
        """Go to a stream offset; nothing is read before it is needed."""
        self.offset = offset

    def take(self, most: int) -> memoryview:
        """Up to `most` bytes from here, at least one; none at the end of the stream. Raises Hole."""
        place = self.offset - self._plain_start
        if not 0 <= place < len(self._plain):
            if not self._fetch():
                return memoryview(b"")
            place = self.offset - self._plain_start
        part = self._plain[place : place + most]
        self.offset += len(part)
        return part

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes. Raises Hole, and Damaged where the stream ends before."""
        return read_exactly(self, size)

    def drain(self) -> None:
        """Read every block that is left, for its digest's sake."""
        while True:
            try:
                part = self.take(self.layout.cut)
            except Hole as hole:
                if hole.end is None:
                    return
                self.seek(hole.end)
                continue
            if not part:
                return

    def _fetch(self) -> bool:
        """Bring the block that holds the offset; False at the end of the stream. Raises Hole."""
        layout = self.layout
        if self.offset < layout.start or (layout.end is not None and self.offset >= layout.end):
            return False
        index = (self.offset - layout.start) // layout.cut
        start = layout.start + index * layout.cut
        kept = self._recent.find(layout.file, start) if self._recent else None
        if kept is not None:
            self._plain, self._plain_start = kept, start
            return self.offset < start + len(kept)
        return self._search(index) if layout.has_parity else self._step(index)

    def _step(self, index: int) -> bool:
        """As `_fetch`, where data blocks stand one behind the other. Raises Hole."""
        layout = self.layout
        wanted = layout.first_block + index
        if not self._run_to(wanted):
            return False
        for item in self._items:
            self._next_block = item.number + 1
            if isinstance(item, FileEnd):
                return False
            if isinstance(item, GoodBlock) and item.header.kind != Kind.DATA:
                if item.header.kind in (Kind.CATALOG, Kind.TRAILER):
                    return False
                continue
            self._on_block(item)
            if isinstance(item, BadBlock):
                self._note_bad(item)
            if item.number < wanted:
                self._keep(item)
                continue
            return self._use(item, index)
        return False

    def _search(self, index: int) -> bool:
        """As `_fetch`, where parity blocks stand among the data blocks (SPEC.md section 6.2). Raises Hole."""
        layout = self.layout
        known, number = self._known if self._known[0] <= index else (0, layout.first_block)
        wanted, bad = number + index - known, None
        while self._run_to(wanted):
            item = next(self._items, None)
            if (
                item is None
                or isinstance(item, FileEnd)
                or (isinstance(item, GoodBlock) and item.header.kind in (Kind.CATALOG, Kind.TRAILER))
            ):
                break
            self._next_block = item.number + 1
            self._on_block(item)
            if isinstance(item, BadBlock):
                bad = self._note_bad(item)
            elif item.header.kind == Kind.DATA:
                met = (item.header.stream_offset - layout.start) // layout.cut
                self._known = (met, item.number)
                if met == index:
                    return self._use(item, index)
                if met > index:
                    why = bad.why if bad else "the block that belongs before it is missing"
                    raise Hole(self.offset, item.header.stream_offset, f"block {item.number}: {why}")
                self._keep(item)
                wanted = max(wanted, item.number + index - met)
            wanted = max(wanted, item.number + 1)
        if bad is not None:
            raise Hole(self.offset, layout.end, f"block {bad.number} of file {layout.file}: {bad.why}")
        return False

    def _run_to(self, wanted: int) -> bool:
        """Have a run of blocks under way that comes by block `wanted`; False where the file ends before it."""
        if self._run is not None and self._next_block <= wanted <= self._next_block + self._skip_blocks:
            return True
        self.close()
        start = wanted
        if self._skip_blocks != SKIP_BLOCKS:
            start = min(wanted, max(self._next_block, self.layout.first_block))
        try:
            self._run = read_blocks(self._drive, self.layout.file, start, self.layout.expected)
        except EndOfData:  # a segment that a crash cut short
            return False
        self._items, self._next_block = iter(self._run), start
        return True

    def _use(self, item: GoodBlock | BadBlock, index: int) -> bool:
        """Make the block the current one; False where it ends before the offset. Raises Hole."""
        layout = self.layout
        start = layout.start + index * layout.cut
        behind = start + layout.cut if layout.end is None else min(start + layout.cut, layout.end)
        if isinstance(item, BadBlock):
            raise Hole(self.offset, behind, f"block {item.number} of file {layout.file}: {item.why}")
        if item.header.stream_offset != start:
            bad = self._note_bad(BadBlock(item.number, "carries another part of the stream"))
            raise Hole(self.offset, behind, f"block {bad.number} of file {layout.file}: {bad.why}")
        try:
            self._plain = memoryview(decode(item, layout.cipher))
        except Damaged as error:
            self._note_bad(BadBlock(item.number, str(error)))
            raise Hole(self.offset, behind, f"block {item.number} of file {layout.file}: {error}") from error
        self._plain_start = start
        if self._recent is not None:
            self._recent.keep(layout.file, start, self._plain)
        return self.offset < start + len(self._plain)

    def _note_bad(self, bad: BadBlock) -> BadBlock:
        """Count a damaged block once, however often it is met."""
        if bad.number not in self._bad_numbers:
            self._bad_numbers.add(bad.number)
            self.bad_blocks.append(bad)
        return bad
