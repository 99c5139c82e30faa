"""Parity on a cartridge: damage costs nothing, is said, and what costs something is named."""

import contextlib
import dataclasses
import io
import itertools
import os
import shutil
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from formats import block
from formats.block import BlockHeader, Kind
from formats.segment import ABORTED
from tapekit.blocks.correct import correcting
from tapekit.errors import MediumFull
from tapekit.jobs import backup, duplicate, export, listing, repair, verify
from tapekit.patterns import Patterns
from tapekit.progress import Silent
from tests.jobs.cartridges import Image, Place, evidences, new_image, places, request, restored
from tests.jobs.test_damage import flip_bit, make_source, snapshot, zero_block, zero_record

IMAGE_BYTES = 16 << 20
STRETCH_BYTES = (10 << 20) // 64
"""Of a small cartridge, a 64th: the log of this one has 10 MiB."""


@dataclasses.dataclass(frozen=True)
class Made:
    """A cartridge with two archives of a source, compressed or not, and a copy of its image."""

    image: Image
    source: Path
    whole: Path
    archives: tuple[str, ...]

    @contextlib.contextmanager
    def as_it_was(self) -> Iterator[Path]:
        try:
            yield self.image.path
        finally:
            shutil.copyfile(self.whole, self.image.path)

    def places(self, file: int) -> list[Place]:
        return [place for place in places(self.whole) if place.file == file]

    def check(self, case: str, damaged: Iterable[tuple[int, int]] | None, to: Path) -> None:
        """Verified, listed and restored as if nothing had happened, and what was damaged is named."""
        result = self.image.verify()
        assert result.ok, (case, result)
        if damaged is not None:
            assert {(block.file, block.block) for block in result.corrected} == set(damaged), case
        for archive in self.archives:
            done = self.image.restore(to, archive=archive)
            assert not done.damaged, case
            assert snapshot(restored(to, self.source)) == snapshot(self.source), case
            shutil.rmtree(to)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("parity")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAPEKIT_STATE", str(folder / "state"))
        image = new_image(folder / "cartridge.tkc", IMAGE_BYTES)
        source = make_source(folder / "source", 1)
        archives = tuple(
            image.back_up(source, compression=compression, parity=True).archive for compression in ("none", "zstd")
        )  # fmt: skip
    whole = folder / "whole.tkc"
    shutil.copyfile(image.path, whole)
    return Made(image, source, whole, archives)


def test_nothing_is_corrected_of_what_is_good(made: Made, tmp_path: Path) -> None:
    made.check("whole", [], tmp_path / "to")


def test_a_block_of_each_kind(made: Made, tmp_path: Path) -> None:
    """Header, data, catalog, the copy of the trailer, parity, the trailer; of the compressed archive some."""
    damages = itertools.cycle((flip_bit, zero_block, zero_record))
    blocks = made.places(2)
    by_kind = {block_of(made, place).kind: place for place in blocks}
    assert len(by_kind) == 5
    copy_of_the_trailer = next(place for place in blocks if block_of(made, place).kind == Kind.TRAILER)
    for place in [*by_kind.values(), blocks[0], copy_of_the_trailer, made.places(3)[7]]:
        damage = next(damages)
        with made.as_it_was() as path:
            damage(path, place)
            made.check(f"{damage.__name__} {place}", [(place.file, place.block)], tmp_path / "to")


def block_of(made: Made, place: Place) -> BlockHeader:
    with made.whole.open("rb") as image:
        image.seek(place.content)
        return block.parse(image.read(place.size_bytes))


@pytest.mark.long
def test_every_block(made: Made, tmp_path: Path) -> None:
    """With every damage; parity blocks, which are many and alike, with one after the other."""
    damages = (flip_bit, zero_block, zero_record)
    for number, place in enumerate(made.places(2) + made.places(3)):
        is_parity = block_of(made, place).kind == Kind.PARITY
        for damage in damages[number % 3 :][:1] if is_parity else damages:
            with made.as_it_was() as path:
                damage(path, place)
                made.check(f"{damage.__name__} {place}", [(place.file, place.block)], tmp_path / "to")


