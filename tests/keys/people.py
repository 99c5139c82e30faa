"""People who answer, and keys that cost no time."""

from collections.abc import Iterable
from pathlib import Path

from tapekit.keys import keyfile
from tapekit.keys.hand import Person
from tapekit.keys.pair import Pair
from tapekit.keys.secret import Secret

PASSPHRASE = "vier Wörter durch Zufall"
FAST = 15
"""The cheapest scrypt that the format allows."""


class Answers:
    """A person who answers what was prepared, and remembers what was asked and told."""

    def __init__(self, secrets: Iterable[str] = (), lines: Iterable[str] = ()) -> None:
        self._secrets, self._lines = iter(secrets), iter(lines)
        self.asked: list[str | int] = []
        self.told: list[str] = []
        self.person = Person(self._ask, self._ask_line, self.told.append)

    def _ask(self, what: str) -> str:
        self.asked.append(what)
        return next(self._secrets)

    def _ask_line(self, number: int) -> str:
        self.asked.append(number)
        return next(self._lines)


def pair(role: str = "owner", name: str = "Marie") -> Pair:
    """Always the same one."""
    return Pair(role, name, Secret(bytes(range(32))))


def write_key(path: Path, whose: Pair | None = None, passphrase: str = PASSPHRASE) -> Path:
    """A key file."""
    path.write_bytes(keyfile.seal(whose or pair(), Secret(passphrase.encode()), FAST))
    path.chmod(0o600)
    return path
