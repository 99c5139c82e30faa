"""Checking that the catalog holds together, and forgetting members that no archive holds any more."""

from collections.abc import Iterator

from sqlalchemy import ColumnElement, Connection, delete, func, select, text

from tapekit.catalog import bitmap
from tapekit.catalog.tables import archives, chunks, directories, paths, versions

MOST_PROBLEMS = 20


def check(connection: Connection) -> list[str]:
    """What is wrong with the database, in words."""
    problems: list[str] = []
    if connection.dialect.name == "sqlite":
        answer = connection.exec_driver_sql(f"PRAGMA integrity_check({MOST_PROBLEMS})")
        problems += [f"database: {line}" for (line,) in answer if line != "ok"]
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        problems += [f"database: table {row[0]}: row {row[1]} belongs to nothing" for row in broken[:MOST_PROBLEMS]]
    counted: dict[int, int] = {}
    for chunk in _chunks(connection):
        held: set[int] = set()
        for row in connection.execute(select(chunks).where(chunks.c.chunk == chunk)):
            numbers = set(bitmap.unpack(chunk, row.bitmap))
            counted[row.archive_id] = counted.get(row.archive_id, 0) + len(numbers)
            held |= numbers
        known = set(connection.execute(select(versions.c.id).where(_in_chunk(chunk))).scalars())
        if held - known:
            problems.append(f"members: {len(held - known)} are in an archive, but unknown")
    for row in connection.execute(select(archives)):
        if counted.get(row.id, 0) != row.members:
            problems.append(f"archive {row.archive[:8]}: {counted.get(row.id, 0)} members of {row.members}")
    return problems


def compact(connection: Connection) -> int:
    """Forget versions that no archive holds, and paths without versions; how many versions went."""
    forgotten = 0
    last = connection.execute(select(func.max(versions.c.id))).scalar()
    for chunk in range((last or -1) // bitmap.VERSIONS + 1):
        bitmaps = connection.execute(select(chunks.c.bitmap).where(chunks.c.chunk == chunk)).scalars()
        held = set(bitmap.unpack(chunk, bitmap.union(bitmaps)))
        known = connection.execute(select(versions.c.id).where(_in_chunk(chunk))).scalars()
        gone = [{"number": number} for number in known if number not in held]
        if gone:
            connection.execute(text("DELETE FROM versions WHERE id = :number"), gone)
        forgotten += len(gone)
    empty = ~select(versions.c.id).where(versions.c.path_id == paths.c.id).exists()
    if connection.dialect.name == "sqlite":
        connection.execute(
            text(
                "INSERT INTO names(names, rowid, name) SELECT 'delete', id, CAST(name AS TEXT) FROM paths "
                "WHERE NOT EXISTS (SELECT 1 FROM versions WHERE versions.path_id = paths.id)"
            )
        )
    connection.execute(delete(paths).where(empty))
    without = ~select(paths.c.id).where(paths.c.directory_id == directories.c.id).exists()
    connection.execute(delete(directories).where(without))
    return forgotten


def _chunks(connection: Connection) -> Iterator[int]:
    yield from connection.execute(select(chunks.c.chunk).distinct().order_by(chunks.c.chunk)).scalars().all()


def _in_chunk(chunk: int) -> ColumnElement[bool]:
    return versions.c.id.between(chunk * bitmap.VERSIONS, (chunk + 1) * bitmap.VERSIONS - 1)
