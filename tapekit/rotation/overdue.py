"""Silence: whether a job is overdue. `tapekit status`, the evening check and the metrics all ask here.

A night that is not there says nothing, so it is its absence that must be noticed. What counts is the time since a night
was last on a cartridge, and of it only the time in which there were nights: a night lasts from noon to noon, and those
of closed days, holidays, absences, and days that the rotation leaves out count nothing.
"""

import enum
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from tapekit.config.values import Duration
from tapekit.model import NOON, night_of
from tapekit.rotation.calendar import DAY
from tapekit.rotation.retention import Rotation

TOLERANCE = timedelta(hours=1)
"""A clock may be that far back, as one that was set, or kept local time."""


class Overdue(enum.StrEnum):
    """Why a job is overdue."""

    NEVER = "never"
    """No night of it was ever saved."""
    LATE = "late"
    """Not for as long as it may go without."""
    CLOCK = "clock"
    """The last run lies in the future, so nobody can tell."""
    UNKNOWN = "unknown"
    """What would tell cannot be read."""


def overdue(
    rotation: Rotation, limit: Duration, succeeded: datetime | None, latest: datetime | None, now: datetime,
    zone: tzinfo | None = None,
) -> Overdue | None:  # fmt: skip
    """Why a job is overdue; None where it is in time.

    `succeeded` is when a night was last on a cartridge, `latest` the end of the last run whatever became of it. `zone`
    is the machine's own where it is None.
    """
    if any(moment is not None and moment > now + TOLERANCE for moment in (succeeded, latest)):
        return Overdue.CLOCK
    if succeeded is None:
        return Overdue.NEVER
    return Overdue.LATE if silent_for(rotation, succeeded, now, zone).total_seconds() > limit.seconds else None


def silent_for(rotation: Rotation, since: datetime, now: datetime, zone: tzinfo | None = None) -> timedelta:
    """The time between two moments that lies in nights of the rotation."""
    total = timedelta()
    night, last = night_of(since, zone), night_of(now, zone)
    while night <= last:
        if rotation.why_none(night) is None:
            total += max(timedelta(), min(now, _noon(night + DAY, zone)) - max(since, _noon(night, zone)))
        night += DAY
    return total


def missed(rotation: Rotation, since: datetime, until: date, zone: tzinfo | None = None) -> list[date]:
    """The nights behind that of a success and before a date, oldest first."""
    first = night_of(since, zone) + DAY
    return [n for k in range((until - first).days) if rotation.why_none(n := first + k * DAY) is None]


def _noon(night: date, zone: tzinfo | None) -> datetime:
    """When a night begins; local time where `zone` is None."""
    return datetime.combine(night, time(NOON), zone).astimezone(UTC)
