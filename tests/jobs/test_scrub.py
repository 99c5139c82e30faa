"""A whole cartridge read: what was good, what was corrected, what is lost, and where."""

from pathlib import Path

import pytest

from tapekit.jobs import scrub
from tapekit.jobs.scrub import FileMap
from tapekit.progress import Silent
from tapekit.scrubs import Advice, Scrubs
from tests.jobs.cartridges import Image, new_image, places
from tests.jobs.test_damage import make_source, zero_block, zero_record


@pytest.fixture
def image(tmp_path: Path) -> Image:
    made = new_image(tmp_path / "c.tkc", 16 << 20)
    source = make_source(tmp_path / "source", 1)
    made.back_up(source, parity=True)
    made.back_up(source)
    return made


def scrubbed(image: Image, tmp_path: Path) -> scrub.Result:
    with image.drive() as drive:
        return scrub.run(drive, Silent(), Scrubs(tmp_path / "scrubs"))


def test_a_good_cartridge(image: Image, tmp_path: Path) -> None:
    result = scrubbed(image, tmp_path)
    assert (result.advised.advice, result.corrected, result.lost, result.before) == (Advice.GOOD, [], [], [])
    assert [each.file for each in result.files] == [0, 2, 3]
    assert {letter for each in result.files for letter in each.blocks} == {"."}
    assert result.scrub.blocks == len(list(places(image.path)))
    assert len(scrubbed(image, tmp_path).before) == 1


def test_corrected_and_lost(image: Image, tmp_path: Path) -> None:
    """In an archive with parity, and in one without."""
    there = list(places(image.path))
    protected = [place for place in there if place.file == 2]
    bare = [place for place in there if place.file == 3]
    zero_record(image.path, protected[4])
    result = scrubbed(image, tmp_path)
    assert result.files[1].blocks[4] == "c"
    assert result.files[1].blocks.count("c") == 1
    assert not result.lost
    assert result.advised.advice in (Advice.WATCH, Advice.RETIRE)
    zero_block(image.path, bare[2])
    result = scrubbed(image, tmp_path)
    assert result.files[2].blocks[2] == "X"
    assert [(file, block) for file, block, _ in result.lost] == [(3, 2)]
    assert result.advised.advice is Advice.RETIRE


def test_label_and_kit(image: Image, tmp_path: Path) -> None:
    there = list(places(image.path))
    zero_block(image.path, next(place for place in there if place.file == 1))
    result = scrubbed(image, tmp_path)
    assert [file for file, _, _ in result.lost] == [1]
    zero_block(image.path, there[0])
    assert {file for file, _, _ in scrubbed(image, tmp_path).lost} >= {0}


def test_cells() -> None:
    assert FileMap(2, "..c....X.").cells(100) == "..c....X."
    assert FileMap(2, "..c....X.").cells(3) == "c.X"
    assert FileMap(2, "." * 1000 + "c").cells(240)[-1] == "c"
    assert len(FileMap(2, "." * 1000 + "c").cells(240)) <= 240
