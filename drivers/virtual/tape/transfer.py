"""READ, WRITE, WRITE FILEMARKS and ERASE (SSC-4, section 6)."""

import zlib

import google_crc32c

from drivers.virtual.check import Check, bad_field, number
from drivers.virtual.tape.cartridge import Cartridge, Object
from drivers.virtual.tape.deck import Deck
from drivers.virtual.tape.motion import Direction
from formats.scsi import tape
from formats.scsi.sense import Key
from formats.scsi.tape import BlockLimits

READ_WARNING, READ_FAILURE, HARD_ERROR = 1, 5, 3
_FIXED, _SILENT = 1, 2
_IMMEDIATE, _SETMARK = 1, 2
_CHECK_BYTES = 4
_SAMPLE_BYTES = 4096
ENCRYPTS_NOTHING, DECRYPTS, DECRYPTS_AND_READS_PLAIN = 0, 2, 3


def check_of(block: bytes) -> bytes:
    """The check behind a block on the way: CRC32C, as the drive calculates it."""
    return int(google_crc32c.value(block)).to_bytes(_CHECK_BYTES, "little")


def read_block_limits(deck: Deck, _command: bytes, _data: bytes) -> bytes:
    """READ BLOCK LIMITS."""
    return tape.build_limits(BlockLimits(deck.largest_block_bytes, 1))


def write(deck: Deck, command: bytes, data: bytes) -> bytes:
    """WRITE(6)."""
    cartridge = deck.writable()
    size, count = _sizes(deck, command)
    extra = _CHECK_BYTES if deck.settings.protection.on_write else 0
    if size > deck.largest_block_bytes + extra or len(data) < size * count:
        raise bad_field()
    warning = None
    for index in range(count):
        block = data[index * size : (index + 1) * size]
        if extra:
            block = _checked(block)
        left = count - index if command[1] & _FIXED else size
        warning = _put(deck, cartridge, block, left) or warning
    if not deck.settings.buffered:
        deck.flush()
    if warning:
        raise warning
    return b""


def _checked(block: bytes) -> bytes:
    plain, check = block[:-_CHECK_BYTES], block[-_CHECK_BYTES:]
    if check_of(plain) != check:
        raise Check(Key.ABORTED_COMMAND, 0x10, 0x01)
    return plain


def _put(deck: Deck, cartridge: Cartridge, block: bytes, left: int) -> Check | None:
    """Take a block into the buffer; what is to be said of the place behind it."""
    at = deck.place()
    room = _room_on_tape(block) if deck.settings.compresses and not deck.settings.key else len(block)
    if deck.used() + room > cartridge.capacity:
        deck.flush()
        raise Check(Key.VOLUME_OVERFLOW, 0x00, 0x02, eom=True, information=left)
    was_warned_as_told = deck.is_warned_as_told()
    cartridge.write(at, block, room, deck.settings.key)
    deck.at = at + 1
    deck.motion.transfer(Direction.WRITING, room)
    deck.buffer(at, room)
    deck.count_written(len(block), room)
    return warning_of(deck, was_warned_as_told=was_warned_as_told)


def warning_of(deck: Deck, *, was_warned_as_told: bool) -> Check | None:
    """Early warning comes with every write behind its place, the programmable one once, with the first."""
    if deck.is_warned():
        return Check(Key.NO_SENSE, 0x00, 0x02, eom=True, information=0)
    if deck.is_warned_as_told() and not was_warned_as_told:
        return Check(Key.NO_SENSE, 0x00, 0x07, eom=True, information=0)
    return None


