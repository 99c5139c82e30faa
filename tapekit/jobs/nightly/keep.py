"""The catalog during a run: what fails there is told once, and never stops the night.

What the catalog misses, the cartridges and the evidence journal hold: the next run, or `catalog rebuild`, brings it in.
Where it cannot be written, it is still read; where it cannot be read either, what it said last is what is known.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime

from drivers.base import Drive
from tapekit import clock
from tapekit.catalog.errors import CatalogError, CatalogUnreadable
from tapekit.catalog.record import Use
from tapekit.catalog.store import Store
from tapekit.errors import TapekitError
from tapekit.evidence import Evidences
from tapekit.jobs import restoring
from tapekit.jobs.learn import learn
from tapekit.jobs.nightly.reach import LOOKED_INTO, InDrive
from tapekit.keys.opener import NO_KEY, Opener
from tapekit.model import Cartridge, Place, Stock
from tapekit.report.night import NightReport, Note
from tapekit.report.stored import BadReport, from_value, value_of

RECENT = 50
"""A report that is amended is among the latest runs."""


class Keeper:
    """The catalog, as long as it works. `problems` holds why it does not."""

    def __init__(self, open_catalog: Callable[[], Store], evidences: Evidences) -> None:
        """Open the catalog."""
        self.problems: list[Note] = []
        self._evidences = evidences
        self._store: Store | None = None
        self._run: int | None = None
        self._stock = Stock(())
        try:
            self._store = open_catalog()
        except TapekitError as error:  # its password may be missing too
            self._fail(error)

    @property
    def is_whole(self) -> bool:
        """Whether all that happened until now is in the catalog: only then what it says can be relied on."""
        return not self.problems

    def close(self) -> None:
        """Let go of it."""
        if self._store is not None:
            self._store.close()
            self._store = None

    # --- reading ----------------------------------------------------------------------------------------------

    def stock(self) -> Stock:
        """All cartridges that are known; what was known last where the catalog cannot be read."""
        with self._reading() as store:
            if store is not None:
                self._stock = store.stock()
        return self._stock

    def usual_sizes(self, job: str) -> dict[str, list[tuple[date, int]]]:
        """Night and bytes of each source in the runs before, oldest first."""
        found: dict[str, list[tuple[date, int]]] = {}
        with self._reading() as store:
            for size in store.sizes(job) if store else ():
                found.setdefault(size.source, []).append((size.night, size.bytes))
        return found

    def reports(self, job: str, limit: int) -> list[NightReport]:
        """Reports of the runs before, the latest first; those that cannot be read are left out."""
        found = []
        with self._reading() as store:
            for run in store.runs(job, limit) if store else ():
                with contextlib.suppress(BadReport):
                    found += [from_value(run.report)] if run.report else []
        return found

    # --- writing ----------------------------------------------------------------------------------------------

    def begin(self, job: str, night: date, at: datetime) -> None:
        """A run begins."""
        with self._writing() as store:
            if store is not None:
                self._run = store.begin_run(job, night, at)

    def end(self, report: NightReport, sizes: Mapping[str, int]) -> None:
        """The run is over."""
        with self._writing() as store:
            if store is not None and self._run is not None:
                store.record_sizes(self._run, sizes)
                store.end_run(self._run, clock.now(), report.outcome.value, report.exit_code, value_of(report))

    def amend(self, report: NightReport) -> None:
        """A run is told anew, or for the first time where it could not be written down before."""
        with self._writing() as store:
            if store is not None:
                run = next((run for run in store.runs(report.job, RECENT) if run.begun == report.begun), None)
                number = run.number if run else store.begin_run(report.job, report.night, report.begun)
                ended = run.ended if run and run.ended else report.ended
                store.end_run(number, ended, report.outcome.value, report.exit_code, value_of(report))

    def forget(self, before: date) -> None:
        """Runs of nights before a date are not kept any longer."""
        with self._writing() as store:
            if store is not None:
                store.forget_runs(before)

    def loaded(self, cartridge: Cartridge) -> None:
        """A cartridge of ours was found in a drive."""
        with self._writing() as store:
            if store is not None:
                store.record_label(cartridge)
                store.record_load(
                    cartridge.label, clock.now(), capacity_bytes=cartridge.capacity_bytes,
                    remaining_bytes=cartridge.remaining_bytes, is_write_protected=cartridge.is_write_protected,
                    is_worm=cartridge.is_worm,
                )  # fmt: skip

    def used(self, label: str, used: Use) -> None:
        """What was written on a cartridge and read from it."""
        with self._writing() as store:
            if store is not None:
                store.record_use(label, used)

    def seen(self, found: Sequence[InDrive]) -> None:
        """A cartridge that was in a drive for a restore, and is not in it any more, may be written again."""
        with self._writing() as store:
            for drive in found if store else ():
                if store is not None and drive.found in LOOKED_INTO:
                    label = drive.cartridge.label if drive.cartridge else None
                    restoring.taken_out(store, drive.url, label, clock.now())

    def ejected(self, name: str) -> None:
        """A cartridge was let go; where it is then, a person knows."""
        with self._writing() as store:
            if store is not None:
                store.move(name, Place.SHELF, clock.now(), "ejected")

    def overwritten(self, cartridge: Cartridge) -> bool:
        """A cartridge is about to be labelled anew: what was on it is no more, whatever happens next.

        Whether that was written down. Where it was not, the cartridge must stay as it is: the catalog would go on to
        count what is gone, and let the last copy of it be overwritten another night.
        """
        with self._writing() as store:
            if store is not None:
                store.mark_overwritten(cartridge.label, clock.now(), is_relabelled=True)
        return self.is_whole

    def learn(self, drive: Drive, replaces: str | None = None, opener: Opener = NO_KEY) -> None:
        """Bring in what a cartridge holds and the catalog does not know yet. Raises DriveError, FormatError."""
        with self._writing() as store:
            if store is not None:
                learn(drive, store, self._evidences, replaces, opener)

    # --- going on without -------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Store | None]:
        """The catalog to read; None where that fails."""
        try:
            yield self._store
        except CatalogError as error:
            self._fail(error)
            self.close()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Store | None]:
        """The catalog to write; None from the first failure on, which may have been a wait of half a minute."""
        try:
            yield self._store if self.is_whole else None
        except CatalogError as error:
            self._fail(error)

    def _fail(self, error: TapekitError) -> None:
        """Go on without; what is told is the first reason."""
        if not self.problems:
            self.problems.append(problem_of(error))


def problem_of(error: TapekitError) -> Note:
    """Why the catalog cannot be used, as a note."""
    return Note("catalog" if isinstance(error, CatalogUnreadable) else "catalog-missed", {}, str(error))
