"""Encryption by a virtual drive, as far as tapekit has to live with it (SPC-4, section 6.40; SSC-4, section 8.5).

tapekit encrypts itself. But a cartridge may come from a program that has the drive do it.
"""

import hashlib

from drivers.virtual.check import bad_field, bad_parameter, number
from drivers.virtual.tape.deck import Deck
from drivers.virtual.tape.recording import encrypts

_PROTOCOL = 0x20
_CAPABILITIES, _STATUS, _SET = 0x0010, 0x0020, 0x0010
_AES_256_GCM = 0x00010014
_KEY_AT = 20


def receive(deck: Deck, command: bytes, _: bytes) -> bytes:
    """SECURITY PROTOCOL IN."""
    protocol, page = command[1], number(command, 2, 2)
    if protocol == 0:
        return bytes(6) + (2 if encrypts(deck.drive) else 1).to_bytes(2) + bytes((0, _PROTOCOL))
    if protocol != _PROTOCOL or not encrypts(deck.drive):
        raise bad_field()
    deck.ready()
    if page == _CAPABILITIES:
        descriptor = bytes((1, 0)) + (20).to_bytes(2) + bytes(2) + (32).to_bytes(2) + bytes(8)
        return page.to_bytes(2) + (40).to_bytes(2) + bytes(16) + descriptor + _AES_256_GCM.to_bytes(4) + bytes(4)
    if page == _STATUS:
        mode = 2 if deck.settings.key else 0
        return page.to_bytes(2) + (20).to_bytes(2) + bytes((0x22, mode, deck.settings.decrypts, 1)) + bytes(16)
    raise bad_field()


def send(deck: Deck, command: bytes, data: bytes) -> bytes:
    """SECURITY PROTOCOL OUT: set the key, or none."""
    if command[1] != _PROTOCOL or number(command, 2, 2) != _SET or not encrypts(deck.drive):
        raise bad_field()
    if len(data) < _KEY_AT:
        raise bad_parameter()
    size = int.from_bytes(data[18:20])
    key = data[_KEY_AT : _KEY_AT + size]
    if data[6] and len(key) != 32:  # noqa: PLR2004 - AES-256
        raise bad_parameter()
    deck.settings.key = hashlib.sha256(key).digest() if data[6] else None
    deck.settings.decrypts = data[7]
    return b""
