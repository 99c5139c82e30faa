"""A cartridge, or a few that take turns, for each day of the week."""

import dataclasses
from datetime import date

from tapekit.rotation.calendar import WEEKDAYS, Calendar
from tapekit.rotation.turn import Turn, numbered
from tapekit.rotation.words import Words, weekday_words


@dataclasses.dataclass(frozen=True)
class Weekdays:
    """MON-1, MON-2, TUE-1, …: `sets` cartridges for each of `days`, which are weekdays with Monday 0."""

    days: tuple[int, ...] = (0, 1, 2, 3, 4)
    sets: int = 1
    pool: str = "daily"
    prefix: str = ""
    cartridges: tuple[str, ...] = ()
    """Names in place of MON-1, TUE-1, …: day by day for the first set, then for the second."""

    @property
    def pools(self) -> tuple[str, ...]:
        """The one pool."""
        return (self.pool,)

    @property
    def names(self) -> tuple[str, ...]:
        """Day by day."""
        return tuple(name for day in self.days for name in self._set(day))

    def pool_of(self, name: str) -> str:  # noqa: ARG002 - there is one pool
        """The pool of one of its cartridges."""
        return self.pool

    def turn(self, night: date, calendar: Calendar) -> Turn | None:
        """The set of that day of the week."""
        if not calendar.is_open(night) or night.weekday() not in self.days:
            return None
        day = weekday_words(night)
        why = Words(f"{day.en}’s cartridge", f"cartouche du {day.fr}")
        return Turn(night, self._set(night.weekday()), self.pool, why)

    def _set(self, day: int) -> tuple[str, ...]:
        if self.cartridges:
            return tuple(self.prefix + name for name in self.cartridges[self.days.index(day) :: len(self.days)])
        return numbered(self.prefix, WEEKDAYS[day].upper(), self.sets)
