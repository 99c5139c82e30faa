"""Reports as JSON: for the catalog's runs, for `--json`, and for the spool of reports that are not sent yet."""

import dataclasses
import json
from datetime import date
from typing import Any

from pydantic import TypeAdapter, ValidationError

from tapekit.errors import TapekitError
from tapekit.report.night import NightReport

_REPORT = TypeAdapter(NightReport)


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
