"""Writes the table of docs/faults.md anew from drivers/scsi/sensetable.py; the text around it stays."""

from itertools import groupby
from pathlib import Path

from drivers.scsi.sensetable import ROWS

DOCUMENT = Path(__file__).parents[1] / "docs" / "faults.md"
ROW = "| `"


def table() -> str:
    """A line for each row."""
    return "".join(f"{ROW}{row.code}` | {row.why} | {row.way.value} | {row.to_do} |\n" for row in ROWS)


def renewed(text: str) -> str:
    """The document, with today's table in the place of the old one."""
    parts = (
        (is_table, "".join(lines))
        for is_table, lines in groupby(text.splitlines(keepends=True), lambda it: it[:3] == ROW)
    )
    return "".join(table() if is_table else lines for is_table, lines in parts)


if __name__ == "__main__":
    DOCUMENT.write_text(renewed(DOCUMENT.read_text()))
