"""A changer: its places by the numbers that people use, cartridges by their barcodes, moves that say what went wrong.

Places are numbered as mtx numbers them: drives from 0; slots from 1, and import/export slots behind them.
"""

import dataclasses
from collections.abc import Callable

from drivers.base import TELL_LONG
from drivers.changer.errors import NoSuchBarcode, NoSuchPlace, PlaceEmpty, PlaceFull
from drivers.errors import DriveError, NoDevice
from drivers.scsi import commands
from drivers.scsi.commands import Command, CommandFailed
from drivers.scsi.link import Failed, Link, Patience, as_error
from drivers.scsi.transport import Transport
from formats.barcode import parse_lto
from formats.errors import FormatError
from formats.scsi import elements, inquiry
from formats.scsi.elements import Addresses, Element, Place
from formats.scsi.inquiry import DeviceType, Inquiry
from formats.scsi.sense import Key

_TAGS, _IDS = 0x10, 1
_ANSWER_BYTES = 0xFFFC
"""Some changers take no larger allocation than 16 bits, whatever the field."""
CLEANING = "CLN"


@dataclasses.dataclass(frozen=True)
class Spot:
    """A place with the number that people give it, and what is in it."""

    number: int
    element: Element

    @property
    def name(self) -> str:
        """As messages name it."""
        kinds = {Place.DRIVE: "drive", Place.SLOT: "slot", Place.IMPORT_EXPORT: "import/export slot"}
        return f"{kinds[self.element.place]} {self.number}"

    @property
    def is_cleaning(self) -> bool:
        """Whether a cleaning cartridge is in it."""
        return self.element.barcode.startswith(CLEANING)


@dataclasses.dataclass(frozen=True)
class Inventory:
    """What is where."""

    drives: tuple[Spot, ...]
    slots: tuple[Spot, ...]
    """Import/export slots are the last ones."""

    def slot(self, number: int) -> Spot | None:
        """The slot of that number."""
        return next((spot for spot in self.slots if spot.number == number), None)

    def drive(self, number: int) -> Spot | None:
        """The drive of that number."""
        return next((spot for spot in self.drives if spot.number == number), None)

    def find(self, barcode: str) -> Spot | None:
        """Where that cartridge is. Some changers leave the media id (`L6`) out: then it is the only one that fits."""
        every = (*self.drives, *self.slots)
        exact = next((spot for spot in every if spot.element.barcode == barcode), None)
        fitting = [spot for spot in every if is_same(spot.element.barcode, barcode)]
        return exact or (fitting[0] if len(fitting) == 1 else None)

    @property
    def barcodes(self) -> tuple[str, ...]:
        """All that are known."""
        return tuple(spot.element.barcode for spot in (*self.drives, *self.slots) if spot.element.barcode)


