"""The status: silence alarms, and what is known is told without the catalog and without touching a drive."""

import dataclasses
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tapekit import drives
from tapekit.catalog.store import Store
from tapekit.errors import Exit, UsageError
from tapekit.evidence import Evidences
from tapekit.jobs import past, status
from tapekit.jobs.nightly import latest
from tapekit.jobs.nightly.lock import locked
from tapekit.jobs.nightly.trace import Trace
from tapekit.model import Place, Rung
from tapekit.report.night import NightReport, Note, Outcome
from tapekit.report.notes import worded
from tapekit.report.prometheus import JobState
from tapekit.report.stored import value_of
from tapekit.report.words import Words
from tapekit.rotation.overdue import Overdue
from tapekit.schedule import install
from tapekit.scrubs import Scrub, Scrubs
from tests.catalog import samples
from tests.jobs.nightly.site import FIRST_EVENING, FIRST_NIGHT, Site

REPORT = NightReport(
    "test", "host", "office", FIRST_NIGHT, FIRST_EVENING, FIRST_EVENING + timedelta(minutes=9), Outcome.CLEAN,
    archive="1" * 32,
)  # fmt: skip
FAILED = dataclasses.replace(
    REPORT, begun=REPORT.begun + timedelta(1), ended=REPORT.ended + timedelta(1), night=FIRST_NIGHT + timedelta(1),
    outcome=Outcome.FAILED, exit_code=4, problems=(Note("drive", {"drive": "rdx"}, "rdx: no answer"),), archive="",
)  # fmt: skip


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a drive was touched")

    monkeypatch.setattr(drives, "open_drive", refuse)
    monkeypatch.setattr(install, "installed", lambda _root, job: [Path(job)])
    return Site(tmp_path)


def store(site: Site) -> Store:
    return Store.open(site.root / "state" / "catalog.sqlite", "test")


def record(site: Site, *reports: NightReport) -> None:
    """What runs leave in the catalog, and beside it."""
    with store(site) as catalog:
        for report in reports:
            number = catalog.begin_run(report.job, report.night, report.begun)
            catalog.end_run(number, report.ended, report.outcome.value, report.exit_code, value_of(report))
            latest.keep(site.root / "state", report)


def asked(site: Site, after: timedelta = timedelta(hours=12)) -> tuple[status.Result, status.Job]:
    result = status.run(site.configuration(), None, FIRST_EVENING + after)
    (job,) = result.jobs
    return result, job


def kinds(job: status.Job) -> list[str]:
    return [note.kind for note in job.notes]


def test_all_is_well(site: Site) -> None:
    record(site, REPORT)
    result, job = asked(site)
    assert (result.exit_code, job.overdue, job.notes, result.problem) == (Exit.DONE, None, (), None)
    assert job.saved == REPORT.ended
    assert job.coming is not None
    assert (job.coming.choice.names, str(job.coming.night)) == (("TUE-1",), "2026-03-03")


def test_before_the_first_run_there_is_silence_and_asking_makes_no_catalog(site: Site) -> None:
    result, job = asked(site)
    assert (result.exit_code, job.overdue, job.saved) == (Exit.FAILED, Overdue.NEVER, None)
    assert "never" in kinds(job)
    assert [type(state).__name__ for state in past.metrics(site.configuration(), result.now)] == ["NeverRun"]
    assert not (site.root / "state").exists()


@pytest.mark.parametrize(
    ("days", "code", "why"), ((2.0, Exit.DONE, None), (2.01, Exit.FAILED, Overdue.LATE), (-0.1, 4, Overdue.CLOCK))
)
def test_silence_alarms(site: Site, days: float, code: Exit, why: Overdue | None) -> None:
    record(site, REPORT)
    result, job = asked(site, timedelta(days, minutes=9))
    assert (result.exit_code, job.overdue) == (code, why)
    assert kinds(job) == {None: [], Overdue.LATE: ["overdue"], Overdue.CLOCK: ["clock"]}[why]
    (metrics,) = past.metrics(site.configuration(), result.now)
    assert isinstance(metrics, JobState)
    assert metrics.is_overdue == bool(job.overdue)


