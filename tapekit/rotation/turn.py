"""A turn: what a rotation scheme wants on a night; and what a scheme is."""

import dataclasses
from datetime import date
from typing import Protocol

from tapekit.rotation.calendar import Calendar
from tapekit.rotation.words import Words


@dataclasses.dataclass(frozen=True)
class Turn:
    """The cartridges of which one (or several) goes in on a night; their history decides which (`choose`)."""

    night: date
    names: tuple[str, ...]
    """In the order in which they are first used."""
    pool: str
    why: Words


class Scheme(Protocol):
    """A rotation scheme: a frozen dataclass whose turns follow from the calendar alone."""

    @property
    def pools(self) -> tuple[str, ...]:
        """Every pool that its turns name."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """Every cartridge that it uses, in the order of labels."""
        ...

    def pool_of(self, name: str) -> str:
        """The pool of one of its cartridges."""
        ...

    def turn(self, night: date, calendar: Calendar) -> Turn | None:
        """What goes in on a night; None where the scheme has none."""
        ...


def numbered(prefix: str, stem: str, count: int) -> tuple[str, ...]:
    """Names of a set: MON-1, MON-2. A set of one has a number too, so that it can grow."""
    return tuple(f"{prefix}{stem}-{number}" for number in range(1, count + 1))


def ordinal(night: date, calendar: Calendar) -> int:
    """The number of a night among all nights of weekdays that are not closed, since Monday 1 January of the year 1.

    Holidays and absences count: their turn is left out, and nothing behind them moves.
    """
    weekdays = calendar.weekdays
    week, weekday = divmod(night.toordinal() - 1, 7)
    return week * len(weekdays) + sum(day < weekday for day in weekdays)
