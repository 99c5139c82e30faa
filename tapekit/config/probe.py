"""Looks for devices that could be drives: removable and USB disks, and tapes.

Sources of facts: sysfs-block in the ABI documentation of Linux; 60-persistent-storage.rules of udev.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

NO_MEDIA = ("loop", "ram", "zram", "sr", "fd", "dm-", "md", "nbd")
"""Kernel's names of block devices that are no cartridge: memory, optical disks, floppies, devices on other devices."""
SECTOR_BYTES = 512
"""Unit of a block device's size in sysfs, whatever the device's own is."""


@dataclasses.dataclass(frozen=True)
class Device:
    """A device that was found: the URL of the drive, what it is in words, and the size of what is in it."""

    url: str
    words: str
    size_bytes: int


def devices(root: Path = Path("/")) -> list[Device]:
    """Devices of this machine, or of the one whose /sys and /dev are below `root`. What cannot be read is left out."""
    return [*_disks(root), *_tapes(root)]


def _disks(root: Path) -> Iterator[Device]:
    names = {
        link.resolve().name: link for link in sorted(_entries(root / "dev/disk/by-id"), key=_preference, reverse=True)
    }
    for block in _entries(root / "sys/block"):
        if block.name.startswith(NO_MEDIA):
            continue
        if _read(block / "removable") != "1" and "/usb" not in str(block.resolve()):
            continue
        node = names.get(block.name, root / "dev" / block.name)
        words = " ".join(filter(None, (_read(block / "device/vendor"), _read(block / "device/model")))) or block.name
        size = _read(block / "size")
        yield Device(f"disk:/{node.relative_to(root)}", words, int(size) * SECTOR_BYTES if size.isdigit() else 0)


def _tapes(root: Path) -> Iterator[Device]:
    named = [link for link in _entries(root / "dev/tape/by-id") if link.name.endswith("-nst")]
    for node in named or [
        node for node in _entries(root / "dev") if node.name[:3] == "nst" and node.name[3:].isdigit()
    ]:
        yield Device(f"tape:/{node.relative_to(root)}", "tape drive", 0)


def _preference(link: Path) -> tuple[bool, bool, str]:
    """Names that say what it is (usb-TANDBERG_RDX…) come before numbers (wwn-0x5000…, nvme-eui…)."""
    return "-part" in link.name, link.name.startswith(("wwn-", "nvme-eui", "scsi-3")), link.name


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""
