"""`tapekit list`: the members of archives."""

from typing import Any

import click

from formats import catalog
from tapekit.blocks.correct import correcting
from tapekit.cli.common import (
    archive_option,
    corrected_json,
    drive_argument,
    json_option,
    opened,
    path_json,
    path_text,
    print_json,
    show_corrected,
    show_list,
)
from tapekit.cli.further import further_drives, then_option
from tapekit.cli.hand import key_option, opener, passphrase_option
from tapekit.errors import Exit
from tapekit.jobs import listing
from tapekit.jobs.listing import Listed
from tapekit.patterns import Patterns
from tapekit.units import time_text


@click.command("list")
@drive_argument
@click.argument("patterns", nargs=-1, metavar="[PATTERN]...")
@archive_option("latest", several=True)
@click.option("--long", "is_long", is_flag=True, help="Mode, owner, size and time, as ls -l.")
@then_option
@key_option
@passphrase_option
@json_option
@click.pass_context
def command(
    context: click.Context, drive: str, patterns: tuple[str, ...], archive: str, is_long: bool,
    then: tuple[str, ...], key: str | None, passphrase_from: str, as_json: bool,
) -> None:  # fmt: skip
    """List members; PATTERN is a path with all below it, or has * ? [ as in the shell.

    Of an archive on several cartridges, one lists what begins or goes on on it, with those of --then all.
    """
    problems: list[str] = []
    missing: list[str] = []
    members = []
    chosen = Patterns(patterns)
    with (
        opened(context, drive) as device,
        opener(key, passphrase_from) as found,
        further_drives(context, then) as further,
    ):
        reading = correcting(device)
        for listed in listing.run(reading, archive, chosen, problems, found, further, missing):
            if as_json:
                members.append(_json(listed))
            else:
                click.echo(_line(listed, is_long=is_long, with_archive=archive == "all"))
    corrected = list(reading.corrections.values())
    if as_json:
        print_json({
            "members": members, "problems": problems, "missing": missing, "unmatched": chosen.unmatched(),
            "corrected": corrected_json(corrected),
        })  # fmt: skip
    else:
        show_list("damaged", problems)
        show_list("not looked into", missing)
        show_corrected(corrected)
        show_list("nothing matches", chosen.unmatched())
    if problems:
        context.exit(Exit.VERIFICATION)
    if corrected or missing or chosen.unmatched():
        context.exit(Exit.WARNINGS)


def _line(listed: Listed, *, is_long: bool, with_archive: bool) -> str:
    entry = listed.entry
    text = path_text(entry.path)
    if is_long:
        size = f"{entry.reference >> 32},{entry.reference & 0xFFFFFFFF}" if entry.type in (b"c", b"b") else entry.size
        when = time_text(entry.mtime_ns)
        text = f"{listing.mode_text(entry)} {listing.owner_text(entry):17} {size:>12} {when} {text}"
        if entry.link:
            arrow = "link to" if entry.type == catalog.HARD_LINK else "->"
            text += f" {arrow} {path_text(entry.link)}"
    if entry.note:
        text += f"  [{entry.note.decode('utf-8', 'replace')}]"
    return f"{listed.segment.archive[:8]} {text}" if with_archive else text


def _json(listed: Listed) -> dict[str, Any]:
    entry = listed.entry
    return {
        "archive": listed.segment.archive, "path": path_json(entry.path), "type": entry.type.decode(),
        "size": entry.size, "mode": f"{entry.mode:04o}", "uid": entry.uid, "gid": entry.gid,
        "owner": path_json(entry.owner), "group": path_json(entry.group), "mtime_ns": entry.mtime_ns,
        "link": path_json(entry.link) or None, "sha256": entry.sha256.hex() if any(entry.sha256) else None,
        "saved": not entry.is_absent, "note": entry.note.decode("utf-8", "replace") or None,
    }  # fmt: skip
