"""Sessions with a device, written down as text and played back without it.

One command a line, in the order in which they were sent:

    COMMAND > SIZE:DIGEST < STATUS SENSE TRANSFERRED DATA        or        COMMAND > SIZE:DIGEST ! ERROR

all in hexadecimal but sizes; `-` stands for nothing. Data that goes to the device is kept as its size and the beginning
of its SHA-256; data that comes is kept whole, run-length encoded where it repeats one byte.
"""

import dataclasses
import hashlib
import itertools
from collections.abc import Iterable, Iterator
from typing import TextIO

from drivers.scsi.transport import Buffer, DeviceGone, Reply, TimedOut, Transport, TransportError, WayReset
from formats.scsi import sense as sense_data

_ERRORS: tuple[tuple[str, type[TransportError]], ...] = (
    ("gone", DeviceGone),
    ("timeout", TimedOut),
    ("reset", WayReset),
    ("error", TransportError),
)
_LEAST_RUN = 16
_NOTHING = "-"


class Recorder:
    """A transport that writes down what goes through it."""

    def __init__(self, transport: Transport, file: TextIO) -> None:
        """Record into an open file; the caller closes it."""
        self.node = transport.node
        self._transport = transport
        self._file = file

    def execute(
        self, command: bytes, *, data_out: Buffer = b"", data_in: memoryview | None = None, timeout_s: float
    ) -> Reply:
        """Send the command on, and write it down with its answer."""
        asked = f"{command.hex()} > {_digest(data_out)}"
        try:
            reply = self._transport.execute(command, data_out=data_out, data_in=data_in, timeout_s=timeout_s)
        except TransportError as error:
            name = next(name for name, kind in _ERRORS if isinstance(error, kind))
            self._file.write(f"{asked} ! {name}\n")
            raise
        sense = _NOTHING
        if reply.sense is not None:
            sense = sense_data.build_descriptors(reply.sense).hex()
        came = bytes(data_in[: reply.transferred]) if data_in is not None else b""
        self._file.write(f"{asked} < {reply.status:02x} {sense} {reply.transferred} {_packed(came)}\n")
        return reply

    def close(self) -> None:
        """Close the transport."""
        self._transport.close()


class UnexpectedCommand(AssertionError):
    """The code sends something else than when the session was recorded."""


class Player:
    """A transport that answers as a recorded device did, as long as it is asked the same."""

    def __init__(self, node: str, lines: Iterable[str]) -> None:
        """Play a session; empty lines and those that begin with # are left out."""
        self.node = node
        self._lines = (line.strip() for line in lines if line.strip() and not line.startswith("#"))
        self._number = 0

    def execute(
        self,
        command: bytes,
        *,
        data_out: Buffer = b"",
        data_in: memoryview | None = None,
        timeout_s: float,  # noqa: ARG002 - as all transports
    ) -> Reply:
        """The recorded answer. Raises UnexpectedCommand, and the transport errors of the session."""
        self._number += 1
        line = next(self._lines, "")
        asked = f"{command.hex()} > {_digest(data_out)}"
        if not line.startswith(asked + " "):
            raise UnexpectedCommand(f"command {self._number}: expected {line[:80] or 'none'}, got {asked}")
        answer = line[len(asked) + 1 :].split()
        if answer[0] == "!":
            raise dict(_ERRORS)[answer[1]](f"{self.node}: {answer[1]}")
        _, status, sense, transferred, data = answer
        came = _unpacked(data)
        if data_in is not None:
            data_in[: len(came)] = came
        found = None if sense == _NOTHING else sense_data.parse(bytes.fromhex(sense))
        return Reply(int(status, 16), found, int(transferred))

    @property
    def left(self) -> int:
        """Commands of the session that were not sent; it cannot be played on after that."""
        return sum(1 for _ in self._lines)

    def close(self) -> None:
        """Nothing is held."""


@dataclasses.dataclass(frozen=True)
class _Run:
    value: int
    count: int


def _digest(data: Buffer) -> str:
    return f"{len(data)}:{hashlib.sha256(data).hexdigest()[:16]}" if len(data) else _NOTHING


def _packed(data: bytes) -> str:
    """Hexadecimal; a long run of one byte as (COUNT*BYTE)."""
    if not data:
        return _NOTHING
    parts = []
    for run in _runs(data):
        hexadecimal = f"{run.value:02x}"
        parts.append(f"({run.count}*{hexadecimal})" if run.count >= _LEAST_RUN else hexadecimal * run.count)
    return "".join(parts)


def _runs(data: bytes) -> Iterator[_Run]:
    for value, same in itertools.groupby(data):
        yield _Run(value, sum(1 for _ in same))


def _unpacked(text: str) -> bytes:
    if text == _NOTHING:
        return b""
    found = bytearray()
    for part in text.replace("(", ")").split(")"):
        count, star, value = part.partition("*")
        found += bytes.fromhex(value) * int(count) if star else bytes.fromhex(part)
    return bytes(found)
