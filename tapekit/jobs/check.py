"""The evening check: before the site closes, what the night will find, and what a person should do about it.

It asks what the night itself will ask, of the same drives, by the same functions, and writes on no cartridge.
"""

import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from datetime import date

from tapekit import clock
from tapekit.errors import Busy, Exit, TapekitError
from tapekit.evidence import Evidences
from tapekit.jobs import foresee, past, plan
from tapekit.jobs.nightly import outlook, sizes, spool
from tapekit.jobs.nightly.deliver import send, write_metrics
from tapekit.jobs.nightly.keep import Keeper
from tapekit.jobs.nightly.lock import locked
from tapekit.jobs.nightly.outlook import Seen
from tapekit.jobs.nightly.setting import Setting
from tapekit.jobs.past import Past
from tapekit.jobs.status import overdue_notes
from tapekit.model import Stock
from tapekit.report.check import Check, Planned, message
from tapekit.report.night import Note, Outcome
from tapekit.report.notes import note, of_error
from tapekit.rotation.choose import choose
from tapekit.rotation.decide import Action, InReach, Night, State, Way, decide
from tapekit.rotation.permit import Reason, may_append, may_overwrite
from tapekit.rotation.retention import Policy
from tapekit.rotation.words import Words

WAIT_S = 600
"""So long at most for a run that uses the drive: the check's unit allows an hour, tries to send included."""
_IN_DRIVE = {
    State.EMPTY: "check-empty", State.BLANK: "check-blank", State.FOREIGN: "check-foreign", State.BAD: "check-drive",
}  # fmt: skip
_REFUSED = ((Reason.FOREIGN, "check-foreign"), (Reason.LOCKED, "locked-cartridge"),
            (Reason.WRITE_PROTECTED, "write-protected"))  # fmt: skip
"""Why the cartridge that is due cannot be written, where a person can mend that."""
_WORDED = (State.FOREIGN, State.BAD)
"""Of these the drive itself has something to say."""
_LOST = Words("the night cannot be saved", "la nuit ne peut pas être sauvegardée")


def run(of: Setting, chosen: date | None = None, waiting: Callable[[str], None] | None = None) -> Check:
    """Check what the next night will find, or that of a date. `waiting` is told who holds the drive."""
    now = clock.now()
    remembered = past.recall(of.configuration)
    last = remembered.last.get(of.name)
    night = chosen or foresee.coming_night(of.job, last.night if last else None, now)
    policy = plan.policy(of.configuration, remembered.stock, night)
    rotation = policy.rotations[of.name]
    why_closed = rotation.why_none(night)
    if why_closed is not None:
        return Check(of.site, of.name, night, why_closed=why_closed)
    due = choose(outlook.turn_of(rotation, night), remembered.stock, rotation.per_night).names
    urls = [url for _, url in of.drives] + [feed.changer for feed in of.feeds.values()]
    try:
        with locked(of.locks, urls, f"check of job {of.name}", min(WAIT_S, of.job.wait.seconds), waiting=waiting):
            return _Checking(of, remembered, policy, night).check()
    except TapekitError as error:
        drives = ", ".join(name for name, _ in of.drives)
        said = note("check-busy", str(error), drive=drives) if isinstance(error, Busy) else of_error(error)
        return Check(of.site, of.name, night, error.exit_code, due=due, notes=(said,))


def tell(of: Setting, check: Check) -> list[Note]:
    """Write the metrics anew, and send what was found where it is not right; what could not be told."""
    notes = []
    if (path := of.configuration.notifications.prometheus) is not None:
        try:
            write_metrics(of, path)
        except OSError as error:
            notes.append(note("report-file", (error.strerror or type(error).__name__).lower(), path=str(path)))
    if not check.is_right:
        outcome = Outcome.WARNINGS if check.exit_code == Exit.WARNINGS else Outcome.FAILED
        notes += send(of, message(check, of.language, outcome))
    return notes


