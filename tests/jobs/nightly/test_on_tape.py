"""Nights on a virtual tape drive."""

import os
from pathlib import Path

from tapekit.report.night import Outcome
from tests.rig.site import PROVEN, UsbSite


def test_a_new_tape_is_labelled_and_the_next_night_goes_behind_the_first(tmp_path: Path) -> None:
    path = f"{tmp_path}/tape?generation=6&capacity=100M&warning=20M"
    site = UsbSite(tmp_path, url=f"virtual:{path}", options={"parity": True, "spool": None, "sample_restore": 2})
    (site.source / "database").write_bytes(os.urandom(1 << 20))
    for _ in range(2):
        night = site.next_night()
        assert (night.outcome, set(night.rungs) >= PROVEN) == (Outcome.CLEAN, True), night
    assert site.whole_archives() == 2