def _room_on_tape(block: bytes) -> int:
    """What the drive's compression makes of it, judged by its beginning; what does not shrink stays as it is."""
    sample = block[:_SAMPLE_BYTES]
    return min(len(block), max(len(block) * len(zlib.compress(sample, 1)) // max(len(sample), 1), 1))


def write_filemarks(deck: Deck, command: bytes, _data: bytes) -> bytes:
    """WRITE FILEMARKS(6); none, and not at once, flushes the buffer."""
    if command[1] & _SETMARK:
        raise bad_field()
    cartridge = deck.writable()
    warning = None
    for _ in range(number(command, 2, 3)):
        at = deck.place()
        cartridge.write(at, None)
        deck.at = at + 1
        deck.buffer(at, 0)
        warning = warning_of(deck, was_warned_as_told=deck.is_warned_as_told())
    if not command[1] & _IMMEDIATE:
        deck.flush()
    if warning:
        raise warning
    return b""


def read(deck: Deck, command: bytes, _data: bytes) -> bytes:
    """READ(6)."""
    cartridge = deck.ready()
    size, count = _sizes(deck, command)
    if deck.motion.direction is Direction.WRITING:
        deck.flush()
    found = bytearray()
    for index in range(count):
        left = count - index if command[1] & _FIXED else size
        block = _get(deck, cartridge, left, bytes(found))
        found += block[:size]
        is_short = len(block) < size
        if len(block) != size and not (is_short and command[1] & _SILENT):
            information = left if command[1] & _FIXED else size - len(block)
            raise Check(Key.NO_SENSE, 0x00, 0x00, ili=True, information=information, data=bytes(found))
    return bytes(found)


def _get(deck: Deck, cartridge: Cartridge, left: int, before: bytes) -> bytes:
    """The block here, with its check where that is wanted. Raises Check at anything else."""
    at = deck.place()
    found = cartridge.read(at)
    if found is None:
        raise Check(Key.BLANK_CHECK, 0x00, 0x05, information=left, data=before)
    if found.data is None:
        deck.at = at + 1
        raise Check(Key.NO_SENSE, 0x00, 0x01, filemark=True, information=left, data=before)
    if found.is_bad:
        deck.at = at + 1
        deck.totals.read_failures += 1
        cartridge.add_to_fact("read_failures")
        deck.alerts |= {READ_WARNING, HARD_ERROR, READ_FAILURE}
        raise Check(Key.MEDIUM_ERROR, 0x11, 0x00, information=left, data=before)
    _decrypt(deck, found, left, before)
    deck.motion.transfer(Direction.READING, found.room)
    deck.at = at + 1
    deck.count_read(len(found.data), found.room)
    return found.data + (check_of(found.data) if deck.settings.protection.on_read else b"")


def _decrypt(deck: Deck, found: Object, left: int, before: bytes) -> None:
    """Refuse what the drive's key does not fit; the place stays before it."""
    settings = deck.settings
    is_decrypting = settings.decrypts in (DECRYPTS, DECRYPTS_AND_READS_PLAIN)
    if found.key is not None and not is_decrypting:
        raise Check(Key.DATA_PROTECT, 0x74, 0x01, information=left, data=before)
    if found.key is not None and found.key != settings.key:
        raise Check(Key.DATA_PROTECT, 0x74, 0x03, information=left, data=before)
    if found.key is None and settings.decrypts == DECRYPTS:
        raise Check(Key.DATA_PROTECT, 0x74, 0x02, information=left, data=before)


def erase(deck: Deck, _command: bytes, _data: bytes) -> bytes:
    """ERASE: this place becomes the end of data, for a short and a long one alike."""
    cartridge = deck.writable()
    at = deck.place()
    deck.flush()
    cartridge.truncate(at)
    cartridge.commit()
    return b""


def _sizes(deck: Deck, command: bytes) -> tuple[int, int]:
    """Bytes of a block on the way, and how many blocks."""
    length = number(command, 2, 3)
    if not command[1] & _FIXED:
        return length, 1 if length else 0
    if command[1] & _SILENT or not deck.settings.block_bytes:
        raise bad_field()
    protection = deck.settings.protection
    extra = _CHECK_BYTES if protection.on_read or protection.on_write else 0
    return deck.settings.block_bytes + extra, length
