"""A small FAT12 volume with long file names, built whole: the part of a disk cartridge that any PC opens.

    boot sector · FAT · FAT · root directory · clusters of 4 KiB

Source: Microsoft FAT32 File System Specification 1.03 (fatgen103), "FAT spec" below. All numbers are little-endian.
"""

import dataclasses
import datetime as dt
import itertools
from collections.abc import Sequence

import construct as cs

from formats.errors import TooLarge
from formats.layout import Layout
from formats.mbr import BOOT_CODE

CLUSTER_BYTES = 4096
SECTOR_SIZES = (512, 1024, 2048, 4096)

_FATS = 2
_ROOT_ENTRIES = 512
_ENTRY_BYTES = 32
_RESERVED_SECTORS = 1
_MEDIA = 0xF8  # a disk that stays in its drive: what removable disks with a partition table say too
_FIRST_CLUSTER = 2
_MOST_CLUSTERS = 4085 - 16  # FAT12 has fewer than 4,085, and some drivers count wrongly by a few (FAT spec, FAT types)
_END_OF_CHAIN = 0xFFF
_BOOT_CODE_BYTES = 448
_LABEL_BYTES = 11

_ATTRIBUTE_VOLUME = 0x08
_ATTRIBUTE_ARCHIVE = 0x20
_ATTRIBUTE_LONG_NAME = 0x0F
_LAST_LONG_ENTRY = 0x40
_LONG_NAME_UNITS = 13  # UTF-16 code units in one long name entry
_LONGEST_NAME_UNITS = 255
_SHORT_NAME_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789$%'-_@~`!(){}^#&")
_FORBIDDEN_CHARACTERS = frozenset('"*/:<>?\\|') | {chr(code) for code in range(32)}
_FIRST_DAY = 1 << 5 | 1  # 1 January 1980
_EARLIEST = dt.datetime(1980, 1, 1, tzinfo=dt.UTC)
_LATEST = dt.datetime(2107, 12, 31, 23, 59, 59, tzinfo=dt.UTC)


@dataclasses.dataclass(frozen=True)
class FatFile:
    """A file in the root directory. `modified` is stored as its clock shows it: FAT knows no time zone."""

    name: str
    data: bytes
    modified: dt.datetime


@dataclasses.dataclass(frozen=True)
class _BootSector:
    sector_bytes: int
    cluster_sectors: int
    sectors_16: int
    fat_sectors: int
    hidden_sectors: int
    sectors_32: int
    volume_id: int
    label: bytes


@dataclasses.dataclass(frozen=True)
class _Entry:
    name: bytes
    attributes: int
    created_hundredths: int
    created_time: int
    created_date: int
    accessed_date: int
    modified_time: int
    modified_date: int
    cluster: int
    size_bytes: int


@dataclasses.dataclass(frozen=True)
class _LongNameEntry:
    order: int
    units_1: bytes
    short_name_checksum: int
    units_2: bytes
    units_3: bytes


@dataclasses.dataclass(frozen=True)
class _Geometry:
    """Where things are: all in sectors but the count of clusters."""

    sectors: int
    cluster_sectors: int
    fat_sectors: int
    root_sectors: int
    clusters: int


