"""Writing a segment's blocks: the caller fills buffers, some threads compress, one encrypts and seals, one writes.

The pool of buffers is the only bound that the pipeline needs: who wants to fill another buffer waits until the drive
has taken one.
"""

import contextlib
import dataclasses
import hashlib
import os
import queue
import threading
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future

from drivers.base import Buffering, Drive, MediumState
from formats import block
from formats.block import HEADER_BYTES, NO_PARITY_GROUP, TAG_BYTES, BlockHead, Flags, Kind
from formats.segment import BlockCounts, ParityScheme
from tapekit.blocks.ahead import Ahead
from tapekit.blocks.cipher import ENCRYPTED_KINDS, BlockCipher
from tapekit.blocks.codec import Compressor
from tapekit.blocks.flow import Flow, Flowed
from tapekit.blocks.parity import Group, Grouping, Sums, group_parity_bytes, parity_block
from tapekit.blocks.read import GoodBlock, decode

_MAY_END = frozenset((Kind.DATA, Kind.CATALOG))
"""Blocks that a parity group may end with; documents are not interrupted."""
KEPT_BYTES = 16 << 20
"""Blocks that a drive has taken are kept for a while where it may say later that it could not write them: tape."""
POOL_BYTES = 32 << 20
"""What lies between reading and writing: a tenth of a second of an LTO-9 drive, and many small files."""
TAPE_POOL_BYTES = 512 << 20
"""The same for a tape, which stops less often the more there is; never more than a quarter of the memory."""


@dataclasses.dataclass(frozen=True)
class Piece:
    """Plain bytes on their way to becoming a block: `view` lies behind room for the header in `buffer`."""

    kind: Kind
    buffer: bytearray
    plain_bytes: int
    stream_offset: int
    flags: Flags = Flags.NONE
    frame: bytes | None = None
    is_protected: bool = True
    """Whether it is in a parity group, where there are any."""
    ahead: "Future[bytes | None] | None" = None
    """Its frame, where a thread is compressing it."""

    @property
    def plain(self) -> memoryview:
        """The plain bytes."""
        return memoryview(self.buffer)[HEADER_BYTES : HEADER_BYTES + self.plain_bytes]


@dataclasses.dataclass(frozen=True)
class SealedBlock:
    """A block ready for the drive; `pooled` is the buffer to give back afterwards.

    `parity_offset` is its place in the open parity group; None where it is in none.
    """

    data: memoryview
    digest: bytes
    kind: Kind
    pooled: bytearray
    parity_offset: int | None = None


class _CloseGroup:
    """On the way to the sealing thread: the parity group ends here."""


@dataclasses.dataclass(frozen=True)
class PlainCut:
    """Plain bytes of the stream that never came to the medium."""

    stream_offset: int
    content: bytes


def _sequence(sealed: SealedBlock) -> int:
    """Where it stands in every block's header (formats/SPEC.md section 3.1)."""
    return int.from_bytes(sealed.data[40:48], "big")


