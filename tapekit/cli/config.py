"""`tapekit config`: is the configuration right, and what does it say?"""

import json

import click

from tapekit import config
from tapekit.cli.common import json_option, print_json
from tapekit.config.doubts import doubts
from tapekit.config.jsonschema import Schema
from tapekit.config.load import BadConfiguration, load
from tapekit.config.schema import Configuration
from tapekit.config.show import effective, to_toml
from tapekit.drives import DRIVERS
from tapekit.errors import Exit
from tapekit.units import counted

DIALECT = "https://json-schema.org/draft/2020-12/schema"


@click.group("config")
def command() -> None:
    """Check and show the configuration."""


@command.command("check")
@json_option
@click.pass_context
def _check(context: click.Context, as_json: bool) -> None:
    """Name everything that is wrong (exit code 2), or not there on this machine (exit code 3)."""
    chosen: str | None = context.find_root().obj
    try:
        configuration = load(chosen)
    except BadConfiguration as error:
        if not as_json:
            raise
        problems = [{"line": it.line, "field": it.field, "why": it.why, "hint": it.hint} for it in error.problems]
        print_json({"file": str(config.find(chosen)), "ok": False, "problems": problems, "warnings": []})
        context.exit(Exit.USAGE)
    path = config.find(chosen)
    found = list(doubts(configuration, tuple(scheme for scheme, _ in DRIVERS)))
    if as_json:
        warnings = [{"field": field, "why": why} for field, why in found]
        print_json({"file": str(path), "ok": True, "problems": [], "warnings": warnings})
    else:
        for field, why in found:
            click.echo(f"configuration: {path}: {field}: {why}", err=True)
        click.echo(f"{path}: {'valid' if found else 'good'}: {_count(configuration)}")
    if found:
        context.exit(Exit.WARNINGS)


@command.command("show")
@json_option
@click.pass_context
def _show(context: click.Context, as_json: bool) -> None:
    """Print the configuration as it counts: with every default, and without secrets."""
    content = effective(load(context.find_root().obj))
    if as_json:
        print_json(content)
    else:
        click.echo(to_toml(content), nl=False)


@command.command("schema")
def _schema() -> None:
    """Print a JSON schema of the file, with which editors complete keys and check values."""
    schema = {"$schema": DIALECT} | Configuration.model_json_schema(schema_generator=Schema) | {"title": "tapekit.toml"}
    click.echo(json.dumps(schema, indent=2, ensure_ascii=False))


def _count(configuration: Configuration) -> str:
    counts = {
        "job": len(configuration.jobs),
        "drive": len(configuration.drives),
        "rotation": len(configuration.rotations),
    }
    return ", ".join(counted(count, name) for name, count in counts.items())