class Changer:
    """A robot with slots and drives. Not safe for use by two programs at once."""

    def __init__(
        self, url: str, transport: Transport, *, patience: Patience | None = None,
        unload_drive: Callable[[Spot, Inventory], None] = lambda *_: None, let_go: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        """Take over an open way to it.

        `unload_drive` has a drive let its cartridge go, before the robot takes it: not every changer does that itself.
        Raises NoDevice, DriveError.
        """
        self.url = url
        self._link = Link(url, transport, patience)
        self._unload_drive = unload_drive
        self._let_go = let_go
        self.identity: Inquiry = commands.standard_inquiry(transport)
        if self.identity.device_type != DeviceType.CHANGER:
            raise NoDevice(f"{url}: is no changer", "tapekit devices lists them")
        try:
            self._link.drain()
        except Failed as failed:
            raise as_error(failed, url) from failed
        self._addresses = self._read_addresses()

    @property
    def serial(self) -> str:
        """Serial number; empty where it tells none."""
        try:
            return inquiry.serial(commands.product_page(self._link.transport, inquiry.SERIAL_PAGE))
        except (CommandFailed, FormatError):
            return ""

    def inventory(self) -> Inventory:
        """What is where, as the changer knows it; it does not look anew. Raises DriveError."""
        drives = self._status(Place.DRIVE, with_ids=True)
        slots = self._status(Place.SLOT)
        ports = self._status(Place.IMPORT_EXPORT)
        return Inventory(
            tuple(Spot(number, one) for number, one in enumerate(drives)),
            tuple(Spot(number, one) for number, one in enumerate((*slots, *ports), 1)),
        )

    def look_anew(self) -> Inventory:
        """Have it look at every place and read all barcodes; takes minutes. Raises DriveError."""
        self._send("looking into every slot", commands.INITIALIZE_ELEMENT_STATUS)
        return self.inventory()

    def load(self, wanted: str | int, drive: int = 0) -> Spot:
        """Bring a cartridge, by its barcode or its slot, into a drive; what is in there goes back first.

        Where the cartridge is now; nothing is done where it is there already. Raises NoSuchBarcode, NoSuchPlace,
        PlaceEmpty, DriveError.
        """
        found = self.inventory()
        source, target = self._source(found, wanted), self._drive(found, drive)
        if source.element.address == target.element.address:
            return target
        if target.element.is_full:
            self.unload(drive)
        self._move(source, target)
        return dataclasses.replace(target, element=dataclasses.replace(
            target.element, is_full=True, barcode=source.element.barcode, source=source.element.address,
        ))  # fmt: skip

    def unload(self, drive: int = 0, slot: int | None = None) -> Spot:
        """Take the cartridge out of a drive: to that slot, or where it came from, or any free one. Where it then is."""
        found = self.inventory()
        source = self._drive(found, drive)
        if not source.element.is_full:
            raise PlaceEmpty(f"{self.url}: {source.name} is empty")
        target = self._free(found, slot, source.element.source)
        self._unload_drive(source, found)
        self._move(source, target)
        return target

    def transfer(self, source: int, target: int) -> None:
        """Move a cartridge from slot to slot: also out through an import/export slot, or in. Raises DriveError."""
        found = self.inventory()
        begin, end = found.slot(source), found.slot(target)
        if begin is None or end is None:
            raise self._no_slot(found, source if begin is None else target)
        if not begin.element.is_full:
            raise PlaceEmpty(f"{self.url}: {begin.name} is empty", _where_things_are(found))
        if end.element.is_full:
            raise PlaceFull(f"{self.url}: {end.name} holds {end.element.barcode or 'a cartridge'}")
        self._move(begin, end)

    def close(self) -> None:
        """Give it back."""
        self._link.transport.close()
        self._let_go()

    # --- inside -----------------------------------------------------------------------------------------------------

    def _read_addresses(self) -> Addresses:
        try:
            body = commands.mode_sense(self._link.transport, elements.ADDRESS_PAGE).page(elements.ADDRESS_PAGE)
            return elements.parse_addresses(body or b"")
        except (CommandFailed, FormatError) as error:
            raise DriveError(f"{self.url}: does not tell which places it has: {error}") from error

    def _status(self, place: Place, *, with_ids: bool = False) -> tuple[Element, ...]:
        """The elements of a type, one type a query: some changers mix up more.

        Where barcodes and device ids are refused together, they are asked for one after the other.
        """
        wanted = self._addresses.of(place)
        if not wanted.count:
            return ()
        try:
            return self._query(place, tags=True, ids=with_ids)
        except Failed as failed:
            if not with_ids or failed.sense.key != Key.ILLEGAL_REQUEST:
                raise as_error(failed, self.url) from failed
        try:
            tagged = self._query(place, tags=True, ids=False)
            named = {one.address: one.device_id for one in self._ids(place)}
        except Failed as failed:
            raise as_error(failed, self.url) from failed
        return tuple(dataclasses.replace(one, device_id=named.get(one.address, "")) for one in tagged)

    def _ids(self, place: Place) -> tuple[Element, ...]:
        try:
            return self._query(place, tags=False, ids=True)
        except Failed:
            return ()  # it knows none

    def _query(self, place: Place, *, tags: bool, ids: bool) -> tuple[Element, ...]:
        wanted = self._addresses.of(place)
        raw = self._link.answer(
            commands.READ_ELEMENT_STATUS, (1, 1, _TAGS * tags | place), (2, 2, wanted.first), (4, 2, wanted.count),
            (6, 1, _IDS * ids), (7, 3, _ANSWER_BYTES), size=_ANSWER_BYTES,
        )  # fmt: skip
        try:
            found = elements.parse_status(raw)
        except FormatError as error:
            raise DriveError(f"{self.url}: what it says of its places makes no sense: {error}") from error
        return tuple(one for one in found if one.place is place and one.address in wanted)

    def _move(self, source: Spot, target: Spot) -> None:
        what = source.element.barcode or "a cartridge"
        self._send(
            f"moving {what} from {source.name} to {target.name}", commands.MOVE_MEDIUM,
            (2, 2, self._addresses.transport.first), (4, 2, source.element.address), (6, 2, target.element.address),
        )  # fmt: skip

    def _send(self, what: str, command: Command, *fields: tuple[int, int, int]) -> None:
        try:
            with TELL_LONG.get()(what):
                self._link.send(command, *fields)
        except Failed as failed:
            raise as_error(failed, f"{self.url}: {what}") from failed

    def _source(self, found: Inventory, wanted: str | int) -> Spot:
        spot = found.slot(wanted) if isinstance(wanted, int) else found.find(wanted)
        if spot is None:
            if isinstance(wanted, int):
                raise self._no_slot(found, wanted)
            raise NoSuchBarcode(f"{self.url}: {wanted} is not in it", _where_things_are(found))
        if not spot.element.is_full:
            raise PlaceEmpty(f"{self.url}: {spot.name} is empty", _where_things_are(found))
        return spot

    def _drive(self, found: Inventory, number: int) -> Spot:
        spot = found.drive(number)
        if spot is None:
            raise NoSuchPlace(f"{self.url}: there is no drive {number}", f"it has {len(found.drives)}, counted from 0")
        return spot

    def _free(self, found: Inventory, slot: int | None, source: int | None) -> Spot:
        if slot is not None:
            spot = found.slot(slot)
            if spot is None:
                raise self._no_slot(found, slot)
            if spot.element.is_full:
                raise PlaceFull(f"{self.url}: {spot.name} holds {spot.element.barcode or 'a cartridge'}")
            return spot
        free = [spot for spot in found.slots if not spot.element.is_full]  # some call no empty slot accessible: tgt
        home = [spot for spot in free if spot.element.address == source]
        inside = [spot for spot in free if spot.element.place is Place.SLOT]
        if not (home or inside):
            raise PlaceFull(f"{self.url}: every slot is full", "take a cartridge out")
        return (home or inside)[0]

    def _no_slot(self, found: Inventory, number: int) -> NoSuchPlace:
        return NoSuchPlace(f"{self.url}: there is no slot {number}", f"it has {len(found.slots)}, counted from 1")


def _where_things_are(found: Inventory) -> str:
    full = [f"{spot.element.barcode or 'unknown'} in {spot.name}" for spot in (*found.drives, *found.slots)
            if spot.element.is_full]  # fmt: skip
    return f"there are {', '.join(full)}" if full else "it is empty"


def is_same(one: str, other: str) -> bool:
    """Whether two barcodes are one cartridge's: one of them may lack the media id; two of those must agree."""
    return one == other or _is_short_for(one, other) or _is_short_for(other, one)


def _is_short_for(barcode: str, whole: str) -> bool:
    """Whether it is an LTO label without its media id."""
    try:
        return parse_lto(whole).volume == barcode
    except FormatError:
        return False
