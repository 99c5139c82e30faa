"""`tapekit scan`: labels from a barcode scanner, and a shelf compared with the catalog."""

import contextlib
from collections.abc import Iterable
from typing import Any

import click

from drivers.scanner import KEYBOARD
from formats.barcode import Framing, Kind, Scan
from tapekit.cli.cartridges import PLACES
from tapekit.cli.common import json_option, places_of, print_json
from tapekit.cli.scanning import scanner_options, scans, show_refused, site_labels
from tapekit.errors import Exit
from tapekit.jobs import lookup
from tapekit.jobs.scan import Inventory, lto, take_stock
from tapekit.model import Place
from tapekit.report.said import in_language, said

_KINDS = {
    Kind.DATA: said("data cartridge"), Kind.WORM: said("WORM cartridge"), Kind.CLEANING: said("cleaning cartridge"),
}  # fmt: skip
_PLACES = {
    Place.DRIVE: said("drive"), Place.SHELF: said("shelf"), Place.HOME: said("home"), Place.OFF_SITE: said("off-site"),
    Place.RETIRED: said("retired"), Place.LOST: said("lost"),
}  # fmt: skip


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
    language = places_of(context).language
    labels = site_labels(context, stock, takes_any=takes_any)
    taken: list[str] = []
    refused: list[Scan] = []
    with scans(port, framing, baud, labels) as coming:
        _read(coming, taken, refused, count, None if as_json else language)
    result = take_stock(taken, stock, Place(place)) if stock is not None else None
    if as_json:
        print_json(_json(taken, refused, result))
    elif result is not None:
        _show(result, language)
    if refused or (result is not None and not result.is_right):
        context.exit(Exit.WARNINGS)


def _read(
    coming: Iterable[Scan], taken: list[str], refused: list[Scan], count: int | None, language: str | None
) -> None:  # fmt: skip
    """Scan after scan, until so many were taken, the input ends, or a person ends it. A label counts once.

    `language`: of what is shown; None: nothing is.
    """
    with contextlib.suppress(KeyboardInterrupt):
        for scan in coming:
            if scan.refused:
                refused.append(scan)
                show_refused(scan)
            elif scan.text not in taken:
                taken.append(scan.text)
                if language is not None:
                    click.echo(_line(scan.text, language))
            if count is not None and len(taken) >= count:
                return


def _line(text: str, language: str) -> str:
    label = lto(text)
    if label is None:
        return text
    generation = f"LTO-{label.generation}" if label.generation else in_language(said("all generations"), language)
    return f"{text}  {in_language(_KINDS[label.kind], language)}, {generation}"


def _show(found: Inventory, language: str) -> None:
    away = [
        in_language(said("{name} (should be: {place})", name=it.name, place=_PLACES[it.place]), language)
        for it in found.elsewhere
    ]
    for title, names in (
        (said("there"), found.there), (said("missing"), found.missing), (said("unknown"), found.unknown),
        (said("should be elsewhere"), away),
    ):  # fmt: skip
        if names:
            click.echo(f"{in_language(title, language)}: {', '.join(names)}")
    if found.is_right:
        count, place = str(len(found.there)), _PLACES[found.place]
        right = said("{place}: as the catalog has it, {count} cartridges", place=place, count=count)
        click.echo(in_language(right, language))
    else:
        hint = said("tapekit cartridges move NAME PLACE writes down where a cartridge is")
        click.echo(f"  hint: {in_language(hint, language)}", err=True)


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