def test_what_can_be_seen_of_the_reason(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    record(site, REPORT)
    monkeypatch.setattr(install, "installed", lambda _root, _job: [])
    late, planned = asked(site, timedelta(2, hours=8))[1].notes
    assert (late.values["days"], late.values["missed"], planned.kind) == ("3", "2", "no-timer")


def test_a_failed_run_does_not_count_and_its_problems_are_told(site: Site) -> None:
    record(site, REPORT, FAILED)
    result, job = asked(site, timedelta(1, hours=1))
    assert (result.exit_code, job.saved, kinds(job)) == (Exit.WARNINGS, REPORT.ended, ["drive"])
    assert job.last is not None
    assert job.last.outcome == "failed"
    assert asked(site, timedelta(2, minutes=10))[0].exit_code is Exit.FAILED


def test_a_clock_that_was_ahead_once_hides_no_silence(site: Site) -> None:
    ahead = dataclasses.replace(REPORT, begun=REPORT.begun + timedelta(900), ended=REPORT.ended + timedelta(900))
    record(site, ahead, REPORT)
    assert asked(site)[1].overdue is None
    assert asked(site, timedelta(3))[1].overdue is Overdue.LATE


@pytest.mark.parametrize("damage", ("garbage", "gone", "unreadable"))
def test_without_the_catalog_the_last_reports_and_the_journal_tell(site: Site, damage: str) -> None:
    record(site, REPORT, FAILED)
    Evidences(site.root / "state").note("label", REPORT.archive, Rung.COMPARED)
    path = site.root / "state" / "catalog.sqlite"
    for file in path.parent.glob("catalog.sqlite-*"):
        file.unlink()
    if damage == "gone":
        path.unlink()
    elif damage == "garbage":
        path.write_bytes(b"no database" * 1000)
    else:
        path.unlink()
        path.mkdir()
    result, job = asked(site, timedelta(1, hours=1))
    assert result.exit_code is Exit.FAILED
    assert result.problem is not None
    assert (job.saved, job.overdue) == (REPORT.ended, None)
    assert job.last is not None
    assert job.last.begun == FAILED.begun
    assert [rung for rung, _ in job.latest_proofs] == [Rung.COMPARED]
    assert kinds(job) == ["catalog" if damage == "garbage" else "other", "drive"]


def test_a_catalog_rebuilt_from_cartridges_has_no_runs_and_its_archives_tell(site: Site) -> None:
    copy = samples.copy(job="office")
    with store(site) as catalog:
        catalog.record_label(samples.cartridge())
        catalog.record_archive(samples.LABEL, copy)
    assert asked(site)[1].saved == copy.finished
    with store(site) as catalog:
        catalog.record_failure(samples.LABEL, copy.archive, copy.started)
    assert asked(site)[1].overdue is Overdue.NEVER


def test_proofs_and_damage_are_those_of_cartridges_in_service(site: Site) -> None:
    record(site, REPORT)
    at = samples.at
    with store(site) as catalog:
        for number, name in enumerate(("MON-1", "TUE-1", "WED-1")):
            catalog.record_label(samples.cartridge(name, f"{number}" * 32))
            catalog.record_archive(f"{number}" * 32, samples.copy(job="office", file=2))
        catalog.record_evidence("0" * 32, "1" * 32, Rung.READ_BACK, at(1))
        catalog.record_evidence("1" * 32, "1" * 32, Rung.OTHER_DRIVE, at(2))
        catalog.record_evidence("2" * 32, "1" * 32, Rung.COMPARED, at(3))
        catalog.record_failure("2" * 32, "1" * 32, at(4))
        catalog.move("TUE-1", Place.LOST, at(5))
    result, job = asked(site)
    assert (job.proofs[-1], job.latest_proofs) == ((Rung.READ_BACK, at(1)), job.proofs)
    assert [(damaged.cartridge, damaged.at) for damaged in job.damaged] == [("WED-1", at(4))]
    assert (result.exit_code, kinds(job)) == (Exit.WARNINGS, ["damaged-copy", "next-blocked"])


def test_what_scrubs_advise(site: Site) -> None:
    """Of the cartridges that hold the job or are due; one to be retired wants attention until it is."""
    record(site, REPORT)
    with store(site) as catalog:
        for number, name in enumerate(("MON-1", "TUE-1", "WED-1", "THU-1")):
            catalog.record_label(samples.cartridge(name, f"{number}" * 32))
        for number in range(3):
            catalog.record_archive(f"{number}" * 32, samples.copy(job="office", file=2))
    scrubs = Scrubs(site.root / "state")
    for number, corrected in enumerate(((0, 1, 2), (3,), (0,), (99,))):
        for count in corrected:
            scrubs.note(Scrub("2026-03-01T10:00:00Z", f"{number}" * 32, "x", "rdx:c", "", 5000, count, 0, 1, 1, 0, 0))
    result, job = asked(site)
    assert {name: it.advice.value for name, it in job.scrubbed.items()} == {
        "MON-1": "retire", "TUE-1": "watch", "WED-1": "good",
    }  # fmt: skip
    assert (result.exit_code, kinds(job)[0]) == (Exit.WARNINGS, "scrub-trend")
    assert worded(job.notes[0], Words("en")) == (
        "MON-1 is to be retired: more and more blocks have to be corrected: 0, 1, 2",
        "scrubbed on 2026-03-01 in rdx:c",
        "save again on another cartridge, then: tapekit cartridges retire MON-1",
    )
    assert worded(job.notes[0], Words("fr")).what.startswith("MON-1 est à retirer\N{NO-BREAK SPACE}: de plus en plus")
    with store(site) as catalog:
        catalog.move("MON-1", Place.RETIRED, samples.at(1))
    assert "scrub-trend" not in kinds(asked(site)[1])


def test_a_run_is_under_way_or_was_cut_off(site: Site) -> None:
    record(site, REPORT)
    of = site.setting()
    Trace(of.traces, "office", "2026-03-03").step("read back")
    with locked(of.locks, [url for _, url in of.drives], "job office", 0):
        result, job = asked(site)
        assert (job.is_running, result.exit_code) == (True, Exit.DONE)
        assert job.trace is not None
        assert job.trace.step == "read back"
    with locked(of.locks, [url for _, url in of.drives], "job other", 0):
        result, job = asked(site)
    assert (job.is_running, result.exit_code, kinds(job)) == (False, Exit.WARNINGS, ["cut-off"])


def test_a_run_that_left_no_trace_was_cut_off_too(site: Site) -> None:
    record(site, REPORT)
    with store(site) as catalog:
        catalog.begin_run("office", FIRST_NIGHT + timedelta(1), FIRST_EVENING + timedelta(1))
    result, job = asked(site, timedelta(1, hours=2))
    assert (job.is_running, kinds(job), job.saved) == (False, ["cut-off"], REPORT.ended)
    assert result.exit_code is Exit.WARNINGS
    (metrics,) = past.metrics(site.configuration(), result.now)
    assert metrics == JobState(REPORT, REPORT.ended)


def test_nights_that_wait_are_told_once(site: Site) -> None:
    warned = dataclasses.replace(REPORT, warnings=(Note("spool-waits", {"count": "1", "due": "MON-1"}),))
    record(site, warned)
    site.spool.mkdir()
    (site.spool / "office.2026-03-02.tkc").touch()
    _, job = asked(site)
    assert (job.waiting, kinds(job)) == (1, ["spool-waits"])


def test_a_cartridge_put_in_for_a_restore_blocks_the_night(site: Site) -> None:
    record(site, REPORT)
    with store(site) as catalog:
        catalog.record_label(dataclasses.replace(samples.cartridge("TUE-1"), site="test"))
        catalog.lock("TUE-1", datetime(2026, 3, 3, tzinfo=UTC))
    assert kinds(asked(site)[1]) == ["next-blocked"]


def test_an_unknown_job(site: Site) -> None:
    with pytest.raises(UsageError, match="none of that name"):
        status.run(site.configuration(), "offcie", FIRST_EVENING)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_state_that_may_not_be_read(site: Site) -> None:
    record(site, REPORT)
    (site.root / "state").chmod(0)
    try:
        result, job = asked(site)
    finally:
        (site.root / "state").chmod(0o700)
    assert (result.exit_code, job.overdue, job.saved, kinds(job)) == (Exit.FAILED, Overdue.UNKNOWN, None, ["other"])
    assert "permission denied" in str(result.problem)


def test_nobody_says_never_where_nothing_can_be_read(site: Site) -> None:
    (site.root / "state" / "catalog.sqlite").mkdir(parents=True)
    _, job = asked(site)
    assert (job.overdue, kinds(job)) == (Overdue.UNKNOWN, ["other"])
