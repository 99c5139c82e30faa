"""Before and behind the writing: hooks, the snapshot, the dumps of databases.

What fails here is told and never stops the night: the rest of the site is saved all the same.
"""

import contextlib
import dataclasses
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tapekit.dumps import command, postgresql, sqlite
from tapekit.dumps.dump import Dump
from tapekit.dumps.errors import CommandFailed, DumpFailed, ToolMissing
from tapekit.errors import TapekitError
from tapekit.jobs.nightly.trace import LeftOver, Trace
from tapekit.report.night import Note, Step, Timing

_FAILURES = (CommandFailed, DumpFailed, ToolMissing)


@dataclasses.dataclass(frozen=True)
class Hook:
    """A command with its time limit."""

    command: tuple[str, ...]
    timeout_s: float = 600


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """A pair of commands: the one makes a snapshot where the job's sources are, the other removes it."""

    create: Hook
    remove: Hook


@dataclasses.dataclass(frozen=True)
class PostgreSQL:
    """A database of PostgreSQL."""

    database: postgresql.Database
    timeout_s: float = 7200

    @property
    def name(self) -> str:
        """As reports name it."""
        return self.database.name

    def dump(self, directory: Path) -> Dump:
        """Raises what `postgresql.dump` raises."""
        return postgresql.dump(self.database, directory, self.timeout_s)


@dataclasses.dataclass(frozen=True)
class SQLite:
    """A database of SQLite."""

    path: Path
    name: str
    timeout_s: float = 3600

    def dump(self, directory: Path) -> Dump:
        """Raises what `sqlite.dump` raises."""
        return sqlite.dump(self.path, directory, self.name, self.timeout_s)


@dataclasses.dataclass(frozen=True)
class Preparation:
    """What a job asks for before it is written."""

    before: tuple[Hook, ...] = ()
    after: tuple[Hook, ...] = ()
    on_failure: tuple[Hook, ...] = ()
    snapshot: Snapshot | None = None
    databases: tuple[PostgreSQL | SQLite, ...] = ()


@dataclasses.dataclass
class Prepared:
    """What came of it: a directory with the dumps (None where there is none), and what is to be told."""

    dumps: Path | None = None
    sizes: dict[str, int] = dataclasses.field(default_factory=dict)
    timings: list[Timing] = dataclasses.field(default_factory=list)
    problems: list[Note] = dataclasses.field(default_factory=list)


@contextlib.contextmanager
def prepared(wanted: Preparation, directory: Path, trace: Trace, environment: Mapping[str, str]) -> Iterator[Prepared]:
    """Within this context the sources stand still, as far as the job cares for it; `directory` is for the dumps."""
    done = Prepared()
    done.problems += run_hooks(wanted.before, trace, "before", environment)
    try:
        if wanted.snapshot is not None:
            _create_snapshot(wanted.snapshot, done, trace, environment)
        _dump(wanted.databases, directory, done, trace)
        yield done
    finally:
        if done.dumps is not None:
            shutil.rmtree(done.dumps, ignore_errors=True)
        if wanted.snapshot is not None:
            done.problems += remove_snapshot(wanted.snapshot, trace, environment)


def run_hooks(hooks: Sequence[Hook], trace: Trace, which: str, environment: Mapping[str, str]) -> list[Note]:
    """Run commands one after the other; what failed."""
    notes = []
    for hook in hooks:
        trace.step(f"hook {which}")
        try:
            command.run(hook.command, hook.timeout_s, environment)
        except _FAILURES as error:
            notes.append(Note("hook-failed", {"command": hook.command[0]}, _detail(error)))
    return notes


def remove_snapshot(snapshot: Snapshot, trace: Trace, environment: Mapping[str, str]) -> list[Note]:
    """Remove the snapshot; one that could not be removed is told, and tried again by the next run."""
    trace.step("remove snapshot")
    try:
        command.run(snapshot.remove.command, snapshot.remove.timeout_s, environment)
    except _FAILURES as error:
        return [Note("snapshot-remains", {}, _detail(error))]
    trace.snapshot(there=False)
    return []


def clean_up(left: LeftOver, wanted: Preparation, trace: Trace, environment: Mapping[str, str]) -> list[Note]:
    """Remove what a run that was killed had made; what could not be."""
    for name in left.made:
        path = Path(name)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
    if left.snapshot and wanted.snapshot is not None:
        return remove_snapshot(wanted.snapshot, trace, environment)
    return []


def _create_snapshot(snapshot: Snapshot, done: Prepared, trace: Trace, environment: Mapping[str, str]) -> None:
    trace.step("snapshot")
    trace.snapshot(there=True)
    try:
        command.run(snapshot.create.command, snapshot.create.timeout_s, environment)
    except _FAILURES as error:
        done.problems.append(Note("snapshot-failed", {}, _detail(error)))


def _dump(databases: Sequence[PostgreSQL | SQLite], directory: Path, done: Prepared, trace: Trace) -> None:
    if not databases:
        return
    trace.step("dump")
    trace.making(directory)
    shutil.rmtree(directory, ignore_errors=True)
    done.dumps = directory
    begun = time.monotonic()
    for database in databases:
        try:
            dump = database.dump(directory)
        except _FAILURES as error:
            done.problems.append(Note("dump-failed", {"database": database.name}, _detail(error)))
        else:
            done.sizes[database.name] = dump.size_bytes
    done.timings.append(Timing(Step.DUMP, time.monotonic() - begun, sum(done.sizes.values())))


def _detail(error: TapekitError) -> str:
    return f"{error}: {error.hint}" if error.hint else str(error)
