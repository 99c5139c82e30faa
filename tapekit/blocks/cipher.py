"""Encryption of blocks: AES-256-GCM under the key of their kind (formats/SPEC.md section 9.1)."""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from formats import block
from formats.block import AUTHENTICATED_BYTES, Kind
from formats.errors import Damaged
from tapekit.errors import KeyNeeded
from tapekit.keys.segment import SegmentKeys

NAMES_ONLY = "this key opens the list of files only, not their content"
NAMES_ONLY_HINT = "an owner's key, or one for recovery, opens it"
ENCRYPTED_KINDS = frozenset((Kind.DATA, Kind.CATALOG))


class BlockCipher:
    """Encrypts and decrypts the blocks of one segment.

    The nonce is made from the header that is the associated data too: a block opens as what it is, where it is.
    """

    def __init__(self, keys: SegmentKeys) -> None:
        """With a catalog key alone, data stays closed."""
        self.keys = keys
        self._catalog = AESGCM(keys.catalog.content)
        self._data = AESGCM(keys.data.content) if keys.data is not None else None

    @property
    def opens_data(self) -> bool:
        """Whether content can be had, or names alone."""
        return self._data is not None

    def encrypt_into(self, head: bytes, plain: "bytes | memoryview", target: memoryview) -> None:
        """Ciphertext and tag of a payload; `target` lies elsewhere and has just that room."""
        self._of(head[8]).encrypt_into(_nonce(head), plain, head, target)

    def decrypt(self, data: bytes) -> bytes:
        """The payload of a block, its tag checked. Raises Damaged, and KeyNeeded where the catalog's key is all."""
        head = data[:AUTHENTICATED_BYTES]
        try:
            return self._of(head[8]).decrypt(_nonce(head), block.payload(data), head)
        except (InvalidTag, ValueError) as error:
            raise Damaged("block: cannot be decrypted: it was changed") from error

    def _of(self, kind: int) -> AESGCM:
        if kind == Kind.CATALOG:
            return self._catalog
        if self._data is None:
            raise KeyNeeded(NAMES_ONLY, NAMES_ONLY_HINT)
        return self._data


def _nonce(head: bytes) -> bytes:
    """Segment and sequence, as they stand in the header."""
    return head[32:36] + head[40:48]
