"""The evening check as a value, and in words: what is wrong before the night, and what to do before leaving."""

import dataclasses
from datetime import date

from tapekit.report.night import Note, Outcome
from tapekit.report.notes import worded
from tapekit.report.notify import Message
from tapekit.report.text import notes_lines, shortened
from tapekit.report.words import Words, printable
from tapekit.rotation.decide import Action
from tapekit.rotation.words import Words as Said


@dataclasses.dataclass(frozen=True)
class Planned:
    """What the night will do."""

    action: Action
    cartridge: str
    is_wanted: bool
    """Nobody need do anything."""
    loss: Said | None = None
    """What ceases to exist by it."""


@dataclasses.dataclass(frozen=True)
class Check:
    """What was found."""

    site: str
    job: str
    night: date
    exit_code: int = 0
    why_closed: Said | None = None
    """Why there is no night."""
    due: tuple[str, ...] = ()
    needed_bytes: int = 0
    ways: tuple[Planned, ...] = ()
    waiting: int = 0
    """Nights in the spool; they go onto the cartridge that is due, behind the night."""
    notes: tuple[Note, ...] = ()
    """What is wrong, what a person can mend before leaving first."""

    @property
    def is_right(self) -> bool:
        """Whether nobody need hear of it."""
        return not self.notes


def line(check: Check, language: str) -> str:
    """One line for a person: "MON-1 is in, TUE-1 is due: put TUE-1 in before you leave."."""
    words = Words(language)
    night = words.date(check.night, with_weekday=True)
    if check.why_closed is not None:
        return words("check.closed", night=night, why=check.why_closed.of(language))
    if not check.notes:
        names = words.listed([printable(way.cartridge) for way in check.ways])
        ready = words("check.ready", night=night, cartridges=names)
        return words("check.waiting", ready=ready, count=str(check.waiting)) if check.waiting else ready
    first = worded(check.notes[0], words)
    what = first.what if first.what.startswith(tuple(check.notes[0].values.values())) else _capital(first.what)
    told = words("check.first", what=what, to_do=first.to_do) if first.to_do else f"{what}."
    return words("check.more", first=told, count=str(len(check.notes) - 1)) if len(check.notes) > 1 else told


def message(check: Check, language: str, outcome: Outcome) -> Message:
    """What is sent: the line, and what is wrong with all that can be said of it."""
    words = Words(language)
    said, night = line(check, language), words.date(check.night, with_weekday=True)
    subject = words(
        "subject", mark=words("mark.check"), site=printable(check.site), job=printable(check.job),
        night=check.night.isoformat(), line=said,
    )  # fmt: skip
    title = words("check.title", site=printable(check.site), night=night)
    body = [title, "", said, "", *notes_lines(words("problems"), check.notes, words)]
    return Message(shortened(subject), "\n".join(body), outcome)


def _capital(text: str) -> str:
    """As a sentence begins; a name keeps its letters."""
    return text[:1].upper() + text[1:]
