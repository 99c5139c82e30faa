"""Tables that fit the terminal, and a pager for long ones."""

import io
import shutil
import sys
from collections.abc import Sequence

import click

PIPED_COLUMNS = 200
"""Width where nobody looks: programs take --json, and nothing should be folded."""


def show_table(headings: Sequence[str], rows: Sequence[Sequence[str]], nothing: str) -> None:
    """Print rows under their headings, folded to the terminal's width; `nothing` where there are none.

    A heading that begins with `>` stands over numbers.
    """
    if not rows:
        click.echo(nothing)
        return
    from rich.console import Console  # noqa: PLC0415 - read in where a table is shown: it takes time
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="", padding=(0, 2, 0, 0))
    for heading in headings:
        is_number = heading.startswith(">")
        table.add_column(
            heading.lstrip(">"), justify="right" if is_number else "left", overflow="fold", no_wrap=is_number
        )
    for row in rows:
        table.add_row(*row)
    text = io.StringIO()
    console = Console(file=text, width=columns(), highlight=False, markup=False, emoji=False, color_system=None)
    console.print(table)
    show_lines([line.rstrip() for line in text.getvalue().splitlines()])


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
