"""What is recognised: bytes by the book, and real file systems, of which blkid says the same."""

import re
import shutil
import subprocess
import tarfile
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.judges import need
from formats import fat, foreign, gpt

MIB = 1 << 20
SIZE = 64 * MIB
TYPE_GUID = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")
GUID = uuid.UUID("11111111-2222-3333-4444-555555555555")


class Disk:
    """A disk of zeros with some bytes in places; `read` is what a driver would offer."""

    def __init__(self, *parts: tuple[int, bytes], size_bytes: int = SIZE) -> None:
        self.size_bytes = size_bytes
        self.parts = parts

    def read(self, offset: int, size: int) -> bytes:
        size = max(0, min(size, self.size_bytes - offset))
        data = bytearray(size)
        for place, part in self.parts:
            first, last = max(offset, place), min(offset + size, place + len(part))
            if first < last:
                data[first - offset : last - offset] = part[first - place : last - place]
        return bytes(data)

    def recognise(self) -> str | None:
        found = foreign.recognise(self.read(0, MIB), self.read(self.size_bytes - MIB, MIB), self.size_bytes)
        return found.name if found else None

    def describe(self, sector_bytes: int | None = None) -> str | None:
        found = foreign.describe(self.read, self.size_bytes, sector_bytes)
        return found.sentence if found else None

    def write_to(self, path: Path) -> Path:
        with path.open("wb") as file:
            file.truncate(self.size_bytes)
            for place, part in self.parts:
                file.seek(place)
                file.write(part)
        return path


def of_file(path: Path) -> Disk:
    """The ends of a file, and its first partition's beginning; the rest of a sparse image is zeros anyhow."""
    size_bytes = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(4 * MIB)
        file.seek(max(0, size_bytes - 4 * MIB))
        tail = file.read()
    return Disk((0, head), (size_bytes - len(tail), tail), size_bytes=size_bytes)


def gpt_disk(*partitions: gpt.Partition, parts: tuple[tuple[int, bytes], ...] = (), sector_bytes: int = 512) -> Disk:
    table = gpt.build(SIZE, sector_bytes, GUID, partitions)
    return Disk((0, table.primary), (table.backup_offset, table.backup), *parts)


def fat_volume() -> bytes:
    return fat.build_volume(4 * MIB, 512, "OLD", 1, 2048, [])


def mbr_sector(*records: str) -> bytes:
    """An MBR with partition records in hexadecimal."""
    return bytes(446) + b"".join(bytes.fromhex(record) for record in records).ljust(64, b"\0") + b"\x55\xaa"


NTFS = b"\xeb\x52\x90NTFS    \x00\x02\x08".ljust(510, b"\0") + b"\x55\xaa"
ONE_PARTITION = "80 202100 07 feffff 00080000 00f80100"


@pytest.mark.parametrize("fill", (b"\0", b"\xff"))
@pytest.mark.parametrize("size_bytes", (0, 1, 512, 4096, 3 * MIB))
def test_blank(fill: bytes, size_bytes: int) -> None:
    data = fill * size_bytes
    assert foreign.recognise(data[:MIB], data[-MIB:], size_bytes) is None
    assert foreign.describe(lambda offset, size: data[offset : offset + size], size_bytes, 512) is None


@pytest.mark.parametrize("place", (0, 1, 511, MIB - 1, SIZE - MIB, SIZE - 1))
def test_one_bit_at_either_end_is_not_blank(place: int) -> None:
    assert Disk((place, b"\1")).recognise() == "data"
    assert Disk((place, b"\1")).describe() == "data of a kind that tapekit does not know"


def test_zeros_and_ones_are_not_blank_together() -> None:
    assert Disk((SIZE - MIB, b"\xff" * MIB)).recognise() == "data"


