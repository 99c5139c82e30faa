"""A virtual changer, at the level of its commands (SMC-3): a folder in which places are links to cartridges.

    changer.json              how many drives, slots, import/export slots; the drives' generation; the serial number
    cartridges/TB0001L6       the cartridges, named by their barcodes
    drive-0  slot-1  port-1   what is where; a place without its link is empty
    faults.txt                what goes wrong (drivers/virtual/faults.py); faults.json how far that is, so that a fault
                              comes once however often the changer is opened

A drive of it is `virtual:FOLDER/drive-0`. Moving a cartridge renames a link, so that a crash leaves it in one place.
"""

import dataclasses
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from drivers.errors import Busy, DriveError, NoDevice
from drivers.scsi import commands as c
from drivers.scsi.transport import CHECK_CONDITION
from drivers.virtual import faults
from drivers.virtual.check import Check, bad_field, number, unknown_command
from drivers.virtual.faults import Effect, Script, no_answer, refusal
from drivers.virtual.tape.cartridge import Cartridge, Kind, create
from drivers.virtual.tape.deck import Deck
from drivers.virtual.tape.recording import RECORDINGS, recording
from drivers.virtual.unit import Answer
from formats.scsi import elements, inquiry, mode, sense
from formats.scsi.elements import Addresses, Element, Place, Range
from formats.scsi.inquiry import DeviceType, Inquiry, Page
from formats.scsi.mode import Mode
from formats.scsi.sense import Key, Sense

