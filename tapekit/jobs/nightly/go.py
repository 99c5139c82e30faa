"""The ways a night goes: onto the cartridge that is due, onto others, or to the spool, until it is somewhere safe."""

import dataclasses
from collections.abc import Sequence

from drivers.errors import DriveError
from formats.errors import FormatError
from tapekit.catalog.record import Use
from tapekit.errors import REPORTED, Exit, Stopped, TapekitError, exit_code
from tapekit.evidence import Evidences
from tapekit.jobs import backup, duplicate
from tapekit.jobs.nightly import outlook, refusals, spool
from tapekit.jobs.nightly.at_hand import AtHand
from tapekit.jobs.nightly.decided import Anew, Exchanged
from tapekit.jobs.nightly.going_on import GoingOn, Person
from tapekit.jobs.nightly.prove import Means
from tapekit.jobs.nightly.unspool import Unspooling, rest_note
from tapekit.jobs.nightly.write import Writer, Written
from tapekit.jobs.sealing import Sealing
from tapekit.keys.opener import NO_KEY, Opener
from tapekit.keys.seal import NOBODY
from tapekit.keys.site import SiteKey
from tapekit.model import Rung, Stock
from tapekit.progress import Progress
from tapekit.report.night import CartridgeState, DriveHealth, Note, Outcome, Overwritten, Timing
from tapekit.rotation.decide import Action, Decision, Night, Way
from tapekit.rotation.forecast import smallest_bytes


