"""Capacity: what shrinks, jumps or was left out is told, and so is the day on which the cartridges no longer do."""

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

import pytest

from tapekit.catalog.errors import CatalogError
from tapekit.catalog.store import Store
from tapekit.errors import Exit
from tapekit.jobs import growth
from tapekit.jobs.nightly.sizes import STORED
from tapekit.model import Place
from tapekit.report.night import Verdict
from tests.catalog import samples
from tests.jobs.nightly.site import FIRST_EVENING, FIRST_NIGHT, Site

GB = 10**9
NIGHTS = [FIRST_NIGHT + timedelta(7 * week + day) for week in range(4) for day in range(5)]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "state").mkdir()
    return Site(tmp_path, calendar={"closed": ["sat", "sun"]})


def store(site: Site) -> Store:
    return Store.open(site.root / "state" / "catalog.sqlite", "test")


def record(site: Site, sizes: Mapping[str, Sequence[int]], nights: Sequence[date] = NIGHTS) -> None:
    """Sizes of nights by source; -1: not measured in that night."""
    with store(site) as catalog:
        for number, night in enumerate(nights):
            run = catalog.begin_run("office", night, FIRST_EVENING + (night - FIRST_NIGHT))
            catalog.record_sizes(run, {name: of[number] for name, of in sizes.items() if of[number] >= 0})


def put_on_shelf(site: Site, *names: str, capacity_bytes: int = 100 * GB, left: int | None = None) -> None:
    with store(site) as catalog:
        for name in names:
            made = samples.cartridge(name, f"{name:-<32}")
            catalog.record_label(dataclasses.replace(made, pool="daily"))
            catalog.record_load(made.label, FIRST_EVENING, capacity_bytes=capacity_bytes,
                                remaining_bytes=capacity_bytes if left is None else left)  # fmt: skip


def asked(site: Site) -> growth.Job:
    (job,) = growth.run(site.configuration(), "office", FIRST_EVENING + timedelta(26))
    return job


def kinds(job: growth.Job) -> list[str]:
    return [note.kind for note in job.notes]


@pytest.mark.parametrize(
    ("last", "verdict", "told"),
    (
        (5 * GB, Verdict.STEADY, []),
        (2 * GB, Verdict.DROP, ["size-drop"]),
        (11 * GB, Verdict.JUMP, ["size-jump"]),
        (0, Verdict.EMPTY, ["empty"]),
    ),
)
def test_what_is_odd_is_told(site: Site, last: int, verdict: Verdict, told: list[str]) -> None:
    name = str(site.source)
    record(site, {name: [5 * GB] * 19 + [last]})
    job = asked(site)
    ((latest, points),) = [(one.latest, one.sizes.points) for one in job.series]
    assert (latest.name, latest.verdict, latest.usual_bytes, len(points)) == (name, verdict, 5 * GB, 20)
    assert kinds(job) == told
    assert growth.exit_code([job]) is (Exit.WARNINGS if told else Exit.DONE)


def test_a_threshold_of_ones_own(site: Site) -> None:
    site.options = {"sources": [{"path": str(site.source), "size_drop": 10}]}
    record(site, {str(site.source): [5 * GB] * 19 + [4 * GB]})
    assert kinds(asked(site)) == ["size-drop"]


def test_a_database_that_is_not_dumped_any_more_is_missed(site: Site) -> None:
    site.options = {"databases": [{"kind": "sqlite", "path": "/srv/a.db"}]}
    record(site, {str(site.source): [GB] * 20, "a.db": [GB] * 17 + [-1] * 3, "old.db": [GB] + [-1] * 19})
    job = asked(site)
    assert [one.latest.name for one in job.series] == [str(site.source), "a.db", "old.db"]
    assert [(note.kind, note.values["night"]) for note in job.notes] == [("not-measured", "2026-03-24")]


def test_of_several_runs_in_a_night_the_last_counts(site: Site) -> None:
    name = str(site.source)
    record(site, {name: [GB]}, [FIRST_NIGHT])
    record(site, {name: [2 * GB]}, [FIRST_NIGHT])
    assert asked(site).series[0].sizes.points == ((FIRST_NIGHT, 2 * GB),)


def test_when_a_night_no_longer_fits_on_each_size_of_cartridge(site: Site) -> None:
    days = [(night - FIRST_NIGHT).days for night in NIGHTS]
    record(site, {STORED: [(10 + day) * GB for day in days]})
    put_on_shelf(site, "MON-1", "TUE-1")
    put_on_shelf(site, "WED-1", capacity_bytes=40 * GB)
    put_on_shelf(site, "THU-1", capacity_bytes=7 * GB)
    with store(site) as catalog:
        catalog.move("THU-1", Place.LOST, FIRST_EVENING)
    job = asked(site)
    assert [(room.capacity_bytes // GB, room.names) for room in job.rooms] == [
        (40, ("WED-1",)),
        (100, ("MON-1", "TUE-1")),
    ]
    small, large = (room.forecast.nights_left or 0 for room in job.rooms)
    assert (small, large) == (7, 67)  # from the usual size, that of the middle one of seven nights
    assert job.rooms[0].last_night == NIGHTS[-1] + timedelta(7)
    assert kinds(job) == ["capacity"]
    assert job.blocked is not None
    assert job.blocked.choice.names == ("TUE-1",)  # before it, what WED-1 does not take goes on on others


def test_a_retention_that_the_cartridges_do_not_hold(site: Site) -> None:
    """A cartridge a week, kept for two: behind what is on it there is room for so many nights, and no more."""
    site.pools = {"daily": {"retention": "13 days"}}
    record(site, {STORED: [30 * GB] * 20})
    put_on_shelf(site, "MON-1", "TUE-1", "WED-1", "THU-1", "FRI-1", left=5 * GB)
    put_on_shelf(site, "TUE-1", left=35 * GB)
    with store(site) as catalog:
        for name in ("MON-1", "WED-1"):
            night = NIGHTS[-5 if name == "MON-1" else -3]
            made = samples.copy(f"{name:1<32}", job="office")
            at = FIRST_EVENING + (night - FIRST_NIGHT)
            catalog.record_archive(
                f"{name:-<32}", dataclasses.replace(made, night=night, started=at, finished=at, stored_bytes=95 * GB)
            )
    job = asked(site)
    assert job.blocked is not None
    assert (job.blocked.choice.names, kinds(job)) == (("MON-1",), ["rotation-full"])
    site.pools = {"daily": {"retention": "6 days"}}
    assert asked(site).blocked is None


def test_before_the_first_night(site: Site) -> None:
    with pytest.raises(CatalogError, match="not there"):
        asked(site)
    store(site).close()
    assert (asked(site).series, asked(site).notes) == ((), ())
