"""`tapekit nightly`: a night of a job, from the drive to the report; or only what it would do."""

import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import click

from tapekit.cli import progress
from tapekit.cli.common import job_argument, json_option, notes_json, print_json
from tapekit.cli.further import ask
from tapekit.config.load import load
from tapekit.errors import UsageError
from tapekit.jobs.nightly import misconfigured
from tapekit.jobs.nightly.going_on import Person, Wanted
from tapekit.jobs.nightly.night import checked, night
from tapekit.jobs.nightly.rehearsal import Rehearsal, rehearse
from tapekit.jobs.nightly.setting import Setting, setting
from tapekit.progress import Progress
from tapekit.report.log import is_journal, lines, note_line
from tapekit.report.stored import to_json
from tapekit.report.words import Words
from tapekit.rotation.decide import InReach, State, Way
from tapekit.units import counted, size_text


@click.command("nightly")
@job_argument(is_required=True)
@click.option("--date", "day", type=click.DateTime(["%Y-%m-%d"]), help="A night that is late: YYYY-MM-DD.")
@click.option("--dry-run", is_flag=True, help="Say what the night would do, and write nothing anywhere.")
@json_option
@click.pass_context
def command(context: click.Context, job: str, day: datetime | None, dry_run: bool, as_json: bool) -> None:
    """Run a night of JOB: save, read back, compare, report.

    What goes wrong is met by the way that loses least, and told. The exit code says how the night ended.
    """
    chosen = _setting(context.find_root().obj, job)
    which = day.date() if day else None
    if dry_run:
        rehearsed = rehearse(chosen, checked(which, is_rehearsed=True))
        if as_json:
            print_json(rehearsal_json(rehearsed))
        else:
            _show(rehearsed)
        context.exit(rehearsed.exit_code)
    shown = progress.shown(as_json=as_json)
    report = night(chosen, shown, which, _waiting, _person(shown))
    shown.end()  # a night that failed left it
    if as_json:
        click.echo(to_json(report))
    else:
        for line in lines(report, chosen.language, with_priority=is_journal()):
            click.echo(line)
    context.exit(report.exit_code)


def _setting(file: str | None, job: str) -> Setting:
    """The job; where the configuration is wrong and nobody sits here, those who hear of bad nights are told."""
    try:
        return setting(load(file), job)
    except UsageError as error:
        if not sys.stderr.isatty():
            misconfigured.tell(file, job, error)
        raise


def _person(shown: Progress) -> Person | None:
    """Whoever sits at the terminal and changes cartridges; None where nobody does."""
    return AtTerminal(shown) if sys.stdin.isatty() and sys.stderr.isatty() else None


class AtTerminal:
    """Asks for the next cartridge of a night that is larger than one. See Person."""

    def __init__(self, shown: Progress) -> None:
        """Nobody is asked yet."""
        self._shown = shown

    def change(self, wanted: Wanted) -> bool:
        """See Person."""
        self._shown.end()
        if wanted.full:
            click.echo(f"cartridge {wanted.full} is full: the night goes on on the next one", err=True)
        for why in wanted.why:
            click.echo(f"  {why}", err=True)
        name = ", ".join(wanted.due) or "a blank cartridge"
        answer = ask(f"put {name} into {' or '.join(wanted.drives)} and press Enter, or q if there is none")
        return answer is not None and answer.strip().lower() != "q"


def _waiting(used: str) -> None:
    click.echo(f"{used}: waiting", err=True)


# --- what a night would do --------------------------------------------------------------------------------------------


def _show(rehearsed: Rehearsal) -> None:
    asked, first = rehearsed.steps[0]
    due = ", ".join(asked.choice.names) or "no cartridge in service"
    click.echo(f"night of {rehearsed.night:%a %Y-%m-%d}: {due} ({asked.choice.why})")
    for drive, found in zip(rehearsed.seen.drives, rehearsed.seen.found, strict=True):
        click.echo(f"in {drive.drive}: {_found(drive, found.words)}")
    for way in rehearsed.ways:
        click.echo("\n".join(_way(rehearsed, way)))
    if not rehearsed.ways:
        click.echo("the night would go nowhere")
    for other in rehearsed.others:
        click.echo(f"another way: {other.words(rehearsed.night)}")
    for drive_name, why in first.refused if not rehearsed.refused else ():
        click.echo(f"not as it should be: {drive_name}: {why}")
    for note in (*rehearsed.refused, *rehearsed.warnings):
        click.echo(note_line(note, Words("en")))
    code = rehearsed.exit_code
    click.echo(f"dry run: nothing was written; as it stands the night would end with exit code {code} {code.name}")


def _found(drive: InReach, words: str) -> str:
    if drive.state is not State.OWN or drive.cartridge is None:
        return f"{drive.state.value}{f' ({words})' if words else ''}"
    held = drive.cartridge
    nights = sorted({copy.night for copy in held.copies})
    span = (
        f", nights {nights[0]} to {nights[-1]}" if len(nights) > 1 else "".join(f", night {night}" for night in nights)
    )
    room = f", {size_text(held.remaining_bytes)} free" if held.remaining_bytes is not None else ""
    return f"{held.name}: {counted(len(held.copies), 'archive')}{span}{room}"


def _way(rehearsed: Rehearsal, way: Way) -> Iterator[str]:
    """What would be done, what would be lost by it, and whether the night fits."""
    yield f"the night would {way.words(rehearsed.night)}"
    yield f"  lost: {way.loss.words(rehearsed.night)}"
    asked = rehearsed.steps[0][0]
    room = rehearsed.room_bytes(way)
    there = "room unknown" if room is None else f"{size_text(room)} there"
    to_save, needed = size_text(rehearsed.source_bytes), size_text(asked.needed_bytes)
    yield f"  size: {to_save} to save, at most {needed} needed, {there}"


def rehearsal_json(rehearsed: Rehearsal) -> dict[str, Any]:
    """What a night would do, for programs."""
    asked, _ = rehearsed.steps[0]
    return {
        "job": rehearsed.job, "night": rehearsed.night.isoformat(), "due": list(asked.choice.names),
        "why": str(asked.choice.why), "source_bytes": rehearsed.source_bytes, "needed_bytes": asked.needed_bytes,
        "drives": [
            {
                "drive": drive.drive, "state": drive.state.value,
                "cartridge": drive.cartridge.name if drive.cartridge else None,
                "remaining_bytes": drive.cartridge.remaining_bytes if drive.cartridge else None,
                "capacity_bytes": drive.capacity_bytes, "problem": found.words or None,
            }
            for drive, found in zip(rehearsed.seen.drives, rehearsed.seen.found, strict=True)
        ],
        "ways": [_way_json(rehearsed, way) for way in rehearsed.ways],
        "others": [_way_json(rehearsed, way) for way in rehearsed.others],
        "refused": notes_json(rehearsed.refused), "warnings": notes_json(rehearsed.warnings),
        "exit_code": int(rehearsed.exit_code),
    }  # fmt: skip


def _way_json(rehearsed: Rehearsal, way: Way) -> dict[str, Any]:
    return {
        "action": way.action.value, "drive": way.drive, "cartridge": way.cartridge, "due": way.is_wanted,
        "goes_on": way.goes_on,
        "room_bytes": rehearsed.room_bytes(way), "what": str(way.words(rehearsed.night)),
        "lost": [
            {"job": lost.job, "kind": lost.kind.value, "first": first.isoformat(), "last": last.isoformat()}
            for lost in way.loss.jobs
            for first, last in lost.spans
        ],
    }  # fmt: skip
