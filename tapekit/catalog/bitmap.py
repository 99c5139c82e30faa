"""Which versions an archive holds: bitmaps over the numbers of versions, in compressed chunks.

chunk c, bit i (of byte i // 8, the lowest bit first)  ->  version c * VERSIONS + i
"""

import sys
import zlib
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

VERSIONS = 8192
"""Versions of a chunk: a kibibyte before it is compressed."""
_BITS = [tuple(bit for bit in range(8) if byte >> bit & 1) for byte in range(256)]
_LEVEL = 6


def pack(versions: Iterable[int]) -> dict[int, bytes]:
    """Compressed bitmaps by chunk."""
    plain: dict[int, bytearray] = defaultdict(lambda: bytearray(VERSIONS // 8))
    for version in versions:
        chunk, bit = divmod(version, VERSIONS)
        plain[chunk][bit >> 3] |= 1 << (bit & 7)
    return {chunk: zlib.compress(bitmap, _LEVEL) for chunk, bitmap in plain.items()}


def unpack(chunk: int, bitmap: bytes) -> Iterator[int]:
    """The versions of a chunk in ascending order."""
    first = chunk * VERSIONS
    for number, byte in enumerate(zlib.decompress(bitmap)):
        if byte:
            base = first + number * 8
            for bit in _BITS[byte]:
                yield base + bit


def union(bitmaps: Iterable[bytes]) -> bytes:
    """What any of some bitmaps of one chunk holds."""
    together = 0
    for bitmap in bitmaps:
        together |= int.from_bytes(zlib.decompress(bitmap), "little")
    return zlib.compress(together.to_bytes(VERSIONS // 8, "little"), _LEVEL)


def held(bitmap: bytes, versions: Sequence[int]) -> list[int]:
    """Which of some versions of one chunk are in its bitmap."""
    plain = zlib.decompress(bitmap)
    return [v for v in versions if plain[v % VERSIONS >> 3] >> (v & 7) & 1]


def pack_numbers(numbers: "array[int]") -> bytes:
    """Numbers of 64 bits, as compressed differences."""
    before, differences = 0, array("Q")
    for number in numbers:
        differences.append((number - before) & 0xFFFF_FFFF_FFFF_FFFF)
        before = number
    return zlib.compress(_little(differences).tobytes(), _LEVEL)


def unpack_numbers(packed: bytes) -> Iterator[int]:
    """The numbers again."""
    differences, number = array("Q"), 0
    differences.frombytes(zlib.decompress(packed))
    for difference in _little(differences):
        number = (number + difference) & 0xFFFF_FFFF_FFFF_FFFF
        yield number


def _little(numbers: "array[int]") -> "array[int]":
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers
