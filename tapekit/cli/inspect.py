"""`tapekit inspect`: what a cartridge is and what is on it."""

from typing import Any

import click

from tapekit.cli.common import (
    drive_argument,
    evidences,
    health_json,
    json_option,
    opened,
    print_json,
    scrub_json,
    scrub_text,
    state_of,
    words_of,
)
from tapekit.cli.tables import show_table
from tapekit.errors import Exit
from tapekit.jobs import inspect
from tapekit.jobs.inspect import Archive
from tapekit.report import health
from tapekit.report.words import Words
from tapekit.scrubs import Scrubs
from tapekit.units import size_text

COLUMNS: tuple[str, ...] = (
    ">file", "archive", "job", "started", "state", ">members", ">size", ">stored", "evidence",
)  # fmt: skip

SCRUBS = 3
"""So many of the latest are told; --json has them all."""


@click.command("inspect")
@drive_argument
@json_option
@click.pass_context
def command(context: click.Context, drive: str, as_json: bool) -> None:
    """Show the label, every archive with its state and evidence, and the free space; needs no key."""
    with opened(context, drive) as device, evidences() as journal:
        result = inspect.run(device, journal, Scrubs(state_of(context)))
    if as_json:
        print_json(_json(result, words_of(context)))
    else:
        _show(result, words_of(context))
    if result.label is None:
        context.exit(Exit.VERIFICATION)


def _json(result: inspect.Result, words: Words) -> dict[str, Any]:
    label = result.label
    return {
        "device": {"node": result.device.node, "vendor": result.device.vendor, "model": result.device.model,
                   "serial": result.device.serial},
        "cartridge": label.cartridge if label else None,
        "name": label.name if label else None,
        "barcode": label.barcode if label else None,
        "pool": label.pool if label else None,
        "labelled": label.labelled if label else None,
        "block_size": label.block_size if label else None,
        "format": label.format if label else None,
        "label_problem": result.label_problem or None,
        "capacity_bytes": result.medium.capacity_bytes,
        "remaining_bytes": result.medium.remaining_bytes,
        "write_protected": result.medium.write_protected,
        "health": health_json(result.health, words),
        "attributes": result.attributes,
        "archives": [_archive_json(archive) for archive in result.archives],
        "scrubs": [scrub_json(each) for each in result.scrubs],
        "advice": result.advised.advice.value if result.advised else None,
        "why": result.advised.why if result.advised else None,
    }  # fmt: skip


def _archive_json(archive: Archive) -> dict[str, Any]:
    segment, trailer = archive.segment, archive.segment.trailer
    return {
        "file": segment.file, "archive": segment.archive, "job": segment.job, "started": segment.started,
        "finished": trailer.finished if trailer else None, "state": segment.state,
        "complete": segment.is_complete, "members": trailer.members if trailer else None,
        "problems": trailer.problems if trailer else None,
        "source_bytes": trailer.source_bytes if trailer else None,
        "stored_bytes": trailer.stored_bytes if trailer else None,
        "encrypted": segment.is_encrypted, "encrypted_for": list(segment.encrypted_for),
        "problem": segment.problem or None,
        "evidence": {"rung": archive.evidence.rung, "at": archive.evidence.at} if archive.evidence else None,
    }  # fmt: skip


def _show(result: inspect.Result, words: Words) -> None:
    label, medium = result.label, result.medium
    device = " ".join(part for part in (result.device.vendor, result.device.model, result.device.serial) if part)
    click.echo(f"device     {result.device.node}{f' ({device})' if device else ''}")
    if label is None:
        click.echo(f"label      UNREADABLE: {result.label_problem}")
    else:
        click.echo(f"cartridge  {label.name}{f' (pool {label.pool})' if label.pool else ''}, id {label.cartridge}")
        blocks = f"blocks of {label.block_size >> 10} KiB"
        click.echo(f"labelled   {label.labelled} by {label.tool}, format {label.format}, {blocks}")
    protected = ", write-protected" if medium.write_protected else ""
    click.echo(f"room       {size_text(medium.remaining_bytes)} free of {size_text(medium.capacity_bytes)}{protected}")
    _show_health(result, words)
    for each in result.scrubs[-SCRUBS:]:
        click.echo(f"scrubbed   {scrub_text(each)}")
    if result.advised:
        click.echo(f"advice     {result.advised.advice.value}: {result.advised.why}")
    if not result.archives:
        click.echo("archives   none")
        return
    click.echo()
    show_table(COLUMNS, [_row(archive) for archive in result.archives], "")
    for archive in result.archives:
        if archive.segment.is_encrypted:
            whom = ", ".join(archive.segment.encrypted_for)
            click.echo(f"file {archive.segment.file}: opens with the key of: {whom}")
    for archive in result.archives:
        if archive.segment.problem:
            click.echo(f"file {archive.segment.file}: {archive.segment.problem}", err=True)


def _show_health(result: inspect.Result, words: Words) -> None:
    """What the drive and the cartridge's chip say, where they say anything; --json has all of it."""
    counted = health.counted(result.health, words)
    if counted or health.warned(result.health, words):
        click.echo(f"health     {health.said(result.health, words)}")
    if counted:
        click.echo(f"counters   {words.clauses(counted)}")
    loads = result.attributes.get("load_count")
    if loads is not None:
        click.echo(f"chip       {loads} loads; {len(result.attributes)} attributes (--json shows them)")


def _row(archive: Archive) -> tuple[str, ...]:
    segment, trailer, evidence = archive.segment, archive.segment.trailer, archive.evidence
    problems = f" ({trailer.problems} not whole)" if trailer and trailer.problems else ""
    return (
        str(segment.file), segment.archive[:8] or "?", segment.job, segment.started,
        segment.state if segment.is_complete else segment.state.upper(),
        f"{trailer.members}{problems}" if trailer else "?",
        size_text(trailer.source_bytes) if trailer else "?", size_text(trailer.stored_bytes) if trailer else "?",
        f"{evidence.rung} {evidence.at}" if evidence else ("written" if trailer else "none"),
    )  # fmt: skip
