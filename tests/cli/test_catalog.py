"""The commands of a technician's inspection, over a catalog that was rebuilt from a cartridge."""

import io
import os
import pty
import struct
import subprocess
import sys
import termios
from fcntl import ioctl
from pathlib import Path

import pytest

from tapekit.cli import tables
from tests.cli.conftest import Run


@pytest.fixture
def known(run: Run, saved: str, source: Path) -> str:
    """A cartridge with two archives that differ, in the catalog."""
    (source / "one").write_text("changed")
    (source / "two").unlink()
    (source / "three").write_text("3")
    assert run("backup", saved, source).code == 0
    ran = run("catalog", "rebuild", saved)
    assert (ran.code, ran.out) == (0, "cartridge WED-1: in the catalog with 2 archives, 6 members\n")
    return saved


def archives(run: Run) -> list[str]:
    return [each["archive"] for each in run("cartridges", "show", "WED-1", "--json").answer["archives"]]


def test_rebuild(run: Run, known: str) -> None:
    answer = run("catalog", "rebuild", known, "--json").answer
    assert answer.keys() == {"cartridge", "name", "archives", "vanished", "problems"}
    assert answer["archives"][0].keys() == {"archive", "job", "night", "file", "state", "members"}


def test_check_and_compact(run: Run, known: str, tmp_path: Path) -> None:
    assert run("catalog", "check").out == f"{tmp_path}/state/catalog.sqlite: whole\n"
    assert run("catalog", "check", "--json").answer == {"catalog": f"{tmp_path}/state/catalog.sqlite", "problems": []}
    assert run("catalog", "compact").out == "forgotten: 0 versions of members\n"
    assert run("catalog", "compact", "--json").answer == {"forgotten": 0}


def test_list(run: Run, known: str) -> None:
    (found,) = run("cartridges", "list", "--json").answer["cartridges"]
    assert found.keys() == {
        "name", "cartridge", "pool", "place", "copies", "labelled", "last_written", "capacity_bytes",
        "remaining_bytes", "locked", "write_protected", "worm", "loads", "written_bytes", "read_bytes", "errors",
        "scrubs",
    }  # fmt: skip
    heading, line = run("cartridges", "list").out.splitlines()
    assert heading.split()[:3] == ["cartridge", "place", "archives"]
    assert line.split()[:3] == ["WED-1", "shelf", "2"]


def test_no_cartridge(run: Run) -> None:
    assert run("cartridges", "list").out == "no cartridge is known: tapekit catalog rebuild DRIVE\n"
    ran = run("cartridges", "show", "TUE-1", "--json")
    assert ran.code == 4
    assert ran.answer["hint"] == "the known ones: tapekit cartridges list"


def test_show(run: Run, known: str) -> None:
    text = run("cartridges", "show", "WED-1").out
    assert text.startswith("cartridge  WED-1, label ")
    assert "flushed" in text
    first = run("cartridges", "show", "WED-1", "--json").answer["archives"][0]
    assert first.keys() == {
        "file", "archive", "job", "night", "started", "finished", "state", "members", "problems", "source_bytes",
        "stored_bytes", "evidence", "failed", "verified",
    }  # fmt: skip
    assert [each["rung"] for each in first["evidence"]] == ["written", "flushed"]


def test_move_retire_and_history(run: Run, known: str) -> None:
    assert run("cartridges", "move", "WED-1", "home", "--note", "with Anne").out == "cartridge WED-1: home\n"
    assert run("cartridges", "retire", "WED-1", "--lost", "--json").answer == {"name": "WED-1", "place": "lost"}
    lines = run("cartridges", "history", "WED-1", "--json").answer["history"]
    assert {line["kind"] for line in lines} == {"labelled", "written", "home", "lost"}
    assert [line["note"] for line in lines if line["kind"] == "home"] == ["with Anne"]
    assert "with Anne" in run("cartridges", "history", "WED-1").out
    assert run("cartridges", "move", "WED-1", "nowhere").code == 2


def test_find(run: Run, known: str, source: Path) -> None:
    answer = run("find", "ONE", "-i", "--json").answer
    assert [(each["path"], each["size"]) for each in answer["versions"]] == [
        (f"{source}/one"[1:], 7), (f"{source}/one"[1:], 3),
    ]  # fmt: skip
    assert answer["versions"][0].keys() == {"path", "type", "size", "mtime_ns", "sha256", "saved", "archives"}
    assert answer["versions"][0]["archives"][0]["cartridges"] == ["WED-1"]
    assert run("find", "ONE").out == "no member of any archive matches ONE\n"
    text = run("find", "o*", "--limit", "1")
    assert "7 B" in text.out
    assert "WED-1" in text.out
    assert text.err == "only the first 1 names are shown: --limit N\n"


