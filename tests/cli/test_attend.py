"""tapekit attend: lines for the journal, lines for programs."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tapekit import clock
from tapekit.cli import attend as command
from tapekit.schedule import install
from tests.cli.conftest import Run
from tests.jobs.nightly.site import Site


@pytest.fixture
def site(tmp_path: Path, run: Run) -> Iterator[Site]:
    made = Site(tmp_path, 16 << 20, options={"verify": "none", "parity": False})
    made.put_in("MON-1")
    with clock.running(lambda: made.now):
        made.run()
        made.next_day()
        made.put_in("MON-1")
        made.write_configuration()
        yield made


def test_lines_for_a_person(run: Run, site: Site) -> None:
    ran = run("attend", "--once")
    assert ran.code == 0
    assert ran.out.splitlines() == [
        "rdx: MON-1 is in", "office: MON-1 is in, TUE-1 is due: put TUE-1 in before you leave.",
    ]  # fmt: skip
    assert run("attend", "--once").out == ""
    refused = run("attend", "--once", "--run", "ofice")
    assert (refused.code, "jobs: office" in refused.err) == (2, True)


def test_lines_for_a_program(run: Run, site: Site) -> None:
    happened, judged = map(json.loads, run("attend", "--once", "--json").out.splitlines())
    assert (happened["drive"], happened["what"], happened["cartridge"]) == ("rdx", "in", "MON-1")
    assert (judged["job"], judged["exit_code"], judged["started"]) == ("office", 3, False)


def test_a_job_is_started(run: Run, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    monkeypatch.setattr(install, "start", lambda job, program: started.append((job, program[-1])))
    site.put_in("TUE-1")
    assert run("attend", "--once", "--run", "office").out.splitlines()[-1] == "office: started"
    assert started == [("office", str(site.root / "tapekit.toml"))]


def test_it_goes_on_until_it_is_stopped(run: Run, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    class Once:
        is_told = False

        def wait(self, timeout_s: float) -> bool:
            if self.is_told:
                raise KeyboardInterrupt
            self.is_told = True
            site.put_in(None)
            return True

    monkeypatch.setattr(command, "UdevEvents", Once)
    ran = run("attend")
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "rdx: empty")


def test_lines_in_the_sites_language(run: Run, site: Site) -> None:
    site.site["language"] = "fr"
    site.write_configuration()
    assert run("attend", "--once").out.splitlines()[0] == "rdx: MON-1 est en place"
    site.put_in(None)
    assert run("attend", "--once").out.splitlines()[0] == "rdx: vide"
