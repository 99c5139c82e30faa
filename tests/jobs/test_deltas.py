"""Archives that build upon each other: what is stored, what comes back, and what happens where the chain is broken."""

import collections
import errno
import os
import random
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.base import Mark, Position
from formats.segment import Trailer
from tapekit.cartridge.cartridge import open_cartridge
from tapekit.deltas import state as remembered
from tapekit.evidence import state_directory
from tapekit.jobs import export, restore, segments
from tapekit.jobs.verify import members_hit
from tapekit.progress import Silent
from tapekit.stream import joined
from tests.jobs.cartridges import Image, new_image, places, restored
from tests.jobs.deltas import Nights, kit, read

PAGE = 8192
PAGES = 40


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    source = tmp_path / "source"
    source.mkdir()
    rng = random.Random(1)
    (source / "database").write_bytes(rng.randbytes(PAGES * PAGE))
    (source / "dump").write_bytes(rng.randbytes(400_000))
    (source / "note").write_bytes(b"a small file")
    os.link(source / "note", source / "other-name")
    return Nights(new_image(tmp_path / "deltas.tkc", 64 << 20, 16384), source)


def change(path: Path, place: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        file.write(data)


def test_what_is_unchanged_costs_a_line(nights: Nights, tmp_path: Path) -> None:
    first, second = nights.save(), nights.save()
    assert (first.base, second.base) == (None, first.archive)
    assert (first.changed_bytes, second.changed_bytes) == (first.source_bytes, 0)
    assert second.source_bytes == first.source_bytes
    assert second.stored_bytes < 40_000
    nights.check(1, tmp_path)
    assert (tmp_path / "tapekit").exists()


def test_changed_pages_are_what_is_stored(nights: Nights, tmp_path: Path) -> None:
    nights.save()
    change(nights.source / "database", 5 * PAGE + 100, b"changed")
    change(nights.source / "database", 20 * PAGE - 1, b"xy")
    assert nights.save().changed_bytes == 3 * PAGE
    nights.check(1, tmp_path)


def test_an_insertion_costs_little(nights: Nights, tmp_path: Path) -> None:
    nights.save()
    dump = nights.source / "dump"
    dump.write_bytes(b"inserted at the start" + dump.read_bytes())
    assert nights.save().changed_bytes < 3 * 65536
    change(dump, 0, b"I")
    assert nights.save().changed_bytes < 3 * 65536
    nights.check(1, tmp_path / "1")
    nights.check(2, tmp_path / "2")


def moved(content: bytes) -> bytes:
    """The middle of it stands somewhere else, both ends stand where they stood."""
    return content[: 40 * PAGE] + b"inserted" + content[40 * PAGE : 200 * PAGE] + content[200 * PAGE + 8 :]


def test_the_way_that_stores_less_is_kept(nights: Nights, tmp_path: Path) -> None:
    """A look at some pages takes it for a file that is written in place; what came of it says otherwise."""
    large = nights.source / "database"
    large.write_bytes(random.Random(8).randbytes(400 * PAGE))
    nights.save()
    large.write_bytes(moved(large.read_bytes()))
    assert nights.save().changed_bytes == 161 * PAGE
    large.write_bytes(moved(large.read_bytes()))
    assert nights.save().changed_bytes < 5 * 65536
    nights.check(2, tmp_path)


def test_a_file_of_which_the_end_moved_is_cut_by_content(nights: Nights) -> None:
    large = nights.source / "database"
    large.write_bytes(random.Random(8).randbytes(400 * PAGE))
    nights.save()
    content = large.read_bytes()
    large.write_bytes(content[: 340 * PAGE] + b"inserted" + content[340 * PAGE :])
    assert nights.save().changed_bytes < 2 * 65536


def test_times_alone_do_not_say_that_nothing_changed(nights: Nights, tmp_path: Path) -> None:
    nights.save(later=timedelta())
    assert nights.save(later=timedelta()).changed_bytes == 0
    note = nights.source / "note"
    note.write_bytes(b"A SMALL FILE")
    assert nights.save(later=timedelta()).changed_bytes == 12
    nights.check(2, tmp_path)


def test_a_full_one_is_written_every_so_often_and_when_asked(nights: Nights) -> None:
    nights.full_every = 3
    bases = [nights.save(is_full=night == 7).base for night in range(9)]
    assert [base is None for base in bases] == [True, False, False, True, False, False, True, True, False]


def test_rot_in_the_source_is_found_and_both_contents_are_kept(
    nights: Nights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nights.save()
    nights.save()
    database, status = nights.source / "database", (nights.source / "database").stat()
    rot(database, status, monkeypatch)
    assert nights.save().changed_bytes == 0
    done = nights.save(rehash=100)
    assert [warned.path.rpartition(b"/")[2] for warned in done.warnings] == [b"database"]
    assert "though nothing wrote to it" in done.warnings[0].why
    nights.check(1, tmp_path / "before")
    nights.check(3, tmp_path / "after")


def rot(path: Path, status: os.stat_result, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its bytes change, and the system says that nothing did."""
    change(path, 7 * PAGE, b"rotten")
    real_fstat, real_stat = os.fstat, os.stat

    def as_before(found: os.stat_result) -> os.stat_result:
        return status if found.st_ino == status.st_ino else found

    monkeypatch.setattr(os, "fstat", lambda fd: as_before(real_fstat(fd)))
    monkeypatch.setattr(os, "stat", lambda *args, **named: as_before(real_stat(*args, **named)))


def lost(folder: Path) -> None:
    shutil.rmtree(folder)


def torn(folder: Path) -> None:
    path = folder / remembered.MEMBERS
    path.write_bytes(path.read_bytes()[:-10])


def flipped(folder: Path) -> None:
    path = folder / remembered.MEMBERS
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def other_secret(folder: Path) -> None:
    (folder.parents[1] / "secret").write_bytes(bytes(32))


@pytest.mark.parametrize("harm", (lost, torn, flipped, other_secret))
def test_without_what_was_remembered_all_is_stored(
    nights: Nights, tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    nights.save()
    (folder,) = (state_directory() / "deltas").glob("job-*/*")
    harm(folder)
    done = nights.save()
    assert done.base is None
    assert done.why_full
    nights.check(1, tmp_path)
    assert nights.save().base == done.archive


@pytest.mark.parametrize("kind", ("pages", "chunks"))
@pytest.mark.parametrize("harm", ("gone", "cut", "flipped"))
def test_a_map_that_is_damaged_costs_bytes_and_nothing_else(
    nights: Nights, tmp_path: Path, kind: str, harm: str
) -> None:
    nights.save()
    (path,) = (state_directory() / "deltas").glob(f"job-*/*/{kind}.*")
    if harm == "gone":
        path.unlink()
    else:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data[: len(data) // 2] if harm == "cut" else data)
    for name in ("database", "dump"):
        change(nights.source / name, 100, b"changed")
    assert nights.save().base is not None
    nights.check(1, tmp_path)


def test_what_another_cartridge_has_is_not_built_upon(nights: Nights, tmp_path: Path) -> None:
    nights.save()
    (mine,) = (state_directory() / "deltas").glob("job-*/*")
    nights.image = new_image(tmp_path / "other.tkc", 64 << 20, 16384)
    with nights.image.drive() as drive:
        label = open_cartridge(drive).label
    assert label is not None
    shutil.copytree(mine, mine.with_name(label.cartridge))
    assert nights.save().base is None


def test_an_archive_that_was_not_proven_is_not_built_upon(nights: Nights, tmp_path: Path) -> None:
    first = nights.save()
    change(nights.source / "database", 0, b"changed")
    nights.save(commits=False)
    third = nights.save()
    assert third.base == first.archive
    nights.check(2, tmp_path)


def damage(image: Image, file: int) -> None:
    """Every data block of a file but its first."""
    for place in list(places(image.path)):
        if place.file == file and place.block > 1:
            with image.path.open("r+b") as medium:
                medium.seek(place.content + 200)
                medium.write(b"damaged")


def test_a_damaged_base_is_said_of_what_builds_upon_it(nights: Nights, tmp_path: Path) -> None:
    nights.save()
    change(nights.source / "database", 0, b"changed")
    nights.save()
    assert nights.image.verify().ok
    damage(nights.image, 2)
    found = nights.image.verify(nights.archives[1])
    assert not found.ok
    assert found.segments[0].is_base_damaged
    result = nights.image.restore(tmp_path / "to")
    assert {path.rpartition(b"/")[2] for path, _ in result.damaged} >= {b"database", b"dump"}
    run = kit(nights.image, "restore", "--to", str(tmp_path / "kit"))
    assert run.returncode == 6, run.stderr


def test_without_a_catalog_what_changed_is_brought_together_all_the_same(nights: Nights, tmp_path: Path) -> None:
    nights.save()
    for name in ("database", "dump"):
        change(nights.source / name, 9 * PAGE, b"changed")
    new = nights.source / "new"
    new.write_bytes(b"new")
    nights.save()
    with nights.image.drive() as drive:
        segment = open_cartridge(drive).segments()[-1]
    assert segment.trailer is not None
    (place,) = (p for p in places(nights.image.path) if (p.file, p.block) == (3, segment.trailer.catalog_block))
    with nights.image.path.open("r+b") as medium:
        medium.seek(place.content + 200)
        medium.write(b"damaged")
    result = nights.image.restore(tmp_path / "to")
    assert (result.damaged, result.refused) == ([], [])
    assert read(restored(tmp_path / "to", nights.source)) == {
        name: nights.contents[1][name] for name in ("database", "dump", "new")
    }
    assert any(f"they are in archive {nights.archives[0][:8]}" in problem for problem in result.problems)
    damage(nights.image, 2)
    broken = nights.image.restore(tmp_path / "broken")
    assert {path.rpartition(b"/")[2] for path, _ in broken.damaged} == {b"database", b"dump"}


def hit(image: Image, file: int, block: int) -> None:
    """One block of a file; the last is -1."""
    place = [place for place in places(image.path) if place.file == file][block]
    with image.path.open("r+b") as medium:
        medium.seek(place.content + 200)
        medium.write(b"damaged")


@pytest.mark.parametrize(("file", "block"), ((4, 0), (2, -1)))
def test_a_damaged_header_or_trailer_in_the_chain_costs_no_file(
    nights: Nights, tmp_path: Path, file: int, block: int
) -> None:  # fmt: skip
    nights.save()
    for place in (0, 9 * PAGE):
        change(nights.source / "database", place, b"changed")
        nights.save()
    hit(nights.image, file, block)
    result = nights.image.restore(tmp_path / "to")
    assert (result.damaged, result.refused) == ([], [])
    assert read(restored(tmp_path / "to", nights.source)) == nights.contents[2]
    run = kit(nights.image, "restore", "--to", str(tmp_path / "kit"))
    assert run.returncode in {0, 6}, run.stderr
    assert read(restored(tmp_path / "kit", nights.source)) == nights.contents[2]
    assert nights.image.verify(nights.archives[2]).segments[0].bad_members == 0


def test_without_any_header_what_stands_in_earlier_archives_is_named(
    nights: Nights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """What changed comes back all the same: its own headers say what it builds upon."""
    nights.save()
    change(nights.source / "database", 0, b"changed")
    monkeypatch.setattr(segments, "Trailer", lambda **kept: Trailer(**{**kept, "header": None}))
    nights.save()
    hit(nights.image, 3, 0)
    result = nights.image.restore(tmp_path / "to")
    lost = {b"dump", b"note"}
    assert {path.rpartition(b"/")[2] for path, _ in result.damaged} >= lost
    database = restored(tmp_path / "to", nights.source) / "database"
    assert database.read_bytes() == nights.contents[1]["database"]
    checked = nights.image.verify(nights.archives[1])
    assert {path.rpartition(b"/")[2] for path in members_hit(checked)} >= lost
    with nights.image.drive() as drive:
        assert {path.rpartition(b"/")[2] for path, _ in export.run(drive, "latest", len, Silent()).damaged} >= lost
    run = kit(nights.image, "restore", "--to", str(tmp_path / "kit"))
    assert run.returncode == 6
    assert all(name.decode() in run.stderr for name in lost)
    database = restored(tmp_path / "kit", nights.source) / "database"
    assert database.read_bytes() == nights.contents[1]["database"]
    assert kit(nights.image, "check", "--archive", nights.archives[1]).stderr.count("not named") >= len(lost)


def test_no_room_to_bring_a_file_together(
    nights: Nights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """It costs that file alone, and verify checks the blocks that it is made of."""

    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    nights.save()
    change(nights.source / "database", 0, b"changed")
    nights.save()
    monkeypatch.setattr(joined.Draft, "write", full)
    result = nights.image.restore(tmp_path / "to")
    ((path, why),) = result.damaged
    assert path.endswith(b"/database")
    assert "no space left on device" in why
    there = read(restored(tmp_path / "to", nights.source))
    assert there == {name: data for name, data in nights.contents[1].items() if name != "database"}
    with nights.image.drive() as drive:
        assert [path for path, _ in export.run(drive, "latest", len, Silent()).damaged] == [path]
    checked = nights.image.verify(nights.archives[1])
    assert checked.ok
    assert ["no space left on device" in why for why in checked.doubts] == [True]
    damage(nights.image, 2)
    assert not nights.image.verify(nights.archives[1]).ok


def test_a_file_is_brought_together_where_it_goes_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = {str(tmp_path): 10, joined.DRAFTS: 100}
    monkeypatch.setattr(joined, "_free_bytes", lambda folder: free.get(folder, 0))
    near = str(tmp_path)
    assert [joined.drafts(size, near) for size in (10, 11, 101)] == [near, joined.DRAFTS, near]
    assert joined.drafts(10) == joined.DRAFTS


Edit = tuple[str, int, int, int]
EDITS = st.lists(
    st.tuples(
        st.sampled_from(("overwrite", "insert", "delete", "truncate", "extend", "hole", "zeros", "touch")),
        st.integers(0, 300_000), st.integers(0, 70_000), st.integers(0, 1 << 30),
    ),
    max_size=4,
)  # fmt: skip


def edit(path: Path, what: str, place: int, length: int, seed: int) -> None:
    data = random.Random(seed).randbytes(length)
    content = path.read_bytes()
    place = min(place, len(content))
    if what == "overwrite":
        change(path, place, data)
    elif what == "insert":
        path.write_bytes(content[:place] + data + content[place:])
    elif what == "delete":
        path.write_bytes(content[:place] + content[place + length :])
    elif what == "truncate":
        os.truncate(path, place)
    elif what == "extend":
        path.write_bytes(content + data)
    elif what == "hole":
        os.truncate(path, place)
        os.truncate(path, place + 8 * length)
        with path.open("ab") as file:
            file.write(data[:1000])
    elif what == "zeros":
        change(path, place, bytes(length))
    else:
        path.touch()


def try_edits(folder: Path, edits: list[list[Edit]]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    source = folder / "source"
    source.mkdir(parents=True)
    os.environ["TAPEKIT_STATE"] = str(folder / "state")
    (source / "file").write_bytes(random.Random(5).randbytes(200_000))
    nights = Nights(new_image(folder / "edits.tkc", 64 << 20, 16384), source)
    nights.save()
    for number, night in enumerate(edits):
        for one in night:
            edit(source / "file", *one)
        nights.save(later=timedelta(hours=number % 2))
    for number in {1, len(nights.archives) - 1}:
        nights.check(number, folder / str(number))


NIGHTS_OF_EDITS = st.lists(EDITS, min_size=1, max_size=4)


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(edits=NIGHTS_OF_EDITS)
def test_any_edits_come_back(tmp_path: Path, edits: list[list[Edit]]) -> None:
    try_edits(tmp_path / "edits", edits)


@pytest.mark.long
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(edits=NIGHTS_OF_EDITS)
def test_any_edits_come_back_often(tmp_path: Path, edits: list[list[Edit]]) -> None:
    try_edits(tmp_path / "edits", edits)


def thirty_nights(nights: Nights) -> None:
    rng = random.Random(3)
    for _ in range(30):
        for name in ("database", "dump"):
            path = nights.source / name
            for _ in range(3):
                change(path, rng.randrange(path.stat().st_size), rng.randbytes(50))
        dump = nights.source / "dump"
        content, place = dump.read_bytes(), rng.randrange(300_000)
        dump.write_bytes(content[:place] + rng.randbytes(100) + content[place:])
        nights.save()


def test_thirty_nights_and_one_of_them(nights: Nights, tmp_path: Path) -> None:
    nights.full_every = 12
    thirty_nights(nights)
    for night in (0, 11, 29):
        nights.check(night, tmp_path / str(night))


@pytest.mark.long
def test_thirty_nights_and_each_of_them(nights: Nights, tmp_path: Path) -> None:
    thirty_nights(nights)
    for night in range(30):
        nights.check(night, tmp_path / str(night))
    assert nights.image.verify().ok
    assert kit(nights.image, "check").returncode == 0


def test_a_restore_reads_each_block_once(nights: Nights, tmp_path: Path) -> None:
    """Files beside each other have their layers beside each other: what was read for one is at hand for the next."""
    rng = random.Random(1)
    for number in range(100):
        (nights.source / f"file {number:02}").write_bytes(rng.randbytes(100_000))
    nights.image = new_image(tmp_path / "large.tkc", 128 << 20, 1 << 20)
    for night in range(4):
        for number in range(100):
            change(nights.source / f"file {number:02}", rng.randrange(12) * PAGE, bytes([night]))
        nights.save()
    reads: collections.Counter[Position] = collections.Counter()
    with nights.image.drive() as drive:
        read_block = drive.read_block

        def counted() -> bytes | Mark:
            reads[drive.position()] += 1
            return read_block()

        drive.read_block = counted  # type: ignore[method-assign]
        behind = {s.file: s.trailer.catalog_block for s in open_cartridge(drive).segments() if s.trailer}
        reads.clear()
        restore.run(drive, restore.Request(str(tmp_path / "to")), Silent())
    of_content = [count for place, count in reads.items() if 1 < place.block < behind.get(place.file, 0)]
    assert len(of_content) >= 10
    assert set(of_content) == {1}
