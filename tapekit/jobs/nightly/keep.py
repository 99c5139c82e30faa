"""The catalog during a run: what fails there is told once, and never stops the night.

What the catalog misses, the cartridges and the evidence journal hold: the next run, or `catalog rebuild`, brings it in.
"""

import dataclasses
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

from drivers.base import Drive
from tapekit import clock
from tapekit.cartridge.cartridge import Segment, open_cartridge
from tapekit.cartridge.catalog import read_catalog
from tapekit.catalog.errors import CatalogError
from tapekit.catalog.record import Use
from tapekit.catalog.store import Store
from tapekit.evidence import Evidences
from tapekit.jobs.nightly.reach import cartridge_of
from tapekit.model import Cartridge, Place, Rung, Stock
from tapekit.report.night import Note
from tapekit.units import parse_time

_IMPLIED = {
    Rung.FLUSHED: (Rung.WRITTEN,),
    Rung.READ_BACK: (Rung.WRITTEN, Rung.FLUSHED),
    Rung.COMPARED: (Rung.WRITTEN, Rung.FLUSHED, Rung.READ_BACK),
}
"""What is true as well where the journal has a rung; a sample restored says nothing of all the rest."""


class Keeper:
    """The catalog, as long as it works. `problems` holds why it does not."""

    def __init__(self, where: str | Path, site: str, evidences: Evidences) -> None:
        """Open the catalog."""
        self.problems: list[Note] = []
        self._evidences = evidences
        self._store: Store | None = None
        self._run: int | None = None
        try:
            self._store = Store.open(where, site)
        except CatalogError as error:
            self._fail(error)

    def close(self) -> None:
        """Let go of it."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def stock(self) -> Stock:
        """All cartridges that are known; none where the catalog does not work."""
        try:
            return self._store.stock() if self._store else Stock(())
        except CatalogError as error:
            self._fail(error)
            return Stock(())

    def begin(self, job: str, night: date, at: datetime) -> None:
        """A run begins."""
        try:
            if self._store is not None:
                self._run = self._store.begin_run(job, night, at)
        except CatalogError as error:
            self._fail(error)

    def usual_sizes(self, job: str) -> dict[str, list[tuple[date, int]]]:
        """Night and bytes of each source in the runs before, oldest first."""
        found: dict[str, list[tuple[date, int]]] = {}
        try:
            for size in self._store.sizes(job) if self._store else ():
                found.setdefault(size.source, []).append((size.night, size.bytes))
        except CatalogError as error:
            self._fail(error)
        return found

    def reports(self, job: str, limit: int) -> list[dict[str, Any]]:
        """Reports of the runs before, the latest first."""
        try:
            return [run.report for run in self._store.runs(job, limit) if run.report] if self._store else []
        except CatalogError as error:
            self._fail(error)
            return []

    def end(self, report: Mapping[str, Any], sizes: Mapping[str, int], outcome: str, exit_code: int) -> None:
        """The run is over."""
        try:
            if self._store is not None and self._run is not None:
                self._store.record_sizes(self._run, sizes)
                self._store.end_run(self._run, clock.now(), outcome, exit_code, report)
        except CatalogError as error:
            self._fail(error)

    def loaded(self, cartridge: Cartridge) -> None:
        """A cartridge of ours was found in a drive."""
        try:
            if self._store is not None:
                self._store.record_label(cartridge)
                self._store.record_load(
                    cartridge.label, clock.now(), capacity_bytes=cartridge.capacity_bytes,
                    remaining_bytes=cartridge.remaining_bytes, is_write_protected=cartridge.is_write_protected,
                    is_worm=cartridge.is_worm,
                )  # fmt: skip
        except CatalogError as error:
            self._fail(error)

    def used(self, label: str, used: Use) -> None:
        """What was written on a cartridge and read from it."""
        try:
            if self._store is not None:
                self._store.record_use(label, used)
        except CatalogError as error:
            self._fail(error)

    def ejected(self, name: str) -> None:
        """A cartridge was let go; where it is then, a person knows."""
        try:
            if self._store is not None:
                self._store.move(name, Place.SHELF, clock.now(), "ejected")
        except CatalogError as error:
            self._fail(error)

    def overwritten(self, cartridge: Cartridge) -> None:
        """A cartridge is about to be labelled anew: what was on it is no more, whatever happens next."""
        try:
            if self._store is not None:
                self._store.mark_overwritten(cartridge.label, clock.now())
        except CatalogError as error:
            self._fail(error)

    def learn(self, drive: Drive, replaces: str | None = None) -> None:
        """Bring in what a cartridge holds and the catalog does not know yet. Raises DriveError, FormatError."""
        if self._store is None:
            return
        opened = open_cartridge(drive)
        if opened.label is None:
            return
        label = opened.label.cartridge
        segments = opened.segments()
        try:
            known = self._store.stock().labelled(label)
            seen = cartridge_of(opened, segments, known, self._evidences)
            self._store.record_label(seen, replaces=replaces)
            self._learn_archives(drive, self._store, seen, known, segments)
            self._learn_evidence(self._store, label, {copy.archive for copy in seen.copies})
        except CatalogError as error:
            self._fail(error)

    def _learn_archives(
        self, drive: Drive, store: Store, seen: Cartridge, known: Cartridge | None, segments: list[Segment]
    ) -> None:
        before = {(copy.archive, copy.state) for copy in known.copies} if known else set()
        by_archive = {segment.archive: segment for segment in segments}
        for copy in seen.copies:
            if (copy.archive, copy.state) in before:
                continue
            with read_catalog(drive, by_archive[copy.archive]).tables as tables:
                store.record_archive(seen.label, dataclasses.replace(copy, evidence=()), tables.entries())

    def _learn_evidence(self, store: Store, label: str, archives: set[str]) -> None:
        """What the journal has of a cartridge, in its order."""
        for noted in self._evidences.lines():
            if noted.cartridge != label or noted.archive not in archives:
                continue
            at = parse_time(noted.at)
            if noted.rung is None:
                store.record_failure(label, noted.archive, at)
                continue
            for rung in (*_IMPLIED.get(noted.rung, ()), noted.rung):
                store.record_evidence(label, noted.archive, rung, at)

    def _fail(self, error: CatalogError) -> None:
        """Go on without; what is told is the first reason."""
        if not self.problems:
            self.problems.append(Note("catalog", {}, str(error)))
        self.close()
