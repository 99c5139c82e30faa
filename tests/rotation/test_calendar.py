from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapekit.errors import UsageError
from tapekit.rotation.calendar import Calendar
from tapekit.rotation.public import public_holidays
from tests.rotation.made import WEEKEND, night

CALENDAR = Calendar(WEEKEND, frozenset((night("04-06"),)), frozenset(((12, 25),)), ((night("08-01"), night("08-14")),))


@pytest.mark.parametrize(
    ("day", "english", "french"),
    (
        (night("03-07"), "closed on Saturday", "fermé le samedi"),
        (night("04-06"), "holiday", "jour férié"),
        (date(2031, 12, 25), "holiday", "jour férié"),
        (night("08-03"), "absence until 14 August", "absence jusqu’au 14 août"),
        (night("08-14"), "absence until 14 August", "absence jusqu’au 14 août"),
    ),
)
def test_closed_days(day: date, english: str, french: str) -> None:
    why = CALENDAR.why_closed(day)
    assert why is not None
    assert not CALENDAR.is_open(day)
    assert (why.of("en"), why.of("fr")) == (english, french)


def test_next_and_previous_night() -> None:
    assert CALENDAR.next_open(night("07-31")) == night("08-17")
    assert CALENDAR.previous_open(night("08-17")) == night("07-31")
    assert CALENDAR.next_open(night("03-03")) == night("03-04")


def test_site_that_is_never_open() -> None:
    never = Calendar(frozenset(range(7)))
    assert never.next_open(night("03-03")) is None
    assert never.previous_open(night("03-03")) is None


@given(
    st.frozensets(st.integers(0, 6), max_size=6),
    st.frozensets(st.dates(date(2025, 12, 1), date(2026, 3, 1)), max_size=20),
    st.dates(date(2025, 12, 1), date(2026, 3, 1)),
)
def test_nothing_open_between_a_night_and_the_next(
    closed: frozenset[int], holidays: frozenset[date], day: date
) -> None:
    calendar = Calendar(closed, holidays)
    following = calendar.next_open(day)
    assert following is not None
    assert calendar.is_open(following)
    between = [day + timedelta(number) for number in range(1, (following - day).days)]
    assert not any(calendar.is_open(other) for other in between)
    if calendar.is_open(day):
        assert calendar.previous_open(following) == day


def test_public_holidays() -> None:
    french = public_holidays("FR", (2026,))
    assert {night("05-01"), night("07-14"), night("12-25"), night("04-06")} <= french
    assert night("12-26") not in french
    assert night("12-26") in public_holidays("FR", (2026,), "57")
    with pytest.raises(UsageError, match="XX"):
        public_holidays("XX", (2026,))
    with pytest.raises(UsageError, match="FR, Nowhere"):
        public_holidays("FR", (2026,), "Nowhere")
