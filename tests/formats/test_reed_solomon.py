"""The parity of SPEC.md section 10, by a second way than the vectors' own: interpolation, with no matrix inverted.

Row r ≥ 1 of V evaluates at 2^(r - 1) the polynomial whose coefficients a column vector holds, row 0 at 0. So G maps the
values at 0, 1, 2, 4, … (the shards) to the values at the next powers of two (the parity).
"""

import itertools
import random

from fixtures import vectors
from formats import parity

POWERS = [1]
while len(POWERS) < 255:
    POWERS.append(POWERS[-1] << 1 ^ (0x11D if POWERS[-1] & 0x80 else 0))
LOGARITHMS = {power: exponent for exponent, power in enumerate(POWERS)}


def times(left: int, right: int) -> int:
    return POWERS[(LOGARITHMS[left] + LOGARITHMS[right]) % 255] if left and right else 0


def over(left: int, right: int) -> int:
    return POWERS[(LOGARITHMS[left] - LOGARITHMS[right]) % 255] if left else 0


def point(row: int) -> int:
    return POWERS[(row - 1) % 255] if row else 0


def rebuilt(known: dict[int, bytes], row: int) -> bytes:
    """The shard or parity of a row of G from any k others (Lagrange)."""
    result = bytearray(len(next(iter(known.values()))))
    for mine, shard in known.items():
        factor = 1
        for other in known.keys() - {mine}:
            factor = times(factor, over(point(row) ^ point(other), point(mine) ^ point(other)))
        for place, byte in enumerate(shard):
            result[place] ^= times(factor, byte)
    return bytes(result)


def test_vectors() -> None:
    found = {v.name: v for v in vectors.load() if v.structure == "parity payload" and v.expect == vectors.OK}
    stored = (b"abcd", b"\x80\x01\xff\x00efgh", b"12345")
    known = {row: shard.ljust(8, b"\0") for row, shard in enumerate(stored)}
    for index, name in enumerate(("parity-first", "parity-second")):
        block = parity.parse(found[name].data)
        assert block.index == index
        assert [member.stored_bytes for member in block.members] == [len(shard) for shard in stored]
        assert block.parity == rebuilt(known, 3 + index)


def test_any_k_of_k_and_m_rebuild_the_rest() -> None:
    k, m = 4, 3
    rng = random.Random(10)
    rows = {row: rng.randbytes(20) for row in range(k)}
    rows |= {row: rebuilt({r: rows[r] for r in range(k)}, row) for row in range(k, k + m)}
    for chosen in itertools.combinations(rows, k):
        known = {row: rows[row] for row in chosen}
        assert all(rebuilt(known, row) == rows[row] for row in rows.keys() - known.keys())


def test_known_answer() -> None:
    """Computed with zfec 1.6, Encoder(5, 8): the same field, the same matrix."""
    shards = ("c1435605b43d", "32d961abc164", "b24aee74d4c8", "1cc1dc9dd770", "f93e58916a18")
    known = {row: bytes.fromhex(shard) for row, shard in enumerate(shards)}
    assert [rebuilt(known, row).hex() for row in (5, 6, 7)] == ["66d15f5fe8bf", "cff1b0e7eb37", "b8253f0f5ecb"]
