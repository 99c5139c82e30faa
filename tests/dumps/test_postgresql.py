"""Against a real server, started in a directory of its own; where Debian's packages are missing the tests skip."""

import dataclasses
import os
import pwd
import shutil
import socket
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tapekit.dumps import postgresql
from tapekit.dumps.errors import DumpFailed, DumpUnreadable, TimedOut, ToolMissing
from tapekit.dumps.postgresql import Database

PASSWORD = "s3cret:with\\colon"


@dataclasses.dataclass
class Server:
    """A running server; `call` runs one of its programs as its user."""

    programs: Path
    directory: Path
    port: int
    user: str | None

    def call(self, program: str, *arguments: str) -> None:
        subprocess.run(
            (self.programs / program, *arguments),
            user=self.user,
            cwd=self.directory,
            env={"PATH": os.environ["PATH"], "PGPASSWORD": PASSWORD, "LC_ALL": "C"},
            check=True,
            capture_output=True,
        )

    def start(self) -> None:
        options = f"-p {self.port} -k {self.directory} -c listen_addresses=127.0.0.1 -c fsync=off"
        log = str(self.directory / "log")
        self.call("pg_ctl", "start", "-w", "-D", str(self.directory / "data"), "-l", log, "-o", options)

    def stop(self, mode: str = "immediate") -> None:
        self.call("pg_ctl", "stop", "-w", "-m", mode, "-D", str(self.directory / "data"))

    def sql(self, text: str, database: str = "postgres") -> None:
        self.call("psql", "-h", str(self.directory), "-p", str(self.port), "-U", "owner", "-d", database, "-c", text)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path("/none"))
    if not (programs / "initdb").exists() or not shutil.which("pg_dump"):
        pytest.skip("PostgreSQL's server is not installed")
    user = None
    if os.geteuid() == 0:  # the server refuses to run as root
        user = next((name for name in ("postgres", "nobody") if _exists(name)), None)
        if user is None:
            pytest.skip("no unprivileged user")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    directory = Path(tempfile.mkdtemp(prefix="pg-"))
    started = Server(programs, directory, port, user)
    secret = directory / "password"
    secret.write_text(PASSWORD)
    if user:
        for path in (directory, secret):
            shutil.chown(path, user)
    started.call(
        "initdb", "-D", str(directory / "data"), "-U", "owner", "-A", "scram-sha-256", "--pwfile", str(secret), "-N"
    )
    started.start()
    started.sql("CREATE DATABASE pharmacy")
    started.sql("CREATE DATABASE nothing")
    started.sql("CREATE TABLE sold AS SELECT n, md5(n::text) AS what FROM generate_series(1, 50000) n", "pharmacy")
    yield started
    started.stop()
    shutil.rmtree(directory)


def _exists(user: str) -> bool:
    try:
        return bool(pwd.getpwnam(user))
    except KeyError:
        return False


@pytest.fixture
def pharmacy(server: Server, tmp_path: Path) -> Database:
    secret = tmp_path / "password"
    secret.write_text(f"{PASSWORD}\n")
    secret.chmod(0o600)
    return Database("pharmacy", str(server.directory), server.port, "owner", password_file=secret)


