"""Disks and image files for the tests, from sections 13 and 14 of the specification alone."""

import struct
import uuid
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

LOG_ID = bytes(range(100, 116))
MIB = 1 << 20


@dataclass(frozen=True)
class LogFile:
    """One file of the log."""

    blocks: Sequence[bytes]
    closed: bool = True


def superblock(
    *, epoch: int, generation: int, end: int, records: int, files: int, last_filemark: int, size: int = 1 << 40
) -> bytes:
    head = b"TKLOGSB1" + struct.pack(">II", 4096, epoch) + LOG_ID
    head += struct.pack(">QQQQIIQ", generation, size, end, records, files, 0, last_filemark)
    head = head.ljust(4092, b"\0")
    return head + struct.pack(">I", zlib.crc32(head))


class Log:
    """A record log in memory, written by one session, and where everything stands in it.

    `places` has the position of each record by (file, block); block -1 is the filemark.
    """

    def __init__(self, files: Sequence[LogFile], *, epoch: int = 1) -> None:
        self.places: dict[tuple[int, int], int] = {}
        self._epoch = epoch
        self._body = bytearray()
        self._records = self._last_filemark = 0
        superblocks = [bytes(4096), self._superblock(0, files=0)]
        for file, content in enumerate(files):
            start = 8192 + len(self._body)
            for number, payload in enumerate(content.blocks):
                self._record(1, payload, file, number)
            if content.closed:
                self._filemark(file, start, len(content.blocks))
                superblocks.append(self._superblock(len(superblocks) - 1, files=file + 1))
        newest = superblocks[-2:]
        if len(superblocks) % 2 == 0:  # the newest has an even generation: it stands first
            newest.reverse()
        self.content = bytearray(b"".join(newest)) + self._body

    def _record(self, kind: int, payload: bytes, file: int, number: int) -> None:
        at = 8192 + len(self._body)
        self.places[file, number if kind == 1 else -1] = at
        head = b"TKR1" + bytes([kind, 0, 0, 0])
        head += struct.pack(">QQIIII", self._records, at, self._epoch, file, number, len(payload)) + LOG_ID + bytes(4)
        whole = head + struct.pack(">I", zlib.crc32(head)) + payload
        self._body += whole + bytes(-len(whole) % 4096)
        self._records += 1

    def _filemark(self, file: int, start: int, n: int) -> None:
        distances = [(self.places[file, number] - start) // 4096 for number in range(n)]
        payload = struct.pack(f">QQI{n}I", start, self._last_filemark, n, *distances)
        self._record(2, payload + struct.pack(">I", zlib.crc32(payload)), file, n)
        self._last_filemark = self.places[file, -1]

    def _superblock(self, generation: int, files: int) -> bytes:
        return superblock(
            epoch=self._epoch,
            generation=generation,
            end=8192 + len(self._body),
            records=self._records,
            files=files,
            last_filemark=self._last_filemark,
        )


# --- The front (section 14) ---------------------------------------------------------------------------------------

BASIC_DATA = uuid.UUID("EBD0A0A2-B9E5-4433-87C0-68B6B72699C7")
RECORD_LOG = uuid.UUID("7B1D6F0E-52C9-4A86-9C3B-1F0A6E2D4B75")
DISK = uuid.UUID("5E1F0C2A-9C11-4B61-9E0B-7A6C2A1F4D10")
LOG_START = 5 * MIB


def gpt(disk_bytes: int, sector: int, log_start: int) -> tuple[bytes, bytes]:
    """What stands at the start (protective MBR, table) and at the end of the disk."""
    sectors, entry_sectors = disk_bytes // sector, 128 * 128 // sector
    log_end = (disk_bytes - (entry_sectors + 1) * sector) // MIB * MIB
    entries = partition(BASIC_DATA, MIB // sector, log_start // sector, "tapekit info")
    entries += partition(RECORD_LOG, log_start // sector, log_end // sector, "tapekit log")
    entries = entries.ljust(128 * 128, b"\0")

    def header(at: int, other: int, entries_at: int) -> bytes:
        head = b"EFI PART" + struct.pack("<IIII", 0x10000, 92, 0, 0)
        head += struct.pack("<QQQQ", at, other, 2 + entry_sectors, sectors - entry_sectors - 2)
        head += DISK.bytes_le + struct.pack("<QIII", entries_at, 128, 128, zlib.crc32(entries))
        return (head[:16] + struct.pack("<I", zlib.crc32(head)) + head[20:]).ljust(sector, b"\0")

    protective = bytes(446) + struct.pack("<B3sB3sII", 0, b"\0\2\0", 0xEE, b"\xff\xff\xff", 1, sectors - 1)
    protective = (protective.ljust(510, b"\0") + b"\x55\xaa").ljust(sector, b"\0")
    front = protective + header(1, sectors - 1, 2) + entries
    return front, entries + header(sectors - 1, 1, sectors - 1 - entry_sectors)


def partition(kind: uuid.UUID, first: int, end: int, name: str) -> bytes:
    ids = kind.bytes_le + uuid.uuid5(kind, name).bytes_le
    return ids + struct.pack("<QQQ", first, end - 1, 0) + name.encode("utf-16-le").ljust(72, b"\0")


def image(log: bytes | bytearray, *, sector: int = 512, start: int = LOG_START) -> bytearray:
    """A whole disk: partition tables and the log, with some room after it."""
    size = start + (len(log) + 3 * MIB - 1) // MIB * MIB
    front, back = gpt(size, sector, start)
    whole = bytearray(size)
    whole[: len(front)] = front
    whole[start : start + len(log)] = log
    whole[size - len(back) :] = back
    return whole
