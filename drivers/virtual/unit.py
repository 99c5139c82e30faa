"""What a virtual device is to those who speak to it: a logical unit that takes commands."""

import dataclasses
from typing import Protocol

from drivers.scsi.transport import GOOD
from formats.scsi.sense import Sense


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a unit says to a command: data where it gives some, even beside sense data."""

    data: bytes = b""
    sense: Sense | None = None
    status: int = GOOD


class Unit(Protocol):
    """A logical unit."""

    def execute(self, command: bytes, data_out: bytes, room: int) -> Answer:
        """Do a command; `room` is how many bytes of answer there is room for.

        Raises TransportError where no answer comes: gone, reset on the way, too slow.
        """
