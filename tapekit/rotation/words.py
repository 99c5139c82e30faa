"""What rotation says to people, in the languages of reports."""

import dataclasses
from collections.abc import Iterable
from datetime import date
from typing import Literal

Language = Literal["en", "fr"]
Span = tuple[date, date]
"""First and last night, both included."""

MONTHS: dict[str, tuple[str, ...]] = {
    "en": ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
           "December"),
    "fr": ("janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre",
           "décembre"),
}  # fmt: skip
WEEKDAYS: dict[str, tuple[str, ...]] = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "fr": ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"),
}


NO_BREAK = "\N{NO-BREAK SPACE}"
_UNBROKEN = {f" {mark}": f"{NO_BREAK}{mark}" for mark in ":;?!»"} | {"« ": f"«{NO_BREAK}"}


def unbroken(text: str) -> str:
    """French text whose punctuation never begins a line."""
    for plain, kept in _UNBROKEN.items():
        text = text.replace(plain, kept)
    return text


@dataclasses.dataclass(frozen=True)
class Words:
    """The same in English and French; as a plain text, English."""

    en: str
    fr: str

    def __str__(self) -> str:
        return self.en

    def of(self, language: str) -> str:
        """In one language, en or fr."""
        return unbroken(self.fr) if language == "fr" else self.en


def joined(parts: Iterable[Words], between: Words = Words("; ", " ; ")) -> Words:
    """Several, one behind the other."""
    several = tuple(parts)
    return Words(between.en.join(part.en for part in several), between.fr.join(part.fr for part in several))


def weekday_words(night: date) -> Words:
    """The day of the week."""
    return Words(WEEKDAYS["en"][night.weekday()], WEEKDAYS["fr"][night.weekday()])


def date_words(night: date, today: date) -> Words:
    """A date; the year only where it is not today's."""
    return Words(_date(night, today, "en"), _date(night, today, "fr"))


def spans_words(spans: Iterable[Span], today: date) -> Words:
    """Spans of nights, as they stand behind "copy of" and « copie »: 3 to 9 March and 12 March, du 3 au 9 mars."""
    several = tuple(spans)
    english = [_english(first, last, today) for first, last in several]
    french = [_french(first, last, today) for first, last in several]
    return Words(_listed(english, "and"), _listed(french, "et"))


def _listed(parts: list[str], last: str) -> str:
    return f" {last} ".join(part for part in (", ".join(parts[:-1]), *parts[-1:]) if part)


def _english(first: date, last: date, today: date) -> str:
    if first == last:
        return _date(first, today, "en")
    return f"{_beginning(first, last, 'en')} to {_date(last, today, 'en')}"


def _french(first: date, last: date, today: date) -> str:
    if first == last:
        return f"du {_date(first, today, 'fr')}"
    return f"du {_beginning(first, last, 'fr')} au {_date(last, today, 'fr')}"


def _beginning(first: date, last: date, language: Language) -> str:
    """The first date of a span, without what it shares with the last one."""
    if first.year != last.year:
        return f"{_day(first, language)} {MONTHS[language][first.month - 1]} {first.year}"
    if first.month != last.month:
        return _date(first, first, language)
    return _day(first, language)


def _date(night: date, today: date, language: Language) -> str:
    year = "" if night.year == today.year else f" {night.year}"
    return f"{_day(night, language)} {MONTHS[language][night.month - 1]}{year}"


def _day(night: date, language: Language) -> str:
    return "1er" if language == "fr" and night.day == 1 else str(night.day)
