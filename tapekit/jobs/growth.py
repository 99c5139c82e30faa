"""How sources, databases and nights grow, and until when cartridges hold them: from the sizes that runs wrote down."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta

from tapekit.catalog.runs import Size
from tapekit.config.schema import Configuration
from tapekit.errors import Exit
from tapekit.jobs import foresee, past, plan
from tapekit.jobs.nightly.outlook import SLACK_BYTES
from tapekit.jobs.nightly.setting import Setting, setting
from tapekit.jobs.nightly.sizes import FEW_NIGHTS, STORED
from tapekit.model import Cartridge, Stock
from tapekit.report import capacity
from tapekit.report.night import Note, SizeSeries, SourceSize
from tapekit.report.notes import note, of_size
from tapekit.rotation.forecast import ForecastNight, Use, forecast
from tapekit.rotation.retention import Policy

AHEAD = timedelta(weeks=52)
"""Nights to come are gone through so far."""


@dataclasses.dataclass(frozen=True)
class Series:
    """A source, a database, or (`is_stored`) what a night takes on a cartridge: its size night by night."""

    sizes: SizeSeries
    latest: SourceSize
    """The latest size, and what to think of it."""
    is_stored: bool = False


@dataclasses.dataclass(frozen=True)
class Room:
    """Cartridges of one pool and one size, and until when a night fits on one of them."""

    pool: str
    capacity_bytes: int
    names: tuple[str, ...]
    forecast: capacity.Forecast
    last_night: date | None
    """The last night that fits, where the growth goes on."""


@dataclasses.dataclass(frozen=True)
class Job:
    """How a job grows."""

    name: str
    series: tuple[Series, ...]
    rooms: tuple[Room, ...]
    blocked: ForecastNight | None
    """The first night within a year that finds its cartridges full and still needed, or that fits on none."""
    notes: tuple[Note, ...]


def run(configuration: Configuration, job: str | None, now: datetime) -> tuple[Job, ...]:
    """How a job grows, or how all do. Raises UsageError, CatalogError."""
    names = tuple(configuration.jobs) if job is None else (foresee.the_job(configuration, job),)
    with past.open_store(configuration) as store:
        stock = store.stock()
        sizes = {name: store.sizes(name) for name in names}
    policy = plan.policy(configuration, stock, now.astimezone().date())
    return tuple(_job(setting(configuration, name), stock, policy, sizes[name], now) for name in names)


def _job(of: Setting, stock: Stock, policy: Policy, sizes: Iterable[Size], now: datetime) -> Job:
    drops = of.size_drops()
    series = tuple(_series(sizes, drops))
    stored = next((one for one in series if one.is_stored), None)
    points = stored.sizes.points if stored else ()
    rooms = tuple(_rooms(points, stock, policy.rotations[of.name].scheme.pools))
    blocked = _blocked(of, stock, policy, points, now) if points else None
    notes = (*_size_notes(series, drops), *_room_notes(rooms, blocked, now))
    return Job(of.name, series, rooms, blocked, notes)


def _series(sizes: Iterable[Size], drops: Mapping[str, int]) -> Iterator[Series]:
    """What is configured, in its order; then what is not any more; then the night as a whole."""
    found: dict[str, dict[date, int]] = {name: {} for name in drops}
    for size in sizes:
        found.setdefault(size.source, {})[size.night] = size.bytes  # of several runs in a night, the last
    for name in sorted(found, key=lambda name: name == STORED):
        points = tuple(sorted(found[name].items()))
        if points:
            (*before, (night, size_bytes)) = points
            thresholds = capacity.Thresholds(drop_percent=drops.get(name, capacity.DEFAULT.drop_percent))
            latest = capacity.assess(name, night, size_bytes, before, thresholds)
            yield Series(SizeSeries(name, points), latest, is_stored=name == STORED)


def _size_notes(series: Iterable[Series], drops: Mapping[str, int]) -> Iterator[Note]:
    known = [one for one in series if one.latest.name in drops]
    nights = [one.sizes.points[-1][0] for one in known]
    for one in known:
        if (said := of_size(one.latest)) is not None:
            yield said
        if (last := one.sizes.points[-1][0]) < max(nights):
            yield note("not-measured", name=one.latest.name, night=last.isoformat())


def _rooms(points: capacity.Points, stock: Stock, pools: Iterable[str]) -> Iterator[Room]:
    groups: dict[tuple[str, int], list[Cartridge]] = {}
    for cartridge in stock.cartridges:
        if cartridge.is_in_service and cartridge.capacity_bytes and cartridge.pool in set(pools):
            groups.setdefault((cartridge.pool or "", cartridge.capacity_bytes), []).append(cartridge)
    for (pool, capacity_bytes), cartridges in sorted(groups.items()):
        found = capacity.forecast(points, capacity_bytes - SLACK_BYTES)
        left = found.nights_left
        last = points[-1][0] + timedelta(days=left) if points and left is not None else None
        yield Room(pool, capacity_bytes, tuple(cartridge.name for cartridge in cartridges), found, last)


def _blocked(of: Setting, stock: Stock, policy: Policy, points: capacity.Points, now: datetime) -> ForecastNight | None:
    """Goes through a year of nights, each as large as the growth lets expect."""
    first = foresee.coming_night(of.job, points[-1][0], now)
    usual, growth = capacity.usual_bytes(points) or 0, capacity.growth_per_day(points) or 0.0
    takes = usual + int(growth * (first - points[-1][0]).days)
    nights = forecast(of.name, stock, policy, first, first + AHEAD, takes, growth, margin_bytes=SLACK_BYTES)
    return next((n for n in nights if any(each.use is Use.BLOCKED for each in n.cartridges)), None)


def _room_notes(rooms: Iterable[Room], blocked: ForecastNight | None, now: datetime) -> Iterator[Note]:
    left = [room.forecast.nights_left for room in rooms if room.forecast.nights_left is not None]
    if left and min(left) < FEW_NIGHTS:
        yield note("capacity", nights=str(min(left)))
    elif blocked and (blocked.night - now.astimezone().date()).days < FEW_NIGHTS:
        yield note("rotation-full", cartridge=", ".join(blocked.choice.names), night=blocked.night.isoformat())


def exit_code(jobs: Iterable[Job]) -> Exit:
    """Whether something wants attention."""
    return Exit.WARNINGS if any(job.notes for job in jobs) else Exit.DONE
