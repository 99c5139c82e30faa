"""From what a person writes to an open drive."""

import contextlib
import importlib
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING

from drivers.base import Drive
from tapekit.errors import UsageError

if TYPE_CHECKING:
    from drivers.discover import Device
    from drivers.tape.glance import Glance

DRIVERS = (
    ("image", "drivers.image"),
    ("disk", "drivers.disk"),
    ("rdx", "drivers.rdx"),
    ("tape", "drivers.tape.open"),
    ("virtual", "drivers.tape.virtual"),
)
"""One line for each driver: its scheme, and the module whose `open_drive` opens a drive of it.

A module is read in when a drive of it is opened: all of them take a tenth of the start of a command.
"""

TAPES = ("tape", "virtual")
"""Schemes whose module has a `glance` (drivers.tape.glance) besides."""

Between = Callable[[Drive, bool], Drive]
"""What stands between a job and an open drive; it is told whether the drive was opened to write."""


def _nothing(drive: Drive, _is_writable: bool) -> Drive:  # noqa: FBT001 - as Between has it
    return drive


_between: ContextVar[Between] = ContextVar("between", default=_nothing)


@contextlib.contextmanager
def through(between: Between) -> Iterator[None]:
    """Within this context, in this thread, every drive is opened through something: the faults of a drill."""
    token = _between.set(between)
    try:
        yield
    finally:
        _between.reset(token)


def resolve(drive: str, named: Mapping[str, str]) -> tuple[str, str]:
    """Scheme and path of a drive, given as a URL or by its name in the configuration. Raises UsageError."""
    url = named.get(drive, drive)
    scheme, colon, path = url.partition(":")
    known = ", ".join(f"{name}:" for name, _ in DRIVERS)
    if not colon or scheme not in dict(DRIVERS):
        names = f"; drives in the configuration: {', '.join(sorted(named))}" if named else ""
        raise UsageError(
            f"drive: {drive!r} is no drive", f"write it as {known} with a file or device behind it, or a name{names}"
        )
    if not path:
        raise UsageError(f"drive: {drive!r}: a file or device must stand behind {scheme}:")
    return scheme, path


def url_of(device: "Device") -> str:
    """The URL of a device that was found: of an RDX dock as of any disk, where there is no driver of its own."""
    scheme = device.kind.value if device.kind.value in dict(DRIVERS) else "disk"
    return f"{scheme}:{device.node}"


def open_drive(drive: str, named: Mapping[str, str], *, writable: bool) -> Drive:
    """Open a drive. Raises UsageError and DriveError."""
    scheme, path = resolve(drive, named)
    opened: Drive = importlib.import_module(dict(DRIVERS)[scheme]).open_drive(path, writable=writable)
    return _between.get()(opened, writable)


def glance(url: str) -> "Glance | None":
    """What a tape drive says without loading or moving anything; None of what is no tape drive: opening it is enough.

    Raises UsageError and DriveError.
    """
    scheme, path = resolve(url, {})
    if scheme not in TAPES:
        return None
    found: Glance = importlib.import_module(dict(DRIVERS)[scheme]).glance(path)
    return found