SETTINGS, FAULTS, FAULTS_SEEN = "changer.json", "faults.txt", "faults.json"
CARTRIDGES = "cartridges"
_TRANSPORT, _DRIVES, _PORTS, _SLOTS = 1, 0x100, 0x10, 0x1000
_RESET = (0x29, 0x01)
_ACCESSED = (0x28, 0x01)
_CLEANING = "CLN"


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a changer has."""

    drives: int = 1
    slots: int = 8
    ports: int = 1
    generation: int = 6
    serial: str = "VC00000001"
    unreadable: Sequence[str] = ()
    """Cartridges whose barcode label the robot cannot read."""

    def drive_serial(self, drive: int) -> str:
        """The serial number of a drive."""
        return f"VD{drive + 1:08}"


def make(folder: Path, plan: Plan, barcodes: Sequence[str] = (), capacity: int | None = None) -> None:
    """Make a changer with a cartridge in each of the first slots. Raises Busy where there is one already."""
    if (folder / SETTINGS).exists():
        raise Busy(f"{folder}: a changer is there already")
    (folder / CARTRIDGES).mkdir(parents=True)
    (folder / SETTINGS).write_text(json.dumps(dataclasses.asdict(plan)))
    for slot, barcode in enumerate(barcodes, 1):
        add(folder, barcode, f"slot-{slot}", capacity)


def add(folder: Path, barcode: str, place: str, capacity: int | None = None) -> None:
    """A new cartridge, of the kind that its barcode says, in a place. Raises Busy."""
    known = {one.media_id for one in RECORDINGS}
    media_id = barcode[-2:] if barcode[-2:] in known else f"L{plan_of(folder).generation}"
    kind = Kind.CLEANING if barcode.startswith(_CLEANING) else Kind.DATA
    path = folder / CARTRIDGES / barcode
    create(str(path), recording(media_id), kind=kind, capacity=capacity, barcode=barcode)
    (folder / place).symlink_to(Path(CARTRIDGES) / barcode)


def plan_of(folder: Path) -> Plan:
    """What the changer in a folder has. Raises NoDevice."""
    try:
        return Plan(**json.loads((folder / SETTINGS).read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise NoDevice(f"{folder}: is no virtual changer", f"one has a file {SETTINGS}") from error


class ChangerUnit:
    """The robot. `decks`: drives that are on in this process, by their numbers; others are looked at by their links."""

    def __init__(self, folder: Path, *, decks: Sequence[Deck] = (), script: Script | None = None) -> None:
        """Switch it on. Raises NoDevice."""
        self.folder = folder
        self.plan = plan_of(folder)
        self.script = script or _script(folder)
        self.is_open = False
        """Its door."""
        self.mixes_up = False
        """Whether it refuses barcodes and device ids in one query, as some do."""
        self._decks = decks
        self._attentions = [_RESET]
        self._last_sense = Sense(Key.NO_SENSE)
        self._commands: dict[int, Callable[[bytes], bytes]] = {
            c.TEST_UNIT_READY.opcode: self._ready, c.REQUEST_SENSE.opcode: self._request_sense,
            c.INQUIRY.opcode: self._inquiry, c.MODE_SENSE_6.opcode: self._mode_sense,
            c.INITIALIZE_ELEMENT_STATUS.opcode: self._ready, c.INITIALIZE_ELEMENT_RANGE.opcode: self._ready,
            c.READ_ELEMENT_STATUS.opcode: self._element_status, c.MOVE_MEDIUM.opcode: self._move,
            c.PREVENT_ALLOW.opcode: self._ready,
        }  # fmt: skip

    def by_hand(self, place: str, barcode: str | None) -> None:
        """Somebody puts a cartridge in, or takes one out, through the import/export slot or the open door."""
        link = self.folder / place
        link.unlink(missing_ok=True)
        if barcode is not None:
            link.symlink_to(Path(CARTRIDGES) / barcode)
        self._attentions.append(_ACCESSED)

    def execute(self, command: bytes, data_out: bytes, room: int) -> Answer:  # noqa: ARG002 - as all units
        """See Unit."""
        fault = self.script.due(command[0])
        if self.script.seen:
            (self.folder / FAULTS_SEEN).write_text(json.dumps(self.script.seen))
        if fault is not None:
            if fault.effect is Effect.GONE:
                self.script.leave()
            refused = refusal(fault)
            if refused is not None:
                return refused
        answer = self._do(command, room)
        if fault is not None and fault.effect in (Effect.TIMEOUT, Effect.RESET):
            no_answer(fault)
        return answer

    def _do(self, command: bytes, room: int) -> Answer:
        do = self._commands.get(command[0])
        try:
            if self._attentions and command[0] not in (c.INQUIRY.opcode, c.REQUEST_SENSE.opcode):
                raise Check(Key.UNIT_ATTENTION, *self._attentions.pop(0))
            if do is None:
                raise unknown_command()
            return Answer(do(command)[:room])
        except Check as check:
            self._last_sense = check.sense
            return Answer(check.data[:room], check.sense, CHECK_CONDITION)

    def _ready(self, _: bytes) -> bytes:
        if self.is_open:
            raise Check(Key.NOT_READY, 0x3B, 0x11)
        return b""

    def _request_sense(self, _: bytes) -> bytes:
        return sense.build(self._last_sense)

    def _inquiry(self, command: bytes) -> bytes:
        if not command[1] & 1:
            return inquiry.build(Inquiry(DeviceType.CHANGER, "TANDBERG", "StorageLoader", "TK01"))
        pages = {inquiry.SUPPORTED_PAGES: bytes((0, 0x80)), inquiry.SERIAL_PAGE: self.plan.serial.encode()}
        if command[2] not in pages:
            raise bad_field()
        return inquiry.build_page(Page(DeviceType.CHANGER, command[2], pages[command[2]]))

    def _mode_sense(self, command: bytes) -> bytes:
        if command[2] & 0x3F != elements.ADDRESS_PAGE:
            raise bad_field()
        page = mode.page(elements.ADDRESS_PAGE, elements.build_addresses(self._addresses()))
        return mode.build(Mode(buffered=0, pages=(page,)))

    def _addresses(self) -> Addresses:
        plan = self.plan
        return Addresses(
            Range(_TRANSPORT, 1), Range(_SLOTS, plan.slots), Range(_PORTS, plan.ports), Range(_DRIVES, plan.drives)
        )

    def _element_status(self, command: bytes) -> bytes:
        self._ready(command)
        tags, ids = bool(command[1] & 0x10), bool(command[6] & 1)
        if tags and ids and self.mixes_up:
            raise bad_field()
        place, first, count = command[1] & 0x0F, number(command, 2, 2), number(command, 4, 2)
        wanted = [kind for kind in Place if place in (0, kind)]
        found = [self._element(kind, one) for kind in wanted for one in self._numbers(kind)]
        chosen = [one for one in found if one.address >= first][:count]
        return elements.build_status(tuple(chosen), with_tags=tags, with_ids=ids)

    def _numbers(self, place: Place) -> range:
        known = self._addresses().of(place)
        return range(known.first, known.first + known.count)

    def _element(self, place: Place, address: int) -> Element:
        link = self._link(address)
        if link is None:
            return Element(place, address)
        is_full = link.is_symlink()
        source = self._source_of(link)
        drive = self.plan.drive_serial(address - _DRIVES) if place is Place.DRIVE else ""
        return Element(
            place, address, is_full, self._read(link.readlink().name) if is_full else "",
            is_accessible=place is not Place.DRIVE or not self._is_threaded(address),
            is_imported=place is Place.IMPORT_EXPORT and is_full,
            source=self._address(source) if source and is_full else None, device_id=drive,
        )  # fmt: skip

    def _read(self, barcode: str) -> str:
        return "" if barcode in self.plan.unreadable else barcode

    @staticmethod
    def _source_of(link: Path) -> str:
        """Where the cartridge in a drive came from; empty where nobody knows."""
        file = _source_file(link)
        return file.read_text() if link.name.startswith("drive") and file.exists() else ""

    def _link(self, address: int) -> Path | None:
        """The link of a place; None of the robot's hand."""
        addresses = self._addresses()
        for known, name, first in (
            (addresses.drives, "drive", 0), (addresses.slots, "slot", 1), (addresses.import_export, "port", 1),
        ):  # fmt: skip
            if address in known:
                return self.folder / f"{name}-{address - known.first + first}"
        return None

    def _address(self, name: str) -> int:
        kind, _, at = name.partition("-")
        return {"drive": _DRIVES, "slot": _SLOTS - 1, "port": _PORTS - 1}[kind] + int(at)

    def _deck(self, address: int) -> Deck | None:
        at = address - _DRIVES
        return self._decks[at] if 0 <= at < len(self._decks) else None

    def _is_threaded(self, address: int) -> bool:
        deck = self._deck(address)
        return deck is not None and deck.cartridge is not None

    def _move(self, command: bytes) -> bytes:
        self._ready(command)
        source, target = self._link(number(command, 4, 2)), self._link(number(command, 6, 2))
        if source is None or target is None:
            raise Check(Key.ILLEGAL_REQUEST, 0x21, 0x01)
        if not source.is_symlink():
            raise Check(Key.ILLEGAL_REQUEST, 0x3B, 0x0E)
        if target.is_symlink():
            raise Check(Key.ILLEGAL_REQUEST, 0x3B, 0x0D)
        self._take_out(number(command, 4, 2), source)
        os.rename(source, target)  # noqa: PTH104 - a link, not what it leads to
        if target.name.startswith("drive"):
            _source_file(target).write_text(source.name)
        deck = self._deck(number(command, 6, 2))
        if deck is not None:
            deck.insert(Cartridge(str(target.resolve())))
        return b""

    def _take_out(self, address: int, link: Path) -> None:
        """Out of a drive: one that is still threaded, or that somebody works with, does not give it away."""
        if not link.name.startswith("drive"):
            return
        deck = self._deck(address)
        if deck is not None:
            if deck.cartridge is not None:
                raise Check(Key.ILLEGAL_REQUEST, 0x53, 0x01)
            taken = deck.take_out()
            if taken is not None:
                taken.close()
            return
        try:
            Cartridge(str(link.resolve())).close()
        except Busy as error:
            raise Check(Key.ILLEGAL_REQUEST, 0x53, 0x02) from error
        except DriveError:
            return  # damaged; the robot does not mind


def _script(folder: Path) -> Script:
    """What a file in the folder says. Raises NoDevice."""
    try:
        scripted = faults.parse((folder / FAULTS).read_text())
        seen = folder / FAULTS_SEEN
        return Script(scripted, json.loads(seen.read_text()) if seen.exists() else ())
    except FileNotFoundError:
        return Script()
    except (OSError, ValueError) as error:
        raise NoDevice(f"{folder / FAULTS}: {error}") from error


def _source_file(drive: Path) -> Path:
    return drive.with_name(f"{drive.name}.source")
