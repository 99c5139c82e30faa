"""`tapekit scrub`: read a whole cartridge, and say how its medium is."""

import sys
from typing import Any

import click

from tapekit.cli import progress
from tapekit.cli.common import (
    corrected_json,
    drive_argument,
    json_option,
    opened,
    print_json,
    scrub_json,
    scrub_text,
    show_corrected,
    show_list,
    state_of,
)
from tapekit.errors import Exit
from tapekit.jobs import scrub
from tapekit.jobs.scrub import CORRECTED, LOST, FileMap
from tapekit.scrubs import Advice, Scrubs
from tapekit.units import counted, size_text

CELLS = 240
ROW_CELLS = 60
_COLOURS = {LOST: "red", CORRECTED: "yellow"}


@click.command("scrub")
@drive_argument
@json_option
@click.pass_context
def command(context: click.Context, drive: str, as_json: bool) -> None:
    """Read every block of a cartridge, correct what parity can, and advise when it is to be retired.

    Exit code 3: blocks were corrected, or the cartridge is to be retired; 6: blocks are lost. Needs no key.
    """
    scrubs = Scrubs(state_of(context))
    with opened(context, drive) as device:
        result = scrub.run(device, progress.shown(as_json=as_json), scrubs)
    if scrubs.problem:
        click.echo(f"tapekit: the journal of scrubs cannot be kept: {scrubs.problem}", err=True)
    if as_json:
        print_json(_json(result))
    else:
        _show(result)
    if result.lost:
        context.exit(Exit.VERIFICATION)
    if result.corrected or result.advised.advice is Advice.RETIRE:
        context.exit(Exit.WARNINGS)


def _show(result: scrub.Result) -> None:
    found = result.scrub
    click.echo(f"cartridge {found.name} in {found.drive}: . good   c corrected   X lost")
    for each in result.files:
        _show_map(each)
    show_corrected(result.corrected)
    show_list("lost", [f"block {block} of file {file}: {why}" for file, block, why in result.lost])
    click.echo(
        f"{counted(found.blocks, 'block')} read ({size_text(found.read_bytes)}, {size_text(found.bytes_per_s)}/s), "
        f"{found.corrected} corrected, {found.lost} lost, {found.retries} read again by the drive, "
        f"{size_text(found.remaining_bytes)} left"
    )
    for earlier in result.before[-3:]:
        click.echo(f"  before, {scrub_text(earlier)}")
    click.echo(f"{_WORDS[result.advised.advice]}: {result.advised.why}")


_WORDS = {
    Advice.GOOD: "good", Advice.WATCH: "watch it, and scrub it again soon",
    Advice.RETIRE: "RETIRE it: copy what it holds, or back up again on another one",
}  # fmt: skip


def _show_map(each: FileMap) -> None:
    cells = each.cells(CELLS)
    is_coloured = sys.stdout.isatty()
    for place in range(0, len(cells), ROW_CELLS):
        row = cells[place : place + ROW_CELLS]
        name = "0-1" if each.file == 0 else str(each.file)
        shown = "".join(click.style(c, fg=_COLOURS[c], bold=True) if c in _COLOURS else c for c in row)
        click.echo(f"{f'file {name}' if place == 0 else '':>10}  {shown if is_coloured else row}")


def _json(result: scrub.Result) -> dict[str, Any]:
    return {
        **scrub_json(result.scrub), "advice": result.advised.advice.value, "why": result.advised.why,
        "map": [{"file": each.file, "blocks": each.cells(CELLS)} for each in result.files],
        "corrected_blocks": corrected_json(result.corrected),
        "lost_blocks": [{"file": file, "block": block, "why": why} for file, block, why in result.lost],
        "before": [scrub_json(each) for each in result.before],
    }  # fmt: skip
