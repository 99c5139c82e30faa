"""Delta members: the records of a part, and the map at the start of its content (SPEC.md section 11)."""

import dataclasses
import enum
import itertools
import re
import struct
from collections.abc import Iterable

import construct as cs

from formats.errors import Damaged, TooLarge
from formats.layout import Layout


class ExtentKind(enum.IntEnum):
    """Where the bytes of an extent come from."""

    LITERAL = 0
    BASE = 1
    ZEROS = 2


MOST_EXTENTS = 1 << 17
MOST_CHAIN_EXTENTS = 1 << 23
"""In the maps of all deltas of a chain together."""
MOST_PIECES = 1 << 24
"""What a chain may come to when it is resolved."""
MOST_DELTAS = 1_000


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


def count_extents(data: bytes) -> int:
    """The extents that a map claims in its first 8 bytes. Raises Damaged where it is none."""
    if data[:4] != _MAGIC:
        raise Damaged("delta map: no delta magic")
    count = int.from_bytes(data[4:_HEAD_BYTES], "big")
    if count > MOST_EXTENTS:
        raise Damaged(f"delta map: {count} extents, limit {MOST_EXTENTS}")
    return count


def parse(data: bytes, result_bytes: int | None = None) -> tuple[Extent, ...]:
    """The extents of a map. Raises Damaged where they do not add up to `result_bytes`, as far as that is known."""
    count = count_extents(data)
    if len(data) < map_bytes(count):
        raise Damaged(f"delta map: {count} extents, but only {len(data)} bytes")
    extents = tuple(itertools.starmap(Extent, _EXTENT.iter_unpack(_MAP.parse(data).extents)))
    for extent in extents:
        if extent.kind not in _KINDS:
            raise Damaged(f"delta map: unknown extent kind {extent.kind}")
        if extent.offset and extent.kind != ExtentKind.BASE:
            raise Damaged("delta map: an offset where none belongs")
    if result_bytes is not None and sum(extent.length for extent in extents) != result_bytes:
        raise Damaged(f"delta map: extents do not add up to {result_bytes} bytes")
    return extents


# --- parts -----------------------------------------------------------------------------------------------------

PATH, NUMBER, BASE, BASE_OFFSET = b"TAPEKIT.path", b"TAPEKIT.delta", b"TAPEKIT.base", b"TAPEKIT.base_offset"
AT, LAST, SHA256 = b"TAPEKIT.at", b"TAPEKIT.last", b"TAPEKIT.sha256"
_DECIMAL = re.compile(rb"[0-9]{1,19}")
_ARCHIVE = re.compile(rb"[0-9a-f]{32}")
_DIGEST = re.compile(rb"[0-9a-f]{64}")


@dataclasses.dataclass(frozen=True)
class Part:
    """What the records of a part say; `at` is where in the file it begins, `sha256` is there in the last one."""

    path: bytes
    number: int
    base: str
    base_offset: int
    at: int
    sha256: bytes | None = None

    @property
    def name(self) -> bytes:
        """The name of its tar member."""
        return b"%b.tkdelta.%08d" % (self.path, self.number)

    @property
    def is_last(self) -> bool:
        """Whether the file ends with it."""
        return self.sha256 is not None

    def records(self) -> tuple[tuple[bytes, bytes], ...]:
        """The pax records."""
        last = () if self.sha256 is None else ((LAST, b"1"), (SHA256, self.sha256.hex().encode()))
        return (
            *last, (PATH, self.path), (NUMBER, b"%d" % self.number), (BASE, self.base.encode()),
            (BASE_OFFSET, b"%d" % self.base_offset), (AT, b"%d" % self.at),
        )  # fmt: skip


def part_of(records: Iterable[tuple[bytes, bytes]]) -> Part | None:
    """The part that a member's records tell of; None where the member is no delta. Raises Damaged."""
    found = dict(records)
    if NUMBER not in found:
        return None
    digest = _text(found, SHA256, _DIGEST) if found.get(LAST) == b"1" else None
    path = found.get(PATH, b"").rstrip(b"/")
    if not path or b"\0" in path:
        raise Damaged("delta: a part without a path")
    number = _number(found, NUMBER)
    if number < 1:
        raise Damaged(f"delta: a part with number {number}")
    return Part(
        path, number, _text(found, BASE, _ARCHIVE), _number(found, BASE_OFFSET), _number(found, AT),
        None if digest is None else bytes.fromhex(digest),
    )  # fmt: skip


def _number(records: dict[bytes, bytes], key: bytes) -> int:
    value = int(_text(records, key, _DECIMAL))
    if value >= 1 << 63:
        raise Damaged(f"delta: {key.decode()} is over 63 bits")
    return value


def _text(records: dict[bytes, bytes], key: bytes, pattern: re.Pattern[bytes]) -> str:
    value = records.get(key, b"")
    if not pattern.fullmatch(value):
        raise Damaged(f"delta: {key.decode()} is {value[:80]!r}")
    return value.decode()
