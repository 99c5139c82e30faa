"""The st and the sg node of a drive, as sysfs pairs them."""

from pathlib import Path

import pytest

from drivers.errors import NoDevice
from drivers.tape.nodes import Nodes, nodes_of


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A drive at sg1 and st0, a changer at sg2, a drive at sg3 without st; and an ordinary file."""
    _device(tmp_path, "3:0:0:0", "1", sg="sg1", st="st0")
    _device(tmp_path, "3:0:0:1", "8", sg="sg2")
    _device(tmp_path, "4:0:0:0", "1", sg="sg3")
    _device(tmp_path, "5:0:0:0", "1", st="st7")
    dev = tmp_path / "dev"
    dev.mkdir()
    for name in ("nst0", "st0", "nst0a", "nst7", "sg1", "sg2", "sg3", "sda"):
        (dev / name).touch()
    (dev / "by-id").symlink_to("nst0")
    return tmp_path


def _device(root: Path, address: str, kind: str, sg: str = "", st: str = "") -> None:
    device = root / "sys/devices" / address
    device.mkdir(parents=True)
    (device / "type").write_text(f"{kind}\n")
    names = [("scsi_generic", sg)] if sg else []
    if st:
        names += [("scsi_tape", name) for name in (st, f"n{st}", f"{st}a", f"n{st}a")]
    for subsystem, name in names:
        (device / subsystem / name).mkdir(parents=True)
        (device / subsystem / name / "device").symlink_to(device)
        under = root / "sys/class" / subsystem
        under.mkdir(parents=True, exist_ok=True)
        (under / name).symlink_to(device / subsystem / name)


@pytest.mark.parametrize("name", ("nst0", "st0", "nst0a", "sg1", "by-id"))
def test_any_node_leads_to_both(machine: Path, name: str) -> None:
    dev = machine / "dev"
    assert nodes_of(str(dev / name), machine / "sys") == Nodes(str(dev / "sg1"), str(dev / "nst0"))


def test_a_drive_without_st_works_through_sg(machine: Path) -> None:
    assert nodes_of(str(machine / "dev/sg3"), machine / "sys").st == ""


@pytest.mark.parametrize(
    ("name", "why"),
    (
        ("sg2", "another kind"),
        ("sda", "no tape drive"),
        ("nst9", "no such device"),
        ("nst7", "sg driver is not loaded"),
    ),
)
def test_what_is_no_drive(machine: Path, name: str, why: str) -> None:
    with pytest.raises(NoDevice, match=why):
        nodes_of(str(machine / "dev" / name), machine / "sys")
