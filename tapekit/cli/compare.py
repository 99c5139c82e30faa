"""`tapekit compare`: what differs between two archives."""

from typing import Any

import click

from formats.catalog import Entry
from tapekit.cli.common import json_option, path_json, path_text, print_json
from tapekit.cli.tables import show_table
from tapekit.jobs import lookup
from tapekit.units import size_text


@click.command("compare")
@click.argument("before", metavar="ARCHIVE")
@click.argument("after", metavar="ARCHIVE")
@json_option
@click.pass_context
def command(context: click.Context, before: str, after: str, as_json: bool) -> None:
    """Show what was added, removed and changed from one archive to another, by size and digest, from the catalog.

    ARCHIVE is an id, its beginning, or latest.
    """
    with lookup.open_to_ask(context.find_root().obj) as store:
        first, second = store.archive(before), store.archive(after)
        found = store.compare(first, second)
    if as_json:
        changed = [{"path": path_json(a.path), "before": _json(a), "after": _json(b)} for a, b in found.changed]
        added, removed = ([_json(entry) for entry in entries] for entries in (found.added, found.removed))
        print_json({"before": first, "after": second, "added": added, "removed": removed, "changed": changed})
        return
    rows = [("added", "", size_text(entry.size), path_text(entry.path)) for entry in found.added]
    rows += [("removed", size_text(entry.size), "", path_text(entry.path)) for entry in found.removed]
    rows += [("changed", size_text(a.size), size_text(b.size), path_text(a.path)) for a, b in found.changed]
    show_table(("what", ">before", ">after", "name"), sorted(rows, key=lambda row: row[3]), "nothing differs")


def _json(entry: Entry) -> dict[str, Any]:
    return {
        "path": path_json(entry.path), "type": entry.type.decode(), "size": entry.size,
        "sha256": entry.sha256.hex() if any(entry.sha256) else None,
    }  # fmt: skip
