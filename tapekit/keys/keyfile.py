"""Key files: a private key under a passphrase (SPEC.md section 18.1)."""

import base64
import binascii
import hashlib
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from formats import keyfile
from formats.errors import Damaged, NewerFormat
from formats.keyfile import KeyFile
from tapekit.errors import KeyRefused, UsageError
from tapekit.keys.pair import Pair
from tapekit.keys.secret import Secret, read_private, write_private
from tapekit.units import now_text

LOG2_N = 17
"""128 MiB and half a second of a small server for each guess (RFC 7914 section 2: 128 · r · N bytes)."""
SHORTEST_PASSPHRASE = 12
WHAT = "key file"


def seal(pair: Pair, passphrase: Secret, log2_n: int = LOG2_N) -> bytes:
    """The content of a key file. Raises UsageError for a passphrase that is easily guessed."""
    if len(passphrase.content.decode("utf-8", "replace")) < SHORTEST_PASSPHRASE:
        raise UsageError(
            f"passphrase: shorter than {SHORTEST_PASSPHRASE} characters", "four words by chance are easier to remember"
        )
    salt = os.urandom(keyfile.SALT_BYTES)
    file = KeyFile(
        kind=keyfile.KIND, format=keyfile.KEY_FILE_VERSION, role=pair.role, name=pair.name, created=now_text(),
        public=_text(pair.public), salt=_text(salt), log2_n=log2_n, r=8, p=1, wrapped="",
    )  # fmt: skip
    # The salt makes the key unique, so the nonce need not be.
    wrapped = AESGCM(_derived(file, passphrase)).encrypt(
        bytes(12), bytes(pair.secret.content), keyfile.associated(file)
    )
    return keyfile.build(KeyFile(**{**vars(file), "wrapped": _text(wrapped)}))


def write(path: Path, pair: Pair, passphrase: Secret) -> None:
    """A new key file. Raises KeyRefused where the file is there, or cannot be written; UsageError."""
    write_private(path, seal(pair, passphrase), WHAT)


def read(path: Path) -> KeyFile:
    """A key file, still closed. Raises KeyNeeded, KeyRefused."""
    data = read_private(path, WHAT)
    try:
        return keyfile.parse(data)
    except NewerFormat as error:
        raise KeyRefused(f"{WHAT}: {path}: of a newer version of tapekit", "use that version") from error
    except Damaged as error:
        raise KeyRefused(f"{path}: {error}", "take the paper key, or another copy of the file") from error


def unseal(file: KeyFile, passphrase: Secret) -> Pair:
    """The private key in it. Raises KeyRefused for a wrong passphrase."""
    try:
        wrapped = _bytes(file.wrapped)
        secret = AESGCM(_derived(file, passphrase)).decrypt(bytes(12), wrapped, keyfile.associated(file))
    except InvalidTag as error:
        raise KeyRefused(
            f"{WHAT} of {file.name}: the passphrase is wrong", "capital letters? the keyboard's language?"
        ) from error
    pair = Pair(file.role, file.name, Secret(secret))
    if _text(pair.public) != file.public:
        raise KeyRefused(f"{WHAT} of {file.name}: its private half does not belong to its public one")
    return pair


def fingerprint(file: KeyFile) -> str:
    """The id of its key, as `Pair.public_line` shows it."""
    return hashlib.sha256(_bytes(file.public)).hexdigest()[:32]


def _derived(file: KeyFile, passphrase: Secret) -> bytes:
    scrypt = Scrypt(salt=_bytes(file.salt), length=32, n=1 << file.log2_n, r=file.r, p=file.p)
    return scrypt.derive(bytes(passphrase.content))


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise KeyRefused(f"{WHAT}: not base64") from error