def test_versions(run: Run, known: str, source: Path) -> None:
    assert [each["size"] for each in run("versions", source / "one", "--json").answer["versions"]] == [7, 3]
    assert len(run("versions", source / "one").out.splitlines()) == 3
    assert run("versions", source / "none").code == 4
    assert run("versions", "").code == 2


def test_versions_from_the_current_directory(
    run: Run, known: str, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(source)
    assert [each["size"] for each in run("versions", "one", "--json").answer["versions"]] == [7, 3]


def test_nothing_asked(run: Run, known: str) -> None:
    assert run("find", "").code == 2
    assert "the id is empty" in run("compare", "", "latest").err


def test_compare(run: Run, known: str, source: Path) -> None:
    first, second = archives(run)
    found = run("compare", first[:6], "latest", "--json").answer
    assert found.keys() == {"before", "after", "added", "removed", "changed"}
    assert (found["before"], found["after"]) == (first, second)
    assert [each["path"] for each in found["added"]] == [f"{source}/three"[1:]]
    assert [each["path"] for each in found["removed"]] == [f"{source}/two"[1:]]
    assert [(c["before"]["size"], c["after"]["size"]) for c in found["changed"]] == [(3, 7)]
    lines = run("compare", first, second).out.splitlines()
    assert [line.split()[0] for line in lines] == ["what", "changed", "added", "removed"]
    assert run("compare", first, first).out == "nothing differs\n"


@pytest.mark.parametrize("asked", (("find", "one"), ("versions", "one"), ("compare", "latest", "latest")))
def test_a_lost_catalog_is_no_empty_one(run: Run, saved: str, tmp_path: Path, asked: tuple[str, ...]) -> None:
    (tmp_path / "state/catalog.sqlite").unlink(missing_ok=True)
    ran = run(*asked)
    assert (ran.code, ran.out) == (4, "")
    assert "catalog.sqlite: not there" in ran.err
    assert "tapekit catalog rebuild DRIVE" in ran.err
    assert not (tmp_path / "state/catalog.sqlite").exists()


def test_an_unreadable_catalog_is_said(run: Run, known: str, tmp_path: Path) -> None:
    (tmp_path / "state" / "catalog.sqlite").write_bytes(b"nonsense" * 1000)
    ran = run("find", "one", "--json")
    assert ran.code == 4
    assert "this file is no SQLite database" in ran.answer["error"]
    assert "catalog rebuild" in ran.answer["hint"]


def test_the_configuration_says_where_the_catalog_is(run: Run, known: str, tmp_path: Path) -> None:
    (tmp_path / "tapekit.toml").write_text(f'[site]\nname = "here"\nstate = "{tmp_path}/elsewhere"\n')
    assert run("cartridges", "list", "--json").answer == {"cartridges": []}
    assert (tmp_path / "elsewhere" / "catalog.sqlite").exists()
    (tmp_path / "tapekit.toml").write_text("[site]\nstate = 5\n")
    assert run("cartridges", "list").code == 2


@pytest.mark.parametrize("columns", (60, 100))
def test_what_is_found_fits_the_terminal(run: Run, known: str, source: Path, columns: int) -> None:
    """On a terminal of this width: nothing is wider but a path alone in its line, whole, as a person copies it."""
    terminal, end = pty.openpty()
    ioctl(end, termios.TIOCSWINSZ, struct.pack("4H", 50, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "tapekit", "find", "o"],
        stdin=end,
        stdout=end,
        env={name: value for name, value in os.environ.items() if name != "COLUMNS"} | {"PAGER": "cat"},
    )
    os.close(end)
    output = io.BytesIO()
    try:
        while part := os.read(terminal, 4096):
            output.write(part)
    except OSError:  # the other end is closed
        pass
    finally:
        os.close(terminal)
    assert process.wait() == 0
    lines = output.getvalue().decode().splitlines()
    assert max(len(line) for line in lines if " " in line) <= columns
    assert str(source / "one").lstrip("/") in [line.split("  ")[0] for line in lines]
    assert "WED-1" in output.getvalue().decode()


def test_a_table_keeps_dates_whole_and_leaves_out_what_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "columns", lambda: 40)
    rows = [("WED-1", "", "2026-03-04 21:30", "12"), ("THU-1", "", "2026-03-05 21:30", "5")]
    assert tables.table_lines(("cartridge", "pool", "last written", ">archives"), rows) == [
        "cartridge  last written      archives",
        "WED-1      2026-03-04 21:30        12",
        "THU-1      2026-03-05 21:30         5",
    ]
    monkeypatch.setattr(tables, "columns", lambda: 34)
    assert tables.table_lines(("cartridge", "pool", "last written", ">archives"), rows)[1:3] == [
        "WED-1      2026-03-04           12",
        "           21:30",
    ]
