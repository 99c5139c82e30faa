from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapekit.errors import UsageError
from tapekit.rotation.calendar import Calendar
from tapekit.rotation.gfs import GrandfatherFatherSon
from tapekit.rotation.retention import NEVER, Period, Policy, Rotation, kept_until
from tests.rotation.made import SITE, WEEKEND, cartridge, copy, night

RETENTION = {"daily": Period(days=6), "weekly": Period(days=28), "monthly": Period(months=12)}
GFS = Rotation(GrandfatherFatherSon(), Calendar(WEEKEND), RETENTION)


@pytest.mark.parametrize(
    ("text", "end"),
    (
        ("6 days", night("02-06")),
        ("1 day", night("02-01")),
        ("4 weeks", night("02-28")),
        ("1 month", night("02-28")),
        ("13months", date(2027, 2, 28)),
        ("2 years", date(2028, 1, 31)),
        ("9999 years", NEVER),
    ),
)
def test_periods(text: str, end: date) -> None:
    assert Period.parse(text).after(night("01-31")) == end


def test_a_leap_day_and_the_end_of_time() -> None:
    assert Period(months=12).after(date(2028, 2, 29)) == date(2029, 2, 28)
    assert Period(days=9999).after(date(9999, 1, 1)) == NEVER


@pytest.mark.parametrize("text", ("", "6", "days", "-1 days", "1.5 weeks", "6 nights", "12345 days"))
def test_what_is_no_period(text: str) -> None:
    with pytest.raises(UsageError, match="is not a time"):
        Period.parse(text)


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.integers(0, 200), st.integers(0, 600))
def test_a_longer_period_never_ends_earlier(day: date, months: int, days: int) -> None:
    end = Period(days, months).after(day)
    assert end >= day
    assert Period(days + 1, months).after(day) > end
    assert Period(days, months + 1).after(day) > end


@pytest.mark.parametrize(
    ("day", "pool", "end"),
    (
        ("03-05", "daily", "03-11"),
        ("03-05", None, "03-11"),
        ("03-05", "of another job", "03-11"),
        ("03-06", "daily", "04-03"),  # a weekly night on the wrong cartridge
        ("03-05", "weekly", "04-02"),  # a daily night on a weekly cartridge
        ("03-07", "weekly", "04-04"),  # a run on a closed day, on a weekly cartridge
    ),
)
def test_a_night_is_kept_as_its_pool_or_its_cartridge_says(day: str, pool: str | None, end: str) -> None:
    assert kept_until(GFS, night(day), pool) == night(end)


def test_a_night_of_no_known_pool_is_kept_longest() -> None:
    assert kept_until(GFS, night("03-07")) == date(2027, 3, 7)


def test_what_is_protected() -> None:
    policy = Policy(SITE, {"nightly": GFS})
    own, other = copy(night("03-05")), copy(night("01-01"), job="forgotten")
    on = cartridge("DAILY-1", own, other)
    assert policy.protected(on, night("03-10")) == ((own, night("03-11")), (other, NEVER))
    assert policy.protected(on, night("03-11")) == ((other, NEVER),)
