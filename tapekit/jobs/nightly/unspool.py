"""What waits in the spool moved to cartridges: behind a night, or as the parts of a night that goes on."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from drivers.errors import DriveError
from tapekit.errors import REPORTED, CartridgeError, MediumFull, Stopped
from tapekit.evidence import Evidences
from tapekit.jobs.nightly import spool
from tapekit.jobs.nightly.at_hand import AtHand
from tapekit.jobs.nightly.going_on import Person, wanted
from tapekit.jobs.sealing import Sealing
from tapekit.model import Stock
from tapekit.progress import Progress
from tapekit.report.night import Note
from tapekit.rotation.decide import Action, Decision, InReach, Night, State, Way, decide
from tapekit.rotation.words import Words

RECORD_BYTES = 4096 + 128
"""What a block takes beyond itself, at most."""
CLOSING_BYTES = 256 << 10
_BLANK = Words("a blank cartridge", "une cartouche vierge")


class Unspooling:
    """Moves what waits."""

    def __init__(
        self, at: AtHand, progress: Progress, evidences: Evidences, sealing: Sealing, person: Person | None = None
    ) -> None:  # fmt: skip
        """Nothing is moved yet."""
        self.warnings: list[Note] = []
        self.problems: list[Note] = []
        self.inside: dict[str, str] = {}
        """What was written to and is in a drive still: name by URL."""
        self.due: tuple[str, ...] = ()
        self._at = at
        self._progress = progress
        self._evidences = evidences
        self._sealing = sealing
        self._person = person

    def behind(self, directory: Path, url: str) -> str:
        """Move what fits behind what the cartridge in a drive holds; why something still waits, or nothing."""
        waits = ""
        try:
            for path in spool.waiting(directory, self._at.setting.name):
                try:
                    self._move(path, url)
                except Stopped:
                    raise
                except REPORTED as error:
                    waits = waits or str(error)
                    if not isinstance(error, (MediumFull, CartridgeError)):  # a smaller one behind it may fit
                        break
        except DriveError as error:
            waits = waits or str(error)
        return waits

    def run(self, waiting: Sequence[spool.Waiting]) -> list[spool.Waiting]:
        """Move the parts of one archive, each to a cartridge that the rotation permits; those that wait on.

        Raises Stopped.
        """
        left = list(waiting)
        while left:
            self._at.trace.step("go on")
            one = left[0]
            in_reach, stock = self._at.look()
            asked = question(self._at, one, stock)
            self.due = tuple(dict.fromkeys((*self.due, *asked.choice.names)))
            decision = self._at.decide(asked, in_reach, stock)
            way = decision.way
            if way is None:
                if not self._ask(decision, asked):
                    break
            elif way.fetch:
                self._at.fetch(way)
            elif self._taken(one, way, stock):
                left.pop(0)
        return left

    def _taken(self, one: spool.Waiting, way: Way, stock: Stock) -> bool:
        at, url = self._at, self._at.url(way.drive)
        values = {"cartridge": way.cartridge or "", "due": ", ".join(self.due) or "–"}
        try:
            if way.action in {Action.OVERWRITE, Action.LABEL}:
                block_bytes = one.block_bytes if one.block_bytes > spool.BLOCK_BYTES else None
                at.label(way, stock, self._sealing.recipients, block_bytes)
            self._move(one.path, url)
        except Stopped:
            raise
        except REPORTED as error:
            at.failed_at(way, error)
            self.problems.append(Note("not-gone-on", values, str(error)))
            return False
        self.inside[url] = way.cartridge or ""
        if not way.is_wanted:
            self.warnings.append(Note("rest-elsewhere", values))
        return True

    def _move(self, path: Path, url: str) -> None:
        at = self._at
        at.trace.step("unspool")
        drive = at.decided.open(url)
        try:
            done = spool.move(path, drive, self._progress, self._evidences, self._sealing.site_key)
            if done is not None:
                self.warnings += [Note("not-locked", {"cartridge": done.cartridge}, why) for why in done.not_locked]
            at.keeper.learn(drive)
        finally:
            drive.close()

    def _ask(self, decision: Decision, asked: Night) -> bool:
        """Whether somebody has put another cartridge in."""
        at, full = self._at, next(iter(self.inside.values()), "")
        if self._person is None:
            return False
        at.trace.step("ask")
        for url, name in list(self.inside.items()):
            if url not in at.setting.feeds:
                at.eject(name, url)
                del self.inside[url]
        at.failed -= set(dict(at.setting.drives))
        return self._person.change(wanted(at, decision, asked, full, is_first=bool(full)))


def question(at: AtHand, one: spool.Waiting, stock: Stock, others: Sequence[str] = ()) -> Night:
    """Where one part of an archive has to go; not on the cartridges of other parts, nor on `others`."""
    written = [*others, *(cartridge.name for cartridge, _ in stock.copies_of((one.archive,))[one.archive])]
    needed = one.stored_bytes + one.stored_bytes // one.block_bytes * RECORD_BYTES + CLOSING_BYTES
    asked = at.question(at.choice(stock, written=written), needed, stock, written, is_rest=True)
    return dataclasses.replace(asked, spool_bytes=None, is_divisible=False, can_ask=False)


def rest_note(at: AtHand, waiting: Sequence[spool.Waiting], on: Sequence[str]) -> Note:
    """That a night waits in parts, or its rest does, and which cartridges should be put in for them."""
    stock, named = at.stock(), list[str]()
    labelled = {cartridge.name for cartridge in stock.cartridges if cartridge.label}
    for one in waiting:
        asked = question(at, one, stock, named)
        shelf = [
            InReach("", State.OWN, cartridge) for cartridge in stock.cartridges
            if cartridge.is_in_service and cartridge.name not in asked.written
        ]  # fmt: skip
        shelf += [InReach("", State.BLANK)] if labelled.isdisjoint(asked.choice.names) else []
        way = decide(asked, shelf, stock, at.policy).way
        named += [way.cartridge] if way is not None and way.cartridge else []
    due = ", ".join(named) or _BLANK.of(at.setting.language)
    return Note(
        "rest-spooled" if on else "parts-spooled", {"due": due, "on": ", ".join(on), "count": str(len(waiting))}
    )
