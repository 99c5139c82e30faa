"""`changer:/dev/sg3`: a changer of this computer."""

from collections.abc import Callable
from pathlib import Path

from drivers.changer.changer import Changer, Spot
from drivers.errors import DriveError, NoDevice, NoPermission
from drivers.scsi import commands
from drivers.scsi.commands import CommandFailed
from drivers.scsi.sg import SgTransport
from formats.errors import FormatError
from formats.scsi import inquiry

SCHEME = "changer"
SYSFS = Path("/sys")
_TAPE = "1"


def open_changer(path: str) -> Changer:
    """Open a changer for us alone, by its sg node. Raises NoDevice, NoPermission, Busy and what it says."""
    url = f"{SCHEME}:{path}"
    if not Path(path).exists():
        raise NoDevice(f"{url}: no such device", "is it on, and connected? tapekit devices lists them")
    try:
        transport = SgTransport(path, exclusive=True)
    except NoPermission as error:
        raise NoPermission(
            f"{url}: permission denied", "put this user into the group tape, or run as root: tapekit doctor"
        ) from error
    try:
        return Changer(url, transport, unload_drive=unloading(drive_nodes()))
    except BaseException:
        transport.close()
        raise


def drive_nodes(sysfs: Path = SYSFS) -> dict[str, str]:
    """The sg nodes of this computer's tape drives, by their serial numbers."""
    found = {}
    for entry in sorted((sysfs / "class" / "scsi_generic").glob("sg*")):
        try:
            if (entry / "device" / "type").read_text().strip() != _TAPE:
                continue
            transport = SgTransport(f"/dev/{entry.name}")
        except (OSError, DriveError):
            continue
        try:
            serial = inquiry.serial(commands.product_page(transport, inquiry.SERIAL_PAGE))
            found[serial] = transport.node
        except (CommandFailed, FormatError, DriveError):
            continue
        finally:
            transport.close()
    return found


def unloading(nodes: dict[str, str]) -> Callable[[Spot], None]:
    """Has the drive of a place let its cartridge go, where the changer tells which drive that is."""

    def unload(spot: Spot) -> None:
        serial = spot.element.device_id.split()[-1] if spot.element.device_id else ""
        node = nodes.get(serial) or (next(iter(nodes.values())) if len(nodes) == 1 else None)
        if node is None:
            return  # the changer does it itself, or says that it cannot
        transport = SgTransport(node)
        try:
            for _ in range(2):  # the first may meet a unit attention
                try:
                    commands.run(transport, commands.LOAD_UNLOAD)
                except CommandFailed:
                    continue
                break
        finally:
            transport.close()

    return unload
