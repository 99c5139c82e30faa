"""An RDX dock on the kernel's own sd and sg: media that come, go, are swapped and protected, and the way out."""

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers import rdx
from drivers.base import Content, Mark
from drivers.errors import MediumError, NoMedium, WriteProtected
from drivers.recordlog import block_device
from drivers.scsi.record import Recorder
from drivers.scsi.sg import SgTransport
from fixtures.rdx import SESSIONS, Session
from fixtures.rig.qemu import Qemu
from fixtures.rig.usb import BadSector, Dock, Medium, Watch
from tapekit.report.night import Outcome
from tests.rig.site import PROVEN, UsbSite

SIZE_BYTES = 48 << 20
FRONT = {"README.txt": b"a cartridge"}


@pytest.fixture
def dock(qemu: Qemu) -> Iterator[Dock]:
    made = Dock(qemu, "RDXDOCK1")
    yield made
    made.clear()


@pytest.fixture
def medium(shared: Path) -> Iterator[Medium]:
    made = Medium.blank(shared / "cartridge", SIZE_BYTES)
    yield made
    made.path.unlink()


@pytest.fixture
def other(shared: Path) -> Iterator[Medium]:
    made = Medium.blank(shared / "larger", 2 * SIZE_BYTES)
    yield made
    made.path.unlink()


def swap(dock: Dock, medium: Medium) -> None:
    """Another cartridge, by hand; the kernel has noticed when this returns."""
    with Watch() as watch:
        dock.take_out()
        dock.put_in(medium)
        while watch.wait("change", "DEVNAME", dock.node).properties.get("DISK_MEDIA_CHANGE") != "1":
            pass


def labelled(url: str, block: bytes) -> None:
    drive = rdx.open_drive(url, writable=True)
    drive.format(FRONT)
    drive.write_block(block)
    drive.write_filemark()
    drive.close()


def test_says_what_it_is_by_every_name(dock: Dock, medium: Medium) -> None:
    node = dock.plug(medium)
    generic = next((block_device.sysfs_folder(node) / "device" / "scsi_generic").iterdir()).name
    for name in (node, dock.link, f"/dev/{generic}"):
        drive = rdx.open_drive(name, writable=False)
        told = drive.identify()
        assert (told.node, told.vendor, told.model, told.serial) == (node, "TANDBERG", "RDX", "RDXDOCK1")
        assert (drive.medium().content, drive.medium().serial) == (Content.BLANK, "")
        drive.close()


def test_cartridges_of_other_sizes_are_swapped(dock: Dock, medium: Medium, other: Medium) -> None:
    dock.plug(None)
    with pytest.raises(NoMedium, match="no cartridge in the drive"):
        rdx.open_drive(dock.link, writable=True)
    dock.put_in(medium)
    labelled(dock.link, b"small")
    drive = rdx.open_drive(dock.link, writable=False)
    small = drive.medium().capacity_bytes
    drive.close()
    swap(dock, other)
    labelled(dock.link, b"large")
    drive = rdx.open_drive(dock.link, writable=False)
    assert (drive.read_block(), drive.medium().capacity_bytes - small) == (b"large", SIZE_BYTES)
    drive.close()
    swap(dock, medium)
    drive = rdx.open_drive(dock.link, writable=False)
    assert (drive.read_block(), drive.medium().capacity_bytes) == (b"small", small)
    drive.close()


def test_a_cartridge_that_is_swapped_at_once_is_not_taken_for_the_one_before(
    dock: Dock, medium: Medium, other: Medium
) -> None:
    """Nobody waits until the kernel has noticed."""
    dock.plug(medium)
    labelled(dock.link, b"small")
    dock.take_out()
    dock.put_in(other)
    drive = rdx.open_drive(dock.link, writable=True)
    assert drive.medium().content is Content.BLANK
    assert drive.medium().capacity_bytes > SIZE_BYTES
    drive.close()


@pytest.mark.parametrize("is_reading", (True, False))
def test_a_cartridge_taken_out_by_force_is_no_damage_and_no_end(
    dock: Dock,
    medium: Medium,
    other: Medium,
    is_reading: bool,  # noqa: FBT001
) -> None:
    dock.plug(medium)
    labelled(dock.link, b"first")
    drive = rdx.open_drive(dock.link, writable=not is_reading)
    assert drive.read_block() == b"first"
    assert drive.read_block() is Mark.FILEMARK
    before = hashlib.sha256(other.path.read_bytes()).digest()
    dock.take_out()
    for there in (None, other):
        if there:
            dock.put_in(there)
        for operation in (drive.rewind, drive.read_block) if is_reading else (lambda: drive.write_block(b"second"),):
            if operation == drive.rewind:
                operation()
                continue
            with pytest.raises(NoMedium, match="the cartridge was taken out"):
                operation()
    drive.close()
    assert hashlib.sha256(other.path.read_bytes()).digest() == before


