"""Encrypted archives with parity: corrected and repaired without any key, restored with one, by the kit too."""

import contextlib
import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tapekit.errors import KeyNeeded
from tapekit.jobs import backup, repair, restore, scrub, verify
from tapekit.keys.seal import Recipients
from tapekit.progress import Silent
from tapekit.scrubs import Scrubs
from tests.jobs.cartridges import Image, Place, evidences, new_image, places, request, restored
from tests.jobs.test_damage import flip_bit, make_source, snapshot, zero_block, zero_record
from tests.jobs.test_encryption import opener
from tests.keys.people import PASSPHRASE, pair, write_key
from tests.rescue.kit import FINE, FULL, NO_KEY, rescue


@dataclasses.dataclass(frozen=True)
class Sealed:
    """A cartridge with an archive for one person, a copy of its image, and a block of each kind."""

    image: Image
    source: Path
    whole: Path
    kinds: dict[str, Place]

    @contextlib.contextmanager
    def damaged(self) -> Iterator[set[int]]:
        """Two blocks of the group, and the trailer, which stands in it once more: numbers of all three."""
        hit = (self.kinds["header"], self.kinds["data"], self.kinds["trailer"])
        for damage, place in zip((zero_record, flip_bit, zero_block), hit, strict=True):
            damage(self.image.path, place)
        try:
            yield {place.block for place in hit}
        finally:
            shutil.copyfile(self.whole, self.image.path)


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    folder = tmp_path_factory.mktemp("sealed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAPEKIT_STATE", str(folder / "state"))
        image, source = new_image(folder / "c.tkc", 16 << 20), make_source(folder / "source", 1)
        wanted = dataclasses.replace(
            request(source, compression="zstd", parity=True), recipients=Recipients((pair().public_line,))
        )
        with image.drive(writable=True) as drive:
            assert backup.run(drive, wanted, Silent(), evidences()).parity_bytes
    shutil.copyfile(image.path, folder / "whole.tkc")
    there = [place for place in places(image.path) if place.file == 2]
    return Sealed(
        image, source, folder / "whole.tkc", {"header": there[0], "data": there[3], "trailer": there[-1]}
    )  # fmt: skip


def test_corrected_without_a_key_and_restored_with_one(sealed: Sealed, tmp_path: Path) -> None:
    with sealed.damaged() as numbers:
        result = sealed.image.verify()
        assert (result.ok, {found.block for found in result.corrected}) == (True, numbers)
        with sealed.image.drive() as drive, pytest.raises(KeyNeeded):
            restore.run(drive, restore.Request(str(tmp_path / "nobody")), Silent())
        with sealed.image.drive() as drive:
            wanted = restore.Request(str(tmp_path / "to"), opener=opener(pair()))
            assert not restore.run(drive, wanted, Silent()).damaged
    assert snapshot(restored(tmp_path / "to", sealed.source)) == snapshot(sealed.source)


def test_repaired_without_a_key(sealed: Sealed) -> None:
    """Byte for byte: what is written in its place is what was encrypted once, and not anew."""
    with sealed.damaged() as numbers:
        with sealed.image.drive(writable=True) as drive:
            found = verify.run(drive, "all", Silent(), evidences())
            result = repair.run(drive, found.corrected)
        assert ({lost.block for lost in result.repaired}, result.failed) == (numbers, [])
        assert sealed.image.path.read_bytes() == sealed.whole.read_bytes()


def test_scrubbed_without_a_key(sealed: Sealed, tmp_path: Path) -> None:
    with sealed.damaged() as numbers, sealed.image.drive() as drive:
        result = scrub.run(drive, Silent(), Scrubs(tmp_path))
    assert ({found.block for found in result.corrected}, result.lost) == (numbers, [])


def test_by_the_kit(sealed: Sealed, tmp_path: Path) -> None:
    """With the key all files, and without it none, though every block is there again."""
    (tmp_path / "passphrase").write_text(PASSPHRASE)
    key = ("--key", write_key(tmp_path / "key"), "--passphrase-file", tmp_path / "passphrase")
    with sealed.damaged():
        run = rescue("restore", sealed.image.path, "--to", tmp_path / "kit", *key, python=FULL)
        assert (run.code, "corrected" in run.err) == (FINE, True), run.err
        refused = rescue("restore", sealed.image.path, "--to", tmp_path / "none", python=FULL)
        assert refused.code == NO_KEY
        assert not list((tmp_path / "none").rglob("*"))
    assert snapshot(restored(tmp_path / "kit", sealed.source)) == snapshot(sealed.source)
