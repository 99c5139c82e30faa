"""Blocks reach a drive that must not run dry: no stop where the source is fast enough, else as few as there can be."""

import math
import queue
from collections import deque

import pytest

from drivers.base import Streaming
from drivers.scsi.generations import generation
from drivers.virtual.clock import SimulatedClock
from drivers.virtual.tape.motion import Direction, Motion
from tapekit.blocks.flow import Flow

MB = 10**6
BLOCK = MB
LTO_9 = generation(9)
DRIVE_BYTES = 1000 * MB
FLOOR = LTO_9.floor_mb_s
TOTAL = 20_000 * MB


class Source:
    """A source of so many bytes a second that fills `buffers` blocks and then waits until one is free again."""

    def __init__(self, clock: SimulatedClock, rate_mb_s: float, blocks: int, buffers: int) -> None:
        self._clock, self._each_s, self._left = clock, BLOCK / (rate_mb_s * MB), blocks
        self._made: deque[float] = deque()
        self._taken, self._free, self._last_s = 0, buffers, 0.0
        self.most = 0

    def give_back(self) -> None:
        """A buffer is free again; the source goes on from now at the earliest."""
        if self._free == 0:
            self._last_s = max(self._last_s, self._clock.now())
        self._free += 1
        self._fill()

    def _fill(self) -> None:
        """Work on blocks as far as there are buffers: when each will be ready."""
        while self._free and self._left:
            self._free, self._left = self._free - 1, self._left - 1
            self._last_s += self._each_s
            self._made.append(self._last_s)

    def get(self) -> int | None:
        self._fill()
        if not self._made:
            assert not self._left, "it waits for a buffer that nobody gives back"
            return None
        self._clock.wait(self._made.popleft() - self._clock.now())
        return BLOCK

    def empty(self) -> bool:
        self._fill()
        return not self._made or self._made[0] > self._clock.now()


def stops(rate_mb_s: float, buffer_mb: int) -> tuple[int, int, int, float]:
    """Stops of the tape, stops as they were reckoned, the measured speed of the source in MB/s, and seconds in all."""
    clock = SimulatedClock()
    motion = Motion(LTO_9, clock, DRIVE_BYTES)
    buffers = buffer_mb * MB // BLOCK
    source = Source(clock, rate_mb_s, TOTAL // BLOCK, buffers)
    need = Streaming(FLOOR * MB, DRIVE_BYTES)
    flow = Flow[int | None](source, lambda size: size, need, buffers - buffers // 16, clock.now, clock.wait)
    for size in flow:
        if size is None:
            break
        motion.transfer(Direction.WRITING, size)
        source.give_back()
    return motion.stops, flow.stops, flow.result().source_bytes_s // MB, clock.now()


@pytest.mark.parametrize("rate", (180, 250, 400, 1000))
def test_a_source_that_is_fast_enough_causes_no_stop(rate: int) -> None:
    happened, reckoned, _, seconds = stops(rate, 500)
    assert (happened, reckoned) == (0, 0)
    # nor is it held up: it takes as long as the slower of source and drive, and what is gathered and given at the ends
    assert seconds <= TOTAL / MB / min(rate, LTO_9.native_mb_s) + 500 / rate + 500 / FLOOR


@pytest.mark.parametrize("buffer_mb", (250, 500, 1000, 4000))
@pytest.mark.parametrize("rate", (40, 100, 150))
def test_a_slow_source_causes_the_fewest_stops_that_buffering_allows(rate: int, buffer_mb: int) -> None:
    """Between two stops the tape takes what both buffers hold when it starts, and what comes until they are empty.

    It starts when its own is half full, which takes it as long as that much takes at its slowest speed. A tenth of that
    half is left as a margin, and a sixteenth of ours to the source.
    """
    happened, reckoned, measured, _ = stops(rate, buffer_mb)
    own = DRIVE_BYTES / MB / 2
    stretch = (buffer_mb * 15 / 16 + own * rate / FLOOR - own / 10) * FLOOR / (FLOOR - rate)
    assert happened <= math.ceil(TOTAL / MB / stretch) + 1
    assert abs(happened - reckoned) <= 1
    assert happened < TOTAL / MB / (own * FLOOR / (FLOOR - rate))  # which is how many there are without ours
    assert measured == pytest.approx(rate, abs=1)


def test_what_somebody_waits_for_is_not_kept_back() -> None:
    """The end of a segment comes before anything is full."""
    arriving: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    waits: list[float] = []
    for item in (10, 20, None, 30, None):
        arriving.put(item)
    flow = iter(Flow(arriving, lambda size: size, Streaming(1, 10), 100, lambda: 0.0, waits.append))
    assert [next(flow) for _ in range(5)] == [10, 20, None, 30, None]
    assert not waits
