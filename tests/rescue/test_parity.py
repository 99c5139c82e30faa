"""Archives that tapekit wrote with parity, damaged, and given back by the kit as if nothing had happened."""

import dataclasses
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tapekit.blocks import parity as writing
from tapekit.cartridge.cartridge import open_cartridge
from tapekit.jobs import backup, sample
from tapekit.keys.seal import Recipients
from tapekit.progress import Silent
from tapekit.rescue import rescue as kit
from tests.jobs.cartridges import Image, Place, evidences, new_image, places, request, restored
from tests.jobs.test_damage import flip_bit, make_source, snapshot, zero_block, zero_record
from tests.keys.people import pair, write_key
from tests.rescue.kit import FINE, FULL, LOSSES, contents, rescue

STRETCH_BYTES = (10 << 20) // 64


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kit-parity")


@pytest.fixture(scope="module")
def source(folder: Path) -> Path:
    return make_source(folder / "source", 1)


@pytest.fixture(scope="module")
def whole(folder: Path, source: Path) -> Image:
    """A cartridge with two archives, one compressed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAPEKIT_STATE", str(folder / "state"))
        image = new_image(folder / "whole.tkc", 16 << 20)
        for compression in ("none", "zstd"):
            image.back_up(source, compression=compression, parity=True)
    return image


@pytest.fixture
def copy(whole: Image, tmp_path: Path) -> Callable[[], Image]:
    def make() -> Image:
        shutil.copyfile(whole.path, tmp_path / "c.tkc")
        return Image(tmp_path / "c.tkc")

    return make


def blocks(image: Image, file: int) -> list[Place]:
    return [place for place in places(image.path) if place.file == file]


def check(image: Image, source: Path, archive: int, to: Path, case: object) -> str:
    """The archive comes back whole; what the kit said."""
    run = rescue("restore", image.path, "--to", to, "--archive", str(archive))
    assert run.code == FINE, (case, run.err)
    assert snapshot(restored(to, source)) == snapshot(source), case
    shutil.rmtree(to)
    return run.err


def test_what_is_whole(whole: Image, source: Path, tmp_path: Path) -> None:
    for archive in (1, 2):
        assert "corrected" not in check(whole, source, archive, tmp_path / "to", archive)
    run = rescue("check", whole.path)
    assert (run.code, "corrected" in run.err) == (FINE, False), run.err


def test_one_block(copy: Callable[[], Image], source: Path, tmp_path: Path) -> None:
    """Header, data, catalog, both trailers, parity."""
    image = copy()
    there = blocks(image, 2)
    for number in (0, 1, len(there) // 4, len(there) - 40, len(there) - 1):
        (flip_bit, zero_block, zero_record)[number % 3](image.path, there[number])
        check(image, source, 1, tmp_path / "to", number)
        run = rescue("check", image.path)
        assert (run.code, "corrected" in run.err) == (FINE, True), (number, run.err)
        image = copy()


@pytest.mark.long
def test_every_block(copy: Callable[[], Image], source: Path, tmp_path: Path) -> None:
    image = copy()
    for file in (2, 3):
        for place in blocks(image, file):
            (flip_bit, zero_block, zero_record)[place.block % 3](image.path, place)
            run = rescue("check", image.path)
            assert (run.code, "corrected" in run.err) == (FINE, True), (place, run.err)
            if place.block % 5 == 0:
                check(image, source, file - 1, tmp_path / "to", place)
            image = copy()


def test_a_stretch(copy: Callable[[], Image], source: Path, tmp_path: Path) -> None:
    image = copy()
    first, last = blocks(image, 2)[0], blocks(image, 3)[-1]
    end = last.content + last.size_bytes - STRETCH_BYTES
    for start in (first.record + 50_000, end):
        with image.path.open("r+b") as file:
            file.seek(start)
            file.write(b"\xee" * STRETCH_BYTES)
        run = rescue("check", image.path)
        assert "damaged" not in run.out, (start, run.err)
        for archive in (1, 2):
            to = tmp_path / "to"
            run = rescue("restore", image.path, "--to", to, "--archive", str(archive))
            assert snapshot(restored(to, source)) == snapshot(source), (start, run.err)
            shutil.rmtree(to)
        image = copy()


def test_a_group_that_is_beyond_it_is_read_once(
    copy: Callable[[], Image], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All its parity lost, and single blocks: the group is not read again for each of them."""
    image = copy()
    there = blocks(image, 2)
    for place in (*there[3:20:3], *there[-70:-2]):
        zero_block(image.path, place)
    tried: list[kit.Repair] = []

    def members(repair: kit.Repair) -> dict[int, bytes]:
        tried.append(repair)
        return {}

    monkeypatch.setattr(kit.Repair, "members", members)
    assert kit.run(kit.parse_arguments(["check", str(image.path)]), kit.Report()) == LOSSES
    assert len(tried) <= 2  # for the trailer, and for the first block


def test_several_groups(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A block of each, with the trailer and its copy, which is in the last group."""
    monkeypatch.setenv("TAPEKIT_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(writing, "K", 2)
    larger = tmp_path / "source"
    shutil.copytree(source, larger, symlinks=True)
    (larger / "large").write_bytes(os.urandom(600_000))
    image = new_image(tmp_path / "c.tkc", 16 << 20)
    image.back_up(larger, parity=True)
    with image.drive() as drive:
        (segment,) = open_cartridge(drive).segments()
        parity = segment.header.parity if segment.header else None
    assert parity is not None
    there = blocks(image, 2)
    copy_of_the_trailer = len(there) - parity.shape.parity_blocks - 2
    for number in (3, copy_of_the_trailer, len(there) - 1):
        zero_record(image.path, there[number])
    assert len(image.verify().corrected) == 3
    run = rescue("check", image.path)
    assert (run.code, run.err.count("corrected")) == (FINE, 4), run.err
    check(image, larger, 1, tmp_path / "to", "several groups")


def test_what_is_beyond_it_is_named(copy: Callable[[], Image], source: Path, tmp_path: Path) -> None:
    image = copy()
    there = blocks(image, 2)
    for place in [there[3], *there[-60:-1]]:
        zero_block(image.path, place)
    run = rescue("restore", image.path, "--to", tmp_path / "to", "--archive", "1")
    assert run.code == LOSSES
    original = {path.name: path.read_bytes() for path in source.rglob("*") if path.is_file()}
    for name, content in contents(tmp_path / "to").items():
        if not name.endswith(".damaged"):
            assert original[os.path.basename(name)] == content


def test_encrypted(folder: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks are corrected before anything is opened; the header with its slots is."""
    monkeypatch.setenv("TAPEKIT_STATE", str(tmp_path / "state"))
    write_key(tmp_path / "key")
    image = new_image(tmp_path / "c.tkc", 16 << 20)
    wanted = dataclasses.replace(
        request(source, compression="zstd", parity=True), recipients=Recipients((pair().public_line,))
    )
    with image.drive(writable=True) as drive:
        done = backup.run(drive, wanted, Silent(), evidences())
    there = blocks(image, 2)
    for number in (0, 3, len(there) - 1):
        zero_record(image.path, there[number])
    assert image.verify().ok
    with image.drive() as drive:
        taken = sample.take(drive, done.archive, 3, done.opener)
    assert sample.run(taken) == 3  # by the kit on the cartridge, the keys through a pipe
    run = rescue("check", image.path, python=FULL)
    assert "corrected" in run.err
