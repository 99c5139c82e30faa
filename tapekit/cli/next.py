"""`tapekit next`: which cartridge goes in tonight, and in the weeks to come."""

from datetime import date, datetime
from pathlib import Path
from typing import Any

import click

from tapekit import clock
from tapekit.cli.common import job_argument, json_option, print_json, write_file
from tapekit.cli.tables import show_table
from tapekit.config.load import load
from tapekit.errors import Exit
from tapekit.jobs import foresee, lookup
from tapekit.model import tonight
from tapekit.report.ics import ics, several_words, use_words
from tapekit.report.sheets import SHEETS, Label
from tapekit.rotation.forecast import ForecastNight, Use

COLUMNS = ("night", "cartridge", "pool", "")


@click.command("next")
@job_argument()
@click.option("--date", "day", type=click.DateTime(["%Y-%m-%d"]), help="Another night than tonight: YYYY-MM-DD.")
@click.option("--weeks", type=click.IntRange(1, 520), help="The nights of so many weeks; 4 with --ics.")
@click.option("--ics", "ics_file", type=click.Path(path_type=Path), help="Write the nights for a phone's calendar.")
@click.option(
    "--labels", "labels_file", type=click.Path(path_type=Path), help="Write a PDF with a label for each cartridge."
)
@click.option("--sheet", type=click.Choice([name for name, _ in SHEETS]), default="l7160", show_default=True,
              help="Labels: Avery L7160, L7163, L7651, or spine labels of LTO cartridges.")  # fmt: skip
@json_option
@click.pass_context
def command(
    context: click.Context, job: str | None, day: datetime | None, weeks: int | None, ics_file: Path | None,
    labels_file: Path | None, sheet: str, as_json: bool,
) -> None:  # fmt: skip
    """Say which cartridge goes in tonight, and why."""
    chosen = context.find_root().obj
    configuration = load(chosen)
    with lookup.open_store(chosen) as store:
        stock = store.stock()
    now = clock.now()
    name = foresee.the_job(configuration, job)
    night = day.date() if day else tonight(now, configuration.jobs[name].time)
    result = foresee.run(configuration, stock, name, night, weeks or (4 if ics_file else 0))
    if ics_file:
        site = configuration.site
        write_file(ics_file, ics(site.name, result.job, result.nights, now, site.language))
    if labels_file:
        from tapekit.report.labels import labels_pdf  # noqa: PLC0415 - reads in a library that draws: half the command

        labels = [Label(name, result.scheme.pool_of(name)) for name in result.scheme.names]
        write_file(labels_file, labels_pdf(labels, dict(SHEETS)[sheet]))
    if as_json:
        print_json(_json(result))
    else:
        _show(result, is_calendar=bool(weeks))
        for path in filter(None, (ics_file, labels_file)):
            click.echo(f"written: {path}")
    if not result.nights or _is_short(result.nights[0]):
        context.exit(Exit.WARNINGS)


def _is_short(night: ForecastNight) -> bool:
    """Whether a night has no cartridge that it can be written to."""
    return bool(night.further) or all(each.use is Use.BLOCKED for each in night.cartridges)


def _show(result: foresee.Result, *, is_calendar: bool) -> None:
    if result.why_closed:
        click.echo(f"no night on {_day(result.night)}: {result.why_closed}")
    if is_calendar:
        show_table(COLUMNS, [_row(night) for night in result.nights], "no night in these weeks")
        return
    if not result.nights:
        click.echo("no night within three years")
        return
    night = result.nights[0]
    names = ", ".join(night.choice.names) or "no cartridge in service"
    click.echo(f"{_day(night.night)}: {names} (pool {night.choice.turn.pool})")
    click.echo(f"  {night.choice.why}")
    for each in night.cartridges:
        click.echo(f"  {each.name}: {use_words(each, night)}")
    if night.count > 1 and night.is_set:
        click.echo(f"  {several_words(night)}")


def _row(night: ForecastNight) -> tuple[str, ...]:
    said = [*(use_words(each, night) for each in night.cartridges), *([several_words(night)] if night.is_set else [])]
    uses = "; ".join(str(words) for words in said)
    return _day(night.night), ", ".join(night.choice.names) or "none in service", night.choice.turn.pool, uses


def _day(night: date) -> str:
    return night.strftime("%a %Y-%m-%d")


def _json(result: foresee.Result) -> dict[str, Any]:
    return {
        "job": result.job, "night": str(result.night),
        "closed": str(result.why_closed) if result.why_closed else None,
        "nights": [_night_json(night) for night in result.nights],
    }  # fmt: skip


def _night_json(night: ForecastNight) -> dict[str, Any]:
    return {
        "night": str(night.night), "pool": night.choice.turn.pool, "why": str(night.choice.why),
        "skipped": list(night.choice.skipped), "needs": night.count,
        "cartridges": [
            {"name": each.name, "use": each.use.value, "loss": str(each.loss.words(night.night)) if each.loss else None}
            for each in night.cartridges
        ],
    }  # fmt: skip
