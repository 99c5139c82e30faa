"""The cartridges that a night has at hand: looked at, decided upon, fetched, labelled, learnt, and let go."""

import dataclasses
from collections.abc import Sequence
from datetime import date

from drivers.base import Drive
from drivers.changer.changer import is_same
from drivers.errors import DriveError, NoMedium
from formats.errors import FormatError
from tapekit import drives
from tapekit.deltas.state import forget_cartridge
from tapekit.evidence import Evidences
from tapekit.jobs import label
from tapekit.jobs.nightly import outlook
from tapekit.jobs.nightly.decided import Anew, Decided
from tapekit.jobs.nightly.feed import Feeds
from tapekit.jobs.nightly.keep import Keeper
from tapekit.jobs.nightly.setting import Setting
from tapekit.jobs.nightly.trace import Trace
from tapekit.keys.opener import NO_KEY, Opener
from tapekit.keys.seal import Recipients
from tapekit.model import Cartridge, Stock
from tapekit.report import health
from tapekit.report.night import DriveHealth, Nights, Note, Overwritten
from tapekit.rotation.choose import Choice, choose
from tapekit.rotation.decide import Action, Decision, InReach, Night, Way, decide
from tapekit.rotation.loss import Kind, Loss
from tapekit.rotation.retention import Policy
from tapekit.rotation.turn import Turn

MOST_ANEW = 3
"""So often a night is decided anew because another cartridge was in than the one that was looked at."""


