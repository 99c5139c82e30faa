"""Seasons and years of nights: nothing needed is overwritten, nothing is lost, and what vanishes was told."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from tests.jobs.nightly.site import Site
from tests.jobs.nightly.year import Season
from tests.rotation.almanac import ABSENCE, FIRST, HOLIDAYS, KEPT, LAST

ROTATIONS: dict[str, dict[str, object]] = {
    "weekdays": {"scheme": "weekdays", "pool": "daily", "days": ["mon", "tue", "wed", "thu", "fri", "sat"]},
    "gfs": {"scheme": "gfs", "daily": 5, "weekly": 4, "monthly": 3},
}
ALWAYS = ("clean", "warnings", "spooled", "unspooled", "overwritten", "nights lost", "previewed", "lost")
SMALL_BYTES = 20 << 20
MEMORY = Path("/dev/shm")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """In memory where there is such a place: a year writes some gigabytes."""
    made = Path(tempfile.mkdtemp(prefix="tapekit-year-", dir=MEMORY)) if MEMORY.is_dir() else tmp_path / "year"
    monkeypatch.setenv("TAPEKIT_STATE", str(made / "state"))
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield made
    shutil.rmtree(made, ignore_errors=True)
    monkeypatch.undo()
    time.tzset()


def season(folder: Path, scheme: str, reuse: str, seed: int, first: date, last: date) -> Season:
    calendar: dict[str, object] = {
        "closed": ["sun"], "holidays": [*map(str, HOLIDAYS), "05-01"], "absences": ["/".join(map(str, ABSENCE))],
    }  # fmt: skip
    site = Site(
        folder, SMALL_BYTES, {"compression": "zstd:1"}, {**ROTATIONS[scheme], "reuse": reuse}, calendar,
        {pool: {"retention": f"{days} days"} for pool, days in KEPT.items()},
    )  # fmt: skip
    lived = Season(site, scheme, seed)
    lived.run(first, last)
    return lived


@pytest.mark.parametrize(("scheme", "reuse"), (("weekdays", "append"), ("gfs", "overwrite")))
def test_every_night_of_a_season(folder: Path, scheme: str, reuse: str) -> None:
    """Seven weeks: two of them nobody is there, in one and a half the clock is wrong."""
    check_seen(season(folder, scheme, reuse, 1, date(2026, 5, 11), date(2026, 6, 27)), ALWAYS)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("reuse", ("append", "overwrite"))
@pytest.mark.parametrize("scheme", ("weekdays", "gfs"))
def test_every_night_of_a_year(folder: Path, scheme: str, reuse: str, seed: int) -> None:
    check_seen(season(folder, scheme, reuse, seed, FIRST, LAST), (*ALWAYS, "full", "retired", "not to be written"))


def check_seen(lived: Season, expected: tuple[str, ...]) -> None:
    """What the season is there for has happened in it."""
    for happened in expected:
        assert lived.seen[happened], (happened, lived.seen)
