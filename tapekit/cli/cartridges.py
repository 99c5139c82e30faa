"""`tapekit cartridges`: the cartridges that the catalog knows, where they are, and what happened to them."""

import datetime
from datetime import datetime as Datetime  # noqa: N812 - the type, beside the module
from typing import Any

import click

from tapekit.audit import events as audit
from tapekit.audit.events import Event
from tapekit.catalog.errors import NotInCatalog
from tapekit.cli import complete
from tapekit.cli.common import json_option, print_json, state_of
from tapekit.cli.tables import show_table
from tapekit.jobs import lookup
from tapekit.model import GONE, Cartridge, Copy, Place
from tapekit.scrubs import Advice, Scrubs
from tapekit.units import size_text

PLACES = [place.value for place in Place if place not in GONE]
LIST = ("cartridge", "pool", "place", ">archives", "last written", ">free", ">loads", ">errors", "notes")
SHOW = ("night", "job", "archive", "state", ">members", ">size", "evidence")
name_argument = click.argument("name", shell_complete=complete.completing(complete.cartridges))
note_option = click.option("--note", default="", help="Kept in the history.")


@click.group("cartridges")
def command() -> None:
    """Show the cartridges that the catalog knows, and write down where they are."""


@command.command("list")
@json_option
@click.pass_context
def list_command(context: click.Context, as_json: bool) -> None:
    """List every cartridge."""
    scrubs = Scrubs(state_of(context))
    with lookup.open_store(context.find_root().obj) as store:
        found = store.stock().cartridges
    if as_json:
        print_json({"cartridges": [_json(cartridge, scrubs) for cartridge in found]})
    else:
        show_table(
            LIST,
            [_row(cartridge, scrubs) for cartridge in found],
            "no cartridge is known: tapekit catalog rebuild DRIVE",
        )


@command.command("show")
@name_argument
@json_option
@click.pass_context
def show_command(context: click.Context, name: str, as_json: bool) -> None:
    """Show a cartridge and every archive on it."""
    with lookup.open_store(context.find_root().obj) as store:
        found = store.stock().named(name)
    if found is None:
        raise NotInCatalog(f"cartridge {name}: not in the catalog", "the known ones: tapekit cartridges list")
    scrubs = Scrubs(state_of(context))
    if as_json:
        print_json(_json(found, scrubs) | {"archives": [_copy_json(copy) for copy in found.copies]})
        return
    said = _notes(found, scrubs)
    notes = f" ({said})" if said else ""
    click.echo(f"cartridge  {found.name}{f' (pool {found.pool})' if found.pool else ''}, label {found.label or 'none'}")
    click.echo(f"place      {found.place}{notes}")
    click.echo(f"labelled   {_time(found.labelled)}, last written {_time(found.last_written)}")
    click.echo(f"used       {found.loads} loads, {size_text(found.written_bytes)} written, "
               f"{size_text(found.read_bytes)} read, {found.errors} errors")  # fmt: skip
    click.echo()
    show_table(SHOW, [_copy_row(copy) for copy in found.copies], "no archives")


@command.command("move")
@name_argument
@click.argument("place", type=click.Choice(PLACES))
@note_option
@json_option
@click.pass_context
def move_command(context: click.Context, name: str, place: str, note: str, as_json: bool) -> None:
    """Write down where a cartridge was taken."""
    _move(context, name, Place(place), note, as_json=as_json)


@command.command("retire")
@name_argument
@click.option("--lost", is_flag=True, help="It cannot be found, or was destroyed.")
@note_option
@json_option
@click.pass_context
def retire_command(context: click.Context, name: str, lost: bool, note: str, as_json: bool) -> None:
    """Take a cartridge out of service: it is not asked for any more, and what it holds counts no more."""
    _move(context, name, Place.LOST if lost else Place.RETIRED, note, as_json=as_json)


