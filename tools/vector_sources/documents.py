"""Documents: label, header and trailer (formats/SPEC.md sections 3.4, 4, 6.1, 6.3, 10 and 12)."""

import base64
import json
from typing import Any

from fixtures.vectors import DAMAGED, NEWER, OK, Vector

_ID, _OTHER_ID = bytes(range(16)).hex(), bytes(range(0xA0, 0xB0)).hex()
_DIGEST = bytes(range(32)).hex()
_TIME = "2026-11-23T21:30:00Z"
_MISSING: Any = object()
_DEEP = 5_000

_SLOT: dict[str, Any] = {
    "kind": "passphrase", "role": "owner", "name": "safe", "wrapped": base64.b64encode(bytes(80)).decode(),
    "salt": base64.b64encode(bytes(16)).decode(), "log2_n": 15, "r": 8, "p": 1, "key": None, "enc": None,
    "sha256": None,
}  # fmt: skip
LABEL: dict[str, Any] = {
    "format": 1, "cartridge": _ID, "barcode": "WED-1", "pool": None, "labelled": _TIME, "tool": "tapekit 1.0",
    "block_size": 262144, "kit_sha256": _DIGEST, "canary": [],
}  # fmt: skip
HEADER: dict[str, Any] = {
    "format": 1, "archive": _ID, "segment": 0, "job": "nightly", "site": "", "host": "server", "started": _TIME,
    "tool": "tapekit 1.0", "root": "/", "block_size": 262144, "cut": 262000, "stream_start": 0, "sequence_start": 0,
    "compression": "zstd", "cipher": None, "slots": [], "commitment": None, "parity": None, "bases": [],
    "previous": [],
}  # fmt: skip
_ENTRY: dict[str, Any] = {
    "file": 2, "archive": _OTHER_ID, "segment": 0, "job": "nightly", "started": _TIME, "finished": _TIME,
    "state": "complete", "members": 10, "problems": 0, "source_bytes": 5000, "stored_bytes": 3000,
    "trailer_sha256": _DIGEST, "evidence": {"rung": "read back", "at": _TIME},
}  # fmt: skip
TRAILER: dict[str, Any] = {
    "archive": _ID, "segment": 0, "job": "nightly", "started": _TIME, "state": "complete", "finished": _TIME,
    "members": 12, "problems": 1, "source_bytes": 5000, "stream_bytes": 20480, "stored_bytes": 9000,
    "blocks": {"header": 1, "data": 3, "parity": 0, "catalog": 1}, "blocks_sha256": _DIGEST, "catalog_block": 4,
    "directory": [], "directory_omitted": 0, "first_member": 0, "header": None, "audit": None, "signature": None,
}  # fmt: skip
_PARITY: dict[str, Any] = {"scheme": "rs8", "k": 64, "m": 2, "lanes": 18, "shard": 261984}
_PREVIOUS: dict[str, Any] = {
    "cartridge": _OTHER_ID, "name": "TUE-1", "trailer_sha256": _DIGEST, "stream_start": 0, "first_member": 0,
}  # fmt: skip


