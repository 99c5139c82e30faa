"""The ways a night goes: onto the cartridge that is due, onto another, or to the spool, until it is somewhere safe."""

import dataclasses
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from drivers.base import Drive
from drivers.errors import DriveError
from formats.errors import FormatError
from tapekit import drives
from tapekit.catalog.record import Use
from tapekit.deltas.state import forget_cartridge
from tapekit.errors import REPORTED, Exit, MediumFull, Stopped, TapekitError, exit_code
from tapekit.evidence import Evidences
from tapekit.jobs import backup, duplicate, label
from tapekit.jobs.nightly import outlook, refusals, spool
from tapekit.jobs.nightly.feed import Feeds
from tapekit.jobs.nightly.keep import Keeper
from tapekit.jobs.nightly.setting import Setting
from tapekit.jobs.nightly.trace import Trace
from tapekit.jobs.nightly.write import Writer, Written
from tapekit.keys.opener import NO_KEY, Opener
from tapekit.keys.seal import Recipients
from tapekit.keys.site import SiteKey
from tapekit.model import Cartridge, Rung, Stock
from tapekit.progress import Progress
from tapekit.report import health
from tapekit.report.night import CartridgeState, DriveHealth, Nights, Note, Outcome, Overwritten, Timing
from tapekit.rotation.choose import Choice, choose
from tapekit.rotation.decide import Action, Decision, InReach, Night, Way, decide
from tapekit.rotation.loss import Kind, Loss
from tapekit.rotation.retention import Policy
from tapekit.rotation.turn import Turn


@dataclasses.dataclass
class Gone:
    """Where the night went, and what is to be told of the way."""

    archive: str = ""
    due: tuple[str, ...] = ()
    cartridges: list[CartridgeState] = dataclasses.field(default_factory=list)
    is_spooled: bool = False
    members: int = 0
    source_bytes: int = 0
    stored_bytes: int = 0
    overwritten: list[Overwritten] = dataclasses.field(default_factory=list)
    health: dict[str, DriveHealth] = dataclasses.field(default_factory=dict)
    """What each drive that was written to says of itself."""
    problems: list[Note] = dataclasses.field(default_factory=list)
    warnings: list[Note] = dataclasses.field(default_factory=list)
    exit_code: Exit = Exit.FAILED
    """Where it went nowhere, or to the spool."""

    def outcome(self, problems: Sequence[Note], warnings: Sequence[Note]) -> Outcome:
        """How the night ended, with all that is to be told."""
        if self.is_spooled:
            return Outcome.SPOOLED
        if not self.cartridges:
            return Outcome.FAILED
        return Outcome.WARNINGS if problems or warnings else Outcome.CLEAN