class _Checking:
    """One check, with the drives in its hand."""

    def __init__(self, of: Setting, remembered: Past, policy: Policy, night: date) -> None:
        self._of = of
        self._past = remembered
        self._policy = policy
        self._night = night
        self._rotation = policy.rotations[of.name]
        self._evidences = Evidences(of.state)
        self._notes: list[Note] = []
        self._ways: list[Planned] = []
        self._code = Exit.DONE
        self._due: tuple[str, ...] = ()
        self._needed = 0
        self._waiting = spool.nights(of.job.spool, of.name) if of.job.spool else 0

    def check(self) -> Check:
        keeper = Keeper(self._of.open_catalog, self._evidences)
        try:
            known = keeper.stock()
            self._needed = outlook.needed_bytes(self._of.name, known, sum(self._expected(keeper).values()))
            seen = outlook.look(self._of, self._night, known, self._evidences)
            self._go(seen, known, is_whole=keeper.is_whole)
            self._notes += self._others(keeper)
        finally:
            keeper.close()
        code = self._code or (Exit.WARNINGS if self._notes else Exit.DONE)
        return Check(
            self._of.site, self._of.name, self._night, code, due=self._due, needed_bytes=self._needed,
            ways=tuple(self._ways), waiting=self._waiting, notes=tuple(self._notes),
        )  # fmt: skip

    def _expected(self, keeper: Keeper) -> dict[str, int]:
        """Sizes of sources as they are now, and of databases as they were last."""
        latest = {name: points[-1][1] for name, points in keeper.usual_sizes(self._of.name).items() if points}
        databases = {name: size for name, size in latest.items() if name in self._of.size_drops()}
        return {**databases, **sizes.of_sources(self._of)}

    # --- the cartridges -----------------------------------------------------------------------------------------

    def _go(self, seen: Seen, known: Stock, *, is_whole: bool) -> None:
        """The ways that the night will go, one for each cartridge that it is to be on."""
        proven = frozenset(cartridge.label for cartridge in known.cartridges) if is_whole else frozenset()
        choice = choose(outlook.turn_of(self._rotation, self._night), seen.stock, self._rotation.per_night)
        self._due = choice.names
        if not choice.names:
            self._notes.append(note("check-none", choice.why.of(self._of.language)))
        asked = outlook.question(self._of, self._rotation, choice, self._needed, (), can_spool=True)
        asked = outlook.doubted(asked, seen.stock, proven, is_stock_known=is_whole)
        for step in outlook.steps(asked, seen.drives, seen.stock, self._policy, self._rotation):
            way = step.decision.way
            if not step.asked.is_rest and (way is None or not way.is_wanted):
                self._tell(way, step.asked, step.drives, dataclasses.replace(seen, stock=step.stock))
            if way is None or way.action is Action.SPOOL:  # of a rest too: it waits there for its cartridge
                break
            loss = way.loss.words(self._night) if way.loss else None
            self._ways.append(Planned(way.action, way.cartridge or "", way.is_wanted, loss))

    def _tell(self, way: Way | None, asked: Night, drives: Sequence[InReach], seen: Seen) -> None:
        """What is wrong with what is in the drives, and what the night will do of it."""
        is_kept = way is not None and way.action is not Action.SPOOL and not way.loss
        self._code = max(self._code, Exit.WARNINGS if is_kept else Exit.CARTRIDGE)
        otherwise = (way.words(self._night) if way else _LOST).of(self._of.language)
        due = ", ".join(name for name in asked.choice.names if name not in asked.written)
        values = {"due": due or asked.choice.turn.pool, "otherwise": otherwise}
        names = asked.choice.names
        shown = [one for one in drives if not one.is_in_slot or (one.cartridge and one.cartridge.name in names)]
        self._notes += [self._told(drive, asked, seen, values) for drive in shown]
        if not shown:
            self._notes.append(note("check-empty" if drives else "check-missing", **values))

    def _told(self, drive: InReach, asked: Night, seen: Seen, values: dict[str, str]) -> Note:
        """What is wrong with what is in a drive."""
        found = next(one for one in seen.found if (one.name, one.barcode) == (drive.drive, drive.barcode))
        if drive.state is not State.OWN or drive.cartridge is None:
            kind = "check-busy" if found.is_busy else _IN_DRIVE[drive.state]
            return note(kind, found.words if drive.state in _WORDED else "", drive=drive.drive, **values)
        name = drive.cartridge.name
        if name not in asked.choice.names:
            return note("check-wrong", cartridge=name, **values)
        refusals = may_append(drive.cartridge, seen.stock, self._policy, asked.needed_bytes)
        reasons = {refusal.reason for refusal in refusals}
        kind = next((kind for reason, kind in _REFUSED if reason in reasons), "")
        if kind:
            return note(kind, cartridge=name, **values)
        overwrite = may_overwrite(
            drive.cartridge, seen.stock, self._policy, self._night, needed_bytes=asked.needed_bytes
        )
        why = "; ".join(dict.fromkeys(refusal.words.of(self._of.language) for refusal in (*refusals, *overwrite)))
        instead = self._instead(asked, seen, name)
        return note("check-full" if instead else "check-stuck", why, cartridge=name, instead=instead, **values)

    def _instead(self, asked: Night, seen: Seen, but: str) -> str:
        """The best cartridge that could be put in, where the one that is due cannot take the night."""
        shelf = [
            InReach("", State.OWN, each)
            for each in seen.stock.cartridges
            if each.name not in {but, *asked.written} and each.is_in_service
        ]
        way = decide(dataclasses.replace(asked, spool_bytes=None), shelf, seen.stock, self._policy).way
        return way.cartridge or "" if way else ""

    # --- the rest -----------------------------------------------------------------------------------------------

    def _others(self, keeper: Keeper) -> Iterator[Note]:
        """Silence, the spool, sources that are not there, a catalog or keys that do not work."""
        of, due = self._of, ", ".join(self._due)
        late = list(overdue_notes(of, self._past, self._policy, due, clock.now()))
        yield from late
        if self._waiting and self._code:  # with the right cartridge in, the night sees to it
            yield note("spool-waits", count=str(self._waiting), due=due)
        if not of.job.snapshot and not of.job.before:  # which may be what brings them
            for source in of.job.sources:
                if not os.path.lexists(source.path):
                    yield note("source-missing", source=str(source.path))
        yield from keeper.problems
        why = of.refused_keys()
        if why is not None:
            yield note("key", str(why))
        if late or keeper.problems or why is not None:
            self._code = max(self._code, Exit.FAILED)
