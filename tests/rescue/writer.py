"""A small writer of archive segments for these tests, from the specification alone: it shares no code with tapekit.

It holds everything in memory and is told what to write wrongly. Sections are those of formats/SPEC.md.
"""

import base64
import hashlib
import hmac
import json
import struct
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from backports import zstd
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.rescue.tables import Entry, entries_of, table

LABEL, HEADER, DATA, PARITY, CATALOG, TRAILER = range(1, 7)
KINDS = {"header": HEADER, "data": DATA, "parity": PARITY, "catalog": CATALOG}
COMPRESSED, ENCRYPTED, LAST = 1, 2, 4
BLOCK_HEADER_BYTES, TAG_BYTES = 128, 16

CARTRIDGE_ID = bytes(range(16))
MIB = 1 << 20


# --- Blocks (section 3) -------------------------------------------------------------------------------------------


def block(
    kind: int,
    payload: bytes,
    *,
    archive: bytes,
    segment: int = 0,
    sequence: int = 0,
    offset: int = 0,
    flags: int = 0,
    plain_bytes: int | None = None,
    key: bytes | None = None,
    magic: bytes = b"TKBLOCK1",
) -> bytes:
    """One block; with a key, its payload is encrypted."""
    plain_bytes = len(payload) if plain_bytes is None else plain_bytes
    flags |= ENCRYPTED if key else 0
    stored_bytes = len(payload) + (TAG_BYTES if key else 0)
    head = magic + struct.pack(">BBHI", kind, flags, BLOCK_HEADER_BYTES, stored_bytes) + archive
    head += struct.pack(">IIQQII", segment, 0xFFFFFFFF, sequence, offset, plain_bytes, 0)
    if key:
        payload = AESGCM(key).encrypt(struct.pack(">IQ", segment, sequence), payload, head)
    head += hashlib.sha256(head + payload).digest() + bytes(28)
    return head + struct.pack(">I", zlib.crc32(head)) + payload


def canonical(document: object) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def compressed(plain: bytes) -> tuple[bytes, int]:
    """What is stored, and the flags: a frame only where it is shorter."""
    frame = zstd.compress(plain)
    return (frame, COMPRESSED) if len(frame) < len(plain) else (plain, 0)


# --- Label and kit (sections 4 and 5) -----------------------------------------------------------------------------


def label_file(kit: bytes = b"", barcode: str | None = "WED-1", **changes: object) -> list[bytes]:
    document = {
        "format": 1,
        "cartridge": CARTRIDGE_ID.hex(),
        "barcode": barcode,
        "pool": None,
        "labelled": "2026-11-23T21:00:00Z",
        "tool": "tests 1",
        "block_size": 65536,
        "kit_sha256": hashlib.sha256(kit).hexdigest(),
        "canary": [],
        **changes,
    }
    return [block(LABEL, canonical(document), archive=CARTRIDGE_ID, flags=LAST)]


def kit_file(kit: bytes) -> list[bytes]:
    return [kit[at : at + 10240] for at in range(0, len(kit), 10240)]


# --- Keys (section 9) ---------------------------------------------------------------------------------------------


def passphrase_slot(
    passphrase: str, keys: bytes, archive: bytes, segment: int = 0, role: str = "owner"
) -> dict[str, object]:
    salt = hashlib.sha256(role.encode() + archive).digest()[:16]
    key = hashlib.scrypt(passphrase.encode(), salt=salt, n=1 << 15, r=8, p=1, maxmem=64 * MIB, dklen=32)
    context = b"tapekit slot 1\0" + archive + struct.pack(">I", segment) + role.encode()
    wrapped = AESGCM(key).encrypt(bytes(12), keys, context)
    texts = {"salt": base64.b64encode(salt).decode(), "wrapped": base64.b64encode(wrapped).decode()}
    return {"kind": "passphrase", "role": role, "name": role, "log2_n": 15, "r": 8, "p": 1, **texts}


def commitment(header: dict[str, object], data_key: bytes, catalog_key: bytes) -> dict[str, str]:
    salt = bytes.fromhex(str(header["archive"])) + struct.pack(">I", header["segment"])
    text = canonical({name: value for name, value in header.items() if name != "commitment"})
    macs = {}
    for name, key in (("data", data_key), ("catalog", catalog_key)):
        extracted = hmac.digest(salt, key, "sha256")
        expanded = hmac.digest(extracted, b"tapekit header 1\x01", "sha256")
        macs[name] = base64.b64encode(hmac.digest(expanded, text, "sha256")).decode()
    return macs


# --- Archive segments (sections 6 and 12) -------------------------------------------------------------------------


