"""`tapekit scan`: labels from a barcode scanner, and a shelf compared with the catalog."""

import contextlib
from collections.abc import Iterable
from typing import Any

import click

from drivers.scanner import KEYBOARD
from formats.barcode import Framing, Scan
from tapekit.cli.cartridges import PLACES
from tapekit.cli.common import json_option, print_json
from tapekit.cli.scanning import scanner_options, scans, show_refused, site_labels
from tapekit.errors import Exit
from tapekit.jobs import lookup
from tapekit.jobs.scan import Inventory, lto, take_stock
from tapekit.model import Place


@click.command("scan")
@click.option("--port", metavar="PORT", default=KEYBOARD, help="Serial port; without it, a scanner that types.")
@scanner_options
@click.option("--any", "takes_any", is_flag=True, help="Take every text, not LTO labels and known names alone.")
@click.option("--count", type=click.IntRange(1), help="End after so many labels.")
@click.option("--inventory", is_flag=True, help="Compare what is scanned with the catalog.")
@click.option("--place", type=click.Choice(PLACES), default="shelf", show_default=True, help="Where you are scanning.")
@json_option
@click.pass_context
def command(
    context: click.Context, port: str, baud: int, framing: Framing, takes_any: bool, count: int | None,
    inventory: bool, place: str, as_json: bool,
) -> None:  # fmt: skip
    """Read labels from a barcode scanner, until Ctrl-D (from a serial port: Ctrl-C).

    Exit code 3: scans were refused, or the shelf is not as the catalog has it.
    """
    stock = None
    if inventory:
        with lookup.open_store(context.find_root().obj) as store:
            stock = store.stock()
    labels = site_labels(context, stock, takes_any=takes_any)
    taken: list[str] = []
    refused: list[Scan] = []
    with scans(port, framing, baud, labels) as coming:
        _read(coming, taken, refused, count, is_quiet=as_json)
    result = take_stock(taken, stock, Place(place)) if stock is not None else None
    if as_json:
        print_json(_json(taken, refused, result))
    elif result is not None:
        _show(result)
    if refused or (result is not None and not result.is_right):
        context.exit(Exit.WARNINGS)


def _read(
    coming: Iterable[Scan], taken: list[str], refused: list[Scan], count: int | None, *, is_quiet: bool
) -> None:  # fmt: skip
    """Scan after scan, until so many were taken, the input ends, or a person ends it. A label counts once."""
    with contextlib.suppress(KeyboardInterrupt):
        for scan in coming:
            if scan.refused:
                refused.append(scan)
                show_refused(scan)
            elif scan.text not in taken:
                taken.append(scan.text)
                if not is_quiet:
                    click.echo(_line(scan.text))
            if count is not None and len(taken) >= count:
                return


def _line(text: str) -> str:
    label = lto(text)
    if label is None:
        return text
    generation = f"LTO-{label.generation}" if label.generation else "all generations"
    return f"{text}  {label.kind} cartridge, {generation}"


def _show(found: Inventory) -> None:
    away = [f"{each.name} (should be: {each.place})" for each in found.elsewhere]
    for title, names in (
        ("there", found.there), ("missing", found.missing), ("unknown", found.unknown), ("should be elsewhere", away),
    ):  # fmt: skip
        if names:
            click.echo(f"{title}: {', '.join(names)}")
    if found.is_right:
        click.echo(f"{found.place}: as the catalog has it, {len(found.there)} cartridges")
    else:
        click.echo("  hint: tapekit cartridges move NAME PLACE writes down where a cartridge is", err=True)


def _json(taken: list[str], refused: list[Scan], found: Inventory | None) -> dict[str, Any]:
    return {
        "labels": [
            {"label": text, "kind": it.kind.value if it else None, "generation": it.generation if it else None}
            for text, it in zip(taken, map(lto, taken), strict=True)
        ],
        "refused": [{"text": scan.text, "why": scan.refused} for scan in refused],
        "inventory": None if found is None else {
            "place": found.place.value, "there": list(found.there), "missing": list(found.missing),
            "unknown": list(found.unknown),
            "elsewhere": [{"name": each.name, "place": each.place.value} for each in found.elsewhere],
        },
    }  # fmt: skip
