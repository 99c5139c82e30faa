"""Labelling what is blank in a changer: each cartridge with its barcode for a name, all others left as they are."""

import dataclasses
import enum
from collections.abc import Callable, Iterator

from drivers.base import Drive
from drivers.changer.changer import Changer, Inventory, Spot, is_same
from drivers.changer.pairing import why_other
from drivers.errors import BlankMedium, DriveError
from formats.errors import FormatError
from formats.scsi.elements import Place
from tapekit.cartridge.cartridge import open_cartridge
from tapekit.errors import TapekitError


class Outcome(enum.StrEnum):
    """What became of a cartridge."""

    LABELLED = "labelled"
    BLANK = "blank"
    """It would be labelled."""
    ALREADY = "already"
    """It has that label."""
    REFUSED = "refused"


@dataclasses.dataclass(frozen=True)
class Done:
    """A cartridge, where it is, and what became of it; `why` where it was refused."""

    barcode: str
    place: str
    outcome: Outcome
    why: str = ""


def run(
    changer: Changer, number: int, open_drive: Callable[[], Drive], label: Callable[[Drive, str], object] | None
) -> Iterator[Done]:
    """Look at all cartridges that may be blank, one after the other, in drive `number`; each goes back to its place.

    `label` labels the medium in a drive; None: nothing is written. Cleaning cartridges and import/export slots are
    left alone. Raises DriveError where the changer does not move them, or that is another drive than the one that is
    opened; what is told of single cartridges is an answer.
    """
    found = changer.inventory()
    _check_pair(found, number, open_drive)
    drive = found.drive(number)
    inside = drive if drive is not None and drive.element.is_full else None
    for spot in _candidates(found, inside):
        if not spot.element.barcode:
            yield Done("", spot.name, Outcome.REFUSED, "its barcode cannot be read")
            continue
        changer.load(spot.element.barcode, number)
        yield _looked_at(spot, open_drive, label)
    now = changer.inventory().drive(number)
    if inside is not None and inside.element.barcode:
        changer.load(inside.element.barcode, number)
    elif inside is None and now is not None and now.element.is_full:
        changer.unload(number)


def _check_pair(found: Inventory, number: int, open_drive: Callable[[], Drive]) -> None:
    try:
        device = open_drive()
    except DriveError:
        return  # it is told of each cartridge
    why = why_other(found, number, device.identify(), device.url)
    device.close()
    if why:
        raise DriveError(why)


def _candidates(found: Inventory, inside: Spot | None) -> Iterator[Spot]:
    if inside is not None:
        yield inside
    for spot in found.slots:
        if spot.element.is_full and spot.element.place is Place.SLOT and not spot.is_cleaning:
            yield spot


def _looked_at(spot: Spot, open_drive: Callable[[], Drive], label: Callable[[Drive, str], object] | None) -> Done:
    barcode, place = spot.element.barcode, spot.name
    try:
        drive = open_drive()
        try:
            try:
                held = open_cartridge(drive)
            except BlankMedium:
                if drive.medium().write_protected:
                    return Done(barcode, place, Outcome.REFUSED, "write-protected")
                if label is None:
                    return Done(barcode, place, Outcome.BLANK)
                label(drive, barcode)
                return Done(barcode, place, Outcome.LABELLED)
            if held.label is not None and is_same(held.name, barcode):
                return Done(barcode, place, Outcome.ALREADY)
            why = f"it is cartridge {held.name}" if held.label is not None else held.label_problem
            return Done(barcode, place, Outcome.REFUSED, why)
        finally:
            drive.close()
    except (DriveError, FormatError, TapekitError) as error:
        return Done(barcode, place, Outcome.REFUSED, str(error))
