"""`tapekit changer`, over a virtual one."""

from pathlib import Path

import pytest

from drivers.virtual.changer import Plan, add, make

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
