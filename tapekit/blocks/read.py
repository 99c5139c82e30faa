"""Reading a segment's blocks: one thread reads ahead, one checks digests, the caller decodes."""

import contextlib
import dataclasses
import queue
import threading
from collections.abc import Iterator
from typing import Protocol, TypeVar, runtime_checkable

from drivers.base import Drive, Mark
from drivers.errors import DriveError, MediumError
from formats import block
from formats.block import BlockHeader, Flags, Kind
from formats.document import LARGEST_DOCUMENT_BYTES
from formats.document import MOST_BLOCKS as MOST_DOCUMENT_BLOCKS
from formats.errors import Damaged, FormatError, NewerFormat
from tapekit.blocks.cipher import ENCRYPTED_KINDS, BlockCipher
from tapekit.blocks.codec import decompress
from tapekit.errors import KeyNeeded

READ_AHEAD_BYTES = 4 << 20
"""What waits between two threads: a few blocks, or a single one of the largest size."""
SMALLEST_WAITING_BYTES = 64 << 10
"""The least that a block counts for, so that no queue grows long."""
MOST_BAD_IN_A_ROW = 1_000_000
"""Gives up on a drive that answers nothing but errors."""
_FLAGS_OF: dict[int, Flags] = {
    Kind.DATA: Flags.COMPRESSED | Flags.ENCRYPTED | Flags.LAST,
    Kind.CATALOG: Flags.COMPRESSED | Flags.ENCRYPTED | Flags.LAST,
    Kind.TRAILER: Flags.COMPRESSED | Flags.LAST,
}
"""Flags that a block of these kinds may have (SPEC.md section 3.3); any other kind, *last* alone."""


@dataclasses.dataclass(frozen=True)
class GoodBlock:
    """A block whose digest is right, at its place in the file.

    `corrected` says what was wrong with it on the medium, where parity gave it back.
    """

    number: int
    header: BlockHeader
    data: bytes
    corrected: str = ""

    @property
    def payload(self) -> memoryview:
        """The payload as stored."""
        return block.payload(self.data)


@dataclasses.dataclass(frozen=True)
class BadBlock:
    """A place in the file that cannot be read, or does not hold the block that belongs there."""

    number: int
    why: str


@dataclasses.dataclass(frozen=True)
class FileEnd:
    """Where the blocks of a file end; without a filemark the file is incomplete."""

    number: int
    has_filemark: bool


@dataclasses.dataclass(frozen=True)
class Expected:
    """Which blocks belong in a file: of this segment of this archive, the first with this sequence."""

    archive: bytes
    segment: int
    sequence_start: int

    def check(self, header: BlockHeader, number: int) -> None:
        """Raises Damaged for a block of another archive or place."""
        if (header.archive, header.segment) != (self.archive, self.segment):
            raise Damaged(f"block: belongs to archive {header.archive.hex()}, segment {header.segment}")
        if header.sequence != self.sequence_start + number:
            raise Damaged(f"block: has sequence {header.sequence}, expected {self.sequence_start + number}")


@runtime_checkable
class Corrector(Protocol):
    """A drive that knows what belongs in the place of a bad block (`tapekit.blocks.correct`)."""

    def is_known(self, bad: BadBlock, file: int) -> bool:
        """Whether the answer is known already: then `correct` does not move the drive."""

    def correct(self, bad: BadBlock, file: int, expected: Expected | None) -> GoodBlock | None:
        """The block that belongs there, or None; the drive stands anywhere afterwards."""


def read_one(drive: Drive, number: int, expected: Expected | None) -> "GoodBlock | BadBlock | FileEnd":
    """The block where the drive stands, which is block `number` of its file, checked; a drive that can corrects it.

    The drive stands behind it afterwards.
    """
    if not isinstance(drive, Corrector):
        return _checked(_read(drive, number), number, expected)
    file = drive.position().file
    item = _checked(_read(drive, number), number, expected)
    if isinstance(item, BadBlock):
        item = drive.correct(item, file, expected) or item
        drive.locate(file, number + 1)
    return item


def _read(drive: Drive, number: int) -> "bytes | BadBlock | FileEnd":
    """What stands on the medium as block `number`, unchecked."""
    try:
        data = drive.read_block()
    except MediumError as error:
        return BadBlock(number, str(error))
    return FileEnd(number, has_filemark=data is Mark.FILEMARK) if isinstance(data, Mark) else data


