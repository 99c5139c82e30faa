"""`tapekit changer`, over a virtual one."""

import json
import random
from pathlib import Path

import pytest

from drivers.virtual.changer import Plan, add, make
from drivers.virtual.tape.cartridge import Cartridge
from tapekit.jobs.nightly.lock import locked

from .conftest import Run


@pytest.fixture
def url(tmp_path: Path) -> str:
    make(tmp_path / "changer", Plan(drives=1, slots=4), ("TB0001L6", "TB0002L6"), 64 * 10**6)
    return f"virtual-changer:{tmp_path}/changer"


def test_a_backup_on_the_second_cartridge(run: Run, url: str, source: Path, tmp_path: Path) -> None:
    drive = f"virtual:{tmp_path}/changer/drive-0"
    assert "no cartridge in the drive" in run("label", drive, "--barcode", "TB0002L6").err
    assert run("changer", "load", url, "TB0002L6").out == "TB0002L6 is in drive 0\n"
    assert run("label", drive, "--barcode", "TB0002L6").code == 0
    assert run("backup", drive, source).code == 0
    lines = run("changer", "status", url).out.splitlines()
    assert lines[1].split() == ["drive", "0", "TB0002L6", "slot", "2", "VD00000001"]
    assert run("changer", "load", url, "1").code == 0
    assert run("changer", "unload", url).out == "drive 0 is empty; its cartridge is in slot 1\n"
    assert run("changer", "transfer", url, "2", "5").out == "TB0002L6 is in import/export slot 5\n"
    assert run("changer", "load", url, "TB0002L6").code == 0
    assert run("verify", drive).code == 0


def test_for_programs(run: Run, url: str) -> None:
    answer = run("changer", "inventory", url, "--json").answer
    assert answer.keys() == {"changer", "vendor", "model", "serial", "drives", "slots"}
    assert answer["slots"][0] == {
        "number": 1, "full": True, "barcode": "TB0001L6", "import_export": False, "cleaning": False, "came_from": None,
        "device": None,
    }  # fmt: skip
    assert answer["drives"][0]["device"] == "VD00000001"
    assert answer["slots"][-1]["import_export"]


def test_cleaning(run: Run, url: str, tmp_path: Path) -> None:
    ran = run("changer", "clean", url)
    assert (ran.code, "no cleaning cartridge" in ran.err) == (5, True)
    add(tmp_path / "changer", "CLN001CU", "slot-4")
    assert run("changer", "load", url, "TB0001L6").code == 0
    assert run("changer", "clean", url).out == "drive 0 was cleaned with CLN001CU\n"
    assert run("changer", "status", url, "--json").answer["drives"][0]["barcode"] == "TB0001L6"


@pytest.mark.parametrize(
    "arguments", (("unload", "robot"), ("load", "robot", "TB0002L6"), ("load", "robot", "TB0001L6", "--drive", "1"),
                  ("clean", "robot")),
)  # fmt: skip
def test_a_drive_that_somebody_uses_keeps_its_cartridge(
    run: Run, url: str, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """Also between two openings, when only its lock tells."""
    folder, config, drive = tmp_path / "changer", tmp_path / "robot.toml", f"virtual:{tmp_path}/changer/drive-0"
    (folder / "changer.json").write_text((folder / "changer.json").read_text().replace('"drives": 1', '"drives": 2'))
    add(folder, "CLN001CU", "slot-4")
    config.write_text(f'[drives]\nrobot = {{url = "{drive}", changer = "{url}"}}\n')
    named = ("--config", config)
    assert run(*named, "changer", "load", "robot", "TB0001L6").code == 0
    with locked(tmp_path / "state" / "locks", [drive], "tapekit backup", 0):
        ran = run(*named, "changer", *arguments)
    assert (ran.code, "in use by tapekit backup" in ran.err) == (8, True)
    answer = run(*named, "changer", "status", "robot", "--json").answer
    assert [one["barcode"] for one in answer["drives"]] == ["TB0001L6", None]
    assert run(*named, "changer", *arguments).code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    (
        (("load", "{}", "TB0009L6"), 5, "not in it"),
        (("load", "{}", "3"), 4, "slot 3 is empty"),
        (("unload", "{}"), 4, "drive 0 is empty"),
        (("transfer", "{}", "1", "2"), 4, "slot 2 holds TB0002L6"),
        (("status", "image:x"), 2, "is no changer"),
        (("status", "virtual-changer:/nowhere"), 4, "is no virtual changer"),
        (("status", "changer:/nowhere"), 4, "no such device"),
    ),
)
def test_what_cannot_be(run: Run, url: str, arguments: tuple[str, ...], code: int, message: str) -> None:
    ran = run("changer", *(argument.format(url) for argument in arguments))
    assert (ran.code, message in ran.err) == (code, True), ran.err


