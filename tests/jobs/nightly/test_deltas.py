"""Nights that build upon each other: proven before they count, and written in full where their base is damaged."""

import dataclasses
import errno
import os
import random
import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from formats.delta import ExtentKind
from tapekit import clock
from tapekit.deltas.differ import Differ
from tapekit.deltas.session import Incremental
from tapekit.evidence import state_directory
from tapekit.jobs import duplicate, restore
from tapekit.jobs.nightly.prove import Depth, Means
from tapekit.jobs.nightly.trace import Trace
from tapekit.jobs.nightly.write import Writer, Written
from tapekit.keys.opener import NO_KEY, InHand, Opener
from tapekit.keys.pair import Pair
from tapekit.keys.seal import NOBODY, Recipients
from tapekit.keys.slot import PrivateKey
from tapekit.model import Rung
from tapekit.progress import Silent
from tapekit.stream import joined
from tests.jobs.cartridges import Image, evidences, new_image, places, request, restored
from tests.jobs.deltas import read

OWNER = Pair.new("owner", "Anna")
PROVEN = [Rung.WRITTEN, Rung.FLUSHED, Rung.READ_BACK, Rung.COMPARED]


@dataclasses.dataclass
class Site:
    """A cartridge, a source, and keys or none."""

    image: Image
    source: Path
    recipients: Recipients
    parity: bool = False

    @property
    def opener(self) -> Opener:
        return InHand(PrivateKey(OWNER)) if self.recipients else NO_KEY

    def night(self) -> Written:
        now = datetime.now(UTC) + timedelta(hours=1)
        wanted = dataclasses.replace(
            request(self.source),
            recipients=self.recipients,
            incremental=Incremental(state_directory()),
            parity=self.parity,
        )
        trace = Trace(state_directory() / "runs", "office", "night")
        writer = Writer(Means(Depth(samples=3), Silent(), evidences(), trace))
        with clock.running(lambda: now):
            written = writer.write(self.image.url, wanted)
        written.backup.forget()
        return written

    def change(self) -> None:
        with (self.source / "database").open("r+b") as file:
            file.seek(8192 * 3)
            file.write(random.Random(len(list(places(self.image.path)))).randbytes(100))

    def check(self, to: Path, image: Image | None = None) -> None:
        with (image or self.image).drive() as drive:
            result = restore.run(drive, restore.Request(str(to), opener=self.opener), Silent())
        assert (result.damaged, result.problems) == ([], [])
        assert read(restored(to, self.source)) == read(self.source)


@pytest.fixture(params=("open", "encrypted"))
def site(tmp_path: Path, request: pytest.FixtureRequest) -> Site:
    source = tmp_path / "source"
    source.mkdir()
    (source / "database").write_bytes(random.Random(1).randbytes(200_000))
    (source / "note").write_bytes(b"a small file")
    recipients = Recipients((OWNER.public_line,)) if request.param == "encrypted" else NOBODY
    return Site(new_image(tmp_path / "nights.tkc", 64 << 20, 16384), source, recipients)


def test_a_night_builds_upon_the_one_before_without_a_private_key(site: Site, tmp_path: Path) -> None:
    first = site.night()
    site.change()
    second = site.night()
    assert second.backup.base == first.backup.archive
    assert second.backup.changed_bytes == 8192
    assert second.proofs[0].rungs[:4] == PROVEN
    assert (second.problems, second.warnings) == ([], [])
    site.check(tmp_path / "to")


def test_a_damaged_base_is_noticed_and_all_is_written_anew(site: Site, tmp_path: Path) -> None:
    site.night()
    damage(site.image)
    site.change()
    third = site.night()
    assert third.backup.base is None
    assert [note.kind for note in third.warnings] == ["base-damaged"]
    assert third.proofs[0].rungs[:4] == PROVEN
    site.check(tmp_path / "to")
    site.change()
    assert site.night().backup.base == third.backup.archive


def test_no_room_to_bring_files_together(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The night is told as it is: read back, the blocks of changed files alone."""

    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    site.night()
    site.change()
    monkeypatch.setattr(joined.Draft, "write", full)
    second = site.night()
    told = [] if site.recipients else ["not-joined"]  # of an encrypted base a night has no key anyway
    assert [note.kind for note in second.warnings] == told
    assert Rung.READ_BACK in second.proofs[0].rungs


@pytest.mark.long
def test_a_base_is_built_upon_as_long_as_parity_gives_it_back(site: Site, tmp_path: Path) -> None:
    site.parity = True
    first = site.night()
    assert first.backup.parity_bytes
    damage(site.image, 1)
    site.change()
    second = site.night()
    assert (second.backup.base, second.proofs[0].rungs[:4]) == (first.backup.archive, PROVEN)
    assert [note.kind for note in second.warnings] == ["blocks-corrected"]
    damage(site.image, sum(place.file == 2 for place in places(site.image.path)) - 10)
    site.change()
    third = site.night()
    assert third.backup.base is None
    assert "base-damaged" in [note.kind for note in third.warnings]
    assert third.proofs[0].rungs[:4] == PROVEN
    site.check(tmp_path / "to")


def a_bit_flips(differ: Differ) -> None:
    """In what is about to be stored, behind the digest of its page."""
    if differ._literals:
        differ._literals[100] ^= 1


def another_page_is_taken(differ: Differ) -> None:
    for extent in differ._open:
        if extent[0] == ExtentKind.BASE and extent[2]:
            extent[2] -= 8192


def zeros_are_taken(differ: Differ) -> None:
    differ._open[0] = [ExtentKind.ZEROS, differ._open[0][1], 0]


@pytest.mark.parametrize("harm", (a_bit_flips, another_page_is_taken, zeros_are_taken))
def test_what_changed_is_proven_without_a_key_for_what_it_was_before(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: Callable[[Differ], None]
) -> None:
    site.night()
    site.change()
    end_part = Differ.end_part

    def end_harmed_part(self: Differ) -> None:
        harm(self)
        end_part(self)

    with monkeypatch.context() as patched:
        patched.setattr(Differ, "end_part", end_harmed_part)
        second = site.night()
    assert second.backup.base is None
    assert [note.kind for note in second.warnings] == ["base-damaged"]
    assert re.search(r"delta: |digest that the catalog says", second.warnings[0].detail)
    assert second.proofs[0].rungs[:4] == PROVEN
    site.check(tmp_path / "to")


def test_what_was_remembered_and_is_lost_is_told(site: Site) -> None:
    assert site.night().warnings == []
    shutil.rmtree(state_directory() / "deltas")
    second = site.night()
    assert second.backup.base is None
    assert [note.kind for note in second.warnings] == ["base-missing"]


def damage(image: Image, blocks: int = 4) -> None:
    """Some blocks of the first archive behind its first two."""
    for place in list(places(image.path)):
        if place.file == 2 and 1 < place.block < 2 + blocks:
            with image.path.open("r+b") as medium:
                medium.seek(place.content + 200)
                medium.write(b"damaged")


def test_a_copy_takes_what_it_builds_upon_along(site: Site, tmp_path: Path) -> None:
    site.night()
    site.change()
    site.night()
    other = new_image(tmp_path / "other.tkc", 64 << 20, 16384)
    with site.image.drive() as source, other.drive(writable=True) as target:
        duplicate.run(source, target, "latest", Silent(), evidences())
    site.image.path.unlink()
    site.check(tmp_path / "to", other)
    assert len({place.file for place in places(other.path)}) == 4
