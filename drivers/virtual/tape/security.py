"""SECURITY PROTOCOL IN and OUT: encryption by the drive (SSC-4, section 8.5), as far as it shows.

The drive keeps no key, only its name (a digest); a block remembers the name of its key, and is given out to whoever
has set the same one. What is in the cartridge's file is the plain block.
"""

import hashlib

from drivers.virtual.check import bad_field, bad_parameter, number, unknown_command
from drivers.virtual.tape.deck import Deck
from drivers.virtual.tape.recording import encrypts

INFORMATION, ENCRYPTION = 0x00, 0x20
IN_PAGES, OUT_PAGES, CAPABILITIES, STATUS = 0x0000, 0x0001, 0x0010, 0x0020
SET_PAGE = 0x0010
AES_256_GCM = 0x00010014
_KEY_BYTES = 32
_OFF, _ON = 0, 2
_HEAD_BYTES = 20


def security_in(deck: Deck, command: bytes, _data: bytes) -> bytes:
    """SECURITY PROTOCOL IN."""
    _check_generation(deck)
    protocol, page = command[1], number(command, 2, 2)
    if protocol == INFORMATION and page == 0:
        return bytes(6) + (2).to_bytes(2) + bytes((INFORMATION, ENCRYPTION))
    if protocol != ENCRYPTION:
        raise bad_field()
    if page == IN_PAGES:
        return _page(page, b"".join(one.to_bytes(2) for one in (IN_PAGES, OUT_PAGES, CAPABILITIES, STATUS)))
    if page == OUT_PAGES:
        return _page(page, SET_PAGE.to_bytes(2))
    deck.ready()  # these fail without a cartridge
    if page == CAPABILITIES:
        return _page(page, _capabilities())
    if page == STATUS:
        return _page(page, _status(deck))
    raise bad_field()


def security_out(deck: Deck, command: bytes, data: bytes) -> bytes:
    """SECURITY PROTOCOL OUT: the page that sets the mode and the key."""
    _check_generation(deck)
    if command[1] != ENCRYPTION or number(command, 2, 2) != SET_PAGE:
        raise bad_field()
    deck.ready()
    if len(data) < _HEAD_BYTES:
        raise bad_parameter()
    encryption, decryption = data[6], data[7]
    size = int.from_bytes(data[18:20])
    key = data[_HEAD_BYTES : _HEAD_BYTES + size]
    needs_key = encryption == _ON or decryption != _OFF
    if encryption not in (_OFF, _ON) or (needs_key and (size != _KEY_BYTES or len(key) != size)):
        raise bad_parameter()
    deck.flush()
    deck.settings.key = hashlib.sha256(key).digest()[:8] if needs_key else None
    deck.settings.decrypts = decryption
    return b""


def _check_generation(deck: Deck) -> None:
    if not encrypts(deck.drive):
        raise unknown_command()


def _page(code: int, body: bytes) -> bytes:
    return code.to_bytes(2) + len(body).to_bytes(2) + body


def _capabilities() -> bytes:
    """One algorithm: AES-256-GCM in hardware, keys of 32 bytes, names of keys of up to 60 bytes."""
    descriptor = bytes((1, 0, 0, 20, 0x8A, 0x60)) + (32).to_bytes(2) + (60).to_bytes(2) + _KEY_BYTES.to_bytes(2)
    return bytes(16) + descriptor + bytes(8) + AES_256_GCM.to_bytes(4)


def _status(deck: Deck) -> bytes:
    settings = deck.settings
    mode = _ON if settings.key and settings.decrypts else _OFF
    return bytes((0x42, mode, settings.decrypts, 1)) + bytes(16)
