from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapekit.report.capacity import Forecast, Thresholds, assess, forecast, growth_per_day
from tapekit.report.night import Verdict

FIRST = date(2026, 1, 1)
GB = 10**9


def nightly(*sizes: int) -> list[tuple[date, int]]:
    return [(FIRST + timedelta(days=day), size) for day, size in enumerate(sizes)]


@pytest.mark.parametrize(
    ("size", "before", "verdict"),
    (
        (GB, (), Verdict.NEW),
        (0, (), Verdict.EMPTY),
        (0, (GB,) * 9, Verdict.EMPTY),
        (GB, (GB,) * 9, Verdict.STEADY),
        (GB // 2 + 1, (GB,) * 9, Verdict.STEADY),
        (GB // 2 - 1, (GB,) * 9, Verdict.DROP),
        (2 * GB, (GB,) * 9, Verdict.STEADY),
        (2 * GB + 1, (GB,) * 9, Verdict.JUMP),
        (GB, (GB, GB, GB, 0, GB, GB), Verdict.STEADY),
        (1000, (9_000_000,) * 9, Verdict.STEADY),
        (GB, (0,) * 9, Verdict.JUMP),
    ),
)
def test_what_a_size_says(size: int, before: tuple[int, ...], verdict: Verdict) -> None:
    assert assess("x", FIRST + timedelta(days=len(before)), size, nightly(*before)).verdict is verdict


def test_thresholds_are_the_sites() -> None:
    before = nightly(*[GB] * 9)
    night = FIRST + timedelta(days=9)
    assert assess("x", night, 8 * GB // 10, before, Thresholds(drop_percent=10)).verdict is Verdict.DROP
    assert assess("x", night, 1000, nightly(*[5000] * 9), Thresholds(small_bytes=0)).verdict is Verdict.DROP


def test_growth_is_that_of_the_nights_and_one_odd_night_does_not_move_it() -> None:
    sizes = [10 * GB + day * 10**7 for day in range(60)]
    assert growth_per_day(nightly(*sizes)) == 10**7
    sizes[30] = 0
    sizes[59] = 40 * GB
    assert growth_per_day(nightly(*sizes)) == pytest.approx(10**7, rel=0.01)
    assert assess("x", FIRST + timedelta(days=60), 10 * GB, nightly(*sizes)).growth_bytes_per_week is not None


def test_growth_counts_days_not_runs() -> None:
    weekly = [(FIRST + timedelta(days=7 * week), GB + week * 7 * 10**6) for week in range(10)]
    assert growth_per_day(weekly) == 10**6


def test_a_few_nights_say_nothing() -> None:
    assert growth_per_day([]) is None
    assert growth_per_day(nightly(1, 2, 3)) is None
    assert growth_per_day([(FIRST, 1)] * 30) is None
    assert assess("x", FIRST, GB, []).growth_bytes_per_week is None


def test_the_forecast_counts_nights() -> None:
    growing = nightly(*[10 * GB + day * GB // 10 for day in range(30)])
    found = forecast(growing, 20 * GB)
    assert found.nights_left == 74
    assert forecast(growing, 10 * GB) == Forecast(is_known=True, nights_left=0)
    assert forecast(growing, 10**18) == Forecast(is_known=True)
    assert forecast(nightly(*[GB] * 30), 2 * GB) == Forecast(is_known=True)
    assert forecast(growing, None) == Forecast(is_known=False)
    assert forecast(nightly(GB, GB), 2 * GB) == Forecast(is_known=False)
    assert forecast([], GB) == Forecast(is_known=False)


@given(st.integers(1, 10**9), st.integers(1, 10**7), st.integers(0, 10**11))
def test_the_forecast_is_that_of_a_straight_line(start: int, growth: int, room: int) -> None:
    """The model: a night of exactly that size fits on the last night that was promised."""
    points = nightly(*[start + day * growth for day in range(30)])
    capacity = points[-1][1] + room
    found = forecast(points, capacity)
    assert found.is_known
    usual = points[-4][1]
    if found.nights_left is not None:
        assert usual + found.nights_left * growth <= max(capacity, usual + growth)
    else:
        assert capacity - usual > 3650 * growth


def test_the_clock_may_have_jumped() -> None:
    points = [(FIRST, GB), (FIRST - timedelta(days=3), GB), *nightly(*[GB] * 20)]
    assert growth_per_day(points) == 0
