"""Opening, migrations, and everything that can be wrong with a database."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from tapekit.catalog.database import Database
from tapekit.catalog.errors import CatalogBusy, CatalogError, CatalogUnreadable
from tapekit.catalog.store import Store
from tapekit.catalog.tables import metadata
from tapekit.errors import Exit, exit_code
from tests.catalog.samples import LABEL, cartridge, copy, many, tree

ONE = "1" * 32


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where SQLite would put its catalog."""
    (tmp_path / "state").mkdir()
    return tmp_path / "state" / "catalog.sqlite"


@pytest.fixture
def kept(file: Path) -> Iterator[Store]:
    """A catalog in that file."""
    with Store.open(file, "here") as opened:
        opened.record_label(cartridge())
        yield opened


def test_the_migrations_make_the_tables(store: Store) -> None:
    def is_ours(name: str | None, kind: str, _parents: object) -> bool:
        return not (kind == "table" and (name or "").startswith("names")) and name != "ix_paths_name_trigrams"

    with store._database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"include_name": is_ours, "compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_a_newer_database_is_refused(store: Store, where: str) -> None:
    with store._database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(CatalogUnreadable, match="written by a newer tapekit"):
        Database(where)


def test_tables_of_another_program_are_refused(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE customers (id INTEGER)")
    connection.close()
    with pytest.raises(CatalogUnreadable, match="tables of another program"):
        Database(file)


def test_a_file_that_is_no_database(file: Path) -> None:
    file.write_bytes(b"no database at all" * 100)
    with pytest.raises(CatalogUnreadable, match="no SQLite database") as raised:
        Database(file)
    assert raised.value.hint is not None
    assert "catalog rebuild" in raised.value.hint
    assert file.read_bytes().startswith(b"no database at all")


def test_a_damaged_database(kept: Store, file: Path) -> None:
    kept.record_archive(LABEL, copy(members=3000), many(3000))
    kept.close()
    content = bytearray(file.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    file.write_bytes(content)
    with pytest.raises(CatalogUnreadable, match="damaged"), Store.open(file, "here") as opened:
        opened.stock()


def test_damage_is_found_by_a_check(store: Store) -> None:
    store.record_label(cartridge())
    store.record_archive(LABEL, copy(), tree())
    assert store.check() == []
    with store._database.writing() as connection:
        connection.execute(text("UPDATE archives SET members = members + 1"))
    assert store.check() == ["archive 11111111: 10 members of 11"]


def as_user(code: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Root may write everywhere, so this needs a process of somebody else's."""
    drop = ["setpriv", "--reuid", "65534", "--clear-groups"] if os.geteuid() == 0 else []
    if subprocess.run([*drop, "test", "-r", sys.executable, "-a", "-r", __file__], check=False).returncode:
        pytest.skip("another user cannot reach this checkout")
    command = [*drop, sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


WRITE = """
import sys
sys.path.insert(0, sys.argv[2])
from tapekit.catalog.errors import CatalogError
from tapekit.catalog.store import Store
try:
    with Store.open(sys.argv[1], "here") as store:
        print(len(store.stock().cartridges))
        store.set_setting("x", 1)
except CatalogError as error:
    print(error, "|", error.hint)
"""


@pytest.mark.parametrize("mode", (0o555, 0o755))
def test_a_read_only_catalog_can_be_read(kept: Store, file: Path, mode: int) -> None:
    """In a directory that this user cannot write to, nor the file."""
    kept.close()
    file.chmod(0o444)
    file.parent.chmod(mode)
    for parent in file.parents[1:4]:
        parent.chmod(0o755)
    said = as_user(WRITE, str(file), str(Path(__file__).parents[2]))
    count, why = said.stdout.splitlines()
    assert count == "1", said.stderr
    assert "it cannot be written: read-only | run as the user who owns it" in why


def test_a_state_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("in the way")
    with pytest.raises(CatalogError, match=r"cannot be made: (not a directory|file exists)"):
        Database(tmp_path / "state" / "catalog.sqlite")


def test_a_full_disk(kept: Store) -> None:
    with pytest.raises(CatalogError, match="no space left on its disk"):
        fill(kept._database)
    assert [found.name for found in kept.stock().cartridges] == ["MON-1"]


def fill(database: Database) -> None:
    with database.writing() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
        for number in range(1000):
            connection.execute(text("INSERT INTO sites(name) VALUES (:n)"), {"n": f"{number}" * 100})


def test_another_writer_is_waited_for_and_said(kept: Store, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tapekit.catalog.database.BUSY_S", 0.1)
    waits = pytest.raises(CatalogBusy, match="another run is writing")
    with kept._database.writing(), Store.open(file, "here") as other, waits as raised:
        other.record_label(cartridge())
    assert exit_code(raised.value) == Exit.BUSY


def test_a_server_that_does_not_answer(tmp_path: Path) -> None:
    with pytest.raises(CatalogError) as raised:
        Database(f"postgresql://tapekit:secret@/catalog?host={tmp_path}")
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("url", ("mysql://x/y", "nothing://x"))
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(CatalogError):
        Database(url)


KILLED = """
import os, sys
sys.path.insert(0, sys.argv[2])
from tapekit.catalog import members
from tapekit.catalog.store import Store
from tests.catalog.samples import LABEL, copy, many
members.BATCH = 100
end = int(sys.argv[3])
def until(entries):
    for number, entry in enumerate(entries):
        if number == end:
            os.kill(os.getpid(), 9)
        yield entry
with Store.open(sys.argv[1], "here") as store:
    store.record_archive(LABEL, copy("2" * 32, 3, 1, 500), until(many(500)))
    os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("end", (0, 1, 150, 499, 500))
def test_a_kill_leaves_all_or_nothing(store: Store, where: str, end: int) -> None:
    """At member `end` of a night, or, behind the last one, right after the commit."""
    store.record_label(cartridge())
    store.record_archive(LABEL, copy(members=10), tree())
    ran = subprocess.run(
        [sys.executable, "-c", KILLED, where, str(Path(__file__).parents[2]), str(end)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    with Store.open(where, "here") as found:
        archives = [each.archive[0] for each in found.stock().cartridges[0].copies]
        assert archives == (["1", "2"] if end == 500 else ["1"])
        assert found.check() == []
        assert list(found.members(ONE)) == tree()
        assert len(found.find("file-", limit=1000)) == (500 if end == 500 else 0)
