"""Reads tapekit.toml whole: every problem at once, each with its line and its field."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from tapekit.config.file import find, parse
from tapekit.config.lines import line_of, lines
from tapekit.config.places import KEYS_FOLDER
from tapekit.config.schema import Configuration, Keys
from tapekit.config.words import reason
from tapekit.errors import UsageError

REFERRED = ("drives", "pools", "rotations")
"""Tables whose names others refer to."""


@dataclasses.dataclass(frozen=True)
class Problem:
    """What is wrong with one field."""

    file: str
    line: int | None
    field: str
    why: str
    hint: str | None = None

    def __str__(self) -> str:
        line = f"line {self.line}: " if self.line else ""
        return f"configuration: {self.file}: {line}{self.field}: {self.why}"


class BadConfiguration(UsageError):
    """The file does not say what it should; the message has one line for each problem."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        """Word all of them; each hint stands below its problem, the last one is the error's own."""
        self.problems = problems
        *others, last = problems
        told = [f"{other}\n  hint: {other.hint}" if other.hint else str(other) for other in others]
        super().__init__("\n".join([*told, str(last)]), last.hint)


def load(chosen: str | None) -> Configuration:
    """The configuration, with the folder of keys beside its file unless it names another.

    Raises UsageError where there is no file or it cannot be read, BadConfiguration.
    """
    path = find(chosen)
    if path is None:
        raise UsageError("configuration: there is none", "tapekit init writes one")
    text, content = parse(path)
    if not content:
        raise UsageError(f"configuration: {path}: empty", "tapekit init --force writes a new one")
    found = check(str(path), text, content)
    if found.keys.directory is not None:
        return found
    beside = Keys(directory=path.parent.absolute() / KEYS_FOLDER, proven_within=found.keys.proven_within)
    return found.model_copy(update={"keys": beside})


def check(file: str, text: str, content: dict[str, Any]) -> Configuration:
    """The configuration that a parsed file holds. Raises BadConfiguration."""
    names = {table: frozenset(content[table]) for table in REFERRED if isinstance(content.get(table), dict)}
    context = {table: names.get(table, frozenset()) for table in REFERRED}
    try:
        return Configuration.model_validate(content, context=context)
    except ValidationError as error:
        details = error.errors(include_url=False)
        found = lines(text)
        problems = {_problem(file, detail, found, content) for detail in details}
        raise BadConfiguration(tuple(sorted(problems, key=lambda it: (it.line or 0, it.field, it.why)))) from error


def _problem(
    file: str, detail: ErrorDetails, found: dict[tuple[str | int, ...], int], content: dict[str, Any]
) -> Problem:
    path = tuple(_real(detail["loc"], content))
    why, hint = reason(detail, path)
    return Problem(file, line_of(found, path), _field(path), why, hint)


def _real(location: tuple[str | int, ...], content: Any) -> Iterator[str | int]:  # noqa: ANN401 - any TOML
    """The parts of a location that are in the file, without pydantic's own; the last one may be missing there."""
    here = content
    for number, part in enumerate(location):
        is_there = part in here if isinstance(here, dict) else isinstance(here, list) and isinstance(part, int)
        if is_there:
            here = here[part]
        elif part == "[key]" or number < len(location) - 1 or _is_tag(part, here):
            continue
        yield part


def _is_tag(part: str | int, here: Any) -> bool:  # noqa: ANN401
    return isinstance(here, dict) and part in (here.get("scheme"), here.get("kind"))


def _field(path: tuple[str | int, ...]) -> str:
    """As a person reads it: jobs.nightly.before[0].timeout, with each item counted from 1."""
    text = ""
    for part in path:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{_quoted(part)}"
    return text.lstrip(".") or "the file"


def _quoted(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() else repr(key)
