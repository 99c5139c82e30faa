"""Key slots: a secret wrapped for whoever may open it (formats/SPEC.md section 9.2)."""

import base64
import binascii
import os
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from formats.keyslot import PASSPHRASE, RECIPIENT, KeySlot
from formats.publickey import PublicKeyLine
from tapekit.errors import KeyRefused
from tapekit.keys.pair import Pair
from tapekit.keys.secret import Secret
from tapekit.keys.segment import Place

SUITE = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
ENCAPSULATED_BYTES = KEM.MLKEM768_X25519.enc_length()
LOG2_N = 17
"""128 MiB and half a second of a small server for each guess (RFC 7914 section 2: 128 · r · N bytes)."""
LEAST_LOG2_N, MOST_LOG2_N = 15, 20
BLOCK_SIZE, PARALLEL = 8, 1
SALT_BYTES = 16
_MLKEM_PUBLIC_BYTES = 1184
_NONCE = bytes(12)
"""The salt makes the wrapping key unique, so the nonce need not be."""
_CONTEXT = b"tapekit slot 1\0"


class Key(Protocol):
    """What a person has in the hand: a private key, or a passphrase."""

    @property
    def named(self) -> str:
        """What messages call it."""

    def fits(self, slot: KeySlot) -> bool:
        """Whether the slot may be meant for it."""

    def unwrap(self, slot: KeySlot, place: Place) -> bytes | None:
        """What the slot wraps; None where it does not open. Raises KeyRefused for a slot that is none."""


def context(place: Place, role: str) -> bytes:
    """What wraps a slot binds it to: it opens nowhere else, and for no other role."""
    return _CONTEXT + place.encoded + role.encode("utf-8", "surrogateescape")


def for_recipient(wrapped: bytes, recipient: PublicKeyLine, place: Place) -> KeySlot:
    """A slot that the recipient's private key opens."""
    key = MLKEM768X25519PublicKey(
        MLKEM768PublicKey.from_public_bytes(recipient.key[:_MLKEM_PUBLIC_BYTES]),
        X25519PublicKey.from_public_bytes(recipient.key[_MLKEM_PUBLIC_BYTES:]),
    )
    sealed = SUITE.encrypt(wrapped, key, context(place, recipient.role))
    return KeySlot(
        kind=RECIPIENT, role=recipient.role, name=recipient.name, wrapped=_text(sealed[ENCAPSULATED_BYTES:]),
        key=_text(recipient.key_id), enc=_text(sealed[:ENCAPSULATED_BYTES]),
    )  # fmt: skip


def for_passphrase(wrapped: bytes, passphrase: Secret, role: str, name: str, place: Place) -> KeySlot:
    """A slot that a passphrase opens."""
    salt = os.urandom(SALT_BYTES)
    key = _scrypt(passphrase, salt, LOG2_N)
    sealed = AESGCM(key).encrypt(_NONCE, wrapped, context(place, role))
    return KeySlot(
        kind=PASSPHRASE, role=role, name=name, wrapped=_text(sealed), salt=_text(salt), log2_n=LOG2_N, r=BLOCK_SIZE,
        p=PARALLEL,
    )  # fmt: skip


class PrivateKey:
    """A private key in the hand."""

    def __init__(self, pair: Pair) -> None:
        """Take it; its secret stays the caller's to wipe."""
        mlkem, x25519 = pair.halves()
        self._private = MLKEM768X25519PrivateKey(mlkem, x25519)
        line = pair.public_line
        self._id = line.key_id
        self.named = f"the {line.role} key of {line.name}"

    def fits(self, slot: KeySlot) -> bool:
        """See Key."""
        return slot.kind == RECIPIENT and _bytes("key", slot.key) == self._id

    def unwrap(self, slot: KeySlot, place: Place) -> bytes | None:
        """See Key."""
        sealed = _bytes("enc", slot.enc) + _bytes("wrapped", slot.wrapped)
        try:
            return SUITE.decrypt(sealed, self._private, context(place, slot.role))
        except (InvalidTag, ValueError):
            return None


class Passphrase:
    """A passphrase in the hand."""

    named = "the passphrase"

    def __init__(self, passphrase: Secret) -> None:
        """Take it; it stays the caller's to wipe."""
        self._passphrase = passphrase

    def fits(self, slot: KeySlot) -> bool:
        """See Key."""
        return slot.kind == PASSPHRASE

    def unwrap(self, slot: KeySlot, place: Place) -> bytes | None:
        """See Key."""
        salt, sealed = _bytes("salt", slot.salt), _bytes("wrapped", slot.wrapped)
        log2_n = slot.log2_n or 0
        if not LEAST_LOG2_N <= log2_n <= MOST_LOG2_N or (slot.r, slot.p) != (BLOCK_SIZE, PARALLEL):
            raise KeyRefused("key slot: parameters of scrypt out of range")
        if len(salt) != SALT_BYTES:
            raise KeyRefused(f"key slot: a salt of {len(salt)} bytes, expected {SALT_BYTES}")
        try:
            return AESGCM(_scrypt(self._passphrase, salt, log2_n)).decrypt(_NONCE, sealed, context(place, slot.role))
        except (InvalidTag, ValueError):
            return None


def _scrypt(passphrase: Secret, salt: bytes, log2_n: int) -> bytes:
    scrypt = Scrypt(salt=salt, length=32, n=1 << log2_n, r=BLOCK_SIZE, p=PARALLEL)
    return scrypt.derive(bytes(passphrase.content))


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(what: str, text: str | None) -> bytes:
    try:
        return base64.b64decode(text or "", validate=True)
    except (binascii.Error, ValueError) as error:
        raise KeyRefused(f"key slot: {what}: not base64") from error
