"""`tapekit find`: which cartridge, which night, which size."""

import click

from tapekit.cli.common import json_option, print_json
from tapekit.cli.held import show, version_json
from tapekit.errors import UsageError
from tapekit.jobs import lookup

MOST = 100


@click.command("find")
@click.argument("pattern")
@click.option("-i", "--ignore-case", is_flag=True, help="Small and capital letters are the same.")
@click.option("--limit", default=MOST, show_default=True, type=click.IntRange(1), help="At most so many names.")
@json_option
@click.pass_context
def command(context: click.Context, pattern: str, ignore_case: bool, limit: int, as_json: bool) -> None:
    """Find members of all archives by name: which cartridge, which night, which size.

    PATTERN is a part of the name, or has * ? [ as in the shell; with a slash, what stands before it is the end of the
    directory.
    """
    if not pattern:
        raise UsageError("pattern: empty", "a part of a name, or * for all")
    with lookup.open_to_ask(context.find_root().obj) as store:
        found = store.find(pattern, ignore_case=ignore_case, limit=limit)
    if as_json:
        print_json({"pattern": pattern, "versions": [version_json(version) for version in found]})
        return
    show(found, f"no member of any archive matches {pattern}")
    if len({version.entry.path for version in found}) >= limit:
        click.echo(f"only the first {limit} names are shown: --limit N", err=True)
