"""The way to a SCSI device: a command goes there, an answer comes back. Virtual devices stand in below it."""

import dataclasses
from typing import Protocol

from drivers.errors import DriveError
from formats.scsi.sense import Sense

GOOD = 0x00
CHECK_CONDITION = 0x02
BUSY = 0x08
RESERVATION_CONFLICT = 0x18
TASK_SET_FULL = 0x28

Buffer = bytes | bytearray | memoryview


class TransportError(DriveError):
    """The command may or may not have reached the device; the answer did not come."""


class DeviceGone(TransportError):
    """The device is not there any more: unplugged, or switched off."""


class TimedOut(TransportError):
    """No answer in time. What the device does meanwhile is not known."""


class WayReset(TransportError):
    """The bus or the device was reset while the command was under way."""


@dataclasses.dataclass(frozen=True)
class Reply:
    """The answer: SCSI status, sense data where there is some, and how many bytes went or came."""

    status: int
    sense: Sense | None = None
    transferred: int = 0

    @property
    def is_good(self) -> bool:
        """Whether the command was done with nothing to say."""
        return self.status == GOOD and self.sense is None


class Transport(Protocol):
    """A way to one SCSI device; one command at a time."""

    node: str

    def execute(
        self, command: bytes, *, data_out: Buffer = b"", data_in: memoryview | None = None, timeout_s: float
    ) -> Reply:
        """Send a command, with data either way. Raises TransportError, NoPermission, NoDevice, Busy."""

    def close(self) -> None:
        """Give the device back."""
