"""`tapekit catalog`: rebuild it from cartridges, check it, make it smaller."""

import datetime
from typing import Any

import click

from tapekit.cli.common import drive_argument, evidences, json_option, opened, print_json, show_list
from tapekit.cli.hand import key_option, opener, passphrase_option
from tapekit.errors import Exit
from tapekit.jobs import lookup, rebuild
from tapekit.model import Copy
from tapekit.units import counted


@click.group("catalog")
def command() -> None:
    """Rebuild the catalog from cartridges, check it, or make it smaller."""


@command.command("rebuild")
@drive_argument
@click.option("--adopt", is_flag=True, help="Take over a cartridge of another site.")
@key_option
@passphrase_option
@json_option
@click.pass_context
def rebuild_command(
    context: click.Context, drive: str, adopt: bool, key: str | None, passphrase_from: str, as_json: bool
) -> None:
    """Take the cartridge in DRIVE with all its archives into the catalog, from the cartridge alone."""
    now = datetime.datetime.now(datetime.UTC)
    with (
        opened(context, drive) as device,
        evidences() as journal,
        lookup.open_store(context.find_root().obj) as store,
        opener(key, passphrase_from) as found,
    ):
        result = rebuild.run(device, store, journal, now, adopt=adopt, opener=found)
    if as_json:
        print_json(_json(result))
    else:
        members = sum(copy.members for copy in result.archives)
        held = f"{counted(len(result.archives), 'archive')}, {counted(members, 'member')}"
        click.echo(f"cartridge {result.name}: in the catalog with {held}")
        show_list("archives that the catalog believed to be on it", [archive[:8] for archive in result.vanished])
        show_list("problems", result.problems)
    if result.problems:
        context.exit(Exit.WARNINGS)


@command.command("check")
@json_option
@click.pass_context
def check_command(context: click.Context, as_json: bool) -> None:
    """Check that the database is whole and that its tables agree."""
    with lookup.open_store(context.find_root().obj) as store:
        problems = store.check()
        where = store.where
    if as_json:
        print_json({"catalog": where, "problems": problems})
    else:
        click.echo(f"{where}: {'DAMAGED' if problems else 'whole'}")
        show_list("problems", problems)
    if problems:
        context.exit(Exit.VERIFICATION)


@command.command("compact")
@json_option
@click.pass_context
def compact_command(context: click.Context, as_json: bool) -> None:
    """Forget members that no cartridge holds any more."""
    with lookup.open_store(context.find_root().obj) as store:
        forgotten = store.compact()
    if as_json:
        print_json({"forgotten": forgotten})
    else:
        click.echo(f"forgotten: {forgotten} versions of members")


def _json(result: rebuild.Result) -> dict[str, Any]:
    return {
        "cartridge": result.label, "name": result.name, "archives": [_archive_json(copy) for copy in result.archives],
        "vanished": list(result.vanished), "problems": list(result.problems),
    }  # fmt: skip


def _archive_json(copy: Copy) -> dict[str, Any]:
    return {
        "archive": copy.archive, "job": copy.job, "night": copy.night.isoformat(), "file": copy.file,
        "state": copy.state, "members": copy.members,
    }  # fmt: skip
