"""Finding members by name in all archives, the versions of a file, and what differs between two archives."""

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, select, text

from formats.catalog import DELTA, NO_DIGEST, REGULAR, Entry
from tapekit.catalog import bitmap, members
from tapekit.catalog.pattern import NamePattern
from tapekit.catalog.tables import archives, cartridges, chunks, copies, directories, labels, paths, versions

ROWS = 500
"""Numbers in one query."""


@dataclasses.dataclass(frozen=True)
class Holding:
    """An archive that holds a version, and the cartridges with a copy of it."""

    archive: str
    job: str
    night: date
    started: datetime
    cartridges: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Version:
    """A member in one state, and every archive in which it is so, the latest first."""

    entry: Entry
    """How it is stored differs between archives: offset, reference and base are 0 here, and it is no delta."""
    holdings: tuple[Holding, ...]


@dataclasses.dataclass(frozen=True)
class Differences:
    """What differs between two archives, by path; a change is one of type, size, digest or link."""

    added: tuple[Entry, ...]
    removed: tuple[Entry, ...]
    changed: tuple[tuple[Entry, Entry], ...]


_FROM = "paths JOIN directories ON directories.id = paths.directory_id"
_WHERE = "directories.site_id = :site AND "
_SQLITE_LIKE = "CAST(paths.name AS TEXT) LIKE :like AND CAST(directories.path AS TEXT) LIKE :directory_like"
_POSTGRESQL_LIKE = (
    "encode(paths.name, 'escape') ILIKE :like AND encode(directories.path, 'escape') ILIKE :directory_like"
)
_SELECT = "SELECT paths.id, directories.path, paths.name FROM "
_SQLITE = text(f"{_SELECT}{_FROM} WHERE {_WHERE}{_SQLITE_LIKE}")
# CROSS: the index first, so that the search ends at the limit.
_SQLITE_INDEX = text(
    f"{_SELECT}names CROSS JOIN paths ON paths.id = names.rowid "
    f"JOIN directories ON directories.id = paths.directory_id "
    f"WHERE names MATCH :trigrams AND {_WHERE}{_SQLITE_LIKE}"
)
_POSTGRESQL = text(f"{_SELECT}{_FROM} WHERE {_WHERE}{_POSTGRESQL_LIKE}")


def find_paths(connection: Connection, site: int, pattern: NamePattern, limit: int) -> list[int]:
    """Numbers of the paths that match, at most so many."""
    values: dict[str, Any] = {"site": site, "like": pattern.like, "directory_like": pattern.directory_like}
    query = _POSTGRESQL
    if connection.dialect.name == "sqlite":
        query = _SQLITE
        if pattern.trigrams:
            query = _SQLITE_INDEX
            values["trigrams"] = " AND ".join('"{}"'.format(t.replace('"', '""')) for t in pattern.trigrams)
    found: list[int] = []
    with connection.execute(query, values, execution_options={"yield_per": ROWS}) as rows:
        for number, directory, name in rows:
            if pattern.match(directory, name):
                found.append(number)
                if len(found) == limit:
                    break
    return found


def path_number(connection: Connection, site: int, path: bytes) -> int | None:
    """The number of a path."""
    slash = path.rfind(b"/") + 1
    query = (
        select(paths.c.id)
        .join(directories, directories.c.id == paths.c.directory_id)
        .where(directories.c.site_id == site, directories.c.path == path[:slash], paths.c.name == path[slash:])
    )
    number = connection.execute(query).scalar()
    return None if number is None else int(number)


def versions_of(connection: Connection, site: int, numbers: Sequence[int]) -> list[Version]:
    """Every version of some paths that an archive holds; by path, the latest first."""
    rows: dict[int, Row[Any]] = {}
    for some in _parts(numbers):
        query = select(*members.ENTRY_COLUMNS).select_from(members.JOINED).where(versions.c.path_id.in_(some))
        rows |= {row.version: row for row in connection.execute(query)}
    known = holdings(connection, site)
    held_by = _archives_with(connection, sorted(rows))
    entries = {number: members.entry(row, row.reference or 0, 0) for number, row in rows.items()}
    final = {
        (entries[number].path, known[row].archive)
        for number, archive_rows in held_by.items() if not _goes_on(entries[number])
        for row in archive_rows if row in known
    }  # fmt: skip
    held_as: dict[Entry, list[Holding]] = {}
    for number, archive_rows in held_by.items():
        entry = entries[number]
        held = [known[row] for row in archive_rows if row in known]
        if _goes_on(entry):
            held = [holding for holding in held if (entry.path, holding.archive) not in final]
        if held:
            stored_anyhow = entry._replace(base=0, reference=0, flags=entry.flags & ~DELTA)
            held_as.setdefault(stored_anyhow, []).extend(held)
    found = [Version(entry, tuple(_together(held))) for entry, held in held_as.items()]
    found.sort(key=lambda version: (version.holdings[0].started, version.entry.mtime_ns), reverse=True)
    return sorted(found, key=lambda version: version.entry.path)


