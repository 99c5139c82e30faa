"""How the jobs are: what a technician asks from afar. Reads what is remembered, and never touches a drive."""

import dataclasses
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta

from tapekit.catalog.errors import CatalogUnreadable
from tapekit.catalog.runs import Run
from tapekit.config.schema import Configuration
from tapekit.errors import Exit, TapekitError
from tapekit.evidence import Evidences
from tapekit.jobs import foresee, past, plan
from tapekit.jobs.media import RETIRE_KINDS, retire_notes, scrubbed
from tapekit.jobs.nightly import spool
from tapekit.jobs.nightly.lock import holder
from tapekit.jobs.nightly.setting import Setting, setting
from tapekit.jobs.nightly.trace import LeftOver, Trace
from tapekit.jobs.past import Past
from tapekit.keys import proof, ring
from tapekit.model import Cartridge, Rung, night_of, tonight
from tapekit.report.night import NightReport, Note
from tapekit.report.notes import note, of_error
from tapekit.rotation.forecast import ForecastNight, Use
from tapekit.rotation.overdue import Overdue, missed
from tapekit.rotation.retention import Policy
from tapekit.schedule import install
from tapekit.scrubs import Advised

_RESTS = {"rest-spooled", "parts-spooled"}
_TOLD_ANEW = {"spool-waits", *_RESTS, *RETIRE_KINDS}
"""Warnings of the last report that may have ended since: what is so now is told."""
Proofs = tuple[tuple[Rung, datetime], ...]


@dataclasses.dataclass(frozen=True)
class Damaged:
    """A copy that was found damaged, and not found good since."""

    cartridge: str
    archive: str
    night: date
    at: datetime


@dataclasses.dataclass(frozen=True)
class Job:
    """How a job is."""

    name: str
    overdue: Overdue | None
    saved: datetime | None
    """When a night was last on a cartridge."""
    success: Run | None
    last: Run | None
    report: NightReport | None
    """Of the last run."""
    trace: LeftOver | None
    """What a run does now, or did last before it was cut off."""
    is_running: bool
    proofs: Proofs
    """Each rung with the time when a copy of the job last reached it; the highest last."""
    latest_proofs: Proofs
    """Of the last night that is on a cartridge."""
    spool: str
    waiting: int
    """Nights in the spool."""
    coming: ForecastNight | None
    damaged: tuple[Damaged, ...]
    scrubbed: Mapping[str, Advised]
    """What scrubs advise of the cartridges that hold the job, or are due for it, by their names."""
    notes: tuple[Note, ...]
    """What a person should look at, the worst first."""


@dataclasses.dataclass(frozen=True)
class Result:
    """How the site is."""

    site: str
    now: datetime
    jobs: tuple[Job, ...]
    problem: TapekitError | None
    """Why the catalog cannot be read."""

    @property
    def exit_code(self) -> Exit:
        """Silence is an alarm, and so is not knowing."""
        if self.problem or any(job.overdue for job in self.jobs):
            return Exit.FAILED
        return Exit.WARNINGS if any(job.notes for job in self.jobs) else Exit.DONE


def run(configuration: Configuration, job: str | None, now: datetime) -> Result:
    """How a job is, or how all are. Raises UsageError."""
    names = tuple(configuration.jobs) if job is None else (foresee.the_job(configuration, job),)
    remembered = past.recall(configuration)
    policy = plan.policy(configuration, remembered.stock, night_of(now))
    evidences = Evidences(past.state(configuration))
    jobs = tuple(_job(setting(configuration, name), remembered, policy, evidences, now) for name in names)
    return Result(configuration.site.name, now, jobs, remembered.problem)


def _job(of: Setting, remembered: Past, policy: Policy, evidences: Evidences, now: datetime) -> Job:
    name, success = of.name, remembered.succeeded.get(of.name)
    last = remembered.last.get(name)
    copies = remembered.copies(name)
    archive = _archive(success)
    latest = [copy for copy in copies if copy.archive == archive] if archive else copies[-1:]
    proofs, latest_proofs = past.proofs(copies), past.proofs(latest)
    if remembered.problem:
        proofs = past.noted(evidences)
        latest_proofs = past.noted(evidences, archive) if archive else ()
    found = Job(
        name=name, overdue=remembered.overdue(of.configuration, policy, name, now), saved=remembered.saved(name),
        success=success, last=last, report=past.report_of(last), trace=Trace(of.traces, name, "").left_over(),
        is_running=any(holder(of.locks, url) == f"job {name}" for _, url in of.drives), proofs=proofs,
        latest_proofs=latest_proofs, spool=str(of.job.spool or ""),
        waiting=spool.nights(of.job.spool, name) if of.job.spool else 0,
        coming=_coming(of, remembered, now), damaged=tuple(_damaged(remembered, name)), scrubbed={},
        notes=(),
    )  # fmt: skip
    found = dataclasses.replace(found, scrubbed=scrubbed(of.state, _used(found, remembered)))
    return dataclasses.replace(found, notes=(*_notes(of, found, remembered, policy, now), *key_notes(of, now)))


