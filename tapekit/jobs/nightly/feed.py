"""Changers of a night: what is in their slots counts as in reach, and is brought into the drive when it is wanted.

What the catalog knows of a cartridge in a slot holds until it is in the drive: from then on the cartridge itself tells.
One that the catalog does not know is taken for blank until it is looked at. Import/export slots are left alone: what is
there is on its way in or out. Nothing that goes wrong here stops a night; `problems` has it.
"""

import collections
import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from drivers.base import Identity
from drivers.changer.changer import Changer, Inventory, Spot, is_same
from drivers.changer.pairing import why_other
from drivers.errors import DriveError, MediumChanged
from formats.errors import FormatError
from formats.scsi.elements import Place
from tapekit import changers, drives
from tapekit.errors import TapekitError
from tapekit.jobs.changer import clean
from tapekit.jobs.nightly.reach import Found, InDrive
from tapekit.model import Stock

_CLEANING_ASKED = frozenset((20, 21))
"""TapeAlert: now, and soon."""
_TIMES = 2
"""So often a cartridge is brought in one night."""
_FAILURES = 3
"""So many end the use of a changer, or of its drive: each may take minutes."""


@dataclasses.dataclass(frozen=True)
class Feed:
    """Which changer fills a drive, and which of its drives that is."""

    changer: str
    number: int


