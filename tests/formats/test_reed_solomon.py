"""The parity of SPEC.md section 10: its arithmetic by a second way, its vectors, and every loss that it must stand."""

import itertools
import random

import pytest

from fixtures import vectors
from formats import block, parity
from formats.errors import Damaged
from formats.parity import Shape
from formats.reed_solomon import added, inverse, power, scaled, solve, times


def product(left: int, right: int) -> int:
    """Carry-less multiplication, reduced bit by bit: no table of powers in it."""
    result = 0
    for bit in range(8):
        result ^= (left << bit) * (right >> bit & 1)
    for bit in range(14, 7, -1):
        result ^= (0x11D << (bit - 8)) * (result >> bit & 1)
    return result


def parities(shards: list[bytes], m: int) -> list[bytes]:
    """Horner's rule, as a writer goes: each parity i times 2^i, plus the next shard."""
    result = [bytes(len(shards[0]))] * m
    for shard in shards:
        for index in range(m):
            grown = bytes(product(byte, power(index)) for byte in result[index])
            result[index] = bytes(a ^ b for a, b in zip(grown, shard, strict=True))
    return result


def test_field() -> None:
    assert all(times(left, right) == product(left, right) for left in range(256) for right in range(0, 256, 5))
    assert all(times(element, inverse(element)) == 1 for element in range(1, 256))
    assert len({power(exponent) for exponent in range(255)}) == 255
    assert [power(8), power(255), power(9)] == [0x1D, 1, 0x3A]


def test_known_answer() -> None:
    """By hand: 4 · 1 + 2 · 2 + 80, and 2 · 80 = 100 + 11D."""
    assert parities([b"\x01", b"\x02", b"\x80"], 2) == [b"\x83", bytes((4 ^ 4 ^ 0x80,))]
    assert parities([b"\x80", b"\x00"], 2) == [b"\x80", b"\x1d"]


def test_vectors() -> None:
    found = {v.name: v for v in vectors.load() if v.structure == "parity payload" and v.expect == vectors.OK}
    members = b"".join(
        block.seal(block.authenticated(block.BlockHead(
            3, 0, len(content), bytes(range(0xA0, 0xB0)), 2, 3, sequence, 4096, len(content), parity_offset=offset
        )), content) + content
        for content, sequence, offset in ((b"abcd", 7, 0), (bytes(range(40)), 8, 132))
    )  # fmt: skip
    shards = [members[place : place + 64].ljust(64, b"\0") for place in range(0, len(members), 64)]
    for name in ("parity-first", "parity-second", "parity-other-lane"):
        one = parity.parse(found[name].data)
        assert one.member_bytes == len(members)
        assert one.parity == parities(shards[one.lane :: 3], 2)[one.index]


@pytest.mark.parametrize("m", (1, 2, 3))
def test_every_loss_of_m_shards_is_solved(m: int) -> None:
    """Of the shards and parities of a lane, any m are lost; one more is refused."""
    rng = random.Random(m)
    for count in (1, 2, 5):
        shards = [rng.randbytes(24) for _ in range(count)]
        there = parities(shards, m)
        for lost in itertools.combinations(range(count + m), m):
            solved(shards, there, set(lost))
        for lost in itertools.combinations(range(count + m), m + 1):
            if any(number < count for number in lost):
                with pytest.raises(Damaged):
                    solved(shards, there, set(lost))


def test_the_longest_lane() -> None:
    """255 shards: every two of them are told apart, by every choice of parities."""
    rng = random.Random(255)
    shards = [rng.randbytes(2) for _ in range(255)]
    there = parities(shards, 3)
    for first, second, third in ((0, 254, 127), (0, 1, 2), (252, 253, 254), (0, 85, 170)):
        solved(shards, there, {first, second, third})
        for absent in range(3):
            solved(shards, there, {first, second, 255 + absent})
            solved(shards, there, {second, third, 255 + absent})


def solved(shards: list[bytes], there: list[bytes], lost: set[int]) -> None:
    count = len(shards)
    missing = [number for number in range(count) if number in lost]
    known = [bytes(len(shards[0])) if number in lost else shard for number, shard in enumerate(shards)]
    syndromes = [
        (index, added(there[index], partial))
        for index, partial in enumerate(parities(known, len(there)))
        if count + index not in lost
    ]
    if not missing:
        return
    found = solve([count - 1 - number for number in missing], syndromes)
    assert found == [shards[number] for number in missing]


def test_scaled() -> None:
    data = bytes(range(256))
    assert scaled(data, 1) is data
    assert scaled(data, 0x8E) == bytes(product(0x8E, byte) for byte in data)


def test_shape() -> None:
    """Shards go to the lanes in turn, and behind the last the parity blocks go on in the same turn."""
    for lanes, m, shards in itertools.product((1, 3, 7), (1, 2, 3), (1, 2, 6, 7, 8, 20)):
        shape = Shape(lanes, m, 10)
        size = shards * 10 - 3
        assert [shape.lane_members(lane, size) for lane in range(lanes)] == [
            len(range(lane, shards, lanes)) for lane in range(lanes)
        ]
        turn = [shard % lanes for shard in range(shards)] + [lane for _, lane in shape.order(size)]
        assert turn == [place % lanes for place in range(shards + m * lanes)]
        assert sorted(shape.order(size)) == [(index, lane) for index in range(m) for lane in range(lanes)]
