"""The map at the start of a delta member's content (SPEC.md section 11)."""

import dataclasses
import enum
import itertools
import struct

import construct as cs

from formats.errors import Damaged, TooLarge
from formats.layout import Layout


class ExtentKind(enum.IntEnum):
    """Where the bytes of an extent come from."""

    LITERAL = 0
    BASE = 1
    ZEROS = 2


MOST_EXTENTS = 1 << 17


@dataclasses.dataclass(frozen=True, slots=True)
class Extent:
    """A stretch of the result; `offset` is in the base's content, 0 unless the kind is BASE."""

    kind: int
    length: int
    offset: int = 0


@dataclasses.dataclass(frozen=True)
class _Map:
    n: int
    extents: bytes


_MAGIC = b"TKD1"
_EXTENT = struct.Struct(">BQQ")
_MAP = Layout(
    "delta map",
    _Map,
    cs.Struct("magic" / cs.Const(_MAGIC), "n" / cs.Int32ub, "extents" / cs.Bytes(cs.this.n * _EXTENT.size)),
)
_HEAD_BYTES = 8
_KINDS = frozenset(ExtentKind)


def build(extents: tuple[Extent, ...]) -> bytes:
    """The map's bytes. Raises TooLarge where a number does not fit, or there are too many extents."""
    if len(extents) > MOST_EXTENTS:
        raise TooLarge(f"delta map: {len(extents)} extents, limit {MOST_EXTENTS}")
    try:
        packed = b"".join(_EXTENT.pack(extent.kind, extent.length, extent.offset) for extent in extents)
    except struct.error as error:
        raise TooLarge(f"delta map: a value does not fit: {error}") from error
    return _MAP.build(_Map(len(extents), packed))


def map_bytes(count: int) -> int:
    """Bytes of a map with `count` extents."""
    return _HEAD_BYTES + count * _EXTENT.size


def parse(data: bytes, result_bytes: int) -> tuple[Extent, ...]:
    """The extents of a map. Raises Damaged where they do not add up to `result_bytes`."""
    if data[:4] != _MAGIC:
        raise Damaged("delta map: no delta magic")
    count = int.from_bytes(data[4:_HEAD_BYTES], "big")
    if count > MOST_EXTENTS:
        raise Damaged(f"delta map: {count} extents, limit {MOST_EXTENTS}")
    if len(data) < map_bytes(count):
        raise Damaged(f"delta map: {count} extents, but only {len(data)} bytes")
    extents = tuple(itertools.starmap(Extent, _EXTENT.iter_unpack(_MAP.parse(data).extents)))
    for extent in extents:
        if extent.kind not in _KINDS:
            raise Damaged(f"delta map: unknown extent kind {extent.kind}")
        if extent.offset and extent.kind != ExtentKind.BASE:
            raise Damaged("delta map: an offset where none belongs")
    if sum(extent.length for extent in extents) != result_bytes:
        raise Damaged(f"delta map: extents do not add up to {result_bytes} bytes")
    return extents
