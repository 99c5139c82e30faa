"""The suite `deltas`: what a night stores and how long it takes where little changed, by tapekit and by others.

Each round is one more night: the source changes, the hash reads it once, then each archiver has its turn, in an order
that moves on by one. The full archive before the first night is not measured. Nothing is compressed, so that what is
stored is what was not known again.
"""

import os
import random
import shutil
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from tools.benchmarks.changes import AT_THE_START, CHANGES, IN_PLACE, PAGE_BYTES, Change
from tools.benchmarks.contenders import SHA256, TAPEKIT, borg, image, restic, sha256, tapekit
from tools.benchmarks.data import DataSet, tree_digest
from tools.benchmarks.measure import Command, Sample, measure, run_unmeasured
from tools.benchmarks.report import MB, MIB, Result, Target
from tools.benchmarks.settings import Settings, say
from tools.benchmarks.turns import QUICK_NOTE, able, allocated_bytes, in_turn, note_failure

FULL_BYTES, QUICK_BYTES = 2048 * MIB, 128 * MIB
MOST_ROUNDS = 6
"""Behind so many deltas tapekit writes a full archive, unless it is told otherwise."""
NIGHT = "a night"
WITH_PARITY = "tapekit, parity"
OURS = (TAPEKIT, WITH_PARITY)
RIVALS = ("borg", "restic")
MOST_STORED, MOST_STORED_INSERTED, MOST_TIME = 1.10, 0.01, 1.3


@dataclass(frozen=True)
class Archiver:
    """One program, and where in its target its archives are."""

    name: str
    program: str
    archives: str
    prepare: Callable[[Path, int], Command]
    backup: Callable[[Path, Path, int], Command]
    """For source, target, and the number of the night."""

    def missing(self) -> str | None:
        """Say why it cannot run here, or None."""
        if self.program == TAPEKIT:
            return run_unmeasured(tapekit("--version"))
        return None if shutil.which(self.program) else f"{self.program}: not installed"


def ours(target: Path, *arguments: str) -> Command:
    """Return tapekit's command line, with what it remembers in a target."""
    return Command(tapekit(*arguments).arguments, {"TAPEKIT_STATE": str(target / "state")})


def _tapekit(name: str, parity: str) -> Archiver:
    def backup(source: Path, target: Path, _night: int) -> Command:
        return ours(target, "backup", image(target), str(source), "--job", "night", "--compression", "none", parity)

    def label(target: Path, size_bytes: int) -> Command:
        return ours(target, "label", image(target), "--size", str(size_bytes), "--barcode", "BENCH-1")

    return Archiver(name, TAPEKIT, "cartridge.img", label, backup)


ARCHIVERS = (
    _tapekit(TAPEKIT, "--no-parity"),
    _tapekit(WITH_PARITY, "--parity"),
    Archiver(
        "borg", "borg", "repository",
        lambda target, _: borg(target, "init", "--encryption", "none", str(target / "repository")),
        lambda source, target, night: borg(
            target, "create", "--compression", "none", f"{target / 'repository'}::{night}", str(source)),
    ),
    Archiver(
        "restic", "restic", "repository",
        lambda target, _: restic(target, "init", "--repository-version", "2"),
        lambda source, target, _: restic(target, "backup", "--compression", "off", str(source)),
    ),
)  # fmt: skip


def room_bytes(*, quick: bool) -> int:
    """Return what the suite needs: the source twice, where it is written anew, and a backup by each archiver."""
    return (QUICK_BYTES if quick else FULL_BYTES) * (2 + len(ARCHIVERS)) * 5 // 4


def run(settings: Settings) -> Result:
    """Each change in turn, by all archivers."""
    result = Result("deltas", SHA256, baseline_step="hash")
    result.notes.append(f"load when it began: {os.getloadavg()[0]:.1f}")
    archivers = able(result, ARCHIVERS, OURS)
    directory = settings.directory / "deltas"
    for change in CHANGES:
        missing = change.missing()
        if missing:
            result.notes.append(f"{change.name}: {missing}")
            continue
        shutil.rmtree(directory, ignore_errors=True)
        try:
            _Nights(change, directory, settings, result).run(archivers)
        finally:
            shutil.rmtree(directory, ignore_errors=True)
    result.notes.append(f"load when it ended: {os.getloadavg()[0]:.1f}")
    if settings.quick:
        result.notes.append(QUICK_NOTE)
    return result


