"""The size watch: what sizes over time say. Pure: no clock, no disk.

An empty dump is not a success, and neither is half of one; and a cartridge that will be too small is known in time.
"""

import dataclasses
import statistics
from collections.abc import Sequence
from datetime import date
from itertools import combinations

from tapekit.report.night import SourceSize, Verdict

Points = Sequence[tuple[date, int]]
"""Nights and sizes in bytes, oldest first."""

USUAL_NIGHTS = 7
"""The usual size is the median of so many nights: one odd night does not move it."""
GROWTH_NIGHTS = 90
"""Growth is that of so many nights at most, so that a forecast follows what the site does now."""
GROWTH_DAYS = 7
"""Fewer days than these say nothing about growth: days of the week differ."""
FAR_NIGHTS = 3650
"""What lies further ahead than ten years is no forecast."""


@dataclasses.dataclass(frozen=True)
class Thresholds:
    """What is sudden. Changes of less than `small_bytes` never are."""

    drop_percent: float = 50
    jump_percent: float = 100
    small_bytes: int = 10_000_000


DEFAULT = Thresholds()


@dataclasses.dataclass(frozen=True)
class Forecast:
    """When a cartridge no longer holds a night."""

    is_known: bool
    nights_left: int | None = None
    """None: not within ten years; 0: it does not now."""


def assess(name: str, night: date, size_bytes: int, before: Points, thresholds: Thresholds = DEFAULT) -> SourceSize:
    """What the size of a source says, measured against the nights before."""
    usual = usual_bytes(before)
    growth = growth_per_day([*before, (night, size_bytes)])
    return SourceSize(
        name,
        size_bytes,
        usual,
        None if growth is None else round(growth * 7),
        _verdict(size_bytes, usual, thresholds),
    )


def usual_bytes(before: Points) -> int | None:
    """What is to be expected; None where there is no night before."""
    return round(statistics.median(size for _, size in before[-USUAL_NIGHTS:])) if before else None


def growth_per_day(points: Points) -> float | None:
    """Bytes a day: the median of the slopes between all pairs of nights (Theil and Sen), which odd nights do not move.

    None where there are not enough nights to tell.
    """
    points = points[-GROWTH_NIGHTS:]
    if not points or (points[-1][0] - points[0][0]).days < GROWTH_DAYS:
        return None
    slopes = [
        (size - earlier_size) / (night - earlier).days
        for (earlier, earlier_size), (night, size) in combinations(points, 2)
        if night > earlier
    ]
    return statistics.median(slopes)


def forecast(stored: Points, capacity_bytes: int | None) -> Forecast:
    """For how many more nights a night fits on a cartridge, from what nights took on one.

    Counts from the usual size of the latest nights: one odd night is no trend.
    """
    now = usual_bytes(stored)
    if now is None or capacity_bytes is None:
        return Forecast(is_known=False)
    if max(now, stored[-1][1]) > capacity_bytes:
        return Forecast(is_known=True, nights_left=0)
    growth = growth_per_day(stored)
    if growth is None:
        return Forecast(is_known=False)
    if growth <= 0 or (capacity_bytes - now) / growth > FAR_NIGHTS:
        return Forecast(is_known=True)
    return Forecast(is_known=True, nights_left=max(1, int((capacity_bytes - now) / growth)))


def _verdict(size_bytes: int, usual: int | None, thresholds: Thresholds) -> Verdict:
    if size_bytes == 0:
        return Verdict.EMPTY
    if usual is None:
        return Verdict.NEW
    if abs(size_bytes - usual) < thresholds.small_bytes:
        return Verdict.STEADY
    if size_bytes < usual * (1 - thresholds.drop_percent / 100):
        return Verdict.DROP
    if size_bytes > usual * (1 + thresholds.jump_percent / 100):
        return Verdict.JUMP
    return Verdict.STEADY
