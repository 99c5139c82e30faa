"""Reads a loader's profile, a TOML file that its user wrote."""

import tomllib
from pathlib import Path

from pydantic import ValidationError

from drivers.loader import Profile
from tapekit.config.lines import line_of, lines
from tapekit.config.words import reason
from tapekit.errors import UsageError

_UNKNOWN_KEY = "extra_forbidden"


def load_profile(path: Path) -> Profile:
    """The profile in a file. Raises UsageError, with the line and the field of what is wrong."""
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise UsageError(f"loader: {path}: {(error.strerror or '').lower()}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"loader: {path}: not text in UTF-8") from error
    try:
        return Profile.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"loader: {path}: not TOML: {error}") from error
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        field = detail["loc"]
        why, hint = ("not a key", None) if detail["type"] == _UNKNOWN_KEY else reason(detail, field)
        line = line_of(lines(text), field)
        where = f"line {line}: " if line else ""
        raise UsageError(f"loader: {path}: {where}{'.'.join(map(str, field))}: {why}", hint) from error
