"""The units are what systemd takes, write where the job must, and nowhere else."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tapekit.schedule import systemd
from tests.schedule.plans import plan

HOOK: Any = [{"command": ["true"]}]


def service(drive: str = "disk:/dev/sdz", **job: Any) -> list[str]:  # noqa: ANN401
    return systemd.files(plan(drive=drive, **job))[0].content.splitlines()


def test_the_service_runs_the_night() -> None:
    lines = service()
    assert "ExecStart=/usr/bin/tapekit nightly nightly" in lines
    assert "ProtectSystem=strict" in lines
    assert "PrivateTmp=yes" in lines
    assert [line for line in lines if line.startswith("ReadWritePaths=")] == ["ReadWritePaths=-/var/lib/tapekit"]


def test_the_timer_makes_up_for_a_missed_night_and_not_for_a_missed_check() -> None:
    _, night, _, check = (file.content.splitlines() for file in systemd.files(plan(closed=("sat", "sun"))))
    assert {"OnCalendar=Mon,Tue,Wed,Thu,Fri *-*-* 21:30:00", "Persistent=true"} <= set(night)
    assert {"OnCalendar=Mon,Tue,Wed,Thu,Fri *-*-* 19:30:00", "Persistent=false"} <= set(check)


def test_every_day_needs_no_days() -> None:
    assert "OnCalendar=*-*-* 21:30:00" in systemd.files(plan())[1].content.splitlines()


@pytest.mark.parametrize(
    ("job", "folder"),
    (
        ({"spool": "/var/spool/tapekit"}, "-/var/spool/tapekit"),
        ({"spool": '/srv/100 % "x"'}, '"-/srv/100 %% \\"x\\""'),
        ({}, "-/mnt/usb"),
        ({"databases": [{"kind": "sqlite", "path": "/opt/till/sales.db"}]}, "-/opt/till"),
    ),
)  # fmt: skip
def test_what_the_job_writes_is_writable(job: dict[str, Any], folder: str) -> None:
    assert f"ReadWritePaths={folder}" in service("image:/mnt/usb/c.tkc", **job)


@pytest.mark.parametrize("key", ("before", "after", "on_failure"))
def test_hooks_may_do_what_they_must(key: str) -> None:
    lines = service(**{key: HOOK})
    assert "ProtectSystem=full" in lines
    assert "NoNewPrivileges=yes" not in lines
    assert "NoNewPrivileges=yes" in service()


@pytest.mark.parametrize("job", ({"sources": ["/tmp/x"]}, {"spool": "/var/tmp/x"}))
def test_a_job_that_uses_tmp_sees_it(job: dict[str, Any]) -> None:
    assert "PrivateTmp=no" in service(**job)


def test_words_of_the_command_line_stay_whole() -> None:
    content = systemd.files(plan("/opt/tape kit/tapekit", "--config", "/etc/a$b%c.toml"))[0].content
    assert 'ExecStart="/opt/tape kit/tapekit" --config /etc/a$$b%%c.toml nightly nightly\n' in content


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
@pytest.mark.parametrize(
    "job",
    (
        {},
        {"before": HOOK, "spool": "/tmp/a b"},
        {"time": "01:30", "check_time": "18:00", "databases": [{"kind": "sqlite", "path": '/srv/a"b/c%.db'}]},
    ),
)
def test_systemd_finds_nothing_to_complain_of(tmp_path: Path, job: dict[str, Any]) -> None:
    program = tmp_path / "tape kit$%"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    paths = []
    for file in systemd.files(plan(str(program), closed=("sun",), **job)):
        paths.append(tmp_path / file.path.name)
        paths[-1].write_text(file.content)
    done = _verify(*paths)
    assert (done.returncode, done.stderr.strip()) == (0, "")
    night = paths[0].read_text()
    paths[0].write_text(night.replace("ProtectSystem=", "ProtectSysten=").replace("ExecStart=", "ExecStart=/none/"))
    assert "ProtectSysten" in _verify(paths[0]).stderr


def _verify(*paths: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, paths)], capture_output=True, text=True, check=False
    )
