"""A private key in a file, under a passphrase (SPEC.md section 18.1)."""

import dataclasses
import hashlib
import json

from formats import document
from formats.errors import Damaged
from formats.publickey import ROLES, check_name

KEY_FILE_VERSION = 1
KIND = "tapekit private key"
SECRET_BYTES = 32
SALT_BYTES = 16
LEAST_LOG2_N, MOST_LOG2_N = 15, 20
_CONTEXT = b"tapekit key file 1\0"


@dataclasses.dataclass(frozen=True)
class KeyFile:
    """What a key file says. Byte strings are base64; `sha256` covers the rest of the document."""

    kind: str
    format: int
    role: str
    name: str
    created: str
    public: str
    salt: str
    log2_n: int
    r: int
    p: int
    wrapped: str
    sha256: str = ""


def build(file: KeyFile) -> bytes:
    """The file, in lines that a person can read; its checksum is made here."""
    value = dataclasses.asdict(file)
    value["sha256"] = _checksum(value)
    return json.dumps(value, indent=1, ensure_ascii=False).encode("utf-8") + b"\n"


def parse(data: bytes) -> KeyFile:
    """Raises NewerFormat for a later version, Damaged for anything else that is no whole key file."""
    file = document.parse("key file", KeyFile, data, newest_format=KEY_FILE_VERSION)
    if file.kind != KIND:
        raise Damaged(f"key file: expected {KIND!r}, got {file.kind[:40]!r}")
    if file.sha256 != hashlib.sha256(document.without("key file", data, "sha256")).hexdigest():
        raise Damaged("key file: its checksum does not match: it was changed, or is not whole")
    if file.role not in ROLES:
        raise Damaged(f"key file: no such role: {file.role[:40]!r}")
    check_name(file.name)
    document.check_time("key file: created", file.created)
    if not LEAST_LOG2_N <= file.log2_n <= MOST_LOG2_N or (file.r, file.p) != (8, 1):
        raise Damaged("key file: parameters of scrypt out of range")
    return file


def associated(file: KeyFile) -> bytes:
    """What the encryption of the secret covers beside it: role, name and all the rest, so that none can be changed."""
    value = dataclasses.asdict(file)
    del value["wrapped"], value["sha256"]
    return _CONTEXT + document.canonical(value)


def _checksum(value: dict[str, object]) -> str:
    return hashlib.sha256(document.canonical({k: v for k, v in value.items() if k != "sha256"})).hexdigest()
