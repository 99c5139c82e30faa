"""The keys that docs/json.md lists are those that the commands print."""

import dataclasses
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tapekit import clock
from tapekit.cli.nightly import rehearsal_json
from tapekit.jobs.nightly.rehearsal import rehearse
from tapekit.report.night import Note
from tapekit.report.stored import value_of
from tests.docs.transcript import ROOT, Shell
from tests.jobs.nightly.site import Site
from tests.report import nights
from tools.check_docs import rows

PAGE = (ROOT / "docs/json.md").read_text()


NAMED_BY_DEVICES = ("counters", "attributes")
"""What is below these has the names that each device gives it."""


def documented(command: str) -> set[str]:
    section = re.search(rf"^## `tapekit {command} --json`\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert section, f"no section on tapekit {command} --json"
    return {row[0].strip("`") for row in rows(section[1])}


def keys(answer: Any, path: str = "") -> Iterator[str]:  # noqa: ANN401 - any JSON
    if isinstance(answer, dict):
        for key, value in answer.items():
            yield f"{path}.{key}".lstrip(".")
            if key not in NAMED_BY_DEVICES:
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
    run("backup image:c.img office missing --compression none --no-parity")
    run("restore image:c.img --to restored")
    run("restore image:c.img --to restored office")
    run("verify image:c.img --source")
    run("scrub image:c.img")
    run("inspect image:c.img")
    content = image.read_bytes()
    with image.open("r+b") as file:
        file.seek(content.index(b"250000\n", 6 << 20))
        file.write(b"x")
    for command in ("verify image:c.img", "inspect image:c.img", "list image:c.img", "export image:c.img"):
        run(command)
    run("restore image:c.img --to again")
    run("label image:p.img --size 64M --block-size 64K --barcode J-2")
    run("backup image:p.img office --parity")
    parity = shell.directory / "p.img"
    place = parity.read_bytes().index(b'"job":"backup"')
    with parity.open("r+b") as file:
        file.seek(place)
        file.write(b"x")
    for command in (
        "verify image:p.img",
        "list image:p.img",
        "export image:p.img",
        "restore image:p.img --to corrected",
        "verify --repair image:p.img",
    ):
        run(command)
    return found


@pytest.mark.parametrize("command", ("label", "backup", "verify", "inspect", "list", "restore", "export"))
def test_keys(command: str, printed: dict[str, set[str]]) -> None:
    never = {f"not_repaired[].{key}" for key in ("file", "block", "kind", "why")}  # it takes a broken disk
    never |= {f"missing[].{key}" for key in ("archive", "part", "cartridge")}  # an archive over several cartridges
    assert printed[command] == documented(command) - never


def test_error_keys(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tapekit", "inspect", "image:nothing", "--json"],
        cwd=tmp_path, check=False, capture_output=True, text=True,
    )  # fmt: skip
    answer = json.loads(ran.stdout)
    section = PAGE.split("\n## ", 1)[0]
    assert set(answer) == {row[0].strip("`") for row in rows(section)}
    assert answer["exit_code"] == ran.returncode == 4


def test_the_keys_of_a_night() -> None:
    note = Note("drive", {"drive": "rdx"}, "no answer")
    report = dataclasses.replace(nights.WITH_DRIVE, problems=(note,), left_overs=(note,))
    in_prose = re.compile(r"(problems|warnings|left_overs)\[\]\..*|overwritten\[\]\.(nights|lost)\[\]\..*")
    assert {key for key in keys(value_of(report)) if not in_prose.fullmatch(key)} == documented("nightly")


def test_the_keys_of_a_dry_run(tmp_path: Path) -> None:
    pools: dict[str, object] = {"daily": {"retention": "1 day"}}
    rotation: dict[str, object] = {"scheme": "round-robin", "pool": "daily", "count": 2, "reuse": "overwrite"}
    site = Site(tmp_path, 24 << 20, rotation=rotation, pools=pools)
    for name in ("first", "second"):
        site.put_in(name)
        assert site.run().exit_code == 0
        site.next_day()
    site.put_in("first")
    with clock.running(lambda: site.now):
        foreseen = rehearse(site.setting(), site.now.date())
    noted = re.compile(r"(refused|warnings)\[\]\..*|others\[\]\..*")
    assert foreseen.ways[0].loss
    assert {key for key in keys(rehearsal_json(foreseen)) if not noted.fullmatch(key)} == documented(
        "nightly --dry-run"
    )
