"""Times and sizes as documents and people write them."""

import datetime
import re
import time

from tapekit import clock
from tapekit.errors import UsageError

_TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([kmgtp]?)(i?b?)", re.IGNORECASE | re.ASCII)
_POWER = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}


def now_text() -> str:
    """The time, as documents hold it: UTC, whole seconds."""
    return clock.now().strftime(_TIME_FORMAT)


def parse_time(text: str) -> datetime.datetime:
    """A time as documents hold it. Raises ValueError."""
    return datetime.datetime.strptime(text, _TIME_FORMAT).replace(tzinfo=datetime.UTC)


def parse_size(text: str) -> int:
    """Bytes of a size such as 64M, 1.5GiB, 500GB: k, M, G, T and KiB … are powers of 1024, kB, MB … of 1000.

    Raises UsageError.
    """
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise UsageError(f"size: {text!r} is not a size", "write it like 64M, 500GB or 1.5TiB")
    number, prefix, unit = match.groups()
    base = 1000 if prefix and unit.lower() == "b" else 1024
    return int(float(number) * base ** _POWER[prefix.lower()])


def size_text(size_bytes: float) -> str:
    """A size for people, in decimal units as they stand on cartridges: 1.5 GB."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(size_bytes) < 1000:  # noqa: PLR2004 - the step between units
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} PB"


def counted(count: int, noun: str) -> str:
    """So many of a thing: 1 member, 3 members."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def duration_text(seconds: float) -> str:
    """A duration for people: 0.4 s, 75 s, 12 min, 3 h 05 min."""
    if seconds < 100:  # noqa: PLR2004
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"  # noqa: PLR2004


def time_text(time_ns: int) -> str:
    """A member's time for people, local time to the second."""
    seconds = time_ns // 10**9
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
    except (ValueError, OverflowError, OSError):
        return f"@{seconds}"
