"""Going somewhere, loading and unloading, with a virtual tape drive (SSC-4, sections 7.2 to 7.11)."""

from drivers.scsi import commands as c
from drivers.virtual.check import Check, bad_field, number
from drivers.virtual.tape.deck import Deck
from formats.scsi import tape
from formats.scsi.sense import Key
from formats.scsi.tape import TapePosition

_BLOCKS, _FILEMARKS, _END = 0, 1, 3
_TO_OBJECT, _TO_FILE, _TO_END = 0, 1, 3
_LONG_FORM = 6
_LOAD, _HOLD = 1, 8


def rewind(deck: Deck, _command: bytes, _data: bytes) -> bytes:
    """REWIND."""
    deck.ready()
    deck.travel_to(0)
    return b""


def space(deck: Deck, command: bytes, _: bytes) -> bytes:
    """SPACE(6) and SPACE(16)."""
    cartridge = deck.ready()
    is_long = command[0] == c.SPACE_16.opcode
    count = int.from_bytes(command[4:12] if is_long else command[2:5], signed=True)
    what = command[1] & 0x0F
    if what == _END:
        deck.travel_to(cartridge.end)
        return b""
    if what not in (_BLOCKS, _FILEMARKS):
        raise bad_field()
    deck.flush()
    at, step = deck.place(), 1 if count > 0 else -1
    for left in range(abs(count), 0, -1):
        at = _one(deck, at, step, left, what)
    deck.travel_to(at)
    return b""


def _one(deck: Deck, at: int, step: int, left: int, what: int) -> int:
    """Over one block or one filemark; where that is. Stops at ends, and at filemarks where blocks are counted."""
    cartridge = deck.ready()
    while True:
        over = at if step > 0 else at - 1
        if over < 0:
            deck.travel_to(0)
            raise Check(Key.NO_SENSE, 0x00, 0x04, eom=True, information=left)
        if over >= cartridge.end:
            deck.travel_to(cartridge.end)
            raise Check(Key.BLANK_CHECK, 0x00, 0x05, information=left)
        at += step
        is_mark = cartridge.filemark(cartridge.filemarks_before(over)) == over
        if is_mark and what == _BLOCKS:
            deck.travel_to(at)
            raise Check(Key.NO_SENSE, 0x00, 0x01, filemark=True, information=left)
        if is_mark or what == _BLOCKS:
            return at


def locate(deck: Deck, command: bytes, _: bytes) -> bytes:
    """LOCATE(10) and LOCATE(16)."""
    cartridge = deck.ready()
    deck.flush()
    if command[0] == c.LOCATE.opcode:
        kind, wanted = _TO_OBJECT, number(command, 3, 4)
    else:
        kind, wanted = command[1] >> 3 & 7, number(command, 4, 8)
    if kind == _TO_END:
        deck.travel_to(cartridge.end)
        return b""
    if kind not in (_TO_OBJECT, _TO_FILE) or (kind == _TO_FILE and wanted == 0):
        raise bad_field()  # drives in the field refuse file 0
    target: int | None = wanted
    if kind == _TO_FILE:
        mark = cartridge.filemark(wanted - 1)
        target = None if mark is None else mark + 1
    if target is None or target > cartridge.end:
        deck.travel_to(cartridge.end)
        raise Check(Key.BLANK_CHECK, 0x00, 0x05)
    deck.travel_to(target)
    return b""


def read_position(deck: Deck, command: bytes, _: bytes) -> bytes:
    """READ POSITION, short and long form."""
    cartridge = deck.ready()
    form, at = command[1] & 0x1F, deck.at
    if form not in (0, _LONG_FORM):
        raise bad_field()
    if at is None:
        found = TapePosition(None, None)
    else:
        found = TapePosition(
            at, cartridge.filemarks_before(at), is_beginning=at == 0, is_early_warning=deck.is_warned(),
            is_programmable_early_warning=deck.is_warned_as_told(),
        )  # fmt: skip
    if form == _LONG_FORM:
        return tape.build_long(found)
    raw = bytearray(tape.build_short(found))
    objects, size = deck.buffered
    if at is not None:
        raw[8:12] = (at - objects).to_bytes(4)
    raw[13:16], raw[16:20] = objects.to_bytes(3), min(size, 0xFFFFFFFF).to_bytes(4)
    return bytes(raw)


def load_unload(deck: Deck, command: bytes, _: bytes) -> bytes:
    """LOAD UNLOAD. With HOLD the cartridge is drawn in, and not threaded."""
    if command[4] & _LOAD:
        if deck.cartridge is None and deck.at_door is None:
            raise Check(Key.NOT_READY, 0x3A, 0x00)
        deck.is_held = bool(command[4] & _HOLD)
        if deck.cartridge is None:
            deck.thread()
        else:
            deck.travel_to(0)
        return b""
    if deck.is_removal_prevented:
        raise Check(Key.ILLEGAL_REQUEST, 0x53, 0x02)
    deck.unthread()
    return b""


def prevent(deck: Deck, command: bytes, _: bytes) -> bytes:
    """PREVENT ALLOW MEDIUM REMOVAL."""
    deck.is_removal_prevented = bool(command[4] & 1)
    return b""


def erase(deck: Deck, _command: bytes, _data: bytes) -> bytes:
    """ERASE: the end of data is here."""
    cartridge = deck.writable()
    deck.flush()
    cartridge.truncate(deck.place())
    cartridge.commit()
    return b""
