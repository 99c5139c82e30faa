"""What is in the drives is told for whatever is in them, and nothing there is an error."""

import dataclasses
import datetime
from pathlib import Path

import pytest

from drivers import image
from drivers.base import Position
from drivers.errors import BlankMedium
from drivers.recordlog.drive import RecordLogDrive
from tapekit.cartridge.cartridge import open_cartridge
from tapekit.errors import CartridgeError
from tapekit.jobs import label
from tapekit.jobs.nightly.reach import Found, InDrive, look
from tapekit.model import Cartridge, Copy, Place, Rung, Stock
from tests.jobs.cartridges import evidences, new_image

UTC = datetime.UTC
NO_STOCK = Stock(())


def seen(path: Path, stock: Stock = NO_STOCK) -> InDrive:
    (found,) = look([("rdx", f"image:{path}")], stock, evidences())
    assert found.name == "rdx"
    return found


@pytest.mark.parametrize(
    ("content", "found"),
    ((None, Found.NOTHING), (bytes(8 << 20), Found.BLANK), (b"PK\x03\x04" + bytes(8 << 20), Found.FOREIGN)),
)
def test_no_cartridge(tmp_path: Path, content: bytes | None, found: Found) -> None:
    path = tmp_path / "c.tkc"
    if content is not None:
        path.write_bytes(content)
    assert seen(path).found is found
    assert seen(path).words


def test_a_directory_is_no_drive(tmp_path: Path) -> None:
    assert seen(tmp_path).found is Found.NO_DRIVE


def test_a_damaged_label(tmp_path: Path) -> None:
    made = new_image(tmp_path / "c.tkc")
    content = bytearray(made.path.read_bytes())
    content[content.index(b"TKBLOCK1\x01") + 140] ^= 1
    made.path.write_bytes(content)
    assert seen(made.path).found is Found.DAMAGED


def test_a_cartridge_tells_of_itself_and_the_catalog_of_its_past(tmp_path: Path) -> None:
    made = new_image(tmp_path / "c.tkc")
    (tmp_path / "source").mkdir()
    first = made.back_up(tmp_path / "source", job="office")
    made.verify()
    second = made.back_up(tmp_path / "source", job="office")
    found = seen(made.path)
    assert found.cartridge is not None
    assert (found.cartridge.name, found.cartridge.place, found.cartridge.is_locked) == ("WED-1", Place.DRIVE, False)
    assert [(c.archive, c.job, c.is_verified) for c in found.cartridge.copies] == [
        (first.archive, "office", True),
        (second.archive, "office", False),
    ]
    at = datetime.datetime(2026, 3, 1, tzinfo=UTC)
    copy = dataclasses.replace(found.cartridge.copies[1], evidence=((Rung.SAMPLE_RESTORED, at),))
    known = dataclasses.replace(found.cartridge, copies=(copy,), is_locked=True, loads=7, place=Place.HOME)
    again = seen(made.path, Stock((known,))).cartridge
    assert again is not None
    assert (again.is_locked, again.loads, again.place) == (True, 7, Place.DRIVE)
    assert [c.highest and c.highest[0] for c in again.copies] == [Rung.READ_BACK, Rung.SAMPLE_RESTORED]


def test_a_new_label_forgets_what_the_catalog_knew_of_the_old_one(tmp_path: Path) -> None:
    made = new_image(tmp_path / "c.tkc")
    at = datetime.datetime(2026, 3, 1, tzinfo=UTC)
    old = Copy("a" * 32, "office", at.date(), at, at, 2, "complete")
    found = seen(made.path, Stock((Cartridge("WED-1", "b" * 32, copies=(old,), loads=3),))).cartridge
    assert found is not None
    assert (found.copies, found.loads) == ((), 3)


def test_a_file_that_cannot_be_created_is_looked_at_without_making_it(tmp_path: Path) -> None:
    image.create(str(tmp_path / "c.tkc"), 8 << 20)
    before = (tmp_path / "c.tkc").read_bytes()
    assert seen(tmp_path / "c.tkc").found is Found.BLANK
    assert (tmp_path / "c.tkc").read_bytes() == before


@pytest.mark.parametrize("has_label", (False, True))
def test_a_labelling_that_was_cut_off_leaves_a_blank_medium(tmp_path: Path, *, has_label: bool) -> None:
    made = new_image(tmp_path / "c.tkc")
    with made.drive(writable=True) as drive:
        block = drive.read_block()
        assert isinstance(block, bytes)
        drive.format({})
        if has_label:
            drive.write_block(block)
            drive.write_filemark()
            drive.write_block(b"a part of the kit")
    assert seen(made.path).found is Found.BLANK
    (tmp_path / "source").mkdir()
    with pytest.raises((BlankMedium, CartridgeError)):
        made.back_up(tmp_path / "source")
    with made.drive(writable=True) as drive:
        label.run(drive, barcode="WED-1", pool=None, block_bytes=None, destroy=None)
    assert seen(made.path).found is Found.CARTRIDGE


def test_what_the_catalog_knows_archives_of_is_never_blank(tmp_path: Path) -> None:
    made = new_image(tmp_path / "c.tkc")
    with made.drive(writable=True) as drive:
        name = open_cartridge(drive).label
        drive.rewind()
        block = drive.read_block()
        assert isinstance(block, bytes)
        drive.format({})
        drive.write_block(block)
        drive.write_filemark()
    assert name is not None
    at = datetime.datetime(2026, 3, 1, tzinfo=UTC)
    copy = Copy("a" * 32, "office", at.date(), at, at, 2, "complete")
    known = Stock((Cartridge("WED-1", name.cartridge, copies=(copy,)),))
    found = seen(made.path, known)
    assert (found.found, "1 archives are known to be on it" in str(found.words)) == (Found.DAMAGED, True)
    assert seen(made.path).found is Found.BLANK


def test_a_drive_that_counts_files_wrong_makes_no_cartridge_blank(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = new_image(tmp_path / "c.tkc")
    monkeypatch.setattr(RecordLogDrive, "position", lambda _drive: Position(0, 0))
    assert seen(made.path).found is Found.CARTRIDGE
