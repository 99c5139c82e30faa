"""Parity payloads and delta maps (formats/SPEC.md sections 10 and 11)."""

import struct

from fixtures.vectors import DAMAGED, OK, Vector

_MEMBERS = ((7, 4), (9, 8), (11, 5))
_SHARD = 8


def _power(exponent: int) -> int:
    """2 to the power in GF(2⁸), polynomial 11D."""
    value = 1
    for _ in range(exponent):
        value = value << 1 ^ (0x11D if value & 0x80 else 0)
    return value


def _times(left: int, right: int) -> int:
    product = 0
    for bit in range(8):
        if right >> bit & 1:
            product ^= left
        left = left << 1 ^ (0x11D if left & 0x80 else 0)
    return product


def _inverse(value: int) -> int:
    return next(other for other in range(256) if _times(value, other) == 1)


def _coefficients(k: int, m: int) -> list[list[int]]:
    """Rows k … k + m - 1 of G, as section 10 says."""
    rows = [[int(column == 0) for column in range(k)]]
    rows += [[_power((row - 1) * column % 255) for column in range(k)] for row in range(1, k + m)]
    # G = V · (V's first k rows)⁻¹: reduce those rows to the identity by operations on columns.
    for pivot in range(k):
        swap = next(column for column in range(pivot, k) if rows[pivot][column])
        for row in rows:
            row[pivot], row[swap] = row[swap], row[pivot]
        factor = _inverse(rows[pivot][pivot])
        for row in rows:
            row[pivot] = _times(row[pivot], factor)
        for column in range(k):
            scale = rows[pivot][column]
            if column != pivot and scale:
                for row in rows:
                    row[column] ^= _times(scale, row[pivot])
    return rows[k:]


def encode(shards: list[bytes], m: int) -> list[bytes]:
    """The parity shards of equally long shards."""
    result = []
    for row in _coefficients(len(shards), m):
        parity = bytearray(len(shards[0]))
        for factor, shard in zip(row, shards, strict=True):
            for place, byte in enumerate(shard):
                parity[place] ^= _times(factor, byte)
        result.append(bytes(parity))
    return result


def _payload(  # noqa: PLR0913 - as many as it has fields
    *, magic: bytes = b"TKP1", k: int | None = None, m: int = 2, index: int = 0, reserved: int = 0,
    shard: int | None = None, members: tuple[tuple[int, int], ...] = _MEMBERS, parity: bytes = bytes(_SHARD),
) -> bytes:  # fmt: skip
    head = struct.pack(
        ">4sBBBBI", magic, len(members) if k is None else k, m, index, reserved, len(parity) if shard is None else shard
    )
    return head + b"".join(struct.pack(">QI", *member) for member in members) + parity


def _map(*extents: tuple[int, int, int], magic: bytes = b"TKD1", n: int | None = None) -> bytes:
    head = struct.pack(">4sI", magic, len(extents) if n is None else n)
    return head + b"".join(struct.pack(">BQQ", *extent) for extent in extents)


def _parity(name: str, expect: str, why: str, data: bytes, *fields: tuple[str, str]) -> Vector:
    return Vector(f"parity-{name}", "parity payload", expect, why, data, fields)


def _delta(name: str, expect: str, why: str, data: bytes, *fields: tuple[str, str], canonical: bool = True) -> Vector:
    return Vector(f"delta-{name}", "delta map", expect, why, data, fields, (("size", "100"),), canonical)


_STORED = (b"abcd", b"\x80\x01\xff\x00efgh", b"12345")
_PARITY = encode([stored.ljust(_SHARD, b"\0") for stored in _STORED], 2)
_WHOLE = ((1, 60, 4096), (0, 30, 0), (2, 10, 0))

RECOVERY: tuple[Vector, ...] = (
    _parity("first", OK, "of the blocks 61626364, 8001ff0065666768 and 3132333435", _payload(parity=_PARITY[0]),
            ("m", "2"), ("index", "0"), ("members.0.sequence", "7"), ("members.0.stored_bytes", "4"),
            ("members.2.sequence", "11"), ("parity", _PARITY[0].hex())),
    _parity("second", OK, "of the same blocks", _payload(index=1, parity=_PARITY[1]),
            ("index", "1"), ("parity", _PARITY[1].hex())),
    _parity("largest", OK, "255 members, one parity block", _payload(m=1, members=_MEMBERS[:1] * 255),
            ("members.254.sequence", "7")),
    _parity("empty", DAMAGED, "no bytes", b""),
    _parity("magic", DAMAGED, "another magic", _payload(magic=b"TKP2")),
    _parity("no-members", DAMAGED, "no members", _payload(members=())),
    _parity("no-parity", DAMAGED, "no parity blocks", _payload(m=0)),
    _parity("index", DAMAGED, "the third of two", _payload(index=2)),
    _parity("too-many", DAMAGED, "k + m over 256", _payload(members=_MEMBERS[:1] * 255)),
    _parity("reserved", DAMAGED, "byte 7 not zero", _payload(reserved=1)),
    _parity("k-too-large", DAMAGED, "claims a member more than it lists", _payload(k=4)),
    _parity("k-255", DAMAGED, "claims 255 members", _payload(k=255, m=1)),
    _parity("shard-giant", DAMAGED, "claims a shard of 4 GiB", _payload(shard=2**32 - 1)),
    _parity("shard-short", DAMAGED, "a byte of the shard missing", _payload()[:-1]),
    _parity("shard-long", DAMAGED, "a byte behind the shard", _payload() + b"\0"),
    _parity("member-too-large", DAMAGED, "a member larger than the shard", _payload(members=((7, 9),))),
    _delta("good", OK, "an extent of each kind", _map(*_WHOLE), ("0.kind", "1"), ("0.length", "60"),
           ("0.offset", "4096"), ("1.kind", "0"), ("2.kind", "2"), ("2.length", "10")),
    _delta("literals-behind", OK, "with the literals that follow it", _map(*_WHOLE) + bytes(30), ("1.length", "30"),
           canonical=False),
    _delta("base-only", OK, "the whole base", _map((1, 100, 0)), ("0.length", "100")),
    _delta("far", OK, "from far into the base", _map((1, 100, 2**64 - 1)), ("0.offset", str(2**64 - 1))),
    _delta("empty", DAMAGED, "no bytes", b""),
    _delta("magic", DAMAGED, "another magic", _map(*_WHOLE, magic=b"TKD2")),
    _delta("n-too-large", DAMAGED, "claims an extent more than it lists", _map(*_WHOLE, n=4)),
    _delta("n-giant", DAMAGED, "claims 4,294,967,295 extents", _map(*_WHOLE, n=2**32 - 1)),
    _delta("cut", DAMAGED, "cut off", _map(*_WHOLE)[:-1]),
    _delta("kind", DAMAGED, "an unknown kind", _map((3, 100, 0))),
    _delta("offset-literal", DAMAGED, "an offset of a literal", _map((0, 100, 1))),
    _delta("offset-zeros", DAMAGED, "an offset of zeros", _map((2, 100, 1))),
    _delta("sum-short", DAMAGED, "extents that do not reach the size", _map((1, 99, 0))),
    _delta("sum-long", DAMAGED, "extents beyond the size", _map((1, 100, 0), (2, 1, 0))),
    _delta("sum-wraps", DAMAGED, "extents whose sum is right in 64 bits alone",
           _map((2, 2**64 - 1, 0), (2, 101, 0))),
)  # fmt: skip
