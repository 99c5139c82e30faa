"""Speed matching: when the tape stops, and what that costs."""

import pytest

from drivers.scsi.generations import generation
from drivers.virtual.clock import SimulatedClock
from drivers.virtual.tape.motion import STOP_S, Direction, Motion

MB = 10**6


def stream(rate_mb_s: float, total_mb: int, direction: Direction, buffer_mb: int = 1000) -> tuple[Motion, float]:
    """A host of that speed, on LTO-9 (177 to 400 MB/s); and how long it took."""
    clock = SimulatedClock()
    motion = Motion(generation(9), clock, buffer_mb * MB)
    for _ in range(total_mb):
        clock.wait(1 / rate_mb_s)
        motion.transfer(direction, MB)
    motion.flush()
    return motion, clock.now()


@pytest.mark.parametrize("direction", (Direction.WRITING, Direction.READING))
@pytest.mark.parametrize("rate", (180, 250, 400))
def test_between_floor_and_native_speed_nothing_stops(rate: int, direction: Direction) -> None:
    motion, seconds = stream(rate, 20_000, direction)
    assert motion.stops == 0
    assert seconds == pytest.approx(20_000 / rate, rel=0.15)


@pytest.mark.parametrize("direction", (Direction.WRITING, Direction.READING))
def test_below_the_floor_it_stops_once_for_each_half_buffer(direction: Direction) -> None:
    motion, _ = stream(100, 20_000, direction)
    # half a buffer (500 MB) goes out at 177 while 100 comes in: 1149 MB from one stop to the next
    assert motion.stops == pytest.approx(20_000 / 1149, abs=2)
    larger, _ = stream(100, 20_000, direction, buffer_mb=2000)
    assert larger.stops == pytest.approx(motion.stops / 2, abs=2)


def test_a_host_that_is_too_fast_waits() -> None:
    motion, seconds = stream(1000, 10_000, Direction.WRITING)
    assert motion.stops == 0
    assert seconds == pytest.approx(10_000 / 400, rel=0.1)
    assert motion.waited_s > 10


def test_a_stop_takes_its_time() -> None:
    clock = SimulatedClock()
    motion = Motion(generation(9), clock, 1000 * MB)
    motion.transfer(Direction.WRITING, 500 * MB)
    clock.wait(60)
    motion.transfer(Direction.WRITING, 600 * MB)
    assert motion.stops == 1
    motion.flush()
    assert motion.flushes == 1
    begun = clock.now()
    motion.transfer(Direction.WRITING, 400 * MB)
    motion.flush()
    assert clock.now() - begun == pytest.approx(STOP_S + 1)
