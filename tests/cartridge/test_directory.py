"""The directory in trailers: what was there when later archives were written."""

import dataclasses
from pathlib import Path

from formats.segment import BlockCounts, DirectoryEntry, Trailer
from tapekit.cartridge.cartridge import Segment, open_cartridge
from tapekit.cartridge.directory import contradictions, remembered, was_incomplete
from tests.jobs.cartridges import new_image

FIRST, SECOND = "1" * 32, "2" * 32


def _entry(file: int, archive: str, state: str = "complete", sha256: str | None = "a" * 64) -> DirectoryEntry:
    return DirectoryEntry(file, archive, 0, "job", "", "", state, 1, 0, 1, 1, sha256)


def _segment(file: int, archive: str, directory: tuple[DirectoryEntry, ...] = (), sha256: str = "a" * 64) -> Segment:
    trailer = Trailer(
        archive, 0, "job", "", "complete", "", 1, 0, 1, 1, 1, BlockCounts(1, 1, 0, 1), "0" * 64, 2, directory
    )
    return Segment(file, None, 1, trailer, sha256)


def test_a_whole_cartridge_contradicts_nothing() -> None:
    segments = [_segment(2, FIRST), _segment(3, SECOND, (_entry(2, FIRST),), "b" * 64)]
    assert contradictions(segments, remembered(segments)) == []


def test_a_replaced_archive_is_named() -> None:
    segments = [_segment(2, "3" * 32), _segment(3, SECOND, (_entry(2, FIRST),))]
    (found,) = contradictions(segments, remembered(segments))
    assert (found.file, found.why) == (2, "archive 11111111 was here, now it is 33333333")


def test_a_replayed_trailer_is_named() -> None:
    segments = [_segment(2, FIRST, sha256="c" * 64), _segment(3, SECOND, (_entry(2, FIRST),))]
    assert [found.file for found in contradictions(segments, remembered(segments))] == [2]


def test_an_archive_that_is_gone_is_named() -> None:
    segments = [_segment(3, SECOND, (_entry(2, FIRST),))]
    assert [found.why for found in contradictions(segments, remembered(segments))] == [
        "archive 11111111 was here, and is gone"
    ]


def test_only_a_segment_known_to_be_cut_short_counts_as_that() -> None:
    cut = dataclasses.replace(_segment(2, FIRST), trailer=None)
    later = _segment(3, SECOND, (_entry(2, FIRST, "incomplete", None),))
    assert was_incomplete(cut, remembered([cut, later]))
    damaged_since = _segment(3, SECOND, (_entry(2, FIRST),))
    assert not was_incomplete(cut, remembered([cut, damaged_since]))
    assert not was_incomplete(cut, remembered([cut]))


def test_a_directory_that_a_later_one_covers_is_not_kept(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    image = new_image(tmp_path / "c.tkc")
    for _ in range(4):
        image.back_up(tmp_path / "file")
    with image.drive() as drive:
        segments = open_cartridge(drive).segments()
    kept = [[entry.file for entry in segment.trailer.directory] for segment in segments if segment.trailer]
    assert kept == [[], [], [], [2, 3, 4]]
    assert sorted(remembered(segments)) == [2, 3, 4]
