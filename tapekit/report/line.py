"""The night in one line: what is proven, and which cartridge comes next. Never more than the evidence."""

from datetime import date, tzinfo

from tapekit.model import Rung
from tapekit.report.night import NightReport, Outcome
from tapekit.report.notes import what
from tapekit.report.words import Words, printable

_CLAIMS = (
    (Rung.READ_BACK, "saved.read back"),
    (Rung.COMPARED, "saved.compared"),
    (Rung.SAMPLE_RESTORED, "saved.sample"),
    (Rung.OTHER_DRIVE, "saved.other"),
)

_REST = {"rest-spooled": "line.rest", "parts-spooled": "line.parts"}


def line(report: NightReport, language: str, zone: tzinfo | None = None) -> str:
    """One line for a person: "Saved, read back, compared. Put WED-1 in tomorrow.".

    `tomorrow` counts from the day on which the run ended, in `zone` (the machine's own where it is None).
    """
    words = Words(language)
    rest = _rest(report, words)
    if rest:
        return rest
    put = next_cartridge(report, words, report.ended.astimezone(zone).date())
    return f"{_result(report, words)} {put}".strip()


def next_cartridge(report: NightReport, words: Words, today: date) -> str:
    """Which cartridge to put in, or where a changer fetches it, and when; empty where nothing is known."""
    if not report.next_cartridges or report.next_night is None:
        return ""
    days = (report.next_night - today).days
    if days in (0, 1):
        when = words(("today", "tomorrow")[days])
    else:
        with_year = report.next_night.year != today.year
        when = words("on", date=words.date(report.next_night, with_year=with_year, with_weekday=True))
    by_hand = [printable(name) for name in report.next_cartridges if name not in report.next_slots]
    put = [words("line.put", cartridges=words.listed(by_hand), when=when)] if by_hand else []
    fetched = [
        words("line.fetched", cartridge=printable(name), slot=str(report.next_slots[name]), when=when)
        for name in report.next_cartridges
        if name in report.next_slots
    ]
    return " ".join([*put, *fetched])


def _result(report: NightReport, words: Words) -> str:
    first = _first(report, words)
    key = f"line.{report.outcome}"
    if report.outcome is not Outcome.CLEAN and not first:
        key = f"{key}.bare"
    return words(key, claims=_claims(report, words), first=first)


def _rest(report: NightReport, words: Words) -> str:
    """What is to be done for the rest of a night, which is no other than the night's own; empty where nothing waits."""
    for note in report.warnings:
        if note.kind in _REST:
            due = printable(note.values.get("due", "?"))
            names = words.listed([printable(cartridge.name) for cartridge in report.cartridges])
            return words(_REST[note.kind], cartridges=names, due=due)
    return ""


def _claims(report: NightReport, words: Words) -> str:
    """What is proven on every cartridge of the night."""
    proven = [words(key) for rung, key in _CLAIMS if rung in report.rungs]
    if Rung.READ_BACK not in report.rungs:
        proven.insert(0, words("saved.unproven"))
    return ", ".join([words("saved"), *proven])


def _first(report: NightReport, words: Words) -> str:
    """The first thing that a person should know, and how many more there are; not what the line says itself."""
    notes = [note for note in (*report.problems, *report.warnings) if note.kind != "spooled"]
    if not notes:
        return ""
    first = what(notes[0], words)
    return words("line.more", first=first, count=str(len(notes) - 1)) if len(notes) > 1 else first
