"""What is wrapped, encrypted or signed (formats/SPEC.md section 9), from AES-GCM, HMAC, scrypt and Ed25519 alone."""

import base64
import hashlib
import hmac
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fixtures.vectors import DAMAGED, OK, WRONG_KEY, Vector
from tools.vector_sources import hpke_slots as made
from tools.vector_sources.blocks import CATALOG, DATA, ENCRYPTED, LAST, block
from tools.vector_sources.documents import HEADER, LABEL, TRAILER, canonical

_DATA_KEY, _CATALOG_KEY = bytes(range(0x40, 0x60)), bytes(range(0x60, 0x80))
_OWNER, _TECHNICIAN, _STRANGER = bytes(range(32)), bytes(range(1, 33)), bytes(32)
_ARCHIVE = bytes(range(16))
_PHRASE = "Über die Straße".encode()
_PLAIN = b"name and illness\n"


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


# --- blocks -------------------------------------------------------------------------------------------------------

_KEYS = (("data_key", _DATA_KEY.hex()), ("catalog_key", _CATALOG_KEY.hex()))


def _encrypted(kind: int = DATA, flags: int = ENCRYPTED, key: bytes = _DATA_KEY, nonce: bytes | None = None) -> bytes:
    """A block as section 9.1 has it; its associated data is the beginning of what is stored."""
    size: dict[str, Any] = {"flags": flags, "kind": kind, "plain_size": len(_PLAIN)}
    head = block(bytes(len(_PLAIN) + 16), **size)[:64]
    nonce = head[32:36] + head[40:48] if nonce is None else nonce
    return block(AESGCM(key).encrypt(nonce, _PLAIN, head), **size)


def _moved(**changes: Any) -> bytes:  # noqa: ANN401 - fields of a block
    """The payload of a good block under another header."""
    fields = {"flags": ENCRYPTED, "plain_size": len(_PLAIN)} | changes
    return block(_encrypted()[128:], **fields)


def _block(name: str, expect: str, why: str, data: bytes, *fields: tuple[str, str], given: Any = _KEYS) -> Vector:  # noqa: ANN401
    return Vector(f"encrypted-{name}", "encrypted block", expect, why, data, fields, given)


_BLOCKS: tuple[Vector, ...] = (
    _block("data", OK, "under the data key", _encrypted(), ("plain", _PLAIN.hex())),
    _block("catalog", OK, "under the catalog key", _encrypted(CATALOG, ENCRYPTED | LAST, _CATALOG_KEY),
           ("plain", _PLAIN.hex())),
    _block("catalog-names-only", OK, "all that a technician needs",
           _encrypted(CATALOG, ENCRYPTED, _CATALOG_KEY), ("plain", _PLAIN.hex()), given=_KEYS[1:]),
    _block("data-names-only", WRONG_KEY, "a technician has no data key", _encrypted(), given=_KEYS[1:]),
    _block("other-key", DAMAGED, "under another key", _encrypted(key=bytes(32))),
    _block("keys-swapped", DAMAGED, "a catalog block under the data key", _encrypted(CATALOG)),
    _block("nonce", DAMAGED, "with another nonce than its place says", _encrypted(nonce=bytes(12))),
    _block("moved-archive", DAMAGED, "moved to another archive", _moved(archive=bytes(16))),
    _block("moved-segment", DAMAGED, "moved to another segment", _moved(segment=3)),
    _block("moved-sequence", DAMAGED, "moved to another place", _moved(sequence=8)),
    _block("moved-offset", DAMAGED, "moved to another part of the stream", _moved(offset=8192)),
    _block("moved-group", DAMAGED, "moved to another parity group", _moved(group=0)),
    _block("moved-last", DAMAGED, "said to be the last of its run", _moved(flags=ENCRYPTED | LAST)),
    _block("moved-plain-size", DAMAGED, "said to hold one byte less", _moved(plain_size=len(_PLAIN) - 1)),
    _block("moved-kind", DAMAGED, "said to be of the catalog", _moved(kind=CATALOG)),
    _block("tag", DAMAGED, "a bit of the tag flipped",
           block(_encrypted()[128:-1] + bytes((_encrypted()[-1] ^ 1,)), flags=ENCRYPTED, plain_size=len(_PLAIN))),
    _block("short", DAMAGED, "shorter than a tag", block(bytes(15), flags=ENCRYPTED, plain_size=0)),
    _block("plain", DAMAGED, "not encrypted, though its archive is", block(_PLAIN)),
)  # fmt: skip


# --- headers: slots and commitment --------------------------------------------------------------------------------

_NO_SLOT: dict[str, Any] = dict.fromkeys(("salt", "log2_n", "r", "p", "key", "enc", "sha256"))
_OWNER_SLOT = _NO_SLOT | {
    "kind": "hpke", "role": "owner", "name": "Marie", "key": made.OWNER_KEY, "enc": made.OWNER_ENC,
    "wrapped": made.OWNER_WRAPPED,
}  # fmt: skip
_TECHNICIAN_SLOT = _NO_SLOT | {
    "kind": "hpke", "role": "technician", "name": "Jean", "key": made.TECHNICIAN_KEY, "enc": made.TECHNICIAN_ENC,
    "wrapped": made.TECHNICIAN_WRAPPED,
}  # fmt: skip


