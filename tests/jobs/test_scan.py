"""A scan finds the cartridge whose label it is, and no other."""

import pytest

from formats.barcode import Scan
from tapekit.jobs.scan import Elsewhere, Labels, known_names, take_stock
from tapekit.model import Cartridge, Place, Stock

STOCK = Stock((
    Cartridge("TAP001", "1"), Cartridge("TAP002L6", "2"), Cartridge("TAP002", "3", place=Place.HOME),
    Cartridge("TAP003L6", "4", place=Place.LOST), Cartridge("WED-1", "5"),
))  # fmt: skip


def test_a_shelf() -> None:
    found = take_stock(("TAP001L6", "TAP002L6", "TAP003L6", "CLN001CU", "TAP009L6"), STOCK, Place.SHELF)
    assert found.there == ("TAP001", "TAP002L6")
    assert found.missing == ("WED-1",)
    assert found.unknown == ("TAP009L6",)
    assert found.elsewhere == (Elsewhere("TAP003L6", Place.LOST),)
    assert not found.is_right
    assert take_stock(("TAP002",), STOCK, Place.HOME).is_right


@pytest.mark.parametrize(
    ("text", "is_taken"),
    (("TAP077L6", True), ("WED-1", True), ("ED-1", False), ("TAP077", False), ("R-01", True), ("CLN001CU", True)),
)
def test_which_texts_are_labels(text: str, is_taken: bool) -> None:  # noqa: FBT001
    labels = Labels(known_names(STOCK, [("R-01", "R-02")]))
    assert (labels.judged(Scan(text)) == Scan(text)) is is_taken
    assert Labels(takes_any=True).judged(Scan(text)) == Scan(text)
    refused = Scan(text, "noise")
    assert labels.judged(refused) == refused
