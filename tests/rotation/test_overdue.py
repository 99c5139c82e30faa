"""A job that falls silent is overdue in time, and a holiday alarms nobody."""

import dataclasses
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tapekit.config.values import Duration
from tapekit.rotation.calendar import Calendar
from tapekit.rotation.overdue import TOLERANCE, Overdue, missed, overdue, silent_for
from tapekit.rotation.retention import Rotation
from tapekit.rotation.weekdays import Weekdays
from tests.rotation.made import night, weekdays

TWO_DAYS = Duration(2, "day")
WEEK = weekdays()


def at(text: str) -> datetime:
    """A moment of March 2026: `06 22:17`, a Friday."""
    return datetime.strptime(f"2026-03-{text}", "%Y-%m-%d %H:%M").replace(tzinfo=UTC)


def why(succeeded: str | None, now: str, rotation: Rotation = WEEK, latest: str | None = None) -> Overdue | None:
    seen = at(latest) if latest else None
    return overdue(rotation, TWO_DAYS, at(succeeded) if succeeded else None, seen, at(now), UTC)


@pytest.mark.parametrize(
    ("succeeded", "now", "expected"),
    (
        ("02 22:17", "04 22:17", None),
        ("02 22:17", "04 22:18", Overdue.LATE),
        ("06 22:17", "10 22:17", None),  # over the weekend: Saturday and Sunday count nothing
        ("06 22:17", "10 22:18", Overdue.LATE),
        ("06 22:17", "08 21:00", None),
        ("02 22:17", "02 22:17", None),
    ),
)
def test_what_lies_in_closed_nights_does_not_count(succeeded: str, now: str, expected: Overdue | None) -> None:
    assert why(succeeded, now) is expected


def test_absences_and_holidays_do_not_count() -> None:
    away = Calendar(WEEK.calendar.closed, frozenset((night("03-17"),)), absences=((night("03-03"), night("03-13")),))
    rotation = dataclasses.replace(WEEK, calendar=away)
    assert why("02 22:17", "16 11:59", rotation) is None
    assert silent_for(rotation, at("02 22:17"), at("16 11:59"), UTC) == at("03 12:00") - at("02 22:17")
    assert why("02 22:17", "18 22:17", rotation) is None  # Monday, and half of Wednesday
    assert why("02 22:17", "18 22:18", rotation) is Overdue.LATE


def test_days_that_the_scheme_leaves_out_do_not_count() -> None:
    assert why("06 22:17", "10 22:17", dataclasses.replace(WEEK, calendar=Calendar())) is None


def test_a_job_that_never_ran_is_overdue() -> None:
    assert why(None, "02 22:17") is Overdue.NEVER
    assert why(None, "02 22:17", latest="02 21:00") is Overdue.NEVER


@pytest.mark.parametrize("seen", ("succeeded", "latest"))
def test_a_clock_that_went_back_is_no_reason_for_silence(seen: str) -> None:
    now = at("02 22:17")
    known = {"succeeded": now - timedelta(1), "latest": now - timedelta(1)}
    assert overdue(WEEK, TWO_DAYS, **{**known, seen: now + TOLERANCE}, now=now, zone=UTC) is None
    late = now + TOLERANCE + timedelta(seconds=1)
    assert overdue(WEEK, TWO_DAYS, **{**known, seen: late}, now=now, zone=UTC) is Overdue.CLOCK


def test_a_night_in_which_the_clocks_change_is_as_long_as_it_is() -> None:
    paris = ZoneInfo("Europe/Paris")
    sunday = Rotation(Weekdays(tuple(range(7))), Calendar(frozenset((5,))), WEEK.retention)
    saturday, monday = (datetime(2026, 3, day, 12, tzinfo=paris) for day in (28, 30))
    assert silent_for(sunday, saturday, monday, paris) == timedelta(days=1)
    assert silent_for(dataclasses.replace(sunday, calendar=Calendar()), saturday, monday, paris) == timedelta(hours=47)


def test_missed_nights_are_those_between() -> None:
    assert missed(WEEK, at("05 22:17"), night("03-10"), UTC) == [date(2026, 3, 6), date(2026, 3, 9)]
    assert missed(WEEK, at("05 22:17"), night("03-05"), UTC) == missed(WEEK, at("05 22:17"), night("03-01"), UTC) == []
