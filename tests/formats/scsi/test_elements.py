"""Element status and addresses, built and read back; cut off anywhere."""

import contextlib

import pytest

from formats.errors import Damaged
from formats.scsi import elements
from formats.scsi.elements import Addresses, Element, Place, Range

ADDRESSES = Addresses(Range(1, 1), Range(0x1000, 23), Range(0x10, 1), Range(0x100, 2))
ELEMENTS = (
    Element(Place.TRANSPORT, 1),
    Element(Place.SLOT, 0x1000, is_full=True, barcode="TB0001L6"),
    Element(Place.SLOT, 0x1001),
    Element(Place.SLOT, 0x1002, is_full=True, exception=(0x30, 0x00), is_accessible=False),
    Element(Place.IMPORT_EXPORT, 0x10, is_full=True, barcode="CLN001CU", is_imported=True),
    Element(Place.DRIVE, 0x100, is_full=True, barcode="TB0002L6", source=0x1001, device_id="VD00000001"),
    Element(Place.DRIVE, 0x101, device_id="VD00000002"),
)


def test_addresses() -> None:
    body = elements.build_addresses(ADDRESSES)
    assert elements.parse_addresses(body) == ADDRESSES
    assert 0x1016 in ADDRESSES.of(Place.SLOT)
    assert 0x1017 not in ADDRESSES.of(Place.SLOT)
    for size in range(16):
        with pytest.raises(Damaged):
            elements.parse_addresses(body[:size])


def test_status_comes_back() -> None:
    raw = elements.build_status(ELEMENTS, with_tags=True, with_ids=True)
    assert elements.parse_status(raw) == ELEMENTS
    assert elements.parse_status(raw + bytes(40)) == ELEMENTS


def test_without_tags_or_ids() -> None:
    raw = elements.build_status(ELEMENTS, with_tags=False, with_ids=True)
    assert [one.device_id for one in elements.parse_status(raw)][-2:] == ["VD00000001", "VD00000002"]
    raw = elements.build_status(ELEMENTS, with_tags=True, with_ids=False)
    assert {one.device_id for one in elements.parse_status(raw)} == {""}
    assert elements.parse_status(raw)[1].barcode == "TB0001L6"


def test_cut_off_anywhere_there_are_fewer_and_the_same() -> None:
    raw = elements.build_status(ELEMENTS, with_tags=True, with_ids=True)
    for size in range(len(raw)):
        with contextlib.suppress(Damaged):
            found = elements.parse_status(raw[:size])
            assert [one.address for one in found] == [one.address for one in ELEMENTS[: len(found)]]


def test_a_device_id_that_is_too_short_for_what_it_says() -> None:
    """As tgt sends it: the length of the id counts eight bytes that are not there."""
    raw = bytearray(elements.build_status(ELEMENTS[-1:], with_tags=True, with_ids=True))
    raw[-11] += 8
    assert elements.parse_status(bytes(raw))[0].device_id == "VD00000002"


@pytest.mark.parametrize("kind", (0, 5, 15))
def test_pages_of_no_known_type_are_refused(kind: int) -> None:
    raw = bytearray(elements.build_status(ELEMENTS[:1], with_tags=False, with_ids=False))
    raw[8] = kind
    with pytest.raises(Damaged, match=f"type {kind}"):
        elements.parse_status(bytes(raw))