@dataclasses.dataclass
class Gone:
    """Where the night went, and what is to be told of the way."""

    archive: str = ""
    due: tuple[str, ...] = ()
    cartridges: list[CartridgeState] = dataclasses.field(default_factory=list)
    is_spooled: bool = False
    """All of it, or the rest of what is on the cartridges."""
    is_set: bool = False
    """It takes several cartridges."""
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

    def __init__(self, at: AtHand, evidences: Evidences, progress: Progress, person: Person | None = None) -> None:
        """Nothing is looked at yet."""
        self.timings: list[Timing] = []
        self._at = at
        self._setting = at.setting
        self._keeper = at.keeper
        self._trace = at.trace
        self._evidences = evidences
        self._progress = progress
        self._person = person
        at.can_ask = person is not None
        self._writer = Writer(Means(at.setting.depth, progress, evidences, at.trace), at.decided)
        self._written: list[tuple[str, str]] = []
        """Name and URL of the cartridges that hold the night, or the last part of it."""
        self._inside: dict[str, str] = {}
        """What was written and is in a drive still: name by URL."""
        self._gone = Gone(overwritten=at.overwritten, health=at.health)
        self._saved: backup.Result | None = None
        self._opener: Opener = NO_KEY
        """The night as it was written first; it knows what opens it, until it is over."""
        self._site_key: SiteKey | None = None
        self._recipients = NOBODY

    def stock(self) -> Stock:
        """All cartridges: as the drives have them, and as the catalog knows the others."""
        return self._at.stock()

    def go(self, request: backup.Request, source_bytes: int) -> Gone:
        """Write the night. Raises Stopped; everything else is in the answer."""
        gone, rotation, at = self._gone, self._at.rotation, self._at
        self._site_key, self._recipients = request.site_key, request.recipients
        self._begin()
        error: TapekitError | DriveError | FormatError | None = None
        while len(self._written) < rotation.per_night and not gone.is_spooled and not gone.is_set:
            # What was written stays in its drive: further copies are made from it
            in_reach, stock = at.look([url for _, url in self._written])
            choice = at.choice(stock, rotation.per_night)
            gone.due = gone.due or choice.names
            needed = outlook.needed_bytes(self._setting.name, stock, source_bytes)
            asked = at.question(choice, needed, stock, [name for name, _ in self._written])
            decision = at.decide(asked, in_reach, stock)
            if decision.way is None:
                self._tell_nowhere(self._refusals(decision, asked))
                break
            if decision.way.fetch:
                at.fetch(decision.way)
                continue
            try:
                self._take(decision.way, request, needed, stock)
            except Stopped:
                raise
            except REPORTED as failure:
                error = failure
                self._tell_failure(decision.way, failure)
                continue
            self._tell_way(decision, asked)
        if self._saved is not None:
            self._saved.forget()
        self._end(error)
        return gone

    def resume(self, waiting: Sequence[spool.Waiting], sealing: Sealing) -> Gone:
        """A night whose parts wait in the spool goes on from where it stopped: they are moved to cartridges.

        Raises Stopped.
        """
        gone, at = self._gone, self._at
        self._begin()
        moving = Unspooling(at, self._progress, self._evidences, sealing, self._person)
        try:
            left = moving.run(waiting)
        finally:
            gone.warnings += moving.warnings
            gone.problems += moving.problems
            self._inside |= moving.inside
        gone.archive, gone.due, gone.is_set = waiting[0].archive, moving.due, True
        held = self.stock().copies_of((gone.archive,))[gone.archive]
        for cartridge, copy in sorted(held, key=lambda found: found[1].segment):
            gone.cartridges.append(CartridgeState.of(cartridge, [rung for rung, _ in copy.evidence]))
            gone.stored_bytes += copy.stored_bytes
            gone.source_bytes += copy.source_bytes
            gone.members += copy.members
        if left:
            gone.is_spooled = True
            gone.warnings.insert(0, rest_note(at, left, [cartridge.name for cartridge in gone.cartridges]))
        self._end(None)
        return gone

    def _begin(self) -> None:
        """See what is in the drives, and clean them where they ask for it."""
        at = self._at
        at.feeds.clean()
        for drive in at.look()[0]:
            if (
                drive.cartridge
                and not drive.is_in_slot
                and outlook.is_ours(drive.cartridge, self._keeper.stock(), self._setting.site)
            ):
                self._keeper.loaded(drive.cartridge)
        self._keeper.seen([drive for drive in at.seen.found if not drive.is_in_slot])

    def _end(self, error: Exception | None) -> None:
        """Let all cartridges go, with what waits in the spool on them."""
        gone = self._gone
        told = self._at.put_back(list(self._inside))
        if self._inside:
            gone.warnings += told
        else:
            gone.problems += told
        if self._written and not gone.is_spooled:
            self._unspool(*self._written[0])
        for url, name in self._inside.items() if self._setting.job.eject else ():
            if (note := self._at.eject(name, url)) is not None:
                gone.warnings.append(note)
        if gone.is_spooled or not self._written:
            gone.exit_code = Exit.CARTRIDGE if gone.is_spooled else exit_code(error) if error else gone.exit_code

    # --- going ------------------------------------------------------------------------------------------------

    def _take(self, way: Way, request: backup.Request, needed_bytes: int, stock: Stock) -> None:
        if way.action is Action.SPOOL:
            self._to_spool(request, needed_bytes, stock)
            return
        url = self._at.url(way.drive)
        if way.action in {Action.OVERWRITE, Action.LABEL}:
            self._at.label(way, stock, request.recipients)
        if self._written:
            self._copy(url)
        else:
            self._write(url, dataclasses.replace(request, needed_bytes=needed_bytes), needed_bytes)

    def _write(self, url: str, request: backup.Request, needed_bytes: int) -> None:
        going = GoingOn(self._at, request.recipients, needed_bytes, url, self._person)
        try:
            written = self._writer.write(url, request, going.bring)
        except BaseException:
            going.discard()
            raise
        finally:
            self._gone.warnings += going.warnings
        done, gone = written.backup, self._gone
        self._saved, self._opener = done, done.opener
        gone.is_set = len(done.parts) > 1
        self._take_notes(written)
        in_drives = set(dict(self._setting.drives).values())
        for proof, place in zip(written.proofs, going.places, strict=True):
            if place in in_drives:
                is_last = proof is written.proofs[-1]  # the others were learnt before they left their drives
                self._arrived(place, proof.part.cartridge, proof.part.stored_bytes, proof.rungs, is_learnt=not is_last)
        gone.due += going.due if self._gone.is_set else ()
        if any(place not in in_drives for place in going.places):
            self._tell_spooled()

    def _copy(self, url: str) -> None:
        """The same archive on a further cartridge."""
        self._trace.step("copy")
        source = self._at.decided.open(self._written[0][1], writable=False)
        try:
            target = self._at.decided.open(url)
        except BaseException:
            source.close()
            raise
        try:
            done = duplicate.run(source, target, self._gone.archive, self._progress, self._evidences, self._site_key)
            self._gone.warnings += [Note("not-locked", {"cartridge": done.cartridge}, why) for why in done.not_locked]
            rungs = self._writer.prove_copy(target, done.archive, self._opener)
        finally:
            source.close()
            target.close()
        self._arrived(url, done.cartridge, self._gone.stored_bytes, rungs)

    def _to_spool(self, request: backup.Request, needed_bytes: int, stock: Stock) -> None:
        directory = self._setting.job.spool
        assert directory is not None  # noqa: S101 - without one there is no such way
        self._trace.step("spool")
        most = smallest_bytes(stock, self._at.rotation.scheme.pools)
        path = spool.make(directory, self._setting.name, self._at.night, needed_bytes, most_bytes=most)
        alone = dataclasses.replace(request, incremental=None)  # nothing will ever be written behind it
        going = GoingOn(self._at, request.recipients, needed_bytes, f"image:{path}")
        try:
            written = self._writer.write(f"image:{path}", alone, going.bring)
        except BaseException:
            spool.discard(path)
            going.discard()
            raise
        self._take_notes(written)
        self._gone.is_set = len(written.proofs) > 1
        self._tell_spooled()
        written.backup.forget()

    def _arrived(
        self, url: str, name: str, stored_bytes: int, rungs: Sequence[Rung], *, is_learnt: bool = False
    ) -> None:
        self._written = [(name, url)] if self._gone.is_set else [*self._written, (name, url)]
        self._inside[url] = name
        self._trace.step("catalog")
        why = "" if is_learnt else self._at.learn(url, self._opener)
        if why:  # it stops nothing
            self._gone.problems.append(Note("catalog-missed", {}, why))
        cartridge = self.stock().named(name)
        if cartridge is not None:
            self._gone.cartridges.append(CartridgeState.of(cartridge, rungs))
            read = stored_bytes if Rung.READ_BACK in rungs else 0
            self._keeper.used(cartridge.label, Use(stored_bytes, read, 0, cartridge.remaining_bytes))
        else:
            self._gone.cartridges.append(CartridgeState(name, tuple(rungs)))

    def _take_notes(self, written: Written) -> None:
        done, gone = written.backup, self._gone
        gone.archive, gone.members = done.archive, done.members
        gone.source_bytes, gone.stored_bytes = done.source_bytes, done.stored_bytes
        self.timings += written.timings
        gone.problems += written.problems
        gone.warnings += written.warnings

    def broken_off(self, why: Note) -> Gone:
        """What there is where the night did not come to its end."""
        self._gone.problems.append(why)
        return self._gone

    def _unspool(self, name: str, url: str) -> None:
        """What waits in the spool goes behind the night."""
        directory = self._setting.job.spool
        if directory is None or not spool.waiting(directory, self._setting.name):
            return
        sealing = Sealing(self._recipients, self._site_key)
        moving = Unspooling(self._at, self._progress, self._evidences, sealing)
        waits = moving.behind(directory, url)
        self._gone.warnings += moving.warnings
        if waits:
            values = {"count": str(spool.nights(directory, self._setting.name)), "due": name}
            self._gone.warnings.append(Note("spool-waits", values, waits))

    # --- telling ----------------------------------------------------------------------------------------------

    def _tell_spooled(self) -> None:
        """The night, or its rest, waits on the server's own disk."""
        gone, directory = self._gone, self._setting.job.spool
        gone.is_spooled = True
        sets = spool.sets(directory, self._setting.name) if directory else []
        parts = [one for one in sets if one.archive == gone.archive]
        if parts:
            gone.warnings.append(rest_note(self._at, parts, [cartridge.name for cartridge in gone.cartridges]))
        else:
            gone.warnings.append(Note("spooled"))

    def _tell_failure(self, way: Way, error: Exception) -> None:
        """A way that did not lead there; it is not taken again tonight."""
        self._at.failed_at(way, error)
        if type(error) is Anew:
            return  # the catalog's own note says why
        if way.action is Action.SPOOL:
            self._gone.problems.append(Note("spool-full", {}, str(error)))
            return
        self._at.learn(self._at.url(way.drive))
        code = exit_code(error)
        if isinstance(error, Exchanged):
            self._gone.problems.append(Note("exchanged-cartridge", {"drive": way.drive or ""}, str(error)))
            return
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
        if self._gone.is_set and self._at.rotation.per_night > 1:
            due, why = ", ".join(self._gone.due), "what is on several cartridges is not copied"
            self._gone.warnings.append(
                Note("copy-missing", {"count": str(len(self._gone.cartridges)), "due": due}, why)
            )

    def _refusals(self, decision: Decision, asked: Night) -> list[Note]:
        return refusals.notes(decision, self._at.seen, asked, self._at.policy, self._setting.language)
