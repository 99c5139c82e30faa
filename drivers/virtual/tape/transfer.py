"""Blocks and filemarks of a virtual tape drive (SSC-4, sections 6.4 to 6.10)."""

import zlib

import google_crc32c

from drivers.virtual.check import Check, bad_field, number
from drivers.virtual.tape.cartridge import Cartridge
from drivers.virtual.tape.deck import Deck
from drivers.virtual.tape.motion import Direction
from formats.scsi.sense import Key

CHECK_BYTES = 4
_FIXED, _SILENT = 1, 2
_IMMEDIATE = 1
_READ_FAILURE, _HARD_ERROR = 5, 3


def check_of(block: bytes) -> bytes:
    """The check behind a block with logical block protection: CRC32C, little-endian."""
    return int(google_crc32c.value(block)).to_bytes(CHECK_BYTES, "little")


def write(deck: Deck, command: bytes, data: bytes) -> bytes:
    """WRITE(6)."""
    count, is_fixed = number(command, 2, 3), command[1] & _FIXED
    if is_fixed and not deck.settings.block_bytes:
        raise bad_field()
    size = deck.settings.block_bytes if is_fixed else count
    if size > deck.largest_block_bytes + CHECK_BYTES * deck.settings.protection.on_write:
        raise bad_field()
    blocks = [data[start : start + size] for start in range(0, len(data), size)] if size else []
    for done, block in enumerate(blocks):
        put(deck, _checked(deck, block), left=count - done if is_fixed else count)
    if deck.is_warned():
        raise Check(Key.NO_SENSE, 0x00, 0x02, eom=True, information=0)
    if deck.is_warned_as_told():
        raise Check(Key.NO_SENSE, 0x00, 0x07, eom=True, information=0)
    return b""


def _checked(deck: Deck, block: bytes) -> bytes:
    if not deck.settings.protection.on_write:
        return block
    if check_of(block[:-CHECK_BYTES]) != block[-CHECK_BYTES:]:
        raise Check(Key.ABORTED_COMMAND, 0x10, 0x01)
    return block[:-CHECK_BYTES]


def put(deck: Deck, block: bytes | None, left: int) -> None:
    """Take an object; `left` is what of the command is not done where it does not fit."""
    cartridge = deck.writable()
    at = deck.place()
    room = 0 if block is None else len(block)
    if block is not None and deck.settings.compresses:
        room = min(room, len(zlib.compress(block, 1)))
    if deck.used() + room > cartridge.capacity:
        deck.flush()
        raise Check(Key.VOLUME_OVERFLOW, 0x00, 0x02, eom=True, information=left)
    cartridge.write(at, block, room, deck.settings.key)
    deck.at = at + 1
    deck.motion.transfer(Direction.WRITING, room)
    deck.buffer(at, room)
    deck.count_written(len(block or b""), room)


def write_filemarks(deck: Deck, command: bytes, _: bytes) -> bytes:
    """WRITE FILEMARKS(6); a count of 0 writes the buffer out."""
    count = number(command, 2, 3)
    for done in range(count):
        put(deck, None, left=count - done)
    deck.ready()
    if not command[1] & _IMMEDIATE:
        deck.flush()
    if count and deck.is_warned():
        raise Check(Key.NO_SENSE, 0x00, 0x02, eom=True, information=0)
    return b""


def read(deck: Deck, command: bytes, _: bytes) -> bytes:
    """READ(6)."""
    cartridge = deck.ready()
    count, is_fixed, is_silent = number(command, 2, 3), command[1] & _FIXED, command[1] & _SILENT
    if is_fixed and not deck.settings.block_bytes:
        raise bad_field()
    if deck.motion.direction is Direction.WRITING:
        deck.flush()
    wanted, blocks = (deck.settings.block_bytes, count) if is_fixed else (count, 1 if count else 0)
    found = bytearray()
    for done in range(blocks):
        left = count - done if is_fixed else count
        block = _read_one(deck, cartridge, left, bytes(found))
        found += block[:wanted]
        if len(block) != wanted and not (is_silent and (len(block) < wanted or not deck.settings.block_bytes)):
            information = left if is_fixed else wanted - len(block)
            raise Check(Key.NO_SENSE, 0, 0, data=bytes(found), ili=True, information=information)
    return bytes(found)


def _read_one(deck: Deck, cartridge: Cartridge, left: int, before: bytes) -> bytes:
    at = deck.place()
    found = cartridge.read(at)
    if found is None:
        raise Check(Key.BLANK_CHECK, 0x00, 0x05, data=before, information=left)
    deck.at = at + 1
    if found.data is None:
        raise Check(Key.NO_SENSE, 0x00, 0x01, data=before, filemark=True, information=left)
    if found.is_bad:
        deck.totals.read_failures += 1
        deck.alerts |= {_HARD_ERROR, _READ_FAILURE}
        raise Check(Key.MEDIUM_ERROR, 0x11, 0x00, data=before, information=left)
    if found.key is not None and found.key != deck.settings.key:
        deck.at = at
        raise Check(Key.DATA_PROTECT, 0x74, 0x01, data=before, information=left)
    deck.motion.transfer(Direction.READING, found.room)
    deck.count_read(len(found.data), found.room)
    return found.data + check_of(found.data) if deck.settings.protection.on_read else found.data
