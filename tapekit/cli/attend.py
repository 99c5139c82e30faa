"""`tapekit attend`: the service that notices which cartridge is put in."""

import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

import click

from drivers.hotplug import LOOK_AGAIN_S, NO_UDEV, Events, UdevEvents
from tapekit.cli.common import json_option, notes_json, print_json, state_of
from tapekit.cli.schedule import program_of
from tapekit.config.load import load
from tapekit.errors import Exit, UsageError
from tapekit.jobs.attend import Attendant, Happened, Judged
from tapekit.report.check import line
from tapekit.report.log import ERROR, INFO, WARNING, is_journal, note_line
from tapekit.report.said import in_language, said
from tapekit.report.words import Words, printable
from tapekit.schedule import install
from tapekit.units import now_text


class _Sleeping:
    """Where udev tells nothing: looks now and then."""

    def wait(self, timeout_s: float) -> bool:
        time.sleep(timeout_s)
        return True


@click.command("attend")
@click.option("--run", "runs", metavar="JOB", multiple=True, help="Start JOB when its cartridge is put in.")
@click.option("--once", is_flag=True, help="Look once, and end.")
@json_option
@click.pass_context
def command(context: click.Context, runs: tuple[str, ...], once: bool, as_json: bool) -> None:
    """Watch the drives: recognise each cartridge that is put in, and say whether it is right for the night.

    A wrong one is told as the evening check tells it. Runs until it is stopped; `tapekit schedule install` makes it a
    service. With --json each line is one answer.
    """
    configuration = load(context.find_root().obj)
    for job in runs:
        if job not in configuration.jobs:
            known = ", ".join(sorted(configuration.jobs)) or "none"
            raise UsageError(f"job: {job!r}: the configuration has none of that name", f"jobs: {known}")
    program = program_of(context)
    attendant = Attendant(configuration, state_of(context), lambda job: install.start(job, program), runs)
    language = configuration.site.language
    show = _print if as_json else _show
    events = None if once else _events()
    try:
        while True:
            _tell(attendant.look(), show, language)
            if events is None:
                return
            events.wait(LOOK_AGAIN_S)
    except KeyboardInterrupt:
        return


def _events() -> Events:
    try:
        return UdevEvents()
    except OSError:
        click.echo(f"tapekit: attend: {NO_UDEV}: it looks every {LOOK_AGAIN_S:.0f} seconds", err=True)
        return _Sleeping()


def _tell(new: Iterable[Happened | Judged], show: Callable[[Happened | Judged, str], None], language: str) -> None:
    for each in new:
        show(each, language)
        sys.stdout.flush()


def _show(new: Happened | Judged, language: str) -> None:
    with_priority = is_journal()
    for priority, text in _lines(new, language):
        click.echo(f"<{priority}>{text}" if with_priority else text)


def _lines(new: Happened | Judged, language: str) -> list[tuple[int, str]]:
    if isinstance(new, Happened):
        is_in = said("{cartridge} is in", cartridge=new.name or new.words)
        happened = {"in": is_in, "out": said("empty")}.get(new.what, new.words)
        return [
            (ERROR if new.what == "problem" else INFO, f"{new.drive}: {printable(in_language(happened, language))}")
        ]
    priority = {Exit.DONE: INFO, Exit.WARNINGS: WARNING}.get(Exit(new.check.exit_code), ERROR)
    words = Words(language)
    if new.is_rest:
        return [(INFO, f"{printable(new.job)}: started: the rest of its night goes on this cartridge")]
    told = [(priority, f"{printable(new.job)}: {line(new.check, language)}")]
    told += [(WARNING, note_line(note, words)) for note in new.untold]
    if new.is_started:
        told.append((INFO, f"{printable(new.job)}: {in_language(said('started'), language)}"))
    elif new.why_not_started:
        why = said("not started: {why}", why=new.why_not_started)
        told.append((INFO, f"{printable(new.job)}: {in_language(why, language)}"))
    return told


def _print(new: Happened | Judged, language: str) -> None:
    answer: dict[str, Any] = {"at": now_text()}
    if isinstance(new, Happened):
        answer |= {"drive": new.drive, "what": new.what, "cartridge": new.name or None, "words": new.words or None}
    else:
        answer |= {
            "job": new.job, "night": str(new.check.night), "exit_code": int(new.check.exit_code),
            "line": line(new.check, language), "due": list(new.check.due),
            "warnings": notes_json(new.check.notes, language), "untold": notes_json(new.untold, language),
            "rest": new.is_rest, "started": new.is_started, "why_not_started": new.why_not_started or None,
        }  # fmt: skip
    print_json(answer)
