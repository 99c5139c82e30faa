"""What jobs do with a changer: cleaning, and bringing the cartridge that an archive goes on on."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.base import Drive, Identity
from drivers.changer import virtual
from drivers.changer.changer import Changer
from drivers.changer.pairing import is_other, why_other
from drivers.errors import DriveError
from drivers.tape import virtual as tape
from drivers.virtual.changer import ChangerUnit, Plan, add, make
from formats.scsi.elements import Element, Place
from tapekit.jobs import changer_label, label
from tapekit.jobs.changer import FromChanger, clean
from tapekit.jobs.next_cartridge import Asked, anything


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


def brings(folder: Path, number: int, said: list[str], drive: int = 0) -> FromChanger:
    def open_drive(writable: bool) -> Drive:  # noqa: FBT001 - the shape that is asked for
        return tape.open_drive(f"{folder}/drive-{drive}", writable=writable)

    return FromChanger(lambda: virtual.open_changer(str(folder)), number, open_drive, said.append)


def test_nothing_is_brought_into_another_drive(changer: Changer, tmp_path: Path) -> None:
    folder, said = tmp_path / "changer", list[str]()
    before = full(changer)
    finished = tape.open_drive(f"{folder}/drive-0", writable=True)
    asked = Asked("ab" * 16, "backup", 1, is_to_write=True, check=anything)
    assert brings(folder, 1, said).next(finished, asked) is None
    assert "number = 0 is the right one" in said[0]
    with pytest.raises(DriveError, match="number = 0 is the right one"):
        list(changer_label.run(changer, 1, lambda: tape.open_drive(f"{folder}/drive-0", writable=False), None))
    assert full(changer) == before


def test_what_is_not_called_as_its_barcode_is_not_written(changer: Changer, tmp_path: Path) -> None:
    folder, said = tmp_path / "changer", list[str]()
    for slot, name in (("TB0001L6", "OTHER"), ("TB0002L6", "TB0002")):
        changer.load(slot)
        drive = tape.open_drive(f"{folder}/drive-0", writable=True)
        label.run(drive, barcode=name, pool=None, block_bytes=None, destroy=None)
        drive.close()
    changer.unload()
    finished = tape.open_drive(f"{folder}/drive-0", writable=True)
    bring = brings(folder, 0, said)
    found = bring.next(finished, Asked("ab" * 16, "backup", 1, is_to_write=True, check=anything))
    assert found is not None
    assert "cartridge OTHER is in" in said[0]
    assert found.medium().barcode == "TB0002"
    bring.close()


@pytest.mark.parametrize(
    ("told", "serial", "other"),
    (
        ("90WT000001", "90WT000001", False), ("IBM     ULT3580-HH8     90WT000001", "90WT000001", False),
        ("IBM     ULT3580-HH8     90WT000002", "90WT000001", True), ("90WT00", "90WT000001", False),
        ("IBM     ULT3580-HH8", "90WT000001", False), ("", "90WT000001", False), ("90WT000001", "", False),
    ),
)  # fmt: skip
def test_two_serial_numbers_that_disagree(changer: Changer, told: str, serial: str, *, other: bool) -> None:
    found = changer.inventory()
    spot = dataclasses.replace(found.drives[0], element=dataclasses.replace(found.drives[0].element, device_id=told))
    who = Identity("/dev/sg1", "IBM", "ULT3580-HH8", serial)
    assert is_other(spot, who) is other
    assert bool(why_other(dataclasses.replace(found, drives=(spot,)), 0, who, "tape:/dev/nst0")) is other