@command.command("history")
@name_argument
@json_option
@click.pass_context
def history_command(context: click.Context, name: str, as_json: bool) -> None:
    """Show what happened to a cartridge, oldest first."""
    with lookup.open_store(context.find_root().obj) as store:
        lines = store.history(name)
    if as_json:
        happened = [{"at": line.at.isoformat(), "kind": line.kind, "note": line.note} for line in lines]
        print_json({"name": name, "history": happened})
    else:
        show_table(("time", "what", "note"), [(_time(line.at), line.kind, line.note) for line in lines], "nothing yet")


def _move(context: click.Context, name: str, place: Place, note: str, *, as_json: bool) -> None:
    with lookup.open_store(context.find_root().obj) as store:
        store.move(name, place, datetime.datetime.now(datetime.UTC), note)
    if place in GONE:
        audit.note(Event.RETIRED, cartridge=name, result=place.value, note=note)
    if as_json:
        print_json({"name": name, "place": place.value})
    else:
        click.echo(f"cartridge {name}: {place}")


def _row(cartridge: Cartridge, scrubs: Scrubs) -> tuple[str, ...]:
    left = cartridge.remaining_bytes
    return (
        cartridge.name, cartridge.pool or "", cartridge.place.value, str(len(cartridge.copies)),
        _time(cartridge.last_written), "?" if left is None else size_text(left), str(cartridge.loads),
        str(cartridge.errors), _notes(cartridge, scrubs),
    )  # fmt: skip


def _notes(cartridge: Cartridge, scrubs: Scrubs) -> str:
    advice = scrubs.advice(cartridge.label) if cartridge.label else None
    said = (
        ("locked for a restore", cartridge.is_locked),
        ("write-protected", cartridge.is_write_protected),
        ("WORM", cartridge.is_worm),
        ("no label any more", not cartridge.label),
        ("by its scrubs: retire it", advice is not None and advice.advice is Advice.RETIRE),
        ("by its scrubs: watch it", advice is not None and advice.advice is Advice.WATCH),
    )
    return ", ".join(words for words, is_so in said if is_so)


def _copy_row(copy: Copy) -> tuple[str, ...]:
    evidence = f"{copy.highest[0].words} {_time(copy.highest[1])}" if copy.highest else "none"
    return (
        copy.night.isoformat(), copy.job, copy.archive[:8], copy.state, str(copy.members), size_text(copy.source_bytes),
        f"FAILED {_time(copy.failed)}" if copy.failed else evidence,
    )  # fmt: skip


def _time(at: Datetime | None) -> str:
    return at.astimezone().strftime("%Y-%m-%d %H:%M") if at else "never"


def _json(cartridge: Cartridge, scrubs: Scrubs) -> dict[str, Any]:
    advice = scrubs.advice(cartridge.label) if cartridge.label else None
    return {
        "name": cartridge.name, "cartridge": cartridge.label or None, "pool": cartridge.pool,
        "place": cartridge.place.value, "copies": len(cartridge.copies), "labelled": _iso(cartridge.labelled),
        "last_written": _iso(cartridge.last_written), "capacity_bytes": cartridge.capacity_bytes,
        "remaining_bytes": cartridge.remaining_bytes, "locked": cartridge.is_locked,
        "write_protected": cartridge.is_write_protected, "worm": cartridge.is_worm, "loads": cartridge.loads,
        "written_bytes": cartridge.written_bytes, "read_bytes": cartridge.read_bytes, "errors": cartridge.errors,
        "scrubs": None if advice is None else advice.advice.value,
    }  # fmt: skip


def _copy_json(copy: Copy) -> dict[str, Any]:
    return {
        "file": copy.file, "archive": copy.archive, "job": copy.job, "night": copy.night.isoformat(),
        "started": _iso(copy.started), "finished": _iso(copy.finished), "state": copy.state, "members": copy.members,
        "problems": copy.problems, "source_bytes": copy.source_bytes, "stored_bytes": copy.stored_bytes,
        "evidence": [{"rung": rung.words, "at": _iso(at)} for rung, at in copy.evidence],
        "failed": _iso(copy.failed), "verified": copy.is_verified,
    }  # fmt: skip


def _iso(at: Datetime | None) -> str | None:
    return at.isoformat() if at else None
