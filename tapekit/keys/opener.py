"""Opening: from a segment's header and what a person has in the hand to the segment's keys (SPEC.md section 9)."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Protocol

from formats.keyslot import KeySlot
from formats.segment import SegmentHeader
from tapekit.errors import KeyNeeded, KeyRefused
from tapekit.keys.ring import OPEN_DATA
from tapekit.keys.segment import CIPHER, Place, SegmentKeys, check_commitment
from tapekit.keys.slot import Key

MOST_NAMED = 5
"""Whose keys open an archive is told in one line; `tapekit inspect` names all."""
HINT = "give one of them with --key FILE (or TAPEKIT_KEY_FILE), --key paper, or --key passphrase"


class Opener(Protocol):
    """Opens encrypted segments."""

    def open(self, header: SegmentHeader, document: bytes) -> SegmentKeys:
        """The keys of a segment, the commitment checked; `document` is the header as it was read.

        Raises KeyNeeded where nothing at hand is meant for it, KeyRefused where a key that is does not open it,
        VerificationFailed where the header was changed.
        """


class NoKey:
    """Nothing in the hand."""

    def open(self, header: SegmentHeader, document: bytes) -> SegmentKeys:  # noqa: ARG002 - the protocol's shape
        """See Opener."""
        raise KeyNeeded(f"archive {header.archive[:8]}: encrypted for {_whom(header)}: no key was given", HINT)


NO_KEY = NoKey()


@dataclasses.dataclass(frozen=True)
class Known:
    """Keys of an archive that are still in memory, because it was written just now."""

    archive: str
    keys: Mapping[int, SegmentKeys]
    """By segment."""

    def open(self, header: SegmentHeader, document: bytes) -> SegmentKeys:
        """See Opener."""
        if header.archive != self.archive or header.segment not in self.keys:
            return NO_KEY.open(header, document)
        keys = self.keys[header.segment]
        check_commitment(header, document, keys)
        return keys

    def wipe(self) -> None:
        """Overwrite them."""
        for keys in self.keys.values():
            keys.wipe()


class Asked:
    """A key that a person is asked for when the first encrypted segment is met, and not before."""

    def __init__(self, take: Callable[[], Opener]) -> None:
        """Nothing is asked yet."""
        self._take = take
        self._taken: Opener | None = None

    def open(self, header: SegmentHeader, document: bytes) -> SegmentKeys:
        """See Opener. Raises what `take` raises too."""
        self._taken = self._taken or self._take()
        return self._taken.open(header, document)


@dataclasses.dataclass(frozen=True)
class InHand:
    """A key in the hand."""

    key: Key

    def open(self, header: SegmentHeader, document: bytes) -> SegmentKeys:
        """See Opener."""
        what = f"archive {header.archive[:8]}"
        if header.cipher != CIPHER:
            raise KeyRefused(f"{what}: encrypted in a way that this program does not know", "use a newer tapekit")
        known = [slot for slot in header.slots if slot.is_known]
        if not known:
            raise KeyRefused(f"{what}: its key slots are of kinds that this program does not know", "a newer tapekit")
        meant = [slot for slot in known if self.key.fits(slot)]
        if not meant:
            raise KeyNeeded(f"{what}: encrypted for {_whom(header)}, not for {self.key.named}", HINT)
        for slot in meant:
            keys = _unwrap(self.key, slot, Place.of(header))
            if keys is not None:
                check_commitment(header, document, keys)
                return keys
        raise KeyRefused(f"{what}: {self.key.named} does not open it: wrong, or its key slot was changed")


def _unwrap(key: Key, slot: KeySlot, place: Place) -> SegmentKeys | None:
    packed = key.unwrap(slot, place)
    keys = None if packed is None else SegmentKeys.unpack(packed)
    return keys if keys is not None and (keys.data is not None) == (slot.role in OPEN_DATA) else None


def _whom(header: SegmentHeader) -> str:
    names = [slot.holder for slot in header.slots if slot.is_known]
    unknown = len(header.slots) - len(names)
    if len(names) > MOST_NAMED:
        names = [*names[:MOST_NAMED], f"{len(names) - MOST_NAMED} more"]
    if unknown:
        names.append(f"{unknown} in ways that this program does not know")
    return ", ".join(names) or "nobody"
