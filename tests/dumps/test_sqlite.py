import contextlib
import sqlite3
import stat
from pathlib import Path

import pytest

from tapekit.dumps import sqlite
from tapekit.dumps.errors import DumpFailed, DumpUnreadable, TimedOut


def rows(path: Path) -> list[int]:
    with contextlib.closing(sqlite3.connect(path)) as database:
        return [row[0] for row in database.execute("SELECT n FROM sold ORDER BY n")]


@pytest.fixture
def sold(tmp_path: Path) -> Path:
    path = tmp_path / "sold.db"
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE sold (n INTEGER, what BLOB)")
        database.executemany("INSERT INTO sold VALUES (?, randomblob(3000))", [(n,) for n in range(2000)])
        database.execute("CREATE INDEX by_what ON sold (what)")
        database.commit()
    return path


def test_what_stands_in_the_write_ahead_log_only_is_in_the_copy(sold: Path, tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(sold)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA wal_autocheckpoint=0")
        database.execute("INSERT INTO sold VALUES (9999, '')")
        database.commit()
        assert (tmp_path / "sold.db-wal").stat().st_size > 0
        database.execute("INSERT INTO sold VALUES (10000, 'not committed')")
        dump = sqlite.dump(sold, tmp_path / "dumps", "sold")
    assert rows(dump.path)[-1] == 9999
    assert dump.size_bytes == dump.path.stat().st_size
    assert [path.name for path in dump.path.parent.iterdir()] == ["sold.sqlite"]
    assert stat.S_IMODE(dump.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(dump.path.parent.stat().st_mode) == 0o700


def test_a_second_dump_replaces_the_first(sold: Path, tmp_path: Path) -> None:
    first = sqlite.dump(sold, tmp_path / "dumps")
    assert sqlite.dump(sold, tmp_path / "dumps").path == first.path


def test_a_damaged_database_is_no_dump(sold: Path, tmp_path: Path) -> None:
    content = bytearray(sold.read_bytes())
    for page in range(len(content) // 4096 // 2, len(content) // 4096):
        content[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    sold.write_bytes(content)
    with pytest.raises((DumpFailed, DumpUnreadable), match="sold"):
        sqlite.dump(sold, tmp_path / "dumps")
    assert not list((tmp_path / "dumps").iterdir())


@pytest.mark.parametrize("content", (None, b"", b"not a database, whatever its name says" * 100))
def test_what_is_no_database_is_told_and_nothing_is_made(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "sold.db"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises((DumpFailed, DumpUnreadable), match="sold"):
        sqlite.dump(path, tmp_path / "dumps")
    assert path.exists() == (content is not None)
    assert not list((tmp_path / "dumps").iterdir())


def test_a_dump_that_takes_too_long_is_ended(sold: Path, tmp_path: Path) -> None:
    with pytest.raises(TimedOut, match="too slow"):
        sqlite.dump(sold, tmp_path / "dumps", timeout_s=0)
    assert not list((tmp_path / "dumps").iterdir())


def test_a_directory_that_is_a_link_is_not_used(sold: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(DumpFailed, match="a link"):
        sqlite.dump(sold, tmp_path / "link")


def test_an_open_directory_is_closed_to_others(sold: Path, tmp_path: Path) -> None:
    (tmp_path / "dumps").mkdir(mode=0o755)
    sqlite.dump(sold, tmp_path / "dumps")
    assert stat.S_IMODE((tmp_path / "dumps").stat().st_mode) == 0o700
