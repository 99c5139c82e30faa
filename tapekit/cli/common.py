"""What all commands share: the drive argument, options, and how results are shown."""

import contextlib
import dataclasses
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from drivers.base import TELL_LONG, Drive
from tapekit import config, drives
from tapekit.blocks.correct import Corrected
from tapekit.cli import complete, long
from tapekit.config.places import Places, places
from tapekit.errors import Busy, TapekitError
from tapekit.evidence import Evidences, state_directory
from tapekit.jobs.nightly.lock import locked
from tapekit.report import health
from tapekit.report.night import Note
from tapekit.report.notes import worded
from tapekit.report.words import Words
from tapekit.scrubs import Scrub
from tapekit.units import size_text

drive_argument = click.argument("drive", shell_complete=complete.completing(complete.drives))
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
SHOWN = 20
"""Lines of a long list that are shown; --json has them all."""


def job_argument(*, is_required: bool = False) -> Callable[[Any], Any]:
    """The JOB argument; without it, where it need not be there, all jobs or the only one."""
    return click.argument("job", required=is_required, shell_complete=complete.completing(complete.jobs))


def archive_option(default: str, *, several: bool) -> Callable[[Any], Any]:
    """The --archive option: an id or its beginning, latest, and all where `several` make sense."""
    choices = "ID, latest or all" if several else "ID or latest"
    return click.option("--archive", default=default, show_default=True, metavar="ID", help=f"{choices}.")


@contextlib.contextmanager
def opened(context: click.Context, drive: str, *, writable: bool = False, alone: bool = False) -> Iterator[Drive]:
    """The drive that a command names, closed again whatever happens; held for it alone where it writes, or says so."""
    named = config.drives(context.find_root().obj)
    TELL_LONG.set(long.told)
    with held(context, url_of(context, drive), alone=writable or alone):
        device = drives.open_drive(drive, named, writable=writable)
        try:
            yield device
        finally:
            device.close()


def url_of(context: click.Context, drive: str) -> str:
    """The URL of a drive that is given so, or by its name in the configuration. Raises UsageError."""
    return ":".join(drives.resolve(drive, config.drives(context.find_root().obj)))


@contextlib.contextmanager
def held(context: click.Context, url: str, *, alone: bool) -> Iterator[None]:
    """The lock of a drive, so that no night and no command gets in between. Raises Busy, at once.

    Where this machine has no state yet, no night runs; where no lock can be kept, the drive itself keeps others out.
    """
    state, holder = state_of(context), f"tapekit {context.command_path.partition(' ')[2]}"
    with contextlib.ExitStack() as stack:
        if state.is_dir():
            try:
                stack.enter_context(locked(state / "locks", [url], holder, 0, is_shared=not alone))
            except Busy:
                raise
            except TapekitError:
                pass
        yield


def places_of(context: click.Context) -> Places:
    """Where the site keeps its keys, and what it is called."""
    return places(context.find_root().obj)


def state_of(context: click.Context) -> Path:
    """The state directory that the configuration names, or the usual one."""
    return places_of(context).state or state_directory()


@contextlib.contextmanager
def evidences() -> Iterator[Evidences]:
    """The evidence journal of this machine; a journal that cannot be kept is said, and stops nothing."""
    journal = Evidences(state_of(click.get_current_context()))
    try:
        yield journal
    finally:
        if journal.problem:
            click.echo(f"tapekit: the evidence journal cannot be kept: {journal.problem}", err=True)


def path_text(path: bytes) -> str:
    """A member's path as a terminal may show it: control characters and broken UTF-8 are escaped."""
    text = path.decode("utf-8", "backslashreplace")
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def path_json(path: bytes) -> str:
    """A member's path for programs: bytes that are not UTF-8 become lone surrogates, as os.fsdecode has them."""
    return os.fsdecode(path)


def print_json(answer: dict[str, Any], *, to_error: bool = False) -> None:
    """One JSON object on one line."""
    click.echo(json.dumps(answer), err=to_error)


def write_file(path: Path, content: bytes) -> None:
    """Write a file that a person named, with the directories on the way. Raises TapekitError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise TapekitError(f"{path}: {(error.strerror or '').lower()}") from error


def show_list(title: str, lines: Sequence[str]) -> None:
    """A list for a person, on standard error, cut where it is long."""
    if not lines:
        return
    click.echo(f"{title}:", err=True)
    for line in lines[:SHOWN]:
        click.echo(f"  {line}", err=True)
    if len(lines) > SHOWN:
        click.echo(f"  … and {len(lines) - SHOWN} more; --json names them all", err=True)


def show_corrected(blocks: Sequence[Corrected]) -> None:
    """Blocks that parity gave back, for a person: nothing of them is lost, and the medium is not as it was."""
    lines = [f"block {item.block} of file {item.file} ({item.kind.name.lower()}): {item.why}" for item in blocks]
    show_list("corrected", lines)


def corrected_json(blocks: Sequence[Corrected]) -> list[dict[str, Any]]:
    """The same for programs."""
    return [
        {"file": item.file, "block": item.block, "kind": item.kind.name.lower(), "why": item.why} for item in blocks
    ]


def scrub_text(found: Scrub) -> str:
    """A scrub in a line."""
    serial = f" ({found.serial})" if found.serial else ""
    return (
        f"{found.at} in {found.drive}{serial}: {found.corrected} corrected, {found.lost} lost, "
        f"{found.retries} read again by the drive, {size_text(found.bytes_per_s)}/s"
    )


def scrub_json(found: Scrub) -> dict[str, Any]:
    """The same for programs."""
    return dataclasses.asdict(found) | {"bytes_per_s": found.bytes_per_s}


def reasons(items: Sequence[tuple[bytes, str]]) -> list[str]:
    """Paths and reasons as lines."""
    return [f"{path_text(path)}: {why}" for path, why in items]


def reasons_json(items: Sequence[tuple[bytes, str]]) -> list[dict[str, str]]:
    """Paths and reasons for programs."""
    return [{"path": path_json(path), "why": why} for path, why in items]


def words_of(context: click.Context) -> Words:
    """The words of the site's language."""
    return Words(places_of(context).language)


def health_json(told: health.Telling, words: Words) -> dict[str, Any]:
    """What a drive says of itself and of the cartridge in it, for programs."""
    return {"alerts": health.warned(told, words), "flags": sorted(told.flags), "counters": dict(told.counters)}


def notes_json(notes: Iterable[Note], language: str = "en") -> list[dict[str, str]]:
    """Warnings and problems for programs, their kind beside their words."""
    words = Words(language)
    return [{"kind": note.kind, **worded(note, words)._asdict()} for note in notes]
