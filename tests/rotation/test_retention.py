from datetime import date

import pytest

from tapekit.config.values import Duration
from tapekit.rotation.calendar import Calendar
from tapekit.rotation.gfs import GrandfatherFatherSon
from tapekit.rotation.retention import NEVER, Policy, Rotation, kept_until
from tests.rotation.made import SITE, WEEKEND, cartridge, copy, night, stock

RETENTION = {"daily": Duration(6, "day"), "weekly": Duration(4, "week"), "monthly": Duration(1, "year")}
GFS = Rotation(GrandfatherFatherSon(), Calendar(WEEKEND), RETENTION)


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
    assert policy.protected(on, night("03-10"), stock()) == ((own, night("03-11")), (other, NEVER))
    assert policy.protected(on, night("03-11"), stock()) == ((other, NEVER),)
