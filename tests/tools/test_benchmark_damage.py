"""The suite `damage` wounds what was backed up, counts what comes back, and fails where something wrong does."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from tools.benchmarks import cli, damage, parity_cost
from tools.benchmarks.damage import Archiver
from tools.benchmarks.measure import Command
from tools.benchmarks.report import Result
from tools.benchmarks.settings import Settings

MIB = 2**20


def shell(line: str, *paths: Path) -> tuple[Command, ...]:
    return (Command(["bash", "-c", line.format(*(shlex.quote(str(path)) for path in paths))]),)


def copier(restore: str = "cp {0}/0* {1}") -> Archiver:
    """Stands for tapekit: a folder with the files as they are, all in one place, or each in a piece of its own."""
    return Archiver(
        damage.PARITY, ("cp",), lambda *_: (), lambda source, target, _, __: shell("cp {0}/* {1}", source, target),
        lambda target: sorted(target.iterdir()), lambda target, to: shell(restore, target, to),
    )  # fmt: skip


def run(monkeypatch: pytest.MonkeyPatch, directory: Path, archiver: Archiver) -> tuple[int, dict[str, Any]]:
    monkeypatch.setattr(damage, "ARCHIVERS", (archiver,))
    monkeypatch.setattr(damage, "QUICK_FILES", 6)
    monkeypatch.setattr(parity_cost, "run", lambda _settings, _result: None)
    arguments = ["--quick", "--rounds=1", f"--dir={directory / 'data'}", f"--json={directory / 'found.json'}", "damage"]
    code = cli.main(arguments)
    (suite,) = json.loads((directory / "found.json").read_text())["suites"]
    return code, suite


def test_what_comes_back_is_counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One file of six is hit by every wound; of three cartridges with two each, one is lost."""
    code, suite = run(monkeypatch, tmp_path, copier())
    assert code == 1  # tapekit itself would have named that file, and not given it back
    (grid,) = suite["grids"]
    cells = {name: cell.split(",")[0] for name, cell in grid["rows"][1:]}
    assert cells == dict.fromkeys(damage.WOUNDS, "5") | {damage.LOST_CARTRIDGE: "4"}
    assert [target["met"] for target in suite["targets"]] == [False] * len(damage.COVERED)


def test_all_that_comes_back_is_well(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source = tmp_path / "data" / "damage" / "source"
    code, suite = run(monkeypatch, tmp_path, copier(f"cp {shlex.quote(str(source))}/* {{1}}"))
    assert (code, suite["wrong"]) == (0, [])
    assert all(target["met"] for target in suite["targets"])


@pytest.mark.long
def test_what_parity_costs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parity_cost, "QUICK_BYTES", 64 * MIB)
    result = Result("damage", "")
    parity_cost.run(Settings(tmp_path, 1, quick=True), result)
    (grid,) = result.grids
    stored = [float(row[3]) for row in grid.rows if row[3][0].isdigit()]
    assert stored[0] > stored[1] > stored[3]
    assert len(result.targets) == 4
