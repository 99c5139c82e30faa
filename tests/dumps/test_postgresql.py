"""Against a real server, started in a directory of its own; where Debian's packages are missing the tests skip."""

import dataclasses
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.postgresql import PASSWORD, Server, running
from tapekit.dumps import postgresql
from tapekit.dumps.errors import DumpFailed, DumpUnreadable, TimedOut, ToolMissing
from tapekit.dumps.postgresql import Database


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as started:
        started.sql("CREATE DATABASE nothing")
        yield started


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
