"""The keys that a table of the file may have, for hints and for the page in the documentation."""

from collections.abc import Iterator
from typing import Any, get_args

from tapekit.config.fields import Table
from tapekit.config.schema import Configuration


def tables(annotation: Any) -> Iterator[type[Table]]:  # noqa: ANN401 - any type
    """The classes of tables in a field's type: several where it is one of several."""
    if isinstance(annotation, type) and issubclass(annotation, Table):
        yield annotation
    for argument in get_args(annotation):
        yield from tables(argument)


def known_keys(location: tuple[str | int, ...]) -> set[str]:
    """Keys that may stand where the last part of one of pydantic's locations stands.

    Where a table is one of several kinds, the location says which behind the table's own name.
    """
    kinds: list[type[Table]] = [Configuration]
    is_name = False
    for part in location[:-1]:
        if isinstance(part, int):
            continue
        if is_name:  # of a drive, pool, rotation, job: any
            is_name = False
            continue
        if chosen := [kind for kind in kinds if part in _tags(kind)]:
            kinds = chosen
            continue
        fields = [kind.model_fields[part] for kind in kinds if part in kind.model_fields]
        kinds = [kind for field in fields for kind in tables(field.annotation)]
        is_name = any(str(field.annotation).startswith("dict") for field in fields)
    return {name for kind in kinds for name in kind.model_fields}


def _tags(kind: type[Table]) -> tuple[object, ...]:
    tags = [kind.model_fields[key] for key in ("scheme", "kind") if key in kind.model_fields]
    return tuple(tag for field in tags for tag in get_args(field.annotation))
