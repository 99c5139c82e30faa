"""Documents: canonical JSON to and from frozen dataclasses (SPEC.md section 3.4)."""

import dataclasses
import json
import re
import types
import typing
from collections.abc import Iterable
from typing import Any, TypeVar

from formats.errors import Damaged, TooLarge

LARGEST_DOCUMENT_BYTES = 16 << 20
T = TypeVar("T")

_ID = re.compile(r"[0-9a-f]{32}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


def canonical(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """Canonical JSON: sorted keys, no white space, UTF-8."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "backslashreplace")


def build(document: object) -> bytes:
    """The bytes of a document dataclass. Raises TooLarge over the limit."""
    data = canonical(dataclasses.asdict(document))  # type: ignore[call-overload]
    if len(data) > LARGEST_DOCUMENT_BYTES:
        raise TooLarge(f"document: {len(data)} bytes, limit {LARGEST_DOCUMENT_BYTES}")
    return data


def parse(name: str, document_type: type[T], data: "bytes | memoryview") -> T:
    """The document in `data`; `name` is what errors call it.

    Unknown keys are ignored. Raises Damaged for anything that is not JSON, a duplicate or missing key, or a wrong type.
    """
    if len(data) > LARGEST_DOCUMENT_BYTES:
        raise Damaged(f"{name}: {len(data)} bytes, limit {LARGEST_DOCUMENT_BYTES}")
    try:
        value = json.loads(
            bytes(data).decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_no_float
        )
    except (ValueError, RecursionError) as error:
        raise Damaged(f"{name}: not a document: {error}") from error
    converted: T = _convert(name, document_type, value)
    return converted


def check_id(name: str, value: str) -> None:
    """Raises Damaged unless `value` is 32 lower-case hexadecimal characters."""
    if not _ID.fullmatch(value):
        raise Damaged(f"{name}: not an id: {value[:80]!r}")


def check_digest(name: str, value: str) -> None:
    """Raises Damaged unless `value` is 64 lower-case hexadecimal characters."""
    if not _DIGEST.fullmatch(value):
        raise Damaged(f"{name}: not a digest: {value[:80]!r}")


def check_count(name: str, *values: int) -> None:
    """Raises Damaged where a number that counts or measures is negative or over 2⁶⁴."""
    for value in values:
        if not 0 <= value < 1 << 64:
            raise Damaged(f"{name}: number out of range: {str(value)[:40]}")


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
    origin = typing.get_origin(wanted)
    if origin is types.UnionType or origin is typing.Union:
        arguments = typing.get_args(wanted)
        if value is None and type(None) in arguments:
            return None
        return _convert(name, next(a for a in arguments if a is not type(None)), value)
    if origin is tuple:
        if not isinstance(value, list):
            raise Damaged(f"{name}: expected a list, got {type(value).__name__}")
        item = typing.get_args(wanted)[0]
        return tuple(_convert(f"{name}[{i}]", item, v) for i, v in enumerate(value))
    if origin is dict:
        if not isinstance(value, dict):
            raise Damaged(f"{name}: expected an object, got {type(value).__name__}")
        item = typing.get_args(wanted)[1]
        return {k: _convert(f"{name}.{k}", item, v) for k, v in value.items()}
    if dataclasses.is_dataclass(wanted):
        return _convert_object(name, wanted, value)
    if wanted is Any:
        return value
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        raise Damaged(f"{name}: expected {wanted.__name__}, got {type(value).__name__}")
    return value


def _convert_object(name: str, wanted: Any, value: Any) -> Any:  # noqa: ANN401 - follows a type annotation
    if not isinstance(value, dict):
        raise Damaged(f"{name}: expected an object, got {type(value).__name__}")
    hints = typing.get_type_hints(wanted)
    arguments = {}
    for field in dataclasses.fields(wanted):
        if field.name in value:
            arguments[field.name] = _convert(f"{name}.{field.name}", hints[field.name], value[field.name])
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise Damaged(f"{name}: key {field.name!r} is missing")
    return wanted(**arguments)
