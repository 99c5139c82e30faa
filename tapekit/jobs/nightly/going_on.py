"""The cartridges that a night goes on on, where one is full: from what is in reach, from a person, else in the spool.

The spool then holds the rest as a further part of the archive, and the cartridge that comes takes it from there: the
source is read once.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from drivers.base import Drive
from tapekit.errors import REPORTED, Stopped
from tapekit.jobs.next_cartridge import Asked
from tapekit.jobs.nightly import outlook, spool
from tapekit.jobs.nightly.at_hand import AtHand
from tapekit.jobs.segments import Part
from tapekit.keys.seal import Recipients
from tapekit.model import SPOOL, Stock
from tapekit.report.night import Note
from tapekit.rotation.decide import Action, Decision, Night, Way
from tapekit.rotation.forecast import smallest_bytes


@dataclasses.dataclass(frozen=True)
class Wanted:
    """Which cartridge a person is asked for."""

    full: str
    """The one that is full; empty where none is."""
    due: tuple[str, ...]
    drives: tuple[str, ...]
    why: tuple[str, ...]
    """What is wrong with what is in the drives now."""


class Person(Protocol):
    """Somebody at the terminal, who changes cartridges."""

    def change(self, wanted: Wanted) -> bool:
        """Ask for a cartridge; False: there is none to be had, and nobody is asked again."""


class GoingOn:
    """One archive on its way over several cartridges."""

    def __init__(
        self, at: AtHand, recipients: Recipients, needed_bytes: int, first: str, person: Person | None = None
    ) -> None:
        """The archive begins in the drive with the URL `first`; one that begins in the spool stays there."""
        self.places = [first]
        """URL of the drive of each part."""
        self.spooled: list[Path] = []
        self.due: tuple[str, ...] = ()
        """The cartridges that the rest was due on."""
        self.warnings: list[Note] = []
        self._at = at
        self._recipients = recipients
        self._needed_bytes = needed_bytes
        self._person = person
        self._starts_in_spool = first not in dict(at.setting.drives).values()

    def bring(self, asked: Asked, parts: Sequence[Part]) -> Drive | None:
        """See `write.Bring`. Raises Stopped."""
        at, last = self._at, parts[-1]
        at.trace.step("go on")
        if not self._is_in_spool:
            self._leave(last, asked)
        names = tuple(part.cartridge for part in parts)
        is_first = True
        rest = max(self._needed_bytes - sum(part.stored_bytes for part in parts), outlook.SLACK_BYTES)
        while True:
            asked.stop()
            in_reach, stock = ([], at.stock()) if self._starts_in_spool else at.look()
            choice = at.choice(stock, written=names)
            night = at.question(choice, rest, stock, names, is_rest=True)
            self.due = tuple(dict.fromkeys((*self.due, *choice.names)))
            decision = at.decide(night, in_reach, stock)
            way = decision.way
            if self._may_ask(way):
                self._ask(wanted(at, decision, night, last.cartridge, is_first=is_first))
                is_first = False
            elif way is None:
                return None
            elif way.fetch:
                at.fetch(way)
            elif (drive := self._opened(way, rest, stock, asked)) is not None:
                self._tell(way)
                if self.places[-1] == self.places[-2]:
                    at.keeper.ejected(last.cartridge)
                return drive

    def discard(self) -> None:
        """The archive came to nothing: so is what is in the spool of it."""
        for path in self.spooled:
            spool.discard(path)

    @property
    def _is_in_spool(self) -> bool:
        return self._starts_in_spool or bool(self.spooled)

    def _leave(self, last: Part, asked: Asked) -> None:
        """The cartridge that is full is learnt while it is in the drive, and given to whoever changes it."""
        at, url = self._at, self.places[-1]
        if why := at.learn(url, asked.opener):
            self.warnings.append(Note("catalog-missed", {}, why))
        if self._person is not None and url not in at.setting.feeds:
            at.eject(last.cartridge, url)

    def _may_ask(self, way: Way | None) -> bool:
        is_at_hand = way is not None and way.action is not Action.SPOOL
        return self._person is not None and not is_at_hand and not self._is_in_spool

    def _ask(self, asked: Wanted) -> None:
        at, person = self._at, self._person
        at.trace.step("ask")
        if person is None or not person.change(asked):
            self._person, at.can_ask = None, False
        else:
            at.failed -= set(dict(at.setting.drives))  # another cartridge is in

    def _opened(self, way: Way, rest: int, stock: Stock, asked: Asked) -> Drive | None:
        """The open drive at the end of a way; None where that led nowhere."""
        at = self._at
        try:
            url = self._url(way, rest, stock, asked)
            drive = at.decided.open(url)
            try:
                asked.check(drive)
            except BaseException:
                drive.close()
                raise
        except Stopped:
            raise
        except REPORTED as error:
            at.failed_at(way, error)
            values = {"cartridge": way.cartridge or SPOOL, "due": ", ".join(self.due) or "–"}
            self.warnings.append(Note("not-gone-on", values, str(error)))
            return None
        self.places.append(url)
        return drive

    def _url(self, way: Way, rest: int, stock: Stock, asked: Asked) -> str:
        at = self._at
        if way.action is Action.SPOOL:
            directory = at.setting.job.spool
            assert directory is not None  # noqa: S101 - without one there is no such way
            path = spool.make(
                directory, at.setting.name, at.night, rest, most_bytes=smallest_bytes(stock, at.rotation.scheme.pools),
                part=asked.segment, block_bytes=asked.block_bytes,
            )  # fmt: skip
            self.spooled.append(path)
            return f"image:{path}"
        if way.action in {Action.OVERWRITE, Action.LABEL}:
            at.label(way, stock, self._recipients, asked.block_bytes)
        return at.url(way.drive)

    def _tell(self, way: Way) -> None:
        """Where the rotation names another cartridge for the rest, or none."""
        if way.action is not Action.SPOOL and not way.is_wanted:
            values = {"cartridge": way.cartridge or "", "due": ", ".join(self.due) or "–"}
            self.warnings.append(Note("rest-elsewhere", values))


def wanted(at: AtHand, decision: Decision, asked: Night, full: str, *, is_first: bool) -> Wanted:
    """What a person is asked for; nothing is wrong with what is in before anybody was asked."""
    why = tuple(f"{name}: {words.en}" for name, words in decision.refused if name != "spool" and not is_first)
    return Wanted(full, asked.choice.names, tuple(name for name, _ in at.setting.drives), why)
