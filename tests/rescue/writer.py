"""A small writer of cartridges for these tests, from the specification alone: it shares no code with tapekit.

It holds everything in memory and is told what to write wrongly. Sections are those of formats/SPEC.md.
"""

import base64
import hashlib
import hmac
import json
import os
import struct
import subprocess
import tarfile
import uuid
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path

from backports import zstd
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

LABEL, HEADER, DATA, PARITY, CATALOG, TRAILER = range(1, 7)
COMPRESSED, ENCRYPTED, LAST = 1, 2, 4
CHANGED, SHORT, ABSENT, SPARSE, DELTA = 1, 2, 4, 8, 16
BLOCK_HEADER_BYTES, TAG_BYTES = 128, 16

CARTRIDGE_ID = bytes(range(16))
LOG_ID = bytes(range(100, 116))
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


# --- Catalog (section 8) ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """A member in the catalog."""

    path: bytes
    type: str = "f"
    flags: int = 0
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    note: bytes = b""
    base: int = 0
    reference: int = 0
    size: int = 0
    valid: int | None = None
    mtime_ns: int = 0
    offset: int = 0xFFFFFFFFFFFFFFFF
    sha256: bytes = bytes(32)
    link: bytes = b""


def table(entries: Sequence[Entry], first: int) -> bytes:
    n = len(entries)
    strings = [b"", *sorted({e.note for e in entries} - {b""})]
    paths, links = b"".join(e.path for e in entries), b"".join(e.link for e in entries)

    def column(code: str, values: list[int]) -> bytes:
        return struct.pack(f">{n}{code}", *values)

    return b"".join(
        [
            b"TKC1" + struct.pack(">IQHII", n, first, len(strings), len(paths), len(links)),
            "".join(e.type for e in entries).encode(),
            column("B", [e.flags for e in entries]),
            column("I", [e.mode for e in entries]),
            column("I", [e.uid for e in entries]),
            column("I", [e.gid for e in entries]),
            column("H", [0] * n),
            column("H", [0] * n),
            column("H", [strings.index(e.note) for e in entries]),
            column("H", [e.base for e in entries]),
            column("Q", [e.reference for e in entries]),
            column("Q", [0] * n),
            column("Q", [e.size for e in entries]),
            column("Q", [e.size if e.valid is None else e.valid for e in entries]),
            column("q", [e.mtime_ns for e in entries]),
            column("q", [0] * n),
            column("Q", [e.offset for e in entries]),
            b"".join(e.sha256 for e in entries),
            column("I", [len(e.path) for e in entries]),
            column("I", [len(e.link) for e in entries]),
            paths,
            links,
            b"".join(struct.pack(">H", len(s)) + s for s in strings),
        ]
    )


TYPES = {b"0": "f", b"1": "h", b"2": "l", b"3": "c", b"4": "b", b"5": "d", b"6": "p"}


