"""A made-up site's days and pools, and what a model of its own makes of them: nothing here comes from the code."""

import functools
from datetime import date, timedelta

DAY = timedelta(days=1)
FIRST, LAST = date(2026, 1, 1), date(2026, 12, 31)
ABSENCE = (date(2026, 8, 3), date(2026, 8, 15))
HOLIDAYS = frozenset((date(2026, 4, 3), date(2026, 4, 6), date(2026, 5, 14), date(2026, 12, 25)))
YEARLY = (5, 1)
"""A holiday of every year."""
BACKWARDS = {date(2026, 6, 10) + number * DAY: -25 for number in range(8)} | {date(2026, 10, 5): -400}
"""By how many days the clock is wrong on which nights."""
KEPT = {"daily": 5, "weekly": 21, "monthly": 62}
"""Days of each pool."""


def model_open(day: date) -> bool:
    is_absent = ABSENCE[0] <= day <= ABSENCE[1]
    return day.isoweekday() != 7 and day not in HOLIDAYS and (day.month, day.day) != YEARLY and not is_absent


OPEN_DAYS = [day for number in range(4 * 365) if model_open(day := date(2024, 1, 1) + number * DAY)]


@functools.cache
def model_pool(scheme: str, day: date) -> str | None:
    """The pool of a night; None where there is none."""
    if not model_open(day):
        return None
    if scheme == "weekdays":
        return "daily"
    if day == max(other for other in OPEN_DAYS if (other.year, other.month) == (day.year, day.month)):
        return "monthly"
    if day == max(other for other in OPEN_DAYS if other.isocalendar()[:2] == day.isocalendar()[:2]):
        return "weekly"
    return "daily"


def model_is_protected(scheme: str, night: date, cartridge_pool: str, today: date) -> bool:
    """Whether a night on a cartridge of a pool may not be overwritten today."""
    days = max(KEPT[pool] for pool in (model_pool(scheme, night), cartridge_pool) if pool)
    return today < night + timedelta(days=days)
