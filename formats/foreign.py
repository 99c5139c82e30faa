"""What is on a medium that is not a tapekit cartridge, so that it can be named before anything overwrites it.

A wrong name does little harm; "blank" said of something that is not blank would destroy it. So only zeros or only ones
are blank, and whatever is not known is `data`.
"""

import dataclasses
from collections.abc import Callable

from formats import block, gpt, mbr, recordlog
from formats.errors import Damaged

END_BYTES = 1 << 20
"""How much of each end of a medium is worth showing to `recognise`."""

_PARTITIONS_DESCRIBED = 4


@dataclasses.dataclass(frozen=True)
class Foreign:
    """What was found: `name` is one word to type on a command line, `sentence` says it to a person."""

    name: str
    sentence: str


@dataclasses.dataclass(frozen=True)
class Signature:
    """Bytes at a fixed place that name what is there, and where that is written."""

    name: str
    offset: int
    magic: bytes
    reference: str


# Volumes whose first sector looks like an MBR too, and is none.
BOOT_SECTORS = (
    Signature("bitlocker", 3, b"-FVE-FS-", "libyal, BitLocker Drive Encryption format, volume header"),
    Signature("bitlocker", 424, bytes.fromhex("3bd66749292ed84a8399f6a339e3d001"), "the same, BitLocker To Go"),
    Signature("ntfs", 3, b"NTFS    ", "Microsoft, NTFS boot sector, OEM ID"),
    Signature("exfat", 3, b"EXFAT   ", "Microsoft, exFAT specification, section 3.1.2"),
    Signature("refs", 3, b"ReFS\0", "libyal, Resilient File System format, volume header"),
)
# The first that matches counts.
SIGNATURES = (
    Signature("luks", 0, b"LUKS\xba\xbe", "LUKS1 On-Disk Format 1.2.3, section 2.1; the same in LUKS2"),
    Signature("btrfs", 0x10040, b"_BHRfS_M", "btrfs documentation, On-disk format, superblock"),
    Signature("xfs", 0, b"XFSB", "XFS Algorithms & Data Structures, Superblocks"),
    Signature("apfs", 32, b"NXSB", "Apple File System Reference, nx_superblock_t"),
    Signature("hfs+", 1024, b"H+\0\4", "Apple, Technical Note 1150, volume header"),
    Signature("hfs+", 1024, b"HX\0\5", "the same, HFSX"),
    Signature("f2fs", 1024, b"\x10\x20\xf5\xf2", "Linux, include/linux/f2fs_fs.h"),
    Signature("jfs", 0x8000, b"JFS1", "Linux, fs/jfs/jfs_superblock.h"),
    Signature("reiserfs", 0x10034, b"ReIsEr", "Linux, fs/reiserfs/reiserfs.h"),
    Signature("ufs", 0x1055C, b"\x19\x01\x54\x19", "FreeBSD, sys/ufs/ffs/fs.h, UFS2"),
    Signature("ufs", 0x255C, b"\x54\x19\x01\x00", "the same, UFS1"),
    Signature("squashfs", 0, b"hsqs", "Linux, fs/squashfs/squashfs_fs.h"),
    Signature("iso9660", 0x8001, b"CD001", "ECMA-119, section 8.1"),
    Signature("swap", 4096 - 10, b"SWAPSPACE2", "Linux, include/linux/swap.h, at the end of the first page"),
    Signature("swap", 8192 - 10, b"SWAPSPACE2", "the same, pages of 8 KiB"),
    Signature("swap", 16384 - 10, b"SWAPSPACE2", "the same, pages of 16 KiB"),
    Signature("swap", 65536 - 10, b"SWAPSPACE2", "the same, pages of 64 KiB"),
    Signature("apm", 512, b"PM\0\0", "Apple, Inside Macintosh: Devices, partition map entry"),
    Signature("bsd", 512, b"\x57\x45\x56\x82", "FreeBSD, sys/sys/disk/bsd.h"),
    Signature("ltfs", 24, b"LTFS", "ISO/IEC 20919, VOL1 label, implementation identifier"),
    Signature("ansi", 0, b"VOL1", "ANSI INCITS 27, volume header label"),
    Signature("bacula", 12, b"BB01", "Bacula developer's guide, Storage Media Output Format"),
    Signature("bacula", 12, b"BB02", "the same; Bareos writes it too"),
    Signature("bacula", 12, b"BB03", "the same"),
    Signature("amanda", 0, b"AMANDA: ", "Amanda, common-src/fileheader.c"),
    Signature("mtf", 0, b"TAPE", "Microsoft Tape Format 1.00a, TAPE descriptor block"),
    Signature("proxmox", 0, bytes.fromhex("dcbdafcaeba0a528"), "Proxmox Backup Server, tape block header v1.0"),
    Signature("dump", 24, b"\x6c\xea\0\0", "FreeBSD, include/protocols/dumprestore.h"),
    Signature("tar", 257, b"ustar", "POSIX.1-2017, ustar Interchange Format"),
    Signature("cpio", 0, b"070701", "Linux, initramfs buffer format"),
    Signature("cpio", 0, b"070702", "the same, with checksums"),
    Signature("cpio", 0, b"070707", "POSIX.1-2017, cpio Interchange Format"),
    Signature("sqlite", 0, b"SQLite format 3\0", "SQLite, Database File Format, section 1.3"),
    Signature("gzip", 0, b"\x1f\x8b\x08", "RFC 1952, section 2.3"),
    Signature("zstd", 0, b"\x28\xb5\x2f\xfd", "RFC 8878, section 3.1.1"),
    Signature("xz", 0, b"\xfd7zXZ\0", "The .xz File Format 1.1.0, section 2.1.1.1"),
    Signature("bzip2", 4, b"1AY&SY", "bzip2, the magic of a compressed block"),
    Signature("lz4", 0, b"\x04\x22\x4d\x18", "LZ4 Frame Format, general structure"),
    Signature("zip", 0, b"PK\3\4", "PKWARE, APPNOTE, section 4.3.7"),
    Signature("7z", 0, b"7z\xbc\xaf\x27\x1c", "7-Zip, 7zFormat.txt, signature header"),
    Signature("rar", 0, b"Rar!\x1a\x07", "RARLAB, RAR 5.0 archive format"),
)
SENTENCES = {
    "7z": "a 7-Zip archive",
    "amanda": "an Amanda volume",
    "ansi": "a tape with ANSI labels",
    "apfs": "an APFS volume of a Mac",
    "apm": "a partition table of an old Mac",
    "bacula": "a Bacula or Bareos volume",
    "bitlocker": "a volume encrypted with BitLocker",
    "bsd": "a BSD disk label",
    "btrfs": "a btrfs file system",
    "bzip2": "bzip2-compressed data",
    "cpio": "a cpio archive",
    "data": "data of a kind that tapekit does not know",
    "dump": "a backup made by dump",
    "exfat": "an exFAT file system",
    "ext2": "an ext2 file system",
    "ext3": "an ext3 file system",
    "ext4": "an ext4 file system",
    "f2fs": "an F2FS file system",
    "gpt": "a GPT partition table",
    "gzip": "gzip-compressed data",
    "hfs+": "an HFS+ file system of a Mac",
    "iso9660": "an ISO 9660 image, as on a CD or DVD",
    "jbd": "the external journal of an ext3 or ext4 file system",
    "jfs": "a JFS file system",
    "ltfs": "an LTFS tape",
    "luks": "a volume encrypted with LUKS",
    "lvm": "an LVM physical volume",
    "lz4": "LZ4-compressed data",
    "mbr": "an MBR partition table",
    "mdraid": "a member of a Linux RAID array",
    "mtf": "a backup in Microsoft Tape Format (Backup Exec, NTBackup)",
    "ntfs": "an NTFS file system",
    "proxmox": "a tape of Proxmox Backup Server",
    "rar": "a RAR archive",
    "refs": "a ReFS file system",
    "reiserfs": "a ReiserFS file system",
    "sqlite": "an SQLite database",
    "squashfs": "a squashfs file system",
    "swap": "Linux swap space",
    "tapekit": "a tapekit cartridge",
    "tar": "a tar archive",
    "udf": "a UDF file system, as on a DVD",
    "ufs": "a UFS file system",
    "vfat": "a FAT file system",
    "xfs": "an XFS file system",
    "xz": "xz-compressed data",
    "zfs": "a member of a ZFS pool",
    "zip": "a zip archive",
    "zstd": "Zstandard-compressed data",
}