def entries_of(stream: bytes) -> list[Entry]:
    """The catalog of a pax stream, as Python's own tar reader understands it."""
    entries = []
    with tarfile.open(fileobj=BytesIO(stream), errors="surrogateescape", encoding="utf-8") as tar:
        for info in tar:
            header_at = info.offset
            if stream[header_at + 156 : header_at + 157] == b"x":
                pax_bytes = int(stream[header_at + 124 : header_at + 135], 8)
                header_at += 512 + -(-pax_bytes // 512) * 512
            stored = stream[header_at + 512 :][: int(stream[header_at + 124 : header_at + 135], 8)]
            kind = TYPES[stream[header_at + 156 : header_at + 157]]
            link = info.linkname.encode(errors="surrogateescape")
            entries.append(
                Entry(
                    path=info.name.rstrip("/").encode(errors="surrogateescape"),
                    type=kind,
                    flags=SPARSE if "GNU.sparse.major" in info.pax_headers else 0,
                    mode=info.mode & 0o7777,
                    size=info.size if kind == "f" else len(link) if kind == "l" else 0,
                    mtime_ns=max(-(2**63), min(2**63 - 1, int(info.mtime) * 10**9)),
                    offset=info.offset,
                    sha256=hashlib.sha256(stored).digest() if kind == "f" else bytes(32),
                    link=link,
                )
            )
    return entries


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
    header_changes: dict[str, object] = field(default_factory=dict)
    document_cut: int = 4000
    seal: bool = True  # False: data blocks are not encrypted, though the header says so

    def blocks(self) -> list[bytes]:
        return list(self._blocks())

    def _blocks(self) -> Iterator[bytes]:
        count = {"header": 0, "data": 0, "parity": 0, "catalog": 0}
        digests = hashlib.sha256()
        sequence = self.sequence_start
        data_key, catalog_key = (hashlib.sha256(name + self.archive).digest() for name in (b"data", b"catalog"))
        encrypted = bool(self.passphrases or self.slots)

        def emit(kind: int, payload: bytes, offset: int, flags: int = 0, key: bytes | None = None) -> bytes:
            nonlocal sequence
            stored = payload
            if self.compress and kind in (DATA, CATALOG, TRAILER):
                stored, extra = compressed(payload)
                flags |= extra
            made = block(
                kind, stored, archive=self.archive, segment=self.number, sequence=sequence, offset=offset,
                flags=flags, plain_bytes=len(payload), key=key,
            )  # fmt: skip
            sequence += 1
            if kind != TRAILER:
                digests.update(made[64:96])
            return made

        def document(kind: int, text: bytes) -> Iterator[bytes]:
            for at in range(0, len(text), self.document_cut):
                last = LAST if at + self.document_cut >= len(text) else 0
                yield emit(kind, text[at : at + self.document_cut], at, last)

        for made in document(HEADER, canonical(self.header(data_key, catalog_key, encrypted=encrypted))):
            count["header"] += 1
            yield made
        stop = len(self.stream) if self.stream_stop is None else self.stream_stop
        for at in range(self.stream_start, stop, self.cut):
            plain = self.stream[at : min(at + self.cut, stop)]
            yield emit(DATA, plain, at, key=data_key if encrypted and self.seal else None)
            count["data"] += 1
            if self.parity_every and count["data"] % self.parity_every == 0:
                yield emit(PARITY, b"TKP1" + bytes(100), 0)
                count["parity"] += 1
        if not self.trailer:
            return
        catalog_block = sum(count.values())
        for at in range(0, len(self.entries), self.per_table):
            last = LAST if at + self.per_table >= len(self.entries) else 0
            plain = table(self.entries[at : at + self.per_table], self.first_ordinal + at)
            yield emit(CATALOG, plain, self.first_ordinal + at, last, catalog_key if encrypted else None)
            count["catalog"] += 1
        yield from document(TRAILER, canonical(self._trailer(count, catalog_block, digests.hexdigest())))

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
            "block_size": 65536,
            "cut": self.cut,
            "stream_start": self.stream_start,
            "sequence_start": self.sequence_start,
            "compression": "zstd" if self.compress else "none",
            "cipher": "AES-256-GCM" if encrypted else None,
            "slots": [*slots, *self.slots],
            "parity": None,
            "bases": [],
            "previous": None,
        }
        header["commitment"] = commitment(header, data_key, catalog_key) if encrypted else None
        return {**header, **self.header_changes}

    def _trailer(self, count: dict[str, int], catalog_block: int, blocks_sha256: str) -> dict[str, object]:
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
            "blocks": count,
            "blocks_sha256": blocks_sha256,
            "catalog_block": catalog_block,
            "directory": [],
            "directory_omitted": 0,
            "audit": None,
            "signature": None,
        }


def archive(stream: bytes, **options: object) -> Segment:
    """An archive in one segment, with the catalog of its stream."""
    return replace(Segment(stream, entries_of(stream)), **options)  # type: ignore[arg-type]


# --- The record log (section 13) ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class LogFile:
    """One file of the log."""

    blocks: Sequence[bytes]
    closed: bool = True


def superblock(  # noqa: PLR0913 (as many as it has fields)
    *, epoch: int, generation: int, size: int, end: int, records: int, files: int, last_filemark: int
) -> bytes:
    head = b"TKLOGSB1" + struct.pack(">II", 4096, epoch) + LOG_ID
    head += struct.pack(">QQQQIIQ", generation, size, end, records, files, 0, last_filemark)
    head = head.ljust(4092, b"\0")
    return head + struct.pack(">I", zlib.crc32(head))


def record(kind: int, payload: bytes, *, number: int, position: int, epoch: int, file: int, block_number: int) -> bytes:
    head = b"TKR1" + bytes([kind, 0, 0, 0]) + struct.pack(">QQIIII", number, position, epoch, file, block_number, len(payload))
    head += LOG_ID + bytes(4)
    whole = head + struct.pack(">I", zlib.crc32(head)) + payload
    return whole + bytes(-len(whole) % 4096)


