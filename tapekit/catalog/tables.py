"""The tables (docs/catalog.md). Times are UTC; sizes are bytes; names of files are bytes as the file system has them.

Migrations make them; a test compares the two. A change here is a new migration.
"""

import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
)
from sqlalchemy.types import TypeDecorator, TypeEngine

REVISION = "0001"
"""The newest migration: what a database must be at."""

NAMES = {"ix": "ix_%(table_name)s_%(column_0_N_name)s", "uq": "uq_%(table_name)s_%(column_0_N_name)s",
         "fk": "fk_%(table_name)s_%(column_0_N_name)s", "pk": "pk_%(table_name)s"}  # fmt: skip
metadata = MetaData(naming_convention=NAMES)

BIG = BigInteger().with_variant(Integer, "sqlite")
"""A number that counts on; SQLite counts by itself only in a column that is INTEGER."""


class Moment(TypeDecorator[datetime.datetime]):
    """An aware time, kept in UTC also where the database knows no zones."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """With the zone in PostgreSQL."""
        return dialect.type_descriptor(DateTime(timezone=dialect.name == "postgresql"))

    def process_bind_param(self, value: datetime.datetime | None, dialect: Dialect) -> datetime.datetime | None:
        """To UTC."""
        if value is None:
            return None
        value = value.astimezone(datetime.UTC)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def process_result_value(self, value: datetime.datetime | None, dialect: Dialect) -> datetime.datetime | None:
        """From UTC."""
        if value is None:
            return None
        return value.astimezone(datetime.UTC) if dialect.name == "postgresql" else value.replace(tzinfo=datetime.UTC)


def _below(column: str, **options: Any) -> Column[int]:  # noqa: ANN401 - what Column takes
    """A row of another table, with which this one goes."""
    table = column.partition(".")[0]
    name = {"copies": "copy_id", "directories": "directory_id", "attributes": "attributes_id"}.get(table)
    options.setdefault("nullable", False)
    return Column(name or f"{table.removesuffix('s')}_id", ForeignKey(column, ondelete="CASCADE"), **options)


def _count(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default="0")


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean(create_constraint=False), nullable=False)


sites = Table(
    "sites", metadata, Column("id", Integer, primary_key=True), Column("name", String, nullable=False, unique=True)
)

cartridges = Table(
    "cartridges", metadata, Column("id", Integer, primary_key=True), _below("sites.id"),
    Column("name", String, nullable=False), Column("pool", String), Column("place", String, nullable=False),
    _flag("is_locked"), _flag("is_write_protected"), _flag("is_worm"),
    Column("capacity_bytes", BigInteger), Column("remaining_bytes", BigInteger),
    _count("loads"), _count("written_bytes"), _count("read_bytes"), _count("errors"),
    UniqueConstraint("site_id", "name"),
)  # fmt: skip

labels = Table(
    "labels", metadata, Column("id", Integer, primary_key=True), _below("cartridges.id"),
    Column("label", String, nullable=False), Column("labelled", Moment), Column("replaced", Moment),
    UniqueConstraint("cartridge_id", "label"), Index(None, "label"),
)  # fmt: skip
"""The ids of a cartridge's labels; the present one is not replaced."""

history = Table(
    "history", metadata, Column("id", BIG, primary_key=True), _below("cartridges.id", index=True),
    Column("at", Moment, nullable=False), Column("kind", String, nullable=False),
    Column("note", String, nullable=False),
)  # fmt: skip

archives = Table(
    "archives", metadata, Column("id", Integer, primary_key=True), _below("sites.id"),
    Column("archive", String, nullable=False),
    Column("segment", Integer, nullable=False, server_default="0"), Column("job", String, nullable=False),
    Column("night", Date, nullable=False), Column("started", Moment, nullable=False),
    Column("members", BigInteger, nullable=False), Column("first_offset", BigInteger, nullable=False),
    _flag("is_ordered"), UniqueConstraint("site_id", "archive", "segment"),
)  # fmt: skip
"""One row for each segment of an archive. `members`: how many of its members the catalog knows; the next two:
tapekit/catalog/members.py."""

