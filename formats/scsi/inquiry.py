"""INQUIRY: what a device is (SPC-4, sections 6.6 and 7.8)."""

import dataclasses
import enum

import construct as cs

from formats.errors import Damaged
from formats.layout import Layout

STANDARD_BYTES = 36
SERIAL_PAGE = 0x80
IDENTIFIERS_PAGE = 0x83
SEQUENTIAL_PAGE = 0xB0
MANUFACTURER_SERIAL_PAGE = 0xB1
ELEMENT_ADDRESS_PAGE = 0xB4
SUPPORTED_PAGES = 0x00

_REMOVABLE = 0x80


class DeviceType(enum.IntEnum):
    """Peripheral device types that this project meets."""

    DISK = 0x00
    TAPE = 0x01
    CHANGER = 0x08


@dataclasses.dataclass(frozen=True)
class Inquiry:
    """The standard answer."""

    device_type: int
    vendor: str
    model: str
    revision: str
    is_removable: bool = True
    version: int = 6


@dataclasses.dataclass(frozen=True)
class _Standard:
    device_type: int
    removable: int
    version: int
    vendor: bytes
    model: bytes
    revision: bytes


_STANDARD = Layout(
    "inquiry",
    _Standard,
    cs.Struct(
        "device_type" / cs.Int8ub, "removable" / cs.Int8ub, "version" / cs.Int8ub,
        "format" / cs.Default(cs.Int8ub, 2), "additional" / cs.Default(cs.Int8ub, STANDARD_BYTES - 5),
        "flags" / cs.Default(cs.Bytes(3), b"\0\0\2"),
        "vendor" / cs.Bytes(8), "model" / cs.Bytes(16), "revision" / cs.Bytes(4),
    ),
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Page:
    """A page of vital product data."""

    device_type: int
    code: int
    body: bytes


_PAGE_HEAD_BYTES = 4


def build(inquiry: Inquiry) -> bytes:
    """The standard answer. Raises TooLarge where a name is too long."""
    return _STANDARD.build(
        _Standard(
            inquiry.device_type, _REMOVABLE * inquiry.is_removable, inquiry.version,
            inquiry.vendor.encode("ascii").ljust(8), inquiry.model.encode("ascii").ljust(16),
            inquiry.revision.encode("ascii").ljust(4),
        )
    )  # fmt: skip


def parse(data: bytes) -> Inquiry:
    """Raises Damaged where the answer is too short."""
    raw = _STANDARD.parse(data)
    return Inquiry(
        raw.device_type & 0x1F, text(raw.vendor), text(raw.model), text(raw.revision),
        bool(raw.removable & _REMOVABLE), raw.version,
    )  # fmt: skip


def build_page(page: Page) -> bytes:
    """A page with its head."""
    return bytes((page.device_type, page.code)) + len(page.body).to_bytes(2) + page.body


def parse_page(data: bytes) -> Page:
    """Raises Damaged where the answer is too short for what it says."""
    if len(data) < _PAGE_HEAD_BYTES:
        raise Damaged(f"inquiry page: {len(data)} bytes")
    size = int.from_bytes(data[2:4])
    return Page(data[0] & 0x1F, data[1], bytes(data[_PAGE_HEAD_BYTES : _PAGE_HEAD_BYTES + size]))


def serial(page: Page) -> str:
    """The serial number of pages 80 and B1."""
    return text(page.body)


def text(raw: bytes) -> str:
    """A field of text: padded with spaces or zeros, in ASCII; what is not printable becomes a question mark."""
    plain = raw.decode("ascii", "replace").split("\0")[0].strip()
    return "".join(letter if letter.isprintable() and letter.isascii() else "?" for letter in plain)
