"""Round robin: all cartridges one after the other."""

import dataclasses
from datetime import date

from tapekit.rotation.calendar import Calendar
from tapekit.rotation.turn import Turn
from tapekit.rotation.words import Words


@dataclasses.dataclass(frozen=True)
class RoundRobin:
    """`count` cartridges R-01, R-02, …, or those that are named."""

    count: int = 10
    pool: str = "daily"
    prefix: str = ""
    cartridges: tuple[str, ...] = ()

    @property
    def pools(self) -> tuple[str, ...]:
        """The one pool."""
        return (self.pool,)

    @property
    def names(self) -> tuple[str, ...]:
        """In their order."""
        own = self.cartridges or tuple(f"R-{number:02}" for number in range(1, self.count + 1))
        return tuple(self.prefix + name for name in own)

    def pool_of(self, name: str) -> str:  # noqa: ARG002 - there is one pool
        """The pool of one of its cartridges."""
        return self.pool

    def turn(self, night: date, calendar: Calendar) -> Turn | None:
        """Any of them: the one that was not written for longest goes in."""
        if not calendar.is_open(night):
            return None
        return Turn(night, self.names, self.pool, Words("one after the other", "l’une après l’autre"))
