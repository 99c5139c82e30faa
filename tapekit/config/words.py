"""What is wrong with a field, in words for a person: pydantic's own speak to programmers."""

from collections.abc import Callable
from typing import Any

from pydantic_core import ErrorDetails

from tapekit.config.fields import nearest
from tapekit.config.known import known_keys

Path = tuple[str | int, ...]

SECRETS: tuple[Path, ...] = (("notifications",), ("site", "catalog"))
"""Where a wrong value is not repeated in the message: it may hold a password."""
SHOWN = 60
"""Characters of a wrong value that are repeated."""

_EXPECTED = {
    "string_type": "expected text in quotes",
    "int_type": "expected a whole number",
    "bool_type": "expected true or false",
    "tuple_type": "expected a list in [ ]",
    "dict_type": "expected a table",
    "model_type": "expected a table",
    "model_attributes_type": "expected a table",
    "path_type": "expected a path in quotes",
    "string_too_short": "expected some text",
}


def reason(detail: ErrorDetails, path: Path) -> tuple[str, str | None]:
    """Why the value at a path is wrong, and a hint where there is one."""
    wording = _WORDINGS.get(detail["type"])
    if wording:
        return wording(detail, path)
    message = _EXPECTED.get(detail["type"]) or detail["msg"][0].lower() + detail["msg"][1:]
    return message + _got(detail, path), None


def _missing(detail: ErrorDetails, path: Path) -> tuple[str, str | None]:  # noqa: ARG001 - the wordings' shape
    return "missing", None


def _no_key(detail: ErrorDetails, path: Path) -> tuple[str, str | None]:
    keys = sorted(known_keys(detail["loc"]))
    return "not a key", nearest(str(path[-1]), keys) or f"keys here: {', '.join(keys)}"


def _own(detail: ErrorDetails, path: Path) -> tuple[str, str | None]:  # noqa: ARG001
    context = _context(detail)
    return str(context["message"]), context["hint"]


def _value(detail: ErrorDetails, path: Path) -> tuple[str, str | None]:
    return f"{_context(detail)['error']}{_got(detail, path)}", None


def _one_of(detail: ErrorDetails, path: Path) -> tuple[str, str | None]:
    words = str(_context(detail)["expected"]).replace(" or ", ", ").replace("'", "")
    return f"expected one of {words}{_got(detail, path)}", nearest(str(detail["input"]), words.split(", "))


def _kind(detail: ErrorDetails, path: Path) -> tuple[str, str | None]:  # noqa: ARG001
    context = _context(detail)
    key, words = str(context["discriminator"]).strip("'"), str(context["expected_tags"]).replace("'", "")
    return f"{key}: expected one of {words}, got {context['tag']!r}", nearest(str(context["tag"]), words.split(", "))


def _no_kind(detail: ErrorDetails, path: Path) -> tuple[str, str | None]:  # noqa: ARG001
    return f"{str(_context(detail)['discriminator']).strip(chr(39))}: missing", None


def _too_short(detail: ErrorDetails, path: Path) -> tuple[str, str | None]:  # noqa: ARG001
    return f"expected at least {_context(detail)['min_length']} of them", None


def _too_long(detail: ErrorDetails, path: Path) -> tuple[str, str | None]:  # noqa: ARG001
    return f"expected at most {_context(detail)['max_length']} of them", None


_WORDINGS: dict[str, Callable[[ErrorDetails, Path], tuple[str, str | None]]] = {
    "missing": _missing,
    "extra_forbidden": _no_key,
    "configuration": _own,
    "value_error": _value,
    "literal_error": _one_of,
    "union_tag_invalid": _kind,
    "union_tag_not_found": _no_kind,
    "too_short": _too_short,
    "too_long": _too_long,
}
"""By pydantic's type of error."""


def _context(detail: ErrorDetails) -> dict[str, Any]:
    return detail.get("ctx", {})


def _got(detail: ErrorDetails, path: Path) -> str:
    value = detail["input"]
    if any(path[: len(secret)] == secret for secret in SECRETS) or not isinstance(value, str | int | float):
        return ""
    text = repr(value) if isinstance(value, str) else str(value).lower()
    return f", got {text}" if len(text) <= SHOWN else ""
