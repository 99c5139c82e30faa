"""What a restore takes, where it puts it, and what it leaves alone."""

import os
from pathlib import Path
from typing import Any

import pytest

from drivers.base import Drive, Mark
from tapekit.errors import NoSuchArchive
from tapekit.jobs import export, restore
from tapekit.patterns import Patterns
from tapekit.progress import Silent
from tests.jobs.cartridges import Image, new_image, places, restored

OLD_NS, NEW_NS = 1_000_000_000_000_000_007, 1_600_000_000_000_000_003


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for name in ("a/one", "a/b/two", "c[1]/three", "d.log"):
        path = tmp_path / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        os.utime(path, ns=(OLD_NS, OLD_NS))
    return tmp_path / "source"


def below(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()}


# --- patterns --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    (
        ("a", b"a", True), ("a", b"a/b", True), ("a", b"ab", False), ("/a/", b"a/b", True), ("a/b", b"a/b/c", True),
        ("*", b"a/b", True), ("*.log", b"x/y.log", True), ("a/*", b"a", False), ("a*c", b"a/b/c", True),
        ("?", b"a", True), ("?", b"ab", False), ("[ab]", b"b/below", True), ("[!a]", b"a", False),
        ("c[1]", b"c1", True), ("c[[]1]", b"c[1]", True), ("[", b"[", True), ("a\nb", b"a\nb", True),
        ("caf\udce9", b"caf\xe9", True), ("*\n", b"x\n", True), ("a", b"a\n", False), ("a.b", b"axb", False),
    ),
)  # fmt: skip
def test_patterns(pattern: str, path: bytes, matches: bool) -> None:  # noqa: FBT001
    assert Patterns([pattern]).match(path) is matches


def test_patterns_know_what_matched_nothing() -> None:
    patterns = Patterns(["a", "b*", "c"])
    assert patterns.match(b"bc")
    assert patterns.unmatched() == ["a", "c"]
    assert Patterns([]).match(b"anything")


@pytest.mark.parametrize(
    ("pattern", "files"),
    (("{}/a", {"a/one", "a/b/two"}), ("{}/a/b/two", {"a/b/two"}), ("*.log", {"d.log"}), ("*three", {"c[1]/three"})),
)
def test_only_what_is_named_comes_back(
    cartridge: Image, source: Path, tmp_path: Path, pattern: str, files: set[str]
) -> None:
    cartridge.back_up(source)
    cartridge.restore(tmp_path / "to", pattern.format(source))
    assert below(restored(tmp_path / "to", source)) == files


def test_a_pattern_that_matches_nothing_is_told(cartridge: Image, source: Path, tmp_path: Path) -> None:
    cartridge.back_up(source)
    assert cartridge.restore(tmp_path / "to", "*.log", "nowhere").unmatched == ["nowhere"]


# --- one file --------------------------------------------------------------------------------------------------------


class CountingDrive:
    """Counts the blocks that are read, and the places that are sought."""

    def __init__(self, drive: Drive) -> None:
        self._drive = drive
        self.reads = 0

    def read_block(self) -> "bytes | Mark":
        self.reads += 1
        return self._drive.read_block()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the drive has
        return getattr(self._drive, name)


def test_one_file_costs_the_same_in_a_large_archive(tmp_path: Path, source: Path) -> None:
    reads = []
    for megabytes in (1, 12):
        (source / "before").write_bytes(os.urandom(megabytes << 20))
        cartridge = new_image(tmp_path / f"{megabytes}.tkc", 48 << 20)
        cartridge.back_up(source)
        with cartridge.drive() as drive:
            counting: Any = CountingDrive(drive)
            request = restore.Request(str(tmp_path / str(megabytes)), (f"{source}/d.log",))
            result = restore.run(counting, request, Silent())
        assert result.members == 1
        reads.append(counting.reads)
    assert abs(reads[0] - reads[1]) <= 16  # the thread reads ahead as far as it comes
    assert max(reads) < 48


# --- what is there already -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overwrite", "kept"),
    (("never", {"a/one", "d.log"}), ("older", {"d.log"}), ("always", set())),
)
def test_overwrite(cartridge: Image, source: Path, tmp_path: Path, overwrite: str, kept: set[str]) -> None:
    cartridge.back_up(source)
    to = restored(tmp_path / "to", source)
    for name, time_ns in (("a/one", OLD_NS - 1), ("d.log", NEW_NS)):
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        (to / name).write_text("was there")
        os.utime(to / name, ns=(time_ns, time_ns))
    result = cartridge.restore(tmp_path / "to", overwrite=overwrite)
    assert {name for name in below(to) if (to / name).read_text() == "was there"} == kept
    assert below(to) == below(source)
    assert {os.fsdecode(path).removeprefix(f"{source}/"[1:]) for path, _ in result.skipped} == kept


def test_the_same_time_is_not_older(cartridge: Image, source: Path, tmp_path: Path) -> None:
    cartridge.back_up(source)
    cartridge.restore(tmp_path / "to")
    kept = restored(tmp_path / "to", source) / "d.log"
    kept.write_text("changed")
    os.utime(kept, ns=(OLD_NS, OLD_NS))
    cartridge.restore(tmp_path / "to", overwrite="older")
    assert kept.read_text() == "changed"


