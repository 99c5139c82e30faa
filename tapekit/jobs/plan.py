"""From the configuration to the values that rotation reasons with."""

from datetime import date

from tapekit.config import schema
from tapekit.errors import UsageError
from tapekit.model import Stock
from tapekit.rotation.calendar import WEEKDAYS, Calendar
from tapekit.rotation.gfs import GRADES, GrandfatherFatherSon
from tapekit.rotation.hanoi import MOST_SETS, Hanoi
from tapekit.rotation.public import public_holidays
from tapekit.rotation.retention import Policy, Reuse, Rotation
from tapekit.rotation.round_robin import RoundRobin
from tapekit.rotation.turn import Scheme
from tapekit.rotation.weekdays import Weekdays

YEARS_AHEAD = 2
"""Public holidays are looked up this far: further than any forecast."""


def policy(configuration: schema.Configuration, stock: Stock, today: date) -> Policy:
    """What the configuration says of all jobs, for nights from the oldest that is known to two years ahead."""
    calendar = site_calendar(configuration.calendar, stock, today)
    retention = {name: pool.retention for name, pool in configuration.pools.items()}
    rotations = {
        name: Rotation(scheme(name, rotation), calendar, retention, rotation.per_night, Reuse(rotation.reuse))
        for name, rotation in configuration.rotations.items()
    }
    return Policy(configuration.site.name, {name: rotations[job.rotation] for name, job in configuration.jobs.items()})


def site_calendar(table: schema.Calendar, stock: Stock, today: date) -> Calendar:
    """The days without a night."""
    nights = [copy.night for cartridge in stock.cartridges for copy in cartridge.copies]
    first, last = min([*nights, today]), max([*nights, today])
    years = range(first.year, last.year + YEARS_AHEAD + 1)
    public = public_holidays(table.country, years, table.region) if table.country else frozenset()
    return Calendar(
        closed=frozenset(WEEKDAYS.index(day) for day in table.closed),
        holidays=public | {date(day.year, day.month, day.day) for day in table.holidays if day.year is not None},
        yearly=frozenset((day.month, day.day) for day in table.holidays if day.year is None),
        absences=tuple((days.first, days.last) for days in table.absences),
    )


def scheme(name: str, table: schema.Rotation) -> Scheme:
    """The rotation scheme of a table. Raises UsageError."""
    if isinstance(table, schema.Weekdays):
        days = tuple(WEEKDAYS.index(day) for day in table.days)
        return Weekdays(days, table.sets, table.pool, table.prefix, table.cartridges)
    if isinstance(table, schema.GrandfatherFatherSon):
        pools = tuple((grade, str(getattr(table, f"{grade}_pool"))) for grade in GRADES)
        return GrandfatherFatherSon(table.daily, table.weekly, table.monthly, table.yearly, pools, table.prefix)
    count = table.count or len(table.cartridges)
    if isinstance(table, schema.RoundRobin):
        return RoundRobin(count, table.pool, table.prefix, table.cartridges)
    if count > MOST_SETS:
        raise UsageError(
            f"configuration: rotations.{name}: {count} cartridges, at most {MOST_SETS} take turns this way"
        )
    return Hanoi(count, pool=table.pool, prefix=table.prefix, cartridges=table.cartridges)
