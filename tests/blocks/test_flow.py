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


def stops(
    rate_mb_s: float, buffer_mb: int, *, tells: bool = True, starts_at: float = 0.5
) -> tuple[int, int, int, float]:
    """Stops of the tape, stops as they were reckoned, the measured speed of the source in MB/s, and seconds in all."""
    clock = SimulatedClock()
    motion = Motion(LTO_9, clock, DRIVE_BYTES, starts_at)
    buffers = buffer_mb * MB // BLOCK
    source = Source(clock, rate_mb_s, TOTAL // BLOCK, buffers)
    need = Streaming(FLOOR * MB, DRIVE_BYTES, clock.now, clock.wait)
    flow = Flow[int | None](
        source, lambda size: size, need, buffers - buffers // 16, motion.now_level if tells else lambda: None,
    )  # fmt: skip
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
    """Between two stops the tape takes at most what both buffers hold when it starts, and what comes until it is dry.

    Its own is half full then. A tenth of that half is left as a margin twice, and a sixteenth of ours to the source.
    """
    happened, reckoned, measured, _ = stops(rate, buffer_mb)
    own, share = DRIVE_BYTES / MB / 2, FLOOR / (FLOOR - rate)
    possible = math.floor(TOTAL / MB / ((buffer_mb + own) * share))
    kept = math.ceil(TOTAL / MB / ((buffer_mb * 15 / 16 + own * 0.8) * share))
    assert possible <= happened <= kept <= math.ceil(possible * 1.2) + 1
    assert abs(happened - reckoned) <= 1
    assert measured == pytest.approx(rate, abs=1)


@pytest.mark.parametrize("buffer_mb", (250, 500, 1000))
def test_a_drive_that_does_not_tell_what_it_holds_gets_nothing_beforehand(buffer_mb: int) -> None:
    """While its own buffer fills, part of ours goes by; a tenth of that half is left as a margin."""
    happened, reckoned, _, _ = stops(100, buffer_mb, tells=False)
    own = DRIVE_BYTES / MB / 2
    stretch = (buffer_mb * 15 / 16 + own * 100 / FLOOR - own / 10) * FLOOR / (FLOOR - 100)
    assert happened <= math.ceil(TOTAL / MB / stretch) + 1
    assert abs(happened - reckoned) <= 1


@pytest.mark.parametrize("starts_at", (0.05, 0.2, 0.4))
def test_a_drive_that_starts_early_is_found_out(starts_at: float) -> None:
    """It stops once more, when it has what does not start others; afterwards it gets nothing beforehand."""
    happened, reckoned, _, _ = stops(100, 500, starts_at=starts_at)
    without, *_ = stops(100, 500, tells=False, starts_at=starts_at)
    assert happened <= without + 1
    assert abs(happened - reckoned) <= 1


def test_what_somebody_waits_for_is_not_kept_back() -> None:
    """The end of a segment comes before anything is full."""
    arriving: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    waits: list[float] = []
    for item in (10, 20, None, 30, None):
        arriving.put(item)
    flow = iter(Flow(arriving, lambda size: size, Streaming(1, 10, lambda: 0.0, waits.append), 100))
    assert [next(flow) for _ in range(5)] == [10, 20, None, 30, None]
    assert not waits
