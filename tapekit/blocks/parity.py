"""Parity while blocks go by: which place a block has in its group, and the sums that become parity blocks.

The code is formats/SPEC.md section 10. A group's bytes go to its lanes in turn, a shard to each, so that damage in one
place of the medium hits each lane a little; a lane stands the loss of `m` shards.
"""

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING

from formats import block, parity
from formats.block import NO_PARITY_GROUP, BlockHead, BlockHeader, Kind
from formats.parity import OVERHEAD_BYTES, ParityBlock, Shape
from formats.segment import ParityScheme

if TYPE_CHECKING:
    import numpy as np

STRETCH_BYTES = 8 << 20
"""Damage of this length in one place costs nothing: a scratch, a crease, a bad track."""
K, M = 64, 2
"""About 3 %: parity blocks of a lane, and the shards that they protect."""
LARGEST_SHARD_BYTES = (1 << 20) - OVERHEAD_BYTES
SMALL_SHARE = 64
"""On a small cartridge the stretch is a 64th of it: what ends an archive takes a little more than a stretch."""
MOST_SHARE = 16
"""Where the parity that ends an archive would take more than a 16th of the cartridge, there is none."""
_AT_ONCE_BYTES = 256 << 10
"""Sums, scratch and content of one step stay in a core's own cache."""


