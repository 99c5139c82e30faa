"""The partition table against the text of UEFI 2.10, and against sgdisk, sfdisk and the kernel."""

import contextlib
import json
import os
import shutil
import subprocess
import uuid
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats import gpt, mbr
from formats.errors import Damaged, FormatError, TooLarge

MIB = 1 << 20
DISK_GUID = uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")
INFO_GUID = uuid.UUID("11111111-2222-3333-4444-555555555555")
LOG_GUID = uuid.UUID("99999999-8888-7777-6666-555555555555")
both_sectors = pytest.mark.parametrize("sector_bytes", (512, 4096))


class Disk:
    """A sparse disk in memory: the two tables at its ends, zeros between."""

    def __init__(self, size_bytes: int, table: gpt.Table) -> None:
        self.size_bytes = size_bytes
        self.start = bytearray(table.primary)
        self.end = bytearray(table.backup)
        self.end_offset = table.backup_offset

    def read(self, offset: int, size: int) -> bytes:
        size = max(0, min(size, self.size_bytes - offset))
        data = bytearray(size)
        for place, part in ((0, self.start), (self.end_offset, self.end)):
            first, last = max(offset, place), min(offset + size, place + len(part))
            if first < last:
                data[first - offset : last - offset] = part[first - place : last - place]
        return bytes(data)


def cartridge(size_bytes: int, sector_bytes: int) -> tuple[tuple[gpt.Partition, ...], gpt.Table]:
    partitions = gpt.layout(size_bytes, sector_bytes, INFO_GUID, LOG_GUID)
    return partitions, gpt.build(size_bytes, sector_bytes, DISK_GUID, partitions)


def image(path: Path, size_bytes: int, table: gpt.Table) -> Path:
    with path.open("wb") as file:
        file.truncate(size_bytes)
        file.write(table.primary)
        file.seek(table.backup_offset)
        file.write(table.backup)
    return path


