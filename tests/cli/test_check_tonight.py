"""tapekit check-tonight: a line for a person, its code for systemd, keys for programs."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tapekit import clock
from tapekit.schedule import cron, systemd
from tapekit.schedule.files import Plan
from tests.cli.conftest import Run
from tests.docs.test_json_keys import documented, keys
from tests.jobs.nightly.site import Site
from tests.report.sinks import WebSink, serving


@pytest.fixture
def site(tmp_path: Path, run: Run) -> Iterator[Site]:
    made = Site(tmp_path, site={"language": "fr"})
    made.put_in("MON-1")
    with clock.running(lambda: made.now):
        made.run()
        made.next_day()
        made.write_configuration()
        yield made


def test_a_line_and_why(run: Run, site: Site) -> None:
    ran = run("check-tonight", "office", "--only-look")
    assert ran.code == 3
    first, why = ran.out.replace("\N{NO-BREAK SPACE}", " ").splitlines()
    assert first == "MON-1 est en place, TUE-1 est prévue : mettez TUE-1 avant de partir."
    assert why == "  sinon : ajouter à MON-1"
    site.put_in("TUE-1")
    assert run("check-tonight", "office").code == 0


def test_for_a_program(run: Run, site: Site) -> None:
    ran = run("check-tonight", "office", "--date", "2026-03-04", "--json")
    assert (ran.code, ran.answer["due"], ran.answer["closed"]) == (3, ["WED-1"], None)
    assert set(keys(ran.answer)) == documented("check-tonight") | {
        f"warnings[].{key}" for key in ("kind", "what", "why", "to_do")
    }


def test_what_was_not_told_is_a_warning(run: Run, site: Site) -> None:
    (site.root / "file").touch()
    site.notifications = {"prometheus": str(site.root / "file" / "tapekit.prom")}
    site.write_configuration()
    site.put_in("TUE-1")
    ran = run("check-tonight", "office", "--json")
    assert (ran.code, ran.answer["exit_code"], [it["kind"] for it in ran.answer["untold"]]) == (3, 0, ["report-file"])
    assert run("check-tonight", "office", "--only-look").code == 0


def test_only_look_sends_nothing(run: Run, site: Site) -> None:
    with serving(WebSink()) as web:
        site.notifications = {"problems": [f"json://127.0.0.1:{web.port}/"]}
        site.write_configuration()
        run("check-tonight", "office", "--only-look")
        assert web.bodies == []
        run("check-tonight", "office")
        assert len(web.bodies) == 1


@pytest.mark.parametrize("line", (0, 1))
def test_the_units_command_line_runs(run: Run, site: Site, line: int) -> None:
    plan = Plan(site.configuration(), "office", ("tapekit",))
    (unit,) = (file for file in systemd.files(plan) if file.path.name == "tapekit-check-office.service")
    commands = (re.findall("ExecStart=(.*)", unit.content)[0], cron.files(plan)[0].content.splitlines()[-1])
    assert run(*commands[line].partition("tapekit ")[2].split()).code == 3
