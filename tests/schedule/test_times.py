"""A job and its evening check run on the days that have a night."""

import pytest

from tapekit.errors import UsageError
from tapekit.schedule import times
from tests.schedule.plans import configuration

MON_TO_SAT = ("mon", "tue", "wed", "thu", "fri", "sat")
TUE_TO_SUN = ("tue", "wed", "thu", "fri", "sat", "sun")


@pytest.mark.parametrize(
    ("time", "check_time", "expected_time", "days", "check_days"),
    (
        ("21:30", None, "19:30", MON_TO_SAT, MON_TO_SAT),
        ("21:30", "18:00", "18:00", MON_TO_SAT, MON_TO_SAT),
        ("21:30", "09:00", "09:00", MON_TO_SAT, MON_TO_SAT),
        ("01:15", None, "23:15", TUE_TO_SUN, MON_TO_SAT),
        ("03:00", None, "01:00", TUE_TO_SUN, TUE_TO_SUN),
        ("01:00", "18:30", "18:30", TUE_TO_SUN, MON_TO_SAT),
    ),
)
def test_closed_days_have_no_night(
    time: str, check_time: str | None, expected_time: str, days: tuple[str, ...], check_days: tuple[str, ...]
) -> None:
    made = configuration(("sun",), time=time, check_time=check_time)
    night, check = times.of_job(made, "nightly"), times.of_check(made, "nightly")
    assert (f"{night.time:%H:%M}", night.days) == (time, days)
    assert (f"{check.time:%H:%M}", check.days) == (expected_time, check_days)


def test_a_calendar_with_no_open_day_is_refused() -> None:
    with pytest.raises(UsageError, match="every day is closed"):
        times.of_job(configuration(times.WEEK), "nightly")