def _checked(
    data: "bytes | BadBlock | FileEnd", number: int, expected: Expected | None
) -> "GoodBlock | BadBlock | FileEnd":
    if not isinstance(data, bytes):
        return data
    try:
        header = block.parse(data)
        if expected is not None:
            expected.check(header, number)
    except NewerFormat as error:
        if expected is None:
            raise
        # The format of a whole cartridge is one (SPEC.md section 15): where the place is known, this is damage.
        return BadBlock(number, str(error))
    except FormatError as error:
        return BadBlock(number, str(error))
    return GoodBlock(number, header, data)


def read_blocks(drive: Drive, file: int, start: int, expected: Expected | None) -> "BlockRun":
    """The blocks of a file from `start` on, read ahead by a thread. Use as a context manager."""
    return BlockRun(drive, file, start, expected)


_T = TypeVar("_T")


class _ByteQueue(queue.Queue[_T]):
    """A queue whose bound counts bytes: it is full when what waits in it has as many; a mark counts as a unit."""

    def _init(self, maxsize: int) -> None:
        super()._init(maxsize)
        self._waiting_bytes = 0

    def _qsize(self) -> int:
        return self._waiting_bytes

    def _put(self, item: _T) -> None:
        super()._put(item)
        self._waiting_bytes += _size(item)

    def _get(self) -> _T:
        item = super()._get()
        self._waiting_bytes -= _size(item)
        return item


def _size(item: object) -> int:
    data = item.data if isinstance(item, GoodBlock) else item
    return max(SMALLEST_WAITING_BYTES, len(data)) if isinstance(data, bytes) else SMALLEST_WAITING_BYTES


class BlockRun(contextlib.AbstractContextManager["BlockRun"]):
    """Iterates over GoodBlock and BadBlock, and ends with one FileEnd. The drive belongs to it until it is left."""

    def __init__(self, drive: Drive, file: int, start: int, expected: Expected | None) -> None:
        """Locate, and begin to read ahead."""
        self._drive = drive
        self._file = file
        self._expected = expected
        self._begin(start)

    def _begin(self, start: int) -> None:
        self._drive.locate(self._file, start)
        self._start = start
        self._raw: _ByteQueue[bytes | BadBlock | FileEnd | Exception] = _ByteQueue(READ_AHEAD_BYTES)
        self._items: _ByteQueue[GoodBlock | BadBlock | FileEnd | Exception] = _ByteQueue(READ_AHEAD_BYTES)
        self._stop = False
        self._reading = threading.Thread(target=self._read_all, name="read blocks", daemon=True)
        self._checking = threading.Thread(target=self._check_all, name="check blocks", daemon=True)
        self._reading.start()
        self._checking.start()

    def __iter__(self) -> Iterator[GoodBlock | BadBlock | FileEnd]:
        while True:
            item = self._items.get()
            if isinstance(item, Exception):
                raise item
            if isinstance(item, BadBlock) and isinstance(self._drive, Corrector):
                yield self._corrected(self._drive, item)
                continue
            yield item
            if isinstance(item, FileEnd):
                return

    def _corrected(self, corrector: Corrector, bad: BadBlock) -> GoodBlock | BadBlock:
        """Stop reading ahead while the rest of the block's group is read, and go on behind the block."""
        if corrector.is_known(bad, self._file):
            return corrector.correct(bad, self._file, self._expected) or bad
        self.close()
        good = corrector.correct(bad, self._file, self._expected)
        self._begin(bad.number + 1)
        return good or bad

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> list[GoodBlock]:
        """Stop reading ahead; the drive is free again when this returns. What was read, and nobody has taken."""
        self._stop = True
        left = _drain_until_ended(self._items, self._checking)
        self._reading.join()
        return [item for item in left if isinstance(item, GoodBlock)]

    def _read_all(self) -> None:
        number, bad_in_a_row = self._start, 0
        try:
            while not self._stop:
                data = _read(self._drive, number)
                self._raw.put(data)
                if isinstance(data, FileEnd):
                    return
                bad_in_a_row = bad_in_a_row + 1 if isinstance(data, BadBlock) else 0
                if bad_in_a_row > MOST_BAD_IN_A_ROW:
                    raise DriveError(f"{self._drive.url}: {bad_in_a_row} blocks in a row cannot be read")
                number += 1
            self._raw.put(FileEnd(number, has_filemark=False))  # what was read is checked, and no more waited for
        except Exception as error:  # noqa: BLE001 - handed to the reader's thread
            self._raw.put(error)

    def _check_all(self) -> None:
        number = self._start
        while True:
            data = self._raw.get()
            item = data if isinstance(data, Exception) else self._check(data, number)
            self._items.put(item)
            if isinstance(item, (FileEnd, Exception)):
                return
            number += 1

    def _check(self, data: "bytes | BadBlock | FileEnd", number: int) -> "GoodBlock | BadBlock | FileEnd | Exception":
        try:
            return _checked(data, number, self._expected)
        except Exception as error:  # noqa: BLE001 - handed to the reader's thread
            return error


