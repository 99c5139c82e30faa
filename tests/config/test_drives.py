"""Drives by name, from the configuration file."""

import importlib
from pathlib import Path

import pytest

from tapekit import changers, config, drives
from tapekit.config import file
from tapekit.errors import UsageError


def _written(folder: Path, text: str) -> str:
    path = folder / "tapekit.toml"
    path.write_text(text, "utf-8")
    return str(path)


def test_drives_have_names(tmp_path: Path) -> None:
    named = config.drives(_written(tmp_path, '[drives]\noffice = "image:/srv/cart.tkc"\n'))
    assert drives.resolve("office", named) == ("image", "/srv/cart.tkc")
    assert drives.resolve("disk:/dev/sdb", named) == ("disk", "/dev/sdb")


def test_no_configuration_is_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAPEKIT_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(file, "SYSTEM_FILE", tmp_path / "none.toml")
    assert config.drives(None) == {}


def test_the_environment_names_the_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPEKIT_CONFIG", _written(tmp_path, '[drives]\nx = "image:y"\n'))
    assert config.drives(None) == {"x": "image:y"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    (
        ("drives = 3", "expected names with a URL"),
        ("[drives]\na = 1", "expected names with a URL"),
        ("= broken", "line 1"),
    ),
)
def test_bad_configuration_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        config.drives(_written(tmp_path, text))


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        config.drives(str(tmp_path / "absent.toml"))


@pytest.mark.parametrize("drive", ("nowhere", "floppy:/dev/fd0", "image:", ":x", ""))
def test_what_is_no_drive_says_what_is(drive: str) -> None:
    with pytest.raises(UsageError) as caught:
        drives.resolve(drive, {"office": "image:x"})
    assert "image:" in str(caught.value) + str(caught.value.hint)


@pytest.mark.parametrize(("scheme", "module"), (*drives.DRIVERS, *changers.CHANGERS))
def test_every_line_of_the_tables_is_there(scheme: str, module: str) -> None:
    assert scheme == importlib.import_module(module).SCHEME
