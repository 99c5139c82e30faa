"""`tapekit devices`: what is connected, what is in it, what may be done with it, what is lacking."""

import itertools
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click

from drivers.hotplug import LOOK_AGAIN_S, NO_UDEV, UdevEvents
from tapekit.cli.common import health_json, json_option, path_text, print_json, state_of, words_of
from tapekit.cli.tables import show_table
from tapekit.errors import TapekitError
from tapekit.jobs import devices
from tapekit.jobs.devices import Change, Seen
from tapekit.report import health
from tapekit.report.said import in_language, said
from tapekit.report.words import Words
from tapekit.units import now_text, size_text

COLUMNS = (
    said("kind"), said("drive or node"), said("device"), said("serial number"), said("medium"), said("label"),
    said("free"), said("may"),
)  # fmt: skip
_MEDIA = {
    "cartridge": said("cartridge"), "blank": said("blank"), "foreign": said("foreign"), "damaged": said("damaged"),
    "nothing": said("nothing"), "in use": said("in use"),
}  # fmt: skip
_CHANGES = {"came": said("came"), "went": said("went"), "changed": said("changed")}


@click.command("devices")
@click.option("--watch", is_flag=True, help="Go on, and tell of every change, until Ctrl-C.")
@click.option("--no-look", is_flag=True, help="Look into no drive: what is in them is not told.")
@json_option
@click.pass_context
def command(context: click.Context, watch: bool, no_look: bool, as_json: bool) -> None:
    """Show drives, changers and serial ports: what is in them, how they are, and what may be done with them.

    Drives that a night or another command uses are not looked into. With --json --watch each line is one answer.
    """
    state, words = state_of(context), words_of(context)

    def look(before: Sequence[Seen] = ()) -> list[Seen]:
        return devices.run(state, is_looking=not no_look, before=before)

    found = look()
    if as_json:
        print_json({"devices": [_json(seen, words) for seen in found]})
    else:
        language = str(words.language)
        heads = [in_language(column, language) for column in COLUMNS]
        columns = (*heads[:-2], f">{heads[-2]}", heads[-1])
        nothing = in_language(said("no drive, changer or serial port is connected"), language)
        show_table(columns, [_row(seen, language) for seen in found], nothing)
        for seen in found:
            for line in _notes(seen, words):
                click.echo(f"{seen.url or seen.device.node}: {line}")
    if watch:
        for change in _watch(found, look):
            _tell(change, words, as_json=as_json)
            sys.stdout.flush()


def _watch(found: list[Seen], look: Callable[[Sequence[Seen]], list[Seen]]) -> Iterator[Change]:
    """Each change from now on; ends with Ctrl-C. Raises TapekitError."""
    try:
        events = UdevEvents()
    except OSError as error:
        raise TapekitError(f"devices: {NO_UDEV}") from error
    try:
        for _ in itertools.count():
            events.wait(LOOK_AGAIN_S)
            before, found = found, look(found)
            yield from devices.changes(before, found)
    except KeyboardInterrupt:
        return


def _tell(change: Change, words: Words, *, as_json: bool) -> None:
    seen = change.seen
    if as_json:
        print_json({"at": now_text(), "what": change.what, "device": _json(seen, words)})
        return
    language = str(words.language)
    medium = in_language(_MEDIA.get(seen.medium, seen.medium), language)
    inside = f": {seen.label or medium}" if seen.medium and change.what != "went" else ""
    what = in_language(_CHANGES.get(change.what, change.what), language)
    name = seen.device.name or in_language(said("no name"), language)
    click.echo(f"{now_text()}  {what}: {seen.url or seen.device.node} ({name}){inside}")


def _row(seen: Seen, language: str) -> tuple[str, ...]:
    device = seen.device
    return (
        device.kind.value, seen.url or device.node, path_text(device.name.encode()), path_text(device.serial.encode()),
        in_language(_MEDIA.get(seen.medium, seen.medium), language), seen.label,
        size_text(seen.remaining_bytes) if seen.label else "", ", ".join(seen.may),
    )  # fmt: skip


def _notes(seen: Seen, words: Words) -> Iterator[str]:
    """What a person should know besides."""
    language = str(words.language)
    if seen.missing:
        how = devices.remedy(seen.missing)
        yield in_language(said("no permission for {node}: {remedy}", node=seen.missing.node, remedy=how), language)
    if seen.is_write_protected:
        yield in_language(said("write-protected"), language)
    if seen.health:
        yield from health.warned(seen.health, words)
    if seen.words and seen.medium != "blank":
        yield seen.words


def _json(seen: Seen, words: Words) -> dict[str, Any]:
    device = seen.device
    return {
        "kind": device.kind.value, "url": seen.url or None, "node": device.node, "nodes": list(device.nodes),
        "vendor": device.vendor, "model": device.model, "serial": device.serial, "medium": seen.medium or None,
        "label": seen.label or None, "write_protected": seen.is_write_protected,
        "capacity_bytes": seen.capacity_bytes, "remaining_bytes": seen.remaining_bytes,
        "health": health_json(seen.health, words) if seen.health else None,
        "may": list(seen.may), "problem": seen.words or None,
        "missing": {"node": seen.missing.node, "group": seen.missing.group or None, "remedy": seen.missing.remedy}
        if seen.missing else None,
    }  # fmt: skip