def _drain_until_ended(waiting: "queue.Queue[_T]", thread: threading.Thread) -> list[_T]:
    """Make room for what a thread still wants to hand over, until it sees that it should stop. What it handed over."""
    found = []
    while thread.is_alive() or not waiting.empty():
        with contextlib.suppress(queue.Empty):
            found.append(waiting.get_nowait())
            continue
        thread.join(0.01)
    return found


def decode(good: GoodBlock, cipher: BlockCipher | None = None) -> "bytes | memoryview":
    """The plain bytes of a block. Raises Damaged, or KeyNeeded for an encrypted one that cannot be opened."""
    return expanded(good.header, unsealed(good, cipher))


def expanded(header: BlockHeader, stored: "bytes | memoryview") -> "bytes | memoryview":
    """The plain bytes of a payload that is not encrypted any more. Raises Damaged."""
    if header.is_compressed:
        return decompress(stored, header.plain_bytes)
    if len(stored) != header.plain_bytes:
        raise Damaged(f"block: {len(stored)} bytes stored plain, header says {header.plain_bytes}")
    return stored


def unsealed(good: GoodBlock, cipher: BlockCipher | None) -> "bytes | memoryview":
    """The payload before it was encrypted: a zstd frame, or the plain bytes. Raises as `decode` does.

    With a cipher, what is not encrypted is not believed: whoever has no key could have put it there.
    """
    header = good.header
    if header.flags & ~_FLAGS_OF.get(header.kind, Flags.LAST):
        raise Damaged(f"block: flags {header.flags:#04x}, which a block of kind {header.kind} never has")
    if header.is_encrypted:
        if cipher is None:
            raise KeyNeeded(f"block {good.number}: encrypted, and nothing opens it")
        return cipher.decrypt(good.data)
    if cipher is not None and header.kind in ENCRYPTED_KINDS:
        raise Damaged("block: not encrypted, though its archive is")
    return good.payload


def read_document(
    drive: Drive, file: int, start: int, kind: Kind, expected: Expected | None
) -> tuple[bytes, list[GoodBlock]]:
    """The document that begins at block `start` of a file, and its blocks without their data.

    Raises Damaged where it is not whole.
    """
    drive.locate(file, start)
    parts: list[GoodBlock] = []
    plain = bytearray()
    size = 0
    while not parts or not parts[-1].header.is_last:
        item = read_one(drive, start + len(parts), expected)
        if not isinstance(item, GoodBlock):
            why = item.why if isinstance(item, BadBlock) else "the file ends"
            raise Damaged(f"{kind.name.lower()} of file {file}: {why}")
        header = item.header
        if header.kind != kind or header.stream_offset != size:
            raise Damaged(f"{kind.name.lower()} of file {file}: block {item.number} is no part of it")
        if not header.plain_bytes and not header.is_last:
            raise Damaged(f"{kind.name.lower()} of file {file}: block {item.number} of it is empty")
        size += header.plain_bytes
        if size > LARGEST_DOCUMENT_BYTES:
            raise Damaged(f"{kind.name.lower()} of file {file}: over {LARGEST_DOCUMENT_BYTES} bytes")
        if len(parts) == MOST_DOCUMENT_BLOCKS:
            raise Damaged(f"{kind.name.lower()} of file {file}: over {MOST_DOCUMENT_BLOCKS} blocks")
        plain += decode(item)
        # A block that stores much for little is not kept: its header alone is of use.
        parts.append(dataclasses.replace(item, data=b""))
    return bytes(plain), parts
