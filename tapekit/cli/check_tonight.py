"""`tapekit check-tonight`: before closing time, is the right cartridge in?"""

from datetime import datetime
from typing import Any

import click

from tapekit.cli.common import job_argument, json_option, notes_json, print_json
from tapekit.config.load import load
from tapekit.errors import Exit
from tapekit.jobs import check
from tapekit.jobs.nightly.setting import setting
from tapekit.report.check import Check, Planned, line
from tapekit.report.log import ERROR, INFO, WARNING, is_journal, note_line
from tapekit.report.night import Note
from tapekit.report.notes import worded
from tapekit.report.words import Words


@click.command("check-tonight")
@job_argument(is_required=True)
@click.option("--date", "day", type=click.DateTime(["%Y-%m-%d"]), help="Another night than tonight: YYYY-MM-DD.")
@click.option("--only-look", is_flag=True, help="Send nothing, and leave the metrics as they are.")
@json_option
@click.pass_context
def command(context: click.Context, job: str, day: datetime | None, only_look: bool, as_json: bool) -> None:
    """Check that the right cartridge is in, can be written and has room; send a message if not.

    Exit code 3: the night will go another way, and nothing is lost. 5: no cartridge, or the wrong one. 4: the job is
    overdue, or the catalog cannot be read.
    """
    chosen = setting(load(context.find_root().obj), job)
    found = check.run(chosen, day.date() if day else None, _waiting)
    untold = [] if only_look else check.tell(chosen, found)
    if as_json:
        print_json(_json(found, untold, chosen.language))
    else:
        _show(found, untold, chosen.language)
    context.exit(found.exit_code or (Exit.WARNINGS if untold else Exit.DONE))


def _show(found: Check, untold: list[Note], language: str) -> None:
    words, with_priority = Words(language), is_journal()
    priority = {Exit.DONE: INFO, Exit.WARNINGS: WARNING}.get(Exit(found.exit_code), ERROR)
    first, others = found.notes[:1], (*found.notes[1:], *untold)
    shown = [line(found, language), *(f"  {why}" for note in first if (why := worded(note, words).why))]
    for text in (*shown, *(f"  {note_line(note, words)}" for note in others)):
        click.echo(f"<{priority}>{text.strip()}" if with_priority else text)


def _waiting(used: str) -> None:
    click.echo(f"{used}: waiting", err=True)


def _json(found: Check, untold: list[Note], language: str) -> dict[str, Any]:
    return {
        "site": found.site, "job": found.job, "night": str(found.night), "exit_code": int(found.exit_code),
        "closed": str(found.why_closed) if found.why_closed else None, "line": line(found, language),
        "due": list(found.due), "needed_bytes": found.needed_bytes, "ways": [_way(way) for way in found.ways],
        "waiting": found.waiting,
        "warnings": notes_json(found.notes, language),
        "untold": notes_json(untold, language),
    }  # fmt: skip


def _way(way: Planned) -> dict[str, Any]:
    return {
        "action": way.action.value, "cartridge": way.cartridge, "wanted": way.is_wanted,
        "loss": str(way.loss) if way.loss else None,
    }  # fmt: skip
