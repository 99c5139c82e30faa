"""Sense data: why a command did not end well (SPC-4, section 4.5)."""

import dataclasses
import enum

import construct as cs

from formats.errors import Damaged
from formats.layout import Layout


class Key(enum.IntEnum):
    """The sense key: what kind of thing happened."""

    NO_SENSE = 0x0
    RECOVERED_ERROR = 0x1
    NOT_READY = 0x2
    MEDIUM_ERROR = 0x3
    HARDWARE_ERROR = 0x4
    ILLEGAL_REQUEST = 0x5
    UNIT_ATTENTION = 0x6
    DATA_PROTECT = 0x7
    BLANK_CHECK = 0x8
    VENDOR = 0x9
    COPY_ABORTED = 0xA
    ABORTED_COMMAND = 0xB
    VOLUME_OVERFLOW = 0xD
    MISCOMPARE = 0xE
    COMPLETED = 0xF


_FILEMARK, _EOM, _ILI = 0x80, 0x40, 0x20
_VALID = 0x80
_FIXED, _FIXED_DEFERRED = 0x70, 0x71
_DESCRIPTOR, _DESCRIPTOR_DEFERRED = 0x72, 0x73
_INFORMATION_DESCRIPTOR, _STREAM_DESCRIPTOR = 0x00, 0x04
_FIXED_BYTES = 18


@dataclasses.dataclass(frozen=True)
class Sense:
    """Sense data of either format.

    `information` is signed, None where it is not valid: of a read, blocks or bytes asked for minus those there;
    `is_deferred`: it speaks of an earlier command than the one that it came with.
    """

    key: int
    asc: int = 0
    ascq: int = 0
    filemark: bool = False
    eom: bool = False
    ili: bool = False
    information: int | None = None
    is_deferred: bool = False

    @property
    def code(self) -> tuple[int, int]:
        """Additional sense code and its qualifier."""
        return self.asc, self.ascq

    def __str__(self) -> str:
        """As storage engineers write it: 03/11/00."""
        return f"{self.key:02X}/{self.asc:02X}/{self.ascq:02X}" + (" (deferred)" if self.is_deferred else "")


@dataclasses.dataclass(frozen=True)
class _Fixed:
    response: int
    flags: int
    information: int
    length: int
    asc: int
    ascq: int


_FIXED_LAYOUT = Layout(
    "sense data",
    _Fixed,
    cs.Struct(
        "response" / cs.Int8ub, "segment" / cs.Default(cs.Int8ub, 0), "flags" / cs.Int8ub,
        "information" / cs.Int32sb, "length" / cs.Int8ub, "command" / cs.Default(cs.Bytes(4), bytes(4)),
        "asc" / cs.Int8ub, "ascq" / cs.Int8ub, "rest" / cs.Default(cs.Bytes(4), bytes(4)),
    ),
)  # fmt: skip


def build(sense: Sense) -> bytes:
    """Fixed-format sense data, 18 bytes. Raises TooLarge where the information needs more than 32 bits."""
    has_information = sense.information is not None
    return _FIXED_LAYOUT.build(
        _Fixed(
            (_FIXED_DEFERRED if sense.is_deferred else _FIXED) | (_VALID if has_information else 0),
            sense.key | _FILEMARK * sense.filemark | _EOM * sense.eom | _ILI * sense.ili,
            sense.information or 0, _FIXED_BYTES - 8, sense.asc, sense.ascq,
        )
    )  # fmt: skip


def build_descriptors(sense: Sense) -> bytes:
    """Descriptor-format sense data; drives use it for information of 64 bits."""
    descriptors = b""
    if sense.information is not None:
        descriptors += bytes((_INFORMATION_DESCRIPTOR, 10, _VALID, 0)) + sense.information.to_bytes(8, signed=True)
    if marks := _FILEMARK * sense.filemark | _EOM * sense.eom | _ILI * sense.ili:
        descriptors += bytes((_STREAM_DESCRIPTOR, 2, 0, marks))
    response = _DESCRIPTOR_DEFERRED if sense.is_deferred else _DESCRIPTOR
    return bytes((response, sense.key, sense.asc, sense.ascq, 0, 0, 0, len(descriptors))) + descriptors


def parse(data: "bytes | bytearray | memoryview") -> Sense:
    """Sense data as a device sent it; what a short answer leaves out counts as zero. Raises Damaged."""
    raw = bytes(data)
    response = raw[0] & 0x7F if raw else 0
    if response in (_FIXED, _FIXED_DEFERRED):
        return _parse_fixed(raw)
    if response in (_DESCRIPTOR, _DESCRIPTOR_DEFERRED):
        return _parse_descriptors(raw)
    raise Damaged(f"sense data: response code {response:02X}, expected 70 to 73")


def _parse_fixed(raw: bytes) -> Sense:
    fixed = _FIXED_LAYOUT.parse(raw.ljust(_FIXED_BYTES, b"\0"))
    return Sense(
        fixed.flags & 0x0F, fixed.asc, fixed.ascq,
        bool(fixed.flags & _FILEMARK), bool(fixed.flags & _EOM), bool(fixed.flags & _ILI),
        fixed.information if fixed.response & _VALID else None, fixed.response & 0x7F == _FIXED_DEFERRED,
    )  # fmt: skip


def _parse_descriptors(raw: bytes) -> Sense:
    head = raw.ljust(8, b"\0")
    marks, information, place = 0, None, 8
    end = min(len(raw), 8 + head[7])
    while place + 2 <= end:
        kind, size = raw[place], raw[place + 1]
        body = raw[place + 2 : min(place + 2 + size, end)]
        if kind == _INFORMATION_DESCRIPTOR and len(body) >= 10 and body[0] & _VALID:  # noqa: PLR2004 - its size
            information = int.from_bytes(body[2:10], signed=True)
        elif kind == _STREAM_DESCRIPTOR and len(body) >= 2:  # noqa: PLR2004 - its size
            marks = body[1]
        place += 2 + size
    return Sense(
        head[1] & 0x0F, head[2], head[3], bool(marks & _FILEMARK), bool(marks & _EOM), bool(marks & _ILI),
        information, head[0] & 0x7F == _DESCRIPTOR_DEFERRED,
    )  # fmt: skip
