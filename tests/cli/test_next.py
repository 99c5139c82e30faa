"""tapekit next: the night that a person means, and the files that are written on the way."""

from datetime import UTC, datetime, time
from pathlib import Path

import icalendar
import pytest

from tapekit.model import tonight
from tests.cli.conftest import Run
from tests.config.files import GOOD


@pytest.mark.parametrize(
    ("now", "begins", "night"),
    (
        ("2026-11-25 08:30", "21:30", "2026-11-25"),  # the cartridge is changed in the morning
        ("2026-11-25 00:30", "21:30", "2026-11-25"),
        ("2026-11-25 22:30", "21:30", "2026-11-25"),
        ("2026-11-25 22:30", "02:00", "2026-11-25"),
        ("2026-11-26 01:59", "02:00", "2026-11-25"),
        ("2026-11-26 02:00", "02:00", "2026-11-26"),
        ("2026-11-26 08:30", "02:00", "2026-11-26"),
    ),
)
def test_tonight(now: str, begins: str, night: str) -> None:
    assert str(tonight(datetime.fromisoformat(now).replace(tzinfo=UTC), time.fromisoformat(begins), UTC)) == night


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "good.toml"
    path.write_text(GOOD)
    return path


def test_calendar_and_labels(run: Run, file: Path, tmp_path: Path) -> None:
    ics, pdf = tmp_path / "new/nights.ics", tmp_path / "labels.pdf"
    ran = run("--config", file, "next", "--date", "2026-11-25", "--ics", ics, "--labels", pdf)
    assert ran.code == 0
    assert ran.out.splitlines()[-2:] == [f"written: {ics}", f"written: {pdf}"]
    events = icalendar.Calendar.from_ical(ics.read_bytes()).walk("VEVENT")
    assert [str(event["summary"]) for event in events[:2]] == ["WED-1 (nightly)", "THU-1 (nightly)"]
    assert pdf.read_bytes().startswith(b"%PDF")


def test_a_file_that_cannot_be_written(run: Run, file: Path, tmp_path: Path) -> None:
    ran = run("--config", file, "next", "--labels", tmp_path)
    assert (ran.code, ran.err) == (4, f"tapekit: {tmp_path}: is a directory\n")


def test_which_job(run: Run, file: Path) -> None:
    ran = run("--config", file, "next", "weekly")
    assert (ran.code, "it has: nightly" in ran.err) == (2, True)
