"""Reports as JSON: for the catalog's runs, for `--json`, and for the spool of reports that are not sent yet."""

import contextlib
import dataclasses
import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from tapekit.errors import TapekitError
from tapekit.report.night import NightReport

_REPORT = TypeAdapter(NightReport)
REPORT_NAME = re.compile(r"(\d{4}-\d\d-\d\d)T\d{6}Z-[a-z0-9_-]*\.(?:json|html)")
"""The files of a report in a directory of reports; group 1 is the date on which its run began."""


class BadReport(TapekitError):
    """What was stored is no report."""


def to_json(report: NightReport) -> str:
    """A report in one line of ASCII. Names that are no valid text (file names are bytes) come back as they were."""
    return json.dumps(dataclasses.asdict(report), default=_plain, sort_keys=True)


def from_json(text: str) -> NightReport:
    """A report that was stored. One of an older version lacks fields, one of a newer version has more: both are read.

    Raises BadReport.
    """
    try:
        return from_value(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise BadReport(f"report: not readable: {_reason(error)}") from error


def value_of(report: NightReport) -> dict[str, Any]:
    """A report as the catalog keeps it."""
    value: dict[str, Any] = json.loads(to_json(report))
    return value


def from_value(value: object) -> NightReport:
    """A report that the catalog kept. Raises BadReport."""
    try:
        return _REPORT.validate_python(value)
    except ValidationError as error:
        raise BadReport(f"report: not readable: {_reason(error)}") from error


def reports_in(directory: Path) -> Iterator[NightReport]:
    """The reports that lie in a directory, the latest first; one that cannot be read is left out, and left alone."""
    with contextlib.suppress(OSError):
        for path in sorted(directory.glob("*.json"), reverse=True):
            if REPORT_NAME.fullmatch(path.name):
                with contextlib.suppress(OSError, UnicodeDecodeError, BadReport):
                    yield from_json(path.read_text("utf-8"))


def _plain(value: object) -> str:
    """Dates and times; a datetime is a date."""
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(type(value).__name__)


def _reason(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    first: Any = error.errors(include_url=False, include_input=False, include_context=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
