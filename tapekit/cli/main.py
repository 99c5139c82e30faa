"""The `tapekit` command: finds the sub-command, and turns errors into messages and exit codes."""

import gc
import importlib
import json
import os
import sys
from typing import Any

import click

from tapekit import __version__
from tapekit.audit import events as audit
from tapekit.errors import REPORTED, Exit, exit_code

COMMANDS = (
    ("label", "Make a medium a cartridge, or give a cartridge a new label."),
    ("backup", "Save files and directories as a new archive."),
    ("verify", "Read everything back from the medium, and check it."),
    ("scrub", "Read a whole cartridge, correct what can be, and say how its medium is."),
    ("inspect", "Show what a cartridge is and what is on it."),
    ("list", "List the members of archives."),
    ("restore", "Put members of an archive back below a directory."),
    ("export", "Write an archive as a pax tar to standard output."),
    ("eject", "Let a cartridge go, and write down that it is out."),
    ("init", "Write a configuration file, after a look at the devices and a few questions."),
    ("config", "Check and show the configuration."),
    ("schedule", "Run the jobs at their times, by systemd or cron."),
    ("status", "Say how the jobs are, and alarm when one is overdue."),
    ("nightly", "Run a night of a job: save, read back, compare, report."),
    ("capacity", "Show how what is saved grows, and until when the cartridges hold it."),
    ("check-tonight", "Look before closing time: is the right cartridge in?"),
    ("next", "Say which cartridge goes in tonight and in the weeks to come."),
    ("find", "Find members of all archives by name."),
    ("versions", "Show every version of a file."),
    ("compare", "Show what differs between two archives."),
    ("cartridges", "Show the cartridges that are known; say where they are."),
    ("doctor", "Find what would spoil a night: permissions, drivers, clock, catalog, keys."),
    ("devices", "Show drives, changers and serial ports, what is in them, and what is lacking."),
    ("attend", "Watch the drives: say whether the cartridge that is put in is right; start its job."),
    ("changer", "Show what is in a changer; load, unload, move, clean."),
    ("scan", "Read labels from a barcode scanner; compare a shelf with the catalog."),
    ("loader", "Send a loader a command, by a profile that you wrote."),
    ("catalog", "Rebuild the catalog from cartridges; check it."),
    ("keys", "Make keys; say whose keys open what is written."),
    ("drill", "Rehearse a bad day on drives that are files: wrong cartridge, full tape, lost server."),
    ("audit", "Show and check who did what."),
)
"""Name and summary; each command is `command` in the module of its name, read in only when it is called."""


class Commands(click.Group):
    """Reads in a command's module only when it is called, so that every command starts quickly."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - what the command returns
        """Run the command, and tell what went wrong; the answer is the exit code."""
        try:
            with audit.keeping(lambda: _audit_log(ctx)) as kept:
                try:
                    return super().invoke(ctx)
                finally:
                    if kept.problem:
                        click.echo(f"tapekit: the audit log cannot be kept: {kept.problem}", err=True)
        except REPORTED as error:
            # The standard output of `export` is the tar.
            return report(error, as_json="--json" in sys.argv, to_error=ctx.invoked_subcommand == "export")

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's shape
        """The names in the order in which a person needs them."""
        return [name for name, _ in COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of that name."""
        if cmd_name not in dict(COMMANDS):
            return None
        gc.disable()  # there is no garbage yet; looking for it takes a sixth of the start
        try:
            module = importlib.import_module("tapekit.cli." + cmd_name.replace("-", "_"))
        finally:
            gc.freeze()  # what was read in stays: nobody looks through it again
            gc.enable()
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Names and summaries, without reading the modules in."""
        with formatter.section("Commands"):
            formatter.write_dl(COMMANDS)


def _audit_log(context: click.Context) -> audit.Log:
    """The audit log of this site, when something happens that it notes."""
    from tapekit.audit.log import AuditLog  # noqa: PLC0415 - it signs: the ciphers are read in when they are needed
    from tapekit.cli.common import places_of, state_of  # noqa: PLC0415

    return AuditLog(state_of(context), places_of(context).site)


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--config", metavar="FILE", help="Configuration file; otherwise TAPEKIT_CONFIG, /etc/tapekit, or XDG.")
@click.version_option(__version__, message="tapekit %(version)s")
@click.pass_context
def cli(context: click.Context, config: str | None) -> None:
    """Save files to cartridges (image files, disks), read them back, and restore them.

    DRIVE is image:FILE, disk:/dev/..., or a name from the configuration.
    """
    context.obj = config


def main() -> None:
    """Run, and exit with the code that docs/messages.md documents."""
    try:
        code = cli.main(standalone_mode=False)
    except click.UsageError as error:
        error.show()
        code = Exit.USAGE
    except click.exceptions.Exit as error:
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("tapekit: interrupted", err=True)
        code = Exit.FAILED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = Exit.FAILED
    sys.exit(int(code or 0))


def report(error: Exception, *, as_json: bool, to_error: bool) -> Exit:
    """Tell a person, and a program that asked for JSON, what went wrong."""
    code, hint = exit_code(error), getattr(error, "hint", None)
    click.echo(f"tapekit: {error}", err=True)
    if hint:
        click.echo(f"  hint: {hint}", err=True)
    if as_json:
        answer: dict[str, Any] = {"error": str(error), "hint": hint, "exit_code": int(code)}
        click.echo(json.dumps(answer), err=to_error)
    return code
