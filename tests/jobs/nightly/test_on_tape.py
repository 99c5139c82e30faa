"""Nights on a virtual tape drive."""

import os
from pathlib import Path

import pytest

from tapekit.report.night import Outcome
from tapekit.report.text import text
from tests.rig.site import PROVEN, UsbSite


def test_a_new_tape_is_labelled_and_the_next_night_goes_behind_the_first(tmp_path: Path) -> None:
    path = f"{tmp_path}/tape?generation=6&capacity=100M&warning=20M"
    site = UsbSite(tmp_path, url=f"virtual:{path}", options={"parity": True, "spool": None, "sample_restore": 2})
    (site.source / "database").write_bytes(os.urandom(1 << 20))
    for _ in range(2):
        night = site.next_night()
        assert (night.outcome, set(night.rungs) >= PROVEN) == (Outcome.CLEAN, True), night
    assert site.whole_archives() == 2


def test_what_the_drive_says_is_in_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its flags and counters, in both languages; a warning of the standard is one of the night, information is not."""
    site = UsbSite(tmp_path, url=f"virtual:{tmp_path}/tape?generation=6&capacity=100M")
    flags = {19}
    monkeypatch.setattr("drivers.tape.state.alerts", lambda _: frozenset(flags))
    quiet = site.next_night()
    assert (quiet.outcome, quiet.health[0].flags) == (Outcome.CLEAN, (19,))
    assert quiet.health[0].counters["cartridge: MB written in its life"] >= 0
    flags.add(7)
    night = site.next_night()
    assert (night.outcome, [note.kind for note in night.warnings]) == (Outcome.WARNINGS, ["drive-alert"])
    assert "the drive rdx warns: the cartridge is worn out: copy it, and retire it" in text(night, "en")
    french = text(night, "fr")
    assert "le lecteur rdx avertit" in french
    assert "Ce que disent les lecteurs" in french
    assert "la cartouche approche de sa fin de vie" in french
    assert "erreurs d’écriture non corrigées" in french
