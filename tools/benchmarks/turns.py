"""Turns of contenders with one data set: who can run, in which order, and what each command cost."""

import shutil
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from tools.benchmarks.data import DataSet, tree_digest
from tools.benchmarks.measure import Command, Sample, measure, run_unmeasured
from tools.benchmarks.report import Result
from tools.benchmarks.settings import Settings

RESTORE = "restore"
QUICK_NOTE = "--quick: programs' start weighs more than with all data, for which the targets are meant"


class Contender(Protocol):
    """Whoever has a turn."""

    @property
    def name(self) -> str:
        """What it is called in the result."""

    def missing(self) -> str | None:
        """Say why it cannot run here, or None."""


_Contender = TypeVar("_Contender", bound=Contender)


def able(result: Result, contenders: Iterable[_Contender], ours: Collection[str]) -> list[_Contender]:
    """Those that can run here; the result says why others cannot, which of our own is wrong."""
    found = []
    for contender in contenders:
        reason = contender.missing()
        if reason is None:
            found.append(contender)
        else:
            note_failure(result, ours, contender.name, f"cannot run: {reason}")
    return found


def in_turn(contenders: Sequence[_Contender], number: int) -> tuple[_Contender, ...]:
    """All of them, in an order that moves on by one with each round."""
    first = number % max(1, len(contenders))
    return (*contenders[first:], *contenders[:first])


def note_failure(result: Result, ours: Collection[str], name: str, problem: str) -> None:
    """A rival that fails is left out of the comparison; tapekit must not fail."""
    (result.wrong if name in ours else result.notes).append(f"{name}: {problem}")


def make_empty(directory: Path) -> None:
    """A directory with nothing in it."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()


class Turns:
    """One round with one data set, each turn with an empty target."""

    def __init__(
        self, settings: Settings, result: Result, data: DataSet, ours: Collection[str], *, check: bool
    ) -> None:  # fmt: skip
        """`check`: compare what our own restored."""
        self.target = settings.directory / "target"
        self.restored = settings.directory / "restored"
        self._result = result
        self._data = data
        self._ours = ours
        self._check = check

    def prepare(self, name: str, command: Command | None) -> bool:
        """Run what is not measured; return whether it did what it should."""
        problem = run_unmeasured(command) if command is not None else None
        if problem is not None:
            self.failed(name, "prepare", problem)
        return problem is None

    def measure(self, name: str, step: str, command: Command, stored: Path | None = None) -> bool:
        """Measure a command, and what is `stored` after it; return whether it did what it should."""
        cost = measure(command)
        if cost.exit_code != 0:
            self.failed(name, step, f"exit code {cost.exit_code}: {cost.message}")
            return False
        stored_bytes = allocated_bytes(stored) if stored is not None else None
        self._result.samples.append(Sample(self._data.name, name, step, self._data.size_bytes, stored_bytes, cost))
        return True

    def failed(self, name: str, step: str, problem: str) -> None:
        """Note it; see `note_failure`."""
        note_failure(self._result, self._ours, name, f"{step}: {self._data.name}: {problem}")

    def compare(self, name: str) -> None:
        """What our own restored in the first round is what was backed up."""
        if name not in self._ours or not self._check:
            return
        place = self.restored / self._data.path.relative_to("/")  # paths in an archive begin at the root
        if not place.is_dir():
            self.failed(name, RESTORE, f"nothing at {place}")
        elif tree_digest(place) != self._data.sha256:
            self.failed(name, RESTORE, "the restored files are not those that were backed up")

    def clear(self) -> None:
        """Remove what the turn has left."""
        for directory in (self.target, self.restored):
            shutil.rmtree(directory, ignore_errors=True)


def allocated_bytes(place: Path) -> int:
    """Return what files take on the medium: an image is made larger than what is written to it."""
    paths = [place] if place.is_file() else place.rglob("*")
    return sum(path.stat().st_blocks * 512 for path in paths if path.is_file())
