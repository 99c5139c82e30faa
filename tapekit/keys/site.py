"""The site's own key: it signs what this site writes (SPEC.md section 9.5). Its private half stays in the state.

It has no passphrase, because the night has nobody to type one: it says where a cartridge comes from, and opens none.
"""

import dataclasses
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from formats.publickey import SITE, PublicKeyLine
from tapekit.errors import KeyRefused
from tapekit.journal import make_private
from tapekit.keys.secret import Secret, read_private, write_private

FILE_NAME = "site.key"
WHAT = "site key"
_MAGIC = "tapekit-site-key-1"


@dataclasses.dataclass(frozen=True)
class SiteKey:
    """What signs for this site."""

    private: Ed25519PrivateKey = dataclasses.field(repr=False)

    @property
    def public(self) -> bytes:
        """The public half."""
        return self.private.public_key().public_bytes_raw()

    def line(self, name: str) -> PublicKeyLine:
        """The public half as other sites know it."""
        return PublicKeyLine(SITE, self.public, name)

    def sign(self, message: bytes) -> bytes:
        """An Ed25519 signature."""
        return self.private.sign(message)


def is_signed(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether a signature is of that key over that message."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def site_key(state: Path) -> SiteKey:
    """The site's key; made where there is none yet. Raises KeyRefused where it cannot be read or made."""
    path = state / FILE_NAME
    if not path.exists():
        try:
            make_private(state)
        except OSError as error:
            raise KeyRefused(f"{WHAT}: {state}: {(error.strerror or '').lower()}") from error
        made = Ed25519PrivateKey.generate()
        write_private(path, f"{_MAGIC} {made.private_bytes_raw().hex()}\n".encode(), WHAT)
        return SiteKey(made)
    with Secret(read_private(path, WHAT)) as content:
        magic, _, seed = bytes(content.content).strip().partition(b" ")
        try:
            private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed.decode("ascii")))
        except ValueError:
            raise KeyRefused(
                f"{WHAT}: {path}: damaged", "take it back from a backup, or remove it: a new one is made"
            ) from None
    if magic.decode("ascii", "replace") != _MAGIC:
        raise KeyRefused(f"{WHAT}: {path}: not a site key, or of a newer version of tapekit")
    return SiteKey(private)
