"""tapekit status: what a person and a monitoring system get."""

import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tapekit import clock
from tapekit.catalog.store import Store
from tapekit.report.night import DriveHealth, Note
from tapekit.report.stored import value_of
from tapekit.scrubs import Scrub, Scrubs
from tests.catalog import samples
from tests.cli.conftest import Run
from tests.docs.test_json_keys import documented, keys
from tests.jobs.nightly.site import Site
from tests.jobs.test_status import FAILED, REPORT


@pytest.fixture
def site(tmp_path: Path, run: Run) -> Iterator[Site]:
    made = Site(tmp_path)
    made.write_configuration()
    with Store.open(made.root / "state" / "catalog.sqlite", "test") as catalog:
        for report in (REPORT, dataclasses.replace(FAILED, warnings=(Note("size-drop", {"name": "n" * 99}),) * 9)):
            number = catalog.begin_run(report.job, report.night, report.begun)
            catalog.end_run(number, report.ended, report.outcome.value, report.exit_code, value_of(report))
    with clock.running(lambda: made.now):
        yield made


def test_for_a_person(run: Run, site: Site) -> None:
    site.now = FAILED.ended + timedelta(hours=10)
    ran = run("status")
    assert ran.code == 3
    assert "the drive rdx did not do its work" in ran.out
    assert "and 2 more; --json" in ran.out
    site.now += timedelta(days=1)
    ran = run("status", "office")
    assert (ran.code, ran.out.splitlines()[0]) == (4, "test: ALARM")
    assert "office: OVERDUE" in ran.out


def test_it_fits_a_terminal(run: Run, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tapekit.cli.tables.columns", lambda: 80)
    site.now = FAILED.ended + timedelta(days=3)
    lines = run("status").out.splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) > 10


def test_for_a_program(run: Run, site: Site) -> None:
    (site.spool).mkdir()
    site.now = FAILED.ended + timedelta(hours=10)
    ran = run("status", "--json")
    assert (ran.code, ran.answer["exit_code"]) == (3, 3)
    assert ran.answer["jobs"][0]["last_run"]["outcome"] == "failed"
    parts = ("proof.", "proofs[].", "latest_proof.", "damaged[].", "scrubs[].", "health[].")
    assert set(keys(ran.answer)) == {key for key in documented("status") if not any(part in key for part in parts)}


def test_what_the_drive_said(run: Run, site: Site) -> None:
    """In the site's language; the numbers of the flags for programs."""
    site.site["language"] = "fr"
    site.write_configuration()
    lto = DriveHealth("lto", (20,), (), {"write errors corrected": 3})
    with Store.open(site.root / "state" / "catalog.sqlite", "test") as catalog:
        number = catalog.begin_run(FAILED.job, FAILED.night, FAILED.begun)
        report = value_of(dataclasses.replace(FAILED, health=(lto,)))
        catalog.end_run(number, FAILED.ended, FAILED.outcome.value, FAILED.exit_code, report)
    site.now = FAILED.ended + timedelta(hours=10)
    assert "drive         lto: le lecteur doit être nettoyé maintenant" in run("status").out
    answer = run("status", "--json").answer
    assert set(keys(answer)) >= {key for key in documented("status") if "health[]." in key}
    assert answer["jobs"][0]["health"][0]["flags"] == [20]


def test_what_scrubs_advise(run: Run, site: Site) -> None:
    with Store.open(site.root / "state" / "catalog.sqlite", "test") as catalog:
        catalog.record_label(samples.cartridge("MON-1", "1" * 32))
        catalog.record_archive("1" * 32, samples.copy(job="office"))
    Scrubs(site.root / "state").note(Scrub("2026-03-01", "1" * 32, "MON-1", "rdx", "", 9000, 3, 0, 1, 1, 0, 0))
    site.now = FAILED.ended + timedelta(hours=10)
    assert "scrubs        MON-1: watch, 3 of 9000 blocks had to be corrected" in run("status").out
    answer = run("status", "--json").answer
    (scrubbed,) = answer["jobs"][0]["scrubs"]
    assert set(keys(answer)) >= {key for key in documented("status") if "scrubs[]." in key}
    assert (scrubbed["cartridge"], scrubbed["advice"], scrubbed["corrected"]) == ("MON-1", "watch", [3])


def test_an_error_is_an_object_too(run: Run, site: Site) -> None:
    ran = run("status", "offcie", "--json")
    assert (ran.code, ran.answer["exit_code"]) == (2, 2)