_NEWER_SLOT = _NO_SLOT | {"kind": "of the future", "role": "", "name": "", "wrapped": ""}


def _phrase_slot(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    salt, context = bytes(range(16)), b"tapekit slot 1\0" + _ARCHIVE + bytes(4) + b"owner"
    key = hashlib.scrypt(_PHRASE, salt=salt, n=1 << 15, r=8, p=1, maxmem=64 << 20, dklen=32)
    wrapped = AESGCM(key).encrypt(bytes(12), _DATA_KEY + _CATALOG_KEY, context)
    texts = {"salt": _text(salt), "wrapped": _text(wrapped)}
    return (
        _NO_SLOT
        | {"kind": "passphrase", "role": "owner", "name": "all", "log2_n": 15, "r": 8, "p": 1}
        | texts
        | changes
    )


def _commitment(header: dict[str, Any], data_key: bytes = _DATA_KEY) -> dict[str, str]:
    found = {}
    for name, key in (("data", data_key), ("catalog", _CATALOG_KEY)):
        extracted = hmac.digest(bytes.fromhex(header["archive"]) + header["segment"].to_bytes(4, "big"), key, "sha256")
        expanded = hmac.digest(extracted, b"tapekit header 1\x01", "sha256")
        found[name] = _text(hmac.digest(expanded, canonical(header), "sha256"))
    return found


def _header(*slots: dict[str, Any], later: dict[str, Any] | None = None, **changes: Any) -> bytes:  # noqa: ANN401
    """A sealed header; `later` is changed after its commitment was made."""
    header = HEADER | {"cipher": "AES-256-GCM", "slots": list(slots or (_OWNER_SLOT, _TECHNICIAN_SLOT))} | changes
    del header["commitment"]
    return canonical(header | {"commitment": _commitment(header)} | (later or {}))


def _seed(role: str, seed: bytes) -> tuple[tuple[str, str], ...]:
    return (("role", role), ("seed", seed.hex()))


_BOTH = (("keys.data", _DATA_KEY.hex()), ("keys.catalog", _CATALOG_KEY.hex()))


def _sealed(name: str, expect: str, why: str, data: bytes, *fields: tuple[str, str], given: Any = None) -> Vector:  # noqa: ANN401
    given = _seed("owner", _OWNER) if given is None else given
    return Vector(f"sealed-{name}", "sealed header", expect, why, data, fields, given)


def _by_phrase(name: str, expect: str, why: str, slot: dict[str, Any], phrase: bytes = _PHRASE) -> Vector:
    fields = _BOTH if expect == OK else ()
    given = (("passphrase", phrase.hex()),)
    return Vector(f"passphrase-{name}", "passphrase header", expect, why, _header(slot), fields, given)


_TAKEN = _commitment({**HEADER, "job": "another"})
_HEADERS: tuple[Vector, ...] = (
    _sealed("owner", OK, "a slot for an owner's key opens both keys", _header(), *_BOTH),
    _sealed("technician", OK, "one for a technician's opens the catalog key", _header(),
            ("keys.data", "null"), _BOTH[1], given=_seed("technician", _TECHNICIAN)),
    _sealed("stranger", WRONG_KEY, "another key", _header(), given=_seed("owner", _STRANGER)),
    _sealed("newer-slot", OK, "a slot of an unknown kind is skipped",
            _header(_NEWER_SLOT, _OWNER_SLOT), *_BOTH),
    _sealed("newer-slots", WRONG_KEY, "slots of unknown kinds alone", _header(_NEWER_SLOT)),
    _sealed("newer-cipher", WRONG_KEY, "another cipher", _header(cipher="AES-256-GCM-SIV")),
    _sealed("other-archive", WRONG_KEY, "slots moved to another archive", _header(archive=bytes(16).hex())),
    _sealed("other-segment", WRONG_KEY, "slots moved to another segment", _header(segment=1)),
    _sealed("other-role", WRONG_KEY, "an owner's slot said to be for recovery",
            _header(_OWNER_SLOT | {"role": "recovery"})),
    _sealed("wrapped-swapped", WRONG_KEY, "what another slot wraps",
            _header(_OWNER_SLOT | {"wrapped": made.TECHNICIAN_WRAPPED})),
    _sealed("enc-short", WRONG_KEY, "an encapsulation that is too short", _header(_OWNER_SLOT | {"enc": "AAAA"})),
    _sealed("wrapped-no-base64", WRONG_KEY, "no base64", _header(_OWNER_SLOT | {"wrapped": "?"})),
    _sealed("other-keys", DAMAGED, "a slot that opens to other keys: the commitment is not to them",
            _header(_OWNER_SLOT | {"enc": made.CANARY_ENC, "wrapped": made.CANARY_WRAPPED})),
    _sealed("job-changed", DAMAGED, "the header changed after its commitment", _header(later={"job": "another"})),
    _sealed("slot-added", DAMAGED, "a slot added after it",
            _header(later={"slots": [_OWNER_SLOT, _TECHNICIAN_SLOT, _phrase_slot()]})),
    _sealed("slot-removed", DAMAGED, "a slot taken away after it", _header(later={"slots": [_OWNER_SLOT]})),
    _sealed("key-added", DAMAGED, "a key that nobody knows added after it", _header(later={"zzz": 1})),
    _sealed("no-commitment", DAMAGED, "no commitment", _header(later={"commitment": None})),
    _sealed("other-commitment", DAMAGED, "the commitment of another header", _header(later={"commitment": _TAKEN})),
    _by_phrase("good", OK, "opens both keys", _phrase_slot()),
    _by_phrase("wrong", WRONG_KEY, "another passphrase", _phrase_slot(), b"wrong"),
    _by_phrase("nfd", WRONG_KEY, "not in form NFC: who asks a person sees to that", _phrase_slot(),
               "U\u0308ber die Straße".encode()),
    _by_phrase("log2-n-low", WRONG_KEY, "scrypt that is too cheap", _phrase_slot(log2_n=14)),
    _by_phrase("log2-n-high", WRONG_KEY, "scrypt that takes too much memory", _phrase_slot(log2_n=21)),
    _by_phrase("r", WRONG_KEY, "another block size of scrypt", _phrase_slot(r=9)),
    _by_phrase("p", WRONG_KEY, "another parallelism of scrypt", _phrase_slot(p=2)),
    _by_phrase("salt-short", WRONG_KEY, "a salt of 15 bytes", _phrase_slot(salt=_text(bytes(15)))),
    _by_phrase("log2-n-lies", WRONG_KEY, "another cost than it was made with", _phrase_slot(log2_n=16)),
)  # fmt: skip


# --- the canary ---------------------------------------------------------------------------------------------------


def _canary(name: str, expect: str, why: str, *, seed: bytes = _OWNER, **changes: Any) -> Vector:  # noqa: ANN401
    slot = _OWNER_SLOT | {"enc": made.CANARY_ENC, "wrapped": made.CANARY_WRAPPED}
    slot |= {"sha256": hashlib.sha256(bytes(range(64))).hexdigest()} | changes.pop("slot", {})
    data = canonical(LABEL | {"canary": [slot]} | changes)
    return Vector(f"canary-{name}", "canary", expect, why, data, given=_seed("owner", seed))


_CANARIES: tuple[Vector, ...] = (
    _canary("good", OK, "an owner's key opens the cartridge"),
    _canary("stranger", WRONG_KEY, "another key does not", seed=_STRANGER),
    _canary("other-cartridge", WRONG_KEY, "moved to another cartridge", cartridge=bytes(16).hex()),
    _canary("other-digest", WRONG_KEY, "what it wraps is not what it says", slot={"sha256": bytes(32).hex()}),
    _canary("none", WRONG_KEY, "a label without one", canary=[]),
)


# --- signatures ---------------------------------------------------------------------------------------------------


def _signed(later: dict[str, Any] | None = None, **changes: Any) -> bytes:  # noqa: ANN401
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    trailer = {name: value for name, value in TRAILER.items() if name != "signature"}
    value = key.sign(b"tapekit trailer 1\0" + canonical(trailer))
    signature = {"kind": "ed25519", "key": _text(key.public_key().public_bytes_raw()), "value": _text(value)} | changes
    return canonical(trailer | {"signature": signature} | (later or {}))


def _signature(name: str, expect: str, why: str, data: bytes, *fields: tuple[str, str]) -> Vector:
    return Vector(f"signed-{name}", "signed trailer", expect, why, data, fields)


_SIGNED: tuple[Vector, ...] = (
    _signature("good", OK, "by the key of the seed 00 to 1F", _signed(),
               ("signer", "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8")),
    _signature("nobody", OK, "by nobody", canonical(TRAILER), ("signer", "null")),
    _signature("newer", OK, "in a newer way, which says nothing", _signed(kind="ml-dsa-65"), ("signer", "null")),
    _signature("changed", DAMAGED, "the trailer changed after it", _signed({"problems": 2})),
    _signature("key-added", DAMAGED, "a key that nobody knows added after it", _signed({"zzz": 1})),
    _signature("other-key", DAMAGED, "said to be by another key", _signed(key=_text(bytes(32)))),
    _signature("short-key", DAMAGED, "a key that is too short", _signed(key="AAAA")),
    _signature("short", DAMAGED, "a signature that is too short", _signed(value="AAAA")),
    _signature("no-base64", DAMAGED, "no base64", _signed(value="?")),
)  # fmt: skip

KEYS: tuple[Vector, ...] = (*_BLOCKS, *_HEADERS, *_CANARIES, *_SIGNED)
