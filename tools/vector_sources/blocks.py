"""Blocks (formats/SPEC.md sections 3.1 and 3.2)."""

import hashlib
import struct
import zlib

from fixtures.vectors import DAMAGED, NEWER, OK, Vector

ARCHIVE = bytes(range(0xA0, 0xB0))
COMPRESSED, ENCRYPTED, LAST = 1, 2, 4
LABEL, HEADER, DATA, PARITY, CATALOG, TRAILER = range(1, 7)
PAYLOAD = b"some bytes of a stream\n"


def block(  # noqa: PLR0913 - as many as a header has fields
    payload: bytes = PAYLOAD, *, magic: bytes = b"TKBLOCK1", kind: int = DATA, flags: int = 0, header_size: int = 128,
    payload_size: int | None = None, archive: bytes = ARCHIVE, segment: int = 2, group: int = 0xFFFFFFFF,
    sequence: int = 7, offset: int = 4096, plain_size: int | None = None, parity_offset: int = 0,
    digest: bytes | None = None, reserved: bytes = bytes(28), crc_flip: int = 0,
) -> bytes:  # fmt: skip
    """A block; what is not said is as it should be."""
    head = struct.pack(
        ">8sBBHI16sIIQQII", magic, kind, flags, header_size, len(payload) if payload_size is None else payload_size,
        archive, segment, group, sequence, offset, len(payload) if plain_size is None else plain_size,
        parity_offset,
    )  # fmt: skip
    head += (hashlib.sha256(head + payload).digest() if digest is None else digest) + reserved
    return head + struct.pack(">I", zlib.crc32(head) ^ crc_flip) + payload


def flipped(data: bytes, place: int) -> bytes:
    """The bytes with one bit flipped."""
    return data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :]


def good(name: str, why: str, kind: int, data: bytes, *more: tuple[str, str]) -> Vector:
    """A block that a reader takes."""
    return Vector(f"block-{name}", "block", OK, why, data, (("header.kind", str(kind)), *more))


def bad(name: str, why: str, data: bytes, expect: str = DAMAGED) -> Vector:
    """A block that it does not take."""
    return Vector(f"block-{name}", "block", expect, why, data)


_HEADER_FIELDS = (
    ("header.archive", ARCHIVE.hex()), ("header.segment", "2"), ("header.parity_group", "4294967295"),
    ("header.sequence", "7"), ("header.stream_offset", "4096"), ("header.plain_bytes", "23"),
    ("header.payload_bytes", "23"), ("header.flags", "0"), ("payload", PAYLOAD.hex()),
)  # fmt: skip
_PLACE = (("archive", ARCHIVE.hex()), ("segment", "2"), ("sequence", "7"))
_LARGEST = 16 << 20


def _placed(name: str, expect: str, why: str, data: bytes) -> Vector:
    return Vector(f"placed-block-{name}", "placed block", expect, why, data, given=_PLACE)


BLOCKS: tuple[Vector, ...] = (
    good("label", "a block of each kind: label", LABEL,
         block(b"{}", kind=LABEL, flags=LAST, segment=0, sequence=0, offset=0), ("header.flags", "4")),
    good("header", "a block of each kind: header", HEADER, block(b"{}", kind=HEADER, flags=LAST, sequence=0, offset=0)),
    good("data", "a block of each kind: data, with every field", DATA, block(), *_HEADER_FIELDS),
    good("parity", "a block of each kind: parity, in group 3", PARITY, block(kind=PARITY, group=3, offset=0),
         ("header.parity_group", "3")),
    good("catalog", "a block of each kind: catalog", CATALOG, block(kind=CATALOG, flags=LAST, offset=12)),
    good("trailer", "a block of each kind: trailer", TRAILER, block(b"{}", kind=TRAILER, flags=LAST, offset=0)),
    good("flags", "all three flags", DATA, block(flags=COMPRESSED | ENCRYPTED | LAST), ("header.flags", "7")),
    good("no-payload", "a header alone", DATA, block(b"", plain_size=0), ("payload", "")),
    good("largest-numbers", "every number as large as its field", DATA,
         block(segment=2**32 - 1, group=2**32 - 1, sequence=2**64 - 1, offset=2**64 - 1),
         ("header.segment", "4294967295"), ("header.sequence", "18446744073709551615"),
         ("header.stream_offset", "18446744073709551615")),
    good("plain-16-mib", "plain size at its limit", DATA, block(plain_size=_LARGEST),
         ("header.plain_bytes", "16777216")),
    bad("empty", "no bytes at all", b""),
    bad("short", "127 bytes: shorter than a header", block(b"")[:127]),
    bad("magic", "another magic, its checksums right", block(magic=b"TKBL0CK1")),
    bad("magic-flipped", "a bit of the magic flipped", flipped(block(), 0)),
    bad("newer", "format version 2, its checksums right", block(magic=b"TKBLOCK2"), NEWER),
    bad("newer-unlike", "format version A, nothing else as in version 1", b"TKBLOCKA" + b"\xff" * 300, NEWER),
    bad("crc", "header checksum wrong", block(crc_flip=1)),
    bad("crc-flipped-field", "a bit of the sequence flipped", flipped(block(), 47)),
    bad("header-size", "header size 64", block(header_size=64)),
    bad("kind-0", "kind 0", block(kind=0)),
    bad("kind-7", "kind 7", block(kind=7)),
    bad("flag-unknown", "flag bit 3", block(flags=8)),
    bad("flag-unknown-high", "flag bit 7, with a known one", block(flags=0x81)),
    good("parity-offset", "a place in a group", DATA, block(group=3, parity_offset=2**32 - 1),
         ("header.parity_offset", "4294967295")),
    bad("parity-no-group", "a place in a group, and no group", block(parity_offset=1)),
    bad("reserved", "bytes 96 to 123 not zero", block(reserved=bytes(27) + b"\1")),
    bad("payload-short", "one byte fewer than the payload size, its digest right", block(payload_size=24)),
    bad("payload-long", "one byte more than the payload size, its digest right", block(payload_size=22)),
    bad("cut", "its last byte missing", block()[:-1]),
    bad("padded", "a byte behind it", block() + b"\0"),
    bad("payload-size-giant", "payload size FFFFFFFF", block(payload_size=2**32 - 1)),
    bad("plain-over-limit", "plain size one over 16 MiB", block(plain_size=_LARGEST + 1)),
    bad("digest", "digest wrong, header checksum right", block(digest=bytes(32))),
    bad("digest-payload-flipped", "a bit of the payload flipped", flipped(block(), 128)),
    bad("torn", "the second half from another write: zeros", block(b"x" * 1000)[:512] + bytes(616)),
    _placed("good", OK, "the block that belongs there", block()),
    _placed("archive", DAMAGED, "of another archive", block(archive=bytes(16))),
    _placed("segment", DAMAGED, "of another segment", block(segment=3)),
    _placed("sequence", DAMAGED, "another sequence", block(sequence=8)),
)  # fmt: skip
