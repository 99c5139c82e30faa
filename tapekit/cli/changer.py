"""`tapekit changer`: what is in a changer's slots and drives, and moving it."""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import click

from drivers.base import TELL_LONG, Drive
from drivers.changer.changer import Changer, Inventory, Spot
from drivers.changer.errors import NoSuchBarcode
from formats.scsi.elements import Place
from tapekit import changers, config, drives
from tapekit.cli import long
from tapekit.cli.common import evidences, held, json_option, places_of, print_json, url_of
from tapekit.cli.remember import problem_json, remembering
from tapekit.cli.tables import show_table
from tapekit.errors import Exit, UsageError
from tapekit.jobs import changer_label, label
from tapekit.jobs.changer import clean
from tapekit.jobs.changer_label import Outcome
from tapekit.keys import ring

COLUMNS = ("place", "barcode", "came from", "notes")
_OUTCOMES = {
    Outcome.LABELLED: "labelled", Outcome.BLANK: "blank, would be labelled", Outcome.ALREADY: "labelled already",
    Outcome.REFUSED: "left as it is",
}  # fmt: skip


@click.group("changer")
def command() -> None:
    """Show and move what is in a changer. CHANGER: its URL (changer:/dev/sg3), or a name of the configuration.

    Slots are counted from 1, import/export slots behind the others; drives from 0; as mtx does.
    """


@contextlib.contextmanager
def _opened(context: click.Context, name: str) -> Iterator[Changer]:
    chosen = context.find_root().obj
    named = config.drives(chosen) | {drive: url for drive, (url, _) in config.changers(chosen).items()}
    TELL_LONG.set(long.told)
    with held(context, named.get(name, name), alone=True):
        changer = changers.open_changer(name, named)
        try:
            yield changer
        finally:
            changer.close()


@contextlib.contextmanager
def _drive_held(context: click.Context, changer: str, number: int) -> Iterator[None]:
    """The lock of what the configuration calls that drive of a changer: none that is in use loses its cartridge.

    Raises Busy. A drive that the configuration does not name is refused by the kernel, where somebody has it open.
    """
    chosen = context.find_root().obj
    known, urls = config.changers(chosen), config.drives(chosen)
    url = known[changer][0] if changer in known else urls.get(changer, changer)
    with contextlib.ExitStack() as stack:
        for name, (its, at) in known.items():
            if at == number and _real(its) == _real(url):
                stack.enter_context(held(context, urls[name], alone=True))
        yield


def _real(url: str) -> str:
    """The same for every link to a device."""
    scheme, _, path = url.partition(":")
    return f"{scheme}:{os.path.realpath(path)}"


_changer_argument = click.argument("changer")
_drive_option = click.option("--drive", default=0, show_default=True, type=click.IntRange(0), help="Which drive.")


@command.command("status")
@_changer_argument
@json_option
@click.pass_context
def _status(context: click.Context, changer: str, as_json: bool) -> None:
    """Show what is where, as the changer remembers it."""
    with _opened(context, changer) as robot:
        _show(robot, robot.inventory(), as_json=as_json)


@command.command("inventory")
@_changer_argument
@json_option
@click.pass_context
def _inventory(context: click.Context, changer: str, as_json: bool) -> None:
    """Have it look into every slot and read all barcodes, then show what is where; takes minutes."""
    with _opened(context, changer) as robot:
        _show(robot, robot.look_anew(), as_json=as_json)


@command.command("load")
@_changer_argument
@click.argument("wanted", metavar="BARCODE|SLOT")
@_drive_option
@click.pass_context
def _load(context: click.Context, changer: str, wanted: str, drive: int) -> None:
    """Bring a cartridge into a drive; what is in there goes back first."""
    with _opened(context, changer) as robot, _drive_held(context, changer, drive), contextlib.ExitStack() as stack:
        there = robot.inventory().find(wanted)
        if there is not None and there.element.place is Place.DRIVE and there.number != drive:
            stack.enter_context(_drive_held(context, changer, there.number))
        try:
            spot = robot.load(wanted, drive)
        except NoSuchBarcode:
            if not wanted.isdecimal():
                raise
            spot = robot.load(int(wanted), drive)
    click.echo(f"{spot.element.barcode or 'a cartridge'} is in {spot.name}")


@command.command("unload")
@_changer_argument
@_drive_option
@click.option("--to", "slot", type=click.IntRange(1), metavar="SLOT", help="Not to where it came from, but there.")
@click.pass_context
def _unload(context: click.Context, changer: str, drive: int, slot: int | None) -> None:
    """Take the cartridge out of a drive, back to its slot."""
    with _opened(context, changer) as robot, _drive_held(context, changer, drive):
        spot = robot.unload(drive, slot)
    click.echo(f"drive {drive} is empty; its cartridge is in {spot.name}")


