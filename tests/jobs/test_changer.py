"""What jobs do with a changer: cleaning, and bringing the cartridge that an archive goes on on."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.changer import virtual
from drivers.changer.changer import Changer
from drivers.virtual.changer import ChangerUnit, Plan, add, make
from formats.scsi.elements import Element, Place
from tapekit.jobs.changer import clean


@pytest.fixture
def changer(tmp_path: Path) -> Iterator[Changer]:
    """Two drives, four slots: two cartridges, and one for cleaning in slot 4."""
    folder = tmp_path / "changer"
    make(folder, Plan(drives=2, slots=4), ("TB0001L6", "TB0002L6"), 16 * 10**6)
    add(folder, "CLN001CU", "slot-4")
    opened = virtual.open_changer(str(folder))
    yield opened
    opened.close()


def full(changer: Changer) -> list[str]:
    found = changer.inventory()
    return [spot.name for spot in (*found.drives, *found.slots) if spot.element.is_full]


def test_what_was_in_the_drive_comes_back_also_without_a_barcode(
    changer: Changer, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = ChangerUnit._element

    def unread(self: ChangerUnit, place: Place, address: int) -> Element:
        found = of(self, place, address)
        return dataclasses.replace(found, barcode="") if found.barcode == "TB0001L6" else found

    monkeypatch.setattr(ChangerUnit, "_element", unread)
    changer.load(1)
    assert clean(changer, 0).element.barcode == "CLN001CU"
    assert full(changer) == ["drive 0", "slot 2", "slot 4"]