def test_what_was_not_seen_is_not_blank() -> None:
    assert foreign.recognise(b"", b"", SIZE) is not None
    assert foreign.recognise(bytes(MIB), b"", SIZE) is not None
    assert foreign.recognise(b"", bytes(MIB), SIZE) is not None
    assert foreign.describe(lambda _offset, _size: b"", SIZE, 512) == foreign.Foreign(
        "data", "something that cannot be read"
    )
    assert foreign.describe(lambda offset, size: bytes(size if offset == 0 else 100), SIZE, 512) is not None


def test_a_block_of_a_tape() -> None:
    assert foreign.recognise(bytes(64512), b"", 64512) is None
    found = foreign.recognise(b"VOL1TAPE01L             LTFS         ".ljust(80), b"", 80)
    assert found is not None
    assert found.name == "ltfs"
    label = bytes.fromhex("3e6a8c5e 000000c4 00000000") + b"BB02" + bytes(12) + b"\0\0\0\x14Bareos 2.0 immortal\n"
    assert foreign.recognise(label, b"", len(label)) == foreign.Foreign("bacula", "a Bacula or Bareos volume")
    found = foreign.recognise(b"AMANDA: TAPESTART DATE 20261123 TAPE DAILY-1\n".ljust(32768, b"\0"), b"", 32768)
    assert found is not None
    assert found.name == "amanda"


@pytest.mark.parametrize("signature", foreign.BOOT_SECTORS + foreign.SIGNATURES, ids=lambda signature: signature.name)
def test_no_signature_hides_behind_another(signature: foreign.Signature) -> None:
    assert Disk((signature.offset, signature.magic)).recognise() == signature.name
    if len(signature.magic) > 1:
        assert Disk((signature.offset, signature.magic[:-1] + b"\x99")).recognise() != signature.name


def test_every_signature_is_within_what_is_shown_and_has_words_and_a_reference() -> None:
    for signature in foreign.BOOT_SECTORS + foreign.SIGNATURES:
        assert signature.offset + len(signature.magic) <= foreign.END_BYTES
        assert signature.name in foreign.SENTENCES
        assert signature.reference
    for name, sentence in foreign.SENTENCES.items():
        assert name == name.lower()
        assert not set(name) & set(" '\"$\\")
        assert sentence


def test_a_cartridge_is_neither_foreign_nor_blank() -> None:
    disk = gpt_disk(*gpt.layout(SIZE, 512, GUID, GUID), parts=((MIB, fat_volume()),))
    assert disk.recognise() == "tapekit"
    assert disk.describe() == "a tapekit cartridge"
    assert Disk(*disk.parts[1:]).recognise() == "tapekit"  # its primary table wiped
    assert Disk(disk.parts[0]).recognise() == "tapekit"  # its backup table wiped
    found = foreign.recognise(b"TKBLOCK1" + bytes(4088), b"", 4096)
    assert found is not None
    assert found.name == "tapekit"
    found = foreign.recognise(b"TKBLOCK2" + bytes(4088), b"", 4096)
    assert found is not None
    assert found.name == "tapekit"
    assert Disk((0, b"TKLOGSB1")).recognise() == "tapekit"


@pytest.mark.parametrize("sector_bytes", (512, 4096))
def test_a_gpt_and_what_is_in_its_partitions(sector_bytes: int) -> None:
    first = gpt.Partition(gpt.BASIC_DATA, GUID, MIB, 16 * MIB, "Microsoft reserved partition")
    second = gpt.Partition(gpt.BASIC_DATA, GUID, 20 * MIB, 20 * MIB, "Basic data partition")
    third = gpt.Partition(TYPE_GUID, GUID, 40 * MIB, 4 * MIB, "")
    parts = ((20 * MIB, NTFS), (40 * MIB, fat_volume()))
    disk = gpt_disk(first, second, third, parts=parts, sector_bytes=sector_bytes)
    assert disk.recognise() == "gpt"
    expected = "a GPT partition table with an NTFS file system in partition 2, a FAT file system in partition 3"
    assert disk.describe() == disk.describe(sector_bytes) == expected
    assert gpt_disk(first, sector_bytes=sector_bytes).describe() == "a GPT partition table"


