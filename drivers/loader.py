"""A loader on a serial port, through a profile that its user wrote: no loader's own protocol is public.

A profile says how the port is set, and for each command what is sent and what answers mean that it was done, or not.
"""

import dataclasses
import re
import time
from collections.abc import Callable, Mapping
from typing import Annotated, Literal

import serial
from pydantic import BaseModel, ConfigDict, Field, field_validator

from drivers.errors import DeviceFailure, DriveError, NoDevice
from drivers.serialport import open_port, port_error

_ARGUMENT = re.compile(r"[A-Za-z0-9_.-]{1,32}")
_PLACE = re.compile(r"\{([a-z_]+)\}")
_POLL_S = 0.1
Positive = Annotated[float, Field(gt=0, le=86400)]


class BadArgument(ValueError):
    """A command was given what it does not take."""


class Command(BaseModel):
    """One command of a loader."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    send: str
    """The line that is sent, without its end; {name} stands for an argument."""
    done: tuple[str, ...] = Field(min_length=1)
    """Regular expressions; a line that one of them matches whole says that it was done."""
    failed: tuple[str, ...] = ()
    """The same for a line that says it was not."""
    timeout_s: Positive = 60
    """Without an answer for so long it counts as failed."""
    about: str = ""
    """What it does, for a person."""

    @field_validator("done", "failed")
    @classmethod
    def _can_be_compiled(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
        return patterns

    @property
    def arguments(self) -> tuple[str, ...]:
        """The names of what must be given."""
        return tuple(dict.fromkeys(_PLACE.findall(self.send)))

    def line(self, values: Mapping[str, str]) -> str:
        """The line with its arguments put in. Raises BadArgument: nothing but letters and digits reaches a loader."""
        if set(values) != set(self.arguments):
            raise BadArgument(f"expected {', '.join(self.arguments) or 'no arguments'}, got {len(values)}")
        for name, value in values.items():
            if not _ARGUMENT.fullmatch(value):
                raise BadArgument(f"{name}: {value!r}: expected letters, digits and - . _")
        return _PLACE.sub(lambda match: values[match[1]], self.send)


class Profile(BaseModel):
    """How to talk to a loader."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    port: str = ""
    baud: int = Field(9600, ge=50, le=4_000_000)
    data_bits: Literal[7, 8] = 8
    parity: Literal["none", "even", "odd"] = "none"
    stop_bits: Literal[1, 2] = 1
    sent_end: str = "\r"
    """What ends a line that is sent. Lines that come end with CR, LF or both."""
    prompt: str = ""
    """What the loader sends before it listens, with no line end behind it; it is no part of an answer."""
    echoes: bool = False
    """It sends back what it was sent."""
    commands: dict[str, Command] = Field(min_length=1)


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a loader answered, line by line; the last line is the one that said it was done."""

    lines: tuple[str, ...]


class Loader:
    """A loader whose port is open."""

    def __init__(self, profile: Profile, port: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        """Open the port of the profile, or another one. Raises NoDevice, NoPermission, Busy."""
        path = port or profile.port
        if not path:
            raise NoDevice(f"loader {profile.name}: no port: neither the profile nor the command names one")
        self._profile, self._path, self._clock = profile, path, clock
        self._port: serial.Serial = open_port(
            path, profile.baud, timeout_s=_POLL_S, data_bits=profile.data_bits, parity=profile.parity[0].upper(),
            stop_bits=profile.stop_bits,
        )  # fmt: skip

    def run(self, name: str, values: Mapping[str, str]) -> Answer:
        """Run a command and wait for its answer. Raises BadArgument, DeviceFailure, NoDevice."""
        command = self._profile.commands[name]
        sent = command.line(values)
        try:
            self._port.reset_input_buffer()  # what it said before anybody asked answers nothing
            self._port.write((sent + self._profile.sent_end).encode("latin-1"))
            return self._answer(name, command, sent)
        except DriveError:
            raise
        except OSError as error:
            raise port_error(error, self._path) from error

    def close(self) -> None:
        """Give the port back."""
        self._port.close()

    def _answer(self, name: str, command: Command, sent: str) -> Answer:
        ends_s = self._clock() + command.timeout_s
        received, lines = "", list[str]()
        while self._clock() < ends_s:
            received += self._port.read(max(1, self._port.in_waiting)).decode("latin-1")
            *whole, received = re.split(r"[\r\n]+", received)
            for line in (text.removeprefix(self._profile.prompt).strip() for text in whole):
                if not line or (self._profile.echoes and line == sent):
                    continue
                lines.append(line)
                if any(re.fullmatch(pattern, line) for pattern in command.failed):
                    raise DeviceFailure(f"{self._path}: {self._profile.name}: {name}: refused: {line}")
                if any(re.fullmatch(pattern, line) for pattern in command.done):
                    return Answer(tuple(lines))
        said = (
            f"it said {'; '.join([*lines, received.strip()]).rstrip('; ')!r}"
            if lines or received
            else "it said nothing"
        )
        raise DeviceFailure(
            f"{self._path}: {self._profile.name}: {name}: no answer within {command.timeout_s:g} s: {said}",
            "nobody knows whether it was done: look at the loader",
        )
