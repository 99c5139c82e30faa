"""Runs the command in this process, as a person would call it."""

import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tapekit.cli import main


@dataclasses.dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def answer(self) -> dict[str, Any]:
        """The one JSON object that was printed."""
        answer = json.loads(self.out)
        assert isinstance(answer, dict)
        return answer


Run = Callable[..., Ran]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Call `tapekit` with these arguments; anything but a reported error fails the test."""
    monkeypatch.setenv("TAPEKIT_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("TAPEKIT_CONFIG", str(tmp_path / "tapekit.toml"))
    (tmp_path / "tapekit.toml").write_text(f'[drives]\noffice = "image:{tmp_path}/c.tkc"\n')

    def call(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["tapekit", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main.main()
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return Ran(int(ended.value.code or 0), out, err)

    return call


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two files."""
    (tmp_path / "source").mkdir()
    for name in ("one", "two"):
        (tmp_path / "source" / name).write_text(name)
    return tmp_path / "source"


@pytest.fixture
def saved(run: Run, source: Path, tmp_path: Path) -> str:
    """The URL of a cartridge with one archive, which has no parity: damage is damage."""
    url = f"image:{tmp_path}/c.tkc"
    assert run("label", url, "--size", "16M", "--block-size", "64K", "--barcode", "WED-1").code == 0
    assert run("backup", url, source, "--no-parity").code == 0
    return url
