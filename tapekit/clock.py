"""The time. Everything asks here, so that tests can live through a year of nights in seconds."""

import contextlib
import datetime
from collections.abc import Callable, Iterator
from contextvars import ContextVar

Clock = Callable[[], datetime.datetime]


def _system() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


_clock: ContextVar[Clock] = ContextVar("clock", default=_system)


def now() -> datetime.datetime:
    """The time in UTC."""
    return _clock.get()()


@contextlib.contextmanager
def running(clock: Clock) -> Iterator[None]:
    """Within this context, in this thread, `clock` tells the time."""
    token = _clock.set(clock)
    try:
        yield
    finally:
        _clock.reset(token)
