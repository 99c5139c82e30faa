"""`tapekit loader`: commands to a loader on a serial port, by its user's own profile."""

from pathlib import Path

import click

from drivers.loader import Answer, BadArgument, Loader, Profile
from tapekit.cli.common import json_option, path_text, print_json
from tapekit.cli.tables import show_table
from tapekit.config.loader import load_profile
from tapekit.errors import UsageError


@click.command("loader")
@click.argument("profile", type=click.Path(path_type=Path))
@click.argument("name", metavar="[COMMAND]", required=False)
@click.argument("arguments", metavar="[NAME=VALUE]...", nargs=-1)
@click.option("--port", metavar="PORT", default="", help="Serial port; without it, the profile's.")
@json_option
def command(profile: Path, name: str | None, arguments: tuple[str, ...], port: str, as_json: bool) -> None:
    """Send a loader one command of PROFILE, a TOML file, and wait for its answer; without COMMAND show what there is.

    A loader's protocol is what its user wrote into the profile: tapekit knows none by itself.
    """
    known = load_profile(profile)
    if name is None:
        _show_commands(known, as_json=as_json)
        return
    if name not in known.commands:
        raise UsageError(f"loader: {profile}: no command {name!r}", f"commands: {', '.join(sorted(known.commands))}")
    values = dict(_pair(argument) for argument in arguments)
    try:
        known.commands[name].line(values)  # before the port is opened
        answer = _run(known, name, values, port)
    except BadArgument as error:
        raise UsageError(f"loader: {name}: {error}", "write arguments as NAME=VALUE") from error
    if as_json:
        print_json({"loader": known.name, "command": name, "arguments": values, "lines": list(answer.lines)})
    else:
        for line in answer.lines:
            click.echo(path_text(line.encode()))


def _run(profile: Profile, name: str, values: dict[str, str], port: str) -> Answer:
    loader = Loader(profile, port)
    try:
        return loader.run(name, values)
    finally:
        loader.close()


def _pair(argument: str) -> tuple[str, str]:
    name, equals, value = argument.partition("=")
    if not equals:
        raise UsageError(f"loader: {argument!r}: no argument", "write arguments as NAME=VALUE")
    return name, value


def _show_commands(profile: Profile, *, as_json: bool) -> None:
    if as_json:
        print_json({
            "loader": profile.name,
            "commands": [
                {"name": name, "arguments": list(each.arguments), "about": each.about}
                for name, each in profile.commands.items()
            ],
        })  # fmt: skip
        return
    rows = [(name, " ".join(f"{it}=…" for it in each.arguments), each.about) for name, each in profile.commands.items()]
    show_table(("command", "arguments", ""), rows, "no commands")
