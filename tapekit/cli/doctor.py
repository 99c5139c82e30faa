"""`tapekit doctor`: what would spoil a night, before one is spoilt."""

import click

from tapekit import clock
from tapekit.cli.common import json_option, print_json
from tapekit.cli.tables import folded
from tapekit.errors import TapekitError
from tapekit.jobs import past
from tapekit.jobs.doctor import machine, site
from tapekit.jobs.doctor.finding import Finding, Gravity, exit_code
from tapekit.units import counted

_MARKS = {Gravity.PROBLEM: "✗", Gravity.WARNING: "!", Gravity.NOTE: "·", Gravity.GOOD: "✓"}


@click.command("doctor")
@click.option("--all", "is_all", is_flag=True, help="Show what is good, too.")
@json_option
@click.pass_context
def command(context: click.Context, is_all: bool, as_json: bool) -> None:
    """Examine this machine and this site: permissions, drivers, who is on the drives, clock, catalog, keys.

    No drive is opened and nothing is written. Exit code 3: something may spoil a night; 4: something does not work.
    """
    chosen = context.find_root().obj
    configuration, findings = site.configured(chosen)
    last_night = None
    if configuration is not None:
        findings += site.examine(configuration, chosen)
        try:
            last_night = max((run.begun for run in past.recall(configuration).last.values()), default=None)
        except TapekitError:
            last_night = None  # the finding on the catalog says it
    findings += machine.examine(machine.Machine(), site.wanted_nodes(configuration), clock.now(), last_night)
    code = exit_code(findings)
    if as_json:
        print_json({"exit_code": int(code), "findings": [_json(finding) for finding in findings]})
    else:
        _show(findings, is_all=is_all)
    context.exit(code)


def _show(findings: list[Finding], *, is_all: bool) -> None:
    """The worst first."""
    shown = [finding for finding in findings if is_all or finding.gravity is not Gravity.GOOD]
    for finding in sorted(shown, key=lambda finding: -finding.gravity):
        head = f"{_MARKS[finding.gravity]} {finding.kind}: "
        for line in folded(head, f"{finding.where}: {finding.what}" + (f" ({finding.why})" if finding.why else "")):
            click.echo(line)
        if finding.to_do:
            for line in folded("    → ", finding.to_do):
                click.echo(line)
    good = sum(finding.gravity is Gravity.GOOD for finding in findings)
    click.echo(f"{counted(good, 'check')} good, {counted(len(findings) - good, 'finding')}")


def _json(finding: Finding) -> dict[str, str]:
    return {
        "gravity": finding.gravity.name.lower(), "kind": finding.kind, "where": finding.where, "what": finding.what,
        "why": finding.why, "to_do": finding.to_do,
    }  # fmt: skip
