"""The site's own secret: under it, what is remembered of a file's content tells nobody else what the content is."""

import hashlib
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from formats.errors import Damaged
from tapekit.journal import make_private

SECRET_BYTES = 32
DIGEST_BYTES = 16
ZERO = bytes(DIGEST_BYTES)
"""Stands for a block of zeros alone."""
_NONCE_BYTES = 12
SEALED_BYTES = _NONCE_BYTES + 16
"""That sealing adds."""
_NO_NONCE = bytes(_NONCE_BYTES)


class SiteSecret:
    """Digests of blocks, and the sealing of what is kept of them."""

    def __init__(self, secret: bytes) -> None:
        """Two keys, one for each use."""
        self._digest = AESGCM(hashlib.blake2b(secret, digest_size=16, person=b"tapekit digests").digest())
        self._seal = AESGCM(hashlib.blake2b(secret, digest_size=32, person=b"tapekit sealing").digest())

    def digest(self, block: "bytes | memoryview") -> bytes:
        """16 bytes that say whether two blocks are the same: GMAC, under a key that no block was chosen with.

        With one nonce for all blocks it is a universal hash, not a signature: it is never stored but sealed.
        """
        return self._digest.encrypt(_NO_NONCE, b"", block)

    def seal(self, plain: bytes, what: bytes) -> bytes:
        """Encrypt and authenticate; `what` says which piece of what it is."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._seal.encrypt(nonce, plain, what)

    def open(self, sealed: bytes, what: bytes) -> bytes:
        """Raises Damaged where these are not the bytes that were sealed as that."""
        try:
            return self._seal.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], what)
        except (InvalidTag, ValueError) as error:
            raise Damaged("what is remembered of an earlier night: damaged, or of another one") from error


def site_secret(folder: Path) -> SiteSecret:
    """The site's secret; made where there is none. Raises OSError."""
    path = folder / "secret"
    try:
        secret = path.read_bytes()
    except FileNotFoundError:
        secret = b""
    if len(secret) != SECRET_BYTES:
        make_private(folder)
        secret, new = os.urandom(SECRET_BYTES), path.with_suffix(".new")
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(fd, secret)
            os.fsync(fd)
        finally:
            os.close(fd)
        new.replace(path)
    return SiteSecret(secret)
