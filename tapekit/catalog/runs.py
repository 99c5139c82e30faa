"""Runs of jobs, the sizes of what they saved, and the audit events."""

import dataclasses
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from tapekit.catalog.tables import events, runs, settings, sizes


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of a job; `ended` is None while it goes on, or where it was killed."""

    number: int
    job: str
    night: date
    begun: datetime
    ended: datetime | None = None
    outcome: str | None = None
    exit_code: int | None = None
    report: dict[str, Any] | None = None


@dataclasses.dataclass(frozen=True)
class Size:
    """How large a source or database was in a run."""

    night: date
    begun: datetime
    source: str
    bytes: int


@dataclasses.dataclass(frozen=True)
class Event:
    """What was done, in order; nothing is ever taken out."""

    sequence: int
    at: datetime
    kind: str
    content: dict[str, Any]


def begin(connection: Connection, site: int, job: str, night: date, at: datetime) -> int:
    """The number of a run that begins."""
    key = connection.execute(insert(runs).values(site_id=site, job=job, night=night, begun=at)).inserted_primary_key
    return int(key[0]) if key else 0


def end(connection: Connection, site: int, run: Run) -> None:
    """How a run ended."""
    connection.execute(
        update(runs).where(runs.c.site_id == site, runs.c.id == run.number).values(
            ended=run.ended, outcome=run.outcome, exit_code=run.exit_code, report=run.report
        )
    )  # fmt: skip


def read(connection: Connection, site: int, job: str | None, limit: int | None) -> list[Run]:
    """Runs, the latest first: in the order in which they were written down, whatever the clock said."""
    query = select(runs).where(runs.c.site_id == site).order_by(runs.c.id.desc()).limit(limit)
    if job is not None:
        query = query.where(runs.c.job == job)
    return [
        Run(row.id, row.job, row.night, row.begun, row.ended, row.outcome, row.exit_code, row.report)
        for row in connection.execute(query)
    ]


def last_success(connection: Connection, site: int, job: str, codes: frozenset[int]) -> Run | None:
    """The latest run of a job that ended with one of these exit codes."""
    found = connection.execute(
        select(runs)
        .where(runs.c.site_id == site, runs.c.job == job, runs.c.exit_code.in_(codes))
        .order_by(runs.c.id.desc())
        .limit(1)
    ).one_or_none()
    if found is None:
        return None
    return Run(found.id, found.job, found.night, found.begun, found.ended, found.outcome, found.exit_code, found.report)


def forget(connection: Connection, site: int, before: date, codes: frozenset[int]) -> int:
    """Forget runs of nights before a date, but the last of each job and its last with one of these exit codes."""
    of_site = runs.c.site_id == site
    last = select(func.max(runs.c.id)).where(of_site).group_by(runs.c.job)
    last_success = last.where(runs.c.exit_code.in_(codes))
    old = of_site & (runs.c.night < before) & runs.c.id.not_in(last) & runs.c.id.not_in(last_success)
    return connection.execute(delete(runs).where(old)).rowcount


def add_sizes(connection: Connection, run: int, found: Mapping[str, int]) -> None:
    """Sizes of one run, by source or database."""
    if found:
        rows = [{"run_id": run, "source": source, "bytes": size} for source, size in found.items()]
        connection.execute(insert(sizes), rows)


def read_sizes(connection: Connection, site: int, job: str) -> list[Size]:
    """All sizes of a job, oldest first."""
    query = (
        select(runs.c.night, runs.c.begun, sizes.c.source, sizes.c.bytes)
        .join(sizes, sizes.c.run_id == runs.c.id)
        .where(runs.c.site_id == site, runs.c.job == job)
        .order_by(runs.c.begun, sizes.c.source)
    )
    return [Size(*row) for row in connection.execute(query)]


def add_event(connection: Connection, site: int, at: datetime, kind: str, content: Mapping[str, Any]) -> int:
    """The sequence number of a new event; they have no gaps."""
    last = connection.execute(select(func.max(events.c.sequence)).where(events.c.site_id == site)).scalar() or 0
    connection.execute(insert(events).values(site_id=site, sequence=last + 1, at=at, kind=kind, content=dict(content)))
    return last + 1


def read_events(connection: Connection, site: int, after: int) -> list[Event]:
    """The events behind a sequence number, in order."""
    query = select(events).where(events.c.site_id == site, events.c.sequence > after).order_by(events.c.sequence)
    return [Event(row.sequence, row.at, row.kind, row.content) for row in connection.execute(query)]


def setting(connection: Connection, site: int, name: str) -> Any:  # noqa: ANN401 - any JSON
    """A value that was kept; None where there is none."""
    return connection.execute(
        select(settings.c.value).where(settings.c.site_id == site, settings.c.name == name)
    ).scalar()


def set_setting(connection: Connection, site: int, name: str, value: Any) -> None:  # noqa: ANN401 - any JSON
    """Keep a value."""
    which = (settings.c.site_id == site) & (settings.c.name == name)
    if connection.execute(update(settings).where(which).values(value=value)).rowcount == 0:
        connection.execute(insert(settings).values(site_id=site, name=name, value=value))