class Log:
    """A record log in memory, and where everything stands in it."""

    def __init__(self, files: Sequence[LogFile], *, epoch: int = 1) -> None:
        self.places: dict[tuple[int, int], int] = {}  # (file, block): position of the record; block -1: filemark
        body, number, previous = bytearray(), 0, 0
        superblocks = [superblock(epoch=epoch, generation=0, size=0, end=8192, records=0, files=0, last_filemark=0)]
        for file, content in enumerate(files):
            start = 8192 + len(body)
            distances = []
            for block_number, payload in enumerate(content.blocks):
                at = 8192 + len(body)
                self.places[file, block_number] = at
                distances.append((at - start) // 4096)
                body += record(1, payload, number=number, position=at, epoch=epoch, file=file, block_number=block_number)
                number += 1
            if not content.closed:
                continue
            at = 8192 + len(body)
            self.places[file, -1] = at
            n = len(distances)
            payload = struct.pack(f">QQI{n}I", start, previous, n, *distances)
            payload += struct.pack(">I", zlib.crc32(payload))
            body += record(2, payload, number=number, position=at, epoch=epoch, file=file, block_number=n)
            number, previous = number + 1, at
            superblocks.append(
                superblock(epoch=epoch, generation=len(superblocks), size=0, end=8192 + len(body), records=number,
                           files=file + 1, last_filemark=at)  # fmt: skip
            )
        newest = superblocks[-2:] if len(superblocks) > 1 else [*superblocks, bytes(4096)]
        if (len(superblocks) - 1) % 2 == 0 and len(superblocks) > 1:
            newest.reverse()
        self.content = bytearray(b"".join(newest) + body)


# --- The front (section 14) ---------------------------------------------------------------------------------------

BASIC_DATA = uuid.UUID("EBD0A0A2-B9E5-4433-87C0-68B6B72699C7")
RECORD_LOG = uuid.UUID("7B1D6F0E-52C9-4A86-9C3B-1F0A6E2D4B75")
LOG_START = 5 * MIB


def gpt(disk_bytes: int, sector: int, log_start: int) -> tuple[bytes, bytes]:
    """What stands at the start (protective MBR, table) and at the end of the disk."""
    sectors, entry_sectors = disk_bytes // sector, 128 * 128 // sector
    log_end = (disk_bytes - (entry_sectors + 1) * sector) // MIB * MIB
    entries = b""
    for kind, start, stop, name in (
        (BASIC_DATA, MIB, log_start, "tapekit info"),
        (RECORD_LOG, log_start, log_end, "tapekit log"),
    ):
        entries += kind.bytes_le + uuid.uuid5(kind, name).bytes_le
        entries += struct.pack("<QQQ", start // sector, stop // sector - 1, 0) + name.encode("utf-16-le").ljust(72, b"\0")
    entries = entries.ljust(128 * 128, b"\0")

    def header(at: int, other: int, entries_at: int) -> bytes:
        first, last = 2 + entry_sectors, sectors - entry_sectors - 2
        head = struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, 0, 0, at, other, first, last,
                           uuid.uuid5(RECORD_LOG, "disk").bytes_le, entries_at, 128, 128, zlib.crc32(entries))  # fmt: skip
        return head[:16] + struct.pack("<I", zlib.crc32(head)) + head[20:]

    protective = bytes(446) + struct.pack("<B3sB3sII", 0, b"\0\2\0", 0xEE, b"\xff\xff\xff", 1, min(sectors - 1, 0xFFFFFFFF))
    protective = protective.ljust(510, b"\0") + b"\x55\xaa"
    front = protective.ljust(sector, b"\0") + header(1, sectors - 1, 2).ljust(sector, b"\0") + entries
    back = entries + header(sectors - 1, 1, sectors - 1 - entry_sectors).ljust(sector, b"\0")
    return front, back


def image(log: bytes | bytearray, *, sector: int = 512, start: int = LOG_START) -> bytearray:
    """A whole disk: partition tables and the log, with some room after it."""
    size = start + (len(log) + 3 * MIB - 1) // MIB * MIB
    front, back = gpt(size, sector, start)
    whole = bytearray(size)
    whole[: len(front)] = front
    whole[start : start + len(log)] = log
    whole[size - len(back) :] = back
    return whole


# --- Streams (section 7) ------------------------------------------------------------------------------------------


def tree_stream(root: Path, excluded: Sequence[bytes] = ()) -> bytes:
    """A directory as GNU tar packs it: another program's reading of pax."""
    names = b"".join(sorted(name + b"\0" for name in os.listdir(os.fsencode(root))))
    options = ["--format=pax", "--xattrs", "--xattrs-include=*", "--acls", "--sparse", "--numeric-owner"]
    command = [b"tar", b"--create", b"--file=-", b"--sort=name", *map(os.fsencode, options)]
    command += [b"--directory=" + os.fsencode(root), b"--anchored", b"--no-wildcards"]
    command += [b"--exclude=" + path for path in excluded]
    command += [b"--null", b"--verbatim-files-from", b"--files-from=-"]
    return subprocess.run(command, input=names, capture_output=True, check=True).stdout


def simple_stream(files: dict[str, bytes]) -> bytes:
    """Regular files in a pax tar."""
    out = BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            info.mtime = 1700000000.25  # type: ignore[assignment]
            tar.addfile(info, BytesIO(content))
    return out.getvalue()
