"""The GUID partition table with its protective MBR, and the two partitions of a disk cartridge (SPEC.md section 14).

    protective MBR · header · entries · … partitions … · entries · header

Source: UEFI 2.10, chapter 5. Offsets and sizes in values are bytes; on the disk they are sectors, little-endian.
"""

import dataclasses
import uuid
import zlib
from collections.abc import Callable, Sequence

import construct as cs

from formats import mbr
from formats.errors import Damaged, TooLarge
from formats.layout import Layout, reserved

Read = Callable[[int, int], bytes]
"""Reads a disk at (offset, size), both whole sectors. Fewer bytes than asked for mean that the rest cannot be read."""

SIGNATURE = b"EFI PART"
SECTOR_SIZES = (512, 4096)
BASIC_DATA = uuid.UUID("EBD0A0A2-B9E5-4433-87C0-68B6B72699C7")
"""Partition type of volumes that any PC opens (Microsoft, PARTITION_BASIC_DATA_GUID)."""
RECORD_LOG = uuid.UUID("7B1D6F0E-52C9-4A86-9C3B-1F0A6E2D4B75")
"""Partition type of a record log (SPEC.md section 14)."""
INFO_NAME = "tapekit info"
LOG_NAME = "tapekit log"
INFO_START = 1 << 20
LOG_START = 5 << 20

_MIB = 1 << 20
_ENTRY_BYTES = 128
_ENTRIES = 128
_MOST_ENTRIES = 1024
_TABLE_BYTES = _ENTRIES * _ENTRY_BYTES  # UEFI 2.10, section 5.3.1: at least 16 KiB are reserved for entries
_NAME_BYTES = 72
_UNUSED = uuid.UUID(int=0)


class NoTable(Damaged):
    """No GUID partition table is there at all, not even a damaged one."""


@dataclasses.dataclass(frozen=True)
class Partition:
    """One used entry of the table."""

    type_guid: uuid.UUID
    guid: uuid.UUID
    first_byte: int
    size_bytes: int
    name: str


@dataclasses.dataclass(frozen=True)
class Table:
    """What to write: `primary` (with the protective MBR) at byte 0, `backup` at `backup_offset`."""

    primary: bytes
    backup: bytes
    backup_offset: int


@dataclasses.dataclass(frozen=True)
class _Header:
    header_bytes: int
    crc: int
    sector: int
    other_sector: int
    first_usable: int
    last_usable: int
    disk_guid: uuid.UUID
    entries_sector: int
    entries: int
    entry_bytes: int
    entries_crc: int


@dataclasses.dataclass(frozen=True)
class _Entry:
    type_guid: uuid.UUID
    guid: uuid.UUID
    first_sector: int
    last_sector: int
    name: bytes


# The first three fields of a GUID are little-endian, the last two are bytes in order (UEFI 2.10, appendix A).
_GUID: "cs.Construct[uuid.UUID, uuid.UUID]" = cs.ExprAdapter(
    cs.Bytes(16), lambda data, _context: uuid.UUID(bytes_le=data), lambda guid, _context: guid.bytes_le
)
_HEADER = Layout(
    "GPT header",
    _Header,
    cs.Struct(
        "signature" / cs.Const(SIGNATURE),
        "revision" / cs.Const(0x00010000, cs.Int32ul),
        "header_bytes" / cs.Int32ul,
        "crc" / cs.Int32ul,
        "reserved" / reserved(4),
        "sector" / cs.Int64ul,
        "other_sector" / cs.Int64ul,
        "first_usable" / cs.Int64ul,
        "last_usable" / cs.Int64ul,
        "disk_guid" / _GUID,
        "entries_sector" / cs.Int64ul,
        "entries" / cs.Int32ul,
        "entry_bytes" / cs.Int32ul,
        "entries_crc" / cs.Int32ul,
    ),
)
_ENTRY = Layout(
    "GPT entry",
    _Entry,
    cs.Struct(
        "type_guid" / _GUID,
        "guid" / _GUID,
        "first_sector" / cs.Int64ul,
        "last_sector" / cs.Int64ul,
        cs.Padding(8),  # attributes: none of them says where the bytes are
        "name" / cs.Bytes(_NAME_BYTES),
    ),
)