class AtHand:
    """What is in the drives of a job and in the slots of their changers, for one night."""

    def __init__(
        self, setting: Setting, policy: Policy, night: date, keeper: Keeper, evidences: Evidences, trace: Trace
    ) -> None:
        """Nothing is looked at yet."""
        self.setting = setting
        self.policy = policy
        self.night = night
        self.keeper = keeper
        self.trace = trace
        self.rotation = policy.rotations[setting.name]
        self.turn: Turn = outlook.turn_of(self.rotation, night)
        self.feeds = Feeds(setting.feeds)
        self.failed: set[str] = set()
        """Drives that did not do it tonight; `spool` among them."""
        self.can_ask = False
        """Whether somebody is there who changes cartridges."""
        self.decided = Decided()
        self.overwritten: list[Overwritten] = []
        self.health: dict[str, DriveHealth] = {}
        """What drives said of themselves when they had been written to, by their names."""
        self.seen = outlook.Seen((), Stock(()), ())
        self._fetched: set[str] = set()
        """Drives into which something was brought that was not looked at yet."""
        self._evidences = evidences
        self._proven = frozenset(cartridge.label for cartridge in keeper.stock().cartridges)
        """Labels that the catalog knew before tonight."""
        self._times_anew = 0

    # --- looking and deciding ---------------------------------------------------------------------------------

    def stock(self) -> Stock:
        """All cartridges: as the drives have them, and as the catalog knows the others."""
        return self.look()[1]

    def look(self, kept: Sequence[str] = ()) -> tuple[list[InReach], Stock]:
        """What the drives hold, and the stock with it. Into drives (URLs) that are `kept` nothing else is brought."""
        self.trace.step("look")
        known = self.keeper.stock()
        seen = self.seen = outlook.look(self.setting, self.night, known, self._evidences, self.feeds)
        self._note_loads(seen.drives, known)
        busy = {name for name, url in self.setting.drives if url in kept}
        return [
            drive for drive in seen.drives
            if drive.drive not in self.failed and not (drive.is_in_slot and drive.drive in busy)
        ], seen.stock  # fmt: skip

    def _note_loads(self, in_reach: Sequence[InReach], known: Stock) -> None:
        """What was fetched, and is of this site, was loaded once more."""
        for drive in in_reach:
            if drive.drive in self._fetched and not drive.is_in_slot:
                self._fetched.discard(drive.drive)
                if drive.cartridge and outlook.is_ours(drive.cartridge, known, self.setting.site):
                    self.keeper.loaded(drive.cartridge)

    def choice(self, stock: Stock, count: int = 1, written: Sequence[str] = ()) -> Choice:
        """So many cartridges of the night's turn, beside those that are `written`."""
        names = tuple(name for name in self.turn.names if name not in written)
        return choose(dataclasses.replace(self.turn, names=names), stock, count)

    def question(
        self, choice: Choice, needed_bytes: int, stock: Stock, written: Sequence[str], *, is_rest: bool = False
    ) -> Night:
        """What has to go somewhere; see `outlook.question`."""
        asked = outlook.question(
            self.setting, self.rotation, choice, needed_bytes, written, can_spool="spool" not in self.failed,
            is_rest=is_rest,
        )  # fmt: skip
        asked = dataclasses.replace(asked, can_ask=self.can_ask)
        proven = self._proven if self.keeper.is_whole else frozenset()
        return outlook.doubted(asked, stock, proven, is_stock_known=self.keeper.is_whole)

    def decide(self, asked: Night, in_reach: Sequence[InReach], stock: Stock) -> Decision:
        """The best way; what is opened on it must then still be what was decided on."""
        decision = decide(asked, in_reach, stock, self.policy)
        if decision.way is not None and decision.way.drive is not None and not decision.way.fetch:
            self.decided.on(decision.way, in_reach, self.url(decision.way.drive))
        return decision

    # --- doing ------------------------------------------------------------------------------------------------

    def url(self, drive: str | None) -> str:
        """Of a drive, by its name."""
        return dict(self.setting.drives)[drive or ""]

    def fetch(self, way: Way) -> None:
        """Have a cartridge brought, to be looked at; where that fails, another way is taken, and that is told."""
        self.trace.step("fetch")
        self._fetched.add(way.drive or "")
        self.feeds.bring(self.url(way.drive), way.fetch)

    def label(self, way: Way, stock: Stock, recipients: Recipients, block_bytes: int | None = None) -> None:
        """Give a blank or expired cartridge a new label; what it held is no more from here on.

        What goes is written down as gone first; where that fails, nothing goes. Raises Anew.
        """
        self.trace.step("label")
        assert way.cartridge is not None  # noqa: S101 - ways over a drive name one
        before = stock.named(way.cartridge) if way.action is Action.OVERWRITE else None
        pool = (before.pool if before is not None else None) or self.turn.pool
        url = self.url(way.drive)
        drive = self.decided.open(url)
        try:
            if before is not None and not self.keeper.overwritten(before):
                raise Anew(f"{url}: cartridge {way.cartridge}: what it holds cannot be written down as gone")
            made = label.run(
                drive, barcode=way.cartridge, pool=pool, block_bytes=block_bytes, destroy=way.cartridge,
                keys=recipients.keys,
            )  # fmt: skip
            self.decided.labelled(url, made.label.cartridge)
            self.keeper.learn(drive)
        finally:
            drive.close()
        loaded = self.stock().labelled(made.label.cartridge)
        if loaded is not None:
            self.keeper.loaded(loaded)
        if before is not None:
            forget_cartridge(self.setting.state, before.label)
        if before is not None and before.copies:
            self.overwritten.append(_overwritten(before, way.loss))

    def learn(self, url: str, opener: Opener = NO_KEY) -> str:
        """What is on a cartridge now goes into the catalog; why not, where that fails.

        Another one that was put in meanwhile does not: it would count as this site's from then on.
        """
        try:
            drive = self.decided.open(url, writable=False)
            try:
                self._ask_health(url, drive)
                self.keeper.learn(drive, opener=opener)
            finally:
                drive.close()
        except (DriveError, FormatError, Anew) as error:
            return str(error)
        return ""

    def _ask_health(self, url: str, drive: Drive) -> None:
        name = next((name for name, known in self.setting.drives if known == url), url)
        told = health.kept(name, drive.health())
        if told is not None:
            self.health[name] = told

    def failed_at(self, way: Way, error: Exception) -> None:
        """A way did not lead there; it is not taken again tonight, unless nothing but the decision was at fault."""
        if isinstance(error, Anew) and self._times_anew < MOST_ANEW:
            self._times_anew += 1
        elif way.action is Action.SPOOL or not self.feeds.may_try_another(self.url(way.drive)):
            self.failed.add(way.drive or "spool")

    # --- letting go -------------------------------------------------------------------------------------------

    def eject(self, name: str, url: str) -> Note | None:
        """Let a cartridge go; what is to be told where it does not."""
        self.trace.step("eject")
        why = self.feeds.put_back(url) if url in self.setting.feeds else _ejected(url)
        if why:
            return Note("not-ejected", {"cartridge": name}, why)
        self.keeper.ejected(name)
        return None

    def put_back(self, written: Sequence[str]) -> list[Note]:
        """What was fetched, and not written, goes back to its slot; what went wrong with changers."""
        for url in self.feeds.filled - set(written) if self.setting.job.eject else ():
            self.feeds.put_back(url)
        names = {url: name for name, url in self.setting.drives}
        unread = {url: ", ".join(map(str, slots)) for url, slots in self.feeds.unreadable.items() if slots}
        return [
            *(Note("changer", {"drive": names[url]}, why) for url, why in self.feeds.problems),
            *(Note("barcode-unreadable", {"drive": names[url], "slots": slots}) for url, slots in unread.items()),
        ]

    def slots_of(self, names: Sequence[str]) -> dict[str, int]:
        """Of these cartridges, those that lie in a slot, and in which."""
        return {
            name: slot for name in names for barcode, slot in self.feeds.slots.items() if is_same(barcode, name)
        }  # fmt: skip


def _ejected(url: str) -> str:
    """Why a drive does not let its cartridge go; empty where it did."""
    try:
        drive = drives.open_drive(url, {}, writable=False)
        try:
            drive.eject()
        finally:
            drive.close()
    except NoMedium:  # somebody took it already
        return ""
    except DriveError as error:
        return str(error)
    return ""


def _overwritten(before: Cartridge, loss: Loss) -> Overwritten:
    held: dict[str, list[date]] = {}
    for copy in before.copies:
        held.setdefault(copy.job, []).append(copy.night)
    return Overwritten(
        before.name,
        tuple(Nights(job, min(nights), max(nights)) for job, nights in held.items()),
        tuple(Nights(lost.job, *span) for lost in loss.jobs if lost.kind is not Kind.VERIFIED for span in lost.spans),
    )
