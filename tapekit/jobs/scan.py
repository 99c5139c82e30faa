"""Labels from a barcode scanner: which texts count, and a shelf compared with the catalog."""

import dataclasses
from collections.abc import Collection, Iterable, Sequence

from formats.barcode import Kind, LtoLabel, Scan, parse_lto
from formats.errors import Damaged
from tapekit.model import Cartridge, Place, Stock


@dataclasses.dataclass(frozen=True)
class Labels:
    """Which texts are labels: LTO's, the names that a site knows, or any."""

    known: frozenset[str] = frozenset()
    takes_any: bool = False

    def judged(self, scan: Scan) -> Scan:
        """The scan, refused where its text is no label: a scan that lost a letter must not become another cartridge."""
        if scan.refused or self.takes_any or scan.text in self.known:
            return scan
        try:
            parse_lto(scan.text)
        except Damaged as error:
            why = str(error).partition(": ")[2]
            return Scan(scan.text, f"no cartridge of this site, and no LTO label: {why}")
        return scan


def lto(text: str) -> LtoLabel | None:
    """What an LTO label says of its cartridge; None of any other text."""
    try:
        return parse_lto(text)
    except Damaged:
        return None


@dataclasses.dataclass(frozen=True)
class Elsewhere:
    """A cartridge that was scanned, and should be in another place."""

    name: str
    place: Place


@dataclasses.dataclass(frozen=True)
class Inventory:
    """A shelf, compared with what the catalog says of it; names in order."""

    place: Place
    there: tuple[str, ...]
    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    elsewhere: tuple[Elsewhere, ...]

    @property
    def is_right(self) -> bool:
        """Whether the shelf is as the catalog has it."""
        return not (self.missing or self.unknown or self.elsewhere)


def take_stock(scanned: Iterable[str], stock: Stock, place: Place) -> Inventory:
    """What was scanned on a shelf, against the cartridges that should be there. Cleaning cartridges are left out."""
    found: dict[str, Cartridge] = {}
    unknown: set[str] = set()
    for text in scanned:
        label = lto(text)
        if label is not None and label.kind is Kind.CLEANING:
            continue
        cartridge = _named(text, stock.cartridges)
        if cartridge is None:
            unknown.add(text)
        else:
            found[cartridge.name] = cartridge
    due = {cartridge.name for cartridge in stock.cartridges if cartridge.place is place}
    strangers = (Elsewhere(each.name, each.place) for each in found.values() if each.place is not place)
    return Inventory(
        place, tuple(sorted(due & set(found))), tuple(sorted(due - set(found))), tuple(sorted(unknown)),
        tuple(sorted(strangers, key=lambda stranger: stranger.name)),
    )  # fmt: skip


def _named(text: str, cartridges: Sequence[Cartridge]) -> Cartridge | None:
    """The cartridge of that name; an LTO label counts by its first six characters too, as some libraries have it."""
    label = lto(text)
    names = (text, label.volume) if label else (text,)
    return next((each for name in names for each in cartridges if each.name == name), None)


def known_names(stock: Stock, rotations: Iterable[Collection[str]]) -> frozenset[str]:
    """The names of a site's cartridges: those that were written, and those that the rotations ask for."""
    return frozenset(cartridge.name for cartridge in stock.cartridges).union(*rotations)
