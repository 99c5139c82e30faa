"""What a changer says of its places: element addresses (mode page 1D) and READ ELEMENT STATUS (SMC-3, 6.10, 7.3.4)."""

import dataclasses
import enum

from formats.errors import Damaged
from formats.scsi.inquiry import text

ADDRESS_PAGE = 0x1D
HEAD_BYTES = 8
_TAG_BYTES = 36
_TAG_TEXT_BYTES = 32
_FIXED_BYTES = 12
_HAS_TAG, _HAS_ALTERNATE_TAG = 0x80, 0x40
_FULL, _IMPORT_EXPORT, _EXCEPTION, _ACCESS = 0x01, 0x02, 0x04, 0x08
_SOURCE_VALID, _INVERTED = 0x80, 0x40
_ID_HEAD_BYTES = 4
_ASCII_SERIAL = (2, 0)
"""Code set ASCII, type vendor specific: how drives are named by their serial number."""


class Place(enum.IntEnum):
    """Types of elements."""

    TRANSPORT = 1
    SLOT = 2
    IMPORT_EXPORT = 3
    DRIVE = 4


@dataclasses.dataclass(frozen=True)
class Range:
    """Addresses of the elements of a type: the first, and how many."""

    first: int
    count: int

    def __contains__(self, address: object) -> bool:
        """Whether an address is one of them."""
        return isinstance(address, int) and self.first <= address < self.first + self.count


@dataclasses.dataclass(frozen=True)
class Addresses:
    """Mode page 1D: which addresses there are."""

    transport: Range
    slots: Range
    import_export: Range
    drives: Range

    def of(self, place: Place) -> Range:
        """The addresses of a type."""
        return {
            Place.TRANSPORT: self.transport, Place.SLOT: self.slots, Place.IMPORT_EXPORT: self.import_export,
            Place.DRIVE: self.drives,
        }[place]  # fmt: skip


def build_addresses(addresses: Addresses) -> bytes:
    """The body of page 1D."""
    ranges = (addresses.transport, addresses.slots, addresses.import_export, addresses.drives)
    return b"".join(one.first.to_bytes(2) + one.count.to_bytes(2) for one in ranges) + bytes(2)


def parse_addresses(body: bytes) -> Addresses:
    """Raises Damaged where the page is too short."""
    if len(body) < 16:  # noqa: PLR2004 - four pairs
        raise Damaged(f"element addresses: {len(body)} bytes")
    pairs = [Range(int.from_bytes(body[at : at + 2]), int.from_bytes(body[at + 2 : at + 4])) for at in range(0, 16, 4)]
    return Addresses(*pairs)


@dataclasses.dataclass(frozen=True)
class Element:
    """A place of a changer, and what is in it."""

    place: Place
    address: int
    is_full: bool = False
    barcode: str = ""
    is_accessible: bool = True
    is_imported: bool = False
    """Put there by a hand, not by the robot."""
    exception: tuple[int, int] | None = None
    """Sense code and qualifier where something is wrong with it: 83/xx, barcode not read, and so on."""
    source: int | None = None
    """Address of the slot that its cartridge came from."""
    device_id: str = ""
    """Serial number of a drive, where the changer tells it."""


def build_status(elements: tuple[Element, ...], *, with_tags: bool, with_ids: bool) -> bytes:
    """The answer to READ ELEMENT STATUS: its head, and a page for each type."""
    pages, first = b"", min((one.address for one in elements), default=0)
    for place in Place:
        chosen = [one for one in elements if one.place is place]
        if chosen:
            pages += _page(place, chosen, with_tags=with_tags, with_ids=with_ids)
    return first.to_bytes(2) + len(elements).to_bytes(2) + bytes(1) + len(pages).to_bytes(3) + pages


def _page(place: Place, elements: list[Element], *, with_tags: bool, with_ids: bool) -> bytes:
    bodies = [_descriptor(one, with_tags=with_tags, with_ids=with_ids) for one in elements]
    size = max(map(len, bodies))
    whole = b"".join(body.ljust(size, b"\0") for body in bodies)
    head = bytes((place, _HAS_TAG * with_tags)) + size.to_bytes(2) + bytes(1) + len(whole).to_bytes(3)
    return head + whole


def _descriptor(one: Element, *, with_tags: bool, with_ids: bool) -> bytes:
    flags = (
        _FULL * one.is_full | _IMPORT_EXPORT * one.is_imported | _EXCEPTION * (one.exception is not None)
        | _ACCESS * one.is_accessible
    )  # fmt: skip
    asc, ascq = one.exception or (0, 0)
    source = bytes((_SOURCE_VALID,)) + one.source.to_bytes(2) if one.source is not None else bytes(3)
    body = one.address.to_bytes(2) + bytes((flags, 0, asc, ascq, 0, 0, 0)) + source
    if with_tags:
        body += one.barcode.encode("ascii").ljust(_TAG_TEXT_BYTES)[:_TAG_TEXT_BYTES] + bytes(4)
    if with_ids:
        serial = one.device_id.encode("ascii")
        body += bytes((*_ASCII_SERIAL, 0, len(serial))) + serial
    return body


def parse_status(data: bytes) -> tuple[Element, ...]:
    """What whole descriptors are there, of all pages. Raises Damaged where there is not even a head.

    A device id that is cut short (tgt gives eight bytes too few) is taken as far as it goes.
    """
    if len(data) < HEAD_BYTES:
        raise Damaged(f"element status: {len(data)} bytes")
    end = min(len(data), HEAD_BYTES + int.from_bytes(data[5:8]))
    at = HEAD_BYTES
    found: list[Element] = []
    while at + HEAD_BYTES <= end:
        kind, flags = data[at] & 0x0F, data[at + 1]
        size, whole = int.from_bytes(data[at + 2 : at + 4]), int.from_bytes(data[at + 5 : at + 8])
        first, last = at + HEAD_BYTES, min(end, at + HEAD_BYTES + whole)
        if size < _FIXED_BYTES or kind not in tuple(Place):
            raise Damaged(f"element status: a page of type {kind} with descriptors of {size} bytes")
        places = range(first, last - _FIXED_BYTES + 1, size)
        found += [_parsed(Place(kind), flags, data[place : min(place + size, last)]) for place in places]
        at = first + whole
    return tuple(found)


def _parsed(place: Place, flags: int, raw: bytes) -> Element:
    at = _FIXED_BYTES
    barcode = ""
    if flags & _HAS_TAG:
        barcode = text(raw[at : at + _TAG_TEXT_BYTES])
        at += _TAG_BYTES
    if flags & _HAS_ALTERNATE_TAG:
        at += _TAG_BYTES
    identifier = raw[at + _ID_HEAD_BYTES : at + _ID_HEAD_BYTES + raw[at + 3]] if len(raw) > at + 3 else b""
    state = raw[2]
    return Element(
        place, int.from_bytes(raw[:2]), bool(state & _FULL), barcode if state & _FULL else "",
        bool(state & _ACCESS) or place is Place.TRANSPORT, bool(state & _IMPORT_EXPORT),
        (raw[4], raw[5]) if state & _EXCEPTION else None,
        int.from_bytes(raw[10:12]) if raw[9] & _SOURCE_VALID else None, text(identifier),
    )  # fmt: skip
