"""Files are written below a root, told to systemd without one, and removed again."""

import subprocess
from pathlib import Path

import pytest

from tapekit.errors import TapekitError
from tapekit.schedule import cron, install, systemd
from tests.schedule.plans import plan


def test_what_is_installed_is_removed(tmp_path: Path) -> None:
    files = systemd.files(plan()) + cron.files(plan())
    foreign = tmp_path / "etc/cron.d/tapekit-nightly-own"
    written = install.install(files, tmp_path)
    foreign.write_text("# by hand\n")
    assert [path.read_text() for path in written] == [file.content for file in files]
    assert {path.stat().st_mode & 0o777 for path in written} == {0o644}
    assert install.installed(tmp_path, "other") == []
    assert install.installed(tmp_path, "nightly") == install.installed(tmp_path, None) == sorted(written)
    install.remove(written, tmp_path)
    assert install.installed(tmp_path, None) == []
    assert foreign.exists()


def test_systemd_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        calls.append(command[1:])
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(systemd, "FOLDER", tmp_path)
    monkeypatch.setattr(subprocess, "run", run)
    paths = install.install(systemd.files(plan()), None)
    timers = ["tapekit-nightly-nightly.timer", "tapekit-check-nightly.timer"]
    assert calls == [["daemon-reload"], ["enable", "--now", *timers]]
    calls.clear()
    install.remove(paths, None)
    assert calls == [["disable", "--now", *timers], ["daemon-reload"]]


def test_what_systemd_refuses_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systemd, "FOLDER", tmp_path)
    monkeypatch.setattr(subprocess, "run", lambda c, **_: subprocess.CompletedProcess(c, 1, "", "Access denied\n"))
    with pytest.raises(TapekitError, match="systemctl daemon-reload: Access denied"):
        install.install(systemd.files(plan()), None)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "etc").write_text("")
    with pytest.raises(TapekitError, match=r"tapekit-nightly-nightly\.service: not a directory"):
        install.install(systemd.files(plan()), tmp_path)
