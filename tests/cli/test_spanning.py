"""An archive on several cartridges, by the commands."""

import random
from pathlib import Path

import pytest

from tapekit.catalog.store import Store
from tests.cli.conftest import Run


@pytest.fixture
def source(tmp_path: Path) -> Path:
    made = tmp_path / "src"
    made.mkdir()
    rng = random.Random(3)
    for number in range(9):
        (made / f"{number}").write_bytes(rng.randbytes(250_000))
    return made


@pytest.fixture
def drives(run: Run, tmp_path: Path) -> list[str]:
    made = [f"image:{tmp_path}/{name}.tkc" for name in "ABCD"]
    for drive, name in zip(made, "ABCD", strict=True):
        assert run("label", drive, "--size", "8M", "--barcode", name, "--block-size", "4096").code == 0
    return made


def then(drives: list[str]) -> list[str]:
    return [word for drive in drives for word in ("--then", drive)]


def test_there_and_back(run: Run, drives: list[str], source: Path, tmp_path: Path) -> None:
    ran = run("backup", drives[0], source, *then(drives[1:]), "--json")
    assert ran.code == 0, ran.err
    parts = ran.answer["cartridges"]
    assert [part["cartridge"] for part in parts] == ["A", "B", "C"]
    assert [part["state"] for part in parts] == ["continued", "continued", "complete"]
    ran = run("restore", drives[1], "--to", tmp_path / "to", *then([drives[2], drives[0]]), "--json")
    assert (ran.code, ran.answer["cartridges"]) == (0, ["A", "B", "C"]), ran.err
    below = tmp_path / "to" / str(source)[1:]
    assert all((below / path.name).read_bytes() == path.read_bytes() for path in source.iterdir())
    ran = run("verify", drives[0], *then(drives[1:3]), "--source", "--json")
    assert (ran.code, ran.answer["ok"], len(ran.answer["then"])) == (0, True, 2), ran.err
    compared = [answer["archives"][0]["source"]["same"] for answer in (ran.answer, *ran.answer["then"])]
    assert sum(compared) == 9
    ran = run("list", drives[0], *then(drives[1:3]), "--json")
    assert (ran.code, ran.answer["missing"]) == (0, [])
    files = [member for member in ran.answer["members"] if member["type"] == "f"]
    assert len(files) == 9
    assert all(member["sha256"] for member in files)


def test_one_cartridge_of_them(run: Run, drives: list[str], source: Path, tmp_path: Path) -> None:
    archive = run("backup", drives[0], source, *then(drives[1:]), "--json").answer["archive"][:8]
    ran = run("list", drives[1], "--json")
    assert ran.code == 3
    assert ran.answer["missing"] == [
        f"part 1 of archive {archive} (cartridge A) is not there",
        f"part 3 of archive {archive}, and what may follow, is not there",
    ]
    assert 0 < len(ran.answer["members"]) < 9
    assert run("verify", drives[1]).code == 0
    ran = run("restore", drives[1], "--to", tmp_path / "to")
    assert ran.code == 6
    assert f"it begins in part 1 of archive {archive} (cartridge A), which is not there" in ran.err
    assert f"part 3 of archive {archive} is not there: " in ran.err


def test_a_single_file_needs_no_more_cartridges(run: Run, drives: list[str], source: Path, tmp_path: Path) -> None:
    run("backup", drives[0], source, *then(drives[1:]))
    ran = run("restore", drives[0], f"{source}/0", "--to", tmp_path / "to")
    assert ran.code == 0, ran.err
    assert (tmp_path / "to" / str(source)[1:] / "0").read_bytes() == (source / "0").read_bytes()


def test_too_few_cartridges(run: Run, drives: list[str], source: Path) -> None:
    ran = run("backup", drives[0], source, *then(drives[1:2]))
    assert ran.code == 9
    assert "cartridge B is full, and there is no next one" in ran.err
    assert "can be restored from A, B" in ran.err
    assert run("backup", drives[2], source).code == 9  # no terminal, no --then: as ever


def test_what_is_passed_over_is_said(run: Run, drives: list[str], source: Path) -> None:
    assert run("label", drives[0], "--barcode", "A", "--destroy", "A", "--block-size", "8192").code == 0
    ran = run("backup", drives[0], source, *then(["image:/nothing", drives[1]]))
    assert ran.code == 9
    assert "/nothing: no such device or file" in ran.err
    assert "cartridge B has blocks of 4096 bytes, the archive's are of 8192" in ran.err


def test_the_catalog_knows_which_cartridge_a_file_is_on(
    run: Run, drives: list[str], source: Path, tmp_path: Path
) -> None:  # fmt: skip
    """Cartridges that hold nothing of a selection are neither asked for nor missed."""
    (tmp_path / "state").mkdir(exist_ok=True)
    with Store.open(tmp_path / "state" / "catalog.sqlite"):
        pass
    run("backup", drives[0], source, *then(drives[1:]))
    ran = run("restore", drives[2], f"{source}/8", "--to", tmp_path / "to", "--json")
    assert (ran.code, ran.answer["cartridges"], ran.answer["problems"]) == (0, ["C"], []), ran.err
    assert (tmp_path / "to" / str(source)[1:] / "8").read_bytes() == (source / "8").read_bytes()


def test_a_first_cartridge_that_is_full_already_is_passed_over(run: Run, drives: list[str], source: Path) -> None:
    assert run("backup", drives[0], source, "--full").code == 9
    ran = run("backup", drives[0], source, *then(drives[1:]), "--json")
    assert ran.code == 0, ran.err
    assert [part["cartridge"] for part in ran.answer["cartridges"]] == ["B", "C", "D"][: len(ran.answer["cartridges"])]
    assert ran.answer["cartridges"][0]["part"] == 1
    assert run("verify", drives[1], *then(drives[2:])).code == 0
    nobody = run("backup", drives[0], source)
    assert nobody.code == 9
    assert "cartridge A is full" in nobody.err


def test_verify_names_a_part_that_nobody_showed(run: Run, drives: list[str], source: Path) -> None:
    archive = run("backup", drives[0], source, *then(drives[1:]), "--json").answer["archive"]
    ran = run("verify", drives[0], "--then", drives[2], "--json")
    assert (ran.code, ran.answer["ok"]) == (3, True)
    assert ran.answer["missing"] == [{"archive": archive, "part": 2, "cartridge": "B"}]
    ran = run("verify", drives[1])
    assert ran.code == 0
    assert f"part 1 of archive {archive[:8]} (cartridge A) is not there" in ran.err + ran.out
    assert "DAMAGED" not in ran.out
