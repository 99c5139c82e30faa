"""Which devices this machine has: tape drives, changers, RDX docks, other removable and USB disks, serial ports.

All of it is read from sysfs and /dev, whose root can be another one; no device is opened. The SCSI device type says
what a device is, never its name. Sources of facts: sysfs-block and sysfs-class-scsi in the ABI documentation of Linux,
60-persistent-storage.rules and 60-persistent-storage-tape.rules of udev.
"""

import contextlib
import dataclasses
import enum
import grp
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from formats.errors import FormatError
from formats.scsi import inquiry, rdx

SECTOR_BYTES = 512
"""Unit of a block device's size in sysfs, whatever the device's own is."""
NO_MEDIA = ("loop", "ram", "zram", "sr", "fd", "dm-", "md", "nbd")
"""Kernel's names of block devices that are no cartridge: memory, optical disks, floppies, devices on other devices."""
_PORT = re.compile(r"tty(USB|ACM|S)\d+")
_NO_UART = "0"
"""The `type` of a serial port of the board that is not there (linux/serial.h)."""


class Kind(enum.StrEnum):
    """What a device is."""

    TAPE = "tape"
    CHANGER = "changer"
    RDX = "rdx"
    DISK = "disk"
    SERIAL = "serial"


@dataclasses.dataclass(frozen=True)
class Device:
    """A device that is connected. Unknown fields are empty."""

    kind: Kind
    node: str
    """Its lasting name where udev made one, else the kernel's."""
    nodes: tuple[str, ...]
    """What has to be read and written to use it."""
    vendor: str = ""
    model: str = ""
    serial: str = ""
    size_bytes: int = 0
    """Of a disk, what is in it; 0: nothing."""

    @property
    def name(self) -> str:
        """Maker and model."""
        return " ".join(filter(None, (self.vendor, self.model)))


@dataclasses.dataclass(frozen=True)
class Missing:
    """A permission that this user lacks."""

    node: str
    group: str
    """Whoever is in it may; empty where only root may."""

    @property
    def remedy(self) -> str:
        """How to get it."""
        if self.group:
            return f"usermod -aG {self.group} USER, and log in again"
        return "as root: tapekit schedule install gives it to a group"


def devices(root: Path = Path("/")) -> list[Device]:
    """The devices of this machine, or of the one whose /sys and /dev are below `root`."""
    return [*_tapes(root), *_changers(root), *_disks(root), *_ports(root)]


def missing(device: Device, may: Callable[[str, int], bool] = os.access, root: Path = Path("/")) -> Missing | None:
    """The first permission that is lacking; None where the device can be used."""
    for node in device.nodes:
        path = root / node.lstrip("/")
        if not may(str(path), os.R_OK | os.W_OK):
            return Missing(node, _group(path))
    return None


def _group(path: Path) -> str:
    """The group that may use a node; empty where none but root may, or nobody knows."""
    try:
        status = path.stat()
        name = grp.getgrgid(status.st_gid).gr_name
    except (OSError, KeyError):
        return ""
    return name if status.st_mode & 0o060 == 0o060 and name != "root" else ""  # noqa: PLR2004 - rw for the group


def _tapes(root: Path) -> Iterator[Device]:
    for generic in _entries(root / "sys/class/scsi_generic"):
        device = (generic / "device").resolve()
        if _read(device / "type") != str(inquiry.DeviceType.TAPE.value):
            continue
        st = sorted(entry.name for entry in _entries(device / "scsi_tape") if re.fullmatch(r"nst\d+", entry.name))
        nodes = (f"/dev/{generic.name}", *(f"/dev/{name}" for name in st))
        yield _scsi(Kind.TAPE, root, device, nodes, _lasting(root, "tape", nodes[-1]))


def _changers(root: Path) -> Iterator[Device]:
    for generic in _entries(root / "sys/class/scsi_generic"):
        device = (generic / "device").resolve()
        if _read(device / "type") == str(inquiry.DeviceType.CHANGER.value):
            node = f"/dev/{generic.name}"
            yield _scsi(Kind.CHANGER, root, device, (node,), _lasting(root, "tape", node))


def _disks(root: Path) -> Iterator[Device]:
    for block in _entries(root / "sys/block"):
        if block.name.startswith(NO_MEDIA):
            continue
        place = block.resolve()
        if _read(place / "removable") != "1" and "/usb" not in str(place):
            continue
        device = (place / "device").resolve()
        node = f"/dev/{block.name}"
        is_dock = rdx.is_dock(_read(device / "vendor"), _read(device / "model"))
        size = _read(place / "size")
        yield dataclasses.replace(
            _scsi(Kind.RDX if is_dock else Kind.DISK, root, device, (node,), _lasting(root, "disk", node)),
            size_bytes=int(size) * SECTOR_BYTES if size.isdigit() else 0,
        )


def _ports(root: Path) -> Iterator[Device]:
    for port in _entries(root / "sys/class/tty"):
        device = port / "device"
        if not _PORT.fullmatch(port.name) or not device.exists():
            continue
        if port.name.startswith("ttyS") and _read(port / "type") in {"", _NO_UART}:
            continue
        node, usb = f"/dev/{port.name}", _usb(device.resolve(), root)
        yield Device(
            Kind.SERIAL, _lasting(root, "serial", node), (node,), _read(usb / "manufacturer") if usb else "",
            _read(usb / "product") if usb else "serial port of the board", _read(usb / "serial") if usb else "",
        )  # fmt: skip


def _scsi(kind: Kind, root: Path, device: Path, nodes: tuple[str, ...], node: str) -> Device:
    usb = _usb(device, root)
    serial = _unit_serial(device) or (_read(usb / "serial") if usb else "") or _read(device / "serial")
    return Device(kind, node, nodes, _read(device / "vendor"), _read(device / "model"), serial)


def _unit_serial(device: Path) -> str:
    """The serial number that the device tells (VPD page 80)."""
    with contextlib.suppress(OSError, FormatError):
        return inquiry.serial(inquiry.parse_page((device / "vpd_pg80").read_bytes()))
    return ""


def _usb(device: Path, root: Path) -> Path | None:
    """The USB device that something hangs on."""
    top = (root / "sys").resolve()
    around = (folder for folder in (device, *device.parents) if folder.is_relative_to(top))
    return next((folder for folder in around if (folder / "idVendor").exists()), None)


def _lasting(root: Path, kind: str, node: str) -> str:
    """The name of a node that stays after a restart; the node itself where udev made none."""
    real = (root / node.lstrip("/")).resolve()
    links = [link for link in _entries(root / "dev" / kind / "by-id") if link.resolve() == real]
    best = min(links, key=_preference, default=None)
    return f"/{best.relative_to(root)}" if best else node


def _preference(link: Path) -> tuple[bool, str]:
    """Names that say what it is (usb-TANDBERG_RDX…) come before numbers (wwn-0x5000…, nvme-eui…)."""
    return link.name.startswith(("wwn-", "nvme-eui", "scsi-3")), link.name


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir(), key=lambda path: (len(path.name), path.name))
    except OSError:
        return []


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""
