"""When blocks go to a drive whose tape stops where too little comes: gathered first, then given as slowly as it takes.

A stop costs seconds and wear. Where the source is slower than the slowest speed of the tape, stops cannot be avoided;
there are fewest where each stretch is longest:

    gather   the tape stands; the drive gets as much as does not start it, then blocks are kept until the buffer is full
    give     at the slowest speed of the tape, so that what was gathered lasts; a full buffer is given from at once,
             which is how a source that is fast enough is never held up
    coast    nothing is left here: each block is passed on as it comes, for as long as the drive's own buffer lasts
"""

import dataclasses
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, Protocol, TypeVar

from drivers.base import Streaming

Item = TypeVar("Item")
Arrived_co = TypeVar("Arrived_co", covariant=True)
CATCH_UP_S = 0.05
"""What a wait that lasted too long may be made up for."""
NO_WAIT_S = 0.005
"""Shorter waits are left out, and added to the next."""
_FILLED = 0.5
"""Of the drive's buffer, when its tape starts: so much of it is left when we have nothing more. No drive tells."""
_BEFOREHAND = 0.45
"""Of the drive's buffer, what is given while it stands: less than starts the tape."""
_MARGIN = 0.9


@dataclasses.dataclass(frozen=True)
class Flowed:
    """How it went: `stops` of the tape as they are reckoned here; speeds in bytes per second, of what is stored."""

    stops: int
    source_bytes_s: int
    needed_bytes_s: int


def together(parts: Iterable[Flowed | None]) -> Flowed | None:
    """Of an archive on several cartridges: all stops, and the source where it was slowest."""
    known = [part for part in parts if part is not None]
    if not known:
        return None
    speeds = [part.source_bytes_s for part in known if part.source_bytes_s]
    return Flowed(sum(part.stops for part in known), min(speeds, default=0), known[-1].needed_bytes_s)


class Arriving(Protocol[Arrived_co]):
    """The queue that blocks come through."""

    def get(self) -> Arrived_co:
        """The next one, when it is there."""

    def empty(self) -> bool:
        """Whether `get` would wait now."""


class Flow(Generic[Item]):
    """Iterates over what arrives, in order, each when the drive should have it.

    `size_of`: bytes; None for what somebody waits for, so that nothing before it is kept back.
    """

    def __init__(
        self, arriving: Arriving[Item], size_of: Callable[[Item], int | None], need: Streaming, full: int,
        in_drive: Callable[[], int | None] = lambda: None,
    ) -> None:  # fmt: skip
        """Keep at most `full` blocks; more than that must be able to arrive while nothing is taken.

        `in_drive`: bytes that the drive has taken and not written. Where it does not tell, and where its tape has
        started before we thought that it would, it gets nothing beforehand.
        """
        self.stops = 0
        self._arriving = arriving
        self._size_of = size_of
        self._need = need
        self._full = full
        self._in_drive = in_drive
        self._beforehand_bytes = _BEFOREHAND * need.buffer_bytes
        self._now, self._wait = need.now, need.wait
        self._kept: deque[Item] = deque()
        self._blocks = 0
        """Of what is kept."""
        self._awaited = 0
        """Of what is kept, what somebody waits for."""
        self._due_s = self._dry_s = self._now()
        """When the next block goes; and when the drive's own buffer is empty, once nothing is kept."""
        self._is_coasting = self._is_moving = False
        self._given_bytes = 0
        """Since the tape stood still."""
        self._gathered_bytes, self._gathered_s = 0, 0.0

    def __iter__(self) -> Iterator[Item]:
        """Endless: whoever takes from it knows what is last."""
        if self._in_drive() is None:
            self._beforehand_bytes = 0
        yield from self._gather()
        while True:
            while not self._arriving.empty():
                self._keep(self._arriving.get())
            if not self._kept:
                yield from self._run_out()
                continue
            if self._is_awaited:
                item = self._take()
                yield item
                if self._size_of(item) is None and not self._kept:
                    self._given_bytes = 0  # the drive was waited for: it stands, and that is no stop of ours
                    yield from self._gather()
                continue
            self._pace()
            yield self._take()

    def result(self) -> Flowed:
        """How it went until now."""
        return Flowed(self.stops, int(self._source_bytes_s), self._need.slowest_bytes_s)

    @property
    def _is_awaited(self) -> bool:
        return self._awaited > 0

    @property
    def _source_bytes_s(self) -> float:
        """What comes while nobody holds the source up."""
        return self._gathered_bytes / self._gathered_s if self._gathered_s else 0.0

    def _keep(self, item: Item) -> int:
        size = self._size_of(item)
        self._kept.append(item)
        self._blocks += bool(size)
        self._awaited += size is None
        return size or 0

    def _take(self) -> Item:
        item = self._kept.popleft()
        size = self._size_of(item)
        self._given_bytes += size or 0
        self._blocks -= bool(size)
        self._awaited -= size is None
        return item

    def _run_out(self) -> Iterator[Item]:
        """Nothing is kept: the drive goes on alone, then its tape stops; unless it never had enough to start."""
        if not self._is_coasting:
            self._begin_to_coast()
        if self._now() < self._dry_s:
            self._keep(self._arriving.get())
            return
        if self._is_moving:
            self._stopped()
        yield from self._gather()

    def _begin_to_coast(self) -> None:
        """How long the drive's own buffer lasts with what comes; no time at all where its tape stands."""
        own, held = _FILLED * self._need.buffer_bytes, self._in_drive()
        self._is_moving = self._given_bytes >= own if held is None else held < _MARGIN * self._given_bytes
        slowest, source = self._need.slowest_bytes_s, self._source_bytes_s
        lost = slowest - source if source < slowest else slowest
        lasts_s = _MARGIN * (own if held is None else held) / lost
        self._is_coasting, self._dry_s = True, self._now() + (lasts_s if self._is_moving else 0.0)

    def _stopped(self) -> None:
        self.stops += 1
        self._given_bytes = 0

    def _gather(self) -> Iterator[Item]:
        begun, size, given = self._now(), 0, 0
        while self._blocks < self._full and not self._is_awaited:
            size += self._keep(self._arriving.get())
            if self._given_bytes < self._beforehand_bytes and not self._is_awaited:
                given += self._size_of(self._kept[0]) or 0
                yield self._take()
        if not self._is_awaited:
            self._gathered_bytes += size
            self._gathered_s += self._now() - begun
        if given and (self._in_drive() or 0) < given // 2:  # its tape has started, and has run out
            self._beforehand_bytes = 0
            self._stopped()
        self._due_s = self._now()
        self._is_coasting = False

    def _pace(self) -> None:
        """Wait until the next block is due; not at all where the buffer is full."""
        now = self._now()
        if self._blocks >= self._full:
            self._due_s, self._is_coasting = now, False
            return
        if self._due_s - now > NO_WAIT_S:
            self._wait(self._due_s - now)
        size = self._size_of(self._kept[0]) or 0
        self._due_s = max(self._due_s, now - CATCH_UP_S) + size / self._need.slowest_bytes_s