@pytest.mark.parametrize("sector_bytes", (512, 4096))
def test_what_is_left_of_a_gpt(sector_bytes: int) -> None:
    disk = gpt_disk(gpt.Partition(TYPE_GUID, GUID, MIB, MIB, ""), sector_bytes=sector_bytes)
    primary, backup = disk.parts
    assert Disk((0, primary[1][:512])).recognise() == "gpt"  # the protective MBR alone
    assert Disk((sector_bytes, primary[1][sector_bytes:])).recognise() == "gpt"
    assert Disk(backup).recognise() == "gpt"
    assert Disk((0, NTFS), backup).recognise() == "ntfs"  # a newer volume over it


def test_an_mbr_and_what_is_in_its_partitions() -> None:
    disk = Disk((0, mbr_sector(ONE_PARTITION)), (MIB, NTFS))
    assert disk.recognise() == "mbr"
    assert disk.describe() == "an MBR partition table with an NTFS file system in partition 1"
    with_4096 = Disk((0, mbr_sector("00 202100 07 feffff 00010000 00380000")), (MIB, NTFS))
    assert with_4096.describe(4096) == "an MBR partition table with an NTFS file system in partition 1"
    beyond = Disk((0, mbr_sector("00 202100 07 feffff 00080000 00f8ffff")), (MIB, NTFS))
    assert beyond.describe() == "an MBR partition table"


def test_an_mbr_signature_without_a_partition_is_data() -> None:
    assert Disk((0, mbr_sector())).recognise() == "data"
    assert Disk((0, mbr_sector("00 202100 07 feffff 00080000 00000000"))).recognise() == "data"
    assert Disk((0, mbr_sector("17 202100 07 feffff 00080000 00f80100"))).recognise() == "data"
    assert Disk((0, mbr_sector(ONE_PARTITION)[:510])).recognise() == "data"


def test_a_fat_boot_sector_is_no_mbr() -> None:
    boot_code = bytes.fromhex(ONE_PARTITION)
    volume = fat_volume()
    assert Disk((0, volume[:446] + boot_code + volume[462:])).recognise() == "vfat"
    assert Disk((0, volume[:54] + bytes(8) + volume[62:])).recognise() == "vfat"  # no type in words
    for place, value in ((0, 0), (11, 1), (13, 3), (13, 0), (14, 0), (16, 0), (16, 3), (21, 0xF1), (510, 0)):
        wrong = bytearray(volume[:512])
        wrong[place] = value
        assert Disk((0, bytes(wrong))).recognise() == "data", place