class _Ends:
    """The two ends of a medium, read by offset; what is between them reads as nothing."""

    def __init__(self, head: bytes, tail: bytes, size_bytes: int) -> None:
        self.head = head
        self.tail = tail
        self.size_bytes = size_bytes

    def read(self, offset: int, size: int) -> bytes:
        """At most `size` bytes at `offset`."""
        if offset < 0:
            return b""
        if offset < len(self.head):
            return self.head[offset : offset + size]
        start = offset - (self.size_bytes - len(self.tail))
        return self.tail[start : start + size] if start >= 0 else b""

    def number(self, offset: int, size: int) -> int:
        """The little-endian number at `offset`; 0 where nothing is."""
        return int.from_bytes(self.read(offset, size), "little")


def recognise(head: bytes, tail: bytes, size_bytes: int) -> Foreign | None:
    """What is on a medium of `size_bytes`, of which `head` and `tail` are the two ends, at best END_BYTES of each.

    None is blank: nothing but zeros, or nothing but ones, at both ends. What lies between is not looked at: where both
    partition tables are lost, a caller looks for a record log at 5 MiB (SPEC.md section 14) before it asks here.
    Of a tape, `head` is the first block, `tail` is empty and `size_bytes` is the block's size.
    A tapekit cartridge is named too, `tapekit`; it is not foreign, but neither is it blank.
    """
    both_ends_seen = len(head) >= size_bytes or (head and tail)
    if both_ends_seen and _is_blank(head, tail):
        return None
    ends = _Ends(head, tail, size_bytes)
    names = (recogniser(ends) for recogniser in _RECOGNISERS)
    name = next((name for name in names if name), "data")
    return Foreign(name, SENTENCES[name])


