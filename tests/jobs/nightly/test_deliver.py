"""A report gets everywhere, or is told not to have; what keeps it away never makes a night fail."""

import json
from pathlib import Path

import pytest

from tapekit import clock
from tapekit.catalog.store import Store
from tapekit.errors import Exit
from tapekit.jobs.nightly import latest
from tapekit.jobs.nightly.deliver import deliver
from tapekit.report import html, text
from tapekit.report.night import NightReport, Outcome
from tests.jobs.nightly.site import Site
from tests.report.sinks import WebSink, serving


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("TAPEKIT_STATE", str(tmp_path / "state"))
    made = Site(tmp_path)
    made.notifications = {
        "html": str(tmp_path / "html"), "prometheus": str(tmp_path / "metrics" / "tapekit.prom"), "retention": "10 days"
    }  # fmt: skip
    return made


def delivered(site: Site, report: NightReport) -> NightReport:
    with clock.running(lambda: site.now):
        return deliver(site.setting(), report, wait=lambda _seconds: None)


def night(site: Site, cartridge: str | None = "MON-1") -> NightReport:
    site.put_in(cartridge)
    return delivered(site, site.run())


def test_page_metrics_and_the_last_report(site: Site, tmp_path: Path) -> None:
    report = night(site)
    assert (report.outcome, report.exit_code) == (Outcome.CLEAN, 0)
    (page,) = (path for path in (tmp_path / "html").glob("*.html") if path.name != "index.html")
    assert page.name in (tmp_path / "html" / "index.html").read_text()
    assert 'last_exit_code{site="test",job="office"} 0.0' in (tmp_path / "metrics" / "tapekit.prom").read_text()
    assert latest.last(tmp_path / "state", "office") == latest.last_success(tmp_path / "state", "office") == report


def test_metrics_keep_the_last_success_behind_a_failure(site: Site, tmp_path: Path) -> None:
    good = night(site)
    site.next_day()
    site.options = {"spool": None}
    night(site, None)
    metrics = (tmp_path / "metrics" / "tapekit.prom").read_text()
    assert f'last_success_timestamp_seconds{{site="test",job="office"}} {good.ended.timestamp()!r}' in metrics
    assert 'last_exit_code{site="test",job="office"} 5.0' in metrics
    assert 'overdue{site="test",job="office"} 0.0' in metrics


def test_the_pictures_show_the_nights_before(site: Site, tmp_path: Path) -> None:
    night(site)
    site.next_day()
    report = night(site, "TUE-1")
    page = next((tmp_path / "html").glob(f"{report.night}*.html")).read_text()
    assert {"2 March 2026", "MON-1", "TUE-1"} <= {text for text in ("2 March 2026", "MON-1", "TUE-1") if text in page}


def test_every_night_to_some_and_bad_ones_to_others_too(site: Site) -> None:
    with serving(WebSink()) as always, serving(WebSink()) as problems:
        site.notifications = {
            "always": [f"json://127.0.0.1:{always.port}/"], "problems": [f"json://127.0.0.1:{problems.port}/"]
        }  # fmt: skip
        night(site)
        assert (len(always.bodies), len(problems.bodies)) == (1, 0)
        site.next_day()
        night(site, None)
        assert (len(always.bodies), len(problems.bodies)) == (2, 1)
        # What did not go is sent as soon as it goes, even if that night is a clean one.
        problems.status = 500
        night(site, None)
        problems.status, before = 200, len(problems.bodies)
        site.next_day()
        assert night(site, "WED-1").outcome is Outcome.CLEAN
        assert len(problems.bodies) == before + 1


def test_what_is_not_sent_is_a_warning_everywhere(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(WebSink()) as sink:
        sink.status = 500
        monkeypatch.setenv("NIGHT_URL", f"json://user:secret@127.0.0.1:{sink.port}/")
        site.notifications["always"] = [{"url_env": "NIGHT_URL"}]
        report = night(site)
    assert (report.outcome, report.exit_code) == (Outcome.WARNINGS, Exit.WARNINGS)
    assert [(note.kind, dict(note.values)) for note in report.warnings] == [("not-sent", {"target": "json 1"})]
    page = next((tmp_path / "html").glob(f"{report.night}*.html")).read_text()
    with Store.open(tmp_path / "state" / "catalog.sqlite", "test") as store:
        (run,) = store.runs("office")
    for told in (page, json.dumps(run.report), latest.last(tmp_path / "state", "office")):
        assert "json 1" in str(told)
        assert "secret" not in str(told)
    assert (run.outcome, run.exit_code) == ("warnings", Exit.WARNINGS)


def test_folders_that_cannot_be_made_are_warnings(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    site.notifications = {"html": str(tmp_path / "file" / "html"), "prometheus": str(tmp_path / "file" / "prom")}
    report = night(site)
    assert (report.exit_code, [note.kind for note in report.warnings]) == (Exit.WARNINGS, ["report-file"] * 2)
    assert {note.detail for note in report.warnings} == {"not a directory", "file exists"}


def test_a_defect_in_the_page_costs_the_page_alone(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> str:
        raise ZeroDivisionError("a picture of no nights")

    with serving(WebSink()) as sink:
        site.notifications["always"] = [f"json://127.0.0.1:{sink.port}/"]
        with monkeypatch.context() as patched:
            patched.setattr(html, "page", fail)
            report = night(site)
        assert [(note.kind, note.detail) for note in report.warnings] == [
            ("report-file", "ZeroDivisionError: a picture of no nights")
        ]
        assert len(sink.bodies) == 1
    monkeypatch.setattr(text, "text", fail)
    assert [note.kind for note in night(site).warnings] == ["defect"]


def test_a_bad_night_gets_no_other_exit_code(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    site.notifications = {"html": str(tmp_path / "file" / "html")}
    report = night(site, None)
    assert (report.outcome, report.exit_code) == (Outcome.SPOOLED, Exit.CARTRIDGE)


def test_old_runs_and_pages_are_forgotten_but_not_the_last_success(site: Site, tmp_path: Path) -> None:
    first = night(site)
    site.next_day(12)
    site.options = {"spool": None}
    night(site, None)
    site.next_day(12)
    last = night(site, None)
    with Store.open(tmp_path / "state" / "catalog.sqlite", "test") as store:
        assert [run.night for run in store.runs("office")] == [last.night, first.night]
        assert {size.night for size in store.sizes("office")} == {last.night, first.night}
    assert len(list((tmp_path / "html").glob("2026*.html"))) == 1


def test_a_run_that_the_catalog_missed_is_brought_in(site: Site, tmp_path: Path) -> None:
    site.put_in("MON-1")
    report = site.run()
    site.forget()
    assert delivered(site, report).exit_code == 0
    with Store.open(tmp_path / "state" / "catalog.sqlite", "test") as store:
        assert [run.begun for run in store.runs("office")] == [report.begun]
