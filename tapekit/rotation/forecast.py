"""The nights to come, as they follow from the rotation and from what is on the cartridges now."""

import dataclasses
import enum
from collections.abc import Iterator
from datetime import UTC, date, datetime, time

from formats.segment import COMPLETE
from tapekit.model import Cartridge, Copy, Rung, Stock
from tapekit.rotation.choose import Choice, choose
from tapekit.rotation.loss import Loss, losses
from tapekit.rotation.permit import may_append, may_overwrite
from tapekit.rotation.retention import Policy, Reuse, Rotation


class Use(enum.StrEnum):
    """What a night will do with a cartridge."""

    NEW = "new"
    """It has no label yet."""
    APPEND = "append"
    OVERWRITE = "overwrite"
    BLOCKED = "blocked"
    """Neither is allowed: full and protected, or put in for a restore."""


@dataclasses.dataclass(frozen=True)
class Foreseen:
    """A cartridge on a night to come, and what is lost by overwriting it."""

    name: str
    use: Use
    loss: Loss


@dataclasses.dataclass(frozen=True)
class ForecastNight:
    """A night to come."""

    night: date
    choice: Choice
    cartridges: tuple[Foreseen, ...]


def forecast(  # noqa: PLR0913 - three sizes make a night
    job: str, stock: Stock, policy: Policy, first: date, last: date, needed_bytes: int = 0, growth_per_day: float = 0,
    *, margin_bytes: int = 0,
) -> Iterator[ForecastNight]:  # fmt: skip
    """The nights of a job from the first to the last date, each as if all before it went well.

    `needed_bytes` is what the first night takes on a cartridge; each later one takes `growth_per_day` bytes more a day.
    A night goes only where there is `margin_bytes` more room than it takes.
    """
    rotation = policy.rotations[job]
    for night in rotation.calendar.open_nights(first, last):
        turn = rotation.scheme.turn(night, rotation.calendar)
        if turn is None:
            continue
        choice = choose(turn, stock, rotation.per_night)
        size_bytes = max(0, needed_bytes + int(growth_per_day * (night - first).days))
        foreseen = []
        for name in choice.names:
            use = foresee(stock.named(name), rotation, stock, policy, night, size_bytes + margin_bytes)
            loss = losses(stock, {name}) if use is Use.OVERWRITE else Loss()
            foreseen.append(Foreseen(name, use, loss))
            stock = written(stock, name, use, imagined(job, night, size_bytes), turn.pool)
        yield ForecastNight(night, choice, tuple(foreseen))


def foresee(
    cartridge: Cartridge | None, rotation: Rotation, stock: Stock, policy: Policy, night: date, needed_bytes: int
) -> Use:
    """What a night will do with a cartridge that is in the drive by then."""
    if cartridge is None or not cartridge.label:
        return Use.NEW
    can_append = not may_append(cartridge, stock, policy, needed_bytes)
    can_overwrite = not may_overwrite(cartridge, stock, policy, night, needed_bytes=needed_bytes)
    if can_overwrite and (rotation.reuse is Reuse.OVERWRITE or not can_append):
        return Use.OVERWRITE
    return Use.APPEND if can_append else Use.BLOCKED


def imagined(job: str, night: date, stored_bytes: int) -> Copy:
    """A night that went well: complete, and read back."""
    at = datetime.combine(night, time(23), UTC)
    return Copy(f"{job} {night}", job, night, at, at, 0, COMPLETE, stored_bytes=stored_bytes,
                evidence=((Rung.READ_BACK, at),))  # fmt: skip


def written(stock: Stock, name: str, use: Use, copy: Copy, pool: str) -> Stock:
    """The stock after a cartridge was used for a copy."""
    cartridge = stock.named(name) or Cartridge(name, name, pool)
    if use is Use.BLOCKED:
        return stock
    if use is Use.OVERWRITE:
        cartridge = dataclasses.replace(cartridge, copies=(), pool=pool, remaining_bytes=cartridge.capacity_bytes)
    left = None if cartridge.remaining_bytes is None else max(0, cartridge.remaining_bytes - copy.stored_bytes)
    cartridge = dataclasses.replace(
        cartridge, copies=(*cartridge.copies, copy), last_written=copy.started, remaining_bytes=left
    )
    others = (other for other in stock.cartridges if other.name != name)
    return Stock((*others, cartridge))
