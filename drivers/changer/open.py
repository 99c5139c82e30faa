"""`changer:/dev/sg3`: a changer of this computer."""

from collections.abc import Callable, Mapping
from pathlib import Path

from drivers.changer.changer import Changer, Inventory, Spot
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


def node_of(spot: Spot, found: Inventory, nodes: Mapping[str, str]) -> str | None:
    """The node of a changer's drive, by the serial number at the end of its device id; None where that is not certain.

    An id may be cut short (tgt leaves out the last eight bytes of its answer): then it is the one drive that begins so
    and is no other one's. Only of a changer that tells no serial number at all is the one drive taken for its own.
    """
    serial = _serial(spot)
    if serial and serial in nodes:
        return nodes[serial]
    if not any(map(_serial, found.drives)) and len(found.drives) == len(nodes) == 1:
        return next(iter(nodes.values()))
    others = {_serial(drive) for drive in found.drives if drive.number != spot.number}
    left = [node for known, node in nodes.items() if serial and known.startswith(serial) and known not in others]
    return left[0] if len(left) == 1 else None


def _serial(spot: Spot) -> str:
    return spot.element.device_id.split()[-1] if spot.element.device_id else ""


def unloading(nodes: Mapping[str, str]) -> Callable[[Spot, Inventory], None]:
    """Has the drive of a place let its cartridge go, where the changer tells which drive that is.

    Raises Busy where another program has the drive open: it would write on with its tape gone.
    """

    def unload(spot: Spot, found: Inventory) -> None:
        node = node_of(spot, found, nodes)
        if node is None:
            return  # the changer does it itself, or says that it cannot
        transport = SgTransport(node, exclusive=True)
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
