"""The payload of a parity block (SPEC.md section 10)."""

import dataclasses

import construct as cs

from formats.errors import Damaged
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
    members: list[dict[str, int]]
    parity: bytes


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
        "members" / cs.Array(cs.this.k, cs.Struct("sequence" / cs.Int64ub, "stored_bytes" / cs.Int32ub)),
        "parity" / cs.Bytes(cs.this.shard_bytes),
        "end" / cs.Terminated,
    ),
)


def build(block: ParityBlock) -> bytes:
    """The payload bytes."""
    members = [dataclasses.asdict(member) for member in block.members]
    return _PAYLOAD.build(_Payload(len(members), block.m, block.index, len(block.parity), members, block.parity))


def parse(payload: bytes) -> ParityBlock:
    """Raises Damaged where the payload does not add up."""
    raw = _PAYLOAD.parse(payload)
    members = tuple(ParityMember(item["sequence"], item["stored_bytes"]) for item in raw.members)
    if not 1 <= raw.k <= MOST_SHARDS - raw.m or raw.index >= raw.m:
        raise Damaged(f"parity block: {raw.k} + {raw.m} blocks, index {raw.index}")
    if any(member.stored_bytes > raw.shard_bytes for member in members):
        raise Damaged("parity block: a member is larger than the shard")
    return ParityBlock(raw.m, raw.index, members, raw.parity)
