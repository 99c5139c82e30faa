"""What jobs do with a changer: cleaning a drive."""

from drivers.changer.changer import Changer, Spot
from drivers.errors import DriveError
from tapekit.errors import CartridgeError


def clean(changer: Changer, drive: int) -> Spot:
    """Clean a drive with the changer's cleaning cartridge; what was in the drive comes back. The cleaning cartridge.

    The move itself returns when the drive has taken it; taking it out again waits until the drive lets it go. Raises
    CartridgeError where there is none, DriveError.
    """
    found = changer.inventory()
    cleaning = next((spot for spot in found.slots if spot.is_cleaning and spot.element.is_full), None)
    if cleaning is None:
        raise CartridgeError(
            f"{changer.url}: no cleaning cartridge in it", "put one in, with a barcode that begins with CLN"
        )
    before = found.drive(drive)
    inside = before.element.barcode if before is not None and before.element.is_full else ""
    changer.load(cleaning.number, drive)
    try:
        changer.unload(drive, cleaning.number)
    except DriveError:
        # A drive that ejected it by itself has it at its door: the changer says so at the second look
        changer.unload(drive, cleaning.number)
    if inside:
        changer.load(inside, drive)
    return cleaning