def describe(read: gpt.Read, size_bytes: int, sector_bytes: int | None) -> Foreign | None:
    """As `recognise`, and with words for what is in the first partitions where there is a partition table."""
    found = _recognise_part(read, 0, size_bytes)
    if found is None or found.name not in ("gpt", "mbr"):
        return found
    held = []
    for number, (first_byte, part_bytes) in enumerate(_partitions(read, size_bytes, sector_bytes), start=1):
        inner = _recognise_part(read, first_byte, part_bytes)
        if inner is not None and inner.name not in ("data", "gpt", "mbr"):
            held.append(f"{inner.sentence} in partition {number}")
    return Foreign(found.name, f"{found.sentence} with {', '.join(held)}") if held else found


def _recognise_part(read: gpt.Read, first_byte: int, size_bytes: int) -> Foreign | None:
    """As `recognise`, of a part of a disk. What cannot be read is not blank."""
    end_bytes = min(END_BYTES, size_bytes)
    head = read(first_byte, end_bytes)
    tail = read(first_byte + size_bytes - end_bytes, end_bytes)
    is_whole = len(head) == len(tail) == end_bytes
    if not is_whole and _is_blank(head, tail):
        return Foreign("data", "something that cannot be read")
    return recognise(head, tail, size_bytes)


def _partitions(read: gpt.Read, size_bytes: int, sector_bytes: int | None) -> list[tuple[int, int]]:
    """First byte and size of the first partitions, within the disk."""
    unit = sector_bytes or 512
    try:
        found = [
            (partition.first_byte, partition.size_bytes) for partition in gpt.parse(read, size_bytes, sector_bytes)
        ]
    except Damaged:
        records = _mbr_records(read(0, max(unit, mbr.SIZE_BYTES)))
        found = [(record.first_sector * unit, record.sectors * unit) for record in records if record.is_used]
    return [(first, size) for first, size in found[:_PARTITIONS_DESCRIBED] if first + size <= size_bytes]


def _mbr_records(sector: bytes) -> tuple[mbr.MbrRecord, ...]:
    try:
        return mbr.parse(sector)
    except Damaged:
        return ()


def _is_blank(*parts: bytes) -> bool:
    return any(not any(part.strip(fill) for part in parts) for fill in (b"\0", b"\xff"))


def _first_match(signatures: tuple[Signature, ...], ends: _Ends) -> str | None:
    return next((s.name for s in signatures if ends.read(s.offset, len(s.magic)) == s.magic), None)


def _tapekit(ends: _Ends) -> str | None:
    if ends.head.startswith((block.MAGIC[:-1], recordlog.SUPERBLOCK_MAGIC)):
        return "tapekit"
    try:
        return "tapekit" if gpt.is_cartridge(gpt.parse(ends.read, ends.size_bytes, None)) else None
    except Damaged:
        return None


def _gpt(ends: _Ends) -> str | None:
    return "gpt" if any(ends.read(size, 8) == gpt.SIGNATURE for size in gpt.SECTOR_SIZES) else None


