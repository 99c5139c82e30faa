"""The nights to come for a phone's calendar: iCalendar (RFC 5545), an all-day event for each night."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from icalendar import Calendar, Event

from tapekit import __version__
from tapekit.rotation.forecast import ForecastNight, Foreseen, Use
from tapekit.rotation.words import Words, joined

DAY = timedelta(days=1)
_USES = {
    Use.NEW: Words("new: to be labelled", "neuve : à étiqueter"),
    Use.APPEND: Words("written behind what is there", "écrite à la suite"),
    Use.OVERWRITE: Words("overwritten", "écrasée"),
    Use.BLOCKED: Words("full, and must not be overwritten yet", "pleine, et ne doit pas encore être écrasée"),
}


def ics(site: str, job: str, nights: Iterable[ForecastNight], stamp: datetime, language: str) -> bytes:
    """A calendar file. The UID of a night is the same each time, so that a new file replaces what an old one said.

    `stamp` is the time of the forecast; RFC 5545 wants it.
    """
    calendar = Calendar()
    calendar.add("prodid", f"-//tapekit//tapekit {__version__}//EN")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", f"{site}: {job}")
    for night in nights:
        event = Event()
        event.add("uid", f"{night.night.isoformat()}.{_identifier(job)}.{_identifier(site)}@tapekit")
        event.add("dtstamp", stamp)
        event.add("dtstart", night.night)
        event.add("dtend", night.night + DAY)
        event.add("summary", f"{', '.join(night.choice.names) or '–'} ({job})")
        event.add("description", _description(night).of(language))
        event.add("transp", "TRANSPARENT")
        calendar.add_component(event)
    return bytes(calendar.to_ical())


def use_words(foreseen: Foreseen, night: ForecastNight) -> Words:
    """What a night does with a cartridge, and what that loses."""
    use = _USES[foreseen.use]
    if not foreseen.loss:
        return use
    lost = foreseen.loss.words(night.night)
    return Words(f"{use.en}, losing {lost.en}", f"{use.fr}, ce qui fait perdre {lost.fr}")


def several_words(night: ForecastNight) -> Words:
    """How many cartridges a night takes that goes over several."""
    count, further = night.count, night.further
    said = Words(f"the night takes {count} cartridges", f"la nuit prend {count} cartouches")
    if not further:
        return said
    return Words(
        f"{said.en}; {further} blank or expired beside those", f"{said.fr} ; en plus, vierges ou expirées : {further}"
    )


def _description(night: ForecastNight) -> Words:
    uses = ((each.name, use_words(each, night)) for each in night.cartridges)
    parts = [Words(f"{name}: {use.en}", f"{name} : {use.fr}") for name, use in uses]
    parts += [several_words(night)] if night.is_set else []
    return joined((night.choice.why, *parts), Words("\n", "\n"))


def _identifier(name: str) -> str:
    """A name in a UID: ASCII without spaces, and no two names alike."""
    return "".join(letter if letter.isascii() and letter.isalnum() else f"_{ord(letter):x}_" for letter in name)
