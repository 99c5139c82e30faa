"""The keys of one archive segment, and what binds its header to them (formats/SPEC.md sections 9.1 and 9.3)."""

import base64
import dataclasses
import hmac
import os

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from formats import segment
from formats.keyslot import Commitment
from formats.segment import SegmentHeader
from tapekit.errors import VerificationFailed
from tapekit.keys.secret import Secret

CIPHER = "AES-256-GCM"
KEY_BYTES = 32
_HEADER_INFO = b"tapekit header 1"


@dataclasses.dataclass(frozen=True)
class Place:
    """What keys are for, and for nothing else: a segment of an archive (of a label: the cartridge, 0)."""

    archive: bytes
    segment: int

    @classmethod
    def of(cls, header: SegmentHeader) -> "Place":
        """The place of a header's segment."""
        return cls(bytes.fromhex(header.archive), header.segment)

    @property
    def encoded(self) -> bytes:
        """As it stands in contexts and salts."""
        return self.archive + self.segment.to_bytes(4, "big")


@dataclasses.dataclass(frozen=True)
class SegmentKeys:
    """Data key and catalog key; whoever may see names alone has no data key."""

    data: Secret | None
    catalog: Secret

    @classmethod
    def new(cls) -> "SegmentKeys":
        """Keys by chance: for one segment, never for a second one, also not after a crash."""
        return cls(Secret(os.urandom(KEY_BYTES)), Secret(os.urandom(KEY_BYTES)))

    @classmethod
    def unpack(cls, packed: bytes) -> "SegmentKeys | None":
        """Keys as a slot wraps them: both, or the catalog key alone. None where these are no keys."""
        if len(packed) == KEY_BYTES:
            return cls(None, Secret(packed))
        if len(packed) == 2 * KEY_BYTES:
            return cls(Secret(packed[:KEY_BYTES]), Secret(packed[KEY_BYTES:]))
        return None

    def packed(self) -> bytes:
        """As a slot wraps them."""
        data = bytes(self.data.content) if self.data else b""
        return data + bytes(self.catalog.content)

    def wipe(self) -> None:
        """Overwrite them."""
        if self.data is not None:
            self.data.wipe()
        self.catalog.wipe()


def commit(header: SegmentHeader, keys: SegmentKeys) -> Commitment:
    """The commitment of a header, which has none yet, to its keys."""
    assert keys.data is not None  # noqa: S101 - who writes has both
    covered = segment.committed(segment.build_header(header))
    data, catalog = (_mac(covered, Place.of(header), key) for key in (keys.data, keys.catalog))
    return Commitment(base64.b64encode(data).decode(), base64.b64encode(catalog).decode())


def check_commitment(header: SegmentHeader, document: bytes, keys: SegmentKeys) -> None:
    """Raises VerificationFailed unless header and slots are those that were written with these keys.

    `document` is the header as it was read: what this program does not know of it is covered too.
    """
    covered = segment.committed(document)
    known = [(keys.catalog, header.commitment.catalog if header.commitment else "")]
    if keys.data is not None:
        known.append((keys.data, header.commitment.data if header.commitment else ""))
    for key, committed in known:
        mac = base64.b64encode(_mac(covered, Place.of(header), key))
        if not hmac.compare_digest(mac, committed.encode("utf-8", "replace")):
            raise VerificationFailed(
                f"archive {header.archive[:8]}: its header is not the one that its keys were made with: "
                "it was changed; nothing was decrypted"
            )


def _mac(covered: bytes, place: Place, key: Secret) -> bytes:
    derived = HKDF(hashes.SHA256(), KEY_BYTES, salt=place.encoded, info=_HEADER_INFO).derive(bytes(key.content))
    return hmac.digest(derived, covered, "sha256")
