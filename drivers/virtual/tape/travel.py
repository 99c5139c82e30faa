"""REWIND, SPACE, LOCATE, READ POSITION, LOAD UNLOAD and what goes with them (SSC-4, sections 6 and 7)."""

from drivers.scsi import commands
from drivers.virtual.check import Check, bad_field, number
from drivers.virtual.tape.cartridge import Cartridge
from drivers.virtual.tape.deck import NO_REMOVAL, Deck
from formats.scsi import tape
from formats.scsi.sense import Key
from formats.scsi.tape import TapePosition

_BLOCKS, _FILEMARKS, _END = 0, 1, 3
_TO_OBJECT, _TO_FILE, _TO_END = 0, 1, 3
_CHANGE_PARTITION = 0x02
_SHORT, _SHORT_VENDOR, _LONG = 0x00, 0x01, 0x06
_LOAD, _RETENSION, _END_OF_TAPE, _HOLD = 1, 2, 4, 8


def report_readiness(deck: Deck, _command: bytes, _data: bytes) -> bytes:
    """TEST UNIT READY."""
    deck.ready()
    return b""


def rewind(deck: Deck, _command: bytes, _data: bytes) -> bytes:
    """REWIND; finds the place again where it was lost."""
    deck.ready()
    deck.travel_to(0)
    return b""


def space(deck: Deck, command: bytes, _data: bytes) -> bytes:
    """SPACE(6) and (16), over blocks, filemarks, or to the end of data."""
    cartridge = deck.ready()
    at = deck.place()
    is_long = command[0] == commands.SPACE_16.opcode
    count = int.from_bytes(command[4:12] if is_long else command[2:5], signed=True)
    code = command[1] & 0x0F
    if code == _END:
        deck.travel_to(cartridge.end)
    elif code == _FILEMARKS:
        _over_filemarks(deck, cartridge, at, count)
    elif code == _BLOCKS:
        _over_blocks(deck, cartridge, at, count)
    else:
        raise bad_field()
    return b""


def _over_filemarks(deck: Deck, cartridge: Cartridge, at: int, count: int) -> None:
    """Forwards behind the last of them, backwards before it."""
    if not count:
        return
    before = cartridge.filemarks_before(at)
    nth = before + count - 1 if count > 0 else before + count
    found = cartridge.filemark(nth)
    if found is not None:
        deck.travel_to(found + 1 if count > 0 else found)
    elif count > 0:
        deck.travel_to(cartridge.end)
        passed = cartridge.filemarks_before(cartridge.end) - before
        raise Check(Key.BLANK_CHECK, 0x00, 0x05, information=count - passed)
    else:
        deck.travel_to(0)
        raise Check(Key.NO_SENSE, 0x00, 0x04, eom=True, information=-count - before)


def _over_blocks(deck: Deck, cartridge: Cartridge, at: int, count: int) -> None:
    """As many blocks; a filemark ends it, on its far side."""
    before = cartridge.filemarks_before(at)
    if count >= 0:
        mark = cartridge.filemark(before)
        if mark is not None and at + count > mark:
            deck.travel_to(mark + 1)
            raise Check(Key.NO_SENSE, 0x00, 0x01, filemark=True, information=count - (mark - at))
        if at + count > cartridge.end:
            deck.travel_to(cartridge.end)
            raise Check(Key.BLANK_CHECK, 0x00, 0x05, information=count - (cartridge.end - at))
    else:
        mark = cartridge.filemark(before - 1)
        if mark is not None and at + count <= mark:
            deck.travel_to(mark)
            raise Check(Key.NO_SENSE, 0x00, 0x01, filemark=True, information=-count - (at - mark - 1))
        if at + count < 0:
            deck.travel_to(0)
            raise Check(Key.NO_SENSE, 0x00, 0x04, eom=True, information=-count - at)
    deck.travel_to(at + count)


def locate(deck: Deck, command: bytes, _data: bytes) -> bytes:
    """LOCATE(10) and (16), to an object, to a file, or to the end of data; finds a lost place again."""
    cartridge = deck.ready()
    if command[0] == commands.LOCATE.opcode:
        kind, wanted, partition = _TO_OBJECT, number(command, 3, 4), command[8]
    else:
        kind, wanted, partition = command[1] >> 3 & 7, number(command, 4, 8), command[3]
    if command[1] & _CHANGE_PARTITION and partition:
        raise bad_field()
    if kind == _TO_END:
        deck.travel_to(cartridge.end)
    elif kind == _TO_OBJECT:
        _go(deck, cartridge, wanted if wanted <= cartridge.end else None)
    elif kind == _TO_FILE and wanted:  # file 0 is refused by drives too: one rewinds
        first = cartridge.filemark(wanted - 1)
        _go(deck, cartridge, None if first is None else first + 1)
    else:
        raise bad_field()
    return b""


def _go(deck: Deck, cartridge: Cartridge, target: int | None) -> None:
    deck.travel_to(cartridge.end if target is None else target)
    if target is None:
        raise Check(Key.BLANK_CHECK, 0x00, 0x05)


def read_position(deck: Deck, command: bytes, _data: bytes) -> bytes:
    """READ POSITION, short and long."""
    cartridge = deck.ready()
    form = command[1] & 0x1F
    at = deck.at
    objects, size = deck.buffered
    found = TapePosition(
        at, None if at is None else cartridge.filemarks_before(at), 0, at == 0, deck.is_warned(),
        deck.is_warned_as_told(),
    )  # fmt: skip
    if form == _LONG:
        return tape.build_long(found)
    if form in (_SHORT, _SHORT_VENDOR):
        return tape.build_short(found, buffered_objects=objects, buffered_bytes=size)
    raise bad_field()


def load_unload(deck: Deck, command: bytes, _data: bytes) -> bytes:
    """LOAD UNLOAD; an unloaded cartridge stays at the door until a hand takes it."""
    flags = command[4]
    if flags & _LOAD:
        if flags & _END_OF_TAPE:
            raise bad_field()
        _load(deck)
    elif deck.is_removal_prevented:
        deck.alerts.add(NO_REMOVAL)
        raise Check(Key.ILLEGAL_REQUEST, 0x53, 0x02)
    elif flags & _HOLD:
        deck.ready()
        deck.travel_to(0)
        deck.is_held = True
    else:
        deck.unthread()
    return b""


def _load(deck: Deck) -> None:
    if deck.cartridge is None and deck.at_door is None:
        raise Check(Key.NOT_READY, 0x3A, 0x00)
    if deck.cartridge is None:
        deck.thread()
        deck.attentions.append((0x28, 0x00))
        return
    deck.is_held = False
    deck.travel_to(0)


def prevent_removal(deck: Deck, command: bytes, _data: bytes) -> bytes:
    """PREVENT ALLOW MEDIUM REMOVAL."""
    deck.is_removal_prevented = bool(command[4] & 1)
    return b""
