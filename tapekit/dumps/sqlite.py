"""SQLite: a copy by its own backup interface, which includes the write-ahead log, checked for integrity.

Source: https://www.sqlite.org/backup.html, https://www.sqlite.org/pragma.html#pragma_integrity_check
"""

import contextlib
import sqlite3
import time
from pathlib import Path

from tapekit.dumps.dump import Dump
from tapekit.dumps.errors import DumpFailed, DumpUnreadable, TimedOut
from tapekit.dumps.private import private_directory
from tapekit.units import duration_text

PAGES_PER_STEP = 1024
"""Between two steps the program that owns the database may write, and the time limit is looked at."""

_BUSY_S = 5.0


def dump(path: Path, directory: Path, name: str = "", timeout_s: float = 3600) -> Dump:
    """Copy a database that may be in use to `directory`/`name`.sqlite, and check the copy.

    Raises DumpFailed, DumpUnreadable where the copy has no tables or fails its check, and TimedOut; the copy is then
    removed.
    """
    name = name or path.name
    target = private_directory(directory) / f"{name.replace('/', '_')}.sqlite"
    began = time.monotonic()
    target.unlink(missing_ok=True)
    try:
        target.touch(mode=0o600)
        _copy(path, target, began + timeout_s)
    except TimeoutError as error:
        target.unlink(missing_ok=True)
        raise TimedOut(f"{name}: ended after {duration_text(timeout_s)}: too slow") from error
    except (sqlite3.Error, OSError) as error:
        target.unlink(missing_ok=True)
        raise DumpFailed(f"{name}: not copied: {error}", "is it a SQLite database, readable by this user?") from error
    except DumpUnreadable:
        target.unlink(missing_ok=True)
        raise
    return Dump(name, target, target.stat().st_size, time.monotonic() - began)


def _copy(path: Path, target: Path, until: float) -> None:
    def look(_status: int, _remaining: int, _total: int) -> None:
        if time.monotonic() > until:
            raise TimeoutError

    # mode=rw: never makes a database of a name that is wrong; read-only could not take part in write-ahead logging.
    location = f"{path.absolute().as_uri()}?mode=rw"
    with (
        contextlib.closing(sqlite3.connect(location, uri=True, timeout=_BUSY_S)) as source,
        contextlib.closing(sqlite3.connect(target)) as copy,
    ):
        source.backup(copy, pages=PAGES_PER_STEP, progress=look, sleep=0.05)
        # The copy stands alone: no second file is needed to read it.
        copy.execute("PRAGMA journal_mode=DELETE")
        copy.set_progress_handler(lambda: int(time.monotonic() > until), 100_000)
        try:
            problems = [row[0] for row in copy.execute("PRAGMA integrity_check(3)")]
        except sqlite3.OperationalError as error:
            if "interrupted" in str(error):
                raise TimeoutError from error
            raise
        if problems != ["ok"]:
            raise DumpUnreadable(f"{path.name}: the copy is damaged: {'; '.join(problems)}", "the database itself is")
        if not copy.execute("SELECT count(*) FROM sqlite_schema WHERE type = 'table'").fetchone()[0]:
            raise DumpUnreadable(f"{path.name}: the copy is empty: no table in it", "is it the right file?")
