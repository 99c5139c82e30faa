"""Medium auxiliary memory: the chip in a cartridge (SPC-4, section 7.4; SSC-4, annexes)."""

import dataclasses
import enum

from formats.errors import Damaged
from formats.scsi.inquiry import text

VALUES, ATTRIBUTE_LIST = 0x00, 0x01
_HEAD_BYTES = 4
_ATTRIBUTE_HEAD_BYTES = 5
_READ_ONLY = 0x80


class Coding(enum.IntEnum):
    """How an attribute's bytes are meant."""

    BINARY = 0
    ASCII = 1
    TEXT = 2


@dataclasses.dataclass(frozen=True)
class Known:
    """An attribute that the standard names: id, what tapekit calls it, coding, size in bytes."""

    id: int
    name: str
    coding: Coding
    size: int


REMAINING_MIB = 0x0000
MAXIMUM_MIB = 0x0001
LOAD_COUNT = 0x0003
MAKER = 0x0400
SERIAL = 0x0401
MEDIUM_TYPE = 0x0408
APPLICATION_VENDOR = 0x0800
APPLICATION_NAME = 0x0801
APPLICATION_VERSION = 0x0802
USER_LABEL = 0x0803
BARCODE = 0x0806
HOST = 0x0807
POOL = 0x0808

KNOWN = (
    Known(REMAINING_MIB, "remaining_mib", Coding.BINARY, 8),
    Known(MAXIMUM_MIB, "maximum_mib", Coding.BINARY, 8),
    Known(0x0002, "tape_alert", Coding.BINARY, 8),
    Known(LOAD_COUNT, "load_count", Coding.BINARY, 8),
    Known(0x0005, "assigning_organization", Coding.ASCII, 8),
    Known(0x020A, "last_drive", Coding.ASCII, 40),
    Known(0x020B, "last_drive_1", Coding.ASCII, 40),
    Known(0x020C, "last_drive_2", Coding.ASCII, 40),
    Known(0x020D, "last_drive_3", Coding.ASCII, 40),
    Known(0x0220, "lifetime_mib_written", Coding.BINARY, 8),
    Known(0x0221, "lifetime_mib_read", Coding.BINARY, 8),
    Known(0x0222, "last_load_mib_written", Coding.BINARY, 8),
    Known(0x0223, "last_load_mib_read", Coding.BINARY, 8),
    Known(MAKER, "maker", Coding.ASCII, 8),
    Known(SERIAL, "serial", Coding.ASCII, 32),
    Known(0x0402, "length_m", Coding.BINARY, 4),
    Known(0x0405, "density", Coding.BINARY, 1),
    Known(0x0406, "made_on", Coding.ASCII, 8),
    Known(MEDIUM_TYPE, "medium_type", Coding.BINARY, 1),
    Known(APPLICATION_VENDOR, "application_vendor", Coding.ASCII, 8),
    Known(APPLICATION_NAME, "application_name", Coding.ASCII, 32),
    Known(APPLICATION_VERSION, "application_version", Coding.ASCII, 8),
    Known(USER_LABEL, "user_label", Coding.TEXT, 160),
    Known(BARCODE, "barcode", Coding.ASCII, 32),
    Known(HOST, "host", Coding.TEXT, 80),
    Known(POOL, "pool", Coding.TEXT, 160),
    Known(0x080C, "coherency", Coding.BINARY, 0),
)
BY_ID = {known.id: known for known in KNOWN}


@dataclasses.dataclass(frozen=True)
class Attribute:
    """An attribute and its bytes."""

    id: int
    value: bytes
    coding: int = Coding.BINARY
    is_read_only: bool = False

    @property
    def name(self) -> str:
        """What tapekit calls it; the number of one that it does not know."""
        known = BY_ID.get(self.id)
        return known.name if known else f"{self.id:04X}"

    @property
    def shown(self) -> int | str:
        """A number, or text, as it is meant."""
        if self.coding == Coding.BINARY:
            return int.from_bytes(self.value)
        if self.coding == Coding.TEXT:
            return self.value.decode("utf-8", "replace").split("\0")[0].rstrip()
        return text(self.value)


def written(attribute_id: int, value: str) -> Attribute:
    """A text attribute for the chip, cut and padded to its size."""
    known = BY_ID[attribute_id]
    raw = value.encode("utf-8" if known.coding is Coding.TEXT else "ascii", "replace")[: known.size]
    pad = b"\0" if known.coding is Coding.TEXT else b" "
    whole = raw.decode("utf-8", "ignore").encode("utf-8") if known.coding is Coding.TEXT else raw
    return Attribute(attribute_id, whole.ljust(known.size, pad), known.coding)


def build(attributes: tuple[Attribute, ...]) -> bytes:
    """The values with their head: an answer to READ ATTRIBUTE, or the list for WRITE ATTRIBUTE."""
    body = b"".join(
        one.id.to_bytes(2) + bytes((_READ_ONLY * one.is_read_only | one.coding,)) + len(one.value).to_bytes(2)
        + one.value for one in attributes
    )  # fmt: skip
    return len(body).to_bytes(4) + body


def parse(data: bytes) -> tuple[Attribute, ...]:
    """What whole attributes are there. Raises Damaged where there is not even a head."""
    if len(data) < _HEAD_BYTES:
        raise Damaged(f"medium memory: {len(data)} bytes")
    place, end = _HEAD_BYTES, min(len(data), _HEAD_BYTES + int.from_bytes(data[:4]))
    found = []
    while place + _ATTRIBUTE_HEAD_BYTES <= end:
        size = int.from_bytes(data[place + 3 : place + 5])
        first = place + _ATTRIBUTE_HEAD_BYTES
        if first + size > end:
            break
        flags = data[place + 2]
        number = int.from_bytes(data[place : place + 2])
        found.append(Attribute(number, bytes(data[first : first + size]), flags & 3, bool(flags & _READ_ONLY)))
        place = first + size
    return tuple(found)


def build_list(ids: tuple[int, ...]) -> bytes:
    """The ids of the attributes that there are."""
    return (2 * len(ids)).to_bytes(4) + b"".join(one.to_bytes(2) for one in ids)


def parse_list(data: bytes) -> tuple[int, ...]:
    """Raises Damaged where there is not even a head."""
    if len(data) < _HEAD_BYTES:
        raise Damaged(f"medium memory: {len(data)} bytes")
    end = min(len(data), _HEAD_BYTES + int.from_bytes(data[:4]))
    return tuple(int.from_bytes(data[place : place + 2]) for place in range(_HEAD_BYTES, end - 1, 2))
