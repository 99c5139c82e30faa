"""`tapekit init`: a configuration file to begin with."""

import os
import shlex
import socket
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from pydantic import TypeAdapter, ValidationError

from drivers.discover import Kind
from tapekit.cli.common import write_file
from tapekit.config import file
from tapekit.config.example import ROTATIONS, Answers, text
from tapekit.config.fields import AbsolutePath, TimeOfDay
from tapekit.config.load import check
from tapekit.config.schema import DriveUrl, SiteName
from tapekit.config.words import reason
from tapekit.drives import DRIVERS
from tapekit.errors import UsageError
from tapekit.jobs.devices import Seen, offered
from tapekit.units import size_text


class Checked(click.ParamType[Any]):
    """An answer, taken as it is where the configuration takes it; else the question is asked again."""

    def __init__(self, name: str, kind: Any) -> None:  # noqa: ANN401 - any type that pydantic knows
        """Name it, and say what it must be."""
        self.name = name
        self._kind = TypeAdapter(kind)

    def convert(self, value: str, parameter: click.Parameter | None, context: click.Context | None) -> Any:  # noqa: ANN401
        """The answer. Raises BadParameter."""
        try:
            self._kind.validate_python(value)
        except ValidationError as error:
            self.fail(reason(error.errors()[0], ())[0], parameter, context)
        return value


class Paths(Checked):
    """Several paths in one line, as a shell would read it."""

    def convert(self, value: str, parameter: click.Parameter | None, context: click.Context | None) -> Any:  # noqa: ANN401
        """The paths. Raises BadParameter."""
        try:
            paths = shlex.split(value)
        except ValueError as error:
            self.fail(str(error).lower(), parameter, context)
        return tuple(super(Paths, self).convert(path, parameter, context) for path in paths)


class Drive(Checked):
    """A drive: the number of a device that was found, or a URL."""

    def __init__(self, found: Sequence[Seen] = ()) -> None:
        """Take what was found."""
        super().__init__("url", DriveUrl)
        self._found = found

    def convert(self, value: str, parameter: click.Parameter | None, context: click.Context | None) -> Any:  # noqa: ANN401
        """The URL; a file's path is made absolute, because the job runs elsewhere. Raises BadParameter."""
        if value.isdecimal() and 0 < int(value) <= len(self._found):
            return self._found[int(value) - 1].url
        scheme, _, path = str(super().convert(value, parameter, context)).partition(":")
        if scheme not in dict(DRIVERS):
            known = ", ".join(f"{name}:" for name, _ in DRIVERS)
            self.fail(f"expected {known} with a file or device behind it, got {value!r}", parameter, context)
        return f"image:{Path(path).absolute()}" if scheme == "image" else value


SITE, TIME, SOURCE = Checked("name", SiteName), Checked("time", TimeOfDay), Checked("path", AbsolutePath)
PATHS = Paths("paths", AbsolutePath)
SCHEMES = [scheme for scheme, _, _ in ROTATIONS]
IMAGE = "image:/srv/tapekit/cartridge.tkc"
"""Offered where no device is found."""


@click.command("init")
@click.option("--output", type=click.Path(path_type=Path), help="File to write; otherwise the one that would be read.")
@click.option("--site", metavar="NAME", type=SITE, help="Name of this site.")
@click.option("--language", type=click.Choice(("en", "fr")), help="Language of reports and mails.")
@click.option("--drive", metavar="URL", type=Drive(), help="image:FILE or disk:/dev/...")
@click.option("--source", "sources", multiple=True, metavar="PATH", type=SOURCE, help="What to save; may be repeated.")
@click.option("--scheme", type=click.Choice(SCHEMES), help="Which cartridge goes in when.")
@click.option("--time", metavar="HH:MM", type=TIME, help="When the job begins.")
@click.option("--yes", is_flag=True, help="Ask nothing: take the options, and what is usual for the rest.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@click.pass_context
def command(
    context: click.Context, output: Path | None, site: str | None, language: str | None, drive: str | None,
    sources: tuple[str, ...], scheme: str | None, time: str | None, yes: bool, force: bool,
) -> None:  # fmt: skip
    """Look at the devices, ask a few questions, and write a commented configuration file."""
    path = output or _usual_file(context.find_root().obj)
    if path.exists() and not force:
        raise UsageError(f"{path}: there already", "name another file with --output, or say --force to replace it")
    if not yes and not sys.stdin.isatty():
        raise UsageError(
            "init: there is no terminal to ask questions on", "say --yes, and give the options that matter"
        )
    ask = _take_default if yes else click.prompt
    found = offered()
    answers = Answers(
        site=site or ask("Name of this site", default=socket.gethostname(), type=SITE),
        language=language or ask("Language of reports", default="en", type=click.Choice(("en", "fr"))),
        drive=drive or _drive(found, is_asking=not yes),
        sources=sources or ask("Directories to save, with a space between them", default="/srv", type=PATHS),
        scheme=scheme or ask("Rotation", default="weekdays", type=click.Choice(SCHEMES)),
        time=time or ask("When does it begin?", default="21:30", type=TIME),
    )
    content = text(answers)
    check(str(path), content, tomllib.loads(content))
    write_file(path, content.encode())
    click.echo(f"written: {path}")
    click.echo(f"next: tapekit --config {path} config check")


def _usual_file(chosen: str | None) -> Path:
    named = chosen or os.environ.get("TAPEKIT_CONFIG")
    return Path(named) if named else file.SYSTEM_FILE if os.geteuid() == 0 else file.user_file()


def _take_default(_question: str, *, default: str, type: click.ParamType[Any]) -> Any:  # noqa: A002, ANN401 - as click's
    return type.convert(default, None, None)


def _drive(found: list[Seen], *, is_asking: bool) -> str:
    """The drive, asked for below what was found."""
    default = found[0].url if found else IMAGE
    if not is_asking:
        return default
    for number, device in enumerate(found, 1):
        size = device.device.size_bytes
        inside = "tape drive" if device.device.kind is Kind.TAPE else size_text(size) if size else "no cartridge in it"
        click.echo(f"  {number}  {device.device.name or 'no name'} ({inside}): {device.url}")
    if not found:
        click.echo("  no removable disk and no tape drive was found: a file can stand for a cartridge")
    question = (
        "Drive: a number of these, image:FILE or disk:/dev/..." if found else "Drive: image:FILE or disk:/dev/..."
    )
    return str(click.prompt(question, default=default, type=Drive(found)))
