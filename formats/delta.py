"""The map at the start of a delta member's content (SPEC.md section 11)."""

import dataclasses
import enum

import construct as cs

from formats.errors import Damaged
from formats.layout import Layout


class ExtentKind(enum.IntEnum):
    """Where the bytes of an extent come from."""

    LITERAL = 0
    BASE = 1
    ZEROS = 2


@dataclasses.dataclass(frozen=True)
class Extent:
    """A stretch of the result; `offset` is in the base's content, 0 unless the kind is BASE."""

    kind: int
    length: int
    offset: int = 0


@dataclasses.dataclass(frozen=True)
class _Map:
    n: int
    extents: list[dict[str, int]]


_EXTENT = cs.Struct("kind" / cs.Int8ub, "length" / cs.Int64ub, "offset" / cs.Int64ub)
_MAP = Layout(
    "delta map",
    _Map,
    cs.Struct("magic" / cs.Const(b"TKD1"), "n" / cs.Int32ub, "extents" / cs.Array(cs.this.n, _EXTENT)),
)
_HEAD_BYTES = 8


def build(extents: tuple[Extent, ...]) -> bytes:
    """The map's bytes."""
    return _MAP.build(_Map(len(extents), [dataclasses.asdict(extent) for extent in extents]))


def map_bytes(count: int) -> int:
    """Bytes of a map with `count` extents."""
    return _HEAD_BYTES + count * int(_EXTENT.sizeof())


def parse(data: bytes, result_bytes: int) -> tuple[Extent, ...]:
    """The extents of a map. Raises Damaged where they do not add up to `result_bytes`."""
    count = int.from_bytes(data[4:_HEAD_BYTES], "big")
    if len(data) < map_bytes(count):
        raise Damaged(f"delta map: {count} extents, but only {len(data)} bytes")
    raw = _MAP.parse(data)
    extents = tuple(Extent(item["kind"], item["length"], item["offset"]) for item in raw.extents)
    for extent in extents:
        if extent.kind not in frozenset(ExtentKind):
            raise Damaged(f"delta map: unknown extent kind {extent.kind}")
        if extent.offset and extent.kind != ExtentKind.BASE:
            raise Damaged("delta map: an offset where none belongs")
    if sum(extent.length for extent in extents) != result_bytes:
        raise Damaged(f"delta map: extents do not add up to {result_bytes} bytes")
    return extents
