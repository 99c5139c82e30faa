"""`tapekit nightly`, as the timer and a person call it."""

import fcntl
import json
import os
from pathlib import Path

import pytest

from drivers import image
from tapekit.jobs.nightly import lock
from tapekit.report.night import NightReport
from tests.cli.conftest import Run
from tests.report.sinks import WebSink, serving

CONFIGURATION = """
[site]
name = "here"
[drives]
rdx = "image:{root}/c.tkc"
[pools]
daily = {{ retention = "6 days" }}
[rotations.turns]
scheme = "round-robin"
pool = "daily"
cartridges = ["A", "B"]
[jobs.office]
sources = ["{root}/source"]
drive = "rdx"
rotation = "turns"
time = "21:30"
wait = "{wait}"
sample_restore = 0
{more}
"""


@pytest.fixture
def site(tmp_path: Path, run: Run, source: Path) -> Path:
    """A site with one job, and a blank cartridge in its drive."""
    configure(tmp_path)
    image.create(str(tmp_path / "c.tkc"), 16 << 20)
    return tmp_path


def configure(root: Path, more: str = "", wait: str = "1 seconds") -> None:
    (root / "tapekit.toml").write_text(CONFIGURATION.format(root=root, more=more, wait=wait))


def test_a_clean_night_is_one_line(run: Run, site: Path) -> None:
    ran = run("nightly", "office")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("office: Saved, read back, compared. Put B in ")
    assert ran.out.count("\n") == 1


def test_json_is_the_report(run: Run, site: Path) -> None:
    ran = run("nightly", "office", "--json")
    assert ran.answer.keys() == set(NightReport.__dataclass_fields__)
    assert (ran.code, ran.err, ran.answer["outcome"]) == (0, "", "clean")
    assert json.loads((site / "state" / "reports" / "office.last.json").read_text()) == ran.answer


def test_a_night_that_is_nowhere(run: Run, site: Path) -> None:
    (site / "c.tkc").unlink()
    ran = run("nightly", "office")
    assert ran.code == 5
    assert ran.out.startswith("office: Not saved: no cartridge was in; A was due.")
    assert "no such device or file" in ran.out


def test_under_systemd_each_line_has_its_priority(run: Run, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    about = os.fstat(1)
    monkeypatch.setenv("JOURNAL_STREAM", f"{about.st_dev}:{about.st_ino}")
    assert run("nightly", "office").out.startswith("<6>office: Saved")


def test_a_second_run_waits_and_says_who_is_there(run: Run, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "POLL_S", 1.0)
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    with lock.locked(site / "state" / "locks", [f"image:{site}/c.tkc"], "job other", 0):
        ran = run("nightly", "office")
    assert ran.code == 8
    assert f"in use by job other (process {os.getpid()}" in ran.err
    assert "office: Not saved: the drive rdx was in use." in ran.out
    assert run("nightly", "office").code == 0


def test_a_drive_that_another_program_holds(run: Run, site: Path) -> None:
    with (site / "c.tkc").open("rb+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        ran = run("nightly", "office")
    assert "in use by another program" in ran.out
    assert ran.code == 8


@pytest.mark.parametrize(
    ("day", "why"), (("2999-01-01", "is still to come"), ("1999-01-01", "longer ago"), ("soon", "does not match"))
)
def test_a_night_that_cannot_be_run(run: Run, site: Path, day: str, why: str) -> None:
    ran = run("nightly", "office", "--date", day)
    assert (ran.code, why in ran.err) == (2, True)
    assert not (site / "state").exists()


def test_an_unknown_job_and_a_bad_configuration(run: Run, site: Path) -> None:
    ran = run("nightly", "offce")
    assert (ran.code, "jobs in the configuration: office" in ran.err) == (2, True)
    configure(site, more="verfy = 1")
    ran = run("nightly", "office")
    assert ran.code == 2
    assert "jobs.office.verfy" in ran.err


def test_a_bad_configuration_is_told_to_those_whom_it_names(run: Run, site: Path) -> None:
    with serving(WebSink()) as sink:
        told = f'[notifications]\nproblems = ["json://127.0.0.1:{sink.port}/"]'
        configure(site, more=f"verfy = 1\n{told}")
        assert run("nightly", "office").code == 2
        configure(site, more=told)
        assert run("nightly", "offce").code == 2
        assert run("nightly", "office").code == 0
        configure(site, more=f"{told}\nalway = 1")  # those who would be told cannot be read
        assert run("nightly", "office").code == 2
    wrong_field, wrong_job = sink.bodies
    assert "jobs.office.verfy" in wrong_field
    assert "there is no 'offce'" in wrong_job


def test_a_dry_run_says_what_the_night_would_do(run: Run, site: Path) -> None:
    ran = run("nightly", "office", "--dry-run")
    assert (ran.code, ran.err) == (0, "")
    assert "in rdx: blank" in ran.out
    assert "the night would label the blank medium A\n  lost: nothing\n  size: 6 B to save" in ran.out
    assert "nothing was written; as it stands the night would end with exit code 0 DONE" in ran.out
    assert not (site / "state").exists()
    answer = run("nightly", "office", "--dry-run", "--json").answer
    assert answer.keys() == {
        "job", "night", "due", "why", "source_bytes", "needed_bytes", "drives", "ways", "others", "refused", "warnings",
        "exit_code",
    }  # fmt: skip
    assert (answer["due"], answer["ways"][0]["action"], answer["ways"][0]["lost"]) == (["A"], "label", [])


def test_a_night_to_come_may_be_rehearsed(run: Run, site: Path) -> None:
    assert run("nightly", "office", "--dry-run", "--date", "2999-01-01").code == 0


def test_a_dry_run_that_finds_nothing(run: Run, site: Path) -> None:
    (site / "c.tkc").unlink()
    ran = run("nightly", "office", "--dry-run")
    assert (ran.code, "the night would go nowhere" in ran.out) == (5, True)
    assert "no such device or file" in ran.out