def canonical(value: object) -> bytes:
    """JSON as writers must write it."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _with(base: dict[str, Any], **changes: Any) -> bytes:  # noqa: ANN401 - any JSON value
    changed = {key: value for key, value in (base | changes).items() if value is not _MISSING}
    return canonical(changed)


def _nested(levels: int) -> list[Any]:
    """Lists within each other, the innermost one empty."""
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


class _Source:
    """Vectors of one kind of document."""

    def __init__(self, name: str, structure: str, base: dict[str, Any]) -> None:
        self.name, self.structure, self.base = name, structure, base

    def good(self, name: str, why: str, *fields: tuple[str, str], **changes: Any) -> Vector:  # noqa: ANN401
        return Vector(f"{self.name}-{name}", self.structure, OK, why, _with(self.base, **changes), fields)

    def accepted(self, name: str, why: str, data: bytes, *fields: tuple[str, str]) -> Vector:
        return Vector(f"{self.name}-{name}", self.structure, OK, why, data, fields, canonical=False)

    def bad(self, name: str, why: str, **changes: Any) -> Vector:  # noqa: ANN401
        return self.raw(name, why, _with(self.base, **changes))

    def raw(self, name: str, why: str, data: bytes, expect: str = DAMAGED) -> Vector:
        return Vector(f"{self.name}-{name}", self.structure, expect, why, data)

    def newer(self, name: str, why: str, data: bytes) -> Vector:
        return self.raw(name, why, data, NEWER)

    def each_missing(self, *keys: str) -> tuple[Vector, ...]:
        return tuple(self.bad(f"without-{key.replace('_', '-')}", f"without {key}", **{key: _MISSING}) for key in keys)


_L = _Source("label", "label", LABEL)
_H = _Source("header", "header document", HEADER)
_T = _Source("trailer", "trailer document", TRAILER)
_TEXT = canonical(LABEL)
_SPACED = json.dumps(LABEL, indent=2).encode()

_JSON: tuple[Vector, ...] = (
    _L.accepted("unknown-key", "keys that nobody knows are ignored",
                _with(LABEL, zzz={"deep": [1, 2]}), ("barcode", '"WED-1"')),
    _L.accepted("spaced", "not canonical, still JSON", _SPACED, ("block_size", "262144")),
    _L.accepted("without-canary", "no canary is the same as an empty one", _with(LABEL, canary=_MISSING)),
    _L.raw("empty", "no bytes", b""),
    _L.raw("cut", "cut off", _TEXT[:-1]),
    _L.raw("two", "a second document behind", _TEXT + _TEXT),
    _L.raw("zeros-behind", "padded with zeros", _TEXT + bytes(10)),
    _L.raw("not-utf8", "Latin-1 in a string", _TEXT.replace(b"WED-1", b"WED-\xe9")),
    _L.raw("bom", "a byte order mark before", b"\xef\xbb\xbf" + _TEXT),
    _L.raw("list", "a list", b"[]"),
    _L.raw("null", "null", b"null"),
    _L.raw("duplicate", "a key twice", _TEXT[:-1] + b',"pool":null}'),
    _L.raw("duplicate-unknown", "a key twice within one that nobody knows", _TEXT[:-1] + b',"zzz":{"a":1,"a":1}}'),
    _L.raw("float", "a number with a fraction", _TEXT.replace(b"262144", b"262144.0")),
    _L.raw("exponent", "a number with an exponent", _TEXT.replace(b"262144", b"1e6")),
    _L.raw("nan", "NaN", _TEXT.replace(b"262144", b"NaN")),
    _L.raw("infinity", "infinity", _TEXT.replace(b"262144", b"-Infinity")),
    _L.raw("number-of-10000-digits", "a number that takes long to read", _TEXT.replace(b"262144", b"9" * 10_000)),
    _L.raw("number-of-4000-digits", "a number over 64 bits", _TEXT.replace(b"262144", b"9" * 4000)),
    _L.accepted("levels-64", "64 lists and objects within each other", _with(LABEL, zzz=_nested(63))),
    _L.raw("levels-65", "65 of them", _with(LABEL, zzz=_nested(64))),
    _L.raw("deep-list", "lists 5,000 deep", b"[" * _DEEP + b"]" * _DEEP),
    _L.raw("deep-object", "objects 5,000 deep under an unknown key",
           _TEXT[:-1] + b',"z":' + b'{"a":' * _DEEP + b"1" + b"}" * _DEEP + b"}"),
)  # fmt: skip

_LABELS: tuple[Vector, ...] = (
    _L.good("good", "as tapekit writes it", ("format", "1"), ("cartridge", f'"{_ID}"'), ("barcode", '"WED-1"'),
            ("pool", "null"), ("labelled", f'"{_TIME}"'), ("tool", '"tapekit 1.0"'), ("block_size", "262144"),
            ("kit_sha256", f'"{_DIGEST}"')),
    _L.good("nameless", "neither barcode nor pool", ("barcode", "null"), barcode=None),
    _L.good("letters", "a name in other letters", barcode="СРЕДА-1 \U0001f4be"),
    _L.good("smallest-block", "blocks of 4,096 bytes", ("block_size", "4096"), block_size=4096),
    _L.good("largest-block", "blocks of 16,773,120 bytes", ("block_size", "16773120"), block_size=16773120),
    _L.good("canary", "a key slot, and the digest of what it wraps", ("canary.0.log2_n", "15"),
            ("canary.0.sha256", f'"{_DIGEST}"'), canary=[_SLOT | {"sha256": _DIGEST}]),
    _L.newer("newer", "format 2", _with(LABEL, format=2)),
    _L.newer("newer-unlike", "format 2, and nothing else of format 1", canonical({"format": 2, "name": ["x"]})),
    _L.newer("newer-giant", "a format of 4,000 digits", _TEXT.replace(b'"format":1', b'"format":' + b"9" * 4000)),
    _L.bad("format-0", "format 0", format=0),
    _L.bad("format-true", "a boolean for a number", format=True),
    _L.bad("format-string", "a string for a number", format="1"),
    *_L.each_missing("format", "cartridge", "barcode", "labelled", "block_size", "kit_sha256"),
    _L.bad("id-upper-case", "an id in upper case", cartridge=_OTHER_ID.upper()),
    _L.bad("id-short", "an id of 15 bytes", cartridge=_ID[2:]),
    _L.bad("id-newline", "a line feed behind an id", cartridge=_ID + "\n"),
    _L.bad("digest-short", "a digest of 31 bytes", kit_sha256=_DIGEST[2:]),
    _L.bad("barcode-number", "a number for a string", barcode=1),
    _L.bad("time", "a time in words", labelled="yesterday"),
    _L.bad("time-zone", "a time that is not UTC", labelled="2026-11-23T21:30:00+01:00"),
    _L.bad("block-too-small", "blocks of 2,048 bytes", block_size=2048),
    _L.bad("block-too-large", "blocks of 16 MiB", block_size=1 << 24),
    _L.bad("block-uneven", "blocks of 5,000 bytes", block_size=5000),
    _L.bad("block-negative", "blocks of -4,096 bytes", block_size=-4096),
    _L.bad("canary-object", "an object for a list", canary={}),
    _L.bad("canary-33", "33 key slots", canary=[_SLOT] * 33),
    _L.bad("slot-null", "null for a key slot", canary=[None]),
    _L.bad("slot-without-kind", "a key slot without its kind", canary=[{**_SLOT, "kind": None}]),
)  # fmt: skip

_HEADERS: tuple[Vector, ...] = (
    _H.good("good", "as tapekit writes it", ("archive", f'"{_ID}"'), ("segment", "0"), ("cut", "262000"),
            ("job", '"nightly"'), ("root", '"/"'), ("started", f'"{_TIME}"'), ("cipher", "null")),
    _H.good("encrypted", "cipher, slots and commitment", ("slots.1.kind", '"hpke"'), ("commitment.data", '"AA=="'),
            cipher="AES-256-GCM", slots=[_SLOT, _SLOT | {"kind": "hpke", "role": "technician"}],
            commitment={"data": "AA==", "catalog": "AA=="}),
    _H.good("slots-32", "32 key slots", slots=[_SLOT] * 32),
    _H.good("parity", "a parity scheme", ("parity.k", "64"), ("parity.m", "2"), ("parity.lanes", "18"),
            parity=_PARITY),
    _H.good("second-segment", "goes on from another cartridge", ("previous.0.name", '"TUE-1"'),
            ("stream_start", "524000"), segment=1, stream_start=524000, sequence_start=9, previous=[_PREVIOUS]),
    _H.good("previous-torn", "goes on from a cartridge that took no trailer any more",
            ("previous.1.trailer_sha256", "null"), ("previous.1.first_member", "7"), segment=2, stream_start=524000,
            sequence_start=9, previous=[_PREVIOUS, _PREVIOUS | {
                "trailer_sha256": None, "stream_start": 262000, "first_member": 7}]),
    _H.good("bases", "refers to two archives", ("bases.1", f'"{_OTHER_ID}"'), bases=[_ID, _OTHER_ID]),
    _H.good("cut-1", "the smallest cut", ("cut", "1"), cut=1),
    _H.accepted("slot-unknown", "a key slot of a kind that nobody knows, without role, name and wrapped: it is skipped",
                _with(HEADER, slots=[{"kind": "fido2", "role": 7, "device": []}, _SLOT]),
                ("slots.0.kind", '"fido2"'), ("slots.1.kind", '"passphrase"')),
    _H.newer("newer", "format 2", _with(HEADER, format=2)),
    _H.newer("newer-unlike", "format 2, and nothing else of format 1", canonical({"format": 2})),
    _H.bad("format-0", "format 0", format=0),
    *_H.each_missing("format", "archive", "segment", "started", "block_size", "cut", "stream_start", "sequence_start"),
    _H.raw("duplicate", "a key twice", canonical(HEADER)[:-1] + b',"segment":0}'),
    _H.bad("archive", "no id", archive="x"),
    _H.bad("segment-negative", "a negative segment", segment=-1),
    _H.bad("segment-string", "a string for a number", segment="0"),
    _H.bad("time", "a time with a fraction", started="2026-11-23T21:30:00.5Z"),
    _H.bad("block-size", "blocks of 5,000 bytes", block_size=5000),
    _H.bad("cut-0", "cuts of nothing", cut=0),
    _H.bad("cut-too-large", "a cut that leaves no room for header and tag", cut=262001),
    _H.bad("stream-start", "does not begin at a multiple of the cut", stream_start=1),
    _H.bad("stream-start-negative", "begins before the stream", stream_start=-262000),
    _H.bad("sequence-start-giant", "a sequence over 64 bits", sequence_start=1 << 64),
    _H.bad("slots-33", "33 key slots", slots=[_SLOT] * 33),
    _H.bad("slots-33-unknown", "33 key slots, all to be skipped", slots=[{"kind": "fido2"}] * 33),
    _H.bad("slot-kind-number", "a key slot whose kind is a number", slots=[_SLOT | {"kind": 1}]),
    _H.bad("slot-without-wrapped", "a key slot of a known kind without its keys",
           slots=[{"kind": "hpke", "role": "owner", "name": "safe"}]),
    _H.bad("too-many-values", "one comma over the limit", zzz=[0] * 131_073),
    _H.bad("bases-text", "a base that is no id", bases=["x"]),
    _H.bad("bases-number", "a base that is a number", bases=[1]),
    _H.bad("commitment-short", "a commitment without its catalog part", commitment={"data": "AA=="}),
    _H.bad("parity-scheme", "an unknown parity scheme", parity=_PARITY | {"scheme": "rs16"}),
    _H.bad("parity-k-0", "groups of no members", parity=_PARITY | {"k": 0}),
    _H.bad("parity-m-0", "groups without parity", parity=_PARITY | {"m": 0}),
    _H.bad("parity-k-256", "groups of 256 shards in each lane", parity=_PARITY | {"k": 256}),
    _H.bad("parity-m-4", "four parity blocks of a lane", parity=_PARITY | {"m": 4}),
    _H.bad("parity-lanes-0", "groups of no lanes", parity=_PARITY | {"lanes": 0}),
    _H.bad("parity-giant", "parity of over 64 MiB for a group", parity=_PARITY | {"lanes": 129}),
    _H.bad("parity-shard", "shards over the largest block", parity=_PARITY | {"shard": 1 << 24}),
    _H.bad("previous-cartridge", "a previous cartridge that is no id", segment=1,
           previous=[_PREVIOUS | {"cartridge": ""}]),
    _H.bad("previous-digest", "a previous trailer that is no digest", segment=1,
           previous=[_PREVIOUS | {"trailer_sha256": _ID}]),
    _H.bad("previous-negative", "a previous segment that begins before the stream", segment=1,
           previous=[_PREVIOUS | {"stream_start": -1}]),
    _H.bad("previous-object", "an object for a list", segment=1, previous=_PREVIOUS),
)  # fmt: skip

_TRAILERS: tuple[Vector, ...] = (
    _T.good("good", "as tapekit writes it", ("archive", f'"{_ID}"'), ("state", '"complete"'), ("members", "12"),
            ("blocks.data", "3"), ("catalog_block", "4"), ("blocks_sha256", f'"{_DIGEST}"'), ("stream_bytes", "20480")),
    _T.good("continued", "goes on, on the next cartridge", ("state", '"continued"'), ("first_member", "4"),
            state="continued", first_member=4),
    _T.good("aborted", "stopped on purpose, nothing in it", ("state", '"aborted"'), state="aborted", members=0,
            blocks={"header": 1, "data": 0, "parity": 0, "catalog": 0}, catalog_block=1),
    _T.good("directory", "earlier files of the cartridge", ("directory.0.evidence.rung", '"read back"'),
            ("directory.1.state", '"incomplete"'), directory_omitted=3, directory=[_ENTRY, _ENTRY | {
                "file": 3, "state": "incomplete", "archive": "", "started": "", "finished": "", "trailer_sha256": None,
                "evidence": None}]),
    _T.good("parity", "parity blocks before the catalog and behind it", ("blocks.parity", "6"), ("catalog_block", "8"),
            blocks={"header": 1, "data": 3, "parity": 6, "catalog": 1}, catalog_block=8),
    _T.good("directory-unknown", "an earlier file of which nothing is known", ("directory.0.job", '"?"'),
            directory=[_ENTRY | {"state": "incomplete", "archive": "", "job": "?", "started": "?", "finished": "",
                                 "members": 0, "source_bytes": 0, "stored_bytes": 0, "trailer_sha256": None,
                                 "evidence": None}]),
    _T.good("signed", "audit log and signature", ("audit.sequence", "5"), ("signature.kind", '"ed25519"'),
            audit={"sequence": 5, "sha256": _DIGEST}, signature={"kind": "ed25519", "key": "AA==", "value": "AA=="}),
    *_T.each_missing("archive", "segment", "state", "members", "blocks", "blocks_sha256", "catalog_block"),
    _T.raw("duplicate", "a key twice", canonical(TRAILER)[:-1] + b',"state":"complete"}'),
    _T.bad("archive", "no id", archive=_ID + "00"),
    _T.bad("state", "an unknown state", state="finished"),
    _T.bad("state-incomplete", "a trailer that says it is none", state="incomplete"),
    _T.bad("time", "a time in words", finished="now"),
    _T.bad("members-negative", "a negative count", members=-1),
    _T.bad("first-member", "a negative ordinal", first_member=-1),
    _T.bad("members-giant", "a count over 64 bits", members=1 << 64),
    _T.bad("blocks-list", "a list for an object", blocks=[1, 3, 0, 1]),
    _T.bad("blocks-without-parity", "no count of parity blocks", blocks={"header": 1, "data": 3, "catalog": 1}),
    _T.bad("blocks-negative", "a negative count of blocks", blocks=TRAILER["blocks"] | {"data": -1}, catalog_block=0),
    _T.bad("blocks-digest", "no digest", blocks_sha256=""),
    _T.bad("catalog-block", "the catalog does not begin behind the data", catalog_block=3),
    _T.bad("catalog-block-late", "the catalog begins behind more than all parity blocks", catalog_block=5),
    _T.bad("directory-state", "an entry with an unknown state", directory=[_ENTRY | {"state": "?"}]),
    _T.bad("directory-archive", "an entry of a complete archive without its id", directory=[_ENTRY | {"archive": ""}]),
    _T.bad("directory-digest", "an entry whose digest is none", directory=[_ENTRY | {"trailer_sha256": "x"}]),
    _T.bad("directory-negative", "an entry with a negative size", directory=[_ENTRY | {"stored_bytes": -1}]),
    _T.bad("directory-null", "null for an entry", directory=[None]),
    _T.bad("evidence", "evidence without its time", directory=[_ENTRY | {"evidence": {"rung": "read back"}}]),
    _T.bad("audit-digest", "an audit log without its digest", audit={"sequence": 5, "sha256": ""}),
    _T.bad("signature", "a signature without its key", signature={"kind": "ed25519", "value": "AA=="}),
)  # fmt: skip

DOCUMENTS: tuple[Vector, ...] = (*_JSON, *_LABELS, *_HEADERS, *_TRAILERS)
