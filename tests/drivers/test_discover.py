"""Devices are found by what the kernel says of them, and named by what stays the same after a restart."""

import grp
import os
from pathlib import Path

import pytest

from drivers import discover
from drivers.discover import Device, Kind, Missing, devices
from fixtures.sysfs import Tree


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_removable_and_usb_disks_are_found_and_no_others(tree: Tree) -> None:
    tree.disk("sda", size=10**9)
    tree.disk("sdb", is_removable=True, vendor="TANDBERG", model="RDX")
    tree.disk("sdc", bus="pci0/usb1", size=1000, model="Stick", usb_serial="S-1")
    tree.disk("sr0", is_removable=True)
    tree.disk("loop0", is_removable=True)
    for name in ("wwn-0x5", "scsi-350000", "usb-TANDBERG_RDX", "usb-TANDBERG_RDX-part1"):
        tree.link(f"disk/by-id/{name}", "sdb1" if "part" in name else "sdb")
    assert devices(tree.root) == [
        Device(Kind.RDX, "/dev/disk/by-id/usb-TANDBERG_RDX", ("/dev/sdb",), "TANDBERG", "RDX"),
        Device(Kind.DISK, "/dev/sdc", ("/dev/sdc",), "", "Stick", "S-1", 512000),
    ]


def test_a_tape_drive_and_its_changer_are_told_apart_by_their_type(tree: Tree) -> None:
    """A changer on LUN 1 may carry the drive's own serial number."""
    tree.scsi("sg0", 0, "ATA", "SSD", "X")
    tree.scsi("sg1", 1, "IBM", "ULTRIUM-HH6", "1068000073", st="st0")
    tree.scsi("sg2", 8, "TANDBERG", "StorageLoader", "1068000073")
    tree.link("tape/by-id/scsi-35000e1116097b002-nst", "nst0")
    tree.link("tape/by-id/scsi-1IBM_ULTRIUM-HH6_1068000073-nst", "nst0")
    assert devices(tree.root) == [
        Device(
            Kind.TAPE, "/dev/tape/by-id/scsi-1IBM_ULTRIUM-HH6_1068000073-nst", ("/dev/sg1", "/dev/nst0"), "IBM",
            "ULTRIUM-HH6", "1068000073",
        ),
        Device(Kind.CHANGER, "/dev/sg2", ("/dev/sg2",), "TANDBERG", "StorageLoader", "1068000073"),
    ]  # fmt: skip


def test_without_the_tape_driver_the_drive_is_found_by_sg(tree: Tree) -> None:
    tree.scsi("sg1", 1, "HP", "Ultrium 5-SCSI", "HU1")
    (found,) = devices(tree.root)
    assert (found.node, found.nodes) == ("/dev/sg1", ("/dev/sg1",))


def test_ports_that_are_there(tree: Tree) -> None:
    tree.port("ttyUSB0", "usb2", "FTDI", "FT232R", "A1")
    tree.port("ttyS0", kind="4")
    tree.port("ttyS1", kind="0")
    tree.port("tty1")
    tree.link("serial/by-id/usb-FTDI_FT232R_A1-if00-port0", "ttyUSB0")
    assert devices(tree.root) == [
        Device(Kind.SERIAL, "/dev/ttyS0", ("/dev/ttyS0",), "", "serial port of the board"),
        Device(
            Kind.SERIAL, "/dev/serial/by-id/usb-FTDI_FT232R_A1-if00-port0", ("/dev/ttyUSB0",), "FTDI", "FT232R", "A1"
        ),
    ]


def test_what_is_torn_is_no_error(tree: Tree) -> None:
    """A device that goes away while somebody looks leaves links that lead nowhere."""
    tree.scsi("sg1", 1, "HP", "Ultrium", "HU1", page=b"\0\x80\0\xff")
    tree.disk("sdb", is_removable=True, size="what")
    (tree.root / "sys/class/scsi_generic/sg9").symlink_to("nowhere")
    (tree.root / "sys/block/sdz").symlink_to("nowhere")
    assert [found.kind for found in devices(tree.root)] == [Kind.TAPE, Kind.DISK]


def test_a_machine_with_nothing_has_no_devices(tmp_path: Path) -> None:
    assert devices(tmp_path) == []


def test_what_is_lacking(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.scsi("sg1", 1, "HP", "Ultrium", "HU1", st="st0")
    (found,) = devices(tree.root)
    asked = []

    def may(path: str, mode: int) -> bool:
        asked.append((path, mode))
        return not path.endswith("nst0")

    lacking = discover.missing(found, may, tree.root)
    assert lacking is not None
    assert lacking.node == "/dev/nst0"
    assert asked == [(str(tree.root / node), os.R_OK | os.W_OK) for node in ("dev/sg1", "dev/nst0")]
    assert discover.missing(found, lambda *_: True, tree.root) is None


@pytest.mark.parametrize(
    ("mode", "group"), ((0o660, "tape"), (0o600, ""), (0o640, ""))
)  # fmt: skip
def test_the_group_that_may(tree: Tree, monkeypatch: pytest.MonkeyPatch, mode: int, group: str) -> None:
    tree.port("ttyUSB0", "usb2")
    (tree.root / "dev/ttyUSB0").chmod(mode)
    monkeypatch.setattr(grp, "getgrgid", lambda number: grp.struct_group(("tape", "", number, [])))
    (found,) = devices(tree.root)
    lacking = discover.missing(found, lambda *_: False, tree.root)
    assert lacking == Missing("/dev/ttyUSB0", group)
    assert ("usermod -aG tape" in lacking.remedy) == bool(group)
