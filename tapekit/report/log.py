"""The report as lines of a log: the line of the night, then each problem and warning in a line of its own.

Under systemd each line begins with its priority (sd-daemon(3)), so that `journalctl --priority=err` finds bad nights.
"""

import os
from collections.abc import Iterator, Mapping
from datetime import tzinfo

from tapekit.report.line import line
from tapekit.report.night import NightReport, Note, Outcome
from tapekit.report.notes import worded
from tapekit.report.words import Words, printable

ERROR, WARNING, INFO = 3, 4, 6
"""Of syslog, RFC 5424 section 6.2.1."""

_PRIORITY = {
    Outcome.CLEAN: INFO,
    Outcome.WARNINGS: WARNING,
    Outcome.SPOOLED: ERROR,
    Outcome.FAILED: ERROR,
}


def is_journal(environment: Mapping[str, str] = os.environ, descriptor: int = 1) -> bool:
    """Whether the program's output goes to the journal (systemd.exec(5), JOURNAL_STREAM).

    The variable is inherited by all that a service starts, a terminal too: only device and inode in it tell.
    """
    try:
        about = os.fstat(descriptor)
    except OSError:
        return False
    return environment.get("JOURNAL_STREAM") == f"{about.st_dev}:{about.st_ino}"


def lines(report: NightReport, language: str, *, with_priority: bool, zone: tzinfo | None = None) -> Iterator[str]:
    """The lines, with no end of line."""
    words = Words(language)

    def with_its(priority: int, text: str) -> str:
        return f"<{priority}>{text}" if with_priority else text

    yield with_its(_PRIORITY[report.outcome], f"{printable(report.job)}: {line(report, language, zone)}")
    for priority, notes in (
        (ERROR, report.problems),
        (WARNING, report.warnings),
        (INFO, report.left_overs),
    ):
        for note in notes:
            yield with_its(priority, note_line(note, words))


def note_line(note: Note, words: Words) -> str:
    """A warning or problem in one line: what, why, and what to do."""
    said = worded(note, words)
    what = f"{said.what} ({said.why})" if said.why else said.what
    return words("log", what=what, to_do=said.to_do) if said.to_do else what
