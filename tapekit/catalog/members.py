"""Members of archives: what is the same in many archives is kept once (docs/decisions/, "Members of the catalog").

A path is kept once, and each of its states once (a *version*: all that a catalog entry says, but for the place in the
stream). An archive is a set of versions. Two things differ from night to night for a file that does not change:

- its offset in the stream: a version knows its `span` instead, the distance to the next member, and the offsets of an
  archive follow from the first one;
- the offset that a hard link refers to: kept per archive, in the order of its links.

Trees are walked in the order of `sort_key` and name, so the order of members need not be kept; an archive in which they
stand otherwise has the place of each beside its bitmap.
"""

import hashlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    Select,
    Table,
    and_,
    delete,
    func,
    insert,
    select,
    update,
)

from formats.catalog import HARD_LINK, NO_DIGEST, NOT_IN_STREAM, Entry
from tapekit.catalog import bitmap
from tapekit.catalog.tables import archives, attributes, chunks, directories, links, paths, versions

BATCH = 20_000
"""Members that are looked up together."""
MOST_CACHED = 65_536
LINKS_OF_ROW = 16_384
_WRAP = 1 << 64
_STATE = ("attributes_id", "size", "valid", "mtime_ns", "ctime_ns", "inode", "reference", "span", "sha256", "link")
"""The columns that make a version of a path."""

_scratch = MetaData()
incoming = Table(
    "incoming", _scratch, Column("place", Integer, primary_key=True, autoincrement=False),
    Column("directory_id", BigInteger), Column("name", LargeBinary), Column("path_id", BigInteger),
    Column("version_id", BigInteger),
    *(Column(name, LargeBinary if name in {"sha256", "link"} else BigInteger) for name in _STATE),
    prefixes=["TEMPORARY"],
)  # fmt: skip
wanted = Table(
    "wanted", _scratch, Column("version_id", BigInteger, primary_key=True, autoincrement=False),
    Column("place", BigInteger), prefixes=["TEMPORARY"],
)  # fmt: skip


def record(connection: Connection, site: int, archive_id: int, entries: Iterable[Entry]) -> int:
    """Keep the members of an archive instead of those that are known; how many there are."""
    forget(connection, archive_id)
    recorder = _Recorder(connection, site)
    incoming.create(connection)
    rows = recorder.rows(entries)
    while batch := list(islice(rows, BATCH)):
        recorder.add(batch)
    incoming.drop(connection)
    recorder.finish(archive_id)
    return len(recorder.found)


def forget(connection: Connection, archive_id: int) -> None:
    """The members of an archive are not known any more."""
    for table in (chunks, links):
        connection.execute(delete(table).where(table.c.archive_id == archive_id))


