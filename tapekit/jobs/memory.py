"""The catalog behind a command that a person calls by hand: asked before, told afterwards.

It is convenience: what fails there is kept in `problem`, and stops nothing that the cartridge itself can tell. Only
where it knows that something would be lost, or cannot take down that something was, does a command stop.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from drivers.base import Drive
from drivers.errors import DriveError
from formats.errors import FormatError
from tapekit import clock
from tapekit.cartridge.cartridge import open_cartridge
from tapekit.catalog.errors import CatalogError
from tapekit.config.places import places
from tapekit.errors import CartridgeError, TapekitError
from tapekit.evidence import Evidences
from tapekit.jobs import learn, lookup, restoring
from tapekit.jobs.nightly.reach import cartridge_of
from tapekit.keys.opener import NO_KEY, Opener
from tapekit.model import Cartridge, Stock
from tapekit.patterns import Patterns
from tapekit.rotation.permit import HINTS, may_append
from tapekit.rotation.retention import Policy

if TYPE_CHECKING:
    from tapekit.catalog.store import Store


class Memory(contextlib.AbstractContextManager["Memory"]):
    """What this machine knows of cartridges; nothing where it keeps no catalog."""

    def __init__(self, chosen: str | None, evidences: Evidences) -> None:
        """Open the catalog of a configuration, where there is one (see `lookup.open_kept`)."""
        self.evidences = evidences
        self.problem: TapekitError | DriveError | FormatError | None = None
        self.site = ""
        self.kept = ""
        """Names of the cartridges that are kept for a restore."""
        self._store: Store | None = None
        try:
            self.site = places(chosen).site
            self._store = lookup.open_kept(chosen)
        except TapekitError as error:
            self._fail(error)

    def __exit__(self, *_exception: object) -> None:
        self._close()

    def stock(self) -> Stock | None:
        """All cartridges that are known; None where no catalog is kept, or it cannot be read."""
        with self._working() as store:
            if store is not None:
                return store.stock()
        return None

    def learn(
        self, drive: Drive, replaces: str | None = None, opener: Opener = NO_KEY, *, is_admitted: bool = False
    ) -> None:
        """What a cartridge holds goes into the catalog; see `learn.learn`."""
        with self._working() as store:
            if store is not None:
                learn.learn(drive, store, self.evidences, replaces, opener, is_admitted=is_admitted)

    def check_writable(self, drive: Drive) -> None:
        """Raises CartridgeError where the catalog knows that nothing may be written behind what a cartridge holds.

        What only the medium tells, the command that writes finds out by itself.
        """
        stock, known = self._known(drive)
        refusals = may_append(known, stock, Policy(self.site, {})) if known else ()
        for refusal in refusals:
            if refusal.reason in HINTS and known:
                raise CartridgeError(
                    f"{drive.url}: cartridge {known.name}: {refusal.words}", HINTS[refusal.reason]
                )  # fmt: skip

    def parts_with(self, archive: str, patterns: Sequence[str]) -> set[int] | None:
        """The parts of an archive that hold what patterns name; None where that is not known, or all is wanted."""
        if not patterns:
            return None
        with self._working() as store:
            if store is not None:
                return store.parts_with(archive, Patterns(patterns).match) or None
        return None

    def overwritten(self, label: str, what: str) -> None:
        """What was on a cartridge that the catalog knows is no more, whatever happens next.

        Raises CatalogError where that cannot be written down: the catalog would go on to count what is gone, and let
        the last copy of it be overwritten another time.
        """
        if self._store is None:
            raise self.problem or CatalogError("catalog: it is not open any more")
        self._store.mark_overwritten(label, clock.now(), what, is_relabelled=True)

    def keep_for_restore(self, drive: Drive) -> None:
        """Nothing is written on the cartridge in a drive until it is let go."""
        with self._working() as store:
            if store is not None:
                names = dict.fromkeys(name for name in (*self.kept.split(", "), self._keep(store, drive)) if name)
                self.kept = ", ".join(names)

    def ejected(self, label: str) -> None:
        """The cartridge with a label was let go; where it is then, a person knows."""
        with self._working() as store:
            known = store.stock().labelled(label) if store else None
            if store and known:
                restoring.end(store, known, clock.now(), "ejected")

    def _keep(self, store: "Store", drive: Drive) -> str:
        opened = open_cartridge(drive)
        if opened.label is None:
            return ""
        stock = store.stock()
        cartridge = stock.labelled(opened.label.cartridge)
        restoring.taken_out(store, drive.url, opened.label.cartridge, clock.now())
        if cartridge is None:
            cartridge = cartridge_of(opened, opened.segments(), None, self.evidences)
            try:
                learn.admit(cartridge, stock, store.site, adopt=False)
            except CartridgeError:  # no night writes on such a one
                return ""
            store.record_label(cartridge)
        restoring.begin(store, cartridge, drive.url, clock.now())
        return cartridge.name

    def _known(self, drive: Drive) -> tuple[Stock, Cartridge | None]:
        """All cartridges, and the one in a drive as the catalog has it."""
        stock = self.stock() or Stock(())
        label = open_cartridge(drive).label if stock.cartridges else None
        return stock, stock.labelled(label.cartridge) if label else None

    def _close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    @contextlib.contextmanager
    def _working(self) -> "Iterator[Store | None]":
        """The catalog; from its first failure on, which may have been a wait of half a minute, there is none."""
        try:
            yield self._store
        except (TapekitError, DriveError, FormatError) as error:
            self._fail(error)

    def _fail(self, error: TapekitError | DriveError | FormatError) -> None:
        self.problem = self.problem or error
        if isinstance(error, CatalogError):
            self._close()
