"""Sessions with devices, written down as text and played back without them.

One command a line, in the order in which they were sent:

    COMMAND > SIZE:DIGEST < STATUS SENSE TRANSFERRED DATA        or        COMMAND > SIZE:DIGEST ! ERROR

all in hexadecimal but sizes; `-` stands for nothing. Data that goes to the device is kept as its size and the beginning
of its SHA-256; data that comes is kept whole, run-length encoded where it repeats one byte. Of several devices, the
name of the one that is meant stands first in the line.

Transcripts are small: a long answer that came before is `again:N`, the session's Nth of those, from 0. A block of a
tape is the concern of who wrote it alone: `0a00 > block`, and when it is read again `block:N`, the Nth that was
written. So a session holds for other content: names, dates, keys, sizes.
"""

import dataclasses
import hashlib
import itertools
from collections.abc import Iterable, Iterator
from typing import TextIO

from drivers.scsi import commands
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
_BLOCK, _AGAIN = "block", "again"
_LONG_ANSWER = 100
"""Characters; no digest or position is as long."""


@dataclasses.dataclass
class Said:
    """What a session refers to: blocks that were written, and long answers, by all of its devices."""

    blocks: list[bytes] = dataclasses.field(default_factory=list)
    answers: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Device:
    """One of a session's devices: its name, empty of the only one, and what was said in the session."""

    name: str = ""
    session: Said = dataclasses.field(default_factory=Said)

    def asked(self, command: bytes, data_out: Buffer) -> str:
        """The beginning of the line, up to the answer; keeps a block."""
        said = f"{self.name} " if self.name else ""
        if command[0] == commands.WRITE.opcode:
            self.session.blocks.append(bytes(data_out))
            return f"{said}{command[:2].hex()} > {_BLOCK}"
        return f"{said}{command.hex()} > {_digest(data_out)}"

    def packed(self, data: bytes) -> str:
        """An answer as text."""
        text, known = _packed(data), self.session.answers
        if text in known:
            return f"{_AGAIN}:{known.index(text)}"
        if len(text) >= _LONG_ANSWER:
            known.append(text)
        return text

    def unpacked(self, text: str) -> bytes:
        """The answer."""
        kind, _, number = text.partition(":")
        if kind == _BLOCK:
            return self.session.blocks[int(number)]
        if kind == _AGAIN:
            return _unpacked(self.session.answers[int(number)])
        if len(text) >= _LONG_ANSWER:
            self.session.answers.append(text)
        return _unpacked(text)


class Recorder:
    """A transport that writes down what goes through it."""

    def __init__(self, transport: Transport, file: TextIO, device: Device | None = None) -> None:
        """Record into an open file; the caller closes it. `device`: of several, which one this is."""
        self.node = transport.node
        self._transport = transport
        self._file = file
        self._device = device or Device()

    def execute(
        self, command: bytes, *, data_out: Buffer = b"", data_in: memoryview | None = None, timeout_s: float
    ) -> Reply:
        """Send the command on, and write it down with its answer."""
        asked = self._device.asked(command, data_out)
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
        self._file.write(f"{asked} < {reply.status:02x} {sense} {self._data(command, reply, came)}\n")
        return reply

    def _data(self, command: bytes, reply: Reply, came: bytes) -> str:
        """How much was transferred, and what came."""
        if command[0] == commands.WRITE.opcode:
            return f"{_BLOCK} {_NOTHING}"
        if command[0] == commands.READ.opcode:
            found = came
            if reply.sense is not None and reply.sense.ili:  # smaller than the room for it
                found = came[: int.from_bytes(command[2:5]) - (reply.sense.information or 0)]
            blocks = self._device.session.blocks
            if found in blocks:
                return f"{_BLOCK} {_BLOCK}:{len(blocks) - 1 - blocks[::-1].index(found)}"
        return f"{reply.transferred} {self._device.packed(came)}"

    def close(self) -> None:
        """Close the transport."""
        self._transport.close()


class UnexpectedCommand(AssertionError):
    """The code sends something else than when the session was recorded."""


class Player:
    """A transport that answers as a recorded device did, as long as it is asked the same."""

    def __init__(self, node: str, lines: Iterable[str], device: Device | None = None) -> None:
        """Play a session; empty lines and those that begin with # are left out.

        Players of a session's devices take their lines from one iterator.
        """
        self.node = node
        self._lines = (line.strip() for line in lines if line.strip() and not line.startswith("#"))
        self._device = device or Device()
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
        asked = self._device.asked(command, data_out)
        if not line.startswith(asked + " "):
            raise UnexpectedCommand(
                f"command {self._number}: expected {line[:80] or 'none'}, got {asked}; docs/rig.md: how to record anew"
            )
        answer = line[len(asked) + 1 :].split()
        if answer[0] == "!":
            raise dict(_ERRORS)[answer[1]](f"{self.node}: {answer[1]}")
        _, status, sense, transferred, data = answer
        found = None if sense == _NOTHING else sense_data.parse(bytes.fromhex(sense))
        came = self._device.unpacked(data)
        if data_in is not None:
            data_in[: len(came)] = came
        if transferred != _BLOCK:
            return Reply(int(status, 16), found, int(transferred))
        if data_in is not None and found is not None and found.ili:
            found = dataclasses.replace(found, information=len(data_in) - len(came))
        return Reply(int(status, 16), found, len(data_out or came))

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