@pytest.mark.parametrize("offset", (0, 4096, SIZE - 8192))
def test_mdraid_1(tmp_path: Path, offset: int) -> None:
    superblock = (
        bytes.fromhex("fc4e2ba9 01000000").ljust(144, b"\0") + (offset // 512).to_bytes(8, "little") + bytes(104)
    )
    disk = Disk((offset, superblock))
    assert disk.recognise() == "mdraid"
    assert blkid_agrees(disk.write_to(tmp_path / "disk"), "linux_raid_member")


@pytest.mark.parametrize("size_bytes", (SIZE, SIZE + 60 * 1024))
def test_mdraid_0_90(tmp_path: Path, size_bytes: int) -> None:
    words = [0xA92B4EFC, 0, 90, 0, 0, 1, 1, 1, 1024]
    little = b"".join(word.to_bytes(4, "little") for word in words)
    big = b"".join(word.to_bytes(4, "big") for word in words)
    for superblock in (little, big):
        disk = Disk((SIZE - 65536, superblock), size_bytes=size_bytes)
        assert disk.recognise() == "mdraid"
        assert blkid_agrees(disk.write_to(tmp_path / "disk"), "linux_raid_member")


@pytest.mark.parametrize("label", (0, 256 * 1024, SIZE - 512 * 1024, SIZE - 256 * 1024))
@pytest.mark.parametrize("magic", ("0cb1ba0000000000", "0000000000bab10c"))
def test_zfs(tmp_path: Path, label: int, magic: str) -> None:
    ring = b"".join(bytes.fromhex(magic).ljust(1024, b"\0") for _ in range(4))
    disk = Disk((label + 132 * 1024, ring), size_bytes=SIZE + 100 * 512)
    assert disk.recognise() == "zfs"
    assert blkid_agrees(disk.write_to(tmp_path / "disk"), "zfs_member")
    assert Disk((label + 132 * 1024 + 8, ring[:8])).recognise() == "data"


@pytest.mark.parametrize(
    ("name", "blkid_name", "data"),
    (
        ("bitlocker", "BitLocker", b"\xeb\x52\x90-FVE-FS-"),
        ("refs", "ReFS", b"\0\0\0ReFS\0"),
        ("apfs", "apfs", b"\0" * 8 + b"\1" + b"\0" * 15 + b"\1" + b"\0" * 7 + b"NXSB\0\x10\0\0"),
        ("jfs", None, bytes(0x8000) + b"JFS1"),
        ("lvm", None, bytes(512) + b"LABELONE\1" + bytes(15) + b"LVM2 001"),
        ("lvm", None, bytes(3 * 512) + b"LABELONE\3" + bytes(15) + b"LVM2 001"),
        (
            "bitlocker",
            None,
            b"\xeb\x58\x90MSWIN4.1" + bytes(413) + uuid.UUID("4967d63b-2e29-4ad8-8399-f6a339e3d001").bytes_le,
        ),
        ("data", None, bytes(512) + b"LABELONE\1" + bytes(15) + b"LVM1 001"),
        ("data", None, bytes(4 * 512) + b"LABELONE\1" + bytes(15) + b"LVM2 001"),
        ("udf", None, bytes(0x8000) + b"\0CD001".ljust(2048, b"\0") + b"\0BEA01".ljust(2048, b"\0") + b"\0NSR02"),
        ("udf", None, bytes(0x8000) + b"\0BEA01".ljust(4096, b"\0") + b"\0NSR03"),
        ("data", None, bytes(0x8000) + b"\0BEA01".ljust(4096, b"\0") + b"\0NSR04"),
    ),
)
def test_bytes_by_the_book(tmp_path: Path, name: str, blkid_name: str | None, data: bytes) -> None:
    disk = Disk((0, data))
    assert disk.recognise() == name
    if blkid_name:
        assert blkid_agrees(disk.write_to(tmp_path / "disk"), blkid_name)


def ext(
    *, compatible: int = 0, incompatible: int = 0, read_only: int = 0, revision: int = 1, block_size: int = 2
) -> Disk:
    superblock = bytearray(1024)
    superblock[0x38:0x3A] = b"\x53\xef"
    places = ((0x18, block_size), (0x4C, revision), (0x5C, compatible), (0x60, incompatible), (0x64, read_only))
    for place, value in places:
        superblock[place : place + 4] = value.to_bytes(4, "little")
    return Disk((1024, bytes(superblock)))


def test_the_ext_family() -> None:
    assert ext().recognise() == "ext2"
    assert ext(incompatible=0x12, read_only=0x7).recognise() == "ext2"
    assert ext(compatible=0x4, incompatible=0x6).recognise() == "ext3"
    assert ext(compatible=0x4, incompatible=0x40).recognise() == "ext4"
    assert ext(incompatible=0x80).recognise() == "ext4"
    assert ext(compatible=0x4, read_only=0x8).recognise() == "ext4"
    assert ext(incompatible=0x8).recognise() == "jbd"
    assert ext(revision=2).recognise() == "data"
    assert ext(block_size=7).recognise() == "data"


def run(*command: str | Path, typed: str = "") -> None:
    if shutil.which(str(command[0])) is None:
        pytest.skip(f"{command[0]} is not installed")
    result = subprocess.run(command, check=False, capture_output=True, text=True, input=typed)
    assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"


def of_blkid(path: Path, key: str) -> str:
    """What blkid says of an image, or nothing."""
    need("blkid")
    command = ("blkid", "--probe", "--output", "value", "--match-tag", key, path)
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip()


def blkid_agrees(path: Path, name: str) -> bool:
    """Whether blkid finds that in a few bytes by the book; from 2.39 on it asks for checksums and more of some."""
    need("blkid")
    version = subprocess.run(["blkid", "--version"], check=True, capture_output=True, text=True).stdout
    found = re.search(r"libblkid (\d+)\.(\d+)", version)
    is_strict = found is not None and (int(found[1]), int(found[2])) >= (2, 39)
    return of_blkid(path, "TYPE") in ({name, ""} if is_strict else {name})


@pytest.mark.parametrize(
    ("name", "blkid_name", "size_bytes", "command"),
    (
        ("ext2", "ext2", SIZE, "mkfs.ext2 -q -F IMAGE"),
        ("ext3", "ext3", SIZE, "mkfs.ext3 -q -F IMAGE"),
        ("ext4", "ext4", SIZE, "mkfs.ext4 -q -F IMAGE"),
        ("ext4", "ext4", SIZE, "mkfs.ext4 -q -F -O ^has_journal IMAGE"),
        ("jbd", "jbd", SIZE, "mkfs.ext4 -q -F -O journal_dev IMAGE"),
        ("vfat", "vfat", 2 * MIB, "mkfs.vfat -F 12 IMAGE"),
        ("vfat", "vfat", SIZE, "mkfs.vfat -F 16 IMAGE"),
        ("vfat", "vfat", SIZE, "mkfs.vfat -F 32 -S 4096 IMAGE"),
        ("ntfs", "ntfs", SIZE, "mkfs.ntfs -F -q IMAGE"),
        ("ntfs", "ntfs", SIZE, "mkfs.ntfs -F -q -s 4096 IMAGE"),
        ("exfat", "exfat", SIZE, "mkfs.exfat IMAGE"),
        ("xfs", "xfs", 512 * MIB, "mkfs.xfs -q IMAGE"),
        ("btrfs", "btrfs", 256 * MIB, "mkfs.btrfs -q IMAGE"),
        ("f2fs", "f2fs", SIZE, "mkfs.f2fs -q IMAGE"),
        ("jfs", "jfs", SIZE, "mkfs.jfs -q IMAGE"),
        ("reiserfs", "reiserfs", SIZE, "mkreiserfs -q -f -f IMAGE"),
        ("udf", "udf", SIZE, "mkudffs IMAGE"),
        ("udf", "udf", SIZE, "mkudffs --blocksize=4096 IMAGE"),
        ("swap", "swap", SIZE, "mkswap IMAGE"),
        ("swap", "swap", SIZE, "mkswap --pagesize 65536 IMAGE"),
        ("luks", "crypto_LUKS", SIZE, "cryptsetup -q luksFormat --type luks1 --pbkdf-force-iterations 1000 IMAGE KEY"),
        (
            "luks",
            "crypto_LUKS",
            SIZE,
            "cryptsetup -q luksFormat --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 IMAGE KEY",
        ),
        ("iso9660", "iso9660", 0, "genisoimage -quiet -o IMAGE FOLDER"),
        ("squashfs", "squashfs", 0, "mksquashfs FOLDER IMAGE -quiet -no-progress"),
    ),
)
def test_blkid_agrees_on_real_file_systems(
    tmp_path: Path, name: str, blkid_name: str, size_bytes: int, command: str
) -> None:
    places = {"IMAGE": tmp_path / "image", "KEY": tmp_path / "key", "FOLDER": tmp_path / "folder"}
    places["KEY"].write_bytes(b"correct horse battery staple")
    places["FOLDER"].mkdir()
    (places["FOLDER"] / "file").write_bytes(b"content")
    if size_bytes:
        Disk(size_bytes=size_bytes).write_to(places["IMAGE"])
    run(*(places.get(word, word) for word in command.split()))
    assert of_blkid(places["IMAGE"], "TYPE") == blkid_name
    assert of_file(places["IMAGE"]).recognise() == name


@pytest.mark.parametrize(
    ("name", "blkid_name", "command"),
    (
        ("mbr", "dos", "sfdisk -q --wipe never IMAGE"),
        ("gpt", "gpt", "sgdisk --clear --new=1 IMAGE"),
    ),
)
def test_blkid_agrees_on_real_partition_tables(tmp_path: Path, name: str, blkid_name: str, command: str) -> None:
    path = Disk().write_to(tmp_path / "image")
    run(*(path if word == "IMAGE" else word for word in command.split()), typed="label: dos\nstart=2048\n")
    assert of_blkid(path, "PTTYPE") == blkid_name
    disk = of_file(path)
    assert disk.recognise() == name
    assert (
        Disk(*disk.parts, (MIB, NTFS)).describe()
        == f"{foreign.SENTENCES[name]} with an NTFS file system in partition 1"
    )


@pytest.mark.parametrize(
    ("name", "command"),
    (
        ("gzip", "gzip --keep FILE"),
        ("bzip2", "bzip2 --keep FILE"),
        ("xz", "xz --keep FILE"),
        ("zstd", "zstd -q FILE"),
        ("lz4", "lz4 -q FILE FILE.lz4"),
        ("zip", "zip -q FILE.zip FILE"),
        ("7z", "7z a FILE.7z FILE"),
        ("sqlite", "sqlite3 FILE.db VACUUM"),
    ),
)
def test_real_files(tmp_path: Path, name: str, command: str) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"content\n" * 100)
    run(*(word.replace("FILE", str(file)) for word in command.split()))
    (made,) = (path for path in tmp_path.iterdir() if path != file)
    assert of_file(made).recognise() == name