class SegmentWriter:
    """Writes the blocks of one segment, in order, and keeps the sums that its trailer needs.

    Errors of the drive come out of the next call, whichever that is; after one, nothing more is written.
    """

    def __init__(  # noqa: PLR0913 - as much as a segment is written with
        self, drive: Drive, archive: bytes, segment: int, sequence_start: int, block_size: int,
        compressor: Compressor, cipher: BlockCipher | None = None, *, parity: ParityScheme | None = None,
        tape_pool_bytes: int | None = None,
    ) -> None:  # fmt: skip
        """Start the threads. The drive belongs to them until `threads` is left. With a cipher, blocks are encrypted.

        `tape_pool_bytes`: of memory, for a drive whose tape must not stop; None: as much as is usual.
        """
        self.cut = block_size - HEADER_BYTES - TAG_BYTES
        self.early_warning = False
        self.stored_bytes = 0
        self.last_digest = ""
        """Digest field of the block that was written last."""
        medium = drive.medium()
        self.remaining_bytes = medium.remaining_bytes
        self._block_size = block_size
        self._drive = drive
        self._archive = archive
        self._segment = segment
        self._sequence = sequence_start
        self._compressor = compressor
        self._ahead = Ahead(compressor, block_size)
        self._cipher = cipher
        self._spare = bytearray(block_size)
        """What the next block that was not compressed is encrypted into; the buffer that it was in is the next one."""
        self._grouping = Grouping(parity) if parity else None
        self._sums = Sums(parity.shape) if parity else None
        self._groups_closed = self._groups_written = 0
        self._digests = hashlib.sha256()
        self._counts: Counter[Kind] = Counter()
        self._failure: Exception | None = None
        self._refused: list[SealedBlock | Piece] = []
        """What was handed over and not written when the drive failed, in order."""
        self._sequence_start = sequence_start
        self._kept: deque[SealedBlock] = deque()
        """The blocks that were written last, where the drive may still lose them."""
        self._keeps = _kept_bytes(medium) // block_size
        self._pool: queue.SimpleQueue[bytearray] = queue.SimpleQueue()
        self._pieces: queue.SimpleQueue[Piece | _CloseGroup | threading.Event | None] = queue.SimpleQueue()
        self._sealed: queue.SimpleQueue[SealedBlock | Group | threading.Event | None] = queue.SimpleQueue()
        pool = min(64, max(4, POOL_BYTES // block_size))
        self._flow: Flow[SealedBlock | Group | threading.Event | None] | None = None
        if medium.streaming is not None:
            pool = max(16, (tape_pool_bytes or min(TAPE_POOL_BYTES, _memory_bytes() // 4)) // block_size)
            self._flow = Flow(self._sealed, _flowing_bytes, medium.streaming, pool - pool // 16, self._in_drive)
        self._buffers = pool + self._keeps
        self._made = 0
        self._threads = [
            threading.Thread(target=self._seal_all, name="seal blocks", daemon=True),
            threading.Thread(target=self._write_all, name="write blocks", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    # --- the caller's side ------------------------------------------------------------------------------------

    def buffer(self) -> bytearray:
        """An empty buffer of one block, its first 128 bytes kept for the header; waits until one is free."""
        if self._made < self._buffers and self._pool.empty():
            self._made += 1
            self._pool.put(bytearray(self._block_size))
        buffer = self._pool.get()
        self._raise_failure()
        return buffer

    def write_data(self, buffer: bytearray, plain_bytes: int, stream_offset: int) -> None:
        """Take a filled buffer: `plain_bytes` of the stream from `stream_offset`."""
        self._raise_failure()
        ahead = self._ahead.begin(memoryview(buffer)[HEADER_BYTES : HEADER_BYTES + plain_bytes])
        self._pieces.put(Piece(Kind.DATA, buffer, plain_bytes, stream_offset, ahead=ahead))

    def write_table(self, stored: bytes, plain_bytes: int, first: int, *, last: bool) -> None:
        """Write a catalog table: a zstd frame, or the plain bytes where that is not shorter."""
        buffer = self.buffer()
        flags = Flags.LAST if last else Flags.NONE
        frame = stored if len(stored) < plain_bytes else None
        if frame is None:
            buffer[HEADER_BYTES : HEADER_BYTES + plain_bytes] = stored
        self._pieces.put(Piece(Kind.CATALOG, buffer, plain_bytes, first, flags, frame))

    def write_document(self, kind: Kind, document: bytes, *, is_protected: bool = True) -> None:
        """Write a document as a run of blocks."""
        room = self._block_size - HEADER_BYTES
        for start in range(0, len(document), room):
            part = document[start : start + room]
            buffer = self.buffer()
            buffer[HEADER_BYTES : HEADER_BYTES + len(part)] = part
            flags = Flags.LAST if start + room >= len(document) else Flags.NONE
            self._pieces.put(Piece(kind, buffer, len(part), start, flags, is_protected=is_protected))

    def close_group(self) -> None:
        """Write the parity of what was handed over since the last group."""
        self._pieces.put(_CloseGroup())

    def room_bytes(self, more_bytes: int = 0) -> int:
        """What is surely left on the medium when all that was handed over so far is written.

        So is the parity of it, and of `more_bytes` that are to come, for which there is room then.
        """
        waiting = (self._made - self._pool.qsize() - len(self._kept) + 1) * (self._block_size + 4096)
        return self.remaining_bytes - waiting - self._parity_due_bytes(waiting + more_bytes)

    def _parity_due_bytes(self, more_bytes: int) -> int:
        if self._grouping is None:
            return 0
        full = (self._grouping.member_bytes + more_bytes) // self._grouping.full_bytes
        groups = full + 1 + self._groups_closed - self._groups_written
        shape = self._grouping.shape
        return groups * (group_parity_bytes(shape) + shape.parity_blocks * 4096)

    def drain(self) -> None:
        """Wait until everything handed over is with the drive."""
        passed = threading.Event()
        self._pieces.put(passed)
        passed.wait()
        self._raise_failure()

    def taken_back(self, lost_from: int | None = None) -> list[PlainCut] | None:
        """Data that was handed over and never came to the medium, in order. The threads must have ended.

        `lost_from` is the number in the file of the first block that the drive had taken and lost; None where that is
        so long ago that it is not kept any more.
        """
        lost: list[SealedBlock] = []
        if lost_from is not None:
            first = self._sequence_start + lost_from
            if not self._kept or _sequence(self._kept[0]) > first:
                return None
            lost = [item for item in self._kept if _sequence(item) >= first]
        sealed = lost + [item for item in self._refused if isinstance(item, SealedBlock)]
        pieces = [item for item in self._refused if isinstance(item, Piece)]
        cuts = [self._opened(item) for item in sealed if item.kind == Kind.DATA]
        cuts += [PlainCut(item.stream_offset, bytes(item.plain)) for item in pieces if item.kind == Kind.DATA]
        return sorted(cuts, key=lambda cut: cut.stream_offset)

    def _opened(self, sealed: SealedBlock) -> PlainCut:
        """The plain bytes of a block, which it alone holds by now."""
        data = bytes(sealed.data)
        good = GoodBlock(0, block.parse(data), data)
        return PlainCut(good.header.stream_offset, bytes(decode(good, self._cipher)))

    @property
    def next_sequence(self) -> int:
        """Behind that of every block that was sealed."""
        return self._sequence

    def sums(self) -> tuple[BlockCounts, str]:
        """Blocks by kind, and the digest over their digests, of all that was written; drain first.

        Parity is counted and has no part in the digest, because some of it comes behind the trailer's first copy.
        """
        counts = BlockCounts(
            header=self._counts[Kind.HEADER], data=self._counts[Kind.DATA],
            parity=self._counts[Kind.PARITY], catalog=self._counts[Kind.CATALOG],
        )  # fmt: skip
        return counts, self._digests.hexdigest()

    def flowed(self) -> Flowed | None:
        """How well the tape was kept going; None where that does not matter."""
        return self._flow.result() if self._flow else None

    @contextlib.contextmanager
    def threads(self) -> Iterator["SegmentWriter"]:
        """The threads end with this context, whatever happens in it."""
        try:
            yield self
        finally:
            self._pieces.put(None)
            for thread in self._threads:
                thread.join()
            self._ahead.close()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    # --- the threads ------------------------------------------------------------------------------------------

    def _seal_all(self) -> None:
        while (piece := self._pieces.get()) is not None:
            if isinstance(piece, threading.Event) or self._failure is not None:
                self._pass_on(piece)
                continue
            try:
                if isinstance(piece, Piece):
                    self._sealed.put(self._seal(piece))
                self._end_group(piece)
            except Exception as error:  # noqa: BLE001 - handed to the caller's thread
                self._failure = error
                self._pass_on(piece)
        self._sealed.put(None)

    def _pass_on(self, piece: Piece | _CloseGroup | threading.Event) -> None:
        """Let an event through; keep a piece, and give another buffer for it, so that the caller sees the failure."""
        if isinstance(piece, threading.Event):
            self._sealed.put(piece)
        elif isinstance(piece, Piece):
            self._refused.append(piece)
            self._pool.put(bytearray(self._block_size))

    def _end_group(self, piece: Piece | _CloseGroup) -> None:
        """Let the group's parity follow, where it is full or shall end; never within a document."""
        grouping = self._grouping
        if grouping is None or (isinstance(piece, Piece) and not (piece.kind in _MAY_END and grouping.is_full)):
            return
        self._groups_closed += 1  # before the grouping forgets it: whoever asks for room counts it once at least
        group = grouping.close(self._sequence)
        if group is None:
            self._groups_written += 1
            return
        self._sequence += grouping.shape.parity_blocks
        self._sealed.put(group)

    def _seal(self, piece: Piece) -> SealedBlock:
        frame, flags = piece.frame, piece.flags
        if piece.kind == Kind.DATA:
            frame = piece.ahead.result() if piece.ahead else self._compressor.compress(piece.plain)
        payload = piece.plain if frame is None else memoryview(frame)
        cipher = self._cipher if piece.kind in ENCRYPTED_KINDS else None
        if frame is not None:
            flags |= Flags.COMPRESSED
        if cipher is not None:
            flags |= Flags.ENCRYPTED
        payload_bytes = len(payload) + (TAG_BYTES if cipher else 0)
        group, parity_offset = NO_PARITY_GROUP, 0
        if self._grouping is not None and piece.is_protected:
            group, parity_offset = self._grouping.take(HEADER_BYTES + payload_bytes, self._sequence)
        head = block.authenticated(BlockHead(
            kind=piece.kind, flags=int(flags), payload_bytes=payload_bytes, archive=self._archive,
            segment=self._segment, parity_group=group, sequence=self._sequence,
            stream_offset=piece.stream_offset, plain_bytes=piece.plain_bytes, parity_offset=parity_offset,
        ))  # fmt: skip
        self._sequence += 1
        place = None if group == NO_PARITY_GROUP else parity_offset
        if cipher is not None:
            return self._encrypt(cipher, head, piece, frame, place)
        header = block.seal(head, payload)
        buffer, end = piece.buffer, HEADER_BYTES + len(payload)
        buffer[:HEADER_BYTES] = header
        if frame is not None:
            buffer[HEADER_BYTES:end] = frame  # it is the shorter one: no second copy waits for the drive
        return SealedBlock(memoryview(buffer)[:end], block.digest(header), piece.kind, buffer, place)

    def _encrypt(
        self, cipher: BlockCipher, head: bytes, piece: Piece, frame: bytes | None, place: int | None
    ) -> SealedBlock:
        """Without a copy: a frame goes into the buffer that it was made from, anything else into the spare one."""
        buffer = piece.buffer
        plain: bytes | memoryview = frame if frame is not None else piece.plain
        if frame is None:
            buffer, self._spare = self._spare, buffer
        end = HEADER_BYTES + len(plain) + TAG_BYTES
        payload = memoryview(buffer)[HEADER_BYTES:end]
        cipher.encrypt_into(head, plain, payload)
        header = block.seal(head, payload)
        buffer[:HEADER_BYTES] = header
        return SealedBlock(memoryview(buffer)[:end], block.digest(header), piece.kind, buffer, place)

    def _write_all(self) -> None:
        for sealed in self._arriving():
            if isinstance(sealed, threading.Event):
                sealed.set()
                continue
            if self._failure is None:
                try:
                    if isinstance(sealed, Group):
                        self._write_parity(sealed)
                    else:
                        self._write(sealed.data, sealed.kind)
                        self._add_up(sealed)
                except Exception as error:  # noqa: BLE001 - handed to the caller's thread
                    self._failure = error
            if isinstance(sealed, SealedBlock):
                self._give_back(sealed)

    def _in_drive(self) -> int | None:
        """What the drive has taken and not written; None where it does not tell. An error is that of the next block."""
        if self._failure is None and isinstance(self._drive, Buffering):
            try:
                return self._drive.buffered_bytes()
            except Exception as error:  # noqa: BLE001 - handed to the caller's thread
                self._failure = error
        return None

    def _arriving(self) -> Iterator[SealedBlock | Group | threading.Event]:
        """What was sealed, until the end."""
        take = self._sealed.get if self._flow is None else iter(self._flow).__next__
        while (sealed := take()) is not None:
            yield sealed

    def _give_back(self, sealed: SealedBlock) -> None:
        """Its buffer can be filled again; one that was not written is kept, and another buffer given for it."""
        if self._failure is None:
            if self._keeps:
                self._kept.append(sealed)
            if len(self._kept) > self._keeps or not self._keeps:
                self._pool.put(self._kept.popleft().pooled if self._keeps else sealed.pooled)
        else:
            self._refused.append(sealed)
            self._pool.put(bytearray(self._block_size))

    def _write(self, data: "bytes | memoryview", kind: Kind) -> None:
        if self._drive.write_block(data):
            self.early_warning = True
        self.stored_bytes += len(data)
        self.remaining_bytes = self._drive.medium().remaining_bytes
        if kind != Kind.TRAILER:
            self._counts[kind] += 1

    def _add_up(self, sealed: SealedBlock) -> None:
        """What the trailer, and the group's parity, will say of a block."""
        self.last_digest = sealed.digest.hex()
        if sealed.kind != Kind.TRAILER:
            self._digests.update(sealed.digest)
        if self._sums is not None and sealed.parity_offset is not None:
            self._sums.add(sealed.parity_offset, sealed.data)

    def _write_parity(self, group: Group) -> None:
        sums, grouping = self._sums, self._grouping
        assert sums is not None  # noqa: S101 - there is a group
        assert grouping is not None  # noqa: S101
        sums.finish(group.member_bytes)
        for number, (index, lane) in enumerate(grouping.shape.order(group.member_bytes)):
            content = sums.parity(index, lane)
            self._write(parity_block(group, grouping.shape, self._archive, self._segment, number, content), Kind.PARITY)
        sums.clear()
        self._groups_written += 1


def _flowing_bytes(item: SealedBlock | Group | threading.Event | None) -> int | None:
    """For Flow: parity is made when it is written, and is in no buffer of the pool; for all else somebody waits."""
    if isinstance(item, SealedBlock):
        return len(item.data)
    return 0 if isinstance(item, Group) else None


def _kept_bytes(medium: MediumState) -> int:
    """Of what was written last: as much as a tape drive may hold in its buffer, and lose."""
    if not medium.is_tape:
        return 0
    return min(medium.streaming.buffer_bytes, _memory_bytes() // 8) if medium.streaming else KEPT_BYTES


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
