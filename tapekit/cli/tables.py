"""Tables that fit the terminal, and a pager for long ones."""

import io
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence

import click

from tapekit.report.night import Note
from tapekit.report.notes import worded
from tapekit.report.words import Words, printable

_NO_BREAK = "\N{NO-BREAK SPACE}"
UNBROKEN = 16
"""Words of so many letters are not broken: names of cartridges, dates."""
PIPED_COLUMNS = 200
"""Width where nobody looks: programs take --json, and nothing should be folded."""


def show_table(headings: Sequence[str], rows: Sequence[Sequence[str]], nothing: str) -> None:
    """Print rows under their headings, folded to the terminal's width; `nothing` where there are none.

    A heading that begins with `>` stands over numbers.
    """
    if rows:
        show_lines(table_lines(headings, rows))
    else:
        click.echo(nothing)


def table_lines(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows under their headings as lines, folded to the terminal's width; without headings where all are empty.

    A column in which nothing stands is left out.
    """
    from rich.console import Console  # noqa: PLC0415 - read in where a table is shown: it takes time
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="", padding=(0, 2, 0, 0), show_header=any(headings))
    filled = [number for number in range(len(headings)) if any(row[number] for row in rows)]
    for number in filled:
        heading = headings[number]
        is_number = heading.startswith(">")
        title = heading.lstrip(">")
        words = [word for text in (title, *(row[number] for row in rows)) for word in text.split()]
        table.add_column(
            title, justify="right" if is_number else "left", overflow="fold", no_wrap=is_number,
            min_width=min(max(map(len, words), default=0), UNBROKEN),
        )  # fmt: skip
    for row in rows:
        table.add_row(*(row[number] for number in filled))
    text = io.StringIO()
    console = Console(file=text, width=columns(), highlight=False, markup=False, emoji=False, color_system=None)
    console.print(table)
    return [line.rstrip() for line in text.getvalue().splitlines()]


def told(note: Note) -> Iterator[str]:
    """A warning or problem for the technician: what and why, and what to do."""
    said = worded(note, Words("en"))
    yield from folded("  ! ", "; ".join(part for part in (said.what, said.why) if part))
    if said.to_do:
        yield from folded("    → ", said.to_do)


def folded(title: str, text: str) -> list[str]:
    """A text behind its title, folded to the terminal's width and below its own beginning."""
    safe = _NO_BREAK.join(map(printable, text.split(_NO_BREAK)))
    lines = textwrap.wrap(
        safe, max(columns(), 40), initial_indent=title, subsequent_indent=" " * len(title), break_on_hyphens=False
    )
    return [line.replace(_NO_BREAK, " ") for line in lines or [title]]


def columns() -> int:
    """How wide what is shown may be."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPED_COLUMNS


def show_lines(lines: Sequence[str]) -> None:
    """Print lines; through a pager where a terminal does not hold them."""
    output = "\n".join(lines)
    if sys.stdout.isatty() and len(lines) >= shutil.get_terminal_size().lines:
        click.echo_via_pager(output + "\n")
    else:
        click.echo(output)
