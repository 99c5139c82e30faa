"""Trouble in the middle of a night: a drive that fails at any moment, commands that fail, a clock that goes back."""

import functools
import shutil
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from drivers.base import Drive
from drivers.errors import DriveError
from tapekit import drives
from tapekit.errors import Busy, Exit, Stopped
from tapekit.jobs import inspect
from tapekit.jobs.nightly import run, spool
from tapekit.jobs.nightly.lock import locked, locked_where_free
from tapekit.report.night import NightReport, Outcome
from tests.jobs.cartridges import Image, evidences
from tests.jobs.nightly.site import Site

SIZE = 24 << 20


def site_at(root: Path) -> Site:
    root.mkdir()
    site = Site(root, SIZE, options={"sample_restore": 2})
    site.put_in("MON-1")
    return site


def complete(path: Path) -> list[str]:
    """Ids of the complete archives on a cartridge; none where it has no label."""
    try:
        with Image(path).drive() as drive:
            return [one.segment.archive for one in inspect.run(drive, evidences()).archives if one.segment.is_complete]
    except DriveError:
        return []


def test_a_drive_that_fails_whenever_it_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, at each of the times; the night ends with a report, and whole on the cartridge or in the spool."""
    opened: list[str] = []
    real, outcomes, number = drives.open_drive, set(), 0

    def open_drive(url: str, named: Mapping[str, str], *, writable: bool) -> Drive:
        opened.append(url)
        if len(opened) == number:
            raise DriveError(f"{url}: does not answer")
        return real(url, named, writable=writable)

    monkeypatch.setattr(drives, "open_drive", open_drive)
    while number <= len(opened):
        number += 1
        opened.clear()
        site = site_at(tmp_path / str(number))
        report = site.run()
        outcomes.add(report.outcome)
        waiting = spool.waiting(site.spool, "office")
        if report.outcome is Outcome.SPOOLED:
            assert [complete(path) for path in waiting] == [[report.archive]], number
        else:
            assert (complete(site.cartridge("MON-1")), waiting) == ([report.archive], []), number
    assert outcomes == {Outcome.CLEAN, Outcome.WARNINGS, Outcome.SPOOLED}


def test_a_stop_behind_the_night_does_not_unmake_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = site_at(tmp_path / "site")
    site.put_in(None)
    site.run()
    site.next_day()
    site.put_in("TUE-1")

    def stopped(*_arguments: object) -> None:
        raise Stopped("stopped by SIGTERM")

    monkeypatch.setattr(spool, "move", stopped)
    report = site.run()
    assert (report.outcome, report.exit_code) == (Outcome.WARNINGS, Exit.WARNINGS)
    assert [note.kind for note in report.problems] == ["stopped"]
    assert complete(site.cartridge("TUE-1")) == [report.archive]


def hooked(site: Site, when: str) -> NightReport:
    site.options = {**site.options, when: [{"command": ["false"]}]}
    return site.run()


@pytest.mark.parametrize("when", ("before", "after"))
def test_a_command_that_fails_is_told_and_the_night_is_saved(tmp_path: Path, when: str) -> None:
    site = site_at(tmp_path / "site")
    report = hooked(site, when)
    assert (report.outcome, report.exit_code) == (Outcome.WARNINGS, Exit.WARNINGS)
    assert [(note.kind, note.values["command"]) for note in report.problems] == [("hook-failed", "false")]
    assert complete(site.cartridge("MON-1")) == [report.archive]
    with site.setting().open_catalog() as store:
        (run,) = store.runs("office")
    assert (run.exit_code, run.outcome) == (Exit.WARNINGS, "warnings")


def test_a_command_after_a_failure(tmp_path: Path) -> None:
    site = site_at(tmp_path / "site")
    site.put_in(None)
    report = hooked(site, "on_failure")
    assert (report.outcome, report.exit_code) == (Outcome.SPOOLED, Exit.CARTRIDGE)
    assert [note.kind for note in report.problems] == ["hook-failed"]


def test_a_clock_that_went_back_is_told(tmp_path: Path) -> None:
    site = site_at(tmp_path / "site")
    assert site.run().outcome is Outcome.CLEAN
    site.now -= timedelta(minutes=20)
    assert site.run().outcome is Outcome.CLEAN
    site.now -= timedelta(days=7)
    report = site.run()
    assert [note.kind for note in report.warnings] == ["clock"]
    assert report.overwritten == ()


@pytest.mark.parametrize("is_there", (False, True))
def test_a_disk_that_is_not_mounted_takes_no_place_on_a_cartridge(tmp_path: Path, *, is_there: bool) -> None:
    """Nor does it label, overwrite or spool anything, however often."""
    site = site_at(tmp_path / "site")
    site.rotation = {**site.rotation, "reuse": "overwrite"}
    first = site.run()
    shutil.rmtree(site.source)
    if is_there:
        site.source.mkdir()
    for _ in range(6):
        site.now += timedelta(days=7)
        report = site.run()
        assert (report.outcome, report.exit_code) == (Outcome.FAILED, Exit.FAILED)
        assert [note.kind for note in report.problems] == ["source-missing"]
    assert complete(site.cartridge("MON-1")) == [first.archive]
    assert not spool.waiting(site.spool, "office")


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What a night waited for its locks, which takes no time."""
    slept: list[float] = []
    monkeypatch.setattr(run, "locked_where_free", functools.partial(locked_where_free, sleep=slept.append))
    return slept


@pytest.mark.parametrize("is_spooled", (True, False))
def test_a_drive_that_stays_in_use_is_none_for_the_night(
    tmp_path: Path, waited: list[float], *, is_spooled: bool
) -> None:
    site = site_at(tmp_path / "site")
    site.options |= {} if is_spooled else {"spool": None}
    with locked(site.root / "state/locks", [f"image:{site.drive}"], "tapekit verify", 0, is_shared=True):
        if not is_spooled:
            with pytest.raises(Busy, match="in use by tapekit verify"):
                site.run()
            return
        report = site.run()
    assert (report.outcome, report.exit_code, len(waited)) == (Outcome.SPOOLED, Exit.CARTRIDGE, 7200)
    assert ("busy", "rdx") in [(note.kind, note.values.get("drive")) for note in report.warnings]
    assert [complete(path) for path in spool.waiting(site.spool, "office")] == [[report.archive]]
    site.next_day()
    assert site.run().outcome is not Outcome.SPOOLED
    assert not spool.waiting(site.spool, "office")


@pytest.mark.usefixtures("waited")
def test_a_job_that_runs_is_not_run_twice_for_its_spool(tmp_path: Path) -> None:
    site = site_at(tmp_path / "site")
    with locked_where_free(site.root / "state/locks", "office", [], 0), pytest.raises(Busy):
        site.run()
    assert not spool.waiting(site.spool, "office")
