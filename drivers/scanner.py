"""Barcode scanners: on a serial port, or as a keyboard, which types lines (a wedge)."""

import sys
import time
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol

from drivers.serialport import open_port, port_error
from formats.barcode import Framer, Framing, Scan

KEYBOARD = "-"
"""Stands for the scanner that types, where a port would be named."""
BAUD = 9600
"""What scanners are set to when they come from the shop, as a rule."""


class Scanner(Protocol):
    """What scans come from."""

    def scans(self) -> Iterator[Scan]:
        """Each scan as it comes, the refused ones too; ends where the scanner's input ends. Raises DriveError."""

    def close(self) -> None:
        """Give the port back."""


class SerialScanner:
    """A scanner on a serial port."""

    def __init__(
        self, port: str, framing: Framing, baud: int = BAUD, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Open the port. Raises NoDevice, NoPermission, Busy."""
        self._path = port
        self.framer = Framer(framing)
        self._clock = clock
        self.port = open_port(port, baud, timeout_s=framing.idle_s)

    def scans(self) -> Iterator[Scan]:
        """Each scan as it comes, without end. Raises NoDevice where the scanner is unplugged."""
        while True:
            try:
                data = self.port.read(1)
                data += self.port.read(self.port.in_waiting) if data else b""
            except (OSError, TypeError) as error:  # TypeError: pyserial's own, where another thread closed the port
                raise port_error(OSError(str(error)), self._path) from error
            now_s = self._clock()
            yield from self.framer.feed(data, now_s) if data else self.framer.wait(now_s)

    def close(self) -> None:
        """Give the port back."""
        self.port.close()


class KeyboardScanner:
    """A scanner that types its scans, or a file of lines."""

    def __init__(self, framing: Framing, stream: BinaryIO | None = None) -> None:
        """Read from the standard input, where no other stream is given."""
        self._framer = Framer(framing)
        self._stream = stream or sys.stdin.buffer

    def scans(self) -> Iterator[Scan]:
        """Each line. A person types slowly: pauses mean nothing here."""
        for line in iter(self._stream.readline, b""):
            yield from self._framer.feed(line, 0)
        yield from self._framer.close()

    def close(self) -> None:
        """Nothing is held."""


def open_scanner(port: str, framing: Framing, baud: int = BAUD) -> Scanner:
    """The scanner on a port, or the one that types where the port is `-`. Raises NoDevice, NoPermission, Busy."""
    return KeyboardScanner(framing) if port == KEYBOARD else SerialScanner(port, framing, baud)