def test_an_archive_goes_on_on_the_cartridge_in_the_next_slot(run: Run, tmp_path: Path) -> None:
    folder, tree = tmp_path / "changer", tmp_path / "tree"
    make(folder, Plan(drives=1, slots=4), ("TB0001L6", "TB0002L6", "TB0003L6", "CLN001CU"), 24 * 10**6)
    toml = tmp_path / "tapekit.toml"
    toml.write_text(
        f'site = {{name = "test", state = "{tmp_path}/state"}}\n'
        f'[drives]\nlto = {{url = "virtual:{folder}/drive-0", changer = "virtual-changer:{folder}"}}\n'
    )
    tree.mkdir()
    for number in range(5):
        (tree / f"{number}").write_bytes(random.Random(number).randbytes(10 << 20))
    named = ("--config", toml)
    assert run(*named, "changer", "load", "lto", "TB0002L6").code == 0
    assert run(*named, "label", "lto", "--barcode", "TB0002L6").code == 0
    ran = run(*named, "backup", "lto", tree, "--json")
    assert ran.code == 0, ran.err
    assert [part["cartridge"] for part in ran.answer["cartridges"]] == ["TB0002L6", "TB0003L6", "TB0001L6"]
    ran = run(*named, "restore", "lto", "--to", tmp_path / "back")
    assert ran.code == 0, ran.err
    restored = {path.name: path.read_bytes() for path in (tmp_path / "back").rglob("*") if path.is_file()}
    assert restored == {path.name: path.read_bytes() for path in tree.iterdir()}


def test_with_no_further_cartridge_in_the_changer_it_ends_there(run: Run, tmp_path: Path) -> None:
    folder, tree = tmp_path / "changer", tmp_path / "tree"
    make(folder, Plan(drives=1, slots=2), ("TB0001L6", "CLN001CU"), 24 * 10**6)
    toml = tmp_path / "tapekit.toml"
    toml.write_text(
        f'site = {{name = "test", state = "{tmp_path}/state"}}\n'
        f'[drives]\nlto = {{url = "virtual:{folder}/drive-0", changer = "virtual-changer:{folder}"}}\n'
    )
    tree.write_bytes(random.Random(0).randbytes(30 << 20))
    named = ("--config", toml)
    assert run(*named, "changer", "load", "lto", "TB0001L6").code == 0
    assert run(*named, "label", "lto", "--barcode", "TB0001L6").code == 0
    assert run(*named, "backup", "lto", tree).code == 9


def make_unreadable(folder: Path, barcode: str) -> None:
    """The robot cannot read that label any more."""
    settings = folder / "changer.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"unreadable": [barcode]}))


def contents(folder: Path) -> dict[str, int]:
    """Bytes on each tape."""
    found = {}
    for path in (folder / "cartridges").glob("*L6"):
        tape = Cartridge(str(path), writable=False)
        found[path.name] = tape.used
        tape.close()
    return found


def test_blank_cartridges_are_labelled_by_their_barcodes_and_others_left(run: Run, url: str, tmp_path: Path) -> None:
    folder = tmp_path / "changer"
    drive = f"virtual:{folder}/drive-0"
    add(folder, "TB0003L6", "slot-3", 64 * 10**6)
    add(folder, "CLN001CU", "slot-4")
    foreign = Cartridge(str(folder / "cartridges" / "TB0002L6"))
    foreign.write(0, b"somebody else's")
    foreign.close()
    before = contents(folder)
    looked = run("changer", "label", url, "--through", drive, "--dry-run")
    assert (looked.code, "slot 1: TB0001L6: blank, would be labelled" in looked.out) == (3, True)
    assert contents(folder) == before
    answer = run("changer", "label", url, "--through", drive, "--pool", "daily", "--json").answer
    assert answer.keys() == {"cartridges", "catalog_problem"}
    assert [(one["barcode"], one["outcome"]) for one in answer["cartridges"]] == [
        ("TB0001L6", "labelled"), ("TB0002L6", "refused"), ("TB0003L6", "labelled"),
    ]  # fmt: skip
    assert contents(folder)["TB0002L6"] == before["TB0002L6"]
    again = run("changer", "label", url, "--through", drive)
    assert "slot 1: TB0001L6: labelled already" in again.out
    assert "slot 2: TB0002L6: left as it is" in again.out
    assert sorted(path.name for path in folder.glob("slot-*")) == ["slot-1", "slot-2", "slot-3", "slot-4"]
    run("changer", "load", url, "TB0003L6")
    assert run("inspect", drive, "--json").answer["name"] == "TB0003L6"


def test_the_drive_that_is_labelled_in_is_the_changers(run: Run, url: str, tmp_path: Path) -> None:
    ran = run("changer", "label", url)
    assert (ran.code, "--through" in ran.err) == (2, True)
    drive = f"virtual:{tmp_path}/changer/drive-0"
    (tmp_path / "tapekit.toml").write_text(f'[drives]\nlto = {{url = "{drive}", changer = "{url}"}}\n')
    run("changer", "load", url, "TB0002L6")
    assert run("changer", "label", "lto").code == 0
    status = run("changer", "status", "lto", "--json").answer
    assert status["drives"][0]["barcode"] == "TB0002L6"  # what was in is in again


def test_a_cartridge_without_a_readable_barcode_is_left(run: Run, url: str, tmp_path: Path) -> None:
    make_unreadable(tmp_path / "changer", "TB0001L6")
    before = contents(tmp_path / "changer")
    ran = run("changer", "label", url, "--through", f"virtual:{tmp_path}/changer/drive-0")
    assert ran.code == 3
    assert "slot 1: a cartridge: left as it is: its barcode cannot be read" in ran.out
    assert contents(tmp_path / "changer")["TB0001L6"] == before["TB0001L6"]
