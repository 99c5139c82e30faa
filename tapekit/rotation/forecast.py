"""The nights to come, as they follow from the rotation and from what is on the cartridges now."""

import dataclasses
import enum
from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime, time

from formats.segment import COMPLETE, CONTINUED
from tapekit.model import Cartridge, Copy, Rung, Stock
from tapekit.rotation.choose import Choice, choose
from tapekit.rotation.decide import SMALLEST_PART_BYTES
from tapekit.rotation.loss import Loss, losses
from tapekit.rotation.permit import may_append, may_overwrite
from tapekit.rotation.retention import Policy, Reuse, Rotation
from tapekit.rotation.turn import Turn


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
    further: int = 0
    """So many more it takes: a night larger than a cartridge goes over several, and the turn has not enough of them."""
    is_set: bool = False
    """It goes over all of them, each of which holds a part."""

    @property
    def count(self) -> int:
        """How many cartridges it takes."""
        return len(self.cartridges) + self.further


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
        size_bytes = max(0, needed_bytes + int(growth_per_day * (night - first).days))
        capacity = _capacity(stock, turn)
        if capacity is not None and capacity < size_bytes + margin_bytes:
            one = _Several(job, rotation, policy, turn, capacity)
            foreseen_night, stock = one.night(stock, size_bytes, margin_bytes)
            yield foreseen_night
            continue
        choice = choose(turn, stock, rotation.per_night)
        foreseen = []
        for name in choice.names:
            use = foresee(stock.named(name), rotation, stock, policy, night, size_bytes + margin_bytes)
            loss = losses(stock, {name}) if use is Use.OVERWRITE else Loss()
            foreseen.append(Foreseen(name, use, loss))
            stock = written(stock, name, use, imagined(job, night, size_bytes), turn.pool)
        yield ForecastNight(night, choice, tuple(foreseen))


def smallest_bytes(stock: Stock, pools: Collection[str]) -> int | None:
    """What the smallest cartridge of some pools holds; None where no size is known."""
    known = (c.capacity_bytes for c in stock.cartridges if c.is_in_service and c.pool in pools)
    return min((size for size in known if size), default=None)


def _capacity(stock: Stock, turn: Turn) -> int | None:
    """Of the cartridge that goes in first; one that is not known yet is taken to be as small as any of its pool."""
    first = next((stock.named(name) for name in choose(turn, stock).names), None)
    return (first.capacity_bytes if first else None) or smallest_bytes(stock, (turn.pool,))


@dataclasses.dataclass(frozen=True)
class _Several:
    """A night that no cartridge of its turn takes alone."""

    job: str
    rotation: Rotation
    policy: Policy
    turn: Turn
    capacity_bytes: int
    """Of a cartridge that is not known yet."""

    def night(self, stock: Stock, size_bytes: int, margin_bytes: int) -> tuple[ForecastNight, Stock]:
        """The night over as many cartridges as it takes, and the stock after it."""
        before, rest, found = stock, size_bytes + margin_bytes, list[Foreseen]()
        blocked: list[Foreseen] = []
        for name in choose(self.turn, stock, len(self.turn.names)).names:
            if rest <= 0:
                break
            use = self._use(stock, name)
            if use is Use.BLOCKED:
                blocked.append(Foreseen(name, use, Loss()))
                continue
            room = self._room(stock.named(name), use)
            found.append(Foreseen(name, use, losses(before, {name}) if use is Use.OVERWRITE else Loss()))
            copy = dataclasses.replace(
                imagined(self.job, self.turn.night, min(rest, room)), segment=len(found) - 1,
                state=COMPLETE if rest <= room else CONTINUED,
            )  # fmt: skip
            stock = written(stock, name, use, copy, self.turn.pool)
            rest -= room
        further = max(0, -(-rest // self.capacity_bytes)) if found else 0
        found = found or blocked[:1]
        choice = choose(self.turn, before, len(found))
        choice = dataclasses.replace(choice, names=tuple(each.name for each in found))
        is_set = len(found) + further > 1
        return ForecastNight(self.turn.night, choice, tuple(found), further, is_set=is_set), stock

    def _use(self, stock: Stock, name: str) -> Use:
        """As the night decides it: what does not take it all counts as full."""
        full = dataclasses.replace(self.rotation, reuse=Reuse.OVERWRITE)
        return foresee(stock.named(name), full, stock, self.policy, self.turn.night, SMALLEST_PART_BYTES)

    def _room(self, cartridge: Cartridge | None, use: Use) -> int:
        if cartridge is None or use is Use.NEW:
            return self.capacity_bytes
        known = cartridge.remaining_bytes if use is Use.APPEND else cartridge.capacity_bytes
        return self.capacity_bytes if known is None else known


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