_BOOT_SECTOR = Layout(
    "FAT boot sector",
    _BootSector,
    cs.Struct(
        "jump" / cs.Const(b"\xeb\x3c\x90"),  # over the fields to the boot code; also how Windows knows a FAT volume
        "system" / cs.Const(b"MSWIN4.1"),  # the name that the FAT spec recommends: some drivers accept no other
        "sector_bytes" / cs.Int16ul,
        "cluster_sectors" / cs.Int8ul,
        "reserved_sectors" / cs.Const(_RESERVED_SECTORS, cs.Int16ul),
        "fats" / cs.Const(_FATS, cs.Int8ul),
        "root_entries" / cs.Const(_ROOT_ENTRIES, cs.Int16ul),
        "sectors_16" / cs.Int16ul,
        "media" / cs.Const(_MEDIA, cs.Int8ul),
        "fat_sectors" / cs.Int16ul,
        "track_sectors" / cs.Const(63, cs.Int16ul),
        "heads" / cs.Const(255, cs.Int16ul),
        "hidden_sectors" / cs.Int32ul,
        "sectors_32" / cs.Int32ul,
        "drive" / cs.Const(0x80, cs.Int8ul),
        "reserved" / cs.Const(0, cs.Int8ul),
        "extended_signature" / cs.Const(0x29, cs.Int8ul),
        "volume_id" / cs.Int32ul,
        "label" / cs.Bytes(_LABEL_BYTES),
        "type" / cs.Const(b"FAT12   "),
        "boot_code" / cs.Const(BOOT_CODE.ljust(_BOOT_CODE_BYTES, b"\0")),
        "signature" / cs.Const(b"\x55\xaa"),
    ),
)
_DIRECTORY_ENTRY = Layout(
    "FAT directory entry",
    _Entry,
    cs.Struct(
        "name" / cs.Bytes(11),
        "attributes" / cs.Int8ul,
        "case" / cs.Const(0, cs.Int8ul),
        "created_hundredths" / cs.Int8ul,
        "created_time" / cs.Int16ul,
        "created_date" / cs.Int16ul,
        "accessed_date" / cs.Int16ul,
        "cluster_high" / cs.Const(0, cs.Int16ul),
        "modified_time" / cs.Int16ul,
        "modified_date" / cs.Int16ul,
        "cluster" / cs.Int16ul,
        "size_bytes" / cs.Int32ul,
    ),
)
_LONG_NAME_ENTRY = Layout(
    "FAT long name entry",
    _LongNameEntry,
    cs.Struct(
        "order" / cs.Int8ul,
        "units_1" / cs.Bytes(10),
        "attributes" / cs.Const(_ATTRIBUTE_LONG_NAME, cs.Int8ul),
        "type" / cs.Const(0, cs.Int8ul),
        "short_name_checksum" / cs.Int8ul,
        "units_2" / cs.Bytes(12),
        "cluster" / cs.Const(0, cs.Int16ul),
        "units_3" / cs.Bytes(4),
    ),
)


