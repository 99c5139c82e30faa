"""Several events of one device are one change, and nobody waits for ever."""

from collections.abc import Sequence

import pytest

from drivers.hotplug import UdevEvents


class Monitor:
    """Has these answers, then nothing; a clock that goes on with each question."""

    def __init__(self, answers: Sequence[object]) -> None:
        self.answers = list(answers)
        self.asked: list[float] = []
        self.is_started = False

    def start(self) -> None:
        self.is_started = True

    def poll(self, timeout_s: float) -> object:
        self.asked.append(timeout_s)
        return self.answers.pop(0) if self.answers else None

    def __call__(self) -> float:
        return float(len(self.asked))


@pytest.mark.parametrize(("answers", "asked"), (([], [30.0]), ([1], [30.0, 1.0]), ([1, 2, 3], [30.0, 1.0, 1.0, 1.0])))
def test_events_are_waited_for_together(answers: list[int], asked: list[float]) -> None:
    monitor = Monitor(answers)
    events = UdevEvents(monitor, monitor)
    assert events.wait(30.0) is bool(answers)
    assert monitor.asked == asked
    assert monitor.is_started


def test_a_device_that_comes_and_goes_without_end_is_told_of() -> None:
    monitor = Monitor([1] * 100)
    assert UdevEvents(monitor, monitor).wait(30.0)
    assert len(monitor.asked) < 15
