"""The night: from the lock to the report.

Everything that can go wrong on the way has a way on; what was not done, or not proven, is told. Nothing counts as
evidence that was not read from the medium.
"""

import socket
from collections.abc import Callable, Iterator
from datetime import date

from tapekit import clock
from tapekit.audit import events as audit
from tapekit.dumps import command
from tapekit.errors import REPORTED, Exit, Stopped, exit_code
from tapekit.evidence import Evidences
from tapekit.jobs import media, plan
from tapekit.jobs.nightly import outlook, resume, sizes, spool
from tapekit.jobs.nightly.at_hand import AtHand
from tapekit.jobs.nightly.go import Gone, Ways
from tapekit.jobs.nightly.going_on import Person
from tapekit.jobs.nightly.keep import RECENT, Keeper
from tapekit.jobs.nightly.lock import locked_where_free
from tapekit.jobs.nightly.prepare import Prepared, clean_up, prepared, run_hooks
from tapekit.jobs.nightly.setting import Setting
from tapekit.jobs.nightly.trace import LeftOver, Trace
from tapekit.jobs.sealing import Sealing
from tapekit.model import Stock, night_of
from tapekit.progress import Progress
from tapekit.report import health
from tapekit.report.night import NightReport, Note, Outcome
from tapekit.report.notes import note
from tapekit.rotation.forecast import forecast
from tapekit.rotation.overdue import TOLERANCE
from tapekit.units import now_text


def run(
    setting: Setting, progress: Progress, night: date | None = None, waiting: Callable[[str], None] | None = None,
    person: Person | None = None,
) -> NightReport:  # fmt: skip
    """Run one night of a job; the report says how it ended, whatever happened.

    A `person` at the terminal changes cartridges. `waiting` is told once who holds a drive that this run waits for. A
    drive that another run holds for longer than the job waits is none for this night; raises Busy where no other drive
    is left, and no spool, or where the job itself runs; TapekitError where no lock can be kept.
    """
    urls = [url for _, url in setting.drives] + [feed.changer for feed in setting.feeds.values()]
    with locked_where_free(setting.locks, setting.name, urls, setting.job.wait.seconds, waiting=waiting) as busy:
        setting = setting.without(busy)
        if not setting.drives and setting.job.spool is None:
            raise next(iter(busy.values()))
        return _Run(setting, progress, night or night_of(clock.now()), person).run()


