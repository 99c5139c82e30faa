"""`tapekit audit`: who labelled, wrote, verified, restored and destroyed what, and who changed keys."""

import dataclasses
from pathlib import Path

import click

from formats.audit import AuditLine
from tapekit.cli.common import json_option, opened, places_of, print_json, state_of
from tapekit.cli.tables import show_table
from tapekit.errors import Exit
from tapekit.jobs import history
from tapekit.keys import ring
from tapekit.report.words import printable
from tapekit.units import counted

SHOW = (">event", "time", "what", "who", "about", "result")
year_option = click.option("--year", type=click.IntRange(2000, 9999), metavar="YYYY", help="The events of one year.")


@click.group("audit")
def command() -> None:
    """Show the audit log, check it, and hand it over."""


@command.command("show")
@year_option
@click.option("--last", type=click.IntRange(1), metavar="N", help="The latest N events.")
@json_option
@click.pass_context
def show_command(context: click.Context, year: int | None, last: int | None, as_json: bool) -> None:
    """Show the events, oldest first."""
    found = history.events(state_of(context), year)
    found = found[-last:] if last else found
    if as_json:
        print_json({"events": [dataclasses.asdict(event) for event in found]})
    else:
        show_table(SHOW, [_row(event) for event in found], "nothing yet")


@command.command("verify")
@click.argument("drives", nargs=-1, metavar="[DRIVE]...")
@json_option
@click.pass_context
def verify_command(context: click.Context, drives: tuple[str, ...], as_json: bool) -> None:
    """Check that the log is what was written (exit code 6 where it is not).

    With cartridges in DRIVEs, it is compared with what they remember of it: who rewrites the log cannot rewrite them.
    """
    places = places_of(context)
    heads = []
    for drive in drives:
        with opened(context, drive) as device:
            heads += history.witnesses(device, places.site)
    checked = history.verify(state_of(context), ring.read(places.keys).sites, heads)
    if as_json:
        findings = [{"line": finding.line, "why": finding.why} for finding in checked.findings]
        print_json({
            "ok": not findings, "events": checked.events, "heads": checked.witnesses, "findings": findings,
        })  # fmt: skip
    else:
        for finding in checked.findings:
            click.echo(f"  {finding}", err=True)
        against = (
            f", {counted(checked.witnesses, 'archive')} on cartridges agree" if heads and not checked.findings else ""
        )
        state = "CHANGED" if checked.findings else "good"
        click.echo(f"audit log: {state}: {counted(checked.events, 'event')}{against}")
    if checked.findings:
        context.exit(Exit.VERIFICATION)


@command.command("export")
@click.argument("file", type=click.Path(path_type=Path))
@year_option
@click.option("--language", type=click.Choice(("en", "fr")), help="Language of the PDF.")
@click.pass_context
def export_command(context: click.Context, file: Path, year: int | None, language: str | None) -> None:
    """Write the events to FILE: .csv for a spreadsheet, .json with chain and signatures, .pdf for the yearly audit."""
    places, state = places_of(context), state_of(context)
    found = history.events(state, year)
    if file.suffix == ".csv":
        content = history.as_csv(found).encode("utf-8-sig")
    elif file.suffix == ".json":
        content = history.as_json(found).encode("utf-8")
    elif file.suffix == ".pdf":
        from tapekit.report.audit import Cover, audit_pdf  # noqa: PLC0415 - a large library, for the PDF alone

        checked = history.verify(state, ring.read(places.keys).sites, ())
        digest = history.digest_of(found[-1]) if found else ""
        cover = Cover(places.site, year, len(checked.findings), digest, language or places.language)
        content = audit_pdf(found, cover)
    else:
        raise click.UsageError("expected a FILE that ends in .csv, .json or .pdf")
    history.write(file, content)
    click.echo(f"{file}: {counted(len(found), 'event')}")


def _row(event: AuditLine) -> tuple[str, ...]:
    about = [event.cartridge, event.job, event.archive[:8], event.subject]
    cells = (
        str(event.sequence), event.at, event.event, event.who, " ".join(filter(None, about)),
        " ".join(filter(None, (event.result, event.note))),
    )  # fmt: skip
    return tuple(map(printable, cells))
