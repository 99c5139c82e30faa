"""`tapekit status`: how the jobs are; its exit code alarms when one has fallen silent."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import click

from tapekit import clock
from tapekit.catalog.runs import Run
from tapekit.cli.common import health_json, job_argument, json_option, notes_json, print_json, words_of
from tapekit.cli.tables import folded, show_lines, told
from tapekit.config.load import load
from tapekit.errors import Exit
from tapekit.jobs import status
from tapekit.report import health
from tapekit.report.words import Words, printable
from tapekit.rotation.overdue import Overdue
from tapekit.scrubs import Advice

NOTES = 8
"""So many are told of each job; --json has them all."""
_NOTHING = ("never", "not known")
_HEADS = {Exit.DONE: "all is well", Exit.WARNINGS: "look at this", Exit.FAILED: "ALARM"}


@click.command("status")
@job_argument()
@json_option
@click.pass_context
def command(context: click.Context, job: str | None, as_json: bool) -> None:
    """Say how the jobs are: last success, proof, what runs, what comes; exit code 4 where one is overdue."""
    result = status.run(load(context.find_root().obj), job, clock.now())
    words = words_of(context)
    if as_json:
        print_json(_json(result, words))
    else:
        show_lines(list(_lines(result, words)))
    context.exit(result.exit_code)


def _lines(result: status.Result, words: Words) -> Iterator[str]:
    yield f"{printable(result.site)}: {_HEADS[result.exit_code] if result.jobs else 'no jobs'}"
    for job in result.jobs:
        yield ""
        yield f"{job.name}{': OVERDUE' if job.overdue else ''}"
        for title, text in _facts(job, result.now, words):
            yield from folded(f"  {title:<13} ", text)
        for note in job.notes[:NOTES]:
            yield from told(note)
        if len(job.notes) > NOTES:
            yield f"  … and {len(job.notes) - NOTES} more; --json names them all"


def _facts(job: status.Job, now: datetime, words: Words) -> Iterator[tuple[str, str]]:
    proven = f": {job.latest_proofs[-1][0].words}" if job.latest_proofs else ""
    yield "last success", f"{_when(job.saved, now)}{proven}" if job.saved else _NOTHING[job.overdue is Overdue.UNKNOWN]
    if job.is_running:
        step = f": {job.trace.step}" if job.trace else ""
        yield "now", f"a run is under way{step}"
    if job.last and job.last.ended is not None:
        yield "last run", f"{_when(job.last.begun, now)}: {_outcome(job.last)}"
    if job.proofs:
        rung, at = job.proofs[-1]
        yield "proof", f"{rung.words}, {_when(at, now)}"
    if job.waiting:
        yield "spool", f"{job.waiting} {'night waits' if job.waiting == 1 else 'nights wait'} in {job.spool}"
    doubtful = {name: it for name, it in job.scrubbed.items() if it.advice is not Advice.GOOD}
    told = [f"{name}: {it.advice.value}, {it.why}" for name, it in doubtful.items()]
    if told:
        yield "scrubs", "; ".join(told)
    for one in job.report.health if job.report else ():
        counted = health.counted(one, words)
        yield "drive", words.clauses((f"{one.drive}: {health.said(one, words)}", *counted))
    if job.coming:
        names = ", ".join(job.coming.choice.names) or "no cartridge in service"
        yield "next", f"{names}, {job.coming.night:%a %Y-%m-%d}"


def _outcome(run: Run) -> str:
    words = f"outcome {run.outcome}" if run.outcome else "ended"
    known = {"clean": "clean", "warnings": "with warnings", "spooled": "on the server only", "failed": "failed"}
    return f"{known.get(run.outcome or '', words)} (exit code {run.exit_code})"


def _when(moment: datetime, now: datetime) -> str:
    local = moment.astimezone()
    days = (now.astimezone().date() - local.date()).days
    age = {0: "today", 1: "yesterday", -1: "tomorrow"}.get(days, f"{days} days ago" if days > 0 else f"in {-days} days")
    return f"{local:%a %Y-%m-%d %H:%M}, {age}"


def _json(result: status.Result, words: Words) -> dict[str, Any]:
    return {
        "site": result.site, "now": result.now.isoformat(), "exit_code": int(result.exit_code),
        "catalog_problem": str(result.problem) if result.problem else None,
        "jobs": [_job_json(job, result.now, words) for job in result.jobs],
    }  # fmt: skip


def _job_json(job: status.Job, now: datetime, words: Words) -> dict[str, Any]:
    return {
        "job": job.name, "overdue": job.overdue.value if job.overdue else None,
        "last_success": _iso(job.saved), "days_since_success": (now - job.saved).days if job.saved else None,
        "last_run": _run_json(job.last) if job.last else None,
        "running": job.is_running, "step": job.trace.step if job.trace else None,
        "cut_off": job.trace is not None and not job.is_running,
        "proof": _proof_json(job.proofs[-1], now) if job.proofs else None,
        "proofs": [_proof_json(proof, now) for proof in job.proofs],
        "latest_proof": _proof_json(job.latest_proofs[-1], now) if job.latest_proofs else None,
        "spool": job.spool or None, "waiting": job.waiting,
        "next_night": str(job.coming.night) if job.coming else None,
        "next_cartridges": list(job.coming.choice.names) if job.coming else [],
        "health": [
            {"drive": one.drive, **health_json(one, words)} for one in (job.report.health if job.report else ())
        ],
        "damaged": [
            {"cartridge": it.cartridge, "archive": it.archive, "night": str(it.night), "at": it.at.isoformat()}
            for it in job.damaged
        ],
        "scrubs": [
            {"cartridge": name, "at": it.latest.at, "advice": it.advice.value, "why": it.why, "corrected": it.trend}
            for name, it in job.scrubbed.items()
        ],
        "warnings": notes_json(job.notes),
    }  # fmt: skip


def _run_json(run: Run) -> dict[str, Any]:
    return {
        "night": str(run.night), "begun": run.begun.isoformat(), "ended": _iso(run.ended), "outcome": run.outcome,
        "exit_code": run.exit_code,
    }  # fmt: skip


def _proof_json(proof: tuple[Any, datetime], now: datetime) -> dict[str, Any]:
    rung, at = proof
    return {"rung": rung.words, "at": at.isoformat(), "days": (now - at).days}


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
