"""Which days have a night: closed weekdays, holidays, days of every year, absences."""

import dataclasses
from collections.abc import Iterator
from datetime import date, timedelta

from tapekit.rotation.words import Span, Words, date_words, weekday_words

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""As the configuration writes them, in the order of `date.weekday()`."""
DAY = timedelta(days=1)
FAR = 3 * 366
"""Days to look ahead or back for an open night: no site is closed longer and still has nights."""


@dataclasses.dataclass(frozen=True)
class Calendar:
    """A site's days without a night; everything else is open."""

    closed: frozenset[int] = frozenset()
    """Weekdays, Monday is 0."""
    holidays: frozenset[date] = frozenset()
    """Single dates, public holidays among them (`tapekit.rotation.public`)."""
    yearly: frozenset[tuple[int, int]] = frozenset()
    """Month and day of every year."""
    absences: tuple[Span, ...] = ()

    def is_open(self, night: date) -> bool:
        """Whether there is a night on that date."""
        return self.why_closed(night) is None

    def why_closed(self, night: date) -> Words | None:
        """Why there is no night on that date; None where there is one."""
        if night.weekday() in self.closed:
            day = weekday_words(night)
            return Words(f"closed on {day.en}", f"fermé le {day.fr}")
        if night in self.holidays or (night.month, night.day) in self.yearly:
            return Words("holiday", "jour férié")
        for first, last in self.absences:
            if first <= night <= last:
                end = date_words(last, night)
                return Words(f"absence until {end.en}", f"absence jusqu’au {end.fr}")
        return None

    def open_nights(self, first: date, last: date) -> Iterator[date]:
        """The open nights from the first to the last date, both included."""
        days = (first + number * DAY for number in range((last - first).days + 1))
        return (day for day in days if self.is_open(day))

    def next_open(self, night: date) -> date | None:
        """The first open night after a date; None where there is none within three years."""
        return next(self.open_nights(night + DAY, night + FAR * DAY), None)

    def previous_open(self, night: date) -> date | None:
        """The last open night before a date; None where there is none within three years."""
        days = (night - number * DAY for number in range(1, FAR + 1))
        return next((day for day in days if self.is_open(day)), None)

    @property
    def weekdays(self) -> tuple[int, ...]:
        """The weekdays that have nights, whatever holidays there are."""
        return tuple(day for day in range(7) if day not in self.closed)
