"""What every command answers with --json: keys that programs rely on."""

import os
from pathlib import Path

import pytest

from tests.cli.conftest import Run


def test_label(run: Run, tmp_path: Path) -> None:
    ran = run("label", f"image:{tmp_path}/new.tkc", "--size", "16M", "--barcode", "B", "--pool", "P", "--json")
    assert ran.answer.keys() == {
        "cartridge", "name", "barcode", "pool", "block_size", "capacity_bytes", "destroyed", "lost", "catalog_problem",
    }  # fmt: skip
    assert (ran.answer["name"], ran.answer["pool"], ran.answer["destroyed"]) == ("B", "P", None)


def test_backup(run: Run, saved: str, source: Path) -> None:
    answer = run("backup", saved, source, "--json").answer
    assert answer.keys() == {
        "cartridge", "archive", "file", "state", "members", "source_bytes", "stored_bytes",
        "changed_bytes", "base", "why_full", "duration_s", "warnings",
        "notes", "remaining_bytes", "encrypted_for", "parity_bytes", "not_locked", "drive_stops", "cartridges",
        "catalog_problem",
    }  # fmt: skip
    assert (answer["cartridge"], answer["file"], answer["members"], answer["source_bytes"]) == ("WED-1", 3, 3, 6)


def test_backup_with_warnings(run: Run, saved: str, source: Path) -> None:
    ran = run("backup", saved, source, source.parent / "missing", "--json")
    assert ran.code == 3
    assert ran.answer["warnings"] == [{"path": f"{source.parent}/missing"[1:], "why": "does not exist"}]


def test_verify(run: Run, saved: str) -> None:
    answer = run("verify", saved, "--source", "--json").answer
    assert answer.keys() == {
        "cartridge", "ok", "blocks", "bad_blocks", "members", "bad_members", "members_hit", "damage", "archives",
        "corrected", "repaired", "not_repaired", "doubts", "missing", "then", "catalog_problem",
    }  # fmt: skip
    (archive,) = answer["archives"]
    assert archive.keys() == {
        "archive", "file", "state", "ok", "blocks", "bad_blocks", "members", "bad_members", "source",
        "corrected_blocks", "not_decoded", "signed_by",
    }  # fmt: skip
    assert archive["source"] == {"same": 2, "changed": 0, "gone": 0, "unreadable": [], "differing": []}


def test_verify_source_that_differs(run: Run, saved: str, source: Path) -> None:
    about = (source / "one").stat()
    (source / "one").write_text("oNe")
    os.utime(source / "one", ns=(about.st_atime_ns, about.st_mtime_ns))
    ran = run("verify", saved, "--source", "--json")
    assert ran.code == 6
    assert ran.answer["archives"][0]["source"]["differing"] == [f"{source}/one"[1:]]
    assert "one" in run("verify", saved, "--source").err


def test_inspect(run: Run, saved: str) -> None:
    answer = run("inspect", saved, "--json").answer
    assert answer.keys() == {
        "device", "cartridge", "name", "barcode", "pool", "labelled", "block_size", "format", "label_problem",
        "capacity_bytes", "remaining_bytes", "write_protected", "archives",
        "health", "attributes", "scrubs", "advice", "why",
    }  # fmt: skip
    assert answer["archives"][0].keys() == {
        "file", "archive", "job", "started", "finished", "state", "complete", "members", "problems", "source_bytes",
        "stored_bytes", "encrypted", "encrypted_for", "problem", "evidence",
    }  # fmt: skip
    assert answer["archives"][0]["evidence"]["rung"] == "flushed"


def test_list(run: Run, saved: str) -> None:
    answer = run("list", saved, "--json").answer
    assert answer.keys() == {"members", "problems", "missing", "unmatched", "corrected"}
    assert len(answer["members"]) == 3
    assert answer["members"][0].keys() == {
        "archive", "path", "type", "size", "mode", "uid", "gid", "owner", "group", "mtime_ns", "link", "sha256",
        "saved", "note",
    }  # fmt: skip


def test_restore(run: Run, saved: str, source: Path, tmp_path: Path) -> None:
    ran = run("restore", saved, "*one", "nothing", "--to", tmp_path / "to", "--json")
    assert ran.answer.keys() == {
        "cartridge", "cartridges", "archive", "state", "members", "restored_bytes", "damaged", "refused", "skipped",
        "warnings", "problems", "corrected", "unmatched", "doubts", "locked", "catalog_problem",
    }  # fmt: skip
    assert (ran.code, ran.answer["members"], ran.answer["unmatched"]) == (3, 1, ["nothing"])


def test_names_that_are_no_text(run: Run, saved: str, source: Path) -> None:
    (source / os.fsdecode(b"\xff\n")).touch()
    run("backup", saved, source)
    paths = [os.fsencode(member["path"]) for member in run("list", saved, "--json").answer["members"]]
    assert os.fsencode(source)[1:] + b"/\xff\n" in paths
    assert r"\xff\n" in run("list", saved).out


@pytest.mark.parametrize("command", ("verify", "inspect", "list", "backup", "restore", "label"))
def test_errors_are_told_to_programs_too(run: Run, command: str, tmp_path: Path) -> None:
    more = {"backup": (str(tmp_path),), "restore": ("--to", str(tmp_path / "to"))}.get(command, ())
    ran = run(command, f"image:{tmp_path}/none.tkc", *more, "--json")
    assert ran.answer.keys() == {"error", "hint", "exit_code"}
    assert ran.answer["exit_code"] == ran.code != 0


def test_inspect_tells_what_drive_and_chip_say(run: Run, tmp_path: Path) -> None:
    tape = f"virtual:{tmp_path}/tape?generation=6&capacity=100M"
    assert run("label", tape, "--barcode", "TAP001L6", "--pool", "daily").code == 0
    answer = run("inspect", tape, "--json").answer
    assert answer["attributes"]["barcode"].startswith("TAP001")
    assert answer["health"]["flags"] == []
    assert answer["health"]["counters"]["write errors not corrected"] == 0
    shown = run("inspect", tape).out
    assert "health     nothing to report\n" in shown
    assert "write errors not corrected: 0" in shown
