"""The report as plain text for mail, and its subject."""

from collections.abc import Sequence
from datetime import tzinfo

from tapekit.report import rows
from tapekit.report.line import line
from tapekit.report.night import NightReport, Note
from tapekit.report.notes import worded
from tapekit.report.words import Words, printable

SUBJECT_LETTERS = 180
"""Mail programs show less; the whole line stands in the text."""


def subject(report: NightReport, language: str, zone: tzinfo | None = None) -> str:
    """The subject of a mail: how it ended first, because lists cut it short."""
    words = Words(language)
    text = words(
        "subject",
        mark=words(f"mark.{report.outcome}"),
        site=printable(report.site),
        job=printable(report.job),
        night=report.night.isoformat(),
        line=line(report, language, zone),
    )
    return shortened(text)


def shortened(text: str) -> str:
    """What mail programs show of a subject."""
    return text if len(text) <= SUBJECT_LETTERS else f"{text[: SUBJECT_LETTERS - 1]}…"


def text(report: NightReport, language: str, zone: tzinfo | None = None) -> str:
    """The whole report: the line, what is wrong and what to do, then the facts."""
    words = Words(language)
    night = words.date(report.night, with_weekday=True)
    parts = [words("title", site=printable(report.site), night=night), "", line(report, language, zone), ""]
    for heading, notes in (
        ("problems", report.problems),
        ("warnings", report.warnings),
        ("left_overs", report.left_overs),
    ):
        parts += notes_lines(words(heading), notes, words)
    facts = rows.facts(report, words, zone)
    parts += [*_columns(facts), ""]
    for table in rows.tables(report, words):
        head = [table.columns] if any(table.columns) else []
        parts += [table.heading, *(f"  {row}" for row in _columns([*head, *table.rows])), ""]
    if report.is_readable_by_anyone:
        parts += [words("anyone"), ""]
    return "\n".join(parts)


def notes_lines(heading: str, notes: Sequence[Note], words: Words) -> list[str]:
    """Notes below their heading, each with why and what to do; nothing where there are none."""
    if not notes:
        return []
    parts = [heading]
    for note in notes:
        said = worded(note, words)
        parts.append(f"  - {said.what}")
        if said.why:
            parts.append(f"    {words('why', text=said.why)}")
        if said.to_do:
            parts.append(f"    {words('to_do', text=said.to_do)}")
    return [*parts, ""]


def _columns(table: Sequence[Sequence[str]]) -> list[str]:
    """Rows with their cells under each other."""
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