def _gpt_backup(ends: _Ends) -> str | None:
    last_sectors = (ends.size_bytes // size * size - size for size in gpt.SECTOR_SIZES)
    return "gpt" if any(ends.read(offset, 8) == gpt.SIGNATURE for offset in last_sectors) else None


def _boot_sector(ends: _Ends) -> str | None:
    return _first_match(BOOT_SECTORS, ends)


def _fat(ends: _Ends) -> str | None:
    """A FAT boot sector that makes sense: its type in words is not always there (FAT spec 1.03, BPB)."""
    cluster_sectors = ends.number(13, 1)
    makes_sense = (
        ends.read(0, 1) in (b"\xeb", b"\xe9")
        and ends.number(11, 2) in (512, 1024, 2048, 4096)
        and cluster_sectors.bit_count() == 1
        and ends.number(14, 2) > 0  # reserved sectors
        and ends.number(16, 1) in (1, 2)  # FATs
        and ends.number(21, 1) in (0xF0, *range(0xF8, 0x100))  # media
        and ends.read(510, 2) == b"\x55\xaa"
    )
    return "vfat" if makes_sense else None


def _mbr(ends: _Ends) -> str | None:
    """An MBR with a partition in it. Its signature alone says little: boot code of many kinds ends in the same."""
    records = _mbr_records(ends.read(0, mbr.SIZE_BYTES))
    if any(record.boot_indicator not in (0x00, 0x80) for record in records):
        return None
    if any(record.os_type == mbr.PROTECTIVE for record in records):
        return "gpt"
    return "mbr" if any(record.is_used for record in records) else None


def _udf(ends: _Ends) -> str | None:
    """A volume recognition sequence with NSR02 or NSR03 in it (ECMA-167, part 2; it may begin like ISO 9660)."""
    descriptors = (ends.read(0x8000 + number * 2048 + 1, 5) for number in range(32))
    return "udf" if any(identifier in (b"NSR02", b"NSR03") for identifier in descriptors) else None


def _lvm(ends: _Ends) -> str | None:
    """The label is in one of the first four sectors (LVM2, lib/format_text/layout.h)."""
    labels = (ends.read(sector * 512, 32) for sector in range(4))
    return "lvm" if any(label[:8] == b"LABELONE" and label[24:] == b"LVM2 001" for label in labels) else None


def _mdraid(ends: _Ends) -> str | None:
    """Superblock 1.1 and 1.2 at the start, 1.0 and 0.90 near the end (Linux, md_p.h; the RAID wiki's formats)."""
    end = ends.size_bytes
    version_1 = b"\xfc\x4e\x2b\xa9\1\0\0\0"
    version_0 = (b"\xfc\x4e\x2b\xa9\0\0\0\0", b"\xa9\x2b\x4e\xfc\0\0\0\0")  # in the byte order of the machine
    if any(ends.read(offset, 8) == version_1 for offset in (0, 4096, (end - 8192) & ~4095)):
        return "mdraid"
    return "mdraid" if ends.read((end & ~65535) - 65536, 8) in version_0 else None


def _signature(ends: _Ends) -> str | None:
    return _first_match(SIGNATURES, ends)


def _zfs(ends: _Ends) -> str | None:
    """An uberblock in the ring of one of the four labels (ZFS On-Disk Specification, section 1.3)."""
    label_bytes, ring_bytes = 256 << 10, 128 << 10
    end = ends.size_bytes // label_bytes * label_bytes
    magic = 0x00BAB10C
    magics = (magic.to_bytes(8, "little"), magic.to_bytes(8, "big"))
    for label in (0, label_bytes, end - 2 * label_bytes, end - label_bytes):
        ring = ends.read(label + label_bytes - ring_bytes, ring_bytes)
        if any(ring[slot : slot + 8] in magics for slot in range(0, len(ring), 1024)):
            return "zfs"
    return None


def _ext(ends: _Ends) -> str | None:
    """ext2, ext3 and ext4 have one magic; features tell them apart (Linux, Documentation/filesystems/ext4)."""
    superblock = 1024
    known_revision = ends.number(superblock + 0x4C, 4) in (0, 1) and ends.number(superblock + 0x18, 4) in range(7)
    if ends.read(superblock + 0x38, 2) != b"\x53\xef" or not known_revision:
        return None
    compatible, incompatible, read_only = (ends.number(superblock + offset, 4) for offset in (0x5C, 0x60, 0x64))
    has_journal, is_journal = compatible & 0x4, incompatible & 0x8
    if is_journal:
        return "jbd"
    if incompatible & ~0x16 or read_only & ~0x7:  # what ext3 does not know
        return "ext4"
    return "ext3" if has_journal else "ext2"


# The first that knows counts: partition tables and what could be taken for one, then what has a long magic, then what
# has a magic of two bytes; the backup of a partition table is last, for it outlives what was made over the primary.
_RECOGNISERS: tuple[Callable[[_Ends], str | None], ...] = (
    _tapekit,
    _gpt,
    _boot_sector,
    _fat,
    _mbr,
    _udf,
    _lvm,
    _mdraid,
    _signature,
    _zfs,
    _ext,
    _gpt_backup,
)
