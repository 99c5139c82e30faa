"""`tapekit versions`: every version of a file."""

import os

import click

from tapekit.catalog.errors import NotInCatalog
from tapekit.cli.common import json_option, print_json
from tapekit.cli.held import show, version_json
from tapekit.errors import UsageError
from tapekit.jobs import lookup


@click.command("versions")
@click.argument("file")
@json_option
@click.pass_context
def command(context: click.Context, file: str, as_json: bool) -> None:
    """Show every version of FILE that a cartridge holds, the latest first.

    FILE is a path as it was saved, or from the current directory.
    """
    if not file:
        raise UsageError("file: empty", "tapekit find looks for a part of the name")
    with lookup.open_to_ask(context.find_root().obj) as store:
        found = store.versions(os.fsencode(file)) or store.versions(os.fsencode(os.path.abspath(file)))  # noqa: PTH100
    if not found:
        raise NotInCatalog(f"{file}: in no archive", "tapekit find looks for a part of the name")
    if as_json:
        print_json({"file": file, "versions": [version_json(version) for version in found]})
    else:
        show(found, "")
