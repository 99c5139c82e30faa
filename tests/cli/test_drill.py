"""tapekit drill: every drill can be done, is not right of itself, and touches nothing but its folder."""

import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tapekit.cli import drill as command
from tapekit.jobs.drill import run as drills
from tapekit.jobs.drill.drills import DRILLS, Drill
from tapekit.jobs.drill.scene import Scene
from tapekit.rotation.words import Words
from tests.cli.conftest import Run
from tests.docs.test_json_keys import documented, keys

NAMES = [drill.name for drill in DRILLS]
Typed = Callable[[str], None]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Typed:
    def typing(text: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))

    return typing


CODES: dict[str, list[int | None]] = {
    "wrong-cartridge": [3, None, 0],
    "full-tape": [9, None, 0, 0],
    "drive-reset": [4, 0, 3, 0],
    "pulled-rdx": [5, None, 0, 0],
    "lost-catalog": [4, 0, 0],
    "lost-server": [0, 0, 0],
}
"""What each of the right lines ends with: the bad day does come."""


@pytest.mark.parametrize("drill", DRILLS, ids=NAMES)
def test_nothing_done_is_not_right_and_the_right_way_is(tmp_path: Path, drill: Drill) -> None:
    before, there = dict(os.environ), Path.cwd()
    wrong: list[Words] = []

    def lines(scene: Scene) -> Iterator[str]:
        wrong.extend(drill.judge(scene))
        yield from drill.right

    scene = Scene(tmp_path / "drill", "en", command._quiet)
    drill.set_up(scene)
    steps = [drills.obey(scene, drill, line, "en", print) for line in lines(scene)]
    assert wrong
    assert list(drill.judge(scene)) == []
    assert steps == CODES[drill.name]
    assert (dict(os.environ), Path.cwd()) == (before, there)


def test_another_way_can_be_right_too(run: Run, typed: Typed) -> None:
    typed("take\nput R-02\ntapekit nightly office --json\ndone\n")
    assert run("drill", "wrong-cartridge").code == 0


def test_what_a_person_may_type(run: Run, typed: Typed, tmp_path: Path) -> None:
    lines = (
        ("ls", "'ls': not here"), ("tapekit drill", "'tapekit drill': not here"),
        ("tapekit --config /etc/x status", "status': not here"), ("put R-09", "'R-09': not on the shelf"),
        ("put ../office", "'../office': not on the shelf"), ("put 'R-01", "No closing quotation"),
        ("hint", "tapekit check-tonight office"), ("tapekit nonsense", "No such command 'nonsense'"),
        ("tapekit --help", "Usage: tapekit"), ("shelf", "R-01\nR-02\nR-03"),
    )  # fmt: skip
    typed("".join(f"{line}\n" for line, _ in lines) + "quit\n")
    ran = run("drill", "wrong-cartridge")
    assert ran.code == 3
    assert [said for _, said in lines if said not in ran.out + ran.err] == []
    assert "What would have been right:\n  tapekit check-tonight office\n  put R-02\n" in ran.out
    assert not (tmp_path / "state").exists()


def test_in_french(run: Run, typed: Typed) -> None:
    typed("tapekit check-tonight office\n")
    ran = run("drill", "wrong-cartridge", "--language", "fr")
    out = ran.out.replace("\N{NO-BREAK SPACE}", " ")
    assert "R-01 est en place, R-02 est prévue : mettez R-02 avant de partir." in out
    assert "Pas encore juste" in out


def test_which_drills_there_are(run: Run) -> None:
    assert [line.split()[0] for line in run("drill").out.splitlines()] == NAMES
    assert [drill["name"] for drill in run("drill", "--json").answer["drills"]] == NAMES
    assert run("drill", "fire").code == 2


def test_a_folder_with_something_in_it_is_not_used(run: Run, tmp_path: Path) -> None:
    (tmp_path / "drill").mkdir()
    (tmp_path / "drill/thesis").touch()
    assert run("drill", NAMES[0], "--auto", "--directory", tmp_path / "drill").code == 4


def test_for_a_program(run: Run, typed: Typed) -> None:
    typed("shelf\n")
    assert set(keys(run("drill", NAMES[0], "--json").answer)) == documented("drill")
