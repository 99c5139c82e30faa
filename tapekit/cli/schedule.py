"""`tapekit schedule`: the jobs at their times, by systemd or cron."""

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

import click

from tapekit import config
from tapekit.cli.common import job_argument, json_option, print_json
from tapekit.config.load import load
from tapekit.errors import UsageError
from tapekit.schedule import attend, cron, install, systemd
from tapekit.schedule.files import File, Plan

root_option = click.option(
    "--root", type=click.Path(path_type=Path), help="Work below this directory (packages, tests)."
)
with_option = click.option(
    "--with", "scheduler", type=click.Choice(("systemd", "cron")), help="Without it: systemd where it runs, else cron."
)


@click.group("schedule")
def command() -> None:
    """Run the jobs at their times: systemd's timers, or lines for cron."""


@command.command("install")
@job_argument()
@root_option
@with_option
@json_option
@click.pass_context
def _install(context: click.Context, job: str | None, root: Path | None, scheduler: str | None, as_json: bool) -> None:
    """Install service and timer of JOB, or of all jobs; the service that attends the drives, and udev's rules."""
    paths = install.install(_files(context, job, root, scheduler), root)
    if as_json:
        print_json({"written": [str(path) for path in paths]})
    else:
        for path in paths:
            click.echo(f"written: {path}")


@command.command("remove")
@job_argument()
@root_option
@json_option
def _remove(job: str | None, root: Path | None, as_json: bool) -> None:
    """Remove what install wrote for JOB, or for all jobs, those that the configuration no longer knows too."""
    paths = install.installed(root, job)
    install.remove(paths, root)
    if as_json:
        print_json({"removed": [str(path) for path in paths]})
    else:
        for path in paths:
            click.echo(f"removed: {path}")
        if not paths:
            click.echo("nothing is installed")


@command.command("show")
@job_argument()
@with_option
@json_option
@click.pass_context
def _show(context: click.Context, job: str | None, scheduler: str | None, as_json: bool) -> None:
    """Print what install would write."""
    files = _files(context, job, None, scheduler)
    if as_json:
        print_json({"files": [{"path": str(file.path), "content": file.content} for file in files]})
    else:
        click.echo("\n".join(f"# {file.path}\n{file.content}" for file in files), nl=False)


def _files(context: click.Context, job: str | None, root: Path | None, scheduler: str | None) -> list[File]:
    chosen: str | None = context.find_root().obj
    configuration = load(chosen)
    if job is not None and job not in configuration.jobs:
        raise UsageError(f"job: {job!r}: the configuration has none of that name", _names(configuration.jobs))
    if not configuration.jobs:
        raise UsageError("schedule: the configuration has no jobs")
    use_systemd = scheduler == "systemd" or (scheduler is None and (root is not None or install.has_systemd()))
    module = systemd if use_systemd else cron
    program = program_of(context)
    jobs = [job] if job is not None else sorted(configuration.jobs)
    of_jobs = [file for name in jobs for file in module.files(Plan(configuration, name, program))]
    return [*of_jobs, *([attend.service(configuration, program)] if use_systemd else []), attend.rules()]


def _names(jobs: Iterable[str]) -> str:
    return f"jobs: {', '.join(sorted(jobs)) or 'none'}"


def program_of(context: click.Context) -> tuple[str, ...]:
    """The command up to its sub-command, which runs with the configuration that is chosen now."""
    path = config.find(context.find_root().obj)
    return (_program(), "--config", str(path.absolute())) if path else (_program(),)


def _program() -> str:
    """The tapekit that runs now, so that the timer runs the same."""
    beside = Path(sys.executable).with_name("tapekit")
    return str(beside) if beside.exists() else shutil.which("tapekit") or "/usr/bin/tapekit"
