"""Devices are found by what the kernel says of them, and named by what stays the same after a restart."""

from pathlib import Path

from tapekit.config.probe import Device, devices


def _disk(root: Path, name: str, removable: str, bus: str = "pci0", size: int = 0, model: str = "") -> None:
    block = root / "sys/devices" / bus / name
    (block / "device").mkdir(parents=True)
    (block / "removable").write_text(f"{removable}\n")
    (block / "size").write_text(f"{size}\n")
    (block / "device/model").write_text(f"{model}\n")
    (root / "sys/block").mkdir(parents=True, exist_ok=True)
    (root / "sys/block" / name).symlink_to(block)


def _link(root: Path, name: str, to: str) -> None:
    (root / "dev").mkdir(exist_ok=True)
    (root / "dev" / to).touch()
    (root / "dev" / name).parent.mkdir(parents=True, exist_ok=True)
    (root / "dev" / name).symlink_to(root / "dev" / to)


def test_removable_and_usb_disks_are_offered_and_no_others(tmp_path: Path) -> None:
    _disk(tmp_path, "sda", "0", size=10**9)
    _disk(tmp_path, "sdb", "1", model="RDX")
    _disk(tmp_path, "sdc", "0", bus="pci0/usb1", size=1000, model="Stick")
    _disk(tmp_path, "sr0", "1")
    _disk(tmp_path, "loop0", "1")
    for name in ("wwn-0x5", "usb-TANDBERG_RDX", "usb-TANDBERG_RDX-part1"):
        _link(tmp_path, f"disk/by-id/{name}", "sdb")
    assert devices(tmp_path) == [
        Device("disk:/dev/disk/by-id/usb-TANDBERG_RDX", "RDX", 0),
        Device("disk:/dev/sdc", "Stick", 512000),
    ]


def test_tapes_have_their_lasting_names(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    for name in ("nst0", "nst0a", "st0"):
        (tmp_path / "dev" / name).touch()
    assert [device.url for device in devices(tmp_path)] == ["tape:/dev/nst0"]
    _link(tmp_path, "tape/by-id/scsi-3500-nst", "nst1")
    assert [device.url for device in devices(tmp_path)] == ["tape:/dev/tape/by-id/scsi-3500-nst"]


def test_a_machine_with_nothing_has_no_devices(tmp_path: Path) -> None:
    assert devices(tmp_path) == []
