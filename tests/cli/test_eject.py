"""A cartridge that is put in for a restore stays as it is until it is let go; and nobody gets in between on a drive."""

import os
import shutil
from pathlib import Path

import pytest

from drivers import image
from tapekit.jobs.nightly.lock import locked
from tests.cli.conftest import Run
from tests.cli.test_nightly import configure


@pytest.fixture
def night(run: Run, tmp_path: Path, source: Path) -> str:
    """The drive of a site with one job, and its first night on cartridge A."""
    configure(tmp_path)
    image.create(str(tmp_path / "c.tkc"), 16 << 20)
    assert run("nightly", "office").code == 0
    return f"image:{tmp_path}/c.tkc"


def of_cartridge(run: Run, name: str) -> tuple[str, bool]:
    """Where it is, and whether it is locked."""
    (found,) = (each for each in run("cartridges", "list", "--json").answer["cartridges"] if each["name"] == name)
    return found["place"], found["locked"]


def test_nothing_is_written_on_it_until_it_is_ejected(run: Run, night: str, source: Path, tmp_path: Path) -> None:
    ran = run("restore", "rdx", "--to", tmp_path / "to")
    assert (ran.code, ran.err) == (0, "nothing is written on A until it is let go: tapekit eject rdx\n")
    assert of_cartridge(run, "A") == ("drive", True)
    before = (tmp_path / "c.tkc").read_bytes()
    ran = run("nightly", "office")
    assert ran.code == 5
    assert "restore" in ran.out
    for arguments in (("backup", "rdx", source), ("label", "rdx", "--destroy", "A")):
        ran = run(*arguments)
        assert (ran.code, "cartridge A: put in for a restore; eject it first" in ran.err) == (5, True)
        assert "tapekit eject DRIVE" in ran.err
    assert (tmp_path / "c.tkc").read_bytes() == before
    assert run("eject", night).out == "cartridge A: may be taken out\n"
    assert of_cartridge(run, "A") == ("shelf", False)
    assert run("nightly", "office").code == 0


def test_a_restore_that_begins_nothing_locks_nothing(run: Run, night: str, tmp_path: Path) -> None:
    assert run("restore", "rdx", "--archive", "fff", "--to", tmp_path / "to").code == 4
    assert of_cartridge(run, "A")[1] is False


def test_one_that_is_seen_to_be_out_is_free(run: Run, night: str, tmp_path: Path) -> None:
    """Another cartridge is in the drive."""
    answer = run("restore", "rdx", "--to", tmp_path / "to", "--json").answer
    assert (answer["locked"], answer["catalog_problem"]) == (True, None)
    shutil.move(tmp_path / "c.tkc", tmp_path / "A.tkc")
    image.create(str(tmp_path / "c.tkc"), 16 << 20)
    assert run("nightly", "office").code in {0, 3}
    assert of_cartridge(run, "A") == ("shelf", False)
    assert "taken out" in run("cartridges", "history", "A").out


def test_a_place_written_by_hand_frees_it_too(run: Run, night: str, tmp_path: Path) -> None:
    run("restore", "rdx", "--to", tmp_path / "to")
    assert run("cartridges", "move", "A", "home").code == 0
    assert of_cartridge(run, "A") == ("home", False)


def test_one_that_the_catalog_does_not_know_yet_is_locked_too(run: Run, saved: str, tmp_path: Path) -> None:
    configure(tmp_path)
    assert run("restore", saved, "--to", tmp_path / "to", "--json").answer["locked"] is True
    assert of_cartridge(run, "WED-1") == ("drive", True)


def test_one_that_is_out_of_service_stays_that(run: Run, night: str, tmp_path: Path) -> None:
    assert run("cartridges", "retire", "A").code == 0
    run("restore", "rdx", "--to", tmp_path / "to")
    assert of_cartridge(run, "A") == ("retired", True)
    run("eject", "rdx")
    assert of_cartridge(run, "A") == ("retired", False)


def test_without_a_catalog(run: Run, saved: str, tmp_path: Path) -> None:
    assert run("restore", saved, "--to", tmp_path / "to").err == ""
    assert run("eject", saved, "--json").answer == {"name": "WED-1", "catalog_problem": None}
    assert not (tmp_path / "state" / "catalog.sqlite").exists()


def test_what_has_no_name_is_let_go_as_well(run: Run, tmp_path: Path) -> None:
    image.create(str(tmp_path / "blank.tkc"), 16 << 20)
    assert run("eject", f"image:{tmp_path}/blank.tkc").out == "what is in the drive: may be taken out\n"
    assert run("eject", f"image:{tmp_path}/none.tkc").code == 4
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("command", ("label", "backup", "verify", "restore", "inspect", "list", "eject"))
def test_a_drive_that_a_night_holds(run: Run, saved: str, tmp_path: Path, command: str) -> None:
    more = {"backup": ("/etc/hostname",), "restore": ("--to", str(tmp_path / "to"))}.get(command, ())
    with locked(tmp_path / "state" / "locks", [saved], "job office", 0):
        ran = run(command, "office", *more)
    assert ran.code == 8
    assert f"in use by job office (process {os.getpid()}" in ran.err


def test_readers_share_a_drive_and_writers_do_not(run: Run, saved: str, source: Path, tmp_path: Path) -> None:
    with locked(tmp_path / "state" / "locks", [saved], "tapekit verify", 0, is_shared=True):
        assert run("inspect", saved).code == 0
        ran = run("backup", saved, source)
    assert (ran.code, "in use by tapekit " in ran.err) == (8, True)
