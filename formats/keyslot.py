"""Key slots, commitment and signature: the documents' parts that hold keys (SPEC.md section 9)."""

import dataclasses
from typing import Any

MOST_SLOTS = 32
LONGEST_SHOWN = 64
PASSPHRASE = "passphrase"  # noqa: S105 - a kind of slot, no password
RECIPIENT = "hpke"
KINDS = frozenset((PASSPHRASE, RECIPIENT))


@dataclasses.dataclass(frozen=True)
class KeySlot:
    """One way to open a segment's keys. Byte strings are base64; which keys are there depends on `kind`.

    Of a slot whose kind this program does not know, `kind` alone is kept.
    """

    kind: str
    role: str
    name: str
    wrapped: str
    salt: str | None = None
    log2_n: int | None = None
    r: int | None = None
    p: int | None = None
    key: str | None = None
    enc: str | None = None
    sha256: str | None = None

    @property
    def is_known(self) -> bool:
        """Whether this program knows what to do with the slot; others are skipped."""
        return self.kind in KINDS

    @property
    def holder(self) -> str:
        """Who opens it, as a terminal may show it: the name is whatever somebody wrote."""
        name, role = (
            "".join(letter if letter.isprintable() else "?" for letter in text[:LONGEST_SHOWN])
            for text in (self.name, self.role)
        )
        return f"{name} ({role})"

    @staticmethod
    def known_part(value: dict[str, Any]) -> dict[str, Any]:
        """What of a slot's object is read: all where its kind is known, or else the kind."""
        kind = value.get("kind")
        if not isinstance(kind, str) or kind in KINDS:
            return value
        return {"kind": kind, "role": "", "name": "", "wrapped": ""}


@dataclasses.dataclass(frozen=True)
class Commitment:
    """MACs that bind a header document to its data key and its catalog key, base64."""

    data: str
    catalog: str


@dataclasses.dataclass(frozen=True)
class Signature:
    """Who wrote a trailer: `kind` is `ed25519`, key and value base64."""

    kind: str
    key: str
    value: str