class Feeds:
    """The changers of a job's drives, by the drives' URLs."""

    def __init__(self, feeds: Mapping[str, Feed]) -> None:
        """Nothing is looked at yet."""
        self.filled: set[str] = set()
        """Drives into which something was brought, and that hold it still."""
        self.problems: list[tuple[str, str]] = []
        """Drive and reason."""
        self.slots: dict[str, int] = {}
        """By barcode: the number of the slot that it was in when the changers were looked at last."""
        self.unreadable: dict[str, list[int]] = {}
        """By drive: slots with a cartridge whose barcode its changer cannot read; they are left alone."""
        self._feeds = feeds
        self._inside: dict[str, str] = {}
        """Barcode of what is in a drive."""
        self._matching: set[str] = set()
        """Drives that are the changer's of their number."""
        self._seen: dict[str, InDrive] = {}
        """By barcode: as a cartridge was when it was in a drive."""
        self._brought: collections.Counter[str] = collections.Counter()
        self._failures: collections.Counter[str] = collections.Counter()

    def with_slots(self, found: Sequence[InDrive], stock: Stock) -> Iterator[InDrive]:
        """The drives as they were found, each behind all that its changer could bring into it."""
        for drive in found:
            inventory = self._inventory(drive.url) if self._failures[drive.url] < _FAILURES else None
            if inventory is None or drive.is_busy:
                yield drive
                continue
            if why := self._why_not(drive.url, inventory, drive.device):
                self._note(drive.url, why)
                yield dataclasses.replace(drive, found=Found.NO_DRIVE, cartridge=None, label=None, words=why)
                continue
            self._note_slots(drive.url, inventory)
            spot = inventory.drive(self._feeds[drive.url].number)
            inside = spot.element.barcode if spot else ""
            here = dataclasses.replace(drive, barcode=inside)
            self._inside[drive.url] = inside
            if inside:
                self._seen[inside] = here
            slots = [self._in_slot(drive, one, stock) for one in inventory.slots if self._may_be_brought(one)]
            yield from slots
            if not (slots and drive.found is Found.NOTHING) and not self._is_spent(inside):
                yield here

    def bring(self, url: str, barcode: str) -> None:
        """Bring a cartridge into a drive; what is in there goes back to its slot."""
        self._brought[barcode] += 1
        with self._told(url), self._opened(url) as changer:
            changer.load(barcode, self._feeds[url].number)
            self.filled.add(url)

    def put_back(self, url: str) -> str:
        """Put what is in a drive back to its slot; why that failed, or nothing."""
        before = len(self.problems)
        with self._told(url), self._opened(url) as changer:
            changer.unload(self._feeds[url].number)
            self.filled.discard(url)
            self._seen.pop(self._inside.get(url, ""), None)  # from here on the catalog knows it better
        return self.problems.pop()[1] if len(self.problems) > before else ""

    def may_try_another(self, url: str) -> bool:
        """A night failed on what is in a drive, which is not used again tonight: whether another cartridge may be."""
        if url not in self._feeds:
            return False
        self._brought[self._inside.get(url, "")] = _TIMES + 1
        self._failures[url] += 1
        return self._failures[url] < _FAILURES

    def clean(self) -> None:
        """Clean the drives that ask for it."""
        for url, feed in self._feeds.items():
            if _asks_for_cleaning(url):
                with self._told(url, is_counted=False), self._opened(url) as changer:
                    clean(changer, feed.number)

    # --- inside -----------------------------------------------------------------------------------------------

    def _note_slots(self, url: str, inventory: Inventory) -> None:
        full = [spot for spot in inventory.slots if spot.element.is_full and spot.element.place is Place.SLOT]
        inside = {spot.element.barcode for spot in inventory.drives}
        self.slots = {barcode: slot for barcode, slot in self.slots.items() if barcode not in inside}
        self.slots |= {spot.element.barcode: spot.number for spot in full if spot.element.barcode}
        self.unreadable[url] = [spot.number for spot in full if not spot.element.barcode]

    def _why_not(self, url: str, inventory: Inventory, who: Identity | None = None) -> str:
        """Why neither drive nor changer is used: they do not belong together. Empty where they do, or nobody knows."""
        who = who or _identity(url)
        why = why_other(inventory, self._feeds[url].number, who, url) if who is not None else ""
        if who is not None and not why:
            self._matching.add(url)
        return why

    def _note(self, url: str, why: str) -> None:
        if (url, why) not in self.problems:
            self.problems.append((url, why))

    def _may_be_brought(self, spot: Spot) -> bool:
        element = spot.element
        is_ours = element.is_full and element.barcode and element.place is Place.SLOT and not spot.is_cleaning
        return bool(is_ours) and self._brought[element.barcode] < _TIMES

    def _is_spent(self, barcode: str) -> bool:
        return self._brought[barcode] > _TIMES

    def _in_slot(self, drive: InDrive, spot: Spot, stock: Stock) -> InDrive:
        barcode = spot.element.barcode
        seen = self._seen.get(barcode)
        if seen is not None:
            return dataclasses.replace(seen, name=drive.name, url=drive.url, is_in_slot=True)
        fitting = [one for one in stock.cartridges if one.label and is_same(one.name, barcode)]
        known = next((one for one in fitting if one.name == barcode), fitting[0] if fitting else None)
        if known is None:
            return InDrive(drive.name, drive.url, Found.BLANK, barcode=barcode, is_in_slot=True)
        return InDrive(
            drive.name, drive.url, Found.CARTRIDGE, known, capacity_bytes=known.capacity_bytes or 0,
            remaining_bytes=known.remaining_bytes or 0, is_write_protected=known.is_write_protected, barcode=barcode,
            is_in_slot=True,
        )  # fmt: skip

    def _inventory(self, url: str) -> Inventory | None:
        if url not in self._feeds:
            return None
        found = None
        with self._told(url), self._opened(url, moves=False) as changer:
            found = _inventory_of(changer)
        return found  # noqa: RET504 - `_told` lets what goes wrong end here

    @contextlib.contextmanager
    def _opened(self, url: str, *, moves: bool = True) -> Iterator[Changer]:
        """Raises DriveError where something is to move, and would not move for this drive."""
        changer = changers.open_changer(self._feeds[url].changer, {})
        try:
            if moves and url not in self._matching and (why := self._why_not(url, _inventory_of(changer))):
                raise DriveError(why)
            yield changer
        finally:
            changer.close()

    @contextlib.contextmanager
    def _told(self, url: str, *, is_counted: bool = True) -> Iterator[None]:
        """What goes wrong is told once; a changer that fails again and again is not asked any more."""
        try:
            yield
        except (DriveError, FormatError, TapekitError) as error:
            self._failures[url] += is_counted
            self._note(url, str(error))


def _inventory_of(changer: Changer) -> Inventory:
    try:
        return changer.inventory()
    except MediumChanged:  # somebody opened it: that is said once, and the next look finds what is there now
        return changer.inventory()


def _identity(url: str) -> Identity | None:
    """Which drive it is that does not open with what is in it; None where it does not tell."""
    try:
        glance = drives.glance(url)
    except (DriveError, TapekitError):
        return None
    return glance.identity if glance is not None else None


def _asks_for_cleaning(url: str) -> bool:
    try:
        drive = drives.open_drive(url, {}, writable=False)
        try:
            return not _CLEANING_ASKED.isdisjoint(drive.health().flags)
        finally:
            drive.close()
    except (DriveError, TapekitError):
        return False  # whoever looks into it tells why
