"""The payload of a parity block (SPEC.md section 10)."""

import dataclasses
import itertools
import struct

import construct as cs

from formats.errors import Damaged, TooLarge
from formats.layout import Layout, reserved

MOST_SHARDS = 256
"""Members and parity blocks of a group: elements of GF(2⁸)."""


@dataclasses.dataclass(frozen=True)
class ParityMember:
    """One block that a parity block protects."""

    sequence: int
    stored_bytes: int


@dataclasses.dataclass(frozen=True)
class ParityBlock:
    """One of the `m` parity blocks of a group."""

    m: int
    index: int
    members: tuple[ParityMember, ...]
    parity: bytes


@dataclasses.dataclass(frozen=True)
class _Payload:
    k: int
    m: int
    index: int
    shard_bytes: int
    members: bytes
    parity: bytes


_MEMBER = struct.Struct(">QI")
_PAYLOAD = Layout(
    "parity block",
    _Payload,
    cs.Struct(
        "magic" / cs.Const(b"TKP1"),
        "k" / cs.Int8ub,
        "m" / cs.Int8ub,
        "index" / cs.Int8ub,
        "reserved" / reserved(1),
        "shard_bytes" / cs.Int32ub,
        "members" / cs.Bytes(cs.this.k * _MEMBER.size),
        "parity" / cs.Bytes(cs.this.shard_bytes),
        "end" / cs.Terminated,
    ),
)


def build(block: ParityBlock) -> bytes:
    """The payload bytes. Raises TooLarge where a number does not fit."""
    try:
        members = b"".join(_MEMBER.pack(member.sequence, member.stored_bytes) for member in block.members)
    except struct.error as error:
        raise TooLarge(f"parity block: a value does not fit: {error}") from error
    return _PAYLOAD.build(_Payload(len(block.members), block.m, block.index, len(block.parity), members, block.parity))


def parse(payload: bytes) -> ParityBlock:
    """Raises Damaged where the payload does not add up."""
    raw = _PAYLOAD.parse(payload)
    members = tuple(itertools.starmap(ParityMember, _MEMBER.iter_unpack(raw.members)))
    if not 1 <= raw.k <= MOST_SHARDS - raw.m or raw.index >= raw.m:
        raise Damaged(f"parity block: {raw.k} + {raw.m} blocks, index {raw.index}")
    if any(member.stored_bytes > raw.shard_bytes for member in members):
        raise Damaged("parity block: a member is larger than the shard")
    return ParityBlock(raw.m, raw.index, members, raw.parity)
