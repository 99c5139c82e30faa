"""Which nodes belong together: a tape drive has one of st (/dev/nst0) and one of sg (/dev/sg1), paired in sysfs."""

import dataclasses
import os
import re
from pathlib import Path

from drivers.errors import NoDevice

SYSFS = Path("/sys")
TAPE_TYPE = "1"


@dataclasses.dataclass(frozen=True)
class Nodes:
    """The nodes of one drive. `st` is the non-rewinding one, empty where the st driver is not loaded."""

    sg: str
    st: str


def nodes_of(path: str, sysfs: Path = SYSFS) -> Nodes:
    """The nodes of the drive that `path` leads to: /dev/nst0, /dev/st0, /dev/sg1, or a link to one of them.

    Raises NoDevice.
    """
    real = os.path.realpath(path)
    name = Path(real).name
    if not Path(path).exists():
        raise NoDevice(f"tape:{path}: no such device", "is the drive on, and connected? tapekit devices lists them")
    st_name = re.sub(r"^n?(st\d+)[alm]?$", r"\1", name)
    for kind, wanted in (("scsi_tape", st_name), ("scsi_generic", name)):
        device = sysfs / "class" / kind / wanted / "device"
        if device.exists():
            return _nodes(device.resolve(), path, Path(real).parent)
    raise NoDevice(f"tape:{path}: is no tape drive", "tapekit devices lists them")


def _nodes(device: Path, path: str, folder: Path) -> Nodes:
    if _text(device / "type") != TAPE_TYPE:
        raise NoDevice(f"tape:{path}: is no tape drive, but another kind of device", "tapekit devices lists them")
    sg = _names(device / "scsi_generic", r"sg\d+")
    st = _names(device / "scsi_tape", r"st\d+")
    if not sg:
        raise NoDevice(f"tape:{path}: the kernel's sg driver is not loaded", "modprobe sg")
    return Nodes(str(folder / sg[0]), str(folder / f"n{st[0]}") if st else "")


def _names(folder: Path, pattern: str) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir() if re.fullmatch(pattern, entry.name))
    except OSError:
        return []


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