class _Recorder:
    """Turns entries into versions, a batch at a time."""

    def __init__(self, connection: Connection, site: int) -> None:
        self.found = array("q")
        """The version of each member, in order."""
        self._connection = connection
        self._site = site
        self._held: set[int] = set()
        self._links = array("Q")
        self._first_offset = 0
        self._is_ordered = True
        self._directories: dict[bytes, tuple[int, bytes]] = {}
        self._attributes: dict[tuple[Any, ...], int] = {}

    def rows(self, entries: Iterable[Entry]) -> Iterator[dict[str, Any]]:
        """What goes into the table of incoming members; the span of each is known when the next one comes."""
        waiting: dict[str, Any] | None = None
        offset, before, place = 0, b"", 0
        held_back: list[dict[str, Any]] = []
        for entry in entries:
            row, key = self._row(entry, place)
            self._is_ordered &= not place or before < key
            before, place = key, place + 1
            if entry.type == HARD_LINK:
                self._links.append(entry.reference)
            if entry.offset != NOT_IN_STREAM:
                if waiting is None:
                    self._first_offset = entry.offset
                else:
                    waiting["span"] = _signed(entry.offset - offset)
                yield from held_back
                held_back.clear()
                waiting, offset = row, entry.offset
            held_back.append(row)
            if len(held_back) > BATCH and waiting is None:
                yield from held_back
                held_back.clear()
        if waiting is not None:
            waiting["span"] = 0
        yield from held_back

    def _row(self, entry: Entry, place: int) -> tuple[dict[str, Any], bytes]:
        slash = entry.path.rfind(b"/") + 1
        name = entry.path[slash:]
        directory, key = self._directory(entry.path[:slash])
        is_link = entry.type == HARD_LINK
        row = {
            "place": place, "directory_id": directory, "name": name, "attributes_id": self._attributes_id(entry),
            "size": _signed(entry.size), "valid": None if entry.valid == entry.size else _signed(entry.valid),
            "mtime_ns": entry.mtime_ns, "ctime_ns": entry.ctime_ns, "inode": _signed(entry.inode),
            "reference": None if is_link or not entry.reference else _signed(entry.reference), "span": None,
            "sha256": None if entry.sha256 == NO_DIGEST else entry.sha256, "link": entry.link or None,
        }  # fmt: skip
        return row, key + name

    def _directory(self, path: bytes) -> tuple[int, bytes]:
        known = self._directories.get(path)
        if known is None:
            if len(self._directories) >= MOST_CACHED:
                self._directories.clear()
            values = {"site_id": self._site, "path": path}
            number = self._connection.execute(select(directories.c.id).filter_by(**values)).scalar()
            key = path.replace(b"/", b"\0")
            if number is None:
                made = self._connection.execute(insert(directories).values(**values, sort_key=key))
                number = made.inserted_primary_key[0] if made.inserted_primary_key else 0
            known = self._directories[path] = number, key
        return known

    def _attributes_id(self, entry: Entry) -> int:
        which = entry[:5] + entry[5:9]
        number = self._attributes.get(which)
        if number is None:
            if len(self._attributes) >= MOST_CACHED:
                self._attributes.clear()
            digest = hashlib.sha256(repr(which).encode()).digest()[:16]
            number = self._connection.execute(select(attributes.c.id).where(attributes.c.digest == digest)).scalar()
            if number is None:
                names = ("type", "flags", "mode", "uid", "gid", "owner", "group", "note", "base")
                values = dict(zip(names, which, strict=True))
                made = self._connection.execute(insert(attributes).values(digest=digest, **values))
                number = made.inserted_primary_key[0] if made.inserted_primary_key else 0
            self._attributes[which] = number
        return number

    def add(self, batch: list[dict[str, Any]]) -> None:
        """Find or make the versions of a batch."""
        connection = self._connection
        connection.execute(delete(incoming))
        connection.execute(insert(incoming), batch)
        self._add_paths()
        connection.execute(_LOOK_UP)
        connection.execute(_ADD_VERSIONS)
        connection.execute(_LOOK_UP)
        for place, version in connection.execute(_FOUND).all():
            number = self._again(place) if version in self._held else version
            self._held.add(number)
            self.found.append(number)

    def _add_paths(self) -> None:
        connection = self._connection
        last = connection.execute(select(func.max(paths.c.id))).scalar() or 0
        connection.execute(_ADD_PATHS)
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql(
                "INSERT INTO names(rowid, name) SELECT id, CAST(name AS TEXT) FROM paths WHERE id > ?", (last,)
            )
        connection.execute(_FIND_PATHS)

    def _again(self, place: int) -> int:
        """A member that stands twice in the archive, exactly the same: a version of its own."""
        source = select(*_VERSION).where(incoming.c.place == place)
        self._connection.execute(insert(versions).from_select(["path_id", *_STATE], source))
        return int(self._connection.execute(select(func.max(versions.c.id))).scalar_one())

    def finish(self, archive_id: int) -> None:
        """Write down which versions the archive holds."""
        places = None if self._is_ordered else {version: place for place, version in enumerate(self.found)}
        for chunk, packed in bitmap.pack(self.found).items():
            stands = None
            if places is not None:
                stands = bitmap.pack_numbers(array("Q", (places[v] for v in bitmap.unpack(chunk, packed))))
            self._connection.execute(
                insert(chunks).values(chunk=chunk, archive_id=archive_id, bitmap=packed, places=stands)
            )
        for number, start in enumerate(range(0, len(self._links), LINKS_OF_ROW)):
            packed = bitmap.pack_numbers(self._links[start : start + LINKS_OF_ROW])
            self._connection.execute(insert(links).values(archive_id=archive_id, number=number, offsets=packed))
        self._connection.execute(
            update(archives).where(archives.c.id == archive_id).values(
                members=len(self.found), first_offset=_signed(self._first_offset), is_ordered=self._is_ordered
            )
        )  # fmt: skip


