"""Answers of tape drives: position, block limits, densities (SSC-4, sections 6 and 7)."""

import dataclasses

import construct as cs

from formats.errors import Damaged
from formats.layout import Layout

SHORT_POSITION_BYTES = 20
LONG_POSITION_BYTES = 32
LIMITS_BYTES = 6
DENSITY_BYTES = 52

_BEGINNING, _EARLY_WARNING = 0x80, 0x40
_SHORT_UNKNOWN, _BYTES_UNKNOWN = 0x04, 0x10
_LONG_FILE_UNKNOWN, _LONG_UNKNOWN, _PROGRAMMABLE = 0x08, 0x04, 0x01


@dataclasses.dataclass(frozen=True)
class TapePosition:
    """Where the drive stands: objects (blocks and filemarks) and filemarks before it; None: it does not know."""

    object: int | None
    file: int | None
    partition: int = 0
    is_beginning: bool = False
    is_early_warning: bool = False
    is_programmable_early_warning: bool = False


@dataclasses.dataclass(frozen=True)
class _Long:
    flags: int
    partition: int
    object: int
    file: int


_LONG = Layout(
    "tape position",
    _Long,
    cs.Struct(
        "flags" / cs.Int8ub, "reserved_1" / cs.Default(cs.Bytes(3), bytes(3)), "partition" / cs.Int32ub,
        "object" / cs.Int64ub, "file" / cs.Int64ub, "set" / cs.Default(cs.Int64ub, 0),
    ),
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class _Short:
    flags: int
    partition: int
    first: int
    last: int
    buffered_objects: int
    buffered_bytes: int


_SHORT = Layout(
    "tape position",
    _Short,
    cs.Struct(
        "flags" / cs.Int8ub, "partition" / cs.Int8ub, "reserved_2" / cs.Default(cs.Bytes(2), bytes(2)),
        "first" / cs.Int32ub, "last" / cs.Int32ub, "reserved_12" / cs.Default(cs.Bytes(1), bytes(1)),
        "buffered_objects" / cs.Int24ub, "buffered_bytes" / cs.Int32ub,
    ),
)  # fmt: skip


def build_long(position: TapePosition) -> bytes:
    """The long form (service action 06), 32 bytes."""
    flags = (
        _BEGINNING * position.is_beginning | _EARLY_WARNING * position.is_early_warning
        | _LONG_FILE_UNKNOWN * (position.file is None) | _LONG_UNKNOWN * (position.object is None)
        | _PROGRAMMABLE * position.is_programmable_early_warning
    )  # fmt: skip
    return _LONG.build(_Long(flags, position.partition, position.object or 0, position.file or 0))


def parse_long(data: bytes) -> TapePosition:
    """Raises Damaged where the answer is too short."""
    raw = _LONG.parse(data)
    is_unknown = bool(raw.flags & _LONG_UNKNOWN)
    return TapePosition(
        None if is_unknown else raw.object, None if is_unknown or raw.flags & _LONG_FILE_UNKNOWN else raw.file,
        raw.partition, bool(raw.flags & _BEGINNING), bool(raw.flags & _EARLY_WARNING),
        bool(raw.flags & _PROGRAMMABLE),
    )  # fmt: skip


def build_short(position: TapePosition, *, buffered_objects: int = 0, buffered_bytes: int = 0) -> bytes:
    """The short form (service action 00), 20 bytes: the place for the host, and the one on the medium behind it.

    Raises TooLarge behind object 2³².
    """
    flags = (
        _BEGINNING * position.is_beginning | _EARLY_WARNING * position.is_early_warning
        | _SHORT_UNKNOWN * (position.object is None)
    )  # fmt: skip
    place = position.object or 0
    return _SHORT.build(
        _Short(flags, position.partition, place, place - buffered_objects, buffered_objects, buffered_bytes)
    )


def parse_short(data: bytes) -> TapePosition:
    """Raises Damaged where the answer is too short. It does not tell files."""
    raw = _SHORT.parse(data)
    return TapePosition(
        None if raw.flags & _SHORT_UNKNOWN else raw.first, None, raw.partition, bool(raw.flags & _BEGINNING),
        bool(raw.flags & _EARLY_WARNING),
    )  # fmt: skip


def parse_buffered(data: bytes) -> int | None:
    """Of the short form: bytes in the drive's buffer; None where it does not tell. Raises Damaged."""
    raw = _SHORT.parse(data)
    return None if raw.flags & _BYTES_UNKNOWN else raw.buffered_bytes


@dataclasses.dataclass(frozen=True)
class BlockLimits:
    """The smallest and the largest block that the drive takes, in bytes (READ BLOCK LIMITS, SSC-4, section 7.4)."""

    largest_bytes: int
    smallest_bytes: int
    granularity: int = 0
    """Block sizes are multiples of 2 to this power."""


_LIMITS = Layout(
    "block limits",
    BlockLimits,
    cs.Struct("granularity" / cs.Int8ub, "largest_bytes" / cs.Int24ub, "smallest_bytes" / cs.Int16ub),
)


def build_limits(limits: BlockLimits) -> bytes:
    """6 bytes."""
    return _LIMITS.build(limits)


def parse_limits(data: bytes) -> BlockLimits:
    """Raises Damaged where the answer is too short."""
    found = _LIMITS.parse(data)
    return dataclasses.replace(found, granularity=found.granularity & 0x1F)


@dataclasses.dataclass(frozen=True)
class Density:
    """A recording format (REPORT DENSITY SUPPORT, SSC-4, section 7.5)."""

    code: int
    name: str
    description: str = ""
    organization: str = "LTO-CVE"
    is_writable: bool = True
    is_default: bool = False
    capacity_mb: int = 0


@dataclasses.dataclass(frozen=True)
class _Density:
    primary: int
    secondary: int
    flags: int
    capacity_mb: int
    organization: bytes
    name: bytes
    description: bytes


_WRITABLE, _DEFAULT = 0x80, 0x20
_DENSITY = Layout(
    "density",
    _Density,
    cs.Struct(
        "primary" / cs.Int8ub, "secondary" / cs.Int8ub, "flags" / cs.Int8ub,
        "length" / cs.Default(cs.Int16ub, 0), "bits_per_mm" / cs.Default(cs.Int24ub, 0),
        "width" / cs.Default(cs.Int16ub, 127), "tracks" / cs.Default(cs.Int16ub, 0), "capacity_mb" / cs.Int32ub,
        "organization" / cs.Bytes(8), "name" / cs.Bytes(8), "description" / cs.Bytes(20),
    ),
)  # fmt: skip


def build_densities(densities: tuple[Density, ...]) -> bytes:
    """The report with its head."""
    body = b"".join(
        _DENSITY.build(
            _Density(
                one.code, one.code, _WRITABLE * one.is_writable | _DEFAULT * one.is_default, one.capacity_mb,
                one.organization.encode().ljust(8), one.name.encode().ljust(8), one.description.encode().ljust(20),
            )
        )
        for one in densities
    )  # fmt: skip
    return (len(body) + 2).to_bytes(2) + bytes(2) + body


def parse_densities(data: bytes) -> tuple[Density, ...]:
    """What whole descriptors are there. Raises Damaged where there is not even a head."""
    if len(data) < 4:  # noqa: PLR2004 - its head
        raise Damaged(f"densities: {len(data)} bytes")
    end = min(len(data), 2 + int.from_bytes(data[:2]))
    found = []
    for place in range(4, end - DENSITY_BYTES + 1, DENSITY_BYTES):
        raw = _DENSITY.parse(data[place : place + DENSITY_BYTES])
        found.append(
            Density(
                raw.primary, _text(raw.name), _text(raw.description), _text(raw.organization),
                bool(raw.flags & _WRITABLE), bool(raw.flags & _DEFAULT), raw.capacity_mb,
            )
        )  # fmt: skip
    return tuple(found)


def _text(raw: bytes) -> str:
    return raw.decode("ascii", "replace").rstrip(" \0")
