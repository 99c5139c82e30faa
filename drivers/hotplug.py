"""Says when a device comes, goes, or has another medium in it, as udev tells (pyudev).

udev tells of disks whose medium was changed; nobody tells of a tape that was put in, so that whoever waits looks now
and then as well.
"""

import time
from collections.abc import Callable
from typing import Protocol

import pyudev

SUBSYSTEMS = ("block", "scsi_generic", "scsi_tape", "tty", "usb")
SETTLE_S = 1.0
"""One device is several events: they are waited for together."""
LOOK_AGAIN_S = 30.0
"""So long at most somebody waits for an event: nobody tells of a tape that is put in."""
NO_UDEV = "nobody tells of new devices here: is systemd-udevd running?"


class Events(Protocol):
    """Something that tells of changes."""

    def wait(self, timeout_s: float) -> bool:
        """Return when something changed, or after a time; whether something did."""


class UdevEvents:
    """The events of this machine, from the moment on in which it is made."""

    def __init__(self, monitor: "pyudev.Monitor | None" = None, clock: Callable[[], float] = time.monotonic) -> None:
        """Listen. Raises OSError where the machine has no such socket."""
        if monitor is None:
            monitor = pyudev.Monitor.from_netlink(pyudev.Context())
            for subsystem in SUBSYSTEMS:
                monitor.filter_by(subsystem)
        self._monitor = monitor
        self._clock = clock
        monitor.start()

    def wait(self, timeout_s: float) -> bool:
        """Return when udev has told of a device and then been silent for a second, or after a time."""
        if self._monitor.poll(timeout_s) is None:
            return False
        ends_s = self._clock() + 10 * SETTLE_S  # a device that comes and goes without end is told of all the same
        while self._clock() < ends_s and self._monitor.poll(SETTLE_S) is not None:
            pass
        return True
