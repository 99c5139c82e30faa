"""`tapekit export`: an archive as a pax tar."""

import sys

import click

from tapekit.cli import progress
from tapekit.cli.common import (
    archive_option,
    corrected_json,
    drive_argument,
    opened,
    print_json,
    reasons,
    reasons_json,
    show_corrected,
    show_list,
)
from tapekit.cli.further import next_cartridges, then_option
from tapekit.cli.hand import key_option, opener, passphrase_option
from tapekit.errors import Exit, UsageError
from tapekit.jobs import export


@click.command("export")
@drive_argument
@archive_option("latest", several=False)
@then_option
@key_option
@passphrase_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard error, at the end.")
@click.pass_context
def command(
    context: click.Context, drive: str, archive: str, then: tuple[str, ...], key: str | None, passphrase_from: str,
    as_json: bool,
) -> None:  # fmt: skip
    """Write an archive as a pax tar to standard output: tapekit export DRIVE | tar x."""
    if sys.stdout.isatty():
        raise UsageError("export: standard output is a terminal", "send it on: tapekit export DRIVE | tar tv")
    output = sys.stdout.buffer
    with (
        opened(context, drive) as device,
        opener(key, passphrase_from) as found,
        next_cartridges(context, then) as further,
    ):
        result = export.run(device, archive, output.write, progress.shown(as_json=as_json), found, further)
    output.flush()
    if as_json:
        print_json({
            "archive": result.archive, "members": result.members, "exported_bytes": result.exported_bytes,
            "damaged": reasons_json(result.damaged), "problems": result.problems,
            "doubts": result.doubts, "corrected": corrected_json(result.corrected),
        }, to_error=True)  # fmt: skip
    else:
        show_list("damaged", reasons(result.damaged))
        show_list("cartridge", result.problems)
        show_list("doubt", result.doubts)
        show_corrected(result.corrected)
    if result.damaged or result.problems:
        context.exit(Exit.VERIFICATION)
    if result.corrected or result.doubts:
        context.exit(Exit.WARNINGS)
