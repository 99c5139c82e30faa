"""tapekit scan, loader and label --scan: as a person with a scanner that types calls them."""

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.docs.test_json_keys import documented, keys

Typed = Callable[[str], None]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Typed:
    """What the scanner types."""

    def typing(text: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    return typing


def test_scans_are_shown_once_and_refused_with_the_reason(run: Run, typed: Typed) -> None:
    typed("TAP001L6\nAP002L6\nTAP001L6\nCLN001CU\n")
    ran = run("scan")
    assert ran.code == 3
    assert ran.out.splitlines() == ["TAP001L6  data cartridge, LTO-6", "CLN001CU  cleaning cartridge, all generations"]
    assert ran.err == (
        "refused: 'AP002L6': no cartridge of this site, and no LTO label: 7 characters, expected 6 and the media id\n"
    )
    typed("anything\n")
    assert run("scan", "--any").out == "anything\n"


def test_for_a_program(run: Run, typed: Typed, saved: str) -> None:
    typed("WED-1\nTAP002L6\nx\n")
    assert run("catalog", "rebuild", saved).code == 0
    assert run("cartridges", "move", "WED-1", "home").code == 0
    ran = run("scan", "--inventory", "--json")
    assert ran.code == 3
    answer = ran.answer
    assert [each["label"] for each in answer["labels"]] == ["WED-1", "TAP002L6"]
    assert answer["inventory"] == {
        "place": "shelf", "there": [], "missing": [], "unknown": ["TAP002L6"],
        "elsewhere": [{"name": "WED-1", "place": "home"}],
    }  # fmt: skip
    assert set(keys(answer)) == documented("scan")


def test_a_shelf(run: Run, typed: Typed, saved: str) -> None:
    assert run("catalog", "rebuild", saved).code == 0
    assert run("cartridges", "move", "WED-1", "shelf").code == 0
    typed("WED-1\n")
    ran = run("scan", "--inventory")
    assert (ran.code, ran.out) == (0, "WED-1\nthere: WED-1\nshelf: as the catalog has it, 1 cartridges\n")
    typed("")
    ran = run("scan", "--inventory")
    assert (ran.code, ran.out) == (3, "missing: WED-1\n")


def test_label_takes_the_first_good_scan(run: Run, typed: Typed, tmp_path: Path) -> None:
    typed("AP001L6\nTAP001L6\nTAP002L6\n")
    ran = run("label", f"image:{tmp_path}/c.img", "--size", "16M", "--scan", "-")
    assert ran.code == 0
    assert ran.out.startswith("labelled TAP001L6:")
    assert "7 characters" in ran.err


def test_label_without_a_good_scan_makes_nothing(run: Run, typed: Typed, tmp_path: Path) -> None:
    typed("AP001L6\n")
    assert run("label", f"image:{tmp_path}/c.img", "--size", "16M", "--scan", "-").code == 5
    assert not (tmp_path / "c.img").exists()
    assert run("label", f"image:{tmp_path}/c.img", "--scan", "-", "--barcode", "X").code == 2


def test_a_port_that_is_not_there(run: Run) -> None:
    ran = run("scan", "--port", "/dev/ttyUSB99")
    assert (ran.code, ran.err) == (4, "tapekit: /dev/ttyUSB99: no such device or file\n")


EXAMPLE = Path(__file__).parents[2] / "docs/examples/loader.toml"


def test_a_loader_shows_its_commands(run: Run) -> None:
    ran = run("loader", EXAMPLE)
    assert ran.code == 0
    assert [line.split()[0] for line in ran.out.splitlines()] == ["command", "status", "load", "unload"]
    assert run("loader", EXAMPLE, "--json").answer["commands"][1]["arguments"] == ["slot"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    (
        (("lode",), "no command 'lode'"),
        (("load",), "load: expected slot, got 0"),
        (("load", "slot"), "'slot': no argument"),
        (("load", "slot=3;4"), "slot: '3;4': expected letters"),
    ),
)  # fmt: skip
def test_what_a_loader_does_not_take(run: Run, arguments: tuple[str, ...], message: str) -> None:
    ran = run("loader", EXAMPLE, *arguments)
    assert ran.code == 2
    assert message in ran.err


def test_a_loader_that_is_not_connected(run: Run) -> None:
    ours, theirs = os.openpty()
    os.close(theirs)
    ran = run("loader", EXAMPLE, "status")
    os.close(ours)
    assert ran.code == 4
    assert "no such device or file" in ran.err


def test_in_the_sites_language(run: Run, typed: Typed, tmp_path: Path) -> None:
    (tmp_path / "tapekit.toml").write_text('[site]\nname = "test"\nlanguage = "fr"\n')
    typed("TAP001L6\nCLN001CU\n")
    assert run("scan").out.splitlines() == [
        "TAP001L6  cartouche de données, LTO-6", "CLN001CU  cartouche de nettoyage, toutes générations",
    ]  # fmt: skip
