"""`tapekit nightly`: a night of a job, from the drive to the report."""

from datetime import datetime

import click

from tapekit.cli import progress
from tapekit.cli.common import job_argument, json_option
from tapekit.config.load import load
from tapekit.jobs.nightly.night import night
from tapekit.jobs.nightly.setting import setting
from tapekit.report.log import is_journal, lines
from tapekit.report.stored import to_json


@click.command("nightly")
@job_argument(is_required=True)
@click.option("--date", "day", type=click.DateTime(["%Y-%m-%d"]), help="A night that is late: YYYY-MM-DD.")
@json_option
@click.pass_context
def command(context: click.Context, job: str, day: datetime | None, as_json: bool) -> None:
    """Run a night of JOB: save, read back, compare, report.

    What goes wrong is met by the way that loses least, and told. The exit code says how the night ended.
    """
    chosen = setting(load(context.find_root().obj), job)
    shown = progress.shown(as_json=as_json)
    report = night(chosen, shown, day.date() if day else None, _waiting)
    if as_json:
        click.echo(to_json(report))
    else:
        for line in lines(report, chosen.language, with_priority=is_journal()):
            click.echo(line)
    context.exit(report.exit_code)


def _waiting(used: str) -> None:
    click.echo(f"{used}: waiting", err=True)