class _Nights:
    """The nights of one change."""

    def __init__(self, change: Change, directory: Path, settings: Settings, result: Result) -> None:
        self._change = change
        self._directory = directory
        self._source = directory / "source"
        self._rounds = min(settings.rounds, MOST_ROUNDS)
        self._size_bytes = int((QUICK_BYTES if settings.quick else FULL_BYTES) * change.share)
        self._result = result
        self._data = DataSet(change.name, self._source, 0, 0, "")
        self._changed: list[int] = []

    def run(self, archivers: list[Archiver]) -> None:
        change, rng = self._change, random.Random(7)  # noqa: S311 - the same changes every time
        say(f"{change.name}: making the source, and a full archive of it")
        self._source.mkdir(parents=True)
        change.make(self._source, self._size_bytes)
        self._measure_source()
        prepared = [archiver for archiver in archivers if self._prepare(archiver)]
        for number in range(self._rounds):
            say(f"{change.name}: round {number + 1} of {self._rounds}")
            before = _pages(self._source) if change.name in IN_PLACE or change.share < 1 else {}
            inserted = change.change(self._source, rng)
            self._changed.append(_changed_bytes(before, _pages(self._source)) if inserted is None else inserted)
            self._measure(SHA256, "hash", sha256(self._source), None)
            for archiver in in_turn(prepared, number):
                target = self._target(archiver)
                night = archiver.backup(self._source, target, number + 1)
                self._measure(archiver.name, NIGHT, night, target / archiver.archives)
        self._measure_source()
        self._result.data.append(self._data)
        changed = median(self._changed)
        what = "changed" if change.name in IN_PLACE else "inserted, or changed in place"
        self._result.notes.append(f"{change.name}: {changed / MB:,.3f} MB {what}")
        self._note_targets(changed)
        self._check(prepared)

    def _measure_source(self) -> None:
        sizes = [path.stat().st_size for path in self._source.rglob("*") if path.is_file()]
        self._data = DataSet(self._change.name, self._source, len(sizes), sum(sizes), "")

    def _target(self, archiver: Archiver) -> Path:
        return self._directory / archiver.name.replace(", ", "-")

    def _prepare(self, archiver: Archiver) -> bool:
        target = self._target(archiver)
        target.mkdir()
        size_bytes = self._data.size_bytes * (self._rounds + 2) + 512 * MIB  # a change may leave nothing as it was
        for command in (
            archiver.prepare(target, size_bytes // MIB * MIB), archiver.backup(self._source, target, 0),
        ):  # fmt: skip
            problem = run_unmeasured(command)
            if problem is not None:
                self._failed(archiver.name, "the full archive", problem)
                return False
        return True

    def _measure(self, name: str, step: str, command: Command, archives: Path | None) -> None:
        before = allocated_bytes(archives) if archives else 0
        cost = measure(command)
        if cost.exit_code != 0:
            self._failed(name, step, f"exit code {cost.exit_code}: {cost.message}")
            return
        stored = allocated_bytes(archives) - before if archives else None
        self._result.samples.append(Sample(self._change.name, name, step, self._data.size_bytes, stored, cost))

    def _failed(self, name: str, step: str, problem: str) -> None:
        note_failure(self._result, OURS, name, f"{step}: {self._change.name}: {problem}")

    def _check(self, archivers: list[Archiver]) -> None:
        """The last night comes back as it is, as a delta, from each cartridge of tapekit's."""
        for archiver in archivers:
            if archiver.name not in OURS:
                continue
            target, restored = self._target(archiver), self._directory / "restored"
            problem = run_unmeasured(ours(target, "restore", image(target), "--to", str(restored)))
            place = restored / self._source.relative_to("/")
            if problem is not None:
                self._failed(archiver.name, "restore", problem)
            elif tree_digest(place) != tree_digest(self._source):
                self._failed(archiver.name, "restore", "the restored files are not those that were backed up")
            shutil.rmtree(restored, ignore_errors=True)

    def _note_targets(self, changed_bytes: float) -> None:
        result, name = self._result, self._change.name
        stored = _stored(result, name, TAPEKIT)
        ours_s, hash_s = result.wall_s(self._data, TAPEKIT, NIGHT), result.wall_s(self._data, SHA256, "hash")
        if stored is None or ours_s is None or hash_s is None:
            result.targets.append(Target(f"{name}: a night", None, met=False))
            return
        if name in IN_PLACE:
            what = f"{name}: stored <= {MOST_STORED:.2f} of what changed"
            result.targets.append(_at_most(what, stored / changed_bytes, MOST_STORED))
        elif name == AT_THE_START:
            what = f"{name}: stored <= {MOST_STORED_INSERTED:.0%} of the file"
            share = stored / self._data.size_bytes
            result.targets.append(Target(what, f"{share:.2%}", share <= MOST_STORED_INSERTED))
        for rival in RIVALS:
            theirs = _stored(result, name, rival)
            if theirs is not None:
                what = f"{name}: stores no more than {rival}"
                result.targets.append(Target(what, f"{stored / MB:.1f} and {theirs / MB:.1f} MB", stored <= theirs))
        if self._change.share == 1:  # of a small source the programs' start is most of the time
            what = f"{name}: time <= {MOST_TIME} of reading and hashing once"
            result.targets.append(_at_most(what, ours_s / hash_s, MOST_TIME))


def _at_most(what: str, share: float, most: float) -> Target:
    return Target(what, f"{share:.2f}", share <= most)


def _stored(result: Result, data: str, name: str) -> float | None:
    found = [
        sample.stored_bytes for sample in result.samples
        if (sample.data, sample.contender, sample.step) == (data, name, NIGHT) and sample.stored_bytes is not None
    ]  # fmt: skip
    return median(found) if found else None


def _pages(source: Path) -> dict[Path, list[int]]:
    """A sum of every page, to know without any archiver what changed."""
    found = {}
    for path in source.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                found[path] = [zlib.crc32(page) for page in iter(partial(file.read, PAGE_BYTES), b"")]
    return found


def _changed_bytes(before: dict[Path, list[int]], after: dict[Path, list[int]]) -> int:
    count = 0
    for path, pages in after.items():
        old = before.get(path, [])
        count += sum(page != known for page, known in zip(pages, old, strict=False)) + max(0, len(pages) - len(old))
    return count * PAGE_BYTES
