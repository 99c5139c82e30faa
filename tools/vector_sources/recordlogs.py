"""The record log: superblocks, record headers, filemark tables (formats/SPEC.md section 13)."""

import struct
import zlib

from fixtures.vectors import DAMAGED, OK, Vector
from tools.vector_sources.blocks import flipped

_LOG_ID = bytes(range(0xC0, 0xD0))
_UNIT = 4096


def _guarded(data: bytes, crc_flip: int = 0) -> bytes:
    return data + struct.pack(">I", zlib.crc32(data) ^ crc_flip)


def _superblock(  # noqa: PLR0913 - as many as it has fields
    *, magic: bytes = b"TKLOGSB1", unit: int = _UNIT, epoch: int = 3, generation: int = 9, size: int = 1 << 30,
    end: int = 81920, records: int = 5, files: int = 2, reserved_1: int = 0, last: int = 77824,
    reserved_2: bytes = bytes(4012), crc_flip: int = 0,
) -> bytes:  # fmt: skip
    head = struct.pack(
        ">8sII16sQQQQIIQ", magic, unit, epoch, _LOG_ID, generation, size, end, records, files, reserved_1, last
    )
    return _guarded(head + reserved_2, crc_flip)


def _record(  # noqa: PLR0913 - as many as it has fields
    *, magic: bytes = b"TKR1", kind: int = 1, reserved_1: bytes = bytes(3), number: int = 4, position: int = 73728,
    epoch: int = 3, file: int = 1, block: int = 2, length: int = 1000, reserved_2: int = 0, crc_flip: int = 0,
) -> bytes:  # fmt: skip
    head = struct.pack(
        ">4sB3sQQIIII16sI", magic, kind, reserved_1, number, position, epoch, file, block, length, _LOG_ID, reserved_2
    )
    return _guarded(head, crc_flip)


def _filemark(
    *distances: int, start: int = 8192, previous: int = 0, n: int | None = None, crc_flip: int = 0, behind: bytes = b""
) -> bytes:
    count = len(distances) if n is None else n
    return _guarded(
        struct.pack(f">QQI{len(distances)}I", start, previous, count, *distances) + behind, crc_flip
    )  # fmt: skip


def _continuing(
    name: str, expect: str, why: str, data: bytes, *fields: tuple[str, str], position: int = 73728,
    before: tuple[int, int, int, int, int] | None = (1, 3, 3, 1, 1),
) -> Vector:  # fmt: skip
    """A record at a place in a log; `before` is kind, number, epoch, file and block of the record before it."""
    given = [("log_id", _LOG_ID.hex()), ("position", str(position)), ("size", str(1 << 30))]
    if before is not None:
        given += [(f"before.{key}", str(value)) for key, value in zip(_BEFORE, before, strict=True)]
    return Vector(f"continuing-{name}", "continuing record", expect, why, data, fields, tuple(given))


def _whole(header: bytes, payload: bytes) -> bytes:
    """A record with its payload and its padding."""
    record = header + payload
    return record + bytes(-len(record) % _UNIT)


def _block_record(**changes: int) -> bytes:
    return _whole(_record(**({"length": 1000} | changes)), b"b" * 1000)  # type: ignore[arg-type]


def _mark_record(table: bytes, **changes: int) -> bytes:
    return _whole(_record(**({"kind": 2, "length": len(table)} | changes)), table)  # type: ignore[arg-type]


_BEFORE = ("kind", "number", "epoch", "file", "block")
_TABLE = _filemark(0, 1, start=61440, previous=57344)


class _Source:
    def __init__(self, name: str, structure: str) -> None:
        self.name, self.structure = name, structure

    def good(self, name: str, why: str, data: bytes, *fields: tuple[str, str]) -> Vector:
        return Vector(f"{self.name}-{name}", self.structure, OK, why, data, fields)

    def bad(self, name: str, why: str, data: bytes) -> Vector:
        return Vector(f"{self.name}-{name}", self.structure, DAMAGED, why, data)


_S = _Source("superblock", "superblock")
_R = _Source("record", "record header")
_F = _Source("filemark", "filemark table")

