from collections import Counter
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapekit.rotation.calendar import Calendar
from tapekit.rotation.gfs import GrandfatherFatherSon
from tapekit.rotation.hanoi import Hanoi, ruler
from tapekit.rotation.round_robin import RoundRobin
from tapekit.rotation.schemes import SCHEMES
from tapekit.rotation.turn import Scheme
from tapekit.rotation.weekdays import Weekdays
from tests.rotation.made import WEEKEND, night

OFFICE = Calendar(WEEKEND)
DAY = timedelta(days=1)
EXAMPLES: tuple[Scheme, ...] = (
    Weekdays(), Weekdays(tuple(range(7)), 3, "pool", "P-"), Weekdays((0, 1), 2, cartridges=("m1", "t1", "m2", "t2")),
    GrandfatherFatherSon(), GrandfatherFatherSon(0, 2, 0, 1),
    GrandfatherFatherSon(pool_names=(("daily", "day"),), yearly=3), Hanoi(), Hanoi(1), Hanoi(3, 2, prefix="H-"),
    Hanoi(2, cartridges=("left", "right")), RoundRobin(), RoundRobin(2, prefix="X-"), RoundRobin(cartridges=("a", "b")),
)  # fmt: skip


def names(scheme: Scheme, day: date, calendar: Calendar = OFFICE) -> tuple[str, ...]:
    turn = scheme.turn(day, calendar)
    return turn.names if turn else ()


def test_registry() -> None:
    assert [name for name, _ in SCHEMES] == ["weekdays", "gfs", "hanoi", "round-robin"]
    assert {kind for _, kind in SCHEMES} == {type(scheme) for scheme in EXAMPLES}


@pytest.mark.parametrize("scheme", EXAMPLES, ids=repr)
@given(
    closed=st.frozensets(st.integers(0, 6), max_size=6),
    holidays=st.frozensets(st.dates(date(2026, 1, 1), date(2026, 2, 28)), max_size=10),
    day=st.dates(date(2026, 1, 1), date(2026, 2, 28)),
)
def test_a_turn_names_what_the_scheme_has(
    scheme: Scheme, closed: frozenset[int], holidays: frozenset[date], day: date
) -> None:
    calendar = Calendar(closed, holidays)
    turn = scheme.turn(day, calendar)
    assert turn == scheme.turn(day, calendar)
    if not calendar.is_open(day):
        assert turn is None
    if turn is not None:
        assert turn.night == day
        assert turn.names
        assert set(turn.names) <= set(scheme.names)
        assert turn.pool in scheme.pools
        assert {scheme.pool_of(name) for name in turn.names} == {turn.pool}
        assert turn.why.en
        assert turn.why.fr


@pytest.mark.parametrize("scheme", EXAMPLES, ids=repr)
def test_names_are_used_and_different(scheme: Scheme) -> None:
    assert len(set(scheme.names)) == len(scheme.names)
    used = {name for number in range(400) for name in names(scheme, date(2026, 1, 1) + number * DAY, Calendar())}
    assert used == set(scheme.names)


def test_weekdays() -> None:
    assert names(Weekdays(sets=2), night("03-02")) == ("MON-1", "MON-2")
    assert names(Weekdays(prefix="A-"), night("03-06")) == ("A-FRI-1",)
    assert names(Weekdays(), night("03-07"), Calendar()) == ()
    named = Weekdays((0, 1), 2, prefix="A-", cartridges=("m1", "t1", "m2", "t2"))
    assert names(named, night("03-03")) == ("A-t1", "A-t2")
    assert names(Weekdays(tuple(range(6))), night("03-07"), Calendar()) == ("SAT-1",)


@pytest.mark.parametrize(
    ("day", "pool"),
    (
        ("03-05", "daily"),
        ("03-06", "weekly"),
        ("03-31", "monthly"),
        ("04-02", "weekly"),  # Good Friday is a holiday
        ("07-31", "monthly"),  # an absence follows
        ("08-21", "weekly"),
        ("12-30", "yearly"),  # the 31st is a holiday
        ("05-29", "monthly"),  # a Friday; the 31st is a Sunday
    ),
)
def test_grandfather_father_son(day: str, pool: str) -> None:
    calendar = Calendar(
        WEEKEND, frozenset((night("04-03"), night("12-31"))), absences=((night("08-01"), night("08-16")),)
    )
    turn = GrandfatherFatherSon(yearly=5).turn(night(day), calendar)
    assert turn is not None
    assert turn.pool == pool
    assert all(name.startswith(pool.upper()) for name in turn.names)


def test_a_grade_without_cartridges_leaves_its_nights_to_the_one_below() -> None:
    scheme = GrandfatherFatherSon(daily=4, weekly=0, monthly=0, yearly=0)
    assert names(scheme, night("03-31")) == ("DAILY-1", "DAILY-2", "DAILY-3", "DAILY-4")
    assert GrandfatherFatherSon(daily=0, monthly=0).turn(night("03-05"), OFFICE) is None


@given(
    st.lists(st.dates(date(2026, 1, 1), date(2026, 12, 31)), max_size=60), st.frozensets(st.integers(0, 6), max_size=5)
)
def test_every_month_with_a_night_has_one_monthly(holidays: list[date], closed: frozenset[int]) -> None:
    calendar = Calendar(closed, frozenset(holidays))
    scheme = GrandfatherFatherSon()
    turns = [scheme.turn(day, calendar) for day in calendar.open_nights(date(2026, 1, 1), date(2026, 12, 31))]
    monthly = Counter(turn.night.month for turn in turns if turn and turn.pool == "monthly")
    assert monthly == Counter({turn.night.month for turn in turns if turn})
    kept = {turn.night.isocalendar()[:2] for turn in turns if turn and turn.pool in {"weekly", "monthly"}}
    assert kept == {turn.night.isocalendar()[:2] for turn in turns if turn}


def test_tower_of_hanoi() -> None:
    assert "".join("ABCD"[ruler(number, 4)] for number in range(1, 17)) == "ABACABADABACABAD"
    assert [ruler(number, 1) for number in range(4)] == [0, 0, 0, 0]
    days = [names(Hanoi(4), day)[0] for day in OFFICE.open_nights(night("03-02"), night("04-30"))]
    assert "ABACABADABACABAD" in "".join(days)


def test_a_holiday_moves_no_other_turn() -> None:
    with_holiday = Calendar(WEEKEND, frozenset((night("03-04"),)))
    for scheme in (Hanoi(4), Weekdays(sets=2), RoundRobin()):
        later = OFFICE.open_nights(night("03-05"), night("06-30"))
        assert all(scheme.turn(day, OFFICE) == scheme.turn(day, with_holiday) for day in later)


def test_round_robin() -> None:
    assert names(RoundRobin(3), night("03-02")) == ("R-01", "R-02", "R-03")
    assert names(RoundRobin(cartridges=("red", "blue")), night("03-02")) == ("red", "blue")
