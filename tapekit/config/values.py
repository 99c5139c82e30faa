"""Values as people write them in the configuration: durations, days of the year, ranges of days.

Each `parse_…` raises ValueError with what was expected; `str()` of a value gives the text back.
"""

import calendar
import dataclasses
import re
from datetime import date, time, timedelta

_DURATION = re.compile(r"([0-9]{1,6}) *(second|minute|hour|day|week|month|year)s?")
_DAY = re.compile(r"(?:([0-9]{4})-)?([0-9]{2})-([0-9]{2})")
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 7 * 86400}
_MONTHS = {"month": 1, "year": 12}
_LEAP_YEAR = 2000
LAST_YEAR = 9000
"""Beyond it a duration counts as for ever."""


@dataclasses.dataclass(frozen=True)
class Duration:
    """So many of a unit. Months and years follow the calendar: one month after 31 January is the last of February."""

    count: int
    unit: str

    def __str__(self) -> str:
        return f"{self.count} {self.unit}{'' if self.count == 1 else 's'}"

    @property
    def seconds(self) -> int:
        """In seconds; a month counts 30 days and a year 365 where no date says which."""
        days = {"month": 30, "year": 365}.get(self.unit)
        return self.count * (days * _SECONDS["day"] if days else _SECONDS[self.unit])

    def after(self, day: date) -> date:
        """The day on which the duration has passed since `day`; parts of a day count as a whole one."""
        if self.unit in _MONTHS:
            months = day.year * 12 + day.month - 1 + self.count * _MONTHS[self.unit]
            year, month = divmod(months, 12)
            if year > LAST_YEAR:
                return date.max
            return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
        days = -(-self.seconds // _SECONDS["day"])
        return day + timedelta(days) if days < (date(LAST_YEAR, 1, 1) - day).days else date.max


@dataclasses.dataclass(frozen=True)
class Day:
    """One date, or where `year` is None that day of every year."""

    month: int
    day: int
    year: int | None = None

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}-{self.day:02d}" if self.year else f"{self.month:02d}-{self.day:02d}"

    def is_on(self, day: date) -> bool:
        """Whether `day` is it."""
        return (day.month, day.day) == (self.month, self.day) and self.year in {None, day.year}


@dataclasses.dataclass(frozen=True)
class Days:
    """From the first day to the last, both included."""

    first: date
    last: date

    def __str__(self) -> str:
        return f"{self.first}/{self.last}" if self.first != self.last else str(self.first)

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last


def parse_duration(text: object) -> Duration:
    """A duration such as "6 days"."""
    if isinstance(text, Duration):
        return text
    match = _DURATION.fullmatch(text.strip()) if isinstance(text, str) else None
    if not match or not int(match[1]):
        raise ValueError('expected a duration such as "2 hours", "6 days", "4 weeks" or "1 year"')
    return Duration(int(match[1]), match[2])


def parse_day(text: object) -> Day:
    """A date such as "2026-12-25", or a day of every year such as "12-25"."""
    if isinstance(text, Day):
        return text
    match = _DAY.fullmatch(str(text))
    if not match:
        raise ValueError('expected a date such as "2026-12-25", or a day of every year such as "12-25"')
    year = int(match[1]) if match[1] else None
    try:
        date(year if year is not None else _LEAP_YEAR, int(match[2]), int(match[3]))
    except ValueError as error:
        raise ValueError("the calendar has no such day") from error
    return Day(int(match[2]), int(match[3]), year)


def parse_days(text: object) -> Days:
    """A range such as "2026-08-01/2026-08-16", or one date."""
    if isinstance(text, Days):
        return text
    first, slash, last = str(text).partition("/")
    try:
        days = Days(date.fromisoformat(first.strip()), date.fromisoformat((last if slash else first).strip()))
    except ValueError as error:
        raise ValueError('expected two dates such as "2026-08-01/2026-08-16"') from error
    if days.last < days.first:
        raise ValueError("the last day is before the first")
    return days


def parse_time(text: object) -> time:
    """A time of day such as "21:30"; TOML's own times are taken too."""
    if isinstance(text, time) and not text.microsecond and not text.second and not text.tzinfo:
        return text
    match = _TIME.fullmatch(text) if isinstance(text, str) else None
    if not match:
        raise ValueError('expected a time such as "21:30"')
    return time(int(match[1]), int(match[2]))
