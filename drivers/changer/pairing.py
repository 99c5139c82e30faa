"""Whether a changer's drive is the one that the computer opens: both tell the drive's serial number.

Moved by a number that is not the drive's, a cartridge goes into another drive, and what is then written goes onto
whatever is in the one that was opened.
"""

from drivers.base import Identity
from drivers.changer.changer import Inventory, Spot


def is_other(spot: Spot, drive: Identity) -> bool:
    """Whether the changer's drive is certainly another one; where one of the two tells no number, nobody knows.

    A changer tells the number alone, or behind vendor and model; it may be cut short (tgt).
    """
    told = _told(spot, drive)
    return bool(told and drive.serial) and told not in drive.serial and drive.serial not in told


def why_other(found: Inventory, number: int, drive: Identity, url: str) -> str:
    """Why nothing is moved for a drive that is not the changer's of that number; empty where nothing speaks against."""
    spot = found.drive(number)
    if spot is None or not is_other(spot, drive):
        return ""
    mine = [one.number for one in found.drives if _told(one, drive) and not is_other(one, drive)]
    advice = (
        f"number = {mine[0]} is" if len(mine) == 1 else "see tapekit changer status and tapekit devices for which is"
    )
    return (
        f"{url} has the serial number {drive.serial}, and drive {number} of the changer {_told(spot, drive)}: "
        f"nothing is moved; {advice} the right one"
    )


def _told(spot: Spot, drive: Identity) -> str:
    """The serial number in a device id; empty where it has none."""
    known = {*drive.vendor.split(), *drive.model.split()}
    parts = [part for part in spot.element.device_id.split() if part not in known]
    return parts[-1] if parts else ""
