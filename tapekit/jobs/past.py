"""What this machine remembers of its jobs: the catalog has it, and where that cannot be opened, what lies beside it.

Nothing is written and no drive is touched here.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from formats.segment import COMPLETE
from tapekit.catalog.errors import CatalogError
from tapekit.catalog.runs import Run
from tapekit.catalog.store import SUCCESS, Store
from tapekit.config.schema import Configuration
from tapekit.errors import TapekitError, UsageError
from tapekit.evidence import Evidences, state_directory
from tapekit.jobs import lookup
from tapekit.model import Copy, Rung, Stock
from tapekit.report.stored import reports_in, value_of
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
    """Why the catalog cannot be read; the rest is then what reports and the evidence journal tell."""

    def saved(self, job: str) -> datetime | None:
        """When a night was last on a cartridge; None: never.

        A catalog that was rebuilt from cartridges has no runs: its archives tell.
        """
        run = self.succeeded.get(job)
        if run is not None or job in self.last:
            return (run.ended or run.begun) if run else None
        sound = (c for c in self.copies(job) if c.state == COMPLETE and c.failed is None)
        return max((copy.finished or copy.started for copy in sound), default=None)

    def latest(self, job: str) -> datetime | None:
        """The latest moment that is known of a job."""
        run = self.last.get(job)
        return (run.ended or run.begun) if run else self.saved(job)

    def copies(self, job: str) -> list[Copy]:
        """All copies of a job on cartridges that are in service."""
        return [c for held in self.stock.cartridges if held.is_in_service for c in held.copies if c.job == job]

    def overdue(self, configuration: Configuration, policy: Policy, job: str, now: datetime) -> Overdue | None:
        """Why a job is overdue. Status, evening check and metrics say what this says."""
        limit = configuration.jobs[job].overdue_after
        return overdue(policy.rotations[job], limit, self.saved(job), self.latest(job), now)


def recall(configuration: Configuration) -> Past:
    """All that is remembered of the jobs of a configuration."""
    try:
        with open_store(configuration) as store:
            last = {job: run for job in configuration.jobs for run in store.runs(job, 1)}
            succeeded = {job: run for job in configuration.jobs if (run := store.last_success(job))}
            return Past(store.stock(), last, succeeded)
    except (CatalogError, UsageError) as error:
        return _beside(configuration, error)


def open_store(configuration: Configuration) -> Store:
    """The catalog, if there is one: a question makes none. Raises CatalogError, UsageError."""
    site = configuration.site
    place = lookup.place(state(configuration), site.catalog, site.catalog_password_file)
    if isinstance(place, Path) and not _is_there(place):
        raise CatalogError(
            f"catalog: {place}: not there", "the first night makes it; if it was lost: tapekit catalog rebuild DRIVE"
        )
    return Store.open(place, site.name)


def state(configuration: Configuration) -> Path:
    """The state directory."""
    return configuration.site.state or state_directory()


def proofs(copies: Iterable[Copy]) -> tuple[tuple[Rung, datetime], ...]:
    """Each rung that any of the copies has reached, with the time when it was last; the lowest first."""
    found: dict[Rung, datetime] = {}
    for copy in copies:
        for rung, at in copy.evidence if copy.failed is None else ():
            found[rung] = max(at, found.get(rung, at))
    return tuple(sorted(found.items()))


def noted(evidences: Evidences, archive: str = "") -> tuple[tuple[Rung, datetime], ...]:
    """The same from the evidence journal, of one archive or of all: it does not know which job an archive is of."""
    found: dict[Rung, datetime] = {}
    for line in evidences.lines():
        if line.rung is not None and archive in {"", line.archive}:
            at = parse_time(line.at)
            found[line.rung] = max(at, found.get(line.rung, at))
    return tuple(sorted(found.items()))


def _beside(configuration: Configuration, problem: TapekitError) -> Past:
    """From the reports that were written as pages."""
    directory = configuration.notifications.html
    last: dict[str, Run] = {}
    succeeded: dict[str, Run] = {}
    for report in reports_in(directory) if directory else ():
        if report.job not in configuration.jobs:
            continue
        run = Run(
            0, report.job, report.night, report.begun, report.ended, report.outcome.value, report.exit_code,
            value_of(report),
        )  # fmt: skip
        last.setdefault(report.job, run)
        if report.exit_code in SUCCESS:
            succeeded.setdefault(report.job, run)
        if len(succeeded) == len(configuration.jobs):
            break
    return Past(Stock(()), last, succeeded, problem)


def _is_there(path: Path) -> bool:
    """Whether a file is there, as far as this user may know."""
    try:
        path.stat()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True