@command.command("transfer")
@_changer_argument
@click.argument("source", type=click.IntRange(1), metavar="SLOT")
@click.argument("target", type=click.IntRange(1), metavar="SLOT")
@click.pass_context
def _transfer(context: click.Context, changer: str, source: int, target: int) -> None:
    """Move a cartridge from slot to slot; out of the changer through an import/export slot, and in the same way."""
    with _opened(context, changer) as robot:
        robot.transfer(source, target)
        spot = robot.inventory().slot(target)
    click.echo(f"{(spot.element.barcode if spot else '') or 'the cartridge'} is in {spot.name if spot else target}")


@command.command("label")
@_changer_argument
@_drive_option
@click.option("--through", metavar="DRIVE", help="That drive's URL or name, where the configuration does not say it.")
@click.option("--pool", metavar="P", help="Media pool that the cartridges belong to.")
@click.option("--dry-run", is_flag=True, help="Only look which are blank; they are moved, and nothing is written.")
@json_option
@click.pass_context
def _label(
    context: click.Context, changer: str, drive: int, through: str | None, pool: str | None, dry_run: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Label each blank cartridge with its barcode, and leave all others as they are; exit code 3 where some are left.

    Each is brought into the drive and put back, which takes minutes. Import/export slots are left alone.
    """
    chosen = context.find_root().obj
    tape = through or _drive_of(chosen, changer, drive)
    named, keys = config.drives(chosen), ring.read(places_of(context).keys).recipients
    done = []
    with (
        _opened(context, changer) as robot,
        held(context, url_of(context, tape), alone=True),
        evidences() as journal,
        remembering(context, journal) as memory,
    ):

        def make(device: Drive, name: str) -> None:
            label.run(device, barcode=name, pool=pool, block_bytes=None, destroy=None, keys=keys, memory=memory)

        def open_drive() -> Drive:
            return drives.open_drive(tape, named, writable=not dry_run)

        for one in changer_label.run(robot, drive, open_drive, None if dry_run else make):
            done.append(one)
            if not as_json:
                why = f": {one.why}" if one.why else ""
                click.echo(f"{one.place}: {one.barcode or 'a cartridge'}: {_OUTCOMES[one.outcome]}{why}")
    if as_json:
        rows = [{"barcode": it.barcode or None, "place": it.place, "outcome": it.outcome.value, "why": it.why or None}
                for it in done]  # fmt: skip
        print_json({"cartridges": rows, "catalog_problem": problem_json(memory)})
    if any(one.outcome is Outcome.REFUSED for one in done):
        context.exit(Exit.WARNINGS)


def _drive_of(chosen: str | None, changer: str, number: int) -> str:
    """The drive of the configuration that this changer fills. Raises UsageError."""
    known = config.changers(chosen)
    if changer in known:
        return changer
    found = next((name for name, feed in known.items() if feed == (changer, number)), None)
    if found is None:
        raise UsageError(
            f"changer label: no drive in the configuration says that drive {number} of {changer} is its own",
            "name it: --through tape:/dev/nst0",
        )
    return found


@command.command("clean")
@_changer_argument
@_drive_option
@click.pass_context
def _clean(context: click.Context, changer: str, drive: int) -> None:
    """Clean a drive with the changer's cleaning cartridge (CLN…); what was in the drive comes back."""
    with _opened(context, changer) as robot, _drive_held(context, changer, drive):
        spot = clean(robot, drive)
    click.echo(f"drive {drive} was cleaned with {spot.element.barcode}")


def _show(robot: Changer, found: Inventory, *, as_json: bool) -> None:
    if as_json:
        identity = robot.identity
        print_json({
            "changer": robot.url, "vendor": identity.vendor, "model": identity.model, "serial": robot.serial,
            "drives": [_json(spot, found) for spot in found.drives],
            "slots": [_json(spot, found) for spot in found.slots],
        })  # fmt: skip
        return
    show_table(COLUMNS, [_row(spot, found) for spot in (*found.drives, *found.slots)], "it has no places")


def _row(spot: Spot, found: Inventory) -> tuple[str, ...]:
    element = spot.element
    inside = (element.barcode or "unknown") if element.is_full else "-"
    return spot.name, inside, _source(spot, found), "; ".join(_notes(spot))


def _notes(spot: Spot) -> Iterator[str]:
    if spot.is_cleaning:
        yield "cleaning cartridge"
    if spot.element.exception is not None:
        yield "something is wrong with it: {:02X}/{:02X}".format(*spot.element.exception)
    if spot.element.device_id:
        yield spot.element.device_id


def _source(spot: Spot, found: Inventory) -> str:
    address = spot.element.source
    return next((slot.name for slot in found.slots if address is not None and slot.element.address == address), "")


def _json(spot: Spot, found: Inventory) -> dict[str, Any]:
    element = spot.element
    return {
        "number": spot.number, "full": element.is_full, "barcode": element.barcode or None,
        "import_export": element.place is Place.IMPORT_EXPORT, "cleaning": spot.is_cleaning,
        "came_from": _source(spot, found) or None, "device": element.device_id or None,
    }  # fmt: skip
