"""A key pair of a person: 32 secret bytes, from which both halves follow."""

import dataclasses
import hashlib
import os

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from formats.keyfile import SECRET_BYTES
from formats.publickey import PublicKeyLine
from tapekit.keys.secret import Secret

_MLKEM_SEED_BYTES = 64


@dataclasses.dataclass(frozen=True)
class Pair:
    """Whose it is, and the secret of it."""

    role: str
    name: str
    secret: Secret

    @classmethod
    def new(cls, role: str, name: str) -> "Pair":
        """A pair by chance."""
        return cls(role, name, Secret(os.urandom(SECRET_BYTES)))

    def halves(self) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
        """The two private keys that the secret stands for (SPEC.md section 18)."""
        with Secret(hashlib.shake_256(self.secret.content).digest(_MLKEM_SEED_BYTES + 32)) as seeds:
            content = bytes(seeds.content)
        return (
            MLKEM768PrivateKey.from_seed_bytes(content[:_MLKEM_SEED_BYTES]),
            X25519PrivateKey.from_private_bytes(content[_MLKEM_SEED_BYTES:]),
        )

    @property
    def public(self) -> bytes:
        """The public half."""
        mlkem, x25519 = self.halves()
        return mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()

    @property
    def public_line(self) -> PublicKeyLine:
        """The public half with whose it is."""
        return PublicKeyLine(self.role, self.public, self.name)
