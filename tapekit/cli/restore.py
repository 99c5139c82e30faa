"""`tapekit restore`: put members of an archive back."""

import click

from tapekit.cli import progress
from tapekit.cli.common import (
    archive_option,
    corrected_json,
    drive_argument,
    evidences,
    json_option,
    opened,
    print_json,
    reasons,
    reasons_json,
    show_corrected,
    show_list,
)
from tapekit.cli.further import next_cartridges, then_option
from tapekit.cli.hand import key_option, opener, passphrase_option
from tapekit.cli.remember import problem_json, remembering
from tapekit.errors import Exit
from tapekit.jobs import restore
from tapekit.source.put_back import Overwrite
from tapekit.units import counted, size_text


@click.command("restore")
@drive_argument
@click.argument("patterns", nargs=-1, metavar="[PATTERN]...")
@click.option("--to", required=True, metavar="DIR", help="Directory that everything is put below.")
@archive_option("latest", several=False)
@click.option(
    "--overwrite", type=click.Choice([choice.value for choice in Overwrite]), default="never", show_default=True,
    help="What to do where a file is there already.",
)  # fmt: skip
@click.option("--devices", is_flag=True, help="Make device nodes too.")
@then_option
@key_option
@passphrase_option
@json_option
@click.pass_context
def command(
    context: click.Context, drive: str, patterns: tuple[str, ...], to: str, archive: str, overwrite: str,
    devices: bool, then: tuple[str, ...], key: str | None, passphrase_from: str, as_json: bool,
) -> None:  # fmt: skip
    """Put back everything, or what PATTERN names (a path with all below it, or * ? [ as in the shell).

    Nothing is ever written outside DIR. After damage, all that is intact is restored, and the rest is named (exit 6).
    Of an archive on several cartridges, those in the drives of --then are read too; without, a person at the terminal
    is asked for each.
    """
    with (
        opened(context, drive) as device,
        evidences() as journal,
        remembering(context, journal) as memory,
        opener(key, passphrase_from) as found,
        next_cartridges(context, then) as further,
    ):
        request = restore.Request(
            to, patterns, archive, Overwrite(overwrite), devices, found,
            lambda chosen: memory.parts_with(chosen, patterns),
        )  # fmt: skip
        result = restore.run(device, request, progress.shown(as_json=as_json), memory.keep_for_restore, further)
    restore.check_selection(result, patterns)
    if as_json:
        print_json({
            "cartridge": result.cartridge, "cartridges": result.cartridges, "archive": result.archive,
            "state": result.state, "members": result.members, "restored_bytes": result.restored_bytes,
            "damaged": reasons_json(result.damaged), "refused": reasons_json(result.refused),
            "skipped": reasons_json(result.skipped), "warnings": reasons_json(result.warnings),
            "problems": result.problems, "corrected": corrected_json(result.corrected),
            "unmatched": result.unmatched, "doubts": result.doubts, "locked": bool(memory.kept),
            "catalog_problem": problem_json(memory),
        })  # fmt: skip
    else:
        show_list("damaged, not restored", reasons(result.damaged))
        show_list("refused", reasons(result.refused))
        show_list("left out", reasons(result.skipped))
        show_list("restored, but", reasons(result.warnings))
        show_list("cartridge", result.problems)
        show_corrected(result.corrected)
        show_list("nothing matches", result.unmatched)
        show_list("doubt", result.doubts)
        state = "" if result.state == "complete" else f" ({result.state})"
        click.echo(
            f"restored to {to}: {counted(result.members, 'member')}, {size_text(result.restored_bytes)}, "
            f"of archive {result.archive[:8]}{state} on {', '.join(result.cartridges)}"
        )
        if memory.kept:
            they_are = "they are" if ", " in memory.kept else "it is"
            click.echo(f"nothing is written on {memory.kept} until {they_are} let go: tapekit eject {drive}", err=True)
    context.exit(_exit_code(result))


def _exit_code(result: restore.Result) -> Exit:
    if result.damaged or result.problems:
        return Exit.VERIFICATION
    lesser = (result.refused, result.warnings, result.unmatched, result.skipped, result.corrected, result.doubts)
    if any(lesser):
        return Exit.WARNINGS
    return Exit.DONE
