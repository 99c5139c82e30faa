"""The files of the kit keep their promises: one file, old and new Pythons, and a README that a person can read."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rescue import tables, writer
from tests.rescue.kit import FINE, RESCUE, contents, rescue, write_image

README = RESCUE.with_name("README.txt")
OPTIONAL = {"compression", "backports", "zstandard", "cryptography"}  # each is tried, and done without
FIRST_PYTHON = 8


def test_it_needs_the_standard_library_alone() -> None:
    names = set()
    for node in ast.walk(ast.parse(RESCUE.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names.add((node.module or "").partition(".")[0])
    assert names - sys.stdlib_module_names <= OPTIONAL


def find_python(minor: int) -> str | None:
    """The interpreter itself, where what is on the PATH only chooses one."""
    found = shutil.which(f"python3.{minor}")
    if found is None:
        return None
    command = [found, "-c", "import sys; print(sys.executable)"]
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip() or None


@pytest.mark.parametrize("minor", range(FIRST_PYTHON, 16))
def test_it_runs_on(minor: int, tmp_path: Path) -> None:
    python = find_python(minor)
    if python is None:
        pytest.skip(f"python3.{minor} is not installed")
    files = {"a": b"text " * 9999, "d/b": b""}
    write_image(tmp_path / "image", writer.archive(tables.simple_stream(files), compress=True))
    run = rescue("restore", tmp_path / "image", "--to", tmp_path / "to", python=(python, "-I", "-S"))
    assert (run.code, contents(tmp_path / "to")) == (FINE, files), run.err
    assert rescue("check", tmp_path / "image", python=(python, "-I", "-S")).code == FINE


def test_the_readme_is_short_and_in_two_languages() -> None:
    text = README.read_bytes().decode("utf-8")
    lines = text.splitlines()
    assert max(map(len, lines)) <= 76
    assert "\t" not in text
    french = next(number for number, line in enumerate(lines) if line.startswith("FRANÇAIS"))
    assert french <= 70
    assert len(lines) - french <= 70


@pytest.mark.parametrize("language", (0, 1))
def test_the_readme_names_commands_that_exist(language: int) -> None:
    text = README.read_text(encoding="utf-8").partition("FRANÇAIS")[2 * language]
    assert "mt -f /dev/nst0 rewind" in text
    assert "mt -f /dev/nst0 fsf 1" in text
    assert "tar xf /dev/nst0" in text
    for command in ("rescue.py /dev/sdX", "rescue.py restore /dev/sdX --to ", "rescue.py check /dev/sdX"):
        assert f"python3 {command}" in text