def _coming(of: Setting, remembered: Past, now: datetime) -> ForecastNight | None:
    last = remembered.last.get(of.name)
    night = foresee.coming_night(of.job, last.night if last else None, now)
    return next(iter(foresee.run(of.configuration, remembered.stock, of.name, night).nights), None)


def _archive(success: Run | None) -> str:
    return str(success.report.get("archive", "")) if success and success.report else ""


def _damaged(remembered: Past, job: str) -> Iterator[Damaged]:
    for cartridge in remembered.stock.cartridges:
        for copy in cartridge.copies if cartridge.is_in_service else ():
            if copy.job == job and copy.failed is not None:
                yield Damaged(cartridge.name, copy.archive, copy.night, copy.failed)


def _used(job: Job, remembered: Past) -> Iterator[Cartridge]:
    due = job.coming.choice.names if job.coming else ()
    for held in remembered.stock.cartridges:
        if held.is_in_service and (held.name in due or any(copy.job == job.name for copy in held.copies)):
            yield held


def _notes(of: Setting, job: Job, remembered: Past, policy: Policy, now: datetime) -> Iterator[Note]:
    """What a technician wants to know first."""
    due = ", ".join(job.coming.choice.names) if job.coming else ""
    yield from overdue_notes(of, remembered, policy, due, now)
    if remembered.problem:
        is_lost = isinstance(remembered.problem, CatalogUnreadable)
        yield note("catalog", f"{remembered.problem}") if is_lost else of_error(remembered.problem)
    if job.trace and not job.is_running:
        yield note("cut-off", step=job.trace.step, night=job.trace.night)
    elif job.last and job.last.ended is None and not job.is_running:
        yield note("cut-off", step="?", night=job.last.night.isoformat())
    rests = [told for told in job.report.warnings if told.kind in _RESTS] if job.report else []
    if job.waiting and rests:  # it wants other cartridges than the night to come
        yield from rests
    elif job.waiting:
        yield note("spool-waits", count=str(job.waiting), due=due)
    for damaged in job.damaged:
        yield note("damaged-copy", cartridge=damaged.cartridge, night=damaged.night.isoformat())
    yield from retire_notes(job.scrubbed)
    if job.coming and all(each.use is Use.BLOCKED for each in job.coming.cartridges):
        yield note("next-blocked", due=due or job.coming.choice.turn.pool, night=job.coming.night.isoformat())
    if job.report:
        yield from job.report.problems
        yield from (told for told in job.report.warnings if told.kind not in _TOLD_ANEW)


def key_notes(of: Setting, now: datetime) -> Iterator[Note]:
    """Keys that cannot be used, or that nobody has tried for too long; last, for no night is lost by it yet."""
    configured = of.configuration.keys
    if configured.directory is None or of.job.encryption == "none":
        return
    found = ring.read(configured.directory)
    yield from (note("key", problem) for problem in found.problems)
    within = timedelta(seconds=configured.proven_within.seconds)
    if late := proof.unproven(found.entries, of.state, within, now):
        last = max((key.proven for key in late if key.proven), default=None)
        yield note("key-unproven", last=_local(last) if last else "–")


def overdue_notes(of: Setting, remembered: Past, policy: Policy, due: str, now: datetime) -> Iterator[Note]:
    """That a job is overdue, and what can be seen of the reason; nothing where it is in time."""
    why = remembered.overdue(of.configuration, policy, of.name, now)
    saved, latest = remembered.saved(of.name), remembered.latest_run(of.name)
    if why in {None, Overdue.UNKNOWN}:  # why it cannot be known is told with the catalog
        return
    if why is Overdue.CLOCK:
        yield note("clock", now=_local(now), last=_local(max(at for at in (saved, latest) if at is not None)))
    elif saved is None:
        yield note("never", due=due)
    else:
        nights = missed(policy.rotations[of.name], saved, tonight(now, of.job.time))
        days = (now.astimezone().date() - saved.astimezone().date()).days
        yield note("overdue", days=str(days), due=due, last=_local(saved), missed=str(len(nights)))
    if not install.installed(None, of.name):
        yield note("no-timer")


def _local(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")
