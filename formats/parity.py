"""The payload of a parity block, and the shape of a group (SPEC.md section 10)."""

import dataclasses

import construct as cs

from formats.block import HEADER_BYTES, LARGEST_BLOCK_BYTES
from formats.errors import Damaged
from formats.layout import Layout, reserved

MOST_MEMBERS = 255
"""Shards of a lane that parity blocks protect: so many powers has 2 in GF(2⁸)."""
MOST_PARITY = 3
"""Parity blocks of a lane: with more, some losses of as many shards could not be solved."""
LARGEST_PARITY_BYTES = 64 << 20
"""All parity of a group together: what a reader has to hold to rebuild a block."""
SMALLEST_SHARD_BYTES = 64
HEAD_BYTES = 32
OVERHEAD_BYTES = HEADER_BYTES + HEAD_BYTES
"""What a parity block has beyond its shard."""


@dataclasses.dataclass(frozen=True)
class Shape:
    """How a group's bytes are spread: over `lanes` in turn, a shard to each, with `m` parity blocks for each lane."""

    lanes: int
    m: int
    shard_bytes: int

    @property
    def parity_blocks(self) -> int:
        """Of every group."""
        return self.lanes * self.m

    @property
    def most_bytes(self) -> int:
        """Of a group's members together."""
        return self.lanes * MOST_MEMBERS * self.shard_bytes

    def lane_members(self, lane: int, member_bytes: int) -> int:
        """Shards of a lane where the group's members have so many bytes together."""
        return max(0, -(-member_bytes // self.shard_bytes) - lane + self.lanes - 1) // self.lanes

    def order(self, member_bytes: int) -> list[tuple[int, int]]:
        """Index and lane of the parity blocks as they are written: they go on in turn behind the last shard."""
        first = -(-member_bytes // self.shard_bytes)
        return [(index, (first + lane) % self.lanes) for index in range(self.m) for lane in range(self.lanes)]


@dataclasses.dataclass(frozen=True)
class ParityBlock:
    """One of a group's parity blocks, which tells all about the group."""

    shape: Shape
    index: int
    lane: int
    first_sequence: int
    members: int
    member_bytes: int
    parity: bytes

    @property
    def end_sequence(self) -> int:
        """Behind the group's last parity block."""
        return self.first_sequence + self.members + self.shape.parity_blocks


@dataclasses.dataclass(frozen=True)
class _Payload:
    m: int
    index: int
    lanes: int
    lane: int
    shard_bytes: int
    member_bytes: int
    members: int
    first_sequence: int
    parity: bytes


_PAYLOAD = Layout(
    "parity block",
    _Payload,
    cs.Struct(
        "magic" / cs.Const(b"TKP1"),
        "m" / cs.Int8ub,
        "index" / cs.Int8ub,
        "lanes" / cs.Int16ub,
        "lane" / cs.Int16ub,
        "reserved" / reserved(2),
        "shard_bytes" / cs.Int32ub,
        "member_bytes" / cs.Int32ub,
        "members" / cs.Int32ub,
        "first_sequence" / cs.Int64ub,
        "parity" / cs.Bytes(cs.this.shard_bytes),
        "end" / cs.Terminated,
    ),
)


def build(block: ParityBlock) -> bytes:
    """The payload bytes. Raises TooLarge where a number does not fit."""
    shape = block.shape
    return _PAYLOAD.build(_Payload(
        shape.m, block.index, shape.lanes, block.lane, shape.shard_bytes, block.member_bytes, block.members,
        block.first_sequence, block.parity,
    ))  # fmt: skip


def check_shape(shape: Shape, name: str) -> None:
    """Raises Damaged for a shape beyond the format's limits: it is a claim, and room is made by it."""
    is_shard = SMALLEST_SHARD_BYTES <= shape.shard_bytes <= LARGEST_BLOCK_BYTES
    if not 1 <= shape.m <= MOST_PARITY or shape.lanes < 1 or not is_shard:
        raise Damaged(f"{name}: {shape.lanes} lanes, {shape.m} parity blocks of {shape.shard_bytes} bytes")
    if shape.parity_blocks * shape.shard_bytes > LARGEST_PARITY_BYTES:
        raise Damaged(f"{name}: {shape.parity_blocks} parity blocks of {shape.shard_bytes} bytes for a group")


def parse(payload: "bytes | memoryview") -> ParityBlock:
    """Raises Damaged where the payload does not add up."""
    raw = _PAYLOAD.parse(payload)
    shape = Shape(raw.lanes, raw.m, raw.shard_bytes)
    check_shape(shape, "parity block")
    if raw.index >= raw.m or raw.lane >= raw.lanes:
        raise Damaged(f"parity block: index {raw.index} of {raw.m}, lane {raw.lane} of {raw.lanes}")
    if not 1 <= raw.members * HEADER_BYTES <= raw.member_bytes <= shape.most_bytes:
        raise Damaged(f"parity block: {raw.members} members of {raw.member_bytes} bytes together")
    return ParityBlock(
        shape, raw.index, raw.lane, raw.first_sequence, raw.members, raw.member_bytes, bytes(raw.parity)
    )  # fmt: skip
