"""Metrics of the last runs for node_exporter's textfile collector.

Names and units follow https://prometheus.io/docs/practices/naming/, the text
https://prometheus.io/docs/instrumenting/exposition_formats/. Ages are left to the server, which has the time; `overdue`
is what tapekit itself thinks, as of the moment of writing.
"""

import dataclasses
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

from tapekit.report.atomic import write_atomically
from tapekit.report.night import NightReport, Outcome


@dataclasses.dataclass(frozen=True)
class JobState:
    """What is known of a job: its last run, and its last success."""

    last: NightReport
    succeeded: datetime | None
    """When a run last ended with a night on a cartridge; None: never."""
    is_overdue: bool = False


@dataclasses.dataclass(frozen=True)
class NeverRun:
    """A job of which no run is known."""

    site: str
    job: str


_Sample = tuple[dict[str, str], float]
_Samples = Callable[[JobState], Iterable[_Sample]]


def _one(value: float | None) -> list[_Sample]:
    return [] if value is None else [({}, value)]


_METRICS: tuple[tuple[str, str, _Samples], ...] = (
    ("last_run_timestamp_seconds", "When the last run ended.", lambda job: _one(job.last.ended.timestamp())),
    (
        "last_success_timestamp_seconds",
        "When a run last ended with a night on a cartridge; 0 is never.",
        lambda job: _one(job.succeeded.timestamp() if job.succeeded else 0),
    ),
    ("overdue", "Whether the job is overdue: 1 is yes.", lambda job: _one(job.is_overdue)),
    ("last_exit_code", "Exit code of the last run.", lambda job: _one(job.last.exit_code)),
    (
        "last_outcome",
        "Outcome of the last run: 1 for the one that it was.",
        lambda job: [({"outcome": outcome}, job.last.outcome is outcome) for outcome in Outcome],
    ),
    (
        "last_evidence_rung",
        "Highest rung proven: 1 written, 2 flushed, 3 read back, 4 compared, 5 sample restored, 6 other drive; 0 none.",
        lambda job: _one(job.last.rung or 0),
    ),
    ("last_duration_seconds", "How long the last run took.", lambda job: _one(job.last.seconds)),
    (
        "last_step_duration_seconds",
        "How long each step of the last run took.",
        lambda job: [({"step": timing.step.replace(" ", "_")}, timing.seconds) for timing in job.last.timings],
    ),
    ("last_members", "Members of the last archive.", lambda job: _one(job.last.members)),
    ("last_source_bytes", "Size of what the last run saved.", lambda job: _one(job.last.source_bytes)),
    ("last_stored_bytes", "What it took on the cartridge.", lambda job: _one(job.last.stored_bytes)),
    (
        "source_bytes",
        "Size of each source and database in the last run.",
        lambda job: [({"source": size.name}, size.size_bytes) for size in job.last.sizes],
    ),
    ("last_problems", "Problems of the last run.", lambda job: _one(len(job.last.problems))),
    ("last_warnings", "Warnings of the last run.", lambda job: _one(len(job.last.warnings))),
    (
        "spooled_nights",
        "Nights on the server's disk that wait for a cartridge.",
        lambda job: _one(job.last.waiting),
    ),
    (
        "cartridge_remaining_bytes",
        "Room left on each cartridge of the last run.",
        lambda job: [
            ({"cartridge": cartridge.name}, cartridge.remaining_bytes)
            for cartridge in job.last.cartridges
            if cartridge.remaining_bytes is not None
        ],
    ),
    (
        "cartridge_errors",
        "Errors seen on each cartridge of the last run, in its life.",
        lambda job: [({"cartridge": cartridge.name}, cartridge.errors) for cartridge in job.last.cartridges],
    ),
    (
        "forecast_nights",
        "For how many more nights a night fits on a cartridge.",
        lambda job: _one(job.last.nights_left),
    ),
)


_OF_NEVER = {"last_success_timestamp_seconds": 0, "overdue": 1}
"""What there is to say of a job that never ran."""


def metrics(jobs: Iterable[JobState | NeverRun]) -> str:
    """All metrics of all jobs as text; every name once, with its help."""
    lines, known = [], list(jobs)
    for name, help_text, samples in _METRICS:
        lines += [f"# HELP tapekit_{name} {help_text}", f"# TYPE tapekit_{name} gauge"]
        for job in known:
            if isinstance(job, NeverRun):
                if name in _OF_NEVER:
                    labels = {"site": job.site, "job": job.job}
                    lines.append(f"tapekit_{name}{_labels(labels)} {float(_OF_NEVER[name])!r}")
                continue
            labels = {"site": job.last.site, "job": job.last.job}
            lines += [f"tapekit_{name}{_labels(labels | more)} {float(value)!r}" for more, value in samples(job)]
    return "\n".join([*lines, ""])


def write(path: Path, jobs: Iterable[JobState | NeverRun]) -> None:
    """Write the file at once, readable by the collector; raises OSError."""
    write_atomically(path, metrics(jobs), mode=0o644)


def _labels(labels: dict[str, str]) -> str:
    return "{" + ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items()) + "}"


def _escape(value: str) -> str:
    text = value.encode("utf-8", "replace").decode("utf-8")
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
