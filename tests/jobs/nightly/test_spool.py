"""A night in the spool is a whole copy, moves to a cartridge only when it reads back there, and is kept until then."""

import os
from datetime import date
from pathlib import Path

import pytest

from tapekit.errors import MediumFull, VerificationFailed
from tapekit.jobs import backup, duplicate
from tapekit.jobs.nightly import spool
from tapekit.progress import Silent
from tests.jobs.cartridges import Image, evidences, new_image, request, restored
from tests.jobs.nightly import contents

NIGHT = date(2026, 11, 23)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "file").write_bytes(os.urandom(100_000))
    return tmp_path / "source"


def spooled(directory: Path, source: Path, job: str = "office") -> Path:
    path = spool.make(directory, job, NIGHT, 1 << 20)
    with spool.opened(path, writable=True) as drive:
        backup.run(drive, request(source, job=job), Silent(), evidences())
    return path


def test_a_night_waits_and_is_moved(tmp_path: Path, source: Path) -> None:
    path = spooled(tmp_path / "spool", source)
    assert spool.waiting(tmp_path / "spool", "office") == [path]
    assert spool.waiting(tmp_path / "spool", "off") == []
    assert not spool.remains(path.parent, "office")
    target = new_image(tmp_path / "c.tkc", block_bytes=1 << 20)
    with target.drive(writable=True) as drive:
        spool.move(path, drive, Silent(), evidences())
    assert spool.waiting(tmp_path / "spool", "office") == []
    target.restore(tmp_path / "to")
    assert (restored(tmp_path / "to", source) / "file").read_bytes() == (source / "file").read_bytes()


def test_a_second_run_of_the_night_gets_a_name_of_its_own(tmp_path: Path, source: Path) -> None:
    first, second = spooled(tmp_path / "spool", source), spooled(tmp_path / "spool", source)
    assert first != second
    assert len(spool.waiting(tmp_path / "spool", "office")) == 2


def test_a_night_that_does_not_fit_waits_on(tmp_path: Path, source: Path) -> None:
    (source / "large").write_bytes(os.urandom(3 << 20))
    path = spooled(tmp_path / "spool", source)
    small = new_image(tmp_path / "c.tkc", 8 << 20, block_bytes=256 << 10)
    with small.drive(writable=True) as drive, pytest.raises(MediumFull):
        spool.move(path, drive, Silent(), evidences())
    assert not spool.remains(path.parent, "office")


def test_a_damaged_night_is_neither_moved_nor_let_go(tmp_path: Path, source: Path) -> None:
    path = spooled(tmp_path / "spool", source)
    content = bytearray(path.read_bytes())
    content[content.index((source / "file").read_bytes()[:64])] ^= 1
    path.write_bytes(content)
    target = new_image(tmp_path / "c.tkc", block_bytes=1 << 20)
    with target.drive(writable=True) as drive, pytest.raises(VerificationFailed):
        spool.move(path, drive, Silent(), evidences())
    assert path.exists()


def test_a_night_that_was_cut_off_is_not_whole(tmp_path: Path) -> None:
    path = spool.make(tmp_path / "spool", "office", NIGHT, 1 << 20)
    assert spool.remains(path.parent, "office") == [path]
    path.write_bytes(b"")
    assert spool.remains(path.parent, "office") == [path]


def test_a_disk_without_room_is_told(tmp_path: Path) -> None:
    with pytest.raises(MediumFull, match="may be used of the disk"):
        spool.make(tmp_path / "spool", "office", NIGHT, 1 << 60)
    assert list((tmp_path / "spool").iterdir()) == []


def test_a_spool_that_cannot_be_made_has_no_room(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert spool.free_bytes(tmp_path / "file" / "spool") == 0


def test_names_of_jobs_lead_nowhere_else(tmp_path: Path) -> None:
    path = spool.make(tmp_path / "spool", "../of fice", NIGHT, 1 << 20)
    assert path.parent == tmp_path / "spool"


def test_it_can_be_restored_from_the_spool(tmp_path: Path, source: Path) -> None:
    Image(spooled(tmp_path / "spool", source)).restore(tmp_path / "to")
    assert (restored(tmp_path / "to", source) / "file").read_bytes() == (source / "file").read_bytes()


def test_a_copy_that_was_cut_off_is_made_again_and_counts_once(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = spooled(tmp_path / "spool", source)
    target = new_image(tmp_path / "c.tkc", block_bytes=1 << 20)
    with monkeypatch.context() as cut, target.drive(writable=True) as drive:
        cut.setattr(duplicate._Duplication, "_write_trailer", fail)
        with pytest.raises(VerificationFailed, match="cut"):
            spool.move(path, drive, Silent(), evidences())
    with target.drive(writable=True) as drive:
        spool.move(path, drive, Silent(), evidences())
    (held,) = contents.read(target.path).archives
    assert held.is_complete
    target.restore(tmp_path / "to", archive=held.archive)
    assert (restored(tmp_path / "to", source) / "file").read_bytes() == (source / "file").read_bytes()


def test_a_copy_whose_run_was_killed_before_it_let_the_spool_go_is_not_made_twice(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = spooled(tmp_path / "spool", source)
    target = new_image(tmp_path / "c.tkc", block_bytes=1 << 20)
    with target.drive(writable=True) as drive:
        with monkeypatch.context() as killed:
            killed.setattr(spool, "discard", lambda _path: None)
            spool.move(path, drive, Silent(), evidences())
        spool.move(path, drive, Silent(), evidences())
        drive.to_end_of_data()
        assert drive.position().file == 3
    assert not path.exists()


def fail(*_arguments: object) -> None:
    raise VerificationFailed("cut off")
