"""How long a night stays protected: computed from the configuration and the cartridge, never stored."""

import calendar
import dataclasses
import enum
import re
from collections.abc import Mapping
from datetime import date, timedelta

from tapekit.errors import UsageError
from tapekit.model import Cartridge, Copy
from tapekit.rotation.calendar import Calendar
from tapekit.rotation.turn import Scheme

NEVER = date.max
"""The end of what does not end by itself."""
_PERIOD = re.compile(r"([0-9]{1,4}) *(day|week|month|year)s?")


class Reuse(enum.StrEnum):
    """What is done with a cartridge whose turn it is."""

    APPEND = "append"
    """Behind what is there while there is room; overwritten when it is full, and expired."""
    OVERWRITE = "overwrite"
    """Overwritten each time, when it is expired."""


@dataclasses.dataclass(frozen=True)
class Period:
    """A time in days and calendar months: a week is seven days, a year twelve months."""

    days: int = 0
    months: int = 0

    @classmethod
    def parse(cls, text: str) -> "Period":
        """Of text such as 6 days, 4 weeks, 12 months, 5 years. Raises UsageError."""
        match = _PERIOD.fullmatch(text.strip())
        if not match:
            raise UsageError(
                f"retention: {text!r} is not a time", "write it like 6 days, 4 weeks, 12 months or 5 years"
            )
        count, unit = int(match[1]), match[2]
        if unit in {"day", "week"}:
            return cls(days=count * (7 if unit == "week" else 1))
        return cls(months=count * (12 if unit == "year" else 1))

    def after(self, night: date) -> date:
        """The date that much later: from 31 January a month leads to the last day of February."""
        year, month = divmod(night.year * 12 + night.month - 1 + self.months, 12)
        if year > date.max.year:
            return NEVER
        day = min(night.day, calendar.monthrange(year, month + 1)[1])
        return min(date(year, month + 1, day), NEVER - timedelta(self.days)) + timedelta(self.days)


@dataclasses.dataclass(frozen=True)
class Rotation:
    """How a job's nights go round. Every pool of the scheme has its retention."""

    scheme: Scheme
    calendar: Calendar
    retention: Mapping[str, Period]
    per_night: int = 1
    reuse: Reuse = Reuse.APPEND


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

    def protected(self, cartridge: Cartridge, today: date) -> tuple[tuple[Copy, date], ...]:
        """The copies of a cartridge that are protected today, each with the date until which."""
        ends = ((copy, self.kept_until(cartridge, copy)) for copy in cartridge.copies)
        return tuple((copy, end) for copy, end in ends if today < end)


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
