"""`tapekit init`: a configuration file to begin with."""

import os
import socket
import sys
import tomllib
from pathlib import Path

import click

from tapekit.config import file
from tapekit.config.example import ROTATIONS, Answers, text
from tapekit.config.load import check
from tapekit.config.probe import Device, devices
from tapekit.drives import DRIVERS
from tapekit.errors import TapekitError, UsageError
from tapekit.units import size_text

SCHEMES = [scheme for scheme, _, _ in ROTATIONS]
IMAGE = "image:/srv/tapekit/cartridge.tkc"
"""Offered where no device is found."""


@click.command("init")
@click.option("--output", type=click.Path(path_type=Path), help="File to write; otherwise the one that would be read.")
@click.option("--site", metavar="NAME", help="Name of this site.")
@click.option("--language", type=click.Choice(("en", "fr")), help="Language of reports and mails.")
@click.option("--drive", metavar="URL", help="image:FILE or disk:/dev/...")
@click.option("--source", "sources", multiple=True, metavar="PATH", help="What to save; may be repeated.")
@click.option("--scheme", type=click.Choice(SCHEMES), help="Which cartridge goes in when.")
@click.option("--time", metavar="HH:MM", help="When the job begins.")
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
    found = [device for device in devices() if device.url.partition(":")[0] in dict(DRIVERS)]
    answers = Answers(
        site=site or ask("Name of this site", default=socket.gethostname()),
        language=language or ask("Language of reports", default="en", type=click.Choice(("en", "fr"))),
        drive=drive or _drive(found, is_asking=not yes),
        sources=sources or tuple(ask("Directories to save, with a space between them", default="/srv").split()),
        scheme=scheme or ask("Rotation", default="weekdays", type=click.Choice(SCHEMES)),
        time=time or ask("When does it begin?", default="21:30"),
    )
    content = text(answers)
    check(str(path), content, tomllib.loads(content))
    _write(path, content)
    click.echo(f"written: {path}")
    click.echo(f"next: tapekit --config {path} config check")


def _usual_file(chosen: str | None) -> Path:
    named = chosen or os.environ.get("TAPEKIT_CONFIG")
    return Path(named) if named else file.SYSTEM_FILE if os.geteuid() == 0 else file.user_file()


def _take_default(_question: str, *, default: str, **_: object) -> str:
    return default


def _drive(found: list[Device], *, is_asking: bool) -> str:
    """The drive: the number of a device that was found, or any URL."""
    default = found[0].url if found else IMAGE
    if not is_asking:
        return default
    for number, device in enumerate(found, 1):
        size = size_text(device.size_bytes) if device.size_bytes else "no cartridge in it"
        click.echo(f"  {number}  {device.words} ({size}): {device.url}")
    if not found:
        click.echo("  no removable disk was found: a file can stand for a cartridge")
    answer: str = click.prompt("Drive: a number of these, image:FILE or disk:/dev/...", default=default)
    return found[int(answer) - 1].url if answer.isdecimal() and 0 < int(answer) <= len(found) else answer


def _write(path: Path, content: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
    except OSError as error:
        raise TapekitError(f"{path}: {(error.strerror or '').lower()}") from error
