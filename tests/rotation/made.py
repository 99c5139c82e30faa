"""Cartridges and copies as tests need them, in a line each."""

from datetime import UTC, date, datetime, time

from formats.segment import COMPLETE, INCOMPLETE
from tapekit.config.values import Duration
from tapekit.model import Cartridge, Copy, Place, Rung, Stock
from tapekit.rotation.calendar import Calendar
from tapekit.rotation.retention import Policy, Reuse, Rotation
from tapekit.rotation.weekdays import Weekdays

SITE = "Pharmacie du Port"
WEEKEND = frozenset((5, 6))


def night(text: str) -> date:
    """A date of 2026: 03-09."""
    return date.fromisoformat(f"2026-{text}")


def copy(on: date, *, job: str = "nightly", verified: bool = True, complete: bool = True, failed: bool = False) -> Copy:
    """An archive of a night."""
    at = datetime.combine(on, time(21, 30), UTC)
    return Copy(
        f"{job}-{on}", job, on, at, at, 2, COMPLETE if complete else INCOMPLETE,
        evidence=((Rung.READ_BACK if verified else Rung.FLUSHED, at),), failed=at if failed else None,
    )  # fmt: skip


def cartridge(
    name: str,
    *copies: Copy,
    pool: str | None = "daily",
    place: Place = Place.SHELF,
    left: int | None = None,
    site: str = SITE,
    is_locked: bool = False,
    is_write_protected: bool = False,
    is_worm: bool = False,
) -> Cartridge:
    """A cartridge of the site."""
    last = max((copy.started for copy in copies), default=None)
    return Cartridge(
        name, f"label of {name}", pool, site, place, copies, last_written=last, capacity_bytes=100,
        remaining_bytes=left, is_locked=is_locked, is_write_protected=is_write_protected, is_worm=is_worm,
    )  # fmt: skip


def stock(*cartridges: Cartridge) -> Stock:
    """All that are known."""
    return Stock(cartridges)


def weekdays(*, sets: int = 1, days: int = 6, reuse: Reuse = Reuse.APPEND) -> Rotation:
    """Monday to Friday."""
    return Rotation(Weekdays(sets=sets), Calendar(WEEKEND), {"daily": Duration(days, "day")}, reuse=reuse)


def policy(rotation: Rotation | None = None) -> Policy:
    """Of the one job."""
    return Policy(SITE, {"nightly": rotation or weekdays()})
