"""PostgreSQL: pg_dump in its custom format, and pg_restore to prove that the dump can be read.

Passwords go by a file that libpq reads (PGPASSFILE), never by a command line or a message.
Source: https://www.postgresql.org/docs/current/app-pgdump.html, libpq-envars.html, libpq-pgpass.html
"""

import contextlib
import dataclasses
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from tapekit.dumps import command
from tapekit.dumps.dump import Dump
from tapekit.dumps.errors import CommandFailed, DumpFailed, DumpUnreadable, TimedOut, ToolMissing
from tapekit.dumps.private import is_secret, private_directory

_INSTALL = "install the client programs of PostgreSQL, of the server's version or newer"


@dataclasses.dataclass(frozen=True)
class Database:
    """Where a database is. What is empty, libpq decides (its environment, its service file)."""

    name: str
    host: str = ""
    """A host, or the directory of a Unix socket."""
    port: int | None = None
    user: str = ""
    service: str = ""
    password_file: Path | None = None
    """Holds the password alone, readable by its owner only."""


def dump(database: Database, directory: Path, timeout_s: float = 7200) -> Dump:
    """Dump a database to `directory`/`name`.pgdump, and read its table of contents back.

    Raises ToolMissing, DumpFailed, DumpUnreadable and TimedOut; nothing of a dump that failed is left.
    """
    for tool in ("pg_dump", "pg_restore"):
        if shutil.which(tool) is None:
            raise ToolMissing(f"{tool}: not found: it dumps {database.name}", _INSTALL)
    directory = private_directory(directory)
    target = directory / f"{database.name.replace('/', '_')}.pgdump"
    began = time.monotonic()
    try:
        with _libpq(database, directory) as variables, _new(target) as output:
            # --no-password: nobody is there to be asked.
            command.run(("pg_dump", "--format=custom", "--no-password"), timeout_s, variables, output=output)
            output.flush()
            os.fsync(output.fileno())
        _prove(database.name, target, max(1.0, timeout_s - (time.monotonic() - began)))
    except (TimedOut, DumpFailed):
        target.unlink(missing_ok=True)
        raise
    except CommandFailed as error:
        target.unlink(missing_ok=True)
        raise DumpFailed(f"{database.name}: not dumped: {error}", error.hint) from error
    except OSError as error:
        target.unlink(missing_ok=True)
        raise DumpFailed(f"{database.name}: not dumped: {error.strerror}") from error
    return Dump(database.name, target, target.stat().st_size, time.monotonic() - began)


def _prove(name: str, target: Path, timeout_s: float) -> None:
    """Read the whole dump, data and all, and see that it holds a table."""
    if not target.stat().st_size:
        raise DumpUnreadable(f"{name}: the dump is empty: nothing was written", _INSTALL)
    with tempfile.TemporaryFile(dir=target.parent) as contents, Path(os.devnull).open("wb") as nowhere:
        try:
            command.run(("pg_restore", "--list", str(target)), timeout_s, output=contents)
            # The list stands at the front; a dump that was cut short behind it is found by reading the data too.
            command.run(("pg_restore", "--file=-", str(target)), timeout_s, output=nowhere)
        except TimedOut:
            raise
        except CommandFailed as error:
            raise DumpUnreadable(f"{name}: the dump cannot be read back: {error}", error.hint) from error
        contents.seek(0)
        if not any(b" TABLE DATA " in line for line in contents if not line.startswith(b";")):
            raise DumpUnreadable(f"{name}: the dump is empty: no table in it", "is it the right database?")


@contextlib.contextmanager
def _new(target: Path) -> Iterator[BinaryIO]:
    target.unlink(missing_ok=True)
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(handle, "wb") as output:  # noqa: PTH123 - opened by its descriptor
        yield output


@contextlib.contextmanager
def _libpq(database: Database, directory: Path) -> Iterator[dict[str, str]]:
    """What libpq reads from its environment, with a password file that exists only meanwhile."""
    named = {
        "PGDATABASE": database.name,
        "PGHOST": database.host,
        "PGPORT": str(database.port or ""),
        "PGUSER": database.user,
        "PGSERVICE": database.service,
        "PGAPPNAME": "tapekit",
        "LC_MESSAGES": "C",
    }
    variables = {name: value for name, value in named.items() if value}
    if database.password_file is None:
        yield variables
        return
    password = _password(database.password_file)
    escaped = password.replace("\\", "\\\\").replace(":", "\\:")
    with tempfile.NamedTemporaryFile("w", dir=directory, prefix=".pgpass-", encoding="utf-8") as passfile:
        passfile.write(f"*:*:*:*:{escaped}\n")
        passfile.flush()
        yield {**variables, "PGPASSFILE": passfile.name}


def _password(path: Path) -> str:
    try:
        if not is_secret(path):
            raise DumpFailed(f"{path}: not used: others may read it", f"chmod 600 {path}")
        password = path.read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DumpFailed(f"{path}: no password: {error}") from error
    if not password or "\n" in password:
        raise DumpFailed(f"{path}: no password: one line with the password alone is expected")
    return password
