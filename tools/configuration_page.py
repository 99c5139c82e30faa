"""Writes the tables of docs/configuration.md from the classes that check the file."""

import json
from collections.abc import Iterator
from typing import Any

from tapekit.config.jsonschema import Schema
from tapekit.config.schema import Configuration
from tools.check_docs import ROOT

PAGE = ROOT / "docs/configuration.md"
BEGIN = "<!-- written by tools/configuration_page.py: change tapekit/config/schema.py instead -->\n"

TABLES: tuple[tuple[str, str], ...] = (
    ("[site]", "Site"),
    ("[calendar]", "Calendar"),
    ("[keys]", "Keys"),
    ("[drives]", "Drive"),
    ("[pools.NAME]", "Pool"),
    ('[rotations.NAME], scheme = "weekdays"', "Weekdays"),
    ('[rotations.NAME], scheme = "gfs"', "GrandfatherFatherSon"),
    ('[rotations.NAME], scheme = "hanoi"', "Hanoi"),
    ('[rotations.NAME], scheme = "round-robin"', "RoundRobin"),
    ("[jobs.NAME]", "Job"),
    ("jobs.NAME.sources", "Source"),
    ("jobs.NAME.before, after, on_failure", "Hook"),
    ("jobs.NAME.snapshot", "Snapshot"),
    ('[[jobs.NAME.databases]], kind = "postgresql"', "PostgreSQL"),
    ('[[jobs.NAME.databases]], kind = "sqlite"', "SQLite"),
    ("[notifications]", "Notifications"),
    ("notifications.always, problems", "Notification"),
)  # fmt: skip
"""How each table stands in the file, and its class."""


def tables() -> str:
    """The generated part of the page."""
    definitions: dict[str, Any] = Configuration.model_json_schema(schema_generator=Schema)["$defs"]
    missing = set(definitions) - {name for _, name in TABLES}
    if missing:
        raise ValueError(f"no heading for {', '.join(sorted(missing))}")
    return "\n".join(line for title, name in TABLES for line in _table(title, definitions[name])) + "\n"


def _table(title: str, definition: dict[str, Any]) -> Iterator[str]:
    required = definition.get("required", [])
    yield from (
        "",
        f"## `{title}`",
        "",
        definition["description"],
        "",
        "| key | value | without it | |",
        "|---|---|---|---|",
    )
    for key, field in definition["properties"].items():
        without = "must be there" if key in required else _default(field.get("default"))
        cells = (f"`{key}`", _value(field), without, field["description"])
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _default(value: object) -> str:
    return "" if value in (None, [], "") else f"`{json.dumps(value)}`"


def _value(field: dict[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(_value(kind) for kind in field["anyOf"] if kind.get("type") != "null")
    if field.get("type") == "array":
        return f"list: {_value(field['items'])}"
    if "examples" in field:
        return f"such as {', '.join(f'`{json.dumps(text)}`' for text in field['examples'])}"
    words = field.get("enum") or ([field["const"]] if "const" in field else [])
    return ", ".join(f"`{json.dumps(word)}`" for word in words) or _kind(field)


def _kind(field: dict[str, Any]) -> str:
    if field.get("type") == "integer":
        return f"{field['minimum']} to {field['maximum']}"
    if field.get("format") == "path":
        return "path"
    return {"boolean": "`true`, `false`", "string": "text"}.get(field.get("type", ""), "table")


def page(text: str) -> str:
    """The page with its generated part as it should be."""
    head, mark, _ = text.partition(BEGIN)
    if not mark:
        raise ValueError(f"{PAGE.name}: the line that begins the generated part is not there")
    return head + BEGIN + tables()


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