_VERSION = (incoming.c.path_id, *(incoming.c[name] for name in _STATE))
_FOUND = select(incoming.c.place, incoming.c.version_id).order_by(incoming.c.place)
_SAME_PATH = and_(paths.c.directory_id == incoming.c.directory_id, paths.c.name == incoming.c.name)
_ADD_PATHS = insert(paths).from_select(
    ["directory_id", "name"],
    select(incoming.c.directory_id, incoming.c.name)
    .where(~select(paths.c.id).where(_SAME_PATH).exists())
    .group_by(incoming.c.directory_id, incoming.c.name)
    .order_by(func.min(incoming.c.place)),
)
_FIND_PATHS = update(incoming).values(path_id=select(paths.c.id).where(_SAME_PATH).scalar_subquery())
_LOOK_UP = (
    update(incoming)
    .where(incoming.c.version_id.is_(None))
    .values(
        version_id=select(func.max(versions.c.id))
        .where(
            versions.c.path_id == incoming.c.path_id,
            *(versions.c[name].is_not_distinct_from(incoming.c[name]) for name in _STATE),
        )
        .scalar_subquery()
    )
)
_ADD_VERSIONS = insert(versions).from_select(
    ["path_id", *_STATE], select(*_VERSION).where(incoming.c.version_id.is_(None)).order_by(incoming.c.place)
)


ENTRY_COLUMNS = (
    versions.c.id.label("version"), directories.c.path.label("directory"), paths.c.name,
    *(versions.c[name] for name in _STATE[1:]),
    *(attributes.c[name] for name in ("type", "flags", "mode", "uid", "gid", "owner", "group", "note", "base")),
)  # fmt: skip
"""What `entry` takes."""
JOINED = (
    versions.join(paths, paths.c.id == versions.c.path_id)
    .join(directories, directories.c.id == paths.c.directory_id)
    .join(attributes, attributes.c.id == versions.c.attributes_id)
)


def read(connection: Connection, archive: Row[Any]) -> Iterator[Entry]:
    """The members of an archive, in their order; `archive` is its row."""
    wanted.create(connection)
    rows = select(chunks).where(chunks.c.archive_id == archive.id).order_by(chunks.c.chunk)
    for row in connection.execute(rows).all():
        numbers = list(bitmap.unpack(row.chunk, row.bitmap))
        places = bitmap.unpack_numbers(row.places) if row.places is not None else iter([None] * len(numbers))
        connection.execute(
            insert(wanted), [{"version_id": n, "place": p} for n, p in zip(numbers, places, strict=True)]
        )
    references = _references(connection, archive.id)
    offset = archive.first_offset
    query = _in_order(is_ordered=archive.is_ordered)
    with connection.execute(query, execution_options={"yield_per": 1000}) as found:
        for row in found:
            reference = next(references) if row.type == HARD_LINK else (row.reference or 0) % _WRAP
            yield entry(row, reference, NOT_IN_STREAM if row.span is None else offset % _WRAP)
            offset += row.span or 0
    wanted.drop(connection)


def read_all(connection: Connection, rows: Sequence[Row[Any]]) -> Iterator[Entry]:
    """The members of an archive from the rows of its segments; one that goes on over a border as the last has it."""
    held: Entry | None = None
    for row in rows:
        for found in read(connection, row):
            if held is not None and (held.offset != found.offset or found.offset == NOT_IN_STREAM):
                yield held
            held = found
    if held is not None:
        yield held


def entry(row: Row[Any], reference: int, offset: int) -> Entry:
    """The entry that a row of ENTRY_COLUMNS is."""
    size = row.size % _WRAP
    return Entry(
        type=row.type, flags=row.flags, mode=row.mode, uid=row.uid, gid=row.gid, owner=row.owner, group=row.group,
        note=row.note, base=row.base, reference=reference, inode=row.inode % _WRAP, size=size,
        valid=size if row.valid is None else row.valid % _WRAP, mtime_ns=row.mtime_ns, ctime_ns=row.ctime_ns,
        offset=offset, sha256=row.sha256 or NO_DIGEST, path=row.directory + row.name, link=row.link or b"",
    )  # fmt: skip


def _in_order(*, is_ordered: bool) -> Select[Any]:
    query = select(*ENTRY_COLUMNS).select_from(JOINED.join(wanted, wanted.c.version_id == versions.c.id))
    if not is_ordered:
        return query.order_by(wanted.c.place)
    return query.order_by(directories.c.sort_key.op("||")(paths.c.name).cast(LargeBinary))


def _references(connection: Connection, archive_id: int) -> Iterator[int]:
    """Offsets that hard links refer to."""
    query = select(links.c.offsets).where(links.c.archive_id == archive_id).order_by(links.c.number)
    for packed in connection.execute(query).scalars().all():
        yield from bitmap.unpack_numbers(packed)


def _signed(number: int) -> int:
    """A number of 64 bits as databases have them."""
    number %= _WRAP
    return number - _WRAP if number >> 63 else number
