"""The unit that attends is what systemd takes, and the rules are what udev takes."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tapekit.errors import TapekitError
from tapekit.schedule import attend, install, systemd
from tests.schedule.plans import configuration

PROGRAM = ("/usr/bin/tapekit", "--config", "/etc/a b.toml")


def test_the_unit_writes_where_it_must_and_nowhere_else() -> None:
    lines = attend.service(configuration(drive="image:/mnt/usb/c.tkc"), PROGRAM).content.splitlines()
    assert 'ExecStart=/usr/bin/tapekit --config "/etc/a b.toml" attend' in lines
    assert {"ProtectSystem=strict", "ReadWritePaths=-/mnt/usb", "ReadWritePaths=-/var/lib/tapekit"} <= set(lines)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_finds_nothing_to_complain_of(tmp_path: Path) -> None:
    program = tmp_path / "tapekit"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = tmp_path / attend.UNIT
    unit.write_text(attend.service(configuration(), (str(program),)).content)
    command = ["systemd-analyze", "verify", "--man=no", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (0, "")


READ = """
mount -t tmpfs none /etc/udev/rules.d && cp "$1" /etc/udev/rules.d/60-tapekit.rules || exit
udevadm test /sys/devices/virtual/mem/null
"""


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("udevadm") or not Path("/etc/udev/rules.d").is_dir(),
    reason="needs root, udevadm and /etc/udev/rules.d",
)
@pytest.mark.parametrize("wrong", ("", "SYMLINK", "MODE"))
def test_udev_finds_nothing_to_complain_of(tmp_path: Path, wrong: str) -> None:
    """As udev itself reads them, in a file system of its own; a key that it does not know, it names."""
    rules = tmp_path / "rules"
    content = attend.rules().content
    rules.write_text(content.replace(wrong, wrong + "X") if wrong else content)
    command = ["unshare", "--mount", "sh", "-c", READ, "sh", str(rules)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "unshare failed" in done.stderr or "mount:" in done.stderr:
        pytest.skip("no file systems can be mounted here")
    said = [line for line in (done.stdout + done.stderr).splitlines() if "60-tapekit.rules" in line]
    assert said[0] == "Reading rules file: /etc/udev/rules.d/60-tapekit.rules"
    assert bool(said[1:]) == bool(wrong)


@pytest.fixture
def called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    calls: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(systemd, "FOLDER", tmp_path / "units")
    monkeypatch.setattr(attend, "RULES", tmp_path / "60-tapekit.rules")
    monkeypatch.setattr(install, "RUNNING", tmp_path)
    monkeypatch.setattr(subprocess, "run", run)
    return calls


def test_systemd_and_udev_are_told(called: list[list[str]]) -> None:
    paths = install.install([attend.service(configuration(), PROGRAM), attend.rules()], None)
    assert [call[:3] for call in called] == [
        ["udevadm", "control", "--reload"],
        ["udevadm", "trigger", "--subsystem-match=scsi_tape"],
        ["systemctl", "daemon-reload"],
        ["systemctl", "enable", attend.UNIT],
        ["systemctl", "restart", attend.UNIT],
    ]
    assert install.installed(None, None) == sorted(paths)
    assert install.installed(None, "nightly") == []
    called.clear()
    install.remove(paths, None)
    assert called == [["systemctl", "disable", "--now", attend.UNIT], ["systemctl", "daemon-reload"]]
    assert not any(path.exists() for path in paths)


def test_a_job_is_started_by_its_unit_where_it_has_one(
    called: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    begun = []
    monkeypatch.setattr(subprocess, "Popen", lambda command, **_: begun.append(command))
    install.start("office", PROGRAM)
    assert (called, begun) == ([], [[*PROGRAM, "nightly", "office"]])
    systemd.FOLDER.mkdir()
    (systemd.FOLDER / "tapekit-nightly-office.service").touch()
    install.start("office", PROGRAM)
    assert called == [["systemctl", "start", "--no-block", "tapekit-nightly-office.service"]]


def test_a_program_that_is_not_there_is_said(called: list[list[str]], tmp_path: Path) -> None:
    with pytest.raises(TapekitError, match="no such file"):
        install.start("office", (str(tmp_path / "none"),))
