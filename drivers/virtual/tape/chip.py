"""READ ATTRIBUTE and WRITE ATTRIBUTE: the chip in the cartridge."""

from drivers.virtual.check import Check, bad_field, bad_parameter, number
from drivers.virtual.tape.cartridge import Cartridge
from drivers.virtual.tape.deck import Deck
from formats.errors import Damaged
from formats.scsi import mam
from formats.scsi.mam import Attribute
from formats.scsi.sense import Key

_OF_THE_HOST = range(0x0800, 0x0C00)
_LARGEST_BYTES = 1024
_LAST_DRIVE = 0x020A


def read_attribute(deck: Deck, command: bytes, _data: bytes) -> bytes:
    """READ ATTRIBUTE: values, or which there are. One that is not there cannot be asked for."""
    cartridge = _chip(deck)
    if command[7]:
        raise bad_field()
    action, first = command[1] & 0x1F, number(command, 8, 2)
    found = _attributes(deck, cartridge)
    if action == mam.ATTRIBUTE_LIST:
        return mam.build_list(tuple(one.id for one in found))
    if action != mam.VALUES or (first and first not in [one.id for one in found]):
        raise bad_field()
    return mam.build(tuple(one for one in found if one.id >= first))


def write_attribute(deck: Deck, command: bytes, data: bytes) -> bytes:
    """WRITE ATTRIBUTE: what belongs to the host; with no bytes it is taken out. All of the list, or nothing."""
    cartridge = _chip(deck)
    if not cartridge.takes_writes:
        raise Check(Key.DATA_PROTECT, 0x27, 0x00)
    if command[7]:
        raise bad_field()
    try:
        wanted = mam.parse(data)
    except Damaged as error:
        raise bad_parameter() from error
    for one in wanted:
        known = mam.BY_ID.get(one.id)
        is_size_wrong = known is not None and known.size and len(one.value) not in (0, known.size)
        if one.id not in _OF_THE_HOST or is_size_wrong or len(one.value) > _LARGEST_BYTES:
            raise bad_parameter()
    for one in wanted:
        cartridge.set_attribute(one)
    cartridge.commit()
    return b""


def _chip(deck: Deck) -> Cartridge:
    """The chip is read as soon as the cartridge is in, also that of a cartridge that the drive cannot use."""
    if deck.cartridge is None:
        raise Check(Key.NOT_READY, 0x3A, 0x00)
    return deck.cartridge


def _attributes(deck: Deck, cartridge: Cartridge) -> tuple[Attribute, ...]:
    """What the chip holds, with what the drive keeps in it, by id."""
    left = max(cartridge.capacity - cartridge.used, 0) >> 20
    alerts = sum(1 << (64 - flag) for flag in deck.alerts)
    numbers = (
        (mam.REMAINING_MIB, left), (mam.MAXIMUM_MIB, cartridge.capacity >> 20), (0x0002, alerts),
        (mam.LOAD_COUNT, cartridge.fact("loads")), (0x0220, cartridge.fact("written") >> 20),
        (0x0221, cartridge.fact("read") >> 20), (0x0222, cartridge.fact("last_written") >> 20),
        (0x0223, cartridge.fact("last_read") >> 20),
    )  # fmt: skip
    drive = deck.names.vendor.encode().ljust(8) + deck.names.serial.encode().ljust(32)
    kept = [Attribute(code, value.to_bytes(8), mam.Coding.BINARY, is_read_only=True) for code, value in numbers]
    kept.append(Attribute(_LAST_DRIVE, drive, mam.Coding.ASCII, is_read_only=True))
    return tuple(sorted((*kept, *cartridge.attributes()), key=lambda one: one.id))
