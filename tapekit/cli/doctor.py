"""`tapekit doctor`: what would spoil a night, before one is spoilt."""

import click

from tapekit import clock
from tapekit.cli.common import json_option, print_json
from tapekit.cli.tables import folded
from tapekit.errors import TapekitError
from tapekit.jobs import past
from tapekit.jobs.doctor import machine, site
from tapekit.jobs.doctor.finding import Finding, Gravity, exit_code
from tapekit.report.said import in_language, said
from tapekit.units import counted

_KINDS = {
    "permission": said("permission"), "device": said("device"), "kernel": said("kernel"), "adapter": said("adapter"),
    "competitor": said("competitor"), "clock": said("clock"), "tool": said("tool"), "state": said("state"),
    "catalog": said("catalog"), "schedule": said("schedule"), "keys": said("keys"), "changer": said("changer"),
}  # fmt: skip
"""Where French has another word."""
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
        _show(findings, configuration.site.language if configuration else "en", is_all=is_all)
    context.exit(code)


def _show(findings: list[Finding], language: str, *, is_all: bool) -> None:
    """The worst first, in the site's language."""
    shown = [finding for finding in findings if is_all or finding.gravity is not Gravity.GOOD]
    for finding in sorted(shown, key=lambda finding: -finding.gravity):
        what, why, to_do = (in_language(text, language) for text in (finding.what, finding.why, finding.to_do))
        head = f"{_MARKS[finding.gravity]} {in_language(_KINDS.get(finding.kind, finding.kind), language)}: "
        for line in folded(head, f"{finding.where}: {what}" + (f" ({why})" if why else "")):
            click.echo(line)
        if to_do:
            for line in folded("    → ", to_do):
                click.echo(line)
    good = sum(finding.gravity is Gravity.GOOD for finding in findings)
    summary = f"{counted(good, 'check')} good, {counted(len(findings) - good, 'finding')}"
    if language == "fr":
        told = said("checks that are good: {good}; findings: {found}", good=str(good), found=str(len(findings) - good))
        summary = in_language(told, language)
    click.echo(summary)


def _json(finding: Finding) -> dict[str, str]:
    return {
        "gravity": finding.gravity.name.lower(), "kind": finding.kind, "where": finding.where, "what": finding.what,
        "why": finding.why, "to_do": finding.to_do,
    }  # fmt: skip