@pytest.mark.parametrize("tar_format", (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT))
def test_a_real_tar(tmp_path: Path, tar_format: int) -> None:
    with tarfile.open(tmp_path / "a.tar", "w", format=tar_format) as archive:
        archive.addfile(tarfile.TarInfo("long" * 20 + "/" + "name" * 10))
    assert of_file(tmp_path / "a.tar").recognise() == "tar"


def reader(data: bytes) -> Callable[[int, int], bytes]:
    return lambda offset, size: data[offset : offset + size]


interesting_starts = st.sampled_from(
    [(0, b""), (0, mbr_sector(ONE_PARTITION)), (512, b"EFI PART\0\0\1\0\x5c"), (1080, b"\x53\xef"), (0, NTFS[:40])]
)


@given(st.binary(max_size=8192), interesting_starts, st.integers(0, 1 << 45), st.sampled_from((None, 512, 4096)))
def test_any_bytes_get_an_answer(
    data: bytes, start: tuple[int, bytes], size_bytes: int, sector_bytes: int | None
) -> None:
    offset, magic = start
    data = data[:offset].ljust(offset, b"\0") + magic + data[offset:]
    found = foreign.recognise(data, data[::-1], size_bytes)
    assert found is None or found.name in foreign.SENTENCES
    is_blank = set(data) in (set(), {0}, {0xFF})
    assert (found is None) == (is_blank and (bool(data) or size_bytes == 0))
    found = foreign.describe(reader(data), len(data), sector_bytes)
    assert (found is None) == is_blank
    found = foreign.describe(reader(data), size_bytes, sector_bytes)
    assert found is not None or size_bytes <= len(data)