@pytest.mark.parametrize("overwrite", ("older", "always"))
def test_older_second_names_are_replaced(cartridge: Image, source: Path, tmp_path: Path, overwrite: str) -> None:
    os.link(source / "d.log", source / "e.log")
    cartridge.back_up(source)
    to = restored(tmp_path / "to", source)
    to.mkdir(parents=True)
    for name in ("d.log", "e.log"):
        (to / name).write_text("older")
        os.utime(to / name, ns=(1, 1))
    cartridge.restore(tmp_path / "to", overwrite=overwrite)
    assert (to / "d.log").read_text() == (to / "e.log").read_text() == "d.log"
    assert (to / "d.log").samefile(to / "e.log")


def test_directories_that_are_there_keep_their_mode_unless_overwritten(
    cartridge: Image, source: Path, tmp_path: Path
) -> None:
    (source / "a").chmod(0o750)
    cartridge.back_up(source)
    to = restored(tmp_path / "to", source)
    (to / "a").mkdir(parents=True)
    (to / "a").chmod(0o711)
    cartridge.restore(tmp_path / "to")
    assert (to / "a").stat().st_mode & 0o777 == 0o711
    assert (to / "c[1]").stat().st_mode & 0o777 == (source / "c[1]").stat().st_mode & 0o777
    cartridge.restore(tmp_path / "to", overwrite="always")
    assert (to / "a").stat().st_mode & 0o777 == 0o750


def test_directories_on_the_way_have_the_mode_that_the_umask_gives(
    cartridge: Image, source: Path, tmp_path: Path
) -> None:
    (source / "a").chmod(0o700)
    cartridge.back_up(source)
    before = os.umask(0o027)
    try:
        cartridge.restore(tmp_path / "to", f"{source}/a/b/two")
    finally:
        os.umask(before)
    to = restored(tmp_path / "to", source)
    assert [path.stat().st_mode & 0o777 for path in (to.parent, to, to / "a", to / "a" / "b")] == [0o750] * 4


def test_a_directory_where_a_file_should_be(cartridge: Image, source: Path, tmp_path: Path) -> None:
    cartridge.back_up(source)
    (restored(tmp_path / "to", source) / "d.log").mkdir(parents=True)
    result = cartridge.restore(tmp_path / "to", overwrite="always")
    assert [why for _, why in result.refused] == ["a directory is in its place"]


def test_a_file_where_a_directory_should_be(cartridge: Image, source: Path, tmp_path: Path) -> None:
    cartridge.back_up(source)
    to = restored(tmp_path / "to", source)
    to.mkdir(parents=True)
    (to / "a").write_text("in the way")
    result = cartridge.restore(tmp_path / "to", overwrite="always")
    assert len(result.refused) == 4  # a, a/b, a/b/two and a/one
    assert (to / "d.log").read_text() == "d.log"


def test_a_hard_link_without_its_first_name(cartridge: Image, source: Path, tmp_path: Path) -> None:
    os.link(source / "a" / "one", source / "z-second")
    os.link(source / "a" / "one", source / "z-third")
    cartridge.back_up(source)
    result = cartridge.restore(tmp_path / "to", f"{source}/z-*")
    to = restored(tmp_path / "to", source)
    assert below(to) == {"z-second", "z-third"}
    assert (to / "z-second").read_text() == "a/one"
    assert (to / "z-second").samefile(to / "z-third")
    assert (result.damaged, result.refused, result.skipped) == ([], [], [])


# --- archives --------------------------------------------------------------------------------------------------------


def test_archives_by_id_and_latest(cartridge: Image, source: Path, tmp_path: Path) -> None:
    first = cartridge.back_up(source)
    (source / "d.log").write_text("newer")
    second = cartridge.back_up(source)
    for archive, content in ((first.archive[:8], "d.log"), (second.archive.upper(), "newer"), ("latest", "newer")):
        cartridge.restore(tmp_path / archive, archive=archive)
        assert (restored(tmp_path / archive, source) / "d.log").read_text() == content


@pytest.mark.parametrize("archive", ("ffffffff0", "", "nonsense"))
def test_an_archive_that_is_not_there(cartridge: Image, source: Path, tmp_path: Path, archive: str) -> None:
    cartridge.back_up(source)
    with pytest.raises(NoSuchArchive):
        cartridge.restore(tmp_path / "to", archive=archive)
    assert not (tmp_path / "to").exists()


@pytest.mark.parametrize("job", ("backup", "other"))
def test_a_later_archive_that_was_not_closed_is_said(tmp_path: Path, job: str) -> None:
    """Yesterday's file comes back for today's: nobody should believe that it is the latest."""
    source, cartridge = tmp_path / "two", new_image(tmp_path / "two.tkc")
    source.mkdir()
    (source / "file").write_bytes(b"yesterday")
    cartridge.back_up(source)
    (source / "file").write_bytes(b"today")
    today = cartridge.back_up(source, job=job)
    last = [place for place in places(cartridge.path) if place.file == 3][-1]
    with cartridge.path.open("r+b") as file:
        file.seek(last.content + 200)
        file.write(b"damaged")
    result = cartridge.restore(tmp_path / "to")
    assert (restored(tmp_path / "to", source) / "file").read_bytes() == b"yesterday"
    checked = cartridge.verify("latest")
    with cartridge.drive() as drive:
        exported = export.run(drive, "latest", len, Silent())
    for doubts in (result.doubts, checked.doubts, exported.doubts):
        assert [today.archive[:8] in why and "incomplete" in why for why in doubts] == [True] * (job == "backup")
    by_id = cartridge.restore(tmp_path / "by-id", archive=today.archive)
    assert (by_id.doubts, (restored(tmp_path / "by-id", source) / "file").read_bytes()) == ([], b"today")
