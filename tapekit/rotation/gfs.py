"""Grandfather, father, son: the last open night of a week, a month, a year goes on a cartridge that is kept longer."""

import dataclasses
from datetime import date, timedelta

from tapekit.rotation.calendar import Calendar
from tapekit.rotation.turn import Turn, numbered
from tapekit.rotation.words import Words

GRADES = ("yearly", "monthly", "weekly", "daily")
_WHY = {
    "yearly": Words("last open night of the year", "dernière nuit prévue de l’année"),
    "monthly": Words("last open night of the month", "dernière nuit prévue du mois"),
    "weekly": Words("last open night of the week", "dernière nuit prévue de la semaine"),
    "daily": Words("a night within the week", "une nuit de la semaine"),
}


@dataclasses.dataclass(frozen=True)
class GrandfatherFatherSon:
    """How many cartridges each grade has; a grade with none leaves its nights to the grade below."""

    daily: int = 4
    weekly: int = 4
    monthly: int = 12
    yearly: int = 0
    pool_names: tuple[tuple[str, str], ...] = ()
    """Grade and pool, where the pool is not named as the grade is."""
    prefix: str = ""

    @property
    def pools(self) -> tuple[str, ...]:
        """Pools of the grades in use, the longest kept first."""
        return tuple(self._pool(grade) for grade in GRADES if self._count(grade))

    @property
    def names(self) -> tuple[str, ...]:
        """Grade by grade, daily first."""
        return tuple(name for grade in reversed(GRADES) for name in self._set(grade))

    def pool_of(self, name: str) -> str:
        """The pool of one of its cartridges."""
        return next(self._pool(grade) for grade in GRADES if name in self._set(grade))

    def turn(self, night: date, calendar: Calendar) -> Turn | None:
        """The set of the highest grade of which this is the night."""
        if not calendar.is_open(night):
            return None
        following = calendar.next_open(night)
        for grade in GRADES:
            if self._count(grade) and is_last(grade, night, following):
                return Turn(night, self._set(grade), self._pool(grade), _WHY[grade])
        return None

    def _count(self, grade: str) -> int:
        return {"daily": self.daily, "weekly": self.weekly, "monthly": self.monthly, "yearly": self.yearly}[grade]

    def _set(self, grade: str) -> tuple[str, ...]:
        return numbered(self.prefix, grade.upper(), self._count(grade))

    def _pool(self, grade: str) -> str:
        return dict(self.pool_names).get(grade, grade)


def is_last(grade: str, night: date, following: date | None) -> bool:
    """Whether a night is the last of its year, month or week, where `following` is the next open one; daily: always."""
    if grade == "daily" or following is None:
        return True
    if grade == "weekly":
        return following > night + timedelta(days=6 - night.weekday())
    if grade == "monthly":
        return (following.year, following.month) != (night.year, night.month)
    return following.year != night.year
