"""Members and where they are held, as `find` and `versions` show them."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import click

from tapekit.catalog.search import Version
from tapekit.cli.common import path_json, path_text
from tapekit.cli.tables import columns, folded, show_lines, table_lines
from tapekit.units import size_text, time_text

COLUMNS = ("name", ">size", "changed", "nights", "cartridges")
GAPS = 2 * (len(COLUMNS) - 1)


def show(versions: Sequence[Version], nothing: str) -> None:
    """A line for each version in a table; below its path where the terminal is too narrow for that."""
    rows = _rows(versions)
    if not rows:
        click.echo(nothing)
        return
    widths = (max(map(len, cells)) for cells in zip(COLUMNS, *rows, strict=True))
    if sum(widths) + GAPS <= columns():
        show_lines(table_lines(COLUMNS, rows))
    else:
        show_lines(list(_below_paths(rows)))


def _below_paths(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    for path, group in itertools.groupby(rows, key=lambda row: row[0]):
        yield path
        for _, size, changed, nights, cartridges in group:
            yield from folded("    ", f"{size}, changed {changed}, nights {nights}, on {cartridges}")


def _rows(versions: Sequence[Version]) -> list[tuple[str, ...]]:
    return [
        (
            path_text(version.entry.path),
            size_text(version.entry.size),
            time_text(version.entry.mtime_ns),
            _nights(version),
            ", ".join(dict.fromkeys(name for holding in version.holdings for name in holding.cartridges)),
        )
        for version in versions
    ]


def _nights(version: Version) -> str:
    nights = sorted({holding.night for holding in version.holdings})
    first, last = nights[0].isoformat(), nights[-1].isoformat()
    return first if len(nights) == 1 else f"{len(nights)}: {first} to {last}"


def version_json(version: Version) -> dict[str, Any]:
    """A version for programs."""
    entry = version.entry
    return {
        "path": path_json(entry.path), "type": entry.type.decode(), "size": entry.size, "mtime_ns": entry.mtime_ns,
        "sha256": entry.sha256.hex() if any(entry.sha256) else None, "saved": not entry.is_absent,
        "archives": [
            {
                "archive": held.archive, "job": held.job, "night": held.night.isoformat(),
                "started": held.started.isoformat(), "cartridges": list(held.cartridges),
            }
            for held in version.holdings
        ],
    }  # fmt: skip
