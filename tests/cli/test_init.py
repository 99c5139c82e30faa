"""tapekit init writes what config check accepts, and replaces nothing without being told."""

import sys
import tomllib
from pathlib import Path

import click
import pytest

from drivers.discover import Device, Kind
from tapekit.cli import init
from tapekit.cli.init import SCHEMES
from tapekit.config.load import load
from tapekit.jobs.devices import Seen
from tests.cli.conftest import Run


@pytest.fixture(autouse=True)
def _found(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        Seen(Device(Kind.RDX, "/dev/disk/by-id/usb-RDX", (), "", "RDX"), "disk:/dev/disk/by-id/usb-RDX"),
        Seen(Device(Kind.TAPE, "/dev/nst0", ()), "tape:/dev/nst0"),
    ]
    monkeypatch.setattr(init, "offered", lambda: found)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_it_writes_is_valid(run: Run, tmp_path: Path, scheme: str) -> None:
    path = tmp_path / "new/tapekit.toml"
    options = ("--site", 'Zoë\'s "shop" \\', "--language", "fr", "--source", tmp_path, "--time", "22:15")
    assert run("init", "--output", path, "--yes", "--scheme", scheme, *options).code == 0
    written = load(str(path))
    assert written.site.name == 'Zoë\'s "shop" \\'
    assert written.rotations["tapekit"].scheme == scheme
    assert written.drives["main"].url == "disk:/dev/disk/by-id/usb-RDX"
    assert f"{written.jobs['nightly'].time:%H:%M}" == "22:15"


def test_what_it_comments_out_is_valid_too(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "new.toml"
    run("init", "--output", path, "--yes")
    lines = path.read_text().splitlines()
    keys = [
        line.removeprefix("# ") for line in lines if not line.startswith("# ") or "=" in line or line.startswith("# [[")
    ]
    path.write_text("\n".join(keys))
    tomllib.loads(path.read_text())
    assert load(str(path)).jobs["nightly"].databases


def test_a_file_that_is_there_is_kept(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "tapekit.toml"  # that TAPEKIT_CONFIG names
    before = path.read_text()
    refused = run("init", "--yes")
    assert (refused.code, path.read_text()) == (2, before)
    assert "--force" in refused.err
    assert run("init", "--yes", "--force").code == 0
    assert "[jobs.nightly]" in path.read_text()


def test_nonsense_is_refused_before_anything_is_written(run: Run, tmp_path: Path) -> None:
    refused = run("init", "--output", tmp_path / "x.toml", "--yes", "--time", "25:00")
    assert (refused.code, "expected a time" in refused.err, (tmp_path / "x.toml").exists()) == (2, True, False)


def test_without_a_terminal_nothing_is_asked(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    refused = run("init", "--output", tmp_path / "x.toml")
    assert (refused.code, "--yes" in refused.err) == (2, True)


def test_questions_are_asked(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    said = {"Name": "Shop", "Language": "fr", "Drive": "1", "Directories": "/a /b", "Rotation": "gfs", "When": "20:00"}
    monkeypatch.setattr(
        click,
        "prompt",
        lambda question, **given: given["type"].convert(said[question.split()[0].rstrip(":")], None, None),
    )
    asked = run("init", "--output", tmp_path / "x.toml")
    written = load(str(tmp_path / "x.toml"))
    assert "1  RDX (no cartridge in it): disk:/dev/disk/by-id/usb-RDX" in asked.out
    assert "2  no name (tape drive): tape:/dev/nst0" in asked.out
    assert (written.site.name, written.site.language) == ("Shop", "fr")
    assert [str(source.path) for source in written.jobs["nightly"].sources] == ["/a", "/b"]
    assert written.drives["main"].url == "disk:/dev/disk/by-id/usb-RDX"


@pytest.mark.parametrize(
    ("asked", "answer", "why"),
    (
        ("Name", "a\x0cb", "control characters are not allowed"),
        ("Drive", "wed.img", "expected a drive such as image:/srv/a.tkc"),
        ("Drive", "3", "expected a drive"),
        ("Drive", "floppy:a", "expected image:, disk:"),
        ("Directories", "srv", "expected an absolute path"),
        ("Directories", "'/a", "no closing quotation"),
        ("When", "9pm", "expected a time"),
    ),
)
def test_a_question_is_asked_again(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str, answer: str, why: str
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    first, good = {asked: answer}, {"Drive": "image:c.tkc", "Directories": "'/a b' /c"}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "click.termui.visible_prompt_func",
        lambda question: first.pop(word, good.get(word, "")) if (word := question.split()[0].rstrip(":")) else "",
    )
    again = run("init", "--output", "x.toml")
    written = load("x.toml")
    assert (again.code, why in again.out + again.err, first) == (0, True, {}), again
    assert written.drives["main"].url == f"image:{tmp_path}/c.tkc"
    assert [str(source.path) for source in written.jobs["nightly"].sources] == ["/a b", "/c"]
