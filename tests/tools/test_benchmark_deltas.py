"""The suite `deltas` runs with tapekit as it is, and fails where a night does not come back."""

import json
import tempfile
from pathlib import Path

import pytest

from tools.benchmarks import changes, cli, deltas
from tools.benchmarks.measure import Command

MIB = 2**20


def run(monkeypatch: pytest.MonkeyPatch, directory: Path, wanted: tuple[changes.Change, ...]) -> int:
    monkeypatch.setattr(deltas, "ARCHIVERS", deltas.ARCHIVERS[:1])
    monkeypatch.setattr(deltas, "CHANGES", wanted)
    monkeypatch.setattr(deltas, "QUICK_BYTES", 4 * MIB)
    arguments = ["--quick", "--rounds=1", f"--dir={directory / 'data'}", f"--json={directory / 'found.json'}", "deltas"]
    return cli.main(arguments)


def test_a_night_is_measured_and_comes_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert run(monkeypatch, tmp_path, changes.CHANGES[:1]) == 0
    found = json.loads((tmp_path / "found.json").read_text())["suites"][0]
    night = next(sample for sample in found["samples"] if sample["step"] == deltas.NIGHT)
    assert 5 * changes.PAGE_BYTES <= night["stored_bytes"] < 10 * changes.PAGE_BYTES
    assert f"{5 * changes.PAGE_BYTES / 1e6:.3f} MB changed" in " ".join(found["notes"])


def test_a_night_that_does_not_come_back_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    real = deltas.ours

    def forgetful(target: Path, *arguments: str) -> Command:
        return real(target, *arguments) if arguments[0] != "restore" else Command(["true"])

    monkeypatch.setattr(deltas, "ours", forgetful)
    assert run(monkeypatch, tmp_path, changes.CHANGES[3:4]) == 1
    assert "the restored files are not those" in " ".join(capsys.readouterr().out.split())


@pytest.mark.long
@pytest.mark.parametrize("change", changes.CHANGES, ids=[change.name for change in changes.CHANGES])
def test_every_change_comes_back(monkeypatch: pytest.MonkeyPatch, change: changes.Change) -> None:
    if change.missing():
        pytest.skip(change.missing())
    with tempfile.TemporaryDirectory(prefix="tapekit-deltas-") as directory:  # PostgreSQL's user has to get there
        Path(directory).chmod(0o755)
        assert run(monkeypatch, Path(directory), (change,)) == 0
