"""Docks that are plugged in, filled and pulled out, as the kernel and udev tell of them."""

import grp
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers import rdx
from drivers.discover import Kind
from drivers.hotplug import UdevEvents
from fixtures.rig.qemu import Qemu
from fixtures.rig.usb import Dock, Medium
from tapekit import clock
from tapekit.jobs import devices, label
from tapekit.jobs.attend import Attendant, Happened
from tapekit.jobs.devices import Change, Seen
from tapekit.schedule import attend
from tests.rig.site import UsbSite

SIZE_BYTES = 48 << 20
LONG_S = 600.0
"""An event comes, or the machine is ended from outside."""


@pytest.fixture
def dock(qemu: Qemu) -> Iterator[Dock]:
    made = Dock(qemu, "RDXDOCK7", port=3)
    yield made
    made.clear()


@pytest.fixture
def medium(shared: Path) -> Iterator[Medium]:
    made = Medium.blank(shared / "watched", SIZE_BYTES)
    yield made
    made.path.unlink()


class Looking:
    """Somebody who looks whenever udev has told of something."""

    def __init__(self, state: Path) -> None:
        self._events = UdevEvents()
        self._state = state
        self._seen: list[Seen] = devices.run(state)

    def next(self) -> list[tuple[str, str, str]]:
        """What is new of docks, once something is: what, medium, label."""
        while True:
            assert self._events.wait(LONG_S)
            before, self._seen = self._seen, devices.run(self._state)
            new = [change for change in devices.changes(before, self._seen) if change.seen.device.kind is Kind.RDX]
            if new:
                return list(map(_short, new))


def _short(change: Change) -> tuple[str, str, str]:
    return change.what, change.seen.medium, change.seen.label


def test_what_comes_and_goes(dock: Dock, medium: Medium, tmp_path: Path) -> None:
    looking = Looking(tmp_path)
    dock.plug(None)
    assert looking.next() == [("came", "nothing", "")]
    (seen,) = [each for each in devices.run(tmp_path) if each.device.kind is Kind.RDX]
    assert (seen.url, seen.device.serial, seen.device.name) == (f"rdx:{dock.link}", "RDXDOCK7", "TANDBERG RDX")
    dock.put_in(medium)
    assert looking.next() == [("changed", "blank", "")]
    drive = rdx.open_drive(dock.link, writable=True)
    label.run(drive, barcode="RDX-1", pool=None, block_bytes=None, destroy=None)
    drive.close()
    assert looking.next() == [("changed", "cartridge", "RDX-1")]
    dock.unplug()
    assert looking.next() == [("went", "cartridge", "RDX-1")]


def test_a_cartridge_that_is_put_in_is_attended(dock: Dock, medium: Medium, tmp_path: Path) -> None:
    """Taken out, put in, the dock pulled and plugged: each is told once, a restart in between or not."""
    site = UsbSite(tmp_path, url=f"rdx:{dock.link}")
    started: list[str] = []

    def look() -> list[str]:
        attending = Attendant(site.configuration(), site.root / "state", started.append, ("office",))
        with clock.running(lambda: site.now):
            return [each.what if isinstance(each, Happened) else each.why_not_started for each in attending.look()]

    events = UdevEvents()
    assert look() == []
    dock.plug(medium)
    assert events.wait(LONG_S)
    assert look() == ["in", ""]
    assert started == ["office"]
    assert look() == []
    dock.take_out()
    assert events.wait(LONG_S)
    assert look() == ["out"]
    dock.put_in(medium)
    assert events.wait(LONG_S)
    assert look() == ["in", "it was started already"]
    dock.pull()
    assert events.wait(LONG_S)
    assert look() == ["out"]
    assert started == ["office"]


def test_udev_takes_the_rules(dock: Dock, medium: Medium) -> None:
    rules = attend.rules()
    rules.path.parent.mkdir(parents=True, exist_ok=True)
    rules.path.write_text(rules.content)
    subprocess.run(["udevadm", "control", "--reload"], check=True)
    try:
        node = dock.plug(medium)
        subprocess.run(["udevadm", "settle"], check=True)
        link = Path("/dev/tapekit/rdx-RDXDOCK7")
        assert str(link.resolve()) == node
        assert grp.getgrgid(link.stat().st_gid).gr_name == "disk"
        poll = Path("/sys/block", Path(node).name, "events_poll_msecs").read_text().strip()
        assert poll == str(attend.POLL_MS)
    finally:
        rules.path.unlink()
        subprocess.run(["udevadm", "control", "--reload"], check=True)
