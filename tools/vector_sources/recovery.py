"""Parity payloads, delta maps and the records of a delta's parts (formats/SPEC.md sections 10 and 11)."""

import struct

from fixtures.vectors import DAMAGED, OK, Vector
from tools.vector_sources.blocks import block

_SHARD = 64


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


def encode(members: bytes, lanes: int, m: int, shard: int = _SHARD) -> dict[tuple[int, int], bytes]:
    """Of a group whose members, joined, are these bytes: parity by index and lane, as section 10 says."""
    shards = [members[place : place + shard].ljust(shard, b"\0") for place in range(0, len(members), shard)]
    result = {}
    for index in range(m):
        for lane in range(lanes):
            parity, mine = bytearray(shard), shards[lane::lanes]
            for number, content in enumerate(mine):
                factor = _power(index * (len(mine) - 1 - number))
                for place, byte in enumerate(content):
                    parity[place] ^= _times(factor, byte)
            result[index, lane] = bytes(parity)
    return result


def _payload(  # noqa: PLR0913 - as many as it has fields
    *, magic: bytes = b"TKP1", m: int = 2, index: int = 0, lanes: int = 3, lane: int = 1, reserved: int = 0,
    shard: int | None = None, size: int = 300, members: int = 2, first: int = 7, parity: bytes = bytes(_SHARD),
) -> bytes:  # fmt: skip
    shard = len(parity) if shard is None else shard
    return struct.pack(">4sBBHHHIIIQ", magic, m, index, lanes, lane, reserved, shard, size, members, first) + parity


def _map(*extents: tuple[int, int, int], magic: bytes = b"TKD1", n: int | None = None) -> bytes:
    head = struct.pack(">4sI", magic, len(extents) if n is None else n)
    return head + b"".join(struct.pack(">BQQ", *extent) for extent in extents)


def _parity(name: str, expect: str, why: str, data: bytes, *fields: tuple[str, str]) -> Vector:
    return Vector(f"parity-{name}", "parity payload", expect, why, data, fields)


_PART = {
    "last": b"1", "sha256": b"cd" * 32, "path": b"d/f", "delta": b"1", "base": b"ab" * 16, "base_offset": b"512",
    "at": b"0",
}  # fmt: skip


def _part(
    name: str, expect: str, why: str, *fields: tuple[str, str], canonical: bool = True, **changes: bytes | None
) -> Vector:
    """The records of a part, some of them others or left out."""
    data = b""
    for key, value in (_PART | changes).items():
        if value is not None:
            text = b"TAPEKIT.%b=%b\n" % (key.encode(), value)
            length = next(n for n in range(len(text), len(text) + 9) if n == len(b"%d " % n) + len(text))
            data += b"%d %b" % (length, text)
    return Vector(f"delta-part-{name}", "delta part", expect, why, data, fields, canonical=canonical)


def _delta(name: str, expect: str, why: str, data: bytes, *fields: tuple[str, str], canonical: bool = True) -> Vector:
    return Vector(f"delta-{name}", "delta map", expect, why, data, fields, (("size", "100"),), canonical)


_STORED = block(b"abcd", group=3, sequence=7) + block(bytes(range(40)), group=3, sequence=8, parity_offset=132)
_PARITY = encode(_STORED, 3, 2)
_WHOLE = ((1, 60, 4096), (0, 30, 0), (2, 10, 0))

RECOVERY: tuple[Vector, ...] = (
    _parity("first", OK, "of two blocks with 44 bytes of content: their XOR",
            _payload(parity=_PARITY[0, 1]), ("shape.m", "2"), ("shape.lanes", "3"), ("shape.shard_bytes", "64"),
            ("index", "0"), ("lane", "1"), ("first_sequence", "7"), ("members", "2"), ("member_bytes", "300"),
            ("parity", _PARITY[0, 1].hex())),
    _parity("second", OK, "of the same blocks", _payload(index=1, parity=_PARITY[1, 1]),
            ("index", "1"), ("parity", _PARITY[1, 1].hex())),
    _parity("other-lane", OK, "of the same blocks", _payload(index=1, lane=2, parity=_PARITY[1, 2]),
            ("lane", "2"), ("parity", _PARITY[1, 2].hex())),
    _parity("most-members", OK, "255 shards in each lane, three parity blocks of a lane",
            _payload(m=3, index=2, size=255 * 3 * _SHARD), ("member_bytes", "48960")),
    _parity("empty", DAMAGED, "no bytes", b""),
    _parity("magic", DAMAGED, "another magic", _payload(magic=b"TKP2")),
    _parity("no-members", DAMAGED, "no members", _payload(members=0)),
    _parity("no-parity", DAMAGED, "no parity blocks", _payload(m=0)),
    _parity("no-lanes", DAMAGED, "no lanes", _payload(lanes=0, lane=0)),
    _parity("shard-63", DAMAGED, "shards of 63 bytes", _payload(parity=bytes(63))),
    _parity("m-4", DAMAGED, "four parity blocks of a lane", _payload(m=4)),
    _parity("index", DAMAGED, "the third of two", _payload(index=2)),
    _parity("lane", DAMAGED, "the fourth of three lanes", _payload(lane=3)),
    _parity("reserved", DAMAGED, "byte 11 not zero", _payload(reserved=1)),
    _parity("too-many", DAMAGED, "a byte over 255 shards in each lane", _payload(size=255 * 3 * _SHARD + 1)),
    _parity("members-too-many", DAMAGED, "members shorter than their headers", _payload(members=3)),
    _parity("members-giant", DAMAGED, "claims 2 ** 32 - 1 members", _payload(members=2**32 - 1)),
    _parity("lanes-giant", DAMAGED, "claims parity of over 64 MiB for its group", _payload(
        lanes=0xFFFF, parity=bytes(513))),
    _parity("shard-giant", DAMAGED, "claims a shard of 4 GiB", _payload(shard=2**32 - 1)),
    _parity("shard-short", DAMAGED, "a byte of the shard missing", _payload()[:-1]),
    _parity("shard-long", DAMAGED, "a byte behind the shard", _payload() + b"\0"),
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
    _part("last", OK, "the last part", ("path", b"d/f".hex()), ("number", "1"), ("base_offset", "512"),
          ("sha256", "cd" * 32)),
    _part("first", OK, "the first of several", ("sha256", "null"), last=None, sha256=None),
    _part("far", OK, "far into a file", ("at", str(2**63 - 1)), delta=b"99999999", at=b"%d" % (2**63 - 1)),
    _part("no-number", DAMAGED, "no number", delta=None),
    _part("number-0", DAMAGED, "number 0", delta=b"0"),
    _part("number-negative", DAMAGED, "a negative number", delta=b"-1"),
    _part("no-path", DAMAGED, "no path", path=None),
    _part("path-nul", DAMAGED, "a NUL in the path", path=b"a\0b"),
    _part("base-short", DAMAGED, "a base that is no id", base=b"ab" * 15),
    _part("base-upper-case", DAMAGED, "an id in capitals", base=b"AB" * 16),
    _part("no-base-offset", DAMAGED, "no place of the base", base_offset=None),
    _part("at-63-bits", DAMAGED, "a place over 63 bits", at=b"%d" % 2**63),
    _part("at-hexadecimal", DAMAGED, "a place that is no decimal", at=b"0x10"),
    _part("last-without-digest", DAMAGED, "the last part without the digest", sha256=None),
)  # fmt: skip
