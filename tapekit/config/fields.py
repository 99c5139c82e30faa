"""The kinds of fields that the tables of the configuration have: what they accept, and what a schema says of them."""

import difflib
import re
from collections.abc import Callable, Iterable
from datetime import time
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from tapekit.config.values import Day, Days, Duration, parse_day, parse_days, parse_duration, parse_time

SECRET_WORDS = frozenset(("pass", "password", "passwd", "pwd", "token", "apikey", "api_key", "key", "secret"))
"""Keys in a URL's query whose value is a secret."""


class Table(BaseModel):
    """A table of the file. Nothing in it changes once it is read, and no unknown key is overlooked."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def problem(message: str, hint: str | None = None) -> PydanticCustomError:
    """A problem with a field, worded here; `hint` says what to do."""
    return PydanticCustomError("configuration", "{message}", {"message": message, "hint": hint})


def nearest(word: str, known: Iterable[str]) -> str | None:
    """A hint with the known word that is most like this one."""
    return next((f"did you mean {name}?" for name in difflib.get_close_matches(word, list(known), 1)), None)


def _text(
    parse: Callable[[object], Any], examples: list[str]
) -> tuple[PlainValidator, PlainSerializer, WithJsonSchema]:
    """What a field needs whose value is written as text and parsed."""
    schema: dict[str, Any] = {"type": "string", "examples": examples}
    return PlainValidator(parse), PlainSerializer(_to_text), WithJsonSchema(schema)


def _to_text(value: object) -> str:
    return value.strftime("%H:%M") if isinstance(value, time) else str(value)


def _printable(text: str) -> str:
    if not text.isprintable():
        raise problem("control characters are not allowed")
    return text


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise problem("expected an absolute path, one that begins with /")
    _printable(str(path))
    return path


def _without_secret(url: str) -> str:
    try:
        parts = urlsplit(url)
        secret = parts.password is not None or any(key.lower() in SECRET_WORDS for key, _ in parse_qsl(parts.query))
    except ValueError as error:
        raise problem(f"not a URL: {error}") from error
    if not parts.scheme or not url.partition(":")[2]:
        raise problem("not a URL")
    if secret:
        raise problem("a password has no place in this file", "put it in a file or the environment, and name that here")
    return url


def _each_once(items: tuple[Any, ...]) -> tuple[Any, ...]:
    twice = next((item for item in items if items.count(item) > 1), None)
    if twice is not None:
        raise problem(f"{twice} is named twice")
    return items


def form(pattern: str, words: str) -> tuple[AfterValidator, WithJsonSchema]:
    """What a field needs whose text has a form that `words` describe."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text, re.ASCII):
            raise problem(f"expected {words}, got {text!r}")
        return text

    return AfterValidator(check), WithJsonSchema({"type": "string", "pattern": f"^({pattern})$"})


def refers_to(table: str) -> AfterValidator:
    """The name of something in another table; the names that are there come with the validation's context."""

    def check(name: str, info: ValidationInfo) -> str:
        known = (info.context or {}).get(table)
        if known is not None and name not in known:
            raise no_such(table, name, known)
        return name

    return AfterValidator(check)


def no_such(table: str, name: str, known: Iterable[str]) -> PydanticCustomError:
    """The problem of a name that is not in its table."""
    hint = nearest(name, known) or f"the configuration has: {', '.join(sorted(known)) or 'none'}"
    return problem(f"there is no [{table}] {name}" if table == "drives" else f"there is no [{table}.{name}]", hint)


Text = Annotated[str, StringConstraints(min_length=1, max_length=4096), AfterValidator(_printable)]
Name = Annotated[
    str, *form("[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", "a name of letters, digits and _ . - (64 at most, no accents)")
]
"""Of drives, pools, rotations and jobs: they become parts of file names and of systemd's units."""
CartridgeName = Annotated[
    str, *form("[!-~](?:[ -~]{0,30}[!-~])?", "the name of a cartridge: 1 to 32 printable ASCII characters")
]
AbsolutePath = Annotated[Path, AfterValidator(_absolute)]
Url = Annotated[Text, AfterValidator(_without_secret)]
Period = Annotated[Duration, *_text(parse_duration, ["2 hours", "6 days", "4 weeks", "1 year"])]
TimeOfDay = Annotated[time, *_text(parse_time, ["21:30"])]
Holiday = Annotated[Day, *_text(parse_day, ["2026-12-25", "12-26"])]
Absence = Annotated[Days, *_text(parse_days, ["2026-08-01/2026-08-16"])]
EachOnce = AfterValidator(_each_once)


def short_form(key: str, kind: type[Table]) -> BeforeValidator:
    """A table that may be written as the value of one of its keys."""

    def widen(value: object) -> object:
        return {key: value} if isinstance(value, str) else value

    return BeforeValidator(widen, json_schema_input_type=str | kind)
