"""Sealing: whom a segment is encrypted for (formats/SPEC.md sections 9.1 to 9.4)."""

import dataclasses
import hashlib
import os
from collections.abc import Sequence

from formats.keyslot import MOST_SLOTS, KeySlot
from formats.label import Label
from formats.publickey import PublicKeyLine
from formats.segment import SegmentHeader
from tapekit.errors import KeyRefused, UsageError
from tapekit.keys import slot
from tapekit.keys.ring import OPEN_DATA
from tapekit.keys.secret import Secret
from tapekit.keys.segment import CIPHER, Place, SegmentKeys, commit
from tapekit.keys.slot import Key

TOKEN_BYTES = 64


@dataclasses.dataclass(frozen=True)
class Recipients:
    """Whom to encrypt for: public keys, and a passphrase for people without key files. Nobody: not encrypted."""

    keys: tuple[PublicKeyLine, ...] = ()
    passphrase: Secret | None = None

    def __bool__(self) -> bool:
        return bool(self.keys) or self.passphrase is not None

    @property
    def names(self) -> tuple[str, ...]:
        """Who will open it, for people."""
        return tuple(f"{key.name} ({key.role})" for key in self.keys) + ("the passphrase",) * bool(self.passphrase)

    def check(self) -> None:
        """Raises KeyRefused, UsageError where what is written would not open again, or for too many."""
        if self.keys and self.passphrase is None and not any(key.role in OPEN_DATA for key in self.keys):
            raise KeyRefused("keys: technicians' keys alone: nobody would get the data back", "add the key of an owner")
        if len(self.keys) + (self.passphrase is not None) > MOST_SLOTS:
            raise UsageError(f"keys: {len(self.keys)}, limit {MOST_SLOTS}")


NOBODY = Recipients()


def seal_header(header: SegmentHeader, recipients: Recipients, keys: SegmentKeys) -> SegmentHeader:
    """The header with cipher, slots and commitment. Raises what `Recipients.check` raises."""
    recipients.check()
    place = Place.of(header)
    names_only = SegmentKeys(None, keys.catalog)
    slots = [
        slot.for_recipient((keys if key.role in OPEN_DATA else names_only).packed(), key, place)
        for key in recipients.keys
    ]
    if recipients.passphrase is not None:
        slots.append(slot.for_passphrase(keys.packed(), recipients.passphrase, "owner", "passphrase", place))
    sealed = dataclasses.replace(header, cipher=CIPHER, slots=tuple(slots), commitment=None)
    return dataclasses.replace(sealed, commitment=commit(sealed, keys))


def canary(cartridge: str, recipients: Sequence[PublicKeyLine]) -> tuple[KeySlot, ...]:
    """Slots for a label, each of which proves to the holder of a key that it opens this cartridge."""
    token = os.urandom(TOKEN_BYTES)
    digest, place = hashlib.sha256(token).hexdigest(), Place(bytes.fromhex(cartridge), 0)
    return tuple(
        dataclasses.replace(slot.for_recipient(token, key, place), sha256=digest)
        for key in recipients
        if key.role in OPEN_DATA
    )


def sings(label: Label, key: Key) -> bool:
    """Whether a key opens the canary of a cartridge: then it opens what is written for it there. Raises KeyRefused."""
    place = Place(bytes.fromhex(label.cartridge), 0)
    for found in label.canary:
        if found.is_known and key.fits(found):
            token = key.unwrap(found, place)
            if token is not None and hashlib.sha256(token).hexdigest() == found.sha256:
                return True
    return False
