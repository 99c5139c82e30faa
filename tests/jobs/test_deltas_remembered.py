"""What is remembered of files: what it takes, what it must not be trusted in, and what is left where it fails."""

import os
import random
from datetime import timedelta
from pathlib import Path
from typing import IO, cast

import pytest

from formats import delta
from tapekit.cartridge.cartridge import open_cartridge
from tapekit.deltas import differ, session
from tapekit.evidence import state_directory
from tapekit.jobs import save_delta
from tests.jobs.cartridges import evidences, new_image
from tests.jobs.deltas import Nights, read

PAGE = 8192


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    (tmp_path / "source").mkdir()
    return Nights(new_image(tmp_path / "deltas.tkc", 128 << 20, 65536), tmp_path / "source")


def change(path: Path, place: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        file.write(data)


def full_disk(fd: int, mode: str) -> IO[bytes]:
    """A file on a disk that is full."""
    os.close(fd)
    return cast("IO[bytes]", Path("/dev/full").open(mode, 0))


@pytest.mark.parametrize(
    ("constant", "most"), (("MOST_CHAIN_EXTENTS", 300), ("MOST_PIECES", 1200)), ids=("extents", "pieces")
)
def test_no_chain_is_longer_than_readers_take(
    nights: Nights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, constant: str, most: int
) -> None:
    """Scaled down: pages all over a file change, night after night, until it is saved as a whole again."""
    monkeypatch.setattr(delta, constant, most)
    monkeypatch.setattr(differ, "PART_LITERAL_BYTES", 64 << 10)
    monkeypatch.setattr(session, "PART_LITERAL_BYTES", 64 << 10)
    monkeypatch.setattr(session, "KEPT_EXTENTS", 10)
    rng, pages, database = random.Random(1), 400, nights.source / "database"
    database.write_bytes(rng.randbytes(pages * PAGE))
    stored = []
    for _ in range(9):
        for page in rng.sample(range(pages), 20):
            change(database, page * PAGE, rng.randbytes(16))
        stored.append(nights.save().changed_bytes)
        result = nights.image.restore(tmp_path / f"to{len(stored)}", archive=nights.archives[-1])
        assert (result.damaged, result.problems) == ([], [])
    whole = [number for number, size in enumerate(stored) if size == pages * PAGE]
    assert whole[0] == 0
    assert 1 < len(whole) < len(stored)


def test_what_changed_shortly_before_it_was_read_is_read_again(nights: Nights, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through a memory map a file changes for half a minute without a sign of it."""
    (nights.source / "note").write_text("a small file")
    read_again: list[bytes] = []
    compare = save_delta.DeltaSaver._compare_small

    def compare_small(self, fd, status, known):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        read_again.append(known.entry.path)
        return compare(self, fd, status, known)

    monkeypatch.setattr(save_delta.DeltaSaver, "_compare_small", compare_small)
    for seconds, is_read in ((5, False), (40, True), (50, True), (600, True), (700, False)):
        nights.save(later=timedelta(seconds=seconds))
        assert bool(read_again) == is_read, seconds
        read_again.clear()


@pytest.mark.parametrize("is_changed", (False, True))
def test_a_full_disk_of_the_state_costs_the_next_delta_and_nothing_else(
    nights: Nights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_changed: bool
) -> None:
    database = nights.source / "database"
    database.write_bytes(random.Random(1).randbytes(200 * PAGE))
    for number in range(200):
        (nights.source / f"note {number}").write_text("a small file")
    nights.save()
    if is_changed:
        change(database, 50 * PAGE, b"changed")
    with monkeypatch.context() as full:
        full.setattr(os, "fdopen", full_disk)
        done = nights.save()
    assert (done.state, done.pending) == ("complete", None)
    assert any("what is remembered" in note for note in done.notes)
    nights.check(1, tmp_path / "then")
    assert nights.save().base is not None
    nights.check(2, tmp_path / "after")


def test_maps_that_belong_to_no_file_any_more_are_removed(nights: Nights) -> None:
    database = nights.source / "database"
    database.write_bytes(random.Random(1).randbytes(100 * PAGE))
    nights.save()
    for number in range(10):
        change(database, number * PAGE, b"changed")
        nights.save()
    (folder,) = (state_directory() / "deltas").glob("job-*/*")
    assert len(list(folder.iterdir())) <= 3  # members, and the latest map of one file
    assert nights.save().changed_bytes == 0


def test_all_files_have_their_turn_whatever_is_written_in_full(nights: Nights, monkeypatch: pytest.MonkeyPatch) -> None:
    nights.full_every = 7
    for number in range(200):
        (nights.source / f"file {number}").write_text(str(number))
    read_again: set[bytes] = set()
    compare = save_delta.DeltaSaver._compare_small

    def compare_small(self, fd, status, known):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        read_again.add(known.entry.path)
        return compare(self, fd, status, known)

    monkeypatch.setattr(save_delta.DeltaSaver, "_compare_small", compare_small)
    for day in range(1, 61):
        nights.save(rehash=5, later=timedelta(days=day))
    assert len(read_again) == 200


@pytest.mark.parametrize("is_large", (False, True))
def test_rot_in_the_source_is_found_by_a_full_archive_too(
    nights: Nights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_large: bool
) -> None:
    path = nights.source / "database"
    path.write_bytes(random.Random(1).randbytes(20 * PAGE if is_large else 200))
    nights.save()
    status, fstat, stat = path.stat(), os.fstat, os.stat
    change(path, 100, b"rotten")

    def as_before(found: os.stat_result) -> os.stat_result:
        return status if found.st_ino == status.st_ino else found

    with monkeypatch.context() as unseen:
        unseen.setattr(os, "fstat", lambda fd: as_before(fstat(fd)))
        unseen.setattr(os, "stat", lambda *args, **named: as_before(stat(*args, **named)))
        done = nights.save(is_full=True)
    assert done.base is None
    assert [warned.why.partition(",")[0] for warned in done.warnings] == ["its content is another one"]
    nights.check(0, tmp_path / "before")
    nights.check(1, tmp_path / "after")


def test_what_was_found_damaged_is_not_built_upon(nights: Nights) -> None:
    (nights.source / "note").write_text("a small file")
    first = nights.save()
    assert nights.save().base == first.archive
    with nights.image.drive() as drive:
        label = open_cartridge(drive).label
    assert label is not None
    evidences().note(label.cartridge, first.archive, None)
    done = nights.save()
    assert (done.base, "was found damaged" in done.why_full) == (None, True)
    assert read(nights.source) == nights.contents[-1]
    assert nights.save().base == done.archive
