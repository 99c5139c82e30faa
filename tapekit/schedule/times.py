"""When a job and its evening check run: a time of day, and the days of the week."""

import dataclasses
from datetime import time
from typing import get_args

from tapekit.config.schema import Configuration, Job, Weekday
from tapekit.errors import UsageError
from tapekit.model import NOON

WEEK: tuple[str, ...] = get_args(Weekday)
CHECK_BEFORE_HOURS = 2
"""The evening check comes so long before the job, unless check_time says otherwise."""


@dataclasses.dataclass(frozen=True)
class When:
    """A time of day on some days of the week, in the week's order."""

    time: time
    days: tuple[str, ...]


def of_job(configuration: Configuration, name: str) -> When:
    """When the job runs. A job of before noon belongs to the night of the day before. Raises UsageError."""
    job = configuration.jobs[name]
    return When(job.time, _days(configuration, _days_after_night(job)))


def of_check(configuration: Configuration, name: str) -> When:
    """When the evening check of a job runs: the last time before the job. Raises UsageError."""
    job = configuration.jobs[name]
    check = job.check_time or job.time.replace(hour=(job.time.hour - CHECK_BEFORE_HOURS) % 24)
    return When(check, _days(configuration, _days_after_night(job) - (check >= job.time)))


def _days_after_night(job: Job) -> int:
    return int(job.time.hour < NOON)


def _days(configuration: Configuration, shift: int) -> tuple[str, ...]:
    open_days = [day for day in WEEK if day not in configuration.calendar.closed]
    if not open_days:
        raise UsageError("configuration: calendar.closed: every day is closed: there is nothing to schedule")
    shifted = {(WEEK.index(day) + shift) % len(WEEK) for day in open_days}
    return tuple(WEEK[number] for number in sorted(shifted))