def run(*command: str | Path) -> str:
    if shutil.which(str(command[0])) is None:
        pytest.skip(f"{command[0]} is not installed")
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def overwrite(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


@contextlib.contextmanager
def loop_device(path: Path, sector_bytes: int) -> Iterator[Path]:
    if os.geteuid() != 0 or not Path("/dev/loop-control").exists():
        pytest.skip("needs root and loop devices")
    device = run("losetup", "--find", "--show", "--partscan", "--sector-size", str(sector_bytes), path).strip()
    try:
        yield Path(device)
    finally:
        run("losetup", "--detach", device)


def seen_by_sfdisk(path: Path) -> tuple[uuid.UUID, int, tuple[gpt.Partition, ...]]:
    """The disk's GUID, its sector size and its partitions."""
    table = json.loads(run("sfdisk", "--json", path))["partitiontable"]
    sector_bytes = int(table["sectorsize"])
    partitions = (
        gpt.Partition(
            type_guid=uuid.UUID(found["type"]),
            guid=uuid.UUID(found["uuid"]),
            first_byte=found["start"] * sector_bytes,
            size_bytes=found["size"] * sector_bytes,
            name=found["name"],
        )
        for found in table["partitions"]
    )
    return uuid.UUID(table["id"]), sector_bytes, tuple(partitions)


def seen_by_kernel(device: Path) -> list[tuple[int, int]]:
    """First byte and size of each partition; sysfs counts in 512 bytes whatever the sector size."""
    folders = sorted((Path("/sys/class/block") / device.name).glob(f"{device.name}p*"))
    return [(int((folder / "start").read_text()) * 512, int((folder / "size").read_text()) * 512) for folder in folders]


@both_sectors
def test_a_cartridge_has_the_two_partitions_of_the_specification(sector_bytes: int) -> None:
    info, log = gpt.layout(64 * MIB, sector_bytes, INFO_GUID, LOG_GUID)
    assert (info.first_byte, info.size_bytes, info.name) == (MIB, 4 * MIB, "tapekit info")
    assert (log.first_byte, log.size_bytes, log.name) == (5 * MIB, 58 * MIB, "tapekit log")
    assert str(info.type_guid) == "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7"
    assert str(log.type_guid) == "7b1d6f0e-52c9-4a86-9c3b-1f0a6e2d4b75"


@pytest.mark.parametrize(("sector_bytes", "tables_bytes"), ((512, 33 * 512), (4096, 5 * 4096)))
def test_the_smallest_cartridge(sector_bytes: int, tables_bytes: int) -> None:
    _, log = gpt.layout(6 * MIB + tables_bytes, sector_bytes, INFO_GUID, LOG_GUID)
    assert log.size_bytes == MIB
    with pytest.raises(TooLarge, match=f"expected at least {6 * MIB + tables_bytes}"):
        gpt.layout(6 * MIB + tables_bytes - 1, sector_bytes, INFO_GUID, LOG_GUID)
    with pytest.raises(TooLarge, match="no room for two tables"):
        gpt.layout(0, sector_bytes, INFO_GUID, LOG_GUID)


@both_sectors
@pytest.mark.parametrize("size_bytes", (7 * MIB, 64 * MIB + 512, 5 * 10**12))
@pytest.mark.parametrize("known", (True, False))
def test_round_trip(sector_bytes: int, size_bytes: int, *, known: bool) -> None:
    partitions, table = cartridge(size_bytes, sector_bytes)
    disk = Disk(size_bytes, table)
    assert gpt.parse(disk.read, size_bytes, sector_bytes if known else None) == partitions
    assert gpt.is_cartridge(partitions)
    assert gpt.record_log(partitions) == partitions[1]
    assert not gpt.is_cartridge(partitions[:1])


def test_the_bytes_are_where_uefi_puts_them() -> None:
    _, table = cartridge(64 * MIB, 512)
    last = 64 * MIB // 512 - 1
    assert table.primary[510:512] == b"\x55\xaa"
    assert table.primary[446:462] == bytes.fromhex("00 000200 ee ffffff 01000000") + last.to_bytes(4, "little")
    header = table.primary[512:604]
    assert header[:16] == b"EFI PART" + bytes.fromhex("00000100 5c000000")
    assert int.from_bytes(header[16:20], "little") == zlib.crc32(header[:16] + bytes(4) + header[20:])
    assert [int.from_bytes(header[i : i + 8], "little") for i in (24, 32, 40, 48, 72)] == [1, last, 34, last - 33, 2]
    assert header[56:72] == bytes.fromhex("33221100 5544 7766 8899 aabbccddeeff")
    assert header[80:88] == bytes.fromhex("80000000 80000000")
    assert int.from_bytes(header[88:92], "little") == zlib.crc32(table.primary[1024:])
    entry = table.primary[1024:1152]
    assert entry[:16] == bytes.fromhex("a2a0d0eb e5b9 3344 87c0 68b6b72699c7")
    assert [int.from_bytes(entry[i : i + 8], "little") for i in (32, 40)] == [2048, 10239]
    assert entry[56:80].decode("utf-16-le") == "tapekit info"
    assert len(table.primary) == 34 * 512
    assert table.backup_offset + len(table.backup) == 64 * MIB
    assert table.backup[:16384] == table.primary[1024:]


def test_the_protective_mbr_of_a_disk_over_2_tib_says_the_most_it_can() -> None:
    _, table = cartridge(5 * 10**12, 512)
    assert mbr.parse(table.primary)[0].sectors == 0xFFFFFFFF


@both_sectors
def test_a_damaged_primary_gives_way_to_the_backup(sector_bytes: int) -> None:
    partitions, table = cartridge(64 * MIB, sector_bytes)
    for offset in (0, 8, 16, 24, 90):
        disk = Disk(64 * MIB, table)
        disk.start[sector_bytes + offset] ^= 1
        assert gpt.parse(disk.read, disk.size_bytes, None) == partitions
    disk = Disk(64 * MIB, table)
    disk.start[2 * sector_bytes + 16000] ^= 1
    assert gpt.parse(disk.read, disk.size_bytes, None) == partitions
    disk.start[:] = bytes(len(disk.start))
    assert gpt.parse(disk.read, disk.size_bytes, None) == partitions


def test_both_damaged() -> None:
    _, table = cartridge(64 * MIB, 512)
    disk = Disk(64 * MIB, table)
    disk.start[600] ^= 1
    disk.end[0] ^= 1
    with pytest.raises(
        Damaged, match=r"primary table: header checksum.*backup table: checksum of the entries"
    ) as caught:
        gpt.parse(disk.read, disk.size_bytes, None)
    assert not isinstance(caught.value, gpt.NoTable)


@pytest.mark.parametrize("size_bytes", (0, 1, 511, 512, 1024, 4096, 8192, MIB))
def test_no_table_at_all(size_bytes: int) -> None:
    def read(offset: int, size: int) -> bytes:
        return bytes(max(0, min(size, size_bytes - offset)))

    with pytest.raises(gpt.NoTable):
        gpt.parse(read, size_bytes, None)


def test_a_table_that_cannot_be_read_is_damaged() -> None:
    with pytest.raises(Damaged, match="0 bytes at 512, expected 512"):
        gpt.parse(lambda _offset, _size: b"", MIB, 512)


def sealed(primary: bytes, **fields: tuple[int, int, int]) -> bytes:
    """A 512-byte-sector table with fields (offset, size, value) of its header changed, and the header's CRC right."""
    header = bytearray(primary[512:604])
    for offset, size, value in fields.values():
        header[offset : offset + size] = value.to_bytes(size, "little")
    header[16:20] = bytes(4)
    header[16:20] = zlib.crc32(header).to_bytes(4, "little")
    return primary[:512] + bytes(header) + primary[604:]


@pytest.mark.parametrize(
    ("field", "why"),
    (
        ((8, 4, 0x00020000), "131072"),
        ((12, 4, 91), "header size 91, expected 92 to 512"),
        ((12, 4, 513), "header size 513"),
        ((24, 8, 2), "header of sector 2 found in sector 1"),
        ((48, 8, 131072), "for a disk of over 131072 sectors, this one has 131072"),
        ((72, 8, 1 << 62), "for a disk of over"),
        ((80, 4, 0), "0 entries of 128 bytes"),
        ((80, 4, 1025), "1025 entries of 128 bytes"),
        ((84, 4, 256), "128 entries of 256 bytes"),
        ((88, 4, 1), "checksum of the entries"),
        ((40, 8, 2049), "a partition from sector 2048 to 10239, usable are 2049"),
        ((48, 8, 10239), "a partition from sector 10240 to 129023, usable are 34 to 10239"),
    ),
)
def test_a_header_that_is_sealed_but_wrong(field: tuple[int, int, int], why: str) -> None:
    _, table = cartridge(64 * MIB, 512)
    disk = Disk(64 * MIB, gpt.Table(sealed(table.primary, field=field), b"", table.backup_offset))
    with pytest.raises(Damaged, match=why):
        gpt.parse(disk.read, disk.size_bytes, 512)


def test_a_partition_that_ends_before_it_begins() -> None:
    _, table = cartridge(64 * MIB, 512)
    entries = bytearray(table.primary[1024:])
    entries[40:48] = (2046).to_bytes(8, "little")
    primary = sealed(table.primary[:1024] + bytes(entries), crc=(88, 4, zlib.crc32(entries)))
    disk = Disk(64 * MIB, gpt.Table(primary, b"", table.backup_offset))
    with pytest.raises(Damaged, match="a partition from sector 2048 to 2046"):
        gpt.parse(disk.read, disk.size_bytes, 512)


def test_a_short_table_is_read_in_whole_sectors() -> None:
    partitions, table = cartridge(64 * MIB, 4096)
    two_entries = zlib.crc32(table.primary[8192:8448])
    head = table.primary[:4096]
    primary = sealed(head[:512] + table.primary[4096:4188] + bytes(420), n=(80, 4, 2), crc=(88, 4, two_entries))
    disk = Disk(64 * MIB, gpt.Table(head + primary[512:].ljust(4096, b"\0") + table.primary[8192:], b"", 0))
    sizes = []

    def read(offset: int, size: int) -> bytes:
        sizes.append((offset, size))
        return disk.read(offset, size)

    assert gpt.parse(read, disk.size_bytes, 4096) == partitions
    assert sizes == [(4096, 4096), (8192, 4096)]


@pytest.mark.parametrize(
    ("partition", "why"),
    (
        (gpt.Partition(gpt.RECORD_LOG, LOG_GUID, MIB + 1, MIB, "x"), "whole sectors"),
        (gpt.Partition(gpt.RECORD_LOG, LOG_GUID, MIB, MIB + 1, "x"), "whole sectors"),
        (gpt.Partition(gpt.RECORD_LOG, LOG_GUID, MIB, 0, "x"), "whole sectors"),
        (gpt.Partition(gpt.RECORD_LOG, LOG_GUID, 512, MIB, "x"), "free are 17408"),
        (gpt.Partition(gpt.RECORD_LOG, LOG_GUID, MIB, 64 * MIB, "x"), "free are 17408"),
        (gpt.Partition(gpt.RECORD_LOG, LOG_GUID, MIB, MIB, "x" * 36), "longer than 35"),
    ),
)
def test_a_partition_that_does_not_fit(partition: gpt.Partition, why: str) -> None:
    with pytest.raises(TooLarge, match=why):
        gpt.build(64 * MIB, 512, DISK_GUID, [partition])


def test_partitions_that_overlap_or_are_too_many() -> None:
    one = gpt.Partition(gpt.BASIC_DATA, INFO_GUID, MIB, MIB, "one")
    with pytest.raises(TooLarge, match="free are 2097152"):
        gpt.build(64 * MIB, 512, DISK_GUID, [one, one])
    with pytest.raises(TooLarge, match="129 partitions"):
        gpt.build(64 * MIB, 512, DISK_GUID, [one] * 129)


def test_an_mbr_without_its_signature() -> None:
    with pytest.raises(Damaged):
        mbr.parse(bytes(512))
    with pytest.raises(Damaged):
        mbr.parse(b"")


@given(st.binary(max_size=20000), st.integers(0, 20000), st.sampled_from([None, 512, 4096]))
def test_any_bytes_give_an_answer_or_a_format_error(data: bytes, at: int, sector_bytes: int | None) -> None:
    data = data[:at] + b"EFI PART" + data[at:]
    with contextlib.suppress(FormatError):
        gpt.parse(lambda offset, size: data[offset : offset + size], len(data), sector_bytes)


@given(st.integers(512, 1151), st.binary(min_size=1, max_size=40))
def test_any_bytes_in_a_sealed_table_give_an_answer_or_a_format_error(at: int, change: bytes) -> None:
    _, table = cartridge(64 * MIB, 512)
    primary = bytearray(table.primary)
    primary[at : at + len(change)] = change
    primary[600:604] = zlib.crc32(primary[1024:17408]).to_bytes(4, "little")
    disk = Disk(64 * MIB, gpt.Table(sealed(bytes(primary)), b"", table.backup_offset))
    try:
        for partition in gpt.parse(disk.read, disk.size_bytes, 512):
            assert 0 < partition.first_byte < partition.first_byte + partition.size_bytes <= disk.size_bytes
    except FormatError:
        pass


def test_sgdisk_finds_nothing_wrong(tmp_path: Path) -> None:
    _, table = cartridge(64 * MIB, 512)
    printed = run("sgdisk", "-v", image(tmp_path / "cartridge", 64 * MIB, table))
    assert "No problems found" in printed


@pytest.mark.parametrize("which", ("both tables", "backup table alone"))
def test_sfdisk_reads_what_was_meant(tmp_path: Path, which: str) -> None:
    partitions, table = cartridge(64 * MIB, 512)
    path = image(tmp_path / "cartridge", 64 * MIB, table)
    if which == "backup table alone":
        overwrite(path, 512, bytes(512))
    assert seen_by_sfdisk(path) == (DISK_GUID, 512, partitions)


@both_sectors
@pytest.mark.parametrize("which", ("both tables", "backup table alone"))
def test_sfdisk_reads_a_device_with_sectors_of_this_size(tmp_path: Path, sector_bytes: int, which: str) -> None:
    partitions, table = cartridge(64 * MIB, sector_bytes)
    path = image(tmp_path / "cartridge", 64 * MIB, table)
    if which == "backup table alone":
        overwrite(path, sector_bytes, bytes(512))
    with loop_device(path, sector_bytes) as device:
        assert seen_by_sfdisk(device) == (DISK_GUID, sector_bytes, partitions)


@both_sectors
def test_the_kernel_finds_the_partitions(tmp_path: Path, sector_bytes: int) -> None:
    """A table that sgdisk made says whether this kernel reads any."""
    other = tmp_path / "other"
    other.touch()
    os.truncate(other, 64 * MIB)
    run("sgdisk", "--clear", "--new=1", other)
    with loop_device(other, 512) as device:
        if not seen_by_kernel(device):
            pytest.skip("this kernel reads no GUID partition tables")
    partitions, table = cartridge(64 * MIB, sector_bytes)
    with loop_device(image(tmp_path / "cartridge", 64 * MIB, table), sector_bytes) as device:
        assert seen_by_kernel(device) == [(partition.first_byte, partition.size_bytes) for partition in partitions]


def test_what_sgdisk_writes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    with path.open("wb") as file:
        file.truncate(64 * MIB)
    type_guid = "0fc63daf-8483-4772-8e79-3d69d8477de4"
    run("sgdisk", "-n", "3:2048:4095", "-t", f"3:{type_guid}", "-u", f"3:{LOG_GUID}", "-c", "3:Données", path)
    data = path.read_bytes()
    partitions = gpt.parse(lambda offset, size: data[offset : offset + size], len(data), None)
    assert partitions == (gpt.Partition(uuid.UUID(type_guid), LOG_GUID, MIB, MIB, "Données"),)
