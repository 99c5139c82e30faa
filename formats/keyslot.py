"""Key slots, commitment and signature: the documents' parts that hold keys (SPEC.md section 9)."""

import dataclasses

MOST_SLOTS = 32
PASSPHRASE = "passphrase"  # noqa: S105 - a kind of slot, no password
RECIPIENT = "hpke"


@dataclasses.dataclass(frozen=True)
class KeySlot:
    """One way to open a segment's keys. Byte strings are base64; which keys are there depends on `kind`."""

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
