"""A public key as one line of text: for mails and for a directory of keys (SPEC.md section 18.3).

    tapekit-key-1 ROLE KEY CHECK NAME

KEY is base64 of the public key's bytes. CHECK is the first 8 hexadecimal digits of SHA-256 over the line without it.
"""

import base64
import binascii
import dataclasses
import hashlib

from formats.errors import Damaged, NewerFormat

MAGIC = "tapekit-key-1"
ROLES = ("owner", "recovery", "technician")
SITE = "site"
"""Stands in place of a role where the key signs for a site."""
KEY_BYTES = {**dict.fromkeys(ROLES, 1216), SITE: 32}
"""ML-KEM-768 (1184) and X25519 (32); Ed25519."""
LONGEST_LINE = 4096
LONGEST_NAME = 64
ID_BYTES = 16


@dataclasses.dataclass(frozen=True)
class PublicKeyLine:
    """What a line says. `role` is one of ROLES, or SITE."""

    role: str
    key: bytes
    name: str

    @property
    def key_id(self) -> bytes:
        """What a key slot names its recipient by (SPEC.md section 9.2)."""
        return hashlib.sha256(self.key).digest()[:ID_BYTES]

    @property
    def fingerprint(self) -> str:
        """The id in groups that a person can compare."""
        return in_groups(self.key_id.hex())


def in_groups(text: str, letters: int = 4) -> str:
    """A long word in groups of so many letters."""
    return " ".join(text[at : at + letters] for at in range(0, len(text), letters))


def check_name(name: str) -> None:
    """Raises Damaged unless `name` can stand at the end of a line."""
    if not name or len(name) > LONGEST_NAME or not name.isprintable() or name != " ".join(name.split()):
        raise Damaged(f"key: name: expected 1 to {LONGEST_NAME} printable characters, got {name[:80]!r}")


def build(line: PublicKeyLine) -> str:
    """The line, without a line feed. Raises Damaged for a name or a key that cannot stand in one."""
    check_name(line.name)
    if KEY_BYTES.get(line.role) != len(line.key):
        raise Damaged(f"key: {len(line.key)} bytes for {line.role}")
    head = f"{MAGIC} {line.role} {base64.b64encode(line.key).decode()}"
    return f"{head} {_check(head, line.name)} {line.name}"


def parse(text: str) -> PublicKeyLine:
    """The key in a file's text: its one line that is neither empty nor begins with #.

    Raises NewerFormat for a line of a later version, Damaged for anything else that is no such line.
    """
    lines = [line for line in map(str.strip, text.splitlines()) if line and not line.startswith("#")]
    if len(lines) != 1 or len(lines[0]) > LONGEST_LINE:
        raise Damaged("key: expected one line of a public key")
    magic, *parts = lines[0].split(maxsplit=4)
    if magic != MAGIC and magic.startswith(MAGIC.rstrip("1")):
        raise NewerFormat("key: of a newer version of tapekit")
    if magic != MAGIC or len(parts) != 4:  # noqa: PLR2004 - role, key, check, name
        raise Damaged("key: not a public key of tapekit")
    role, encoded, check, name = parts
    if role not in KEY_BYTES:
        raise Damaged(f"key: no such role: {role[:40]!r}")
    if check != _check(f"{magic} {role} {encoded}", name):
        raise Damaged("key: its checksum does not match: a character of the line was changed or is missing")
    try:
        line = PublicKeyLine(role, base64.b64decode(encoded, validate=True), name)
    except (binascii.Error, ValueError) as error:
        raise Damaged("key: not base64") from error
    if build(line) != lines[0]:
        raise Damaged("key: not as tapekit writes it")
    return line


def _check(head: str, name: str) -> str:
    return hashlib.sha256(f"{head} {name}".encode("utf-8", "replace")).hexdigest()[:8]
