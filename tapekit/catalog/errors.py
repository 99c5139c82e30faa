"""Errors of the catalog, and the one place where those of the databases are translated.

Results of SQLite: sqlite.org/rescode.html. SQLSTATE of PostgreSQL: appendix A of its manual.
"""

import contextlib
import sqlite3
from collections.abc import Iterator

from tapekit.errors import Exit, TapekitError


class CatalogError(TapekitError):
    """The catalog cannot be read or written."""


class CatalogBusy(CatalogError):
    """Another run holds the catalog for longer than a command waits."""

    exit_code = Exit.BUSY


class CatalogMissing(CatalogError):
    """There is none yet, and nobody asked to make one."""


class CatalogUnreadable(CatalogError):
    """What is there is no catalog that this program can use: damaged, of a newer version, or something else."""


class NotInCatalog(CatalogError):
    """The catalog does not know what was asked for."""


REBUILD = "move it away; the cartridges tell it again: tapekit catalog rebuild DRIVE"
FIRST = "the first night makes it; if it was lost: tapekit catalog rebuild DRIVE"
_RIGHTS = "run as the user who owns it, or mount the file system writable"

_SQLITE: tuple[tuple[str, type[CatalogError], str, str | None], ...] = (
    ("SQLITE_BUSY", CatalogBusy, "another run is writing to it", "try again when that run has ended"),
    ("SQLITE_LOCKED", CatalogBusy, "another run is writing to it", "try again when that run has ended"),
    ("SQLITE_READONLY", CatalogError, "it cannot be written: read-only", _RIGHTS),
    ("SQLITE_PERM", CatalogError, "permission denied", _RIGHTS),
    ("SQLITE_AUTH", CatalogError, "permission denied", _RIGHTS),
    ("SQLITE_CANTOPEN", CatalogError, "it cannot be opened or made", _RIGHTS),
    ("SQLITE_FULL", CatalogError, "no space left on its disk", "make room there: nothing of it was lost"),
    ("SQLITE_IOERR", CatalogError, "its disk reports an error or is full", "make room there, or replace the disk"),
    ("SQLITE_CORRUPT", CatalogUnreadable, "the database is damaged", REBUILD),
    ("SQLITE_NOTADB", CatalogUnreadable, "this file is no SQLite database", REBUILD),
)
_POSTGRESQL: tuple[tuple[str, type[CatalogError], str, str | None], ...] = (
    ("55P03", CatalogBusy, "another run is writing to it", "try again when that run has ended"),
    ("57014", CatalogBusy, "another run is writing to it", "try again when that run has ended"),
    ("40", CatalogBusy, "another run changed it at the same time", "try again"),
    ("53100", CatalogError, "no space left on the server's disk", "make room there: nothing of it was lost"),
    ("25006", CatalogError, "the server takes no changes: read-only", "is it a standby?"),
    ("42501", CatalogError, "the server's user lacks a right", "let it own the database"),
    ("XX001", CatalogUnreadable, "the database is damaged", "restore it from a backup of the server"),
)


@contextlib.contextmanager
def translated(where: str) -> Iterator[None]:
    """Turn errors of the database at `where` into CatalogError."""
    from sqlalchemy.exc import DBAPIError, SQLAlchemyError  # noqa: PLC0415 - where no database is asked, none is read in

    try:
        yield
    except DBAPIError as error:
        raise _translate(where, error.orig, error) from error
    except sqlite3.Error as error:
        raise _translate(where, error, error) from error
    except SQLAlchemyError as error:
        raise CatalogError(f"catalog: {where}: {_first_line(error)}") from error


def _translate(where: str, original: BaseException | None, error: Exception) -> CatalogError:
    code = getattr(original, "sqlite_errorname", None) or getattr(original, "sqlstate", None) or ""
    for begins, kind, why, hint in (*_SQLITE, *_POSTGRESQL):
        if code.startswith(begins):
            return kind(f"catalog: {where}: {why}", hint)
    return CatalogError(f"catalog: {where}: {_first_line(original or error)}")


def _first_line(error: BaseException) -> str:
    """The database's own words; the statement that SQLAlchemy adds behind them helps nobody."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