@dataclass(frozen=True)
class Segment:
    """One segment to write: what it carries, and how.

    Args:
        stream: The archive's whole stream; the segment carries it from `stream_start` on.
        stream_stop: Where the next segment goes on; None: the segment carries all the rest.
        entries: The whole catalog of this segment.
        trailer: Whether it gets catalog and trailer (False: a power cut).
        parity_every: A block of kind parity stands after so many data blocks.
    """

    stream: bytes
    entries: Sequence[Entry] = ()
    archive: bytes = bytes(range(16, 32))
    number: int = 0
    job: str = "pharmacy"
    started: str = "2026-11-23T21:30:00Z"
    cut: int = 3000  # not a multiple of 512: headers lie across blocks
    stream_start: int = 0
    stream_stop: int | None = None
    sequence_start: int = 0
    first_ordinal: int = 0
    per_table: int = 5
    state: str = "complete"
    trailer: bool = True
    compress: bool = False
    passphrases: dict[str, str] = field(default_factory=dict)  # role: passphrase
    slots: Sequence[dict[str, object]] = ()  # further key slots
    parity_every: int = 0
    bases: Sequence[str] = ()  # archives that it builds upon
    header_changes: dict[str, object] = field(default_factory=dict)
    document_cut: int = 4000
    seal: bool = True  # False: data blocks are not encrypted, though the header says so

    def blocks(self) -> list[bytes]:
        return list(self._blocks())

    def _blocks(self) -> Iterator[bytes]:
        data_key, catalog_key = (hashlib.sha256(name + self.archive).digest() for name in (b"data", b"catalog"))
        encrypted = bool(self.passphrases or self.slots)
        out = _Output(self)
        yield from out.document(HEADER, self.header(data_key, catalog_key, encrypted=encrypted))
        stop = len(self.stream) if self.stream_stop is None else self.stream_stop
        for at in range(self.stream_start, stop, self.cut):
            plain = self.stream[at : min(at + self.cut, stop)]
            yield out.block(DATA, plain, at, key=data_key if encrypted and self.seal else None)
            if self.parity_every and out.count[DATA] % self.parity_every == 0:
                yield out.block(PARITY, b"TKP1" + bytes(100), 0)
        if not self.trailer:
            return
        catalog_block = out.count.total()
        for at in range(0, len(self.entries), self.per_table):
            last = LAST if at + self.per_table >= len(self.entries) else 0
            plain = table(self.entries[at : at + self.per_table], self.first_ordinal + at)
            yield out.block(CATALOG, plain, self.first_ordinal + at, last, catalog_key if encrypted else None)
        yield from out.document(TRAILER, self._trailer(out, catalog_block))

    def header(self, data_key: bytes, catalog_key: bytes, *, encrypted: bool) -> dict[str, object]:
        keys = {"owner": data_key + catalog_key, "recovery": data_key + catalog_key, "technician": catalog_key}
        slots = [
            passphrase_slot(passphrase, keys[role], self.archive, self.number, role)
            for role, passphrase in self.passphrases.items()
        ]
        header: dict[str, object] = {
            "format": 1,
            "archive": self.archive.hex(),
            "segment": self.number,
            "job": self.job,
            "site": "Apotheke Zürich",
            "host": "server",
            "started": self.started,
            "tool": "tests 1",
            "root": "/srv",
            "block_size": 65536,
            "cut": self.cut,
            "stream_start": self.stream_start,
            "sequence_start": self.sequence_start,
            "compression": "zstd" if self.compress else "none",
            "cipher": "AES-256-GCM" if encrypted else None,
            "slots": [*slots, *self.slots],
            "parity": None,
            "bases": list(self.bases),
            "previous": None,
        }
        header["commitment"] = commitment(header, data_key, catalog_key) if encrypted else None
        return {**header, **self.header_changes}

    def _trailer(self, out: "_Output", catalog_block: int) -> dict[str, object]:
        return {
            "archive": self.archive.hex(),
            "segment": self.number,
            "job": self.job,
            "started": self.started,
            "state": self.state,
            "finished": "2026-11-23T21:40:00Z",
            "members": len(self.entries),
            "problems": 0,
            "source_bytes": sum(e.size for e in self.entries),
            "stream_bytes": len(self.stream),
            "stored_bytes": 0,
            "blocks": {name: out.count[kind] for name, kind in KINDS.items()},
            "blocks_sha256": out.digests.hexdigest(),
            "catalog_block": catalog_block,
            "directory": [],
            "directory_omitted": 0,
            "audit": None,
            "signature": None,
        }


class _Output:
    """The blocks of a segment as they are written, in order."""

    def __init__(self, segment: Segment) -> None:
        self._segment = segment
        self.count: Counter[int] = Counter()
        self.digests = hashlib.sha256()

    def block(self, kind: int, plain: bytes, offset: int, flags: int = 0, key: bytes | None = None) -> bytes:
        stored, extra = plain, 0
        if self._segment.compress and kind in (DATA, CATALOG, TRAILER):
            stored, extra = compressed(plain)
        made = block(
            kind,
            stored,
            archive=self._segment.archive,
            segment=self._segment.number,
            sequence=self._segment.sequence_start + self.count.total(),
            offset=offset,
            flags=flags | extra,
            plain_bytes=len(plain),
            key=key,
        )
        self.count[kind] += 1
        if kind not in (PARITY, TRAILER):
            self.digests.update(made[64:96])
        return made

    def document(self, kind: int, document: dict[str, object]) -> Iterator[bytes]:
        text, cut = canonical(document), self._segment.document_cut
        for at in range(0, len(text), cut):
            yield self.block(kind, text[at : at + cut], at, LAST if at + cut >= len(text) else 0)


def archive(stream: bytes, **options: object) -> Segment:
    """An archive in one segment, with the catalog of its stream."""
    return replace(Segment(stream, entries_of(stream)), **options)  # type: ignore[arg-type]
