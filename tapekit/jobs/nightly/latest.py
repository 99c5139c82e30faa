"""The last report of each job, and the last of a night on a cartridge: kept in the state, without the catalog."""

import contextlib
from pathlib import Path

from tapekit.catalog.store import SUCCESS
from tapekit.report import stored
from tapekit.report.atomic import write_atomically
from tapekit.report.night import NightReport

MODE = 0o600


def keep(state: Path, report: NightReport) -> None:
    """Keep a report. Raises OSError."""
    text = f"{stored.to_json(report)}\n"
    write_atomically(_path(state, report.job), text, MODE)
    if report.exit_code in SUCCESS:
        write_atomically(_path(state, report.job, "success"), text, MODE)


def last(state: Path, job: str) -> NightReport | None:
    """The report of a job's last run; None where there is none, or none that can be read."""
    return _read(_path(state, job))


def last_success(state: Path, job: str) -> NightReport | None:
    """The report of a job's last night that is on a cartridge."""
    return _read(_path(state, job, "success"))


def _path(state: Path, job: str, which: str = "last") -> Path:
    return state / "reports" / f"{job}.{which}.json"


def _read(path: Path) -> NightReport | None:
    with contextlib.suppress(OSError, UnicodeDecodeError, stored.BadReport):
        return stored.from_json(path.read_text("utf-8"))
    return None