def test_nobody_takes_out_what_is_open(dock: Dock, medium: Medium) -> None:
    dock.plug(medium)
    assert not dock.is_locked()
    drive = rdx.open_drive(dock.link, writable=True)
    assert dock.is_locked()
    drive.lock(locked=True)
    drive.close()
    assert not dock.is_locked()


def test_a_process_that_is_killed_leaves_no_lock(dock: Dock, medium: Medium) -> None:
    dock.plug(medium)
    code = f"from drivers import rdx; rdx.open_drive({dock.link!r}, writable=True); print('open', flush=True); input()"
    holder = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"open\n"
    assert dock.is_locked()
    os.kill(holder.pid, signal.SIGKILL)
    holder.communicate()
    assert not dock.is_locked()


@pytest.mark.parametrize("way", ("sg", "sd"))
def test_eject_lets_it_go(dock: Dock, medium: Medium, way: str) -> None:
    """By sg, or by the disk's own node where sg is for root alone."""
    node = dock.plug(medium)
    if way == "sg":
        drive = rdx.open_drive(dock.link, writable=True)
    else:
        drive = rdx.open_on(
            f"rdx:{node}", node, SgTransport(node), lambda: block_device.open_storage(node, "rdx:", writable=True)
        )
    drive.format(FRONT)
    drive.write_block(b"durable")
    drive.eject()
    assert dock.is_open()
    drive.close()
    with pytest.raises(NoMedium):
        rdx.open_drive(dock.link, writable=False)
    dock.take_out()
    dock.put_in(medium)
    drive = rdx.open_drive(dock.link, writable=False)
    assert drive.read_block() == b"durable"
    drive.close()


def test_the_slider(dock: Dock, medium: Medium) -> None:
    dock.plug(medium)
    labelled(dock.link, b"kept")
    dock.unplug()
    dock.plug(Medium(medium.path, is_write_protected=True))
    drive = rdx.open_drive(dock.link, writable=True)
    assert (drive.medium().write_protected, drive.read_block()) == (True, b"kept")
    with pytest.raises(WriteProtected):
        drive.format(FRONT)
    drive.close()


def test_a_bad_place_of_a_cartridge(dock: Dock, medium: Medium) -> None:
    dock.plug(medium)
    labelled(dock.link, bytes(60_000))
    dock.take_out()
    dock.put_in(Medium(medium.path, bad=(BadSector((5 << 20 >> 9) + 16 + 20),)))
    drive = rdx.open_drive(dock.link, writable=False)
    with pytest.raises(MediumError, match="block 0 of file 0"):
        drive.read_block()
    assert drive.read_block() is Mark.FILEMARK
    drive.close()


def test_the_night_goes_on_in_another_dock(qemu: Qemu, dock: Dock, medium: Medium, tmp_path: Path) -> None:
    """Plugged in, saved and ejected; the cartridge is put into a dock bought later, and is the one that is due."""
    other_dock = Dock(qemu, "RDXDOCK2", port=3)
    site = UsbSite(tmp_path, url=f"rdx:{dock.link}", options={"parity": False, "eject": True})
    dock.plug(medium)
    first = site.run()
    assert (first.outcome, set(first.rungs) >= PROVEN, dock.is_open()) == (Outcome.CLEAN, True, True), first
    dock.unplug()
    site.url = f"rdx:{other_dock.link}"
    try:
        other_dock.plug(medium)
        second = site.next_night()
        assert (second.outcome, [state.name for state in second.cartridges]) == (Outcome.CLEAN, list(first.due)), second
    finally:
        other_dock.clear()


def test_nights_on_cartridges_that_are_swapped(dock: Dock, medium: Medium, other: Medium, tmp_path: Path) -> None:
    """Monday's, Tuesday's, and on Wednesday Monday's again: that night is told, and added to it."""
    site = UsbSite(tmp_path, url=f"rdx:{dock.link}", options={"parity": False, "spool": None})
    dock.plug(medium)
    nights = [site.run()]
    for cartridge in (other, medium):
        swap(dock, cartridge)
        site.next_day()
        nights.append(site.run())
    names = [[state.name for state in night.cartridges] for night in nights]
    assert names[0] == names[2] != names[1]
    assert [night.outcome for night in nights] == [Outcome.CLEAN, Outcome.CLEAN, Outcome.WARNINGS], nights
    assert [note.kind for note in nights[2].warnings] == ["another-cartridge"]
    swap(dock, medium)  # the night has let it go
    assert site.whole_archives() == 2


@pytest.mark.parametrize("session", SESSIONS, ids=lambda session: session.name)
def test_what_is_said_to_a_dock_is_recorded(session: Session, dock: Dock, medium: Medium, shared: Path) -> None:
    node = dock.plug(Medium(medium.path, is_write_protected=session.is_write_protected) if session.is_inside else None)
    (shared / "recorded").mkdir(exist_ok=True)
    with (shared / "recorded" / session.file).open("x") as file:
        generic = next((block_device.sysfs_folder(node) / "device" / "scsi_generic").iterdir()).name
        way = Recorder(SgTransport(f"/dev/{generic}"), file)
        session.run(way, lambda: block_device.open_storage(node, "rdx:", writable=True))
