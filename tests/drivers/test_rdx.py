"""What an RDX dock is asked, what is made of its answers, and that nobody is asked twice to change a cartridge."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from drivers import rdx
from drivers.base import Content, Identity
from drivers.errors import DeviceFailure, DriveError, MediumChanged, NoDevice, NoMedium, NotReady, WriteProtected
from drivers.scsi.transport import DeviceGone
from drivers.virtual.transport import VirtualTransport
from fixtures import loop
from fixtures.rdx import INSERTED, MEDIA, SWITCHED_ON, VirtualDock
from fixtures.storage import MemoryStorage
from formats.errors import Damaged
from formats.scsi import rdx as pages
from formats.scsi.rdx import MediaId
from formats.scsi.sense import Key, Sense

FRONT = {"README.txt": b"a cartridge"}


def test_dock_and_cartridge_have_serial_numbers_of_their_own() -> None:
    drive = VirtualDock().open()
    assert drive.identify() == Identity("/dev/sdb", "TANDBERG", "RDX", "DOCK0042", "2024")
    medium = drive.medium()
    assert (medium.serial, medium.barcode, medium.worm) == ("RDXC0000123", "RDX001", False)
    assert {"loads": 7, "MiB written": 256, "MiB read": 512}.items() <= drive.health().counters.items()
    drive.close()


def test_a_dock_that_does_not_say_which_cartridge_it_holds() -> None:
    drive = VirtualDock(media=None).open()
    assert (drive.identify().serial, drive.medium().serial) == ("DOCK0042", "")
    assert "loads" not in drive.health().counters


def test_the_same_cartridge_in_another_dock() -> None:
    first = VirtualDock()
    drive = first.open()
    drive.format(FRONT)
    drive.write_block(b"block")
    drive.write_filemark()
    drive.eject()
    second = VirtualDock(first.content, serial="DOCK0043", vendor="DELL", model="RD1000")
    again = second.open()
    assert (again.identify().serial, again.medium().serial) == ("DOCK0043", "RDXC0000123")
    assert (again.medium().content, again.read_block()) == (Content.CARTRIDGE, b"block")


def test_what_happened_before_is_passed_over_and_a_disk_that_spins_up_is_waited_for() -> None:
    dock = VirtualDock(to_come=[SWITCHED_ON, INSERTED], ready_in=20)
    assert dock.open().medium().content is Content.BLANK
    assert dock.ready_in == 0


def test_a_disk_that_never_becomes_ready_and_attentions_without_end() -> None:
    with pytest.raises(NotReady, match="becoming ready"):
        VirtualDock(ready_in=1e9).open()
    with pytest.raises(DriveError, match="the cartridge was changed"):
        VirtualDock(to_come=[INSERTED] * 100).open()


def test_an_empty_dock() -> None:
    with pytest.raises(NoMedium, match="rdx:/dev/sdb: no cartridge in the drive"):
        VirtualDock(is_inside=False).open()


def test_a_cartridge_whose_disk_is_broken_is_no_bad_block() -> None:
    with pytest.raises(DeviceFailure, match="03/11/00"):
        VirtualDock(to_come=[Sense(Key.MEDIUM_ERROR, 0x11, 0x00)]).open()


def test_a_kernel_that_has_not_noticed_another_cartridge() -> None:
    with pytest.raises(MediumChanged, match="changed just now"):
        rdx.open_on(
            "rdx:/dev/sdb", "/dev/sdb", VirtualTransport("/dev/sg1", VirtualDock()),
            lambda: (MemoryStorage(bytearray(4 << 20)), False),
        )  # fmt: skip


def test_any_other_disk_is_refused() -> None:
    with pytest.raises(NoDevice, match="is no RDX dock, but WD My Passport") as refusal:
        VirtualDock(vendor="WD", model="My Passport").open()
    assert refusal.value.hint == "for any other disk write disk:/dev/sdb"


@pytest.mark.parametrize(
    ("vendor", "model", "is_one"),
    (("TANDBERG", "RDX", True), ("HP", "RDX", True), ("Quantum", "RDX1000", True), ("DELL", "RD1000", True),
     ("WD", "My Passport", False), ("ACME", "RD1000", False), ("", "", False)),
)  # fmt: skip
def test_docks_are_known_by_what_they_answer(vendor: str, model: str, *, is_one: bool) -> None:
    assert pages.is_dock(vendor, model) is is_one


def test_the_slider_counts_even_where_the_kernel_asked_before() -> None:
    dock = VirtualDock()
    dock.open().format(FRONT)
    drive = dock.open()
    drive.close()
    dock.is_write_protected = True
    drive = dock.open()
    assert drive.medium().write_protected
    with pytest.raises(WriteProtected):
        drive.format(FRONT)


def test_a_cartridge_that_is_written_once_is_labelled_once() -> None:
    dock = VirtualDock(media=dataclasses.replace(MEDIA, model="RDX 1TB WORM"))
    drive = dock.open()
    assert drive.medium().worm
    drive.format(FRONT)
    drive.write_block(b"block")
    drive.write_filemark()
    before = bytes(dock.content)
    operations: tuple[Callable[[], None], ...] = (lambda: drive.format(FRONT), drive.erase)
    for operation in operations:
        with pytest.raises(WriteProtected, match="can be written only once, and was"):
            operation()
    assert dock.content == before
    drive.write_block(b"added")


def test_the_lock_goes_with_the_drive() -> None:
    dock = VirtualDock()
    drive = dock.open()
    drive.lock(locked=True)
    assert dock.is_locked
    drive.close()
    assert not dock.is_locked


def test_ejecting_unlocks_first_and_only_once() -> None:
    dock = VirtualDock()
    drive = dock.open()
    drive.lock(locked=True)
    drive.eject()
    assert (dock.is_inside, dock.is_locked) == (False, False)
    dock.put_in()
    drive.eject()
    drive.close()
    assert dock.is_inside


def test_a_dock_that_is_pulled_out_is_closed_all_the_same() -> None:
    dock = VirtualDock()
    drive = dock.open()
    drive.lock(locked=True)
    dock.is_gone = True
    with pytest.raises(DeviceGone):
        drive.health()
    drive.close()


def test_devices_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(NoDevice, match="no such device") as nothing:
        rdx.open_drive(str(tmp_path / "nothing"), writable=True)
    assert nothing.value.hint
    (tmp_path / "file").touch()
    with pytest.raises(NoDevice, match="is no block device"):
        rdx.open_drive(str(tmp_path / "file"), writable=True)


@pytest.mark.skipif(not loop.available(), reason="needs root and losetup")
def test_a_disk_that_is_no_dock_is_told_so_before_it_is_asked(tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(bytes(1 << 20))
    with loop.loop_device(tmp_path / "disk") as device, pytest.raises(NoDevice, match="is no RDX dock") as refusal:
        rdx.open_drive(device, writable=False)
    assert refusal.value.hint == f"for any other disk write disk:{device}"


def test_the_media_page_is_read_as_it_was_built_and_cut_anywhere() -> None:
    raw = pages.build(MEDIA)
    assert pages.parse(raw) == MEDIA
    for size in range(len(raw)):
        try:
            cut = pages.parse(raw[:size])
        except Damaged:
            assert size < len("Cartridge:") + 1
        else:
            for whole, part in zip(dataclasses.astuple(MEDIA), dataclasses.astuple(cut), strict=True):
                assert whole.startswith(part)
    with pytest.raises(Damaged, match="media page"):
        pages.parse(b"\0Disk:\0")
    assert pages.parse(b"\0Cartridge:\0") == MediaId()
