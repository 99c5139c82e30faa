"""The keys that docs/json.md lists are those that the commands print."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.docs.transcript import ROOT, Shell
from tools.check_docs import rows

PAGE = (ROOT / "docs/json.md").read_text()


def documented(command: str) -> set[str]:
    section = re.search(rf"^## `tapekit {command} --json`\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert section, f"no section on tapekit {command} --json"
    return {row[0].strip("`") for row in rows(section[1])}


def keys(answer: Any, path: str = "") -> Iterator[str]:  # noqa: ANN401 - any JSON
    if isinstance(answer, dict):
        for key, value in answer.items():
            yield f"{path}.{key}".lstrip(".")
            yield from keys(value, f"{path}.{key}")
    elif isinstance(answer, list):
        for item in answer:
            yield from keys(item, f"{path}[]")


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The keys that each command printed, where everything that can be in an answer is in it."""
    shell = Shell(tmp_path_factory.mktemp("json"))
    image = shell.directory / "c.img"
    found: dict[str, set[str]] = {}

    def run(command: str) -> None:
        elsewhere = "2>&1 >out.tar" if command.startswith("export") else "2>/dev/null"
        ((output, _),) = shell.run([f"{sys.executable} -m tapekit {command} --json {elsewhere}"])
        found.setdefault(command.partition(" ")[0], set()).update(keys(json.loads(output.splitlines()[-1])))

    run("label image:c.img --size 64M --barcode J-1")
    run("backup image:c.img office missing --compression none")
    run("restore image:c.img --to restored")
    run("restore image:c.img --to restored office")
    run("verify image:c.img --source")
    run("inspect image:c.img")
    content = image.read_bytes()
    with image.open("r+b") as file:
        file.seek(content.index(b"250000\n", 6 << 20))
        file.write(b"x")
    for command in ("verify image:c.img", "inspect image:c.img", "list image:c.img", "export image:c.img"):
        run(command)
    run("restore image:c.img --to again")
    return found


@pytest.mark.parametrize("command", ("label", "backup", "verify", "inspect", "list", "restore", "export"))
def test_keys(command: str, printed: dict[str, set[str]]) -> None:
    assert printed[command] == documented(command)


def test_error_keys(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tapekit", "inspect", "image:nothing", "--json"],
        cwd=tmp_path, check=False, capture_output=True, text=True,
    )  # fmt: skip
    answer = json.loads(ran.stdout)
    section = PAGE.split("\n## ", 1)[0]
    assert set(answer) == {row[0].strip("`") for row in rows(section)}
    assert answer["exit_code"] == ran.returncode == 4
