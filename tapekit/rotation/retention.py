"""How long a night stays protected: computed from the configuration and the cartridge, never stored."""

import dataclasses
import enum
from collections.abc import Iterator, Mapping
from datetime import date

from tapekit.config.values import Duration
from tapekit.model import Cartridge, Copy, Stock
from tapekit.rotation.calendar import Calendar
from tapekit.rotation.turn import Scheme
from tapekit.rotation.words import Words

NEVER = date.max
"""The end of what does not end by itself."""


class Reuse(enum.StrEnum):
    """What is done with a cartridge whose turn it is."""

    APPEND = "append"
    """Behind what is there while there is room; overwritten when it is full, and expired."""
    OVERWRITE = "overwrite"
    """Overwritten each time, when it is expired."""


@dataclasses.dataclass(frozen=True)
class Rotation:
    """How a job's nights go round. Every pool of the scheme has its retention."""

    scheme: Scheme
    calendar: Calendar
    retention: Mapping[str, Duration]
    per_night: int = 1
    reuse: Reuse = Reuse.APPEND

    def why_none(self, night: date) -> Words | None:
        """Why there is no night on that date: closed, or nothing goes in by the scheme; None where there is one."""
        why_closed = self.calendar.why_closed(night)
        if why_closed is None and self.scheme.turn(night, self.calendar) is None:
            return Words("no cartridge for that day", "pas de cartouche pour ce jour")
        return why_closed


@dataclasses.dataclass(frozen=True)
class Policy:
    """What a site's configuration says of all its jobs."""

    site: str
    rotations: Mapping[str, Rotation]
    """By job. What other jobs wrote never expires by itself."""

    def kept_until(self, cartridge: Cartridge, copy: Copy) -> date:
        """The first date on which a copy is not protected any more, or NEVER."""
        rotation = self.rotations.get(copy.job)
        return NEVER if rotation is None else kept_until(rotation, copy.night, cartridge.pool)

    def protected(self, cartridge: Cartridge, today: date, stock: Stock) -> tuple[tuple[Copy, date], ...]:
        """The copies of a cartridge that are protected today, each with the date until which.

        The parts of an archive are protected together, as long as the one that is longest: each is needed for the set.
        """
        ends = ((copy, max(self._ends(cartridge, copy, stock))) for copy in cartridge.copies)
        return tuple((copy, end) for copy, end in ends if today < end)

    def _ends(self, cartridge: Cartridge, copy: Copy, stock: Stock) -> Iterator[date]:
        yield self.kept_until(cartridge, copy)
        if copy.is_part:
            for other, part in stock.copies_of((copy.archive,))[copy.archive]:
                if other.is_in_service:
                    yield self.kept_until(other, part)


def kept_until(rotation: Rotation, night: date, pool: str | None = None) -> date:
    """The first date on which a night on a cartridge of a pool is not protected any more.

    A night is kept as its own pool says, or as the cartridge's pool says, whichever is longer. So a yearly night on the
    wrong cartridge is a yearly night all the same, and a calendar that changes later takes nothing away. Where neither
    is known (a run on a closed day), it is kept as the longest pool of the scheme.
    """
    turn = rotation.scheme.turn(night, rotation.calendar)
    pools = rotation.scheme.pools
    known = [name for name in pools if name == pool or (turn and name == turn.pool)]
    return max(rotation.retention[name].after(night) for name in known or pools)
