"""Blocks: the 128-byte header, its checks and its digest (SPEC.md section 3)."""

import dataclasses
import enum
import hashlib
import zlib
from typing import Any

import construct as cs

from formats.errors import Damaged, NewerFormat
from formats.layout import Layout, reserved

MAGIC = b"TKBLOCK1"
HEADER_BYTES = 128
TAG_BYTES = 16
"""Room that every data block leaves for the tag of AES-256-GCM, encrypted or not."""
SMALLEST_BLOCK_BYTES = 4096
LARGEST_BLOCK_BYTES = 0xFFFFFF - 4095
"""The largest multiple of 4,096 that a 24-bit transfer length can carry (SSC-3, WRITE(6))."""
LARGEST_PLAIN_BYTES = 16 << 20
NO_PARITY_GROUP = 0xFFFFFFFF
AUTHENTICATED_BYTES = 64
"""What the digest and the cipher cover of a header."""

_CRC_OFFSET = 124


class Kind(enum.IntEnum):
    """What a block carries."""

    LABEL = 1
    HEADER = 2
    DATA = 3
    PARITY = 4
    CATALOG = 5
    TRAILER = 6


class Flags(enum.IntFlag):
    """How the payload is stored."""

    NONE = 0
    COMPRESSED = 1
    ENCRYPTED = 2
    LAST = 4


@dataclasses.dataclass(frozen=True)
class BlockHead:
    """What a writer decides about a block: the first 64 bytes of its header, which the digest and the cipher cover."""

    kind: int
    flags: int
    payload_bytes: int
    archive: bytes
    segment: int
    parity_group: int
    sequence: int
    stream_offset: int
    plain_bytes: int
    parity_offset: int = dataclasses.field(default=0, kw_only=True)


@dataclasses.dataclass(frozen=True)
class BlockHeader(BlockHead):
    """A whole block header, as read."""

    digest: bytes

    @property
    def is_compressed(self) -> bool:
        """Whether the payload is a zstd frame."""
        return bool(self.flags & Flags.COMPRESSED)

    @property
    def is_encrypted(self) -> bool:
        """Whether the payload is ciphertext and tag."""
        return bool(self.flags & Flags.ENCRYPTED)

    @property
    def is_last(self) -> bool:
        """Whether this block ends its run."""
        return bool(self.flags & Flags.LAST)


def _head_fields() -> "tuple[cs.Construct[Any, Any], ...]":
    return (
        "magic" / cs.Const(MAGIC),
        "kind" / cs.Int8ub,
        "flags" / cs.Int8ub,
        "header_size" / cs.Const(HEADER_BYTES, cs.Int16ub),
        "payload_bytes" / cs.Int32ub,
        "archive" / cs.Bytes(16),
        "segment" / cs.Int32ub,
        "parity_group" / cs.Int32ub,
        "sequence" / cs.Int64ub,
        "stream_offset" / cs.Int64ub,
        "plain_bytes" / cs.Int32ub,
        "parity_offset" / cs.Int32ub,
    )


_HEAD = Layout("block header", BlockHead, cs.Struct(*_head_fields()))
_HEADER = Layout(
    "block header",
    BlockHeader,
    cs.Struct(*_head_fields(), "digest" / cs.Bytes(32), "reserved_2" / reserved(28), "crc" / cs.Int32ub),
)
_KINDS = frozenset(Kind)
_FLAGS = int(Flags.COMPRESSED | Flags.ENCRYPTED | Flags.LAST)


def authenticated(head: BlockHead) -> bytes:
    """The 64 header bytes that the digest covers, and that are the cipher's associated data."""
    return _HEAD.build(head)


def seal(authenticated_bytes: bytes, payload: "bytes | bytearray | memoryview") -> bytes:
    """The 128-byte header for a payload, given the first 64 bytes from `authenticated`."""
    sha256 = hashlib.sha256(authenticated_bytes)
    sha256.update(payload)
    header = authenticated_bytes + sha256.digest() + bytes(28)
    return header + zlib.crc32(header).to_bytes(4, "big")


def parse(block: "bytes | bytearray | memoryview") -> BlockHeader:
    """The header of a block, after every check of SPEC.md section 3.2.

    Raises NewerFormat for a block of another format version, Damaged for anything that fails a check; the message
    names the first check that failed.
    """
    view = memoryview(block)
    if len(view) < HEADER_BYTES:
        raise Damaged(f"block: {len(view)} bytes, shorter than a header of {HEADER_BYTES}")
    head = bytes(view[:HEADER_BYTES])
    if head[:8] != MAGIC:
        if head[:7] == MAGIC[:7]:
            raise NewerFormat(
                f"block: format version {head[7:8].decode('ascii', 'backslashreplace')}, this program reads version 1"
            )
        raise Damaged("block: no block magic")
    if zlib.crc32(head[:_CRC_OFFSET]) != int.from_bytes(head[_CRC_OFFSET:], "big"):
        raise Damaged("block: header checksum does not match")
    header = _HEADER.parse(head)
    _check_fields(header, len(view) - HEADER_BYTES)
    sha256 = hashlib.sha256(head[:AUTHENTICATED_BYTES])
    sha256.update(view[HEADER_BYTES:])
    if sha256.digest() != header.digest:
        raise Damaged("block: digest does not match")
    return header


def _check_fields(header: BlockHeader, payload_bytes: int) -> None:
    if header.kind not in _KINDS:
        raise Damaged(f"block: unknown kind {header.kind}")
    if header.flags & ~_FLAGS:
        raise Damaged(f"block: unknown flags {header.flags:#04x}")
    if header.payload_bytes != payload_bytes:
        raise Damaged(f"block: payload of {payload_bytes} bytes, header says {header.payload_bytes}")
    if header.parity_group == NO_PARITY_GROUP and header.parity_offset:
        raise Damaged(f"block: parity offset {header.parity_offset}, and no parity group")
    if header.plain_bytes > LARGEST_PLAIN_BYTES:
        raise Damaged(f"block: plain size {header.plain_bytes} is over the limit of {LARGEST_PLAIN_BYTES}")


def payload(block: "bytes | bytearray | memoryview") -> memoryview:
    """The payload of a block, without a copy."""
    return memoryview(block)[HEADER_BYTES:]


def digest(header: bytes) -> bytes:
    """The digest field of a built header."""
    return header[AUTHENTICATED_BYTES : AUTHENTICATED_BYTES + 32]