@pytest.mark.parametrize("host", ("socket", "127.0.0.1"))
def test_a_dump_can_be_restored(pharmacy: Database, server: Server, tmp_path: Path, host: str) -> None:
    if host != "socket":
        pharmacy = dataclasses.replace(pharmacy, host=host)
    dump = postgresql.dump(pharmacy, tmp_path / "dumps")
    assert dump.name == "pharmacy"
    assert dump.size_bytes == dump.path.stat().st_size > 100_000
    assert [path.name for path in dump.path.parent.iterdir()] == ["pharmacy.pgdump"]
    assert stat.S_IMODE(dump.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(dump.path.parent.stat().st_mode) == 0o700
    text = subprocess.run(("pg_restore", "--file=-", dump.path), check=True, capture_output=True).stdout
    assert text.count(b"\n50000\t") == 1


def test_the_password_is_in_no_message_and_no_command_line(pharmacy: Database, tmp_path: Path) -> None:
    """pg_dump's place is taken by a script that shows what it is given."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "pg_dump").write_text(
        '#!/bin/sh\necho "$@" >&2; env >&2; cat $PGPASSFILE >/dev/null || exit 9; exit 1\n'
    )
    (programs / "pg_restore").write_text("#!/bin/sh\n")
    for program in programs.iterdir():
        program.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
        with pytest.raises(DumpFailed, match="exit code 1") as caught:
            postgresql.dump(pharmacy, tmp_path / "dumps")
    assert "PGPASSFILE" in str(caught.value.hint)
    assert "s3cret" not in f"{caught.value} {caught.value.hint}"
    assert not list((tmp_path / "dumps").iterdir())


def test_an_empty_database_is_no_success(pharmacy: Database, tmp_path: Path) -> None:
    with pytest.raises(DumpUnreadable, match="nothing: the dump is empty"):
        postgresql.dump(dataclasses.replace(pharmacy, name="nothing"), tmp_path / "dumps")
    assert not list((tmp_path / "dumps").iterdir())


@pytest.mark.parametrize("script", ("exit 0", "head -c 60000 $WHOLE"), ids=("empty", "cut short"))
def test_a_dump_that_is_none_is_no_success(pharmacy: Database, tmp_path: Path, script: str) -> None:
    whole = postgresql.dump(pharmacy, tmp_path / "whole").path
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "pg_dump").write_text(f"#!/bin/sh\n{script}\n")
    (programs / "pg_dump").chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
        patch.setenv("WHOLE", str(whole))
        with pytest.raises(DumpUnreadable, match="pharmacy: the dump"):
            postgresql.dump(pharmacy, tmp_path / "dumps")
    assert not list((tmp_path / "dumps").iterdir())


def test_a_wrong_password_is_told(pharmacy: Database, tmp_path: Path) -> None:
    assert pharmacy.password_file
    pharmacy.password_file.write_text("wrong")
    with pytest.raises(DumpFailed, match="pharmacy: not dumped") as caught:
        postgresql.dump(pharmacy, tmp_path / "dumps")
    assert "password authentication failed" in str(caught.value.hint)


@pytest.mark.parametrize("content", (None, "", "two\nlines"))
def test_a_password_file_that_is_none_is_told(pharmacy: Database, tmp_path: Path, content: str | None) -> None:
    assert pharmacy.password_file
    pharmacy.password_file.unlink()
    if content is not None:
        pharmacy.password_file.touch(0o600)
        pharmacy.password_file.write_text(content)
    with pytest.raises(DumpFailed, match="no password") as caught:
        postgresql.dump(pharmacy, tmp_path / "dumps")
    assert "lines" not in str(caught.value)


def test_a_password_file_that_others_read_is_refused(pharmacy: Database, tmp_path: Path) -> None:
    assert pharmacy.password_file
    pharmacy.password_file.chmod(0o640)
    with pytest.raises(DumpFailed, match="others may read it") as caught:
        postgresql.dump(pharmacy, tmp_path / "dumps")
    assert str(caught.value.hint).startswith("chmod 600")


def test_a_database_that_is_not_there(pharmacy: Database, tmp_path: Path) -> None:
    with pytest.raises(DumpFailed, match="ghost: not dumped") as caught:
        postgresql.dump(dataclasses.replace(pharmacy, name="ghost"), tmp_path / "dumps")
    assert 'database "ghost" does not exist' in str(caught.value.hint)


def test_a_dump_that_hangs_on_a_lock_is_ended(pharmacy: Database, server: Server, tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "PGPASSWORD": PASSWORD}
    options = ("-h", server.directory, "-p", str(server.port), "-U", "owner", "-d", "pharmacy", "-qAt")
    lock = subprocess.Popen(
        ("psql", *options), stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
    )
    assert lock.stdin
    assert lock.stdout
    lock.stdin.write("BEGIN; LOCK TABLE sold; SELECT 'locked';\n")
    lock.stdin.flush()
    assert lock.stdout.readline() == "locked\n"
    try:
        with pytest.raises(TimedOut, match="pg_dump: ended after 1"):
            postgresql.dump(pharmacy, tmp_path / "dumps", timeout_s=1)
    finally:
        lock.communicate()
    assert not list((tmp_path / "dumps").iterdir())


def test_a_server_that_was_killed_is_told(pharmacy: Database, server: Server, tmp_path: Path) -> None:
    server.stop()
    try:
        with pytest.raises(DumpFailed, match="pharmacy: not dumped"):
            postgresql.dump(pharmacy, tmp_path / "dumps")
    finally:
        server.start()
    assert not list((tmp_path / "dumps").iterdir())
    assert postgresql.dump(pharmacy, tmp_path / "dumps").size_bytes


def test_tools_that_are_missing_are_named(pharmacy: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing, match="pg_dump: not found"):
        postgresql.dump(pharmacy, tmp_path / "dumps")