def usable_end(disk_size_bytes: int, sector_bytes: int) -> int:
    """Where the backup table begins, which is the first byte that no partition may have. Raises TooLarge."""
    end = (disk_size_bytes // sector_bytes - 1) * sector_bytes - _TABLE_BYTES
    if end < 2 * sector_bytes + _TABLE_BYTES:
        raise TooLarge(f"partition table: a disk of {disk_size_bytes} bytes has no room for two tables")
    return end


def layout(
    disk_size_bytes: int, sector_bytes: int, info_guid: uuid.UUID, log_guid: uuid.UUID
) -> tuple[Partition, Partition]:
    """The two partitions of a cartridge (SPEC.md section 14): information for people, and the record log.

    Raises TooLarge where less than 1 MiB would be left for the log.
    """
    log_end = usable_end(disk_size_bytes, sector_bytes) // _MIB * _MIB
    if log_end < LOG_START + _MIB:
        raise TooLarge(
            f"cartridge: a disk of {disk_size_bytes} bytes is too small: "
            f"expected at least {LOG_START + _MIB + sector_bytes + _TABLE_BYTES}"
        )
    return (
        Partition(BASIC_DATA, info_guid, INFO_START, LOG_START - INFO_START, INFO_NAME),
        Partition(RECORD_LOG, log_guid, LOG_START, log_end - LOG_START, LOG_NAME),
    )


def record_log(partitions: Sequence[Partition]) -> Partition | None:
    """The partition that holds a record log, where there is one."""
    return next((partition for partition in partitions if partition.type_guid == RECORD_LOG), None)


def is_cartridge(partitions: Sequence[Partition]) -> bool:
    """Whether a disk with these partitions is a tapekit cartridge."""
    return record_log(partitions) is not None


def build(disk_size_bytes: int, sector_bytes: int, disk_guid: uuid.UUID, partitions: Sequence[Partition]) -> Table:
    """Both tables of a disk. Raises TooLarge where the partitions do not fit the disk, its sectors or each other."""
    backup_offset = usable_end(disk_size_bytes, sector_bytes)
    first_usable = 2 + _TABLE_BYTES // sector_bytes
    last_sector = disk_size_bytes // sector_bytes - 1
    _check_fit(partitions, sector_bytes, first_usable * sector_bytes, backup_offset)
    entries = b"".join(_entry(partition, sector_bytes) for partition in partitions).ljust(_TABLE_BYTES, b"\0")
    primary = _Header(
        header_bytes=_HEADER.size,
        crc=0,
        sector=1,
        other_sector=last_sector,
        first_usable=first_usable,
        last_usable=backup_offset // sector_bytes - 1,
        disk_guid=disk_guid,
        entries_sector=2,
        entries=_ENTRIES,
        entry_bytes=_ENTRY_BYTES,
        entries_crc=zlib.crc32(entries),
    )
    backup = dataclasses.replace(
        primary, sector=last_sector, other_sector=1, entries_sector=backup_offset // sector_bytes
    )
    protective = mbr.build_protective(last_sector).ljust(sector_bytes, b"\0")
    return Table(
        primary=protective + _sealed(primary).ljust(sector_bytes, b"\0") + entries,
        backup=entries + _sealed(backup).ljust(sector_bytes, b"\0"),
        backup_offset=backup_offset,
    )


def parse(read: Read, disk_size_bytes: int, sector_bytes: int | None) -> tuple[Partition, ...]:
    """The partitions of a disk, from its primary table or, where that is damaged, from the backup.

    `sector_bytes` None tries 512 and 4096: a table written in one dock may be read in another that shows other sectors.
    Raises NoTable where neither table is there, Damaged where none that is there is whole.
    """
    sector_sizes = SECTOR_SIZES if sector_bytes is None else (sector_bytes,)
    tries = [("primary", 1, size) for size in sector_sizes]
    tries += [("backup", disk_size_bytes // size - 1, size) for size in sector_sizes]
    problems: list[str] = []
    for which, sector, size in tries:
        try:
            return _parse_table(read, disk_size_bytes // size, sector, size)
        except NoTable:
            continue
        except Damaged as error:
            problems.append(f"{which} table: {error}")
    if not problems:
        raise NoTable("partition table: none: no GPT header at either end of the disk")
    raise Damaged(f"partition table: damaged: {'; '.join(problems)}")


def _parse_table(read: Read, disk_sectors: int, sector: int, sector_bytes: int) -> tuple[Partition, ...]:
    """The partitions of the table whose header is in `sector`."""
    if not 1 <= sector < disk_sectors:
        raise NoTable("the disk is too small for a table")
    data = _read_exactly(read, sector * sector_bytes, sector_bytes)
    if not data.startswith(SIGNATURE):
        raise NoTable("no GPT header")
    header = _HEADER.parse(data)
    if not _HEADER.size <= header.header_bytes <= sector_bytes:
        raise Damaged(f"header size {header.header_bytes}, expected {_HEADER.size} to {sector_bytes}")
    without_crc = data[:16] + bytes(4) + data[20 : header.header_bytes]
    if zlib.crc32(without_crc) != header.crc:
        raise Damaged("header checksum does not match")
    if header.sector != sector:
        raise Damaged(f"header of sector {header.sector} found in sector {sector}")
    if header.entry_bytes != _ENTRY_BYTES or not 1 <= header.entries <= _MOST_ENTRIES:
        raise Damaged(
            f"{header.entries} entries of {header.entry_bytes} bytes, "
            f"expected 1 to {_MOST_ENTRIES} of {_ENTRY_BYTES} bytes"
        )
    if header.last_usable >= disk_sectors or header.entries_sector >= disk_sectors:
        raise Damaged(f"for a disk of over {header.last_usable} sectors, this one has {disk_sectors}")
    size_bytes = header.entries * _ENTRY_BYTES
    whole_sectors = -(-size_bytes // sector_bytes) * sector_bytes
    entries = _read_exactly(read, header.entries_sector * sector_bytes, whole_sectors)[:size_bytes]
    if zlib.crc32(entries) != header.entries_crc:
        raise Damaged("checksum of the entries does not match")
    every = (entries[start : start + _ENTRY_BYTES] for start in range(0, size_bytes, _ENTRY_BYTES))
    used = (_ENTRY.parse(entry) for entry in every if not entry.startswith(_UNUSED.bytes_le))
    return tuple(_partition(entry, header, sector_bytes) for entry in used)


def _partition(entry: _Entry, header: _Header, sector_bytes: int) -> Partition:
    if not header.first_usable <= entry.first_sector <= entry.last_sector <= header.last_usable:
        raise Damaged(
            f"a partition from sector {entry.first_sector} to {entry.last_sector}, "
            f"usable are {header.first_usable} to {header.last_usable}"
        )
    return Partition(
        type_guid=entry.type_guid,
        guid=entry.guid,
        first_byte=entry.first_sector * sector_bytes,
        size_bytes=(entry.last_sector - entry.first_sector + 1) * sector_bytes,
        name=entry.name.decode("utf-16-le", "replace").partition("\0")[0],
    )


def _read_exactly(read: Read, offset: int, size: int) -> bytes:
    data = read(offset, size)
    if len(data) != size:
        raise Damaged(f"{len(data)} bytes at {offset}, expected {size}")
    return data


def _check_fit(partitions: Sequence[Partition], sector_bytes: int, first_byte: int, end: int) -> None:
    if len(partitions) > _ENTRIES:
        raise TooLarge(f"partition table: {len(partitions)} partitions, limit {_ENTRIES}")
    for partition in sorted(partitions, key=lambda partition: partition.first_byte):
        partition_end = partition.first_byte + partition.size_bytes
        place = f"partition {partition.name!r}: bytes {partition.first_byte} to {partition_end}"
        if partition.first_byte % sector_bytes or partition.size_bytes % sector_bytes or partition.size_bytes <= 0:
            raise TooLarge(f"{place}: expected whole sectors of {sector_bytes} bytes")
        if partition.first_byte < first_byte or partition_end > end:
            raise TooLarge(f"{place}: free are {first_byte} to {end}")
        first_byte = partition_end


def _entry(partition: Partition, sector_bytes: int) -> bytes:
    name = partition.name.encode("utf-16-le", "surrogatepass")
    if len(name) > _NAME_BYTES - 2:
        raise TooLarge(f"partition {partition.name!r}: name is longer than {_NAME_BYTES // 2 - 1} characters")
    return _ENTRY.build(
        _Entry(
            type_guid=partition.type_guid,
            guid=partition.guid,
            first_sector=partition.first_byte // sector_bytes,
            last_sector=(partition.first_byte + partition.size_bytes) // sector_bytes - 1,
            name=name.ljust(_NAME_BYTES, b"\0"),
        )
    )


def _sealed(header: _Header) -> bytes:
    """The header with its checksum, which covers the header with a checksum of 0 (UEFI 2.10, table 5.5)."""
    return _HEADER.build(dataclasses.replace(header, crc=zlib.crc32(_HEADER.build(header))))
