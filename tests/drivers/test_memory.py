"""Hostile record logs: what they claim is not believed before there is room for it; opening takes little memory."""

import struct
import zlib
from pathlib import Path

from drivers import image
from drivers.recordlog.index import MOST_LOST, LogReader
from fixtures.storage import MemoryStorage
from formats import recordlog
from formats.errors import Damaged
from formats.gpt import LOG_START
from formats.recordlog import RecordHeader, RecordKind, Superblock
from tests.peak import MOST_MIB, peak_mib

SIZE_BYTES = 4 << 40
"""An image with holes: it takes no room on the host."""
LOG_ID = bytes(range(16))


def made(path: Path) -> int:
    """A cartridge with a block in its only file, and no filemark; its log's size."""
    with path.open("wb") as file:
        file.truncate(SIZE_BYTES)
    drive = image.open_drive(str(path), writable=True)
    drive.format({})
    drive.write_block(b"label")
    drive.close()
    with path.open("r+b") as file:
        file.seek(LOG_START)
        return recordlog.parse_superblock(file.read(4096)).size_bytes


def put(path: Path, position: int, *parts: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(LOG_START + position)
        file.write(b"".join(parts))


def superblock(path: Path, size_bytes: int, *, end: int, records: int, files: int, last: int) -> None:
    value = Superblock(7, LOG_ID, 100, size_bytes, end, records, files, last)
    put(path, 0, recordlog.build_superblock(value), bytes(4096))


def record(kind: RecordKind, number: int, position: int, file: int, block: int, length: int) -> bytes:
    return recordlog.build_record_header(RecordHeader(kind, number, position, 7, file, block, length, LOG_ID))


def test_filemark_in_place_of_a_block(tmp_path: Path) -> None:
    """The table says that a block lies where a filemark claims a gigabyte."""
    path = tmp_path / "hostile.tkc"
    size_bytes, far = made(path), 2 << 40
    mark, blocks = far + 8192, 1 << 28
    body = struct.pack(">QQII", 8192, 0, 1, (far - 8192) // 4096)
    table = body + zlib.crc32(body).to_bytes(4, "big")
    superblock(path, size_bytes, end=mark + 4096, records=2, files=1, last=mark)
    put(path, far, record(RecordKind.FILEMARK, blocks, far, 0, blocks, 24 + 4 * blocks))
    put(path, mark, record(RecordKind.FILEMARK, 1, mark, 0, 1, len(table)), table)
    peak, outcome = peak_mib(path, "opened(sys.argv[1])", reads=False)
    assert peak < MOST_MIB
    assert "block 0 of file 0: record: block 268435456 of file 0" in outcome


def test_filemark_of_a_gigabyte(tmp_path: Path) -> None:
    path = tmp_path / "hostile.tkc"
    made(path)
    far, blocks = 2 << 40, 1 << 28
    superblock(path, 3 << 40, end=8192, records=0, files=0, last=0)
    put(path, far, record(RecordKind.FILEMARK, blocks, far, 0, blocks, 24 + 4 * blocks))
    peak, outcome = peak_mib(path, f"log_reader(sys.argv[1])._filemark({far})", reads=False)
    assert (peak < MOST_MIB, outcome) == (True, "record: block 268435456 of file 0")


def short(path: Path) -> int:
    """A small image; its log's size."""
    with path.open("wb") as file:
        file.truncate(64 << 20)
    drive = image.open_drive(str(path), writable=True)
    drive.format({})
    drive.close()
    with path.open("rb") as file:
        file.seek(LOG_START)
        return recordlog.parse_superblock(file.read(4096)).size_bytes


def test_superblock_that_counts_files_which_are_not_there(tmp_path: Path) -> None:
    path = tmp_path / "hostile.tkc"
    short(path)
    for files in (recordlog.MOST_FILES, (1 << 32) - 1):
        superblock(path, 1 << 60, end=1 << 60, records=1 << 47, files=files, last=8192)
        peak, outcome = peak_mib(path, "opened(sys.argv[1])", reads=False)
        assert peak < MOST_MIB, outcome


def test_records_that_say_others_are_lost() -> None:
    """Far behind, one record claims what the room before it allows: it is passed over, and the rest is read."""
    storage = MemoryStorage(bytearray(1 << 20))
    reader = LogReader(storage, 0, 1 << 60)
    reader.log_id = LOG_ID
    first = RecordHeader(RecordKind.BLOCK, 0, 8192, 7, 0, 0, 100, LOG_ID)
    liar = RecordHeader(RecordKind.BLOCK, MOST_LOST + 2, 12288, 7, 0, MOST_LOST + 2, 100, LOG_ID)
    second = RecordHeader(RecordKind.BLOCK, 1, 16384, 7, 0, 1, 100, LOG_ID)
    headers = {header.position: header for header in (first, liar, second)}

    def of(position: int) -> RecordHeader:
        if position in headers:
            return headers[position]
        raise Damaged("none")

    reader.record = of  # type: ignore[method-assign]
    assert [header.number for header in reader._scan(1 << 20, 1 << 20)] == [0, 1]
