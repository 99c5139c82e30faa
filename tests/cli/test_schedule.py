"""tapekit schedule: what is shown is what is installed, and it calls a command with this configuration."""

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.config.files import GOOD


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "good.toml"
    path.write_text(GOOD)
    return path


@pytest.mark.parametrize("scheduler", ("systemd", "cron"))
def test_what_is_shown_is_installed_and_removed(run: Run, file: Path, tmp_path: Path, scheduler: str) -> None:
    shown = run("--config", file, "schedule", "show", "nightly", "--with", scheduler, "--json").answer["files"]
    root = tmp_path / "root"
    ran = run("--config", file, "schedule", "install", "--root", root, "--with", scheduler)
    assert ran.out.splitlines() == [f"written: {root}{shown_file['path']}" for shown_file in shown]
    for shown_file in shown:
        assert Path(f"{root}{shown_file['path']}").read_text() == shown_file["content"]
    assert any(f"tapekit --config {file} nightly nightly\n" in shown_file["content"] for shown_file in shown)
    assert run("schedule", "remove", "other", "--root", root).out == "nothing is installed\n"
    removed = run("schedule", "remove", "--root", root, "--json").answer["removed"]
    assert len(removed) == len(shown)
    assert not any(path.is_file() for path in root.rglob("*"))


def test_show_is_for_people_too(run: Run, file: Path) -> None:
    out = run("--config", file, "schedule", "show", "--with", "systemd").out
    assert out.count("# /etc/systemd/system/tapekit-") == 5
    assert out.count("# /etc/udev/rules.d/60-tapekit.rules") == 1


def test_an_unknown_job_is_refused(run: Run, file: Path, tmp_path: Path) -> None:
    ran = run("--config", file, "schedule", "install", "nihgtly", "--root", tmp_path / "root")
    assert (ran.code, "jobs: nightly" in ran.err, (tmp_path / "root").exists()) == (2, True, False)


@pytest.mark.parametrize("scheduler", ("systemd", "cron"))
def test_a_drive_that_is_another_one_elsewhere_is_refused(run: Run, file: Path, tmp_path: Path, scheduler: str) -> None:
    file.write_text(file.read_text().replace("disk:/dev/disk/by-id/usb-TANDBERG_RDX", "image:c.tkc"))
    ran = run("--config", file, "schedule", "install", "--root", tmp_path / "root", "--with", scheduler)
    assert (ran.code, "drives.rdx: c.tkc: a relative path" in ran.err, (tmp_path / "root").exists()) == (2, True, False)