class _Run:
    """One run under its locks."""

    def __init__(self, setting: Setting, progress: Progress, night: date, person: Person | None) -> None:
        self._setting = setting
        self._night = night
        self._begun = clock.now()
        self._evidences = Evidences(setting.state)
        self._trace = Trace(setting.traces, setting.name, night.isoformat())
        self._keeper = Keeper(setting.open_catalog, self._evidences)
        self._environment = command.environment(setting.name, night.isoformat())
        known = self._keeper.stock()
        self._before = [c.started for held in known.cartridges for c in held.copies if c.job == setting.name]
        self._policy = plan.policy(setting.configuration, known, night)
        self._at = AtHand(setting, self._policy, night, self._keeper, self._evidences, self._trace)
        self._ways = Ways(self._at, self._evidences, progress, person)
        self._left: list[Note] = []
        self._problems: list[Note] = []
        self._sizes: dict[str, int] = {}
        self._sealing: Sealing | None = None

    def run(self) -> NightReport:
        try:
            self._clean_up()
            self._trace.step("begin")
            self._keeper.begin(self._setting.name, self._night, self._begun)
            gone = self._save()
            self._trace.step("report")
            report = self._report(gone)
            report = report.with_notes(problems=self._after(report))
            self._keeper.end(report, sizes.recorded(self._sizes, report))
            self._trace.end()
            return report.with_notes(problems=self._untold(report))
        finally:
            self._keeper.close()

    def _clean_up(self) -> None:
        """What a run that was killed has left."""
        left = self._trace.left_over()
        if left is None:
            return
        self._left += _told(left)
        self._problems += clean_up(left, self._setting.preparation(), self._trace, self._environment)
        if self._setting.job.spool is not None:
            for path in spool.remains(self._setting.job.spool, self._setting.name):
                spool.discard(path)
                self._left.append(Note("stale-files", {"path": str(path), "night": left.night}))

    def _save(self) -> Gone:
        """The night written, proven and learnt; errors of drives and cartridges are in the answer."""
        waiting = resume.waiting(self._setting, self._night, self._begun)
        # An earlier night's has no place here: better this night at a strange time than none.
        if waiting and (waiting[0].night == self._night or resume.way_of(self._at, waiting[0])):
            return self._resume(waiting)
        preparation = self._setting.preparation()
        done = Prepared()
        try:
            with prepared(preparation, self._setting.dumps, self._trace, self._environment) as done:
                self._sizes = {**sizes.of_sources(self._setting), **done.sizes}
                self._sealing = self._setting.sealing()
                request = self._setting.request(done.dumps, self._sealing)
                sizes.check(request.sources, self._sizes, self._keeper.usual_sizes(self._setting.name))
                return self._ways.go(request, sum(self._sizes.values()))
        except Stopped as error:
            return self._ways.broken_off(Note("stopped", {}, str(error)))
        except REPORTED as error:
            gone = self._ways.broken_off(sizes.why_failed(self._setting, error))
            gone.exit_code = exit_code(error)
            return gone
        finally:
            self._problems += done.problems
            self._ways.timings[:0] = done.timings

    def _resume(self, waiting: list[spool.Waiting]) -> Gone:
        """What waits goes on cartridges; nothing is read from the sources again."""
        try:
            self._sealing = self._setting.sealing()
            return self._as_it_was(self._ways.resume(waiting, self._sealing))
        except Stopped as error:
            return self._ways.broken_off(Note("stopped", {}, str(error)))
        except REPORTED as error:
            gone = self._ways.broken_off(sizes.why_failed(self._setting, error))
            gone.exit_code = exit_code(error)
            return gone

    def _as_it_was(self, gone: Gone) -> Gone:
        """With the numbers of the report that told of it first: in its parts, a file over a border counts twice."""
        for before in self._keeper.reports(self._setting.name, RECENT):
            if before.archive == gone.archive:
                gone.members, gone.source_bytes = before.members, before.source_bytes
                gone.stored_bytes = before.stored_bytes
        return gone

    def _report(self, gone: Gone) -> NightReport:
        setting, stock = self._setting, self._ways.stock()
        rotation = self._policy.rotations[setting.name]
        following = rotation.calendar.next_open(self._night)
        turn = rotation.scheme.turn(following, rotation.calendar) if following else None
        watched = sizes.assessed(setting, self._sizes, self._keeper.usual_sizes(setting.name), self._night)
        problems = [
            *gone.problems,
            *self._problems,
            *self._keeper.problems,
            *self._state_problems(),
            *self._key_problems(),
        ]
        nights_left = sizes.nights_left(self._keeper, setting, gone, self._night)
        next_names = self._following(stock, following, gone) if turn else ()
        worn = self._media_warnings({*next_names, *(used.name for used in gone.cartridges)})
        told = [warning for drive in gone.health.values() for warning in health.notes(drive)]
        busy = [Note("busy", {"drive": name}, why) for name, why in setting.busy.items()]
        warnings = [*gone.warnings, *busy, *told, *sizes.warnings(watched, nights_left), *self._clock_warnings(), *worn]
        outcome = gone.outcome(problems, warnings)
        code = gone.exit_code if outcome in {Outcome.FAILED, Outcome.SPOOLED} else _EXIT[outcome]
        waiting = spool.nights(setting.job.spool, setting.name) if setting.job.spool else 0
        return NightReport(
            site=setting.site, host=socket.gethostname(), job=setting.name, night=self._night, begun=self._begun,
            ended=clock.now(), outcome=outcome, exit_code=int(code), archive=gone.archive,
            cartridges=tuple(gone.cartridges), health=tuple(gone.health.values()), due=gone.due,
            spool=str(setting.job.spool or "") if waiting else "",
            waiting=waiting, members=gone.members, source_bytes=gone.source_bytes,
            stored_bytes=gone.stored_bytes, timings=tuple(self._ways.timings), problems=tuple(problems),
            warnings=tuple(warnings), left_overs=tuple(self._left), overwritten=tuple(gone.overwritten),
            next_cartridges=next_names, next_slots=self._at.slots_of(next_names), next_night=following,
            sizes=watched, nights_left=nights_left, is_readable_by_anyone=self._is_readable_by_anyone(),
        )  # fmt: skip

    def _following(self, stock: Stock, night: date | None, gone: Gone) -> tuple[str, ...]:
        """The cartridges of the next night: as many as it takes, if it is as large as this one."""
        name, source_bytes = self._setting.name, gone.source_bytes or sum(self._sizes.values())
        needed = outlook.needed_bytes(name, stock, source_bytes) if source_bytes else 0
        coming = forecast(name, stock, self._policy, night, night, needed) if night else ()
        return next((foreseen.choice.names for foreseen in coming), ())

    def _is_readable_by_anyone(self) -> bool:
        """No key is there; a job that says outright that it wants none knows it."""
        return self._setting.job.encryption != "none" and self._sealing is not None and not self._sealing.recipients

    def _key_problems(self) -> list[Note]:
        return [Note("key", {}, why) for why in self._sealing.problems] if self._sealing else []

    def _state_problems(self) -> list[Note]:
        found = dict.fromkeys(filter(None, (self._trace.problem, self._evidences.problem, audit.problem())))
        return [Note("state", {}, why) for why in found]

    def _clock_warnings(self) -> list[Note]:
        """Whether an archive of the job was begun after this run."""
        last = max(self._before, default=self._begun)
        if last <= self._begun + TOLERANCE:
            return []
        now, then = (f"{moment.astimezone():%Y-%m-%d %H:%M}" for moment in (self._begun, last))
        return [note("clock", now=now, last=then)]

    def _media_warnings(self, names: set[str]) -> Iterator[Note]:
        """That cartridges of this night or the next are to be retired."""
        used = (held for held in self._ways.stock().cartridges if held.name in names and held.is_in_service)
        return media.retire_notes(media.scrubbed(self._setting.state, used))

    def _untold(self, report: NightReport) -> list[Note]:
        """What went wrong since the report was made."""
        return [note for note in (*self._keeper.problems, *self._state_problems()) if note not in report.problems]

    def _after(self, report: NightReport) -> list[Note]:
        preparation = self._setting.preparation()
        failed = report.outcome in {Outcome.FAILED, Outcome.SPOOLED}
        hooks, which = (preparation.on_failure, "on failure") if failed else (preparation.after, "after")
        environment = command.environment(self._setting.name, self._night.isoformat(), report.outcome.value)
        return run_hooks(hooks, self._trace, which, environment)


_EXIT = {Outcome.CLEAN: Exit.DONE, Outcome.WARNINGS: Exit.WARNINGS}


def _told(left: LeftOver) -> list[Note]:
    """The run that was cut off, and what it had made."""
    said = f"step {left.step!r}, begun {left.begun}, seen {now_text()}"
    notes = [Note("stale-lock", {"night": left.night}, said)]
    return notes + [Note("stale-files", {"path": path, "night": left.night}) for path in left.made]