def _together(found: Iterable[Holding]) -> list[Holding]:
    """The latest first; an archive once, also where several of its parts hold the same."""
    by_archive: dict[str, Holding] = {}
    for holding in found:
        before = by_archive.get(holding.archive)
        names = dict.fromkeys((*(before.cartridges if before else ()), *holding.cartridges))
        by_archive[holding.archive] = dataclasses.replace(holding, cartridges=tuple(names))
    return sorted(by_archive.values(), key=lambda holding: (holding.started, holding.archive), reverse=True)


def holdings(connection: Connection, site: int) -> dict[int, Holding]:
    """Every archive with the cartridges that have a copy, by the number of its row."""
    query = (
        select(
            archives.c.id, archives.c.archive, archives.c.job, archives.c.night, archives.c.started, cartridges.c.name
        )
        .join(copies, copies.c.archive_id == archives.c.id)
        .join(labels, labels.c.id == copies.c.label_id)
        .join(cartridges, cartridges.c.id == labels.c.cartridge_id)
        .where(archives.c.site_id == site)
        .order_by(cartridges.c.name)
    )
    found: dict[int, Holding] = {}
    for number, archive, job, night, started, name in connection.execute(query):
        before = found[number].cartridges if number in found else ()
        found[number] = Holding(archive, job, night, started, (*before, name))
    return found


def _archives_with(connection: Connection, numbers: Sequence[int]) -> dict[int, list[int]]:
    """Rows of the archives that hold each version."""
    by_chunk: dict[int, list[int]] = defaultdict(list)
    for number in numbers:
        by_chunk[number // bitmap.VERSIONS].append(number)
    found: dict[int, list[int]] = {number: [] for number in numbers}
    query = select(chunks.c.archive_id, chunks.c.bitmap)
    for chunk, asked in by_chunk.items():
        for archive_id, packed in connection.execute(query.where(chunks.c.chunk == chunk)):
            for number in bitmap.held(packed, asked):
                found[number].append(archive_id)
    return found


def compare(connection: Connection, before: Sequence[int], after: Sequence[int]) -> Differences:
    """What differs from one archive to another, by the numbers of the rows of their segments."""
    gone, came = _only_in(connection, before, after)
    old = {entry.path: entry for entry in _entries(connection, gone) if not _goes_on(entry)}
    new = {entry.path: entry for entry in _entries(connection, came) if not _goes_on(entry)}
    both = sorted(old.keys() & new.keys())
    return Differences(
        added=tuple(new[path] for path in sorted(new.keys() - old.keys())),
        removed=tuple(old[path] for path in sorted(old.keys() - new.keys())),
        changed=tuple((old[path], new[path]) for path in both if _content(old[path]) != _content(new[path])),
    )


def _goes_on(entry: Entry) -> bool:
    """Whether this is what the catalog of a part says of a file whose digest stands in the next one."""
    return entry.type == REGULAR and not entry.is_absent and entry.sha256 == NO_DIGEST


def _content(entry: Entry) -> tuple[Any, ...]:
    return entry.type, entry.size, entry.valid, entry.sha256, entry.link


def _only_in(connection: Connection, before: Sequence[int], after: Sequence[int]) -> tuple[list[int], list[int]]:
    """Versions that are in the first of two archives alone, and in the second."""
    old, new = _bitmaps(connection, before), _bitmaps(connection, after)
    gone: list[int] = []
    came: list[int] = []
    for chunk in sorted(old.keys() | new.keys()):
        if old.get(chunk) != new.get(chunk):
            had = set(bitmap.unpack(chunk, old[chunk])) if chunk in old else set()
            has = set(bitmap.unpack(chunk, new[chunk])) if chunk in new else set()
            gone += had - has
            came += has - had
    return gone, came


def _bitmaps(connection: Connection, rows: Sequence[int]) -> dict[int, bytes]:
    """What the segments of an archive hold together, by chunk."""
    found: dict[int, list[bytes]] = defaultdict(list)
    query = select(chunks.c.chunk, chunks.c.bitmap).where(chunks.c.archive_id.in_(rows))
    for chunk, packed in connection.execute(query):
        found[chunk].append(packed)
    return {chunk: packed[0] if len(packed) == 1 else bitmap.union(packed) for chunk, packed in found.items()}


def _entries(connection: Connection, numbers: Sequence[int]) -> Iterator[Entry]:
    for some in _parts(numbers):
        query = select(*members.ENTRY_COLUMNS).select_from(members.JOINED).where(versions.c.id.in_(some))
        for row in connection.execute(query):
            yield members.entry(row, row.reference or 0, 0)


def _parts(numbers: Sequence[int]) -> Iterable[Sequence[int]]:
    return (numbers[start : start + ROWS] for start in range(0, len(numbers), ROWS))
