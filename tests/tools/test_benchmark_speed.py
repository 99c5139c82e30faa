"""The suite `speed` in its short form: it fails on wrong results alone, and every row of its table is there."""

import json
import os
from pathlib import Path

import pytest

from tools.benchmarks import cli, data, picture, speed, speed_apart
from tools.benchmarks.report import Target
from tools.benchmarks.speed_contenders import OURS, PIPE, PIPE_SUMMED, WAYS

MIB = 2**20


@pytest.mark.long
def test_every_row_is_measured_and_right(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(data, "POOL_BYTES", MIB)
    monkeypatch.setattr(speed, "WAYS", [way for way in WAYS if way.name in {*OURS, PIPE, PIPE_SUMMED}])
    monkeypatch.setattr(speed, "QUICK_LARGE_BYTES", 4 * MIB)
    monkeypatch.setattr(speed, "QUICK_SMALL_FILES", 30)
    monkeypatch.setattr(speed_apart, "QUICK_FILES", 2)
    monkeypatch.setattr(speed_apart, "QUICK_FILE_BYTES", MIB)
    monkeypatch.setattr(speed_apart, "QUICK_DEVICE_BYTES", 4 * MIB)
    written = [f"--json={tmp_path / 'found.json'}", f"--picture={tmp_path / 'found.svg'}"]
    assert cli.main(["--quick", "--rounds=1", f"--dir={tmp_path / 'data'}", *written, "speed"]) == 0
    found = json.loads((tmp_path / "found.json").read_text())["suites"][0]
    assert found["wrong"] == []
    measured = [target["what"] for target in found["targets"] if target["got"] is not None]
    rows = [
        "backup >= 0.75",
        "verify >= 0.95",
        PIPE,
        "second night",
        "peak memory",
        "status",
        "a member",
        "a byte",
        "place",
    ]
    rows += ["loop device"] if os.geteuid() == 0 and "loop device" not in str(found["notes"]) else []
    assert [row for row in rows if not any(row in what for what in measured)] == []
    assert (tmp_path / "found.svg").read_text().count("<rect") == len(measured) + 1


def test_a_picture_shows_how_much_of_each_target_is_reached() -> None:
    targets = [
        Target("a <= b", "0.5", met=True, reached=2.0),
        Target("c", "3", met=False, reached=0.5),
        Target("not measured", None, met=False),
    ]
    drawn = picture.draw("speed", targets)
    assert "a &lt;= b" in drawn
    assert "not measured" not in drawn
    assert drawn.count(picture.COLOURS[True]) == drawn.count(picture.COLOURS[False]) == 1
