"""Catalogs to test: a file of SQLite, and a database of a PostgreSQL server that runs for the tests alone."""

import contextlib
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from tapekit.catalog.store import Store

Open = Callable[..., Store]
UNPRIVILEGED = "nobody"


def _program(name: str) -> str | None:
    """A program of Debian's postgresql, the newest version of it."""
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(versions[-1]) if versions else shutil.which(name)


def _as_user(*command: str) -> list[str]:
    """PostgreSQL refuses to run as root."""
    return ["setpriv", "--reuid", UNPRIVILEGED, "--clear-groups", *command] if os.geteuid() == 0 else list(command)


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The directory of the socket of a PostgreSQL server without network."""
    initdb, postgres = _program("initdb"), _program("postgres")
    if not initdb or not postgres:
        pytest.skip("no PostgreSQL server (Debian package: postgresql)")
    with tempfile.TemporaryDirectory(prefix="tapekit-pg-", ignore_cleanup_errors=True) as directory:
        if os.geteuid() == 0:
            shutil.chown(directory, UNPRIVILEGED)
        data = f"{directory}/data"
        made = subprocess.run(
            _as_user(initdb, "-D", data, "-U", "tapekit", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"),
            capture_output=True, text=True, check=False, cwd="/",
        )  # fmt: skip
        if made.returncode:
            pytest.skip(f"PostgreSQL cannot make a cluster here: {made.stderr.strip()}")
        settings = ("listen_addresses=", f"unix_socket_directories={directory}", "fsync=off")
        options = [part for setting in settings for part in ("-c", setting)]
        process = subprocess.Popen(
            _as_user(postgres, "-D", data, *options), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/"
        )
        try:
            _await_ready(process)
            yield directory
        finally:
            process.terminate()
            process.communicate()


def _await_ready(process: "subprocess.Popen[str]") -> None:
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if "ready to accept connections" in line:
            return
    pytest.fail("".join(said))


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """What opens a catalog that does not exist yet."""
    if request.param == "sqlite":
        return str(tmp_path / "state" / "catalog.sqlite")
    directory, name = request.getfixturevalue("server"), f"t{uuid.uuid4().hex}"
    with psycopg.connect(f"host={directory} user=tapekit dbname=postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"postgresql://tapekit@/{name}?host={directory}"


@pytest.fixture
def store(where: str) -> Iterator[Store]:
    """An empty catalog of one site."""
    with Store.open(where, "here") as opened:
        yield opened


@pytest.fixture
def open_again(where: str) -> Iterator[Open]:
    """Opens the same catalog once more, for any site."""
    with contextlib.ExitStack() as opened:
        yield lambda site="here": opened.enter_context(Store.open(where, site))
