"""What is true of block devices alone: who may use them, what is on them, and that no cache answers for them."""

import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers import disk
from drivers.base import Content
from drivers.errors import Busy, ForeignMedium, NoDevice, NoMedium, WriteProtected
from drivers.recordlog.storage import DirectFile
from fixtures.judges import need
from fixtures.loop import available, loop_device
from formats import gpt

SIZE_BYTES = 16 << 20

pytestmark = pytest.mark.skipif(not available(), reason="needs root and losetup")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file behind the device."""
    made = tmp_path / "disk.img"
    with made.open("xb") as file:
        file.truncate(SIZE_BYTES)
    return made


@pytest.fixture
def device(path: Path) -> Iterator[str]:
    with loop_device(path) as made:
        yield made


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def holders(device: str) -> list[str]:
    """Descriptors of this process that are open on a device."""
    links = (f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd"))
    return [link for link in links if os.path.exists(link) and os.path.realpath(link) == device]


def labelled(device: str) -> None:
    drive = disk.open_drive(device, writable=True)
    drive.format({"README.txt": b"a cartridge"})
    drive.write_block(b"first " * 1000)
    drive.write_filemark()
    drive.close()


def test_a_mounted_file_system_is_busy_and_the_place_named(device: str, tmp_path: Path) -> None:
    place = tmp_path / "mounted"
    place.mkdir()
    need("mkfs.ext4")
    run("mkfs.ext4", "-q", device)
    run("mount", device, str(place))
    try:
        for writable in (True, False):
            with pytest.raises(Busy, match=f"mounted on {place}"):
                disk.open_drive(device, writable=writable)
    finally:
        run("umount", str(place))
    assert holders(device) == []


def test_one_drive_at_a_time(device: str) -> None:
    labelled(device)
    drive = disk.open_drive(device, writable=False)
    with pytest.raises(Busy, match="in use"):
        disk.open_drive(device, writable=True)
    drive.close()
    disk.open_drive(device, writable=True).close()


@pytest.mark.parametrize("was_a_cartridge", (False, True))
@pytest.mark.parametrize(("name", "make"), (("ext4", ("mkfs.ext4", "-q", "-F")), ("vfat", ("mkfs.vfat",))))
def test_a_file_system_is_refused_and_named(
    device: str,
    path: Path,
    name: str,
    make: tuple[str, ...],
    was_a_cartridge: bool,  # noqa: FBT001
) -> None:
    if was_a_cartridge:
        labelled(device)
    need(make[0])
    run(*make, device)
    before = path.read_bytes()
    drive = disk.open_drive(device, writable=True)
    medium = drive.medium()
    assert (medium.content, medium.found) == (Content.FOREIGN, name)
    with pytest.raises(ForeignMedium) as refusal:
        drive.write_block(b"block")
    assert refusal.value.found == name
    drive.close()
    assert path.read_bytes() == before


def test_a_new_partition_table_over_a_cartridge_is_foreign(device: str) -> None:
    """The old superblocks still stand at 5 MiB; whoever partitioned the disk anew owns it."""
    labelled(device)
    partition = gpt.Partition(gpt.BASIC_DATA, uuid.UUID(int=1), 1 << 20, 8 << 20, "somebody's")
    table = gpt.build(SIZE_BYTES, 512, uuid.UUID(int=2), (partition,))
    with Path(device).open("r+b") as file:
        file.write(table.primary)
        file.seek(table.backup_offset)
        file.write(table.backup)
    drive = disk.open_drive(device, writable=True)
    assert (drive.medium().content, drive.medium().found) == (Content.FOREIGN, "gpt")
    drive.close()


def test_a_read_only_device_is_a_protected_cartridge(path: Path) -> None:
    with loop_device(path) as device:
        labelled(device)
    found = subprocess.run(
        ["losetup", "--find", "--show", "--read-only", str(path)], check=True, capture_output=True, text=True
    )
    device = found.stdout.strip()
    try:
        drive = disk.open_drive(device, writable=True)
        assert drive.medium().write_protected
        assert drive.read_block() == b"first " * 1000
        drive.to_end_of_data()
        with pytest.raises(WriteProtected):
            drive.write_block(b"block")
        drive.close()
    finally:
        run("losetup", "--detach", device)


def test_nothing_is_left_open(device: str) -> None:
    labelled(device)
    assert holders(device) == []
    drive = disk.open_drive(device, writable=True)
    assert len(holders(device)) == 1
    drive.eject()
    assert holders(device) == []


def test_what_is_no_device_is_said(tmp_path: Path, path: Path) -> None:
    with pytest.raises(NoDevice, match="no such device"):
        disk.open_drive(str(tmp_path / "nothing"), writable=True)
    with pytest.raises(NoDevice, match="no block device") as refusal:
        disk.open_drive(str(path), writable=True)
    assert refusal.value.hint == f"for an image file write image:{path}"
    with pytest.raises(NoDevice):
        disk.open_drive("/dev/null", writable=True)


def test_is_opened_for_direct_io(device: str) -> None:
    labelled(device)
    drive = disk.open_drive(device, writable=True)
    (link,) = holders(device)
    flags = Path(f"/proc/self/fdinfo/{Path(link).name}").read_text().split("flags:")[1].split()[0]
    assert int(flags, 8) & os.O_DIRECT
    drive.close()


def test_reads_what_is_on_the_medium_now(device: str, path: Path) -> None:
    """Changed behind the device's back after it was read: a cache would still give the old bytes."""
    labelled(device)
    drive = disk.open_drive(device, writable=False)
    assert drive.read_block() == b"first " * 1000
    content = path.read_bytes()
    at = content.index(b"first first")
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"FIRST")
        file.flush()
        os.fsync(file.fileno())
    drive.rewind()
    assert drive.read_block() == b"FIRST" + (b"first " * 1000)[5:]
    drive.close()


def test_a_device_that_ends_early_went_away(device: str) -> None:
    storage = DirectFile(
        os.open(device, os.O_RDONLY), "disk", size_bytes=2 * SIZE_BYTES, sector_bytes=512, writable=False,
        is_device=True,
    )  # fmt: skip
    with pytest.raises(NoMedium, match="went away"):
        storage.read(SIZE_BYTES, 4096)
    storage.close()
