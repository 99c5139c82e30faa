"""Opening the database: SQLite so that power loss never loses what was committed, or PostgreSQL; migrations.

Settings of SQLite: sqlite.org/pragma.html. WAL with `synchronous` FULL syncs the log at every commit.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, func, inspect, make_url, select, text
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import NullPool

from tapekit.catalog.errors import FIRST, REBUILD, CatalogError, CatalogMissing, CatalogUnreadable, translated
from tapekit.catalog.tables import REVISION, metadata
from tapekit.journal import make_private

BUSY_S = 30
"""How long a command waits while another one writes."""
_WRITERS_LOCK = 0x7461_7065
"""Any number that nobody else in the database locks: writers take turns, as in SQLite."""


class Database:
    """One database and its transactions. Every error of it is a CatalogError."""

    def __init__(self, chosen: str | Path, *, is_read_only: bool = False, must_exist: bool = False) -> None:
        """Open what is there, or make it; `chosen` is the file of SQLite or a URL of PostgreSQL."""
        self._is_read_only = is_read_only
        text_ = str(chosen)
        self.where = text_
        self._path: Path | None = None
        if "://" in text_:
            self._engine = self._server(text_)
        else:
            self._path = Path(text_)
            self._engine = _file(self._path, is_read_only=is_read_only, must_exist=must_exist or is_read_only)
        try:
            with translated(self.where):
                self._prepare()
        except BaseException:
            self.close()
            raise

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file of this machine."""
        return self._path is not None

    def close(self) -> None:
        """Let go of it."""
        self._engine.dispose()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that changes nothing, and sees one state of the database."""
        with translated(self.where), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is committed whole or not at all; writers take turns."""
        with translated(self.where), self._engine.connect() as connection:
            options: dict[str, Any] = {"tapekit_writes": True}
            if not self.is_sqlite:
                options["isolation_level"] = "READ COMMITTED"  # sees what the writer before it committed
            connection = connection.execution_options(**options)  # noqa: PLW2901
            with connection.begin():
                if not self.is_sqlite:
                    connection.execute(select(func.pg_advisory_xact_lock(_WRITERS_LOCK)))
                yield connection

    def _server(self, url: str) -> Engine:
        try:
            parsed = make_url(url)
            if parsed.get_backend_name() == "postgresql" and parsed.drivername == "postgresql":
                parsed = parsed.set(drivername="postgresql+psycopg")
            self.where = parsed.render_as_string(hide_password=True)
            if parsed.get_backend_name() == "postgresql":
                settings = f"-c lock_timeout={BUSY_S}s -c client_min_messages=warning"
                return create_engine(
                    parsed, connect_args={"connect_timeout": BUSY_S, "options": settings},
                    isolation_level="REPEATABLE READ",
                )  # fmt: skip
        except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
            raise CatalogError(
                f"catalog: {self.where.partition('://')[0]}: {error}", "install tapekit[postgresql]"
            ) from error
        raise CatalogError(f"catalog: {parsed.drivername}: unknown database", "a file of SQLite, or postgresql://…")

    def _prepare(self) -> None:
        """Make it, or bring it to the newest migration; refuse what is no catalog or a newer one."""
        with self.reading() as connection:
            found = _revision(connection)
        if found == REVISION:
            return
        if self._is_read_only:
            raise CatalogError(f"catalog: {self.where}: of an older tapekit", "the next night brings it up to date")
        with self.writing() as connection:
            _migrate(connection, self.where)


def _file(path: Path, *, is_read_only: bool, must_exist: bool) -> Engine:
    try:
        if not must_exist:
            make_private(path.parent)
    except OSError as error:
        why = (error.strerror or "").lower()
        raise CatalogError(f"catalog: {path.parent}: cannot be made: {why}", "run as the user who owns it") from error
    if not _may_be_read(path):
        raise CatalogError(f"catalog: {path}: permission denied", "run as the user who owns it")
    if must_exist and not path.exists():
        raise CatalogMissing(f"catalog: {path}: not there", FIRST)
    is_read_only = is_read_only or _is_fixed(path)
    url = f"sqlite:///{_read_only(path)}" if is_read_only else f"sqlite:///{path}"
    engine = create_engine(url, connect_args={"timeout": BUSY_S}, poolclass=NullPool)
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def _may_be_read(path: Path) -> bool:
    """Whether this user may read it, or make it where it is not there."""
    try:
        return not path.exists() or os.access(path, os.R_OK)
    except PermissionError:  # not even whether it is there can be told
        return False


def _is_fixed(path: Path) -> bool:
    """Whether nothing can change it: then it is read as it is, without the files that SQLite keeps beside it.

    Where it was left with a log, that log belongs to it and cannot be used; SQLite says so.
    """
    return path.exists() and not os.access(path.parent, os.W_OK) and _has_no_log(path)


def _has_no_log(path: Path) -> bool:
    log = path.with_name(f"{path.name}-wal")
    return not (log.exists() and log.stat().st_size)


def _read_only(path: Path) -> str:
    """Where it was left with a log, that log is read too, and SQLite keeps its memory of it in a file."""
    fixed = "&immutable=1" if _has_no_log(path) else ""
    return f"file:{quote(str(path.absolute()))}?mode=ro{fixed}&uri=true"


def _set_up(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own connection
    connection.isolation_level = None  # transactions begin where `_begin` says so
    for setting in ("foreign_keys=ON", "synchronous=FULL", "cache_size=-65536"):
        connection.execute(f"PRAGMA {setting}")
    if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",) and _is_writable(connection):
        connection.execute("PRAGMA journal_mode=WAL")


def _is_writable(connection: Any) -> bool:  # noqa: ANN401
    name = connection.execute("PRAGMA database_list").fetchone()[2]
    return os.access(name, os.W_OK) and os.access(Path(name).parent, os.W_OK)


def _begin(connection: Connection) -> None:
    """A writer takes its turn at once: one that began by reading could not go on where another wrote meanwhile."""
    writes = connection.get_execution_options().get("tapekit_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _revision(connection: Connection) -> str | None:
    """The migration that a database is at; None where it is empty."""
    names = set(inspect(connection).get_table_names())
    if "alembic_version" not in names:
        if names:
            raise CatalogUnreadable("catalog: the database holds tables of another program", "give it one of its own")
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if found is not None and found > REVISION:
        raise CatalogUnreadable(
            f"catalog: written by a newer tapekit (version {found} of the tables, this program knows {REVISION})",
            f"update tapekit; or {REBUILD}",
        )
    return found


def _migrate(connection: Connection, where: str) -> None:
    # Read in only here: it takes longer than most commands, and most databases are at the newest migration.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util.exc import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.attributes.update(connection=connection, metadata=metadata)
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise CatalogUnreadable(f"catalog: {where}: {error}", REBUILD) from error