def scheme_for(block_bytes: int, capacity_bytes: int) -> ParityScheme | None:
    """The parity for a cartridge, of a capacity that may be unknown (0); None where it is too small for any.

    Lanes are as many as it takes that a stretch, with the blocks at both its ends, hits at most `m` shards of each, and
    that one block hits at most one shard of each, so that any two blocks may be lost.
    """
    stretch = min(STRETCH_BYTES, capacity_bytes // SMALL_SHARE) if capacity_bytes else STRETCH_BYTES
    shard = min(block_bytes - OVERHEAD_BYTES, LARGEST_SHARD_BYTES)
    lanes = max(_touched(block_bytes, shard), -(-(_touched(stretch + 2 * block_bytes, shard) + 1) // M))
    scheme = ParityScheme("rs8", K, M, lanes, shard)
    if capacity_bytes and group_parity_bytes(scheme.shape) > capacity_bytes // MOST_SHARE:
        return None
    return scheme


def _touched(size_bytes: int, shard_bytes: int) -> int:
    """Shards that a run of bytes may have a part of, wherever it begins."""
    return -(-(size_bytes - 1) // shard_bytes) + 1


def group_parity_bytes(shape: Shape) -> int:
    """All parity blocks of a group."""
    return shape.parity_blocks * (OVERHEAD_BYTES + shape.shard_bytes)


@dataclasses.dataclass(frozen=True)
class Group:
    """A group whose last member is there; its parity blocks have the sequences from `sequence` on."""

    number: int
    first_sequence: int
    members: int
    member_bytes: int
    sequence: int


class Grouping:
    """Gives every block its place in a group, in the order in which they are written."""

    def __init__(self, scheme: ParityScheme) -> None:
        """Begin with group 0, empty."""
        self.shape = scheme.shape
        self.full_bytes = scheme.lanes * scheme.k * scheme.shard
        """What a group is closed with, once a block that may be a group's last brings it so far."""
        self.member_bytes = 0
        self._number = 0
        self._first_sequence = 0
        self._members = 0

    @property
    def is_full(self) -> bool:
        """Whether it is time to close the group."""
        return self.member_bytes >= self.full_bytes

    def take(self, stored_bytes: int, sequence: int) -> tuple[int, int]:
        """Group and place of the next block; no group where not even an unusually large one has room for it."""
        if self.member_bytes + stored_bytes > self.shape.most_bytes:
            return NO_PARITY_GROUP, 0
        if not self._members:
            self._first_sequence = sequence
        place = self.member_bytes
        self.member_bytes += stored_bytes
        self._members += 1
        return self._number, place

    def close(self, sequence: int) -> Group | None:
        """End the group, and begin the next; None where it has no members."""
        if not self._members:
            return None
        closed = Group(self._number, self._first_sequence, self._members, self.member_bytes, sequence)
        self._number += 1
        self.member_bytes = self._members = 0
        return closed


class Sums:
    """The parity of one group after another. numpy does it, without the interpreter's lock."""

    def __init__(self, shape: Shape) -> None:
        """Begin with an empty group."""
        import numpy as np  # noqa: PLC0415 - takes a fifth of the start of a command, and most need none

        self._shape = shape
        self._sums = np.zeros((shape.m, shape.lanes, shape.shard_bytes), np.uint8)
        self._carry = np.empty(min(_AT_ONCE_BYTES, shape.shard_bytes), np.int8)

    def add(self, place: int, content: "bytes | memoryview") -> None:
        """The group's bytes from `place` on; those before it were added, or passed over."""
        import numpy as np  # noqa: PLC0415

        values = np.frombuffer(content, np.uint8)
        for done, sums in self._pieces(place, len(values)):
            part = values[done : done + sums.shape[1]]
            np.bitwise_xor(sums, part, out=sums)

    def pass_over(self, place: int, size_bytes: int) -> None:
        """Bytes that are not known, or behind the last: they count as zeros."""
        for _ in self._pieces(place, size_bytes):
            pass

    def _pieces(
        self, place: int, size_bytes: int
    ) -> "Iterator[tuple[int, np.ndarray[tuple[int, int], np.dtype[np.uint8]]]]":
        """Piece by piece the place in the content, and the sums it goes to, multiplied already (Horner's rule)."""
        shape, done = self._shape, 0
        while done < size_bytes:
            shard, start = divmod(place + done, shape.shard_bytes)
            size = min(_AT_ONCE_BYTES, size_bytes - done, shape.shard_bytes - start)
            sums = self._sums[:, shard % shape.lanes, start : start + size]
            if shard >= shape.lanes:  # before, all is zero
                for index in range(1, shape.m):
                    for _ in range(index):
                        self._double(sums[index])
            yield done, sums
            done += size

    def _double(self, sums: "np.ndarray[tuple[int], np.dtype[np.uint8]]") -> None:
        import numpy as np  # noqa: PLC0415

        carry = self._carry[: len(sums)]
        np.right_shift(sums.view(np.int8), 7, out=carry)
        np.bitwise_and(carry, 0x1D, out=carry)
        np.add(sums, sums, out=sums)
        np.bitwise_xor(sums, carry.view(np.uint8), out=sums)

    def finish(self, member_bytes: int) -> None:
        """All of the group is there: fill up its last shard."""
        self.pass_over(member_bytes, -member_bytes % self._shape.shard_bytes)

    def parity(self, index: int, lane: int, start: int = 0, end: int | None = None) -> bytes:
        """One parity, finished, or a stretch of it."""
        return self._sums[index, lane, start:end].tobytes()

    def clear(self) -> None:
        """Begin the next group."""
        self._sums.fill(0)


class OpenGroup:
    """The group that blocks of a segment belong to that are copied, in order: its parity can be written anew."""

    def __init__(self, shape: Shape) -> None:
        """Begin before the segment's first block."""
        self.shape = shape
        self.number = self.member_bytes = 0
        self._members = self._first_sequence = self._segment = 0
        self._archive = b""
        self._sums = Sums(shape)

    def take(self, header: BlockHeader, data: bytes) -> None:
        """The next block: a member of the group, or parity, which ends it."""
        if header.kind == Kind.PARITY:
            if header.parity_group == self.number:
                self.number, self.member_bytes, self._members = self.number + 1, 0, 0
                self._sums.clear()
        elif header.parity_group == self.number:
            if not self._members:
                self._first_sequence, self._archive, self._segment = header.sequence, header.archive, header.segment
            self._sums.add(header.parity_offset, data)
            self.member_bytes = header.parity_offset + len(data)
            self._members += 1

    def parity_blocks(self, sequence: int) -> Iterator[bytes]:
        """The parity blocks that end the group, the first with that sequence."""
        group = Group(self.number, self._first_sequence, self._members, self.member_bytes, sequence)
        self._sums.finish(self.member_bytes)
        for number, (index, lane) in enumerate(self.shape.order(self.member_bytes)):
            content = self._sums.parity(index, lane)
            yield parity_block(group, self.shape, self._archive, self._segment, number, content)


def parity_block(group: Group, shape: Shape, archive: bytes, segment: int, number: int, content: bytes) -> bytes:
    """The whole block that is number `number` of a group's parity blocks."""
    index, lane = shape.order(group.member_bytes)[number]
    payload = parity.build(
        ParityBlock(shape, index, lane, group.first_sequence, group.members, group.member_bytes, content)
    )  # fmt: skip
    head = BlockHead(
        kind=Kind.PARITY, flags=0, payload_bytes=len(payload), archive=archive, segment=segment,
        parity_group=group.number, sequence=group.sequence + number, stream_offset=0, plain_bytes=len(payload),
    )  # fmt: skip
    return block.seal(block.authenticated(head), payload) + payload