class Ways:
    """Takes one way after the other."""

    def __init__(
        self, setting: Setting, policy: Policy, night: date, keeper: Keeper, evidences: Evidences, trace: Trace,
        progress: Progress,
    ) -> None:  # fmt: skip
        """Nothing is looked at yet."""
        self.timings: list[Timing] = []
        self._setting = setting
        self._policy = policy
        self._night = night
        self._keeper = keeper
        self._evidences = evidences
        self._trace = trace
        self._progress = progress
        self._writer = Writer(setting.depth, progress, evidences, trace)
        self._feeds = Feeds(setting.feeds)
        self._failed: set[str] = set()
        """Drives that did not do it tonight."""
        self._written: list[tuple[str, str]] = []
        """Name and URL of the cartridges that hold the night."""
        self._gone = Gone()
        self._seen = outlook.Seen((), Stock(()), ())
        self._proven = frozenset(cartridge.label for cartridge in keeper.stock().cartridges)
        """Labels that the catalog knew before tonight."""
        self._saved: backup.Result | None = None
        self._opener: Opener = NO_KEY
        self._site_key: SiteKey | None = None
        """The night as it was written first; it knows what opens it, until it is over."""

    def stock(self) -> Stock:
        """All cartridges: as the drives have them, and as the catalog knows the others."""
        return self._look()[1]

    def go(self, request: backup.Request, source_bytes: int) -> Gone:
        """Write the night. Raises Stopped; everything else is in the answer."""
        gone, rotation = self._gone, self._policy.rotations[self._setting.name]
        self._site_key = request.site_key
        self._feeds.clean()
        for drive in self._look()[0]:
            if (
                drive.cartridge
                and not drive.is_in_slot
                and outlook.is_ours(drive.cartridge, self._keeper.stock(), self._setting.site)
            ):
                self._keeper.loaded(drive.cartridge)
        self._keeper.seen([drive for drive in self._seen.found if not drive.is_in_slot])
        turn = outlook.turn_of(rotation, self._night)
        error: TapekitError | DriveError | FormatError | None = None
        while len(self._written) < rotation.per_night and not gone.is_spooled:
            in_reach, stock = self._look()
            choice = choose(turn, stock, rotation.per_night)
            gone.due = gone.due or choice.names
            needed = outlook.needed_bytes(self._setting.name, stock, source_bytes)
            asked = self._question(choice, needed, stock)
            decision = decide(asked, in_reach, stock, self._policy)
            decision = dataclasses.replace(decision, way=self._chosen(decision, stock))
            if decision.way is None:
                self._tell_nowhere(self._refusals(decision, asked))
                break
            if decision.way.fetch:
                self._fetch(decision.way)
                continue
            try:
                self._take(decision.way, request, needed, stock, turn)
            except Stopped:
                raise
            except REPORTED as failure:
                error = failure
                self._tell_failure(decision.way, failure)
                continue
            self._tell_way(decision, asked)
        if self._saved is not None:
            self._saved.forget()
        self._put_back()
        if self._written:
            self._finish()
        else:
            gone.exit_code = Exit.CARTRIDGE if gone.is_spooled else exit_code(error) if error else gone.exit_code
        return gone

    # --- looking and deciding ---------------------------------------------------------------------------------

    def _look(self) -> tuple[list[InReach], Stock]:
        """What the drives hold, and the stock with it."""
        self._trace.step("look")
        known = self._keeper.stock()
        seen = self._seen = outlook.look(self._setting, self._night, known, self._evidences, self._feeds)
        holds = {
            url for _, url in self._written
        }  # what was written stays in its drive: further copies are made from it
        busy = {name for name, url in self._setting.drives if url in holds}
        return [
            drive for drive in seen.drives
            if drive.drive not in self._failed and not (drive.is_in_slot and drive.drive in busy)
        ], seen.stock  # fmt: skip

    def _question(self, choice: Choice, needed_bytes: int, stock: Stock) -> Night:
        written = tuple(name for name, _ in self._written)
        rotation, can_spool = self._policy.rotations[self._setting.name], "spool" not in self._failed
        asked = outlook.question(self._setting, rotation, choice, needed_bytes, written, can_spool=can_spool)
        proven = self._proven if self._keeper.is_whole else frozenset()
        return outlook.doubted(asked, stock, proven, is_stock_known=self._keeper.is_whole)

    # --- changers ---------------------------------------------------------------------------------------------

    def _url(self, drive: str | None) -> str:
        return dict(self._setting.drives)[drive or ""]

    def _fetch(self, way: Way) -> None:
        """Have a cartridge brought, to be looked at; where that fails, another way is taken, and that is told."""
        self._trace.step("fetch")
        self._feeds.bring(self._url(way.drive), way.fetch)

    def _put_back(self) -> None:
        """What was fetched and not written goes back to its slot; then what went wrong with changers is told."""
        written = {url for _, url in self._written}
        for url in self._feeds.filled - written if self._setting.job.eject else ():
            self._feeds.put_back(url)
        names = {url: name for name, url in self._setting.drives}
        told = self._gone.warnings if self._written else self._gone.problems
        told += [Note("changer", {"drive": names[url]}, why) for url, why in self._feeds.problems]

    # --- going ------------------------------------------------------------------------------------------------

    def _take(self, way: Way, request: backup.Request, needed_bytes: int, stock: Stock, turn: Turn) -> None:
        if way.action is Action.SPOOL:
            self._to_spool(request, needed_bytes)
            return
        url = self._url(way.drive)
        if way.action in {Action.OVERWRITE, Action.LABEL}:
            self._label(way, url, stock, turn.pool, request.recipients)
        if self._written:
            self._copy(url)
        else:
            self._write(url, request)

    def _chosen(self, decision: Decision, stock: Stock) -> Way | None:
        """The best way. What goes is written down as gone first; where that fails, nothing goes."""
        for way in (decision.way, *decision.others):
            is_over = way is not None and way.action is Action.OVERWRITE and not way.fetch
            before = stock.named(way.cartridge or "") if way and is_over else None
            if before is None or self._keeper.overwritten(before):
                return way
        return None

    def _label(self, way: Way, url: str, stock: Stock, pool: str, recipients: Recipients) -> None:
        """Give a blank or expired cartridge a new label; what it held is no more from here on."""
        self._trace.step("label")
        assert way.cartridge is not None  # noqa: S101 - ways over a drive name one
        before = stock.named(way.cartridge) if way.action is Action.OVERWRITE else None
        if before is not None:
            pool = before.pool or pool
        drive = drives.open_drive(url, {}, writable=True)
        try:
            label.run(
                drive, barcode=way.cartridge, pool=pool, block_bytes=None, destroy=way.cartridge, keys=recipients.keys
            )
            self._keeper.learn(drive)
        finally:
            drive.close()
        made = self.stock().named(way.cartridge)
        if made is not None:
            self._keeper.loaded(made)
        if before is not None:
            forget_cartridge(self._setting.state, before.label)
        if before is not None and before.copies:
            self._gone.overwritten.append(_overwritten(before, way.loss))

    def _write(self, url: str, request: backup.Request) -> None:
        written = self._writer.write(url, request)
        done, gone = written.backup, self._gone
        self._saved, self._opener = done, done.opener
        gone.archive, gone.members = done.archive, done.members
        gone.source_bytes, gone.stored_bytes = done.source_bytes, done.stored_bytes
        self._arrived(url, written.backup.cartridge, written.rungs, written)

    def _copy(self, url: str) -> None:
        """The same archive on a further cartridge."""
        self._trace.step("copy")
        source = drives.open_drive(self._written[0][1], {}, writable=False)
        target = drives.open_drive(url, {}, writable=True)
        try:
            done = duplicate.run(source, target, self._gone.archive, self._progress, self._evidences, self._site_key)
            self._gone.warnings += [Note("not-locked", {"cartridge": done.cartridge}, why) for why in done.not_locked]
            rungs = self._writer.prove_copy(target, done.archive, self._opener)
        finally:
            source.close()
            target.close()
        self._arrived(url, done.cartridge, rungs)

    def _to_spool(self, request: backup.Request, needed_bytes: int) -> None:
        directory = self._setting.job.spool
        assert directory is not None  # noqa: S101 - without one there is no such way
        self._trace.step("spool")
        path = spool.make(directory, self._setting.name, self._night, needed_bytes)
        try:
            alone = dataclasses.replace(request, incremental=None)  # nothing will ever be written behind it
            written = self._writer.write(f"image:{path}", alone)
        except BaseException:
            spool.discard(path)
            raise
        done, gone = written.backup, self._gone
        gone.is_spooled, gone.archive, gone.members = True, done.archive, done.members
        gone.source_bytes, gone.stored_bytes = done.source_bytes, done.stored_bytes
        done.forget()
        self._take_notes(written)
        gone.warnings.append(Note("spooled"))

    def _arrived(self, url: str, name: str, rungs: Sequence[Rung], written: Written | None = None) -> None:
        self._written.append((name, url))
        if written is not None:
            self._take_notes(written)
        self._trace.step("catalog")
        self._learn(url)
        cartridge = self.stock().named(name)
        if cartridge is not None:
            self._gone.cartridges.append(CartridgeState.of(cartridge, rungs))
            read = self._gone.stored_bytes if Rung.READ_BACK in rungs else 0
            self._keeper.used(cartridge.label, Use(self._gone.stored_bytes, read, 0, cartridge.remaining_bytes))
        else:
            self._gone.cartridges.append(CartridgeState(name, tuple(rungs)))

    def _learn(self, url: str, *, is_told: bool = True) -> None:
        """What is on a cartridge now; what cannot be learnt of it is told at most, as it stops nothing."""
        try:
            drive = drives.open_drive(url, {}, writable=False)
            try:
                self._ask_health(url, drive)
                self._keeper.learn(drive, opener=self._opener)
            finally:
                drive.close()
        except (DriveError, FormatError) as error:
            if is_told:
                self._gone.problems.append(Note("catalog-missed", {}, str(error)))

    def _ask_health(self, url: str, drive: Drive) -> None:
        name = next((name for name, known in self._setting.drives if known == url), url)
        told = health.kept(name, drive.health())
        if told is not None:
            self._gone.health[name] = told

    def _take_notes(self, written: Written) -> None:
        self.timings += written.timings
        self._gone.problems += written.problems
        self._gone.warnings += written.warnings

    def broken_off(self, why: Note) -> Gone:
        """What there is where the night did not come to its end."""
        self._gone.problems.append(why)
        return self._gone

    def _finish(self) -> None:
        """What waits in the spool goes along; then the cartridges are let go."""
        name, url = self._written[0]
        directory = self._setting.job.spool
        if directory is not None and spool.waiting(directory, self._setting.name):
            self._unspool(directory, name, url)
        if self._setting.job.eject:
            for cartridge, place in self._written:
                self._eject(cartridge, place)

    def _unspool(self, directory: Path, name: str, url: str) -> None:
        waits = ""
        try:
            drive = drives.open_drive(url, {}, writable=True)
            try:
                waits = self._move(directory, drive)
            finally:
                drive.close()
        except DriveError as error:
            waits = waits or str(error)
        if waits:
            values = {"count": str(len(spool.waiting(directory, self._setting.name))), "due": name}
            self._gone.warnings.append(Note("spool-waits", values, waits))

    def _move(self, directory: Path, drive: Drive) -> str:
        """Move what waits to a cartridge; why something still does, or nothing."""
        waits = ""
        for path in spool.waiting(directory, self._setting.name):
            self._trace.step("unspool")
            try:
                spool.move(path, drive, self._progress, self._evidences, self._site_key)
                self._keeper.learn(drive)
            except Stopped:
                raise
            except REPORTED as error:
                waits = waits or str(error)
                if not isinstance(error, MediumFull):  # a smaller one behind it may fit
                    break
        return waits

    def _eject(self, name: str, url: str) -> None:
        self._trace.step("eject")
        if url in self._setting.feeds:
            why = self._feeds.put_back(url)
            if why:
                self._gone.warnings.append(Note("not-ejected", {"cartridge": name}, why))
            else:
                self._keeper.ejected(name)
            return
        try:
            drive = drives.open_drive(url, {}, writable=False)
            try:
                drive.eject()
            finally:
                drive.close()
        except DriveError as error:
            self._gone.warnings.append(Note("not-ejected", {"cartridge": name}, str(error)))
        else:
            self._keeper.ejected(name)

    # --- telling ----------------------------------------------------------------------------------------------

    def _tell_failure(self, way: Way, error: Exception) -> None:
        """A way that did not lead there; it is not taken again tonight."""
        if way.action is Action.SPOOL or not self._feeds.may_try_another(self._url(way.drive)):
            self._failed.add(way.drive or "spool")
        if way.action is Action.SPOOL:
            self._gone.problems.append(Note("spool-full", {}, str(error)))
            return
        self._learn(self._url(way.drive), is_told=False)
        code = exit_code(error)
        kind = {Exit.VERIFICATION: "verification-failed", Exit.END_OF_MEDIUM: "full-cartridge"}.get(code, "drive")
        self._gone.problems.append(Note(kind, {"cartridge": way.cartridge or "", "drive": way.drive or ""}, str(error)))

    def _tell_nowhere(self, why: list[Note]) -> None:
        """Why no drive takes it; where some cartridge has it already, no more than a warning."""
        if self._written:
            self._gone.warnings += why
        else:
            self._gone.problems += why
            self._gone.exit_code = refusals.exit_code(why)

    def _tell_way(self, decision: Decision, asked: Night) -> None:
        """Why the night is not where it was due."""
        way = decision.way
        assert way is not None  # noqa: S101 - it was taken
        if way.action is Action.SPOOL:
            self._gone.warnings[:0] = self._refusals(decision, asked)
        elif not way.is_wanted:
            choice = asked.choice
            due = ", ".join(choice.names or choice.skipped)
            why = choice.why.of(self._setting.language) if choice.skipped else ""
            self._gone.warnings.append(Note("another-cartridge", {"cartridge": way.cartridge or "", "due": due}, why))

    def _refusals(self, decision: Decision, asked: Night) -> list[Note]:
        return refusals.notes(decision, self._seen, asked, self._policy, self._setting.language)


def _overwritten(before: Cartridge, loss: Loss) -> Overwritten:
    held: dict[str, list[date]] = {}
    for copy in before.copies:
        held.setdefault(copy.job, []).append(copy.night)
    return Overwritten(
        before.name,
        tuple(Nights(job, min(nights), max(nights)) for job, nights in held.items()),
        tuple(Nights(lost.job, *span) for lost in loss.jobs if lost.kind is not Kind.VERIFIED for span in lost.spans),
    )