RECORDLOGS: tuple[Vector, ...] = (
    _S.good("good", "in the middle of a cartridge's life", _superblock(), ("epoch", "3"), ("log_id", _LOG_ID.hex()),
            ("generation", "9"), ("size_bytes", str(1 << 30)), ("end", "81920"), ("records", "5"), ("files", "2"),
            ("last_filemark", "77824")),
    _S.good("new", "of an empty log", _superblock(
        epoch=0, generation=0, end=8192, records=0, files=0, last=0), ("last_filemark", "0"), ("end", "8192")),
    _S.good("full", "ends where the log does", _superblock(size=81920), ("size_bytes", "81920")),
    _S.bad("empty", "no bytes", b""),
    _S.bad("short", "a byte too short", _superblock()[:-1]),
    _S.bad("long", "a byte too long", _superblock() + b"\0"),
    _S.bad("zeros", "a unit of zeros", bytes(_UNIT)),
    _S.bad("magic", "another magic, its checksum right", _superblock(magic=b"TKLOGSB2")),
    _S.bad("unit", "units of 512 bytes", _superblock(unit=512)),
    _S.bad("crc", "checksum wrong", _superblock(crc_flip=1)),
    _S.bad("flipped", "a bit of the end flipped", flipped(_superblock(), 54)),
    _S.bad("torn", "the second half from another write: zeros", _superblock()[:2048] + bytes(2048)),
    _S.bad("reserved-1", "bytes 68 to 71 not zero", _superblock(reserved_1=1)),
    _S.bad("reserved-2", "bytes 80 to 4091 not zero", _superblock(reserved_2=bytes(4011) + b"\1")),
    _S.bad("size-uneven", "a size between units", _superblock(size=(1 << 30) + 1)),
    _S.bad("end-uneven", "an end between units", _superblock(end=81921)),
    _S.bad("end-low", "an end before the first record", _superblock(end=4096, last=0)),
    _S.bad("end-high", "an end behind the log", _superblock(end=(1 << 30) + _UNIT)),
    _S.bad("last-low", "a filemark before the first record", _superblock(last=4096)),
    _S.bad("last-high", "a filemark at the end", _superblock(last=81920)),
    _S.bad("last-uneven", "a filemark between units", _superblock(last=77825)),
    _R.good("block", "of a block", _record(), ("kind", "1"), ("number", "4"), ("position", "73728"), ("epoch", "3"),
            ("file", "1"), ("block", "2"), ("length", "1000"), ("log_id", _LOG_ID.hex())),
    _R.good("filemark", "of a filemark", _record(kind=2, block=3, length=36), ("kind", "2"), ("length", "36")),
    _R.good("largest", "numbers as large as their fields", _record(
        number=2**64 - 1, position=2**64 - 1, epoch=2**32 - 1, file=2**32 - 1, block=2**32 - 1, length=2**32 - 1),
        ("number", str(2**64 - 1)), ("length", str(2**32 - 1))),
    _R.bad("empty", "no bytes", b""),
    _R.bad("short", "a byte too short", _record()[:-1]),
    _R.bad("magic", "another magic, its checksum right", _record(magic=b"TKR2")),
    _R.bad("kind-0", "kind 0", _record(kind=0)),
    _R.bad("kind-3", "kind 3", _record(kind=3)),
    _R.bad("reserved-1", "bytes 5 to 7 not zero", _record(reserved_1=b"\0\0\1")),
    _R.bad("reserved-2", "bytes 56 to 59 not zero", _record(reserved_2=1)),
    _R.bad("crc", "checksum wrong", _record(crc_flip=1)),
    _R.bad("flipped", "a bit of the number flipped", flipped(_record(), 15)),
    _F.good("good", "of a file of three blocks", _filemark(0, 65, 130, start=16384, previous=12288),
            ("start", "16384"), ("previous", "12288"), ("distances.0", "0"), ("distances.2", "130")),
    _F.good("empty-file", "of a file without blocks", _filemark(), ("start", "8192"), ("previous", "0")),
    _F.good("largest", "distances up to 32 bits", _filemark(0, 2**32 - 2, 2**32 - 1), ("distances.2", "4294967295")),
    _F.bad("empty", "no bytes", b""),
    _F.bad("short", "cut off in its head", _filemark()[:20]),
    _F.bad("crc", "checksum wrong", _filemark(0, 1, crc_flip=1)),
    _F.bad("flipped", "a bit of a distance flipped", flipped(_filemark(0, 2), 27)),
    _F.bad("cut", "cut off within its distances", _filemark(0, 1, 2)[:-5]),
    _F.bad("n-too-large", "claims a block more than it lists", _filemark(0, 1, n=3)),
    _F.bad("n-too-small", "claims a block fewer than it lists", _filemark(0, 1, n=1)),
    _F.bad("n-giant", "claims 4,294,967,295 blocks", _filemark(0, 1, n=2**32 - 1)),
    _F.bad("behind", "two bytes behind the last distance", _filemark(0, 1, behind=b"\0\0")),
    _F.bad("equal", "two blocks at one place", _filemark(0, 1, 1)),
    _F.bad("descending", "a block before the one before it", _filemark(0, 2, 1)),
    _continuing("block", OK, "the next block of the same file", _block_record(), ("header.number", "4"),
                ("header.block", "2")),
    _continuing("epoch-later", OK, "of a later session", _block_record(epoch=9), ("header.epoch", "9")),
    _continuing("file", OK, "the first block of the next file", _block_record(file=2, block=0), ("header.file", "2"),
                before=(2, 3, 3, 1, 2)),
    _continuing("first", OK, "the first record of a log", _block_record(
        number=0, position=8192, file=0, block=0), ("header.number", "0"), position=8192, before=None),
    _continuing("filemark", OK, "the filemark behind two blocks", _mark_record(_TABLE), ("header.kind", "2")),
    _continuing("filemark-empty", OK, "the filemark of a file without blocks", _mark_record(
        _filemark(start=73728, previous=69632), file=2, block=0), ("header.file", "2"), before=(2, 3, 3, 1, 2)),
    _continuing("number-same", DAMAGED, "the number of the record before", _block_record(number=3)),
    _continuing("number-gap", DAMAGED, "a number too far", _block_record(number=5)),
    _continuing("epoch-earlier", DAMAGED, "the remains of an earlier session", _block_record(epoch=2)),
    _continuing("block-gap", DAMAGED, "a block too far", _block_record(block=3)),
    _continuing("file-gap", DAMAGED, "of another file, and no filemark before", _block_record(file=2, block=0)),
    _continuing("file-same", DAMAGED, "of a file that has ended", _block_record(), before=(2, 3, 3, 1, 1)),
    _continuing("first-number", DAMAGED, "not the first, where the first belongs", _block_record(
        number=1, position=8192, file=0, block=1), position=8192, before=None),
    _continuing("position", DAMAGED, "says it stands elsewhere", _block_record(position=69632)),
    _continuing("numbers", DAMAGED, "more records than there is room for before it", _block_record(
        number=17, position=73728, block=15), before=(1, 16, 3, 1, 14)),
    _continuing("length-0", DAMAGED, "a block of no bytes", _block_record(length=0)),
    _continuing("length-giant", DAMAGED, "a block over the largest", _block_record(length=16_773_121)),
    _continuing("filemark-length", DAMAGED, "a filemark that claims 4 GiB", _mark_record(_TABLE, length=2**32 - 4)),
    _continuing("filemark-table", DAMAGED, "a filemark whose table is flipped", flipped(_mark_record(_TABLE), 90)),
    _continuing("filemark-blocks", DAMAGED, "a filemark of as many blocks, and a table of fewer",
                _mark_record(_filemark(0, start=61440, previous=57344), length=32)),
    _continuing("block-limit", DAMAGED, "a block over the most that a file has", _block_record(
        number=6_291_457, position=1 << 36, block=6_291_456), position=1 << 36,
        before=(1, 6_291_456, 3, 1, 6_291_455)),
    _continuing("cut", DAMAGED, "cut off in its header", _block_record()[:63]),
)  # fmt: skip
