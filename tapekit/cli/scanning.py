"""What the commands share that read from a barcode scanner."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import click

from drivers.scanner import BAUD, open_scanner
from formats.barcode import Framing, Scan
from tapekit import config
from tapekit.cli.common import path_text
from tapekit.config.load import load
from tapekit.errors import CartridgeError
from tapekit.jobs import lookup, plan
from tapekit.jobs.scan import Labels, known_names
from tapekit.model import Stock

baud_option = click.option("--baud", type=click.IntRange(50, 4_000_000), default=BAUD, show_default=True,
                           help="Speed of the scanner's port.")  # fmt: skip


def scanner_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """How the scanner is set up; given to the command as one Framing, in `framing`."""

    @functools.wraps(function)
    def command(*args: Any, prefix: str, check_digit: bool, no_tail: bool, **others: Any) -> Any:  # noqa: ANN401
        return function(*args, framing=Framing(prefix, check_digit, no_tail), **others)

    for option in (
        click.option("--no-tail", is_flag=True, help="The scanner sends nothing at the end: a pause ends a scan."),
        click.option("--check-digit", is_flag=True, help="The last character is Code 39's check character."),
        click.option("--prefix", metavar="TEXT", default="", help="What the scanner sends before each label."),
        baud_option,
    ):
        command = option(command)
    return command


@contextlib.contextmanager
def scans(port: str, framing: Framing, baud: int, labels: Labels) -> Iterator[Iterator[Scan]]:
    """Each scan as it comes, those too that are refused. Raises DriveError."""
    scanner = open_scanner(port, framing, baud)
    try:
        yield (labels.judged(scan) for scan in scanner.scans())
    finally:
        scanner.close()


def one_label(port: str, labels: Labels) -> str:
    """Wait for one good scan; say what is refused until then. Raises CartridgeError, DriveError."""
    with scans(port, Framing(), BAUD, labels) as coming:
        for scan in coming:
            if not scan.refused:
                return scan.text
            show_refused(scan)
    raise CartridgeError("scan: nothing came that is a label", "scan it once more; or type it, with --barcode")


def show_refused(scan: Scan) -> None:
    """A scan that counts for nothing, for a person."""
    click.echo(f"refused: {path_text(scan.text.encode())!r}: {scan.refused}", err=True)


def site_labels(context: click.Context, stock: Stock | None = None, *, takes_any: bool = False) -> Labels:
    """The labels that count at this site: its own names and LTO's, unless any does. Raises UsageError, CatalogError."""
    chosen = context.find_root().obj
    if stock is None:
        store = lookup.open_kept(chosen)
        stock = Stock(())
        if store is not None:
            with store:
                stock = store.stock()
    rotations: list[tuple[str, ...]] = []
    if config.find(chosen) is not None and config.places.places(chosen).is_configured:
        configuration = load(chosen)
        rotations = [tuple(plan.scheme(name, each).names) for name, each in configuration.rotations.items()]
    return Labels(known_names(stock, rotations), takes_any)