def check_stretch(made: Made, start: int, to: Path) -> None:
    with made.as_it_was() as path:
        with path.open("r+b") as image:
            image.seek(start)
            image.write(b"\xee" * STRETCH_BYTES)
        made.check(f"stretch at {start}", None, to)


def stretches(made: Made, step: int) -> range:
    """Where a stretch of damage may begin, so that it takes part of an archive and no other file of the cartridge."""
    first, last = made.places(2)[0], made.places(3)[-1]
    return range(first.record, last.content + last.size_bytes - STRETCH_BYTES, step)


def test_a_stretch(made: Made, tmp_path: Path) -> None:
    """At the beginning, with the filemark between the archives, and at the end."""
    places = stretches(made, 1)
    for start in (places[0], made.places(3)[0].record - STRETCH_BYTES // 2, places[-1]):
        check_stretch(made, start, tmp_path / "to")


@pytest.mark.long
def test_a_stretch_in_many_places(made: Made, tmp_path: Path) -> None:
    """Anywhere: blocks, their records' headers, and the filemark between the archives."""
    for start in stretches(made, 10_007):
        check_stretch(made, start, tmp_path / "to")


def test_any_two_blocks(made: Made, tmp_path: Path) -> None:
    blocks = made.places(2)
    for first, second in ((0, 1), (0, len(blocks) - 1), (5, 6), (7, 41), (len(blocks) - 2, len(blocks) - 1)):
        with made.as_it_was() as path:
            for place in (blocks[first], blocks[second]):
                zero_record(path, place)
            made.check(f"{first} and {second}", [(2, first), (2, second)], tmp_path / "to")


def test_what_is_beyond_it_is_named(made: Made, tmp_path: Path) -> None:
    """All parity of an archive and one block of data: its members are lost, and no wrong byte comes back."""
    blocks = made.places(2)
    with made.as_it_was() as path:
        for place in [blocks[3], *blocks[-40:-1]]:
            zero_block(path, place)
        result = made.image.verify()
        assert not result.ok
        assert result.bad_blocks >= 1
        done = made.image.restore(tmp_path / "to", archive=made.archives[0])
        assert done.damaged
        found, there = snapshot(restored(tmp_path / "to", made.source)), snapshot(made.source)
        assert all(there[name] == found[name] for name in found if found[name][2])


def test_export_and_list(made: Made) -> None:
    """By hand for every other command: the header, the catalog and data are damaged at once."""
    blocks = made.places(2)
    with made.as_it_was() as path:
        for place in (blocks[0], blocks[4]):
            zero_record(path, place)
        with made.image.drive() as drive:
            output = io.BytesIO()
            result = export.run(drive, made.archives[0], output.write, Silent())
        assert not result.damaged
        assert [(block.file, block.block) for block in result.corrected] == [(2, 0), (2, 4)]
        output.seek(0)
        with tarfile.open(fileobj=output) as tar:
            assert len(tar.getnames()) == result.members
        problems: list[str] = []
        with made.image.drive() as drive:
            reading = correcting(drive)
            assert list(listing.run(reading, made.archives[0], Patterns(()), problems))
            assert reading.corrections
        assert not problems


def test_a_copy_is_good(made: Made, tmp_path: Path) -> None:
    """Copied with damage, and corrected on the way; the copy has its own parity, of its own trailer too."""
    other = new_image(tmp_path / "other.tkc", IMAGE_BYTES)
    other.back_up(made.source, job="other", parity=True)
    with made.as_it_was() as path:
        zero_record(path, made.places(2)[5])
        with made.image.drive() as here, other.drive(writable=True) as there:
            result = duplicate.run(here, there, made.archives[0], Silent(), evidences())
    assert [block.block for block in result.corrected] == [5]
    whole = tmp_path / "whole.tkc"
    shutil.copyfile(other.path, whole)
    copied = Made(other, made.source, whole, (made.archives[0],))
    copied.check("whole", [], tmp_path / "to")
    blocks = copied.places(3)
    for place in (blocks[0], blocks[7], blocks[-1], blocks[-2], blocks[-len(blocks) // 2]):
        with copied.as_it_was() as path:
            zero_record(path, place)
            copied.check(str(place), [(3, place.block)], tmp_path / "to")


def test_a_full_cartridge_is_closed_with_its_parity(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for number in range(40):
        (source / f"{number:02}").write_bytes(os.urandom(100_000))
    image = new_image(tmp_path / "full.tkc", 9 << 20)
    with pytest.raises(MediumFull):
        image.back_up(source, parity=True)
    result = image.verify()
    assert result.ok
    assert [segment.state for segment in result.segments] == [ABORTED]
    with image.drive() as drive:
        medium = drive.medium()
    assert medium.remaining_bytes < medium.capacity_bytes * 0.15
    block = [place for place in places(image.path) if place.file == 2][3]
    zero_record(image.path, block)
    assert [found.block for found in image.verify().corrected] == [3]


def test_a_cartridge_too_small_has_none(tmp_path: Path) -> None:
    source = make_source(tmp_path / "source", 1)
    image = new_image(tmp_path / "small.tkc", 16 << 20, 1 << 20)
    with image.drive(writable=True) as drive:
        result = backup.run(drive, request(source, parity=True), Silent(), evidences())
    assert result.parity_bytes is None
    assert image.verify().ok


def test_by_default_on_a_disk(tmp_path: Path) -> None:
    source = make_source(tmp_path / "source", 1)
    image = new_image(tmp_path / "disk.tkc", IMAGE_BYTES)
    wanted = dataclasses.replace(request(source), parity=None)
    with image.drive(writable=True) as drive:
        assert backup.run(drive, wanted, Silent(), evidences()).parity_bytes


def test_repair(made: Made, tmp_path: Path) -> None:
    """Every kind of block, records' headers and all, byte for byte as it was written."""
    blocks = made.places(2)
    with made.as_it_was() as path:
        for place in (blocks[0], blocks[9], blocks[-30], blocks[-1]):
            zero_record(path, place)
        with made.image.drive(writable=True) as drive:
            found = verify.run(drive, "all", Silent(), evidences())
            result = repair.run(drive, found.corrected)
        assert len(result.repaired) == 4
        assert not result.failed
        whole = made.whole.read_bytes()
        assert path.read_bytes() == whole
        made.check("repaired", [], tmp_path / "to")


def test_repair_of_a_block_in_another_ones_place(made: Made) -> None:
    """It is good in itself: only what belongs there tells."""
    pairs = itertools.combinations(made.places(2)[5:40], 2)
    right, other = next((one, two) for one, two in pairs if one.size_bytes == two.size_bytes)
    with made.as_it_was() as path:
        whole = path.read_bytes()
        with path.open("r+b") as file:
            file.seek(right.content)
            file.write(whole[other.content : other.content + other.size_bytes])
        with made.image.drive(writable=True) as drive:
            found = verify.run(drive, "all", Silent(), evidences())
            result = repair.run(drive, found.corrected)
            again = repair.run(drive, found.corrected)
        assert ([lost.block for lost in result.repaired], result.failed) == ([right.block], [])
        assert (again.repaired, again.failed) == ([], [(found.corrected[0], repair.NOT_BAD)])
        verified = made.image.verify()
        assert (verified.ok, verified.corrected) == (True, [])


def test_repair_of_a_place_that_is_lost(made: Made) -> None:
    """Without the table of places, a lost record is corrected on reading and not written."""
    image, blocks = made.image, made.places(2)
    with made.as_it_was() as path:
        zero_record(path, blocks[5])
        zero_record(path, made.places(3)[5])
        for mark in (blocks[-1], made.places(3)[-1]):
            with path.open("r+b") as file:
                file.seek(mark.content + mark.size_bytes + -(mark.content + mark.size_bytes) % 4096)
                file.write(bytes(64))
        with image.drive(writable=True) as drive:
            result = repair.run(drive, verify.run(drive, "all", Silent(), evidences()).corrected)
        assert [lost.block for lost, _ in result.failed] == [5, 5]
        assert "its place is not known" in result.failed[0][1]
        assert image.verify().ok
