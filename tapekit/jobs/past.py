"""What this machine remembers of its jobs: the catalog has it, and where that cannot be opened, what lies beside it.

Nothing is written and no drive is touched here.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

from formats.segment import COMPLETE
from tapekit.catalog.errors import CatalogError, CatalogMissing
from tapekit.catalog.runs import Run
from tapekit.catalog.store import SUCCESS, Store
from tapekit.config.schema import Configuration
from tapekit.errors import TapekitError, UsageError
from tapekit.evidence import Evidences, state_directory
from tapekit.jobs import lookup, plan
from tapekit.jobs.nightly import latest
from tapekit.model import Copy, Rung, Stock, night_of
from tapekit.report.night import NightReport
from tapekit.report.prometheus import JobState, NeverRun
from tapekit.report.stored import BadReport, from_value, value_of
from tapekit.rotation.overdue import Overdue, overdue
from tapekit.rotation.retention import Policy
from tapekit.units import parse_time


@dataclasses.dataclass(frozen=True)
class Past:
    """What is known of the past, by job."""

    stock: Stock
    last: Mapping[str, Run]
    """The last run, whether it came to its end or not."""
    succeeded: Mapping[str, Run]
    """The last run that left a night on a cartridge."""
    problem: TapekitError | None = None
    """Why the catalog cannot be read; the rest is then what the last reports tell."""

    def saved(self, job: str) -> datetime | None:
        """When a night was last on a cartridge; None: never.

        A catalog that was rebuilt from cartridges has no runs: its archives tell.
        """
        run = self.succeeded.get(job)
        if run is not None or job in self.last:
            return (run.ended or run.begun) if run else None
        sound = (c for c in self.copies(job) if c.state == COMPLETE and c.failed is None)
        return max((copy.finished or copy.started for copy in sound), default=None)

    def latest_run(self, job: str) -> datetime | None:
        """The latest moment that is known of a job."""
        run = self.last.get(job)
        return (run.ended or run.begun) if run else self.saved(job)

    def with_run(self, report: NightReport) -> "Past":
        """The same, and a run that has just ended."""
        ended = {report.job: _run(report)}
        succeeded = ended if report.exit_code in SUCCESS else {}
        return dataclasses.replace(self, last={**self.last, **ended}, succeeded={**self.succeeded, **succeeded})

    def copies(self, job: str) -> list[Copy]:
        """All copies of a job on cartridges that are in service."""
        return [c for held in self.stock.cartridges if held.is_in_service for c in held.copies if c.job == job]

    def overdue(self, configuration: Configuration, policy: Policy, job: str, now: datetime) -> Overdue | None:
        """Why a job is overdue. Status, evening check and metrics say what this says."""
        limit = configuration.jobs[job].overdue_after
        why = overdue(policy.rotations[job], limit, self.saved(job), self.latest_run(job), now)
        is_hidden = self.problem is not None and not isinstance(self.problem, CatalogMissing)
        return Overdue.UNKNOWN if why is Overdue.NEVER and is_hidden else why


def recall(configuration: Configuration) -> Past:
    """All that is remembered of the jobs of a configuration.

    A run is in the state and in the catalog, or in the one that worked when it ended: the later one counts.
    """
    last, succeeded = _kept(configuration, latest.last), _kept(configuration, latest.last_success)
    try:
        with open_store(configuration) as store:
            for job in configuration.jobs:
                for known, runs in ((last, store.runs(job, 1)), (succeeded, [store.last_success(job)])):
                    if (later := _later(known.get(job), *runs)) is not None:
                        known[job] = later
            return Past(store.stock(), last, succeeded)
    except (CatalogError, UsageError) as error:
        return Past(Stock(()), last, succeeded, error)


def metrics(
    configuration: Configuration, now: datetime, report: NightReport | None = None
) -> Iterator[JobState | NeverRun]:
    """Every job, for the metrics; `report` is of a run that may not be remembered yet."""
    past = recall(configuration)
    if report is not None:
        past = past.with_run(report)
    policy = plan.policy(configuration, past.stock, night_of(now))
    for job in configuration.jobs:
        # One that runs now, or was cut off, has no report: the one before it tells.
        last = report_of(past.last.get(job)) or latest.last(state(configuration), job)
        last = last or report_of(past.succeeded.get(job))
        if last is None:
            yield NeverRun(configuration.site.name, job)
        else:
            yield JobState(last, past.saved(job), past.overdue(configuration, policy, job, now) is not None)


def report_of(run: Run | None) -> NightReport | None:
    """The report of a run; None where it has none that can be read."""
    try:
        return from_value(run.report) if run and run.report else None
    except BadReport:
        return None


def open_store(configuration: Configuration) -> Store:
    """The catalog, if there is one: a question makes none. Raises CatalogError, UsageError."""
    site = configuration.site
    place = lookup.place(state(configuration), site.catalog, site.catalog_password_file)
    return Store.open(place, site.name, must_exist=True)


def state(configuration: Configuration) -> Path:
    """The state directory."""
    return configuration.site.state or state_directory()


def proofs(copies: Iterable[Copy]) -> tuple[tuple[Rung, datetime], ...]:
    """Each rung that any of the copies has reached, with the time when it was last; the lowest first."""
    found: dict[Rung, datetime] = {}
    for evidence in _evidence([copy for copy in copies if copy.failed is None]):
        for rung, at in evidence:
            found[rung] = max(at, found.get(rung, at))
    return tuple(sorted(found.items()))


def _evidence(copies: Iterable[Copy]) -> Iterator[Iterable[tuple[Rung, datetime]]]:
    """Of each copy; of an archive on several cartridges what all of its parts have reached, if they are all there."""
    sets: dict[str, dict[int, Copy]] = {}
    for copy in copies:
        if copy.is_part:
            sets.setdefault(copy.archive, {})[copy.segment] = copy
        else:
            yield copy.evidence
    for parts in sets.values():
        if sorted(parts) == list(range(len(parts))) and parts[len(parts) - 1].state == COMPLETE:
            reached = [dict(copy.evidence) for copy in parts.values()]
            yield [(rung, min(one[rung] for one in reached)) for rung in set.intersection(*map(set, reached))]


def noted(evidences: Evidences, archive: str = "") -> tuple[tuple[Rung, datetime], ...]:
    """The same from the evidence journal, of one archive or of all: it does not know which job an archive is of."""
    found: dict[Rung, datetime] = {}
    for line in evidences.lines():
        if line.rung is not None and archive in {"", line.archive}:
            at = parse_time(line.at)
            found[line.rung] = max(at, found.get(line.rung, at))
    return tuple(sorted(found.items()))


def _kept(configuration: Configuration, read: Callable[[Path, str], NightReport | None]) -> dict[str, Run]:
    """By job what the state keeps without the catalog."""
    found = ((job, read(state(configuration), job)) for job in configuration.jobs)
    return {job: _run(report) for job, report in found if report}


def _run(report: NightReport) -> Run:
    return Run(
        0, report.job, report.night, report.begun, report.ended, report.outcome.value, report.exit_code,
        value_of(report),
    )  # fmt: skip


def _later(*runs: Run | None) -> Run | None:
    return max((run for run in runs if run is not None), key=lambda run: run.begun, default=None)
