"""Documents: canonical JSON to and from frozen dataclasses (SPEC.md section 3.4)."""

import dataclasses
import functools
import json
import re
import types
import typing
from collections.abc import Iterable
from typing import Any, TypeVar

from formats.errors import Damaged, NewerFormat, TooLarge

LARGEST_DOCUMENT_BYTES = 4 << 20
MOST_PARTS = 1 << 17
"""Lists, objects and commas: they bound how many values there are, each of which takes far more memory than text."""
MOST_LEVELS = 64
"""Lists and objects within each other: how many a decoder takes before it gives up differs from one to the next."""
MOST_BLOCKS = 2048
"""Blocks of one document: twice what the largest takes in blocks of 4,096 bytes."""
T = TypeVar("T")

_ID = re.compile(r"[0-9a-f]{32}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", re.ASCII)


def canonical(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """Canonical JSON: sorted keys, no white space, UTF-8."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "backslashreplace")


def build(document: object) -> bytes:
    """The bytes of a document dataclass. Raises TooLarge over a limit."""
    data = canonical(dataclasses.asdict(document))  # type: ignore[call-overload]
    if problem := excess(data):
        raise TooLarge(f"document: {problem}")
    return data


def excess(data: bytes, limit_bytes: int = LARGEST_DOCUMENT_BYTES) -> str:
    """Which limit a document is over, in words; an empty string where it is over none."""
    limit_bytes = min(limit_bytes, LARGEST_DOCUMENT_BYTES)
    if len(data) > limit_bytes:
        return f"{len(data)} bytes, limit {limit_bytes}"
    parts = sum(map(data.count, (b"[", b"{", b",")))
    return f"{parts} lists, objects and commas, limit {MOST_PARTS}" if parts > MOST_PARTS else ""


def parse(name: str, document_type: type[T], data: "bytes | memoryview", newest_format: int | None = None) -> T:
    """The document in `data`; `name` is what errors call it.

    Unknown keys are ignored. Raises Damaged for anything that is not JSON, a duplicate or missing key, or a wrong type;
    NewerFormat where the key `format` is over `newest_format`, whatever else such a document holds.
    """
    value = _load(name, data)
    if newest_format is not None:
        _check_format(name, value, newest_format)
    converted: T = _convert(name, document_type, value)
    return converted


def without(name: str, data: "bytes | memoryview", key: str) -> bytes:
    """Canonical JSON of the document in `data` less one key: what a commitment or a signature in it covers.

    It is made from the document, not from a dataclass: keys that this program does not know are covered too. Raises
    Damaged.
    """
    value = _load(name, data)
    _check_type(name, value, dict)
    value.pop(key, None)
    return canonical(value)


def _load(name: str, data: "bytes | memoryview") -> Any:  # noqa: ANN401 - any JSON value
    """The JSON value in `data`; over a limit nothing is decoded. Raises Damaged."""
    if len(data) > LARGEST_DOCUMENT_BYTES:
        raise Damaged(f"{name}: {len(data)} bytes, limit {LARGEST_DOCUMENT_BYTES}")
    text = bytes(data)
    if problem := excess(text):
        raise Damaged(f"{name}: {problem}")
    try:
        value = json.loads(
            text.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_no_float
        )
    except (ValueError, RecursionError) as error:
        raise Damaged(f"{name}: not a document: {error}") from error
    if isinstance(value, dict | list) and _is_deep(value):
        raise Damaged(f"{name}: more than {MOST_LEVELS} lists and objects within each other")
    return value


def _is_deep(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    """Whether lists and objects stand in each other more than MOST_LEVELS deep."""
    level = [value]
    for _ in range(MOST_LEVELS):
        below = (x for each in level for x in (each.values() if isinstance(each, dict) else each))
        level = [x for x in below if isinstance(x, dict | list)]
        if not level:
            return False
    return True


def check_id(name: str, value: str) -> None:
    """Raises Damaged unless `value` is 32 lower-case hexadecimal characters."""
    if not _ID.fullmatch(value):
        raise Damaged(f"{name}: not an id: {value[:80]!r}")


def check_digest(name: str, value: str) -> None:
    """Raises Damaged unless `value` is 64 lower-case hexadecimal characters."""
    if not _DIGEST.fullmatch(value):
        raise Damaged(f"{name}: not a digest: {value[:80]!r}")


def check_time(name: str, value: str) -> None:
    """Raises Damaged unless `value` has the form `2026-11-23T21:30:00Z`."""
    if not _TIME.fullmatch(value):
        raise Damaged(f"{name}: not a time: {value[:80]!r}")


def check_count(name: str, *values: int) -> None:
    """Raises Damaged where a number that counts or measures is negative or over 2⁶⁴."""
    for value in values:
        if not 0 <= value < 1 << 64:
            raise Damaged(f"{name}: number out of range: {str(value)[:40]}")


def _check_format(name: str, value: Any, newest: int) -> None:  # noqa: ANN401 - any JSON value
    version = value.get("format") if isinstance(value, dict) else None
    if not isinstance(version, int) or isinstance(version, bool):
        return  # the conversion says what is wrong with it
    if version > newest:
        raise NewerFormat(f"{name}: format version {str(version)[:20]}, this program reads up to {newest}")
    if version < 1:
        raise Damaged(f"{name}: format version {str(version)[:20]}")


def _unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"key {key[:80]!r} twice")
        result[key] = value
    return result


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is not allowed")


def _no_float(text: str) -> None:
    raise ValueError(f"number {text[:40]} is not an integer")


def _convert(name: str, wanted: Any, value: Any) -> Any:  # noqa: ANN401 - follows a type annotation
    """`value` as the annotated type `wanted`; tuples and dataclasses are built from lists and objects."""
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in arguments:
            return None
        return _convert(name, next(a for a in arguments if a is not type(None)), value)
    if origin is tuple:
        _check_type(name, value, list)
        return tuple(_convert(f"{name}[{i}]", arguments[0], v) for i, v in enumerate(value))
    if dataclasses.is_dataclass(wanted):
        return _convert_object(name, wanted, value)
    _check_type(name, value, wanted)
    return value


_JSON_NAMES = {dict: "an object", list: "a list", str: "a string", int: "an integer", bool: "a boolean"}


def _check_type(name: str, value: Any, wanted: type) -> None:  # noqa: ANN401 - any JSON value
    if type(value) is not wanted:
        got = "null" if value is None else _JSON_NAMES[type(value)]
        raise Damaged(f"{name}: expected {_JSON_NAMES[wanted]}, got {got}")


@functools.cache
def _type_hints(wanted: type) -> dict[str, Any]:
    """The annotations of a dataclass; a trailer converts thousands of one class."""
    return typing.get_type_hints(wanted)


def _convert_object(name: str, wanted: Any, value: Any) -> Any:  # noqa: ANN401 - follows a type annotation
    _check_type(name, value, dict)
    if reduced := getattr(wanted, "known_part", None):
        value = reduced(value)
    hints = _type_hints(wanted)
    arguments = {}
    for field in dataclasses.fields(wanted):
        if field.name in value:
            arguments[field.name] = _convert(f"{name}.{field.name}", hints[field.name], value[field.name])
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise Damaged(f"{name}: key {field.name!r} is missing")
    return wanted(**arguments)
