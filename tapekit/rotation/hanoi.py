"""Tower of Hanoi: set A every second night, B every fourth, C every eighth; few cartridges reach far back."""

import dataclasses
import string
from datetime import date

from tapekit.rotation.calendar import Calendar
from tapekit.rotation.turn import Turn, numbered, ordinal
from tapekit.rotation.words import Words

MOST_SETS = len(string.ascii_uppercase)


@dataclasses.dataclass(frozen=True)
class Hanoi:
    """`count` sets, each of one cartridge (A, B, …) or of `sets` that take turns (A-1, A-2, …)."""

    count: int = 5
    sets: int = 1
    pool: str = "daily"
    prefix: str = ""
    cartridges: tuple[str, ...] = ()
    """Names in place of A, B, …: as many as there are sets."""

    @property
    def pools(self) -> tuple[str, ...]:
        """The one pool."""
        return (self.pool,)

    @property
    def names(self) -> tuple[str, ...]:
        """Set by set."""
        return tuple(name for index in range(self.count) for name in self._set(index))

    def pool_of(self, name: str) -> str:  # noqa: ARG002 - there is one pool
        """The pool of one of its cartridges."""
        return self.pool

    def turn(self, night: date, calendar: Calendar) -> Turn | None:
        """The set that the ruler sequence has for that night."""
        if not calendar.is_open(night):
            return None
        index = ruler(ordinal(night, calendar), self.count)
        every = 2 ** min(index + 1, self.count - 1)
        why = Words(f"its turn every {every} nights", f"son tour toutes les {every} nuits")
        return Turn(night, self._set(index), self.pool, why)

    def _set(self, index: int) -> tuple[str, ...]:
        stem = self.cartridges[index] if self.cartridges else string.ascii_uppercase[index]
        return numbered(self.prefix, stem, self.sets) if self.sets > 1 else (f"{self.prefix}{stem}",)


def ruler(number: int, count: int) -> int:
    """Which of `count` sets has a turn: how often two divides its number (OEIS A007814), cut at the last set."""
    number %= 2 ** (count - 1)
    return (number & -number).bit_length() - 1 if number else count - 1
