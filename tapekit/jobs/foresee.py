"""What goes in tonight, and in the weeks to come."""

import dataclasses
from datetime import date, datetime, timedelta, tzinfo

from tapekit.config.schema import Configuration, Job
from tapekit.errors import UsageError
from tapekit.jobs import plan
from tapekit.jobs.nightly.outlook import needed_bytes
from tapekit.model import Copy, Place, Stock, tonight
from tapekit.rotation.calendar import DAY, FAR
from tapekit.rotation.forecast import ForecastNight, forecast
from tapekit.rotation.loss import Standing, archives
from tapekit.rotation.turn import Scheme
from tapekit.rotation.words import Words


@dataclasses.dataclass(frozen=True)
class Result:
    """The nights of a job: the next one alone, or those of some weeks."""

    job: str
    night: date
    """Which was asked for."""
    why_closed: Words | None
    """Why there is none on that date."""
    scheme: Scheme
    nights: tuple[ForecastNight, ...]


def run(configuration: Configuration, stock: Stock, job: str | None, night: date, weeks: int = 0) -> Result:
    """Foresee a job's next night, or all of so many weeks. Raises UsageError."""
    name = the_job(configuration, job)
    policy = plan.policy(configuration, stock, night)
    rotation = policy.rotations[name]
    days = timedelta(weeks=weeks) - DAY if weeks else FAR * DAY
    usual = last_complete(stock, name)
    takes = usual.stored_bytes if usual else 0
    margin = needed_bytes(name, stock, usual.source_bytes) - takes if usual else 0
    coming = forecast(name, stock, policy, night, night + days, takes, margin_bytes=margin)
    nights = tuple(coming) if weeks else tuple(each for each, _ in zip(coming, range(1), strict=False))
    return Result(name, night, rotation.why_none(night), rotation.scheme, nights)


def coming_night(job: Job, last: date | None, now: datetime, zone: tzinfo | None = None) -> date:
    """The night of a job's next run: tonight's, or the next one once tonight's has run. `last` is the last run's."""
    night = tonight(now, job.time, zone)
    is_over = last == night and now.astimezone(zone).time() >= job.time
    return night + DAY * is_over


def the_job(configuration: Configuration, job: str | None) -> str:
    """The job that is named, or the only one. Raises UsageError."""
    jobs = ", ".join(configuration.jobs) or "none"
    if job is None and len(configuration.jobs) == 1:
        return next(iter(configuration.jobs))
    if job is None:
        raise UsageError("job: none is named", f"the configuration has: {jobs}")
    if job not in configuration.jobs:
        raise UsageError(f"job: {job}: the configuration has none of that name", f"it has: {jobs}")
    return job


def last_complete(stock: Stock, job: str) -> Copy | None:
    """The last complete copy of a job: a night to come is taken to be as large."""
    anywhere = (dataclasses.replace(cartridge, place=Place.DRIVE) for cartridge in stock.cartridges)
    complete = (held for held in archives(anywhere) if held.job == job and held.standing >= Standing.COMPLETE)
    last = max(complete, key=lambda held: held.copies[0].started, default=None)
    return None if last is None else dataclasses.replace(
        last.copies[0], source_bytes=sum(copy.source_bytes for copy in last.copies),
        stored_bytes=sum(copy.stored_bytes for copy in last.copies),
    )  # fmt: skip
