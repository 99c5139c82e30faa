"""The record log of disks and image files: superblock, record header, filemark table (SPEC.md section 13)."""

import array
import dataclasses
import enum
import itertools
import sys
import zlib
from collections.abc import Callable

import construct as cs

from formats.block import LARGEST_BLOCK_BYTES
from formats.errors import Damaged, TooLarge
from formats.layout import Layout, reserved

UNIT_BYTES = 4096
HEADER_BYTES = 64
FIRST_RECORD = 2 * UNIT_BYTES
MOST_FILES = 1 << 16
MOST_BLOCKS = 6 << 20
"""Blocks of a file: its filemark then lists 24 MiB of places, and 6 TiB are reached with blocks of 1 MiB."""
SUPERBLOCK_MAGIC = b"TKLOGSB1"
RECORD_MAGIC = b"TKR1"

_MOST_UNITS = 0xFFFFFFFF
_PIECE_BYTES = 1 << 20
_SUPERBLOCK_CRC_OFFSET = UNIT_BYTES - 4
_RECORD_CRC_OFFSET = HEADER_BYTES - 4


class RecordKind(enum.IntEnum):
    """What a record is."""

    BLOCK = 1
    FILEMARK = 2


@dataclasses.dataclass(frozen=True)
class Superblock:
    """What is known to be durable in the log, as of the last filemark or the last begin of writing."""

    epoch: int
    log_id: bytes
    generation: int
    size_bytes: int
    end: int
    records: int
    files: int
    last_filemark: int


@dataclasses.dataclass(frozen=True)
class RecordHeader:
    """The 64 bytes before a record's payload."""

    kind: int
    number: int
    position: int
    epoch: int
    file: int
    block: int
    length: int
    log_id: bytes


@dataclasses.dataclass(frozen=True)
class FilemarkTable:
    """Where the blocks of a file begin: the payload of its filemark.

    `distances` are in units of 4,096 bytes from `start`, one for each block, ascending.
    """

    start: int
    previous: int
    distances: "array.array[int]"


@dataclasses.dataclass(frozen=True)
class _TableHead:
    start: int
    previous: int
    count: int


_SUPERBLOCK = Layout(
    "superblock",
    Superblock,
    cs.Struct(
        "magic" / cs.Const(SUPERBLOCK_MAGIC),
        "unit" / cs.Const(UNIT_BYTES, cs.Int32ub),
        "epoch" / cs.Int32ub,
        "log_id" / cs.Bytes(16),
        "generation" / cs.Int64ub,
        "size_bytes" / cs.Int64ub,
        "end" / cs.Int64ub,
        "records" / cs.Int64ub,
        "files" / cs.Int32ub,
        "reserved_1" / reserved(4),
        "last_filemark" / cs.Int64ub,
        "reserved_2" / reserved(4012),
    ),
)
_RECORD = Layout(
    "record header",
    RecordHeader,
    cs.Struct(
        "magic" / cs.Const(RECORD_MAGIC),
        "kind" / cs.Int8ub,
        "reserved_1" / reserved(3),
        "number" / cs.Int64ub,
        "position" / cs.Int64ub,
        "epoch" / cs.Int32ub,
        "file" / cs.Int32ub,
        "block" / cs.Int32ub,
        "length" / cs.Int32ub,
        "log_id" / cs.Bytes(16),
        "reserved_2" / reserved(4),
    ),
)
_TABLE_HEAD = Layout(
    "filemark table",
    _TableHead,
    cs.Struct("start" / cs.Int64ub, "previous" / cs.Int64ub, "count" / cs.Int32ub),
)


