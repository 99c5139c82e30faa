"""What changes in a file overnight, for the suite `deltas`: sources, and a night's change to each."""

import contextlib
import os
import random
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

MIB = 2**20
PAGE_BYTES = 8192
INSERTED_BYTES = 1024
CLUSTERS = 8
DUMP_PLACES = 200
POSTGRESQL = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
"""The programs of each version that is installed, as Debian has them."""


@dataclass(frozen=True)
class Change:
    """One kind of change.

    Args:
        name: For people.
        make: Makes the source in an empty directory, of about so many bytes.
        change: A night's change to it; returns how many bytes were inserted, None where it was written in place.
        share: Of the full size, for sources that are slow to make.
        missing: What it needs and is not installed.
    """

    name: str
    make: Callable[[Path, int], None]
    change: Callable[[Path, random.Random], int | None]
    share: float = 1.0
    missing: Callable[[], str] = lambda: ""


# --- a page file ------------------------------------------------------------------------------------------------


def _make_pages(directory: Path, size_bytes: int) -> None:
    """Pages that do not compress, no two the same: whatever is stored twice was not known again."""
    rng = random.Random(1)  # noqa: S311 - the same content every time
    with (directory / "pages").open("wb", buffering=0) as file:
        for _ in range(size_bytes // MIB):
            file.write(rng.randbytes(MIB))


def _write_pages(directory: Path, numbers: list[int], rng: random.Random) -> None:
    with (directory / "pages").open("r+b", buffering=0) as file:
        for number in numbers:
            os.pwrite(file.fileno(), rng.randbytes(PAGE_BYTES), number * PAGE_BYTES)


def _pages(directory: Path) -> int:
    return (directory / "pages").stat().st_size // PAGE_BYTES


def _random_pages(directory: Path, rng: random.Random) -> None:
    pages = _pages(directory)
    _write_pages(directory, rng.sample(range(pages), pages // 100), rng)


def _clustered_pages(directory: Path, rng: random.Random) -> None:
    pages = _pages(directory)
    length = max(1, pages // 100 // CLUSTERS)
    for place in rng.sample(range(0, pages - length, length), CLUSTERS):
        _write_pages(directory, list(range(place, place + length)), rng)


def _append(directory: Path, rng: random.Random) -> None:
    pages = _pages(directory)
    _write_pages(directory, list(range(pages, pages + pages // 100)), rng)


def _insert(directory: Path, rng: random.Random) -> int:
    old, new = directory / "pages", directory / "new"
    with old.open("rb") as source, new.open("wb") as target:
        target.write(rng.randbytes(INSERTED_BYTES))
        shutil.copyfileobj(source, target, MIB)
    new.replace(old)
    return INSERTED_BYTES


# --- PostgreSQL -------------------------------------------------------------------------------------------------


def _no_postgresql() -> str:
    wanted = "pgbench" if POSTGRESQL else "postgresql"
    return "" if POSTGRESQL and (POSTGRESQL[-1] / wanted).exists() else f"{wanted}: not installed"


def _postgresql(program: str, *arguments: str) -> None:
    """Run one of its programs; PostgreSQL refuses to run as root."""
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    subprocess.run(
        [*user, str(POSTGRESQL[-1] / program), *arguments],
        check=True, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


@contextlib.contextmanager
def _running(data: Path) -> Iterator[list[str]]:
    """A server on a socket beside its data; what a client is told to find it."""
    options = f"-c listen_addresses= -c unix_socket_directories={data.parent.parent} -c fsync=off"
    _postgresql("pg_ctl", "start", "-w", "-D", str(data), "-o", options)
    try:
        yield ["-h", str(data.parent.parent), "-U", "benchmark", "postgres"]
    finally:
        _postgresql("pg_ctl", "stop", "-w", "-m", "fast", "-D", str(data))


def _make_postgresql(directory: Path, size_bytes: int) -> None:
    """A cluster that `pgbench` filled: 15 MB for each unit of its scale."""
    if os.geteuid() == 0:
        shutil.chown(directory.parent, "postgres")
        shutil.chown(directory, "postgres")
    data = directory / "data"
    _postgresql("initdb", "-D", str(data), "-U", "benchmark", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N")
    with _running(data) as where:
        _postgresql("pgbench", "-i", "-q", "-s", str(max(1, size_bytes // 15_000_000)), *where)


def _pgbench(directory: Path, rng: random.Random) -> None:
    """Transactions for one page in a hundred, then a clean stop."""
    size_bytes = sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
    count = max(10, size_bytes // PAGE_BYTES // 100)
    with _running(directory / "data") as where:
        _postgresql("pgbench", "-n", "-t", str(count), f"--random-seed={rng.getrandbits(30)}", *where)


# --- SQLite -----------------------------------------------------------------------------------------------------

ROW_BYTES = 200


def _make_sqlite(directory: Path, size_bytes: int) -> None:
    rng = random.Random(2)  # noqa: S311 - the same content every time
    with contextlib.closing(sqlite3.connect(directory / "database.sqlite")) as database:
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("CREATE TABLE sale (id INTEGER PRIMARY KEY, customer INTEGER, words BLOB)")
        rows = size_bytes // (ROW_BYTES + 30)
        values = ((number, rng.getrandbits(30), rng.randbytes(ROW_BYTES)) for number in range(rows))
        database.executemany("INSERT INTO sale VALUES (?, ?, ?)", values)
        database.execute("CREATE INDEX customers ON sale (customer)")
        database.commit()


def _sqlite_rows(directory: Path, rng: random.Random, statement: str, share: int) -> None:
    """Run a statement for one row in `share`."""
    with contextlib.closing(sqlite3.connect(directory / "database.sqlite")) as database:
        (rows,) = database.execute("SELECT max(id) FROM sale").fetchone()
        values = [(rng.randbytes(ROW_BYTES), number) for number in rng.sample(range(rows), max(1, rows // share))]
        database.executemany(statement, values)
        database.commit()


def _sqlite_updates(directory: Path, rng: random.Random) -> None:
    _sqlite_rows(directory, rng, "UPDATE sale SET words = ? WHERE id = ?", 1000)


def _sqlite_vacuum(directory: Path, rng: random.Random) -> int:
    """Rows are deleted here and there, and VACUUM writes all of the others anew, closer together."""
    _sqlite_rows(directory, rng, "DELETE FROM sale WHERE ?1 IS NOT NULL AND id = ?2", 2000)
    with contextlib.closing(sqlite3.connect(directory / "database.sqlite")) as database:
        database.execute("VACUUM")
    return 0


# --- a text dump ------------------------------------------------------------------------------------------------


def _line(rng: random.Random) -> bytes:
    return b"%08x\t%016x\t2026-11-%02d\t%x\n" % (
        rng.getrandbits(32), rng.getrandbits(64), rng.randrange(1, 29), rng.getrandbits(60),
    )  # fmt: skip


def _make_dump(directory: Path, size_bytes: int) -> None:
    rng = random.Random(3)  # noqa: S311 - the same content every time
    with (directory / "dump.sql").open("wb", buffering=MIB) as file:
        while file.tell() < size_bytes:
            file.writelines(_line(rng) for _ in range(10_000))


def _dump_insertions(directory: Path, rng: random.Random) -> int:
    path = directory / "dump.sql"
    content, done, inserted, new = path.read_bytes(), 0, 0, directory / "new"
    with new.open("wb") as file:
        for place in sorted(rng.sample(range(len(content)), DUMP_PLACES)):
            behind = content.find(b"\n", place) + 1 or len(content)
            line = _line(rng)
            file.write(content[done:behind] + line)
            done, inserted = behind, inserted + len(line)
        file.write(content[done:])
    new.replace(path)
    return inserted


CHANGES = (
    Change("1 % of the pages, at random", _make_pages, _random_pages),
    Change("1 % of the pages, in 8 places", _make_pages, _clustered_pages),
    Change("1 % appended", _make_pages, _append),
    Change("1 KiB inserted at the start", _make_pages, _insert),
    Change("PostgreSQL, after pgbench", _make_postgresql, _pgbench, 0.3, _no_postgresql),
    Change("SQLite, after updates", _make_sqlite, _sqlite_updates, 0.2),
    Change("SQLite, after VACUUM", _make_sqlite, _sqlite_vacuum, 0.2),
    Change("a dump, 200 lines inserted", _make_dump, _dump_insertions, 0.2),
)
IN_PLACE = tuple(change.name for change in CHANGES[:3])
AT_THE_START = CHANGES[3].name