copies = Table(
    "copies", metadata, Column("id", Integer, primary_key=True), _below("labels.id"),
    _below("archives.id", index=True), Column("file", Integer, nullable=False), Column("state", String, nullable=False),
    Column("finished", Moment), _count("members"), _count("problems"), _count("source_bytes"), _count("stored_bytes"),
    Column("failed", Moment), UniqueConstraint("label_id", "archive_id"),
)  # fmt: skip

evidence = Table(
    "evidence", metadata, _below("copies.id", primary_key=True),
    Column("rung", SmallInteger, primary_key=True, autoincrement=False), Column("at", Moment, nullable=False),
)  # fmt: skip

directories = Table(
    "directories", metadata, Column("id", BIG, primary_key=True), _below("sites.id"),
    Column("path", LargeBinary, nullable=False), Column("sort_key", LargeBinary, nullable=False),
    UniqueConstraint("site_id", "path"),
)  # fmt: skip
"""What stands before the name in a path, with the slash; `sort_key` puts paths in the order of a walk."""

paths = Table(
    "paths", metadata, Column("id", BIG, primary_key=True), _below("directories.id"),
    Column("name", LargeBinary, nullable=False), UniqueConstraint("directory_id", "name"),
)  # fmt: skip

attributes = Table(
    "attributes", metadata, Column("id", Integer, primary_key=True),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("type", LargeBinary, nullable=False), Column("flags", Integer, nullable=False),
    *(Column(name, BigInteger, nullable=False) for name in ("mode", "uid", "gid")),
    *(Column(name, LargeBinary, nullable=False) for name in ("owner", "group", "note")),
    Column("base", Integer, nullable=False),
)  # fmt: skip
"""What many members have in common; `digest` over all of it finds it again."""

versions = Table(
    "versions", metadata, Column("id", BIG, primary_key=True), _below("paths.id", index=True), _below("attributes.id"),
    *(Column(name, BigInteger, nullable=False) for name in ("size", "mtime_ns", "ctime_ns", "inode")),
    *(Column(name, BigInteger) for name in ("valid", "reference", "span")),
    Column("sha256", LargeBinary), Column("link", LargeBinary),
)  # fmt: skip
"""A path in one state. Null: `valid` as large as `size`, `reference` 0, not in the stream, no digest, no link."""

chunks = Table(
    "chunks", metadata, Column("chunk", BIG, primary_key=True, autoincrement=False),
    _below("archives.id", primary_key=True, index=True), Column("bitmap", LargeBinary, nullable=False),
    Column("places", LargeBinary), sqlite_with_rowid=False,
)  # fmt: skip
"""Which versions an archive holds (tapekit/catalog/bitmap.py)."""

links = Table(
    "links", metadata, _below("archives.id", primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False), Column("offsets", LargeBinary, nullable=False),
)  # fmt: skip
"""Where in the stream the members are that an archive's hard links lead to, in the order of the links."""

runs = Table(
    "runs", metadata, Column("id", Integer, primary_key=True), _below("sites.id"),
    Column("job", String, nullable=False), Column("night", Date, nullable=False),
    Column("begun", Moment, nullable=False), Column("ended", Moment), Column("outcome", String),
    Column("exit_code", Integer), Column("report", JSON(none_as_null=True)),
    Index(None, "site_id", "job", "begun"),
)  # fmt: skip

sizes = Table(
    "sizes", metadata, _below("runs.id", primary_key=True), Column("source", String, primary_key=True),
    Column("bytes", BigInteger, nullable=False),
)  # fmt: skip

events = Table(
    "events", metadata, _below("sites.id", primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False), Column("at", Moment, nullable=False),
    Column("kind", String, nullable=False), Column("content", JSON, nullable=False),
)  # fmt: skip

settings = Table(
    "settings", metadata, _below("sites.id", primary_key=True), Column("name", String, primary_key=True),
    Column("value", JSON, nullable=False),
)  # fmt: skip
