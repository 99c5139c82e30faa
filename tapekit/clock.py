"""The time. Everything asks here, so that tests can live through a year of nights in seconds."""

import contextlib
import datetime
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar

Clock = Callable[[], datetime.datetime]


def _system() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


_clock: ContextVar[Clock] = ContextVar("clock", default=_system)


def now() -> datetime.datetime:
    """The time in UTC."""
    return _clock.get()()


def now_ns() -> int:
    """The time as files have it: nanoseconds since 1970."""
    clock = _clock.get()
    return time.time_ns() if clock is _system else int(clock().timestamp() * 1_000_000_000)


@contextlib.contextmanager
def running(clock: Clock) -> Iterator[None]:
    """Within this context, in this thread, `clock` tells the time."""
    token = _clock.set(clock)
    try:
        yield
    finally:
        _clock.reset(token)
