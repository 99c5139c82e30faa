"""What jobs do with a changer: cleaning a drive, and the next cartridge of an archive that does not fit one."""

from collections.abc import Callable, Iterator

from drivers.base import Drive
from drivers.changer.changer import Changer, Inventory, Spot, is_same
from drivers.changer.pairing import why_other
from drivers.errors import BlankMedium, DriveError
from formats.scsi.elements import Place
from tapekit.cartridge.cartridge import open_cartridge
from tapekit.errors import REPORTED, CartridgeError
from tapekit.jobs.next_cartridge import Asked, anything


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
    home = changer.unload(drive) if before is not None and before.element.is_full else None
    changer.load(cleaning.number, drive)
    try:
        changer.unload(drive, cleaning.number)
    except DriveError:
        # A drive that ejected it by itself has it at its door: the changer says so at the second look
        changer.unload(drive, cleaning.number)
    if home is not None:
        changer.load(home.number, drive)  # by its slot: a changer may not know its barcode
    return cleaning


class FromChanger:
    """The changer brings the next one: to read the one that is named, else the slots one after the other.

    To write, they are tried from the slot behind the last one's on: what passes is written behind what it holds, a
    blank one is labelled with its barcode, anything else goes back. Nothing is moved for a drive that is not the
    changer's of that number, and nothing written on a cartridge that is not the one whose barcode was brought. See
    NextCartridge.
    """

    def __init__(
        self, open_changer: Callable[[], Changer], number: int, open_drive: Callable[[bool], Drive],
        say: Callable[[str], object] = anything, permit: Callable[[Drive], None] = anything,
        label_blank: Callable[[Drive, str], None] | None = None,
    ) -> None:  # fmt: skip
        """Nothing is moved yet. `number`: of the changer's drives, the one that `open_drive` opens, to write or not."""
        self._open_changer = open_changer
        self._number = number
        self._open_drive = open_drive
        self._say = say
        self._permit = permit
        self._label_blank = label_blank
        self._drive: Drive | None = None
        self._written: set[str] = set()
        """Barcodes of those that the archive is on already."""

    def next(self, finished: Drive, asked: Asked) -> Drive | None:
        """See NextCartridge."""
        who, url = finished.identify(), finished.url
        finished.close()
        try:
            changer = self._open_changer()
        except REPORTED as error:
            self._say(str(error))
            return None
        try:
            found = changer.inventory()
            if why := why_other(found, self._number, who, url):
                self._say(why)
                return None
            inside = found.drive(self._number)
            if asked.is_to_write and inside is not None:
                self._written.add(inside.element.barcode)
            for spot in self._in_turn(found, inside, asked):
                asked.stop()
                if self._brought(changer, spot, asked):
                    return self._drive
        except DriveError as error:
            self._say(str(error))
        finally:
            changer.close()
        return None

    def may_come(self, asked: Asked) -> bool:  # noqa: ARG002 - only a look into the drive would tell
        """See NextCartridge."""
        return True

    def close(self) -> None:
        """See NextCartridge."""
        if self._drive is not None:
            self._drive.close()

    def _in_turn(self, found: Inventory, inside: Spot | None, asked: Asked) -> Iterator[Spot]:
        named = found.find(asked.name) if asked.name else None
        if named is not None:
            yield named
            return
        home = inside.element.source if inside is not None else None
        slots = [spot for spot in found.slots if spot.element.place is Place.SLOT]
        behind = next((at for at, spot in enumerate(slots, 1) if spot.element.address == home), 0)
        for spot in (*slots[behind:], *slots[:behind]):
            element = spot.element
            if element.is_full and element.barcode and not spot.is_cleaning and element.barcode not in self._written:
                yield spot

    def _brought(self, changer: Changer, spot: Spot, asked: Asked) -> bool:
        """Whether that cartridge is now in the open drive, and will do."""
        barcode = spot.element.barcode
        drive = None
        try:
            changer.load(barcode, self._number)
            drive = self._drive = self._open_drive(asked.is_to_write)
            self._check(drive, barcode, asked)
        except REPORTED as error:
            self._say(f"{barcode}: {error}")
            if drive is not None:
                drive.close()
            return False
        return True

    def _check(self, drive: Drive, barcode: str, asked: Asked) -> None:
        try:
            asked.check(drive)
        except BlankMedium:
            if not asked.is_to_write or self._label_blank is None:
                raise
            self._label_blank(drive, barcode)
            asked.check(drive)
        if asked.is_to_write:
            name = open_cartridge(drive).name
            if not is_same(name, barcode):
                raise CartridgeError(f"{drive.url}: cartridge {name} is in, and its barcode should be its name")
            self._permit(drive)
