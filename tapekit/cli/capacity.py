"""`tapekit capacity`: how what is saved grows, and until when the cartridges hold it."""

import math
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import click

from tapekit import clock
from tapekit.cli.common import job_argument, json_option, notes_json, print_json
from tapekit.cli.tables import folded, show_lines, table_lines, told
from tapekit.config.load import load
from tapekit.jobs import growth
from tapekit.report.words import Words, printable
from tapekit.units import size_text

ENGLISH = Words("en")
COLUMNS = ("", ">first", ">usual", ">latest", ">a week", "", "trend")
ROOMS = ("pool", ">size", ">cartridges", "")
BARS = "▁▂▃▄▅▆▇█"
TREND = 12
"""So many bars show the trend."""
ON_CARTRIDGE = "on the cartridge"


@click.command("capacity")
@job_argument()
@json_option
@click.pass_context
def command(context: click.Context, job: str | None, as_json: bool) -> None:
    """Show the growth of each source and database, and until when a night fits on a cartridge; 3 with a warning."""
    found = growth.run(load(context.find_root().obj), job, clock.now())
    if as_json:
        print_json({"jobs": [_json(one) for one in found]})
    else:
        show_lines([line for one in found for line in _lines(one)])
    context.exit(growth.exit_code(found))


def _lines(job: growth.Job) -> Iterator[str]:
    if not job.series:
        yield f"{job.name}: no night was recorded yet"
        return
    points = [point for one in job.series for point in one.sizes.points]
    yield f"{job.name}: {min(points)[0]} to {max(points)[0]}"
    yield from table_lines(COLUMNS, [_row(one) for one in job.series])
    yield ""
    if job.rooms:
        yield from table_lines(ROOMS, [_room(room) for room in job.rooms])
        yield ""
    if job.blocked:
        names = ", ".join(job.blocked.choice.names) or job.blocked.choice.turn.pool
        yield from folded("", f"on {job.blocked.night}, {names} will be full and still needed, or too small")
    elif any(one.is_stored for one in job.series):
        yield "within a year no night finds its cartridges full and still needed"
    for note in job.notes:
        yield from told(note)
    yield ""


def _row(one: growth.Series) -> tuple[str, ...]:
    sizes, latest = [size for _, size in one.sizes.points], one.latest
    usual, week = latest.usual_bytes, latest.growth_bytes_per_week
    return (
        ON_CARTRIDGE if one.is_stored else printable(latest.name), size_text(sizes[0]),
        "" if usual is None else size_text(usual), size_text(sizes[-1]),
        "" if week is None else f"{'+' if week > 0 else ''}{size_text(week)}", ENGLISH.verdict(latest.verdict),
        trend(sizes),
    )  # fmt: skip


def trend(sizes: Sequence[int]) -> str:
    """The sizes as a row of bars, from nothing to the largest; where there are many, one bar for so many nights."""
    if len(sizes) < 2:  # noqa: PLR2004 - one size is no trend
        return ""
    step = math.ceil(len(sizes) / TREND)
    shown = sizes[::-1][::step][::-1]  # the latest is always among them
    largest = max(shown) or 1
    return "".join(BARS[round(size / largest * (len(BARS) - 1))] for size in shown)


def _room(room: growth.Room) -> tuple[str, ...]:
    fits = ENGLISH.forecast(room.forecast.nights_left, is_known=room.forecast.is_known)
    until = f", until {room.last_night}" if room.forecast.nights_left else ""
    return room.pool, size_text(room.capacity_bytes), str(len(room.names)), f"{fits}{until}"


def _json(job: growth.Job) -> dict[str, Any]:
    return {
        "job": job.name,
        "sources": [_series_json(one) for one in job.series if not one.is_stored],
        "stored": next((_series_json(one) for one in job.series if one.is_stored), None),
        "cartridges": [
            {
                "pool": room.pool, "capacity_bytes": room.capacity_bytes, "names": list(room.names),
                "is_known": room.forecast.is_known, "nights_left": room.forecast.nights_left,
                "last_night": _iso(room.last_night),
            }
            for room in job.rooms
        ],
        "blocked_night": _iso(job.blocked.night) if job.blocked else None,
        "blocked_cartridges": list(job.blocked.choice.names) if job.blocked else [],
        "warnings": notes_json(job.notes),
    }  # fmt: skip


def _series_json(one: growth.Series) -> dict[str, Any]:
    latest = one.latest
    return {
        "name": latest.name, "bytes": latest.size_bytes, "usual_bytes": latest.usual_bytes,
        "growth_bytes_per_week": latest.growth_bytes_per_week, "verdict": latest.verdict.value,
        "points": [{"night": night.isoformat(), "bytes": size} for night, size in one.sizes.points],
    }  # fmt: skip


def _iso(night: date | None) -> str | None:
    return night.isoformat() if night else None