def record_bytes(length: int) -> int:
    """What a record with a payload of `length` bytes takes in the log, a multiple of the unit."""
    return -(-(HEADER_BYTES + length) // UNIT_BYTES) * UNIT_BYTES


def build_superblock(superblock: Superblock) -> bytes:
    """One unit of bytes."""
    body = _SUPERBLOCK.build(superblock)
    return body + zlib.crc32(body).to_bytes(4, "big")


def parse_superblock(unit: "bytes | memoryview") -> Superblock:
    """Raises Damaged where the unit is not a valid superblock."""
    data = bytes(unit)
    if len(data) != UNIT_BYTES:
        raise Damaged(f"superblock: {len(data)} bytes, expected {UNIT_BYTES}")
    if data[:8] != SUPERBLOCK_MAGIC:
        raise Damaged("superblock: no superblock magic")
    if zlib.crc32(data[:_SUPERBLOCK_CRC_OFFSET]) != int.from_bytes(data[_SUPERBLOCK_CRC_OFFSET:], "big"):
        raise Damaged("superblock: checksum does not match")
    value = _SUPERBLOCK.parse(data)
    if value.size_bytes % UNIT_BYTES or value.end % UNIT_BYTES or not FIRST_RECORD <= value.end <= value.size_bytes:
        raise Damaged(f"superblock: end {value.end} and size {value.size_bytes} do not agree")
    is_place = value.last_filemark % UNIT_BYTES == 0 and FIRST_RECORD <= value.last_filemark < value.end
    if value.last_filemark and not is_place:
        raise Damaged(f"superblock: last filemark {value.last_filemark} is not before end {value.end}")
    most = most_records(value.end)
    if not value.files <= value.records <= most or value.files > MOST_FILES:
        raise Damaged(f"superblock: {value.files} files, {value.records} records before {value.end}")
    return value


def most_records(position: int) -> int:
    """Records that there is room for before a position: each takes a unit at least."""
    return (position - FIRST_RECORD) // UNIT_BYTES


def filemark_table_bytes(blocks: int) -> int:
    """Payload of a filemark behind so many blocks: a head of 20 bytes, 4 for each block, 4 of checksum."""
    return _TABLE_HEAD.size + 4 * blocks + 4


def build_record_header(header: RecordHeader) -> bytes:
    """The 64 bytes before a payload."""
    body = _RECORD.build(header)
    return body + zlib.crc32(body).to_bytes(4, "big")


def parse_record_header(data: "bytes | bytearray | memoryview") -> RecordHeader:
    """Raises Damaged where the bytes do not begin with a valid record header."""
    head = bytes(data[:HEADER_BYTES])
    if len(head) < HEADER_BYTES or head[:4] != RECORD_MAGIC:
        raise Damaged("record: no record magic")
    if zlib.crc32(head[:_RECORD_CRC_OFFSET]) != int.from_bytes(head[_RECORD_CRC_OFFSET:], "big"):
        raise Damaged("record: header checksum does not match")
    header = _RECORD.parse(head)
    if header.kind not in (RecordKind.BLOCK, RecordKind.FILEMARK):
        raise Damaged(f"record: unknown kind {header.kind}")
    return header


def check_place(header: RecordHeader, log_id: bytes | None, position: int) -> None:
    """Raises Damaged for a record that cannot stand at a position of a log (SPEC.md section 13.2).

    Done before a byte of the payload is read: its length is a claim until then.
    """
    if header.position != position or header.log_id != log_id:
        raise Damaged("record: belongs to another log or place")
    if header.kind == RecordKind.BLOCK and not 0 < header.length <= LARGEST_BLOCK_BYTES:
        raise Damaged(f"record: a block of {header.length} bytes")
    if header.file >= MOST_FILES or header.block > MOST_BLOCKS - (header.kind == RecordKind.BLOCK):
        raise Damaged(f"record: block {header.block} of file {header.file}")
    if header.kind == RecordKind.FILEMARK and header.length != filemark_table_bytes(header.block):
        raise Damaged(f"record: a filemark of {header.length} bytes for {header.block} blocks")
    if header.block + header.file > header.number or header.number > most_records(position):
        raise Damaged("record: its numbers do not agree")


def check_continues(before: RecordHeader | None, header: RecordHeader) -> None:
    """Raises Damaged for a record that does not continue the log behind the record before it (SPEC.md section 13.3).

    None where there is no record before it.
    """
    number = epoch = file = block = 0
    if before is not None:
        number, epoch = before.number + 1, before.epoch
        ended = before.kind == RecordKind.FILEMARK
        file, block = (before.file + 1, 0) if ended else (before.file, before.block + 1)
    if (header.number, header.file, header.block) != (number, file, block):
        raise Damaged(f"record: number {header.number}, expected {number}, which is block {block} of file {file}")
    if header.epoch < epoch:
        raise Damaged(f"record: of epoch {header.epoch}, behind one of {epoch}")


def build_filemark_table(table: FilemarkTable) -> bytes:
    """The payload of a filemark."""
    head = _TABLE_HEAD.build(_TableHead(table.start, table.previous, len(table.distances)))
    body = head + _big_endian(table.distances).tobytes()
    return body + zlib.crc32(body).to_bytes(4, "big")


def parse_filemark_table(payload: "bytes | memoryview") -> FilemarkTable:
    """Raises Damaged where the payload is not a valid filemark table."""
    return read_filemark_table(len(payload), lambda offset, size: payload[offset : offset + size])


def read_filemark_table(size_bytes: int, read: "Callable[[int, int], bytes | memoryview]") -> FilemarkTable:
    """The table of `size_bytes`, of which `read` gives a piece, by offset and size: it is never held twice.

    Raises Damaged where it is not a valid filemark table, and whatever `read` raises.
    """
    head_bytes, behind = _TABLE_HEAD.size, size_bytes - 4
    count = (behind - head_bytes) // 4
    if not 0 <= count <= MOST_BLOCKS or filemark_table_bytes(count) != size_bytes:
        raise Damaged(f"filemark table: {size_bytes} bytes")
    piece = bytes(read(0, head_bytes))
    head, crc = _TABLE_HEAD.parse(piece), zlib.crc32(piece)
    distances: array.array[int] = array.array("I")
    for offset in range(head_bytes, behind, _PIECE_BYTES):
        piece = bytes(read(offset, min(_PIECE_BYTES, behind - offset)))
        crc = zlib.crc32(piece, crc)
        distances.frombytes(piece)
    if crc != int.from_bytes(read(behind, 4), "big") or head.count != count or len(distances) != count:
        raise Damaged(f"filemark table: checksum does not match, or not {count} blocks")
    if sys.byteorder != "big":
        distances.byteswap()
    if any(later <= earlier for earlier, later in itertools.pairwise(distances)):
        raise Damaged("filemark table: blocks are not in order")
    return FilemarkTable(head.start, head.previous, distances)


def distance(start: int, position: int) -> int:
    """Units from a file's first record to another of its records. Raises TooLarge over 16 TiB."""
    units = (position - start) // UNIT_BYTES
    if units > _MOST_UNITS:
        raise TooLarge(f"filemark table: a file of over {_MOST_UNITS * UNIT_BYTES} bytes")
    return units


def _big_endian(values: "array.array[int]") -> "array.array[int]":
    if sys.byteorder == "big":
        return values
    swapped = array.array("I", values)
    swapped.byteswap()
    return swapped