def build_volume(
    size_bytes: int, sector_bytes: int, label: str, volume_id: int, hidden_sectors: int, files: Sequence[FatFile]
) -> bytes:
    """All bytes of a volume with `files` in its root directory.

    `label` is at most 11 characters of upper-case ASCII; `hidden_sectors` is where the partition begins, in sectors.
    Raises TooLarge where the files, a name, the label or the size does not fit a FAT12 volume.
    """
    geometry = _geometry(size_bytes, sector_bytes)
    _check_names(files)
    label_bytes = _label(label)
    boot_sector = _BOOT_SECTOR.build(
        _BootSector(
            sector_bytes=sector_bytes,
            cluster_sectors=geometry.cluster_sectors,
            sectors_16=geometry.sectors if geometry.sectors < 1 << 16 else 0,
            fat_sectors=geometry.fat_sectors,
            hidden_sectors=hidden_sectors,
            sectors_32=0 if geometry.sectors < 1 << 16 else geometry.sectors,
            volume_id=volume_id,
            label=label_bytes,
        )
    )
    fat = [0xF00 | _MEDIA, _END_OF_CHAIN]  # the two entries before the first cluster (FAT spec, FAT[0] and FAT[1])
    directory = [_volume_entry(label_bytes)]
    clusters = []
    short_names: set[bytes] = set()
    for file in files:
        count = -(-len(file.data) // CLUSTER_BYTES)
        first = len(fat) if count else 0
        fat += [*range(first + 1, first + count), _END_OF_CHAIN] if count else []
        clusters.append(file.data.ljust(count * CLUSTER_BYTES, b"\0"))
        directory.append(_file_entries(file, first, short_names))
    root = b"".join(directory)
    if len(fat) - _FIRST_CLUSTER > geometry.clusters:
        raise TooLarge(f"FAT volume: files of {len(fat) - _FIRST_CLUSTER} clusters, there are {geometry.clusters}")
    if len(root) > _ROOT_ENTRIES * _ENTRY_BYTES:
        raise TooLarge(f"FAT volume: {len(root) // _ENTRY_BYTES} directory entries, limit {_ROOT_ENTRIES}")
    packed_fat = _pack_12_bits(fat).ljust(geometry.fat_sectors * sector_bytes, b"\0")
    parts = (
        boot_sector.ljust(_RESERVED_SECTORS * sector_bytes, b"\0"),
        packed_fat * _FATS,
        root.ljust(geometry.root_sectors * sector_bytes, b"\0"),
        *clusters,
    )
    return b"".join(parts).ljust(size_bytes, b"\0")


def _geometry(size_bytes: int, sector_bytes: int) -> _Geometry:
    if sector_bytes not in SECTOR_SIZES:
        raise TooLarge(f"FAT volume: sectors of {sector_bytes} bytes, expected one of {SECTOR_SIZES}")
    sectors = size_bytes // sector_bytes
    cluster_sectors = CLUSTER_BYTES // sector_bytes
    root_sectors = _ROOT_ENTRIES * _ENTRY_BYTES // sector_bytes
    # The FAT is sized for the clusters there would be without it: at most one sector more than it needs.
    clusters_without_fat = (sectors - _RESERVED_SECTORS - root_sectors) // cluster_sectors
    fat_sectors = -(-(clusters_without_fat + _FIRST_CLUSTER) * 3 // (2 * sector_bytes))
    clusters = (sectors - _RESERVED_SECTORS - root_sectors - _FATS * fat_sectors) // cluster_sectors
    if not 1 <= clusters <= _MOST_CLUSTERS:
        raise TooLarge(f"FAT volume: {size_bytes} bytes give {clusters} clusters, expected 1 to {_MOST_CLUSTERS}")
    return _Geometry(sectors, cluster_sectors, fat_sectors, root_sectors, clusters)


def _label(label: str) -> bytes:
    if (
        not 1 <= len(label) <= _LABEL_BYTES
        or not set(label) <= _SHORT_NAME_CHARACTERS | {" "}
        or label != label.strip()
    ):
        raise TooLarge(f"FAT label {label!r}: expected 1 to {_LABEL_BYTES} upper-case letters, digits or a few signs")
    return label.encode("ascii").ljust(_LABEL_BYTES)


def _volume_entry(label: bytes) -> bytes:
    return _DIRECTORY_ENTRY.build(_Entry(label, _ATTRIBUTE_VOLUME, 0, 0, 0, 0, 0, _FIRST_DAY, 0, 0))


def _file_entries(file: FatFile, first_cluster: int, taken: set[bytes]) -> bytes:
    """The directory entries of a file. `taken` holds the short names so far; this one's is added."""
    short_name = _short_name(file.name, taken)
    taken.add(short_name)
    date, time, hundredths = _stamp(file.modified)
    entry = _DIRECTORY_ENTRY.build(
        _Entry(
            name=short_name,
            attributes=_ATTRIBUTE_ARCHIVE,
            created_hundredths=hundredths,
            created_time=time,
            created_date=date,
            accessed_date=date,
            modified_time=time,
            modified_date=date,
            cluster=first_cluster,
            size_bytes=len(file.data),
        )
    )
    if _shown(short_name) == file.name:
        return entry
    return _long_name_entries(file.name, short_name) + entry


def _short_name(name: str, taken: set[bytes]) -> bytes:
    """The 8 + 3 characters that programs without long names see (FAT spec, the basis-name generation algorithm)."""
    stem, _, extension = name.lstrip(".").rpartition(".")
    if not stem:
        stem, extension = extension, ""
    stem, extension = _short_characters(stem), _short_characters(extension)
    short_name = f"{stem[:8]:8}{extension[:3]:3}".encode("ascii")
    is_exact = _shown(short_name) == name.upper()
    number = 0
    while not is_exact or short_name in taken:
        number += 1
        tail = f"~{number}"
        short_name = f"{stem[: 8 - len(tail)] + tail:8}{extension[:3]:3}".encode("ascii")
        is_exact = True
    return short_name


def _short_characters(text: str) -> str:
    kept = (character for character in text.upper() if character not in " .")
    return "".join(character if character in _SHORT_NAME_CHARACTERS else "_" for character in kept)


def _shown(short_name: bytes) -> str:
    """A short name as people see it: `RESCUE.PY`."""
    stem, extension = short_name[:8].decode("ascii").rstrip(), short_name[8:].decode("ascii").rstrip()
    return f"{stem}.{extension}" if extension else stem


def _long_name_entries(name: str, short_name: bytes) -> bytes:
    """The entries before a file's own that spell its name, the last part first (FAT spec, long directory entries)."""
    units = name.encode("utf-16-le", "surrogatepass")
    entry_bytes = 2 * _LONG_NAME_UNITS
    count = -(-len(units) // entry_bytes)
    if len(units) % entry_bytes:
        units = (units + b"\0\0").ljust(count * entry_bytes, b"\xff")
    checksum = _short_name_checksum(short_name)
    entries = []
    for number in range(count, 0, -1):
        part = units[(number - 1) * entry_bytes : number * entry_bytes]
        order = number | _LAST_LONG_ENTRY if number == count else number
        entries.append(_LONG_NAME_ENTRY.build(_LongNameEntry(order, part[:10], checksum, part[10:22], part[22:])))
    return b"".join(entries)


def _short_name_checksum(short_name: bytes) -> int:
    """Ties long name entries to the short name that they stand before (FAT spec, ChkSum)."""
    checksum = 0
    for byte in short_name:
        checksum = ((checksum & 1) << 7 | checksum >> 1) + byte & 0xFF
    return checksum


def _check_names(files: Sequence[FatFile]) -> None:
    seen: set[str] = set()
    for file in files:
        name = file.name
        if not name or name.endswith((".", " ")) or not _FORBIDDEN_CHARACTERS.isdisjoint(name):
            raise TooLarge(f"FAT volume: {name!r} cannot be the name of a file there")
        if len(name.encode("utf-16-le", "surrogatepass")) > 2 * _LONGEST_NAME_UNITS:
            raise TooLarge(f"FAT volume: {name[:20]!r}…: name is longer than {_LONGEST_NAME_UNITS} characters")
        if name.upper() in seen:
            raise TooLarge(f"FAT volume: {name!r} twice: FAT does not tell upper from lower case")
        seen.add(name.upper())


def _stamp(when: dt.datetime) -> tuple[int, int, int]:
    """Date, time in steps of two seconds, and the hundredths of a second that those leave out.

    A time that FAT cannot say becomes the nearest that it can: a server's clock may start in 1970.
    """
    when = min(max(when.replace(tzinfo=dt.UTC), _EARLIEST), _LATEST)
    date = when.year - 1980 << 9 | when.month << 5 | when.day
    time = when.hour << 11 | when.minute << 5 | when.second // 2
    return date, time, when.second % 2 * 100 + when.microsecond // 10_000


def _pack_12_bits(entries: Sequence[int]) -> bytes:
    """Two entries in three bytes, the first in the lower bits (FAT spec, FAT12)."""
    pairs = itertools.zip_longest(entries[::2], entries[1::2], fillvalue=0)
    return b"".join((low | high << 12).to_bytes(3, "little") for low, high in pairs)
