"""The memory in a virtual cartridge, read and written through the drive (SPC-4, sections 6.18 and 6.48)."""

from drivers.virtual.check import Check, bad_field, bad_parameter, number
from drivers.virtual.tape.deck import Deck
from formats.errors import FormatError
from formats.scsi import mam
from formats.scsi.mam import Attribute
from formats.scsi.sense import Key

_HOST_RANGE = range(0x0800, 0x1400)
_MIB = 20


def read(deck: Deck, command: bytes, _: bytes) -> bytes:
    """READ ATTRIBUTE; one that is not there is a bad field, as with the makers' drives."""
    found = {one.id: one for one in _all(deck)}
    first, service = number(command, 8, 2), command[1] & 0x1F
    if service == mam.ATTRIBUTE_LIST:
        return mam.build_list(tuple(sorted(found)))
    if service != mam.VALUES or (first and first not in found):
        raise bad_field()
    return mam.build(tuple(found[one] for one in sorted(found) if one >= first))


def _all(deck: Deck) -> tuple[Attribute, ...]:
    cartridge = deck.cartridge or deck.at_door
    if cartridge is None:
        raise Check(Key.NOT_READY, 0x3A, 0x00)
    worked_out = {
        mam.REMAINING_MIB: max(0, cartridge.capacity - cartridge.used) >> _MIB,
        mam.MAXIMUM_MIB: cartridge.capacity >> _MIB, mam.LOAD_COUNT: cartridge.fact("loads"),
        0x0220: cartridge.fact("written") >> _MIB, 0x0221: cartridge.fact("read") >> _MIB,
        0x0222: cartridge.fact("last_written") >> _MIB, 0x0223: cartridge.fact("last_read") >> _MIB,
    }  # fmt: skip
    now = tuple(Attribute(key, value.to_bytes(8), is_read_only=True) for key, value in worked_out.items())
    drive = f"{deck.names.vendor:8}{deck.names.serial:32}".encode()
    return (*now, Attribute(0x020A, drive, mam.Coding.ASCII, is_read_only=True), *cartridge.attributes())


def write(deck: Deck, _: bytes, data: bytes) -> bytes:
    """WRITE ATTRIBUTE; no bytes take an attribute out."""
    cartridge = deck.ready()
    if cartridge.is_protected:
        raise Check(Key.DATA_PROTECT, 0x27, 0x00)
    try:
        wanted = mam.parse(data)
    except FormatError as error:
        raise bad_parameter() from error
    if any(one.id not in _HOST_RANGE for one in wanted):
        raise bad_parameter()
    for one in wanted:
        cartridge.set_attribute(one)
    cartridge.commit()
    return b""
