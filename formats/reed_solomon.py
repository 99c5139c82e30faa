"""The code of SPEC.md section 10: GF(2⁸), polynomial 11D, generator 2; losses of one lane solved byte by byte.

Of a lane's K shards, parity i is the sum of 2^(i · (K - 1 - j)) · shard j: parity 0 is their XOR.
"""

from collections.abc import Sequence
from functools import lru_cache

from formats.errors import Damaged

POLYNOMIAL = 0x11D
ORDER = 255
"""Of the generator: so many elements are not 0."""
_POWERS = [1]
while len(_POWERS) < ORDER:
    _POWERS.append(_POWERS[-1] << 1 ^ POLYNOMIAL * (_POWERS[-1] >> 7))
_LOGARITHMS = {power: exponent for exponent, power in enumerate(_POWERS)}


def power(exponent: int) -> int:
    """2 to a power."""
    return _POWERS[exponent % ORDER]


def times(left: int, right: int) -> int:
    """The product of two elements."""
    return _POWERS[(_LOGARITHMS[left] + _LOGARITHMS[right]) % ORDER] if left and right else 0


def inverse(element: int) -> int:
    """What an element, not 0, gives 1 with."""
    return _POWERS[-_LOGARITHMS[element] % ORDER]


@lru_cache(256)
def _table(factor: int) -> bytes:
    return bytes(times(factor, byte) for byte in range(256))


def scaled(data: bytes, factor: int) -> bytes:
    """Every byte times a factor."""
    return data if factor == 1 else data.translate(_table(factor))


def added(*parts: bytes) -> bytes:
    """The sum of equally long parts."""
    total = 0
    for part in parts:
        total ^= int.from_bytes(part, "little")
    return total.to_bytes(len(parts[0]), "little")


def solve(exponents: Sequence[int], syndromes: Sequence[tuple[int, bytes]]) -> list[bytes]:
    """The lost shards of a lane, by their exponents K - 1 - j.

    `syndromes` are (index of a parity, that parity plus the share in it of all that is not lost), at least as many as
    there are losses. Raises Damaged where they are fewer.
    """
    lost = len(exponents)
    if lost > len(syndromes):
        raise Damaged(f"parity: {lost} shards of a lane are lost, {len(syndromes)} parity blocks of it are there")
    rows = [
        [power(index * exponent) for exponent in exponents] + [int(row == column) for column in range(lost)]
        for row, (index, _) in enumerate(syndromes[:lost])
    ]
    for column in range(lost):  # Gauss and Jordan; in this field nothing is ever rounded
        pivot = next(row for row in range(column, lost) if rows[row][column])
        rows[column], rows[pivot] = rows[pivot], rows[column]
        by = inverse(rows[column][column])
        rows[column] = [times(by, value) for value in rows[column]]
        for row in range(lost):
            if row != column and (factor := rows[row][column]):
                rows[row] = [
                    value ^ times(factor, pivot_value)
                    for value, pivot_value in zip(rows[row], rows[column], strict=True)
                ]
    return [
        added(*(scaled(data, row[lost + number]) for number, (_, data) in enumerate(syndromes[:lost]))) for row in rows
    ]
