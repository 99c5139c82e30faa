"""Names that complete by Tab: jobs, cartridges, drives. Never an error, never slow: what cannot be told is left out."""

import contextlib
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

SCHEMES = ("image:", "disk:", "rdx:")
Names = Callable[[Path | None, dict[str, Any]], Iterable[str]]


def completing(names: Names) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """What click asks when Tab is pressed: the names that begin so."""

    def complete(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        with contextlib.suppress(Exception):  # whatever it is, a line that is being typed must stay as it is
            path, content = _configuration(context)
            return [CompletionItem(name) for name in names(path, content) if name.startswith(incomplete)]
        return []

    return complete


def jobs(_path: Path | None, content: dict[str, Any]) -> Iterable[str]:
    """Jobs of the configuration."""
    return sorted(content.get("jobs", {}))


def drives(_path: Path | None, content: dict[str, Any]) -> Iterable[str]:
    """Drives of the configuration, then what a URL begins with."""
    return (*sorted(content.get("drives", {})), *SCHEMES)


def cartridges(_path: Path | None, content: dict[str, Any]) -> Iterable[str]:
    """Cartridges of the catalog; of one in a file alone, because a server may take its time."""
    from tapekit.evidence import state_directory  # noqa: PLC0415 - where Tab asks for it only

    site = content.get("site", {})
    file = Path(site.get("state") or state_directory()) / "catalog.sqlite"
    if site.get("catalog", "sqlite") != "sqlite" or not file.is_file():
        return []
    query = "SELECT cartridges.name FROM cartridges JOIN sites ON sites.id = site_id WHERE sites.name = ?"
    with contextlib.closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=0.2)) as database:
        return [str(name) for (name,) in database.execute(f"{query} ORDER BY 1", (site.get("name", ""),))]


def _configuration(context: click.Context) -> tuple[Path | None, dict[str, Any]]:
    from tapekit.config import file  # noqa: PLC0415 - as above

    path = file.find(context.find_root().params.get("config"))
    return path, file.parse(path)[1] if path else {}
