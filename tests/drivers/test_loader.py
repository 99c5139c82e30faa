"""A loader by its user's profile: done, refused or unknown, and never anything else."""

import os
import threading
import tty
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.errors import DeviceFailure, NoDevice
from drivers.loader import BadArgument, Loader, Profile
from tapekit.config.loader import load_profile
from tapekit.errors import UsageError

EXAMPLE = Path(__file__).parents[2] / "docs/examples/loader.toml"


class Machine:
    """The other end of the cable: answers each line that it knows, in pieces."""

    def __init__(self, answers: dict[str, list[bytes]]) -> None:
        self._answers = answers
        self._end, self._theirs = os.openpty()
        tty.setraw(self._theirs)
        self.port = os.ttyname(self._theirs)
        self.heard: list[str] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        line = b""
        while byte := self._read():
            if byte == b"\x04":
                return
            line += byte
            if byte == b"\r":
                self.heard.append(line.decode().strip())
                for piece in self._answers.get(self.heard[-1], ()):
                    os.write(self._end, piece)
                line = b""

    def _read(self) -> bytes:
        try:
            return os.read(self._end, 1)
        except OSError:
            return b""

    def close(self) -> None:
        os.write(self._theirs, b"\x04")
        self._thread.join()
        os.close(self._end)
        os.close(self._theirs)


ANSWERS = {
    "LOAD 3": [b"LOA", b"D 3\r\nMOVING\r\n", b"OK", b"\r\n> "],
    "LOAD 9": [b"LOAD 9\r\nERR 21 NO SUCH SLOT\r\n> "],
    "STATUS": [b"STATUS\r\nREADY SLOTS=8\r\n> "],
    "UNLOAD": [b"UNLOAD\r\nMOVING\r\n"],
}


@pytest.fixture
def machine() -> Iterator[Machine]:
    made = Machine(ANSWERS)
    yield made
    made.close()


class Hasty:
    """A clock on which each look takes half a minute."""

    now_s = 0.0

    def __call__(self) -> float:
        self.now_s += 30
        return self.now_s


def loader(machine: Machine, **clock: Any) -> Loader:  # noqa: ANN401
    return Loader(load_profile(EXAMPLE), machine.port, **clock)


def test_done(machine: Machine) -> None:
    made = loader(machine)
    assert made.run("load", {"slot": "3"}).lines == ("MOVING", "OK")
    assert made.run("status", {}).lines == ("READY SLOTS=8",)
    assert machine.heard == ["LOAD 3", "STATUS"]
    made.close()


def test_refused(machine: Machine) -> None:
    made = loader(machine)
    with pytest.raises(DeviceFailure, match="load: refused: ERR 21 NO SUCH SLOT"):
        made.run("load", {"slot": "9"})
    made.close()


def test_no_answer_is_neither(machine: Machine) -> None:
    made = loader(machine, clock=Hasty())
    with pytest.raises(DeviceFailure, match="unload: no answer within 120 s") as raised:
        made.run("unload", {})
    assert raised.value.hint == "nobody knows whether it was done: look at the loader"
    made.close()


def test_what_was_said_before_answers_nothing(machine: Machine) -> None:
    made = loader(machine, clock=Hasty())
    os.write(machine._end, b"OK\r\n")
    with pytest.raises(DeviceFailure, match="no answer"):
        made.run("unload", {})
    made.close()


@pytest.mark.parametrize("values", ({}, {"slot": "3\rERASE"}, {"slot": ""}, {"slot": "3", "more": "1"}))
def test_nothing_else_is_sent(machine: Machine, values: dict[str, str]) -> None:
    made = loader(machine)
    with pytest.raises(BadArgument):
        made.run("load", values)
    assert machine.heard == []
    made.close()


def test_a_port_must_be_named() -> None:
    profile = Profile.model_validate({"name": "X", "commands": {"a": {"send": "A", "done": ["OK"]}}})
    with pytest.raises(NoDevice, match="no port"):
        Loader(profile)


@pytest.mark.parametrize(
    ("change", "message"),
    (
        (("baud = 9600", "baud = 9"), "line 5: baud: "),
        (("baud = 9600", "speed = 9600"), "line 5: speed: not a key"),
        (('done = ["OK"]', 'done = ["("]'), "is no regular expression"),
        (('done = ["OK"]', ""), "done: missing"),
        (("baud = 9600", "baud ="), "not TOML"),
    ),
)  # fmt: skip
def test_a_profile_that_is_wrong(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    path = tmp_path / "loader.toml"
    path.write_text(EXAMPLE.read_text().replace(*change, 1))
    with pytest.raises(UsageError) as raised:
        load_profile(path)
    assert message in str(raised.value)


def test_a_profile_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        load_profile(tmp_path / "none.toml")
