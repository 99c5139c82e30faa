"""A file for cron.d, where there is no systemd. Source of facts: crontab(5), cron(8)."""

import shlex
from pathlib import Path

from tapekit.schedule import times
from tapekit.schedule.files import HEAD, File, Plan

FOLDER = Path("/etc/cron.d")
_NUMBERS = {"sun": 0, "mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6}


def name(job: str) -> str:
    """The file's name: cron overlooks names with a dot."""
    return f"tapekit-nightly-{job.replace('.', '--')}"


def files(plan: Plan) -> tuple[File, ...]:
    """The one file of a job. Raises UsageError."""
    lines = [
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        _line(times.of_job(plan.configuration, plan.job), (*plan.program, "nightly", plan.job)),
        _line(times.of_check(plan.configuration, plan.job), (*plan.program, "check-tonight", plan.job)),
    ]
    return (File(FOLDER / name(plan.job), HEAD + "\n".join(lines) + "\n"),)


def _line(when: times.When, command: tuple[str, ...]) -> str:
    is_daily = len(when.days) == len(times.WEEK)
    days = "*" if is_daily else ",".join(str(number) for number in sorted(_NUMBERS[day] for day in when.days))
    return f"{when.time.minute} {when.time.hour} * * {days} root {shlex.join(command).replace('%', chr(92) + '%')}"
