"""The report as an HTML page that opens offline: no scripts, nothing from elsewhere, every text escaped.

A directory of reports holds a page per run, the report itself as JSON beside it, and an index.
"""

import contextlib
import dataclasses
import re
from collections.abc import Iterable
from datetime import date, timedelta, tzinfo
from pathlib import Path

import jinja2

from tapekit import __version__
from tapekit.report import charts, rows, stored
from tapekit.report.atomic import write_atomically
from tapekit.report.line import line
from tapekit.report.night import History, NightReport, Note
from tapekit.report.notes import Worded, worded
from tapekit.report.words import Words, printable

PAGE_MODE = 0o640
"""Names of files and sizes are the site's own; its group may read them, others not."""

_PAGES = jinja2.Environment(
    loader=jinja2.PackageLoader("tapekit.report"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_REPORT_NAME = re.compile(r"(\d{4}-\d\d-\d\d)T\d{6}Z-[a-z0-9_-]*\.(?:json|html)")


@dataclasses.dataclass(frozen=True)
class _Entry:
    file: str
    night: str
    outcome: str
    mark: str
    line: str


def page(report: NightReport, history: History, language: str, zone: tzinfo | None = None) -> str:
    """The page of one night; the history is what its pictures show."""
    words = Words(language)
    return _PAGES.get_template("night.html.jinja").render(
        words=words,
        language=words.language,
        title=words("title", site=printable(report.site), night=words.date(report.night, with_weekday=True)),
        outcome=report.outcome,
        line=line(report, language, zone),
        problems=_worded(report.problems, words),
        warnings=_worded(report.warnings, words),
        left_overs=_worded(report.left_overs, words),
        facts=rows.facts(report, words, zone),
        tables=rows.tables(report, words),
        calendar=charts.calendar(history, words),
        sizes=charts.size_plots(history, words),
        throughput=charts.throughput_plot(history, words),
        bars=charts.cartridge_bars(history.cartridges, words),
        is_readable_by_anyone=report.is_readable_by_anyone,
        written_by=words("written_by", version=__version__),
    )


def index(reports: Iterable[NightReport], language: str, zone: tzinfo | None = None) -> str:
    """The page that lists reports, the latest first."""
    words = Words(language)
    latest_first = sorted(reports, key=lambda report: report.begun, reverse=True)
    entries = [
        _Entry(
            f"{file_stem(report)}.html",
            words.date(report.night),
            report.outcome,
            words(f"mark.{report.outcome}"),
            line(report, language, zone),
        )
        for report in latest_first
    ]
    site = printable(latest_first[0].site) if latest_first else ""
    return _PAGES.get_template("index.html.jinja").render(
        words=words,
        language=words.language,
        title=words("index", site=site),
        entries=entries,
        written_by=words("written_by", version=__version__),
    )


def file_stem(report: NightReport) -> str:
    """The name of a report's files: when its run began, and its job as far as a file name may hold it."""
    job = re.sub(r"[^a-z0-9_-]+", "-", report.job.lower())[:40]
    return f"{report.begun:%Y-%m-%dT%H%M%SZ}-{job}"


def write(
    directory: Path,
    report: NightReport,
    history: History,
    language: str,
    keep: timedelta | None = None,
    zone: tzinfo | None = None,
) -> Path:
    """Write a report's page, and the index; remove pages older than `keep` before its night. Raises OSError.

    Only files that have the names of reports are ever removed.
    """
    path = directory / f"{file_stem(report)}.html"
    write_atomically(path, page(report, history, language, zone), PAGE_MODE)
    write_atomically(path.with_suffix(".json"), f"{stored.to_json(report)}\n", PAGE_MODE)
    if keep is not None:
        _remove_older(directory, report.night - keep)
    write_atomically(directory / "index.html", index(_stored(directory), language, zone), PAGE_MODE)
    return path


def _worded(notes: Iterable[Note], words: Words) -> list[Worded]:
    return [worded(note, words) for note in notes]


def _stored(directory: Path) -> list[NightReport]:
    """The reports that lie there; one that cannot be read is left out of the index, and left alone."""
    found = []
    for path in directory.glob("*.json"):
        if _REPORT_NAME.fullmatch(path.name):
            with contextlib.suppress(OSError, UnicodeDecodeError, stored.BadReport):
                found.append(stored.from_json(path.read_text("utf-8")))
    return found


def _remove_older(directory: Path, oldest: date) -> None:
    for path in directory.iterdir():
        match = _REPORT_NAME.fullmatch(path.name)
        if match and match[1] < oldest.isoformat():
            path.unlink(missing_ok=True)
