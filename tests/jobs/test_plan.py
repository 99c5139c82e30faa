from datetime import date, timedelta
from typing import Any

import pytest

from tapekit.config.load import check
from tapekit.errors import UsageError
from tapekit.jobs import plan
from tapekit.model import Cartridge, Stock
from tapekit.rotation.gfs import GrandfatherFatherSon
from tapekit.rotation.hanoi import Hanoi
from tapekit.rotation.retention import Reuse, kept_until
from tapekit.rotation.round_robin import RoundRobin
from tapekit.rotation.turn import Scheme
from tapekit.rotation.weekdays import Weekdays
from tests.rotation.made import copy

TODAY = date(2026, 3, 2)
POOLS = (("yearly", "yearly"), ("monthly", "monthly"), ("weekly", "weekly"), ("daily", "weekly"))


def content(**rotation: object) -> dict[str, Any]:
    """A file with one rotation."""
    return {
        "site": {"name": "Pharmacie du Port"},
        "calendar": {
            "closed": ["sun"], "holidays": ["2026-12-24", "12-26"], "country": "FR",
            "absences": ["2026-08-01/2026-08-16"],
        },
        "drives": {"rdx": "image:/srv/a.tkc"},
        "pools": {name: {"retention": kept} for name, kept in
                  (("daily", "6 days"), ("weekly", "4 weeks"), ("monthly", "1 year"), ("yearly", "5 years"))},
        "rotations": {"week": rotation or {"scheme": "weekdays", "pool": "daily"}},
        "jobs": {"nightly": {"sources": ["/srv"], "drive": "rdx", "rotation": "week", "time": "21:30"}},
    }  # fmt: skip


def configuration(**rotation: object) -> Any:  # noqa: ANN401 - the configuration's own class is not of interest
    return check("tapekit.toml", "", content(**rotation))


def test_calendar() -> None:
    calendar = plan.policy(configuration(), Stock(()), TODAY).rotations["nightly"].calendar
    closed = ("2026-03-08", "2026-12-24", "2027-12-26", "2026-08-16", "2026-07-14", "2028-07-14")
    assert [day for day in closed if calendar.is_open(date.fromisoformat(day))] == []
    assert [
        day for day in ("2026-03-07", "2027-12-24", "2026-08-17") if not calendar.is_open(date.fromisoformat(day))
    ] == []


def test_holidays_reach_back_to_the_oldest_night() -> None:
    old = Stock((Cartridge("A", "a", copies=(copy(date(2019, 3, 5)),)),))
    calendar = plan.policy(configuration(), old, TODAY).rotations["nightly"].calendar
    assert not calendar.is_open(date(2019, 5, 1))


@pytest.mark.parametrize(
    ("table", "expected"),
    (
        ({"scheme": "weekdays", "pool": "daily", "sets": 2, "prefix": "P-"}, Weekdays(sets=2, prefix="P-")),
        (
            {"scheme": "gfs", "daily": 5, "weekly": 3, "monthly": 2, "daily_pool": "weekly"},
            GrandfatherFatherSon(5, 3, 2, 0, POOLS),
        ),
        ({"scheme": "hanoi", "pool": "daily", "count": 4}, Hanoi(4)),
        ({"scheme": "round-robin", "pool": "daily", "cartridges": ["a", "b"]}, RoundRobin(2, cartridges=("a", "b"))),
    ),
)
def test_schemes(table: dict[str, object], expected: Scheme) -> None:
    assert plan.policy(configuration(**table), Stock(()), TODAY).rotations["nightly"].scheme == expected


def test_too_many_towers() -> None:
    with pytest.raises(UsageError, match=r"rotations\.week: 27 cartridges, at most 26"):
        plan.policy(configuration(scheme="hanoi", pool="daily", count=27), Stock(()), TODAY)


def test_the_rest_of_a_rotation() -> None:
    table = {"scheme": "weekdays", "pool": "weekly", "per_night": 2, "sets": 2, "reuse": "overwrite"}
    found = plan.policy(configuration(**table), Stock(()), TODAY)
    rotation = found.rotations["nightly"]
    assert (found.site, rotation.per_night, rotation.reuse) == ("Pharmacie du Port", 2, Reuse.OVERWRITE)
    assert kept_until(rotation, TODAY) == TODAY + timedelta(days=28)
