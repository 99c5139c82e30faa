"""One run per drive at a time.

The lock is the kernel's (flock(2)): it ends with the process that holds it, however that ends, so that a run that was
killed never keeps the next one out. What stands in the file only says who holds it.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tapekit.errors import Busy, TapekitError
from tapekit.journal import make_private
from tapekit.units import duration_text, now_text

POLL_S = 1.0


@contextlib.contextmanager
def locked(
    directory: Path, drives: Sequence[str], holder: str, wait_s: float, sleep: Callable[[float], None] = time.sleep,
    waiting: Callable[[str], None] | None = None, *, is_shared: bool = False,
) -> Iterator[None]:  # fmt: skip
    """Hold the locks of some drives, by URL; `holder` says to others what runs, `waiting` is told who they are.

    Several that only read may share them.

    Raises Busy where another run holds one of them for longer than `wait_s`, TapekitError where no lock can be kept.
    """
    with _held(directory, sorted(set(drives)), holder, wait_s, sleep, waiting, is_shared=is_shared) as busy:
        if busy:
            raise next(iter(busy.values()))
        yield


@contextlib.contextmanager
def locked_where_free(
    directory: Path, job: str, drives: Sequence[str], wait_s: float, sleep: Callable[[float], None] = time.sleep,
    waiting: Callable[[str], None] | None = None,
) -> Iterator[dict[str, Busy]]:  # fmt: skip
    """Hold the locks of a job and of those of its drives that come free in time; why it does not hold the others.

    Raises Busy where another run of the job itself holds its lock for longer than `wait_s`, TapekitError.
    """
    own = f"job:/{job}"
    with _held(directory, [own, *sorted(set(drives))], f"job {job}", wait_s, sleep, waiting) as busy:
        if own in busy:
            raise busy[own]
        yield busy


@contextlib.contextmanager
def _held(
    directory: Path, things: Sequence[str], holder: str, wait_s: float, sleep: Callable[[float], None],
    waiting: Callable[[str], None] | None, *, is_shared: bool = False,
) -> Iterator[dict[str, Busy]]:  # fmt: skip
    """Hold what comes free; all of it is in one order for everybody, so that two runs never wait for each other."""
    busy: dict[str, Busy] = {}
    with contextlib.ExitStack() as held:
        taken: set[tuple[int, int]] = set()
        for thing in things:
            descriptor = _open(directory, thing)
            held.callback(os.close, descriptor)
            about = os.fstat(descriptor)
            if (about.st_dev, about.st_ino) not in taken:  # two links to one drive, or a directory in place of files
                how = fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX
                try:
                    wait_s -= _acquire(descriptor, how, thing, wait_s, sleep, waiting or _nobody)
                except Busy as error:
                    busy[thing], wait_s = error, 0
                    continue
                _write(descriptor, {"run": holder, "process": os.getpid(), "since": now_text()})
            taken.add((about.st_dev, about.st_ino))
        yield busy


@contextlib.contextmanager
def shared(state: Path, url: str, holder: str) -> Iterator[None]:
    """A drive's lock for a look, so that no night begins meanwhile; none where this machine keeps no locks yet.

    Raises Busy, at once, where somebody works with it.
    """
    if not state.is_dir():
        yield
        return
    with locked(state / "locks", [url], holder, 0, is_shared=True):
        yield


def holder(directory: Path, drive: str) -> str | None:
    """Which run holds the lock of a drive, without waiting for it; None where none does, or nobody may know."""
    for path, _ in _places(directory, drive)[1:]:
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return _said(descriptor).get("run", "another run")
            finally:
                os.close(descriptor)
            return None
    return None


def _places(directory: Path, drive: str) -> list[tuple[Path, int]]:
    """What is locked for a drive, and how it is opened: the first that can be.

    Where the state cannot be written, what is there of it serves as well, a directory too. That then stands for all
    drives, and a run waits where it need not; but no disk that is full or read-only keeps a night from running, or lets
    two of them onto one drive.
    """
    path = directory / f"{_name(drive)}.lock"
    folders = [folder for folder in path.parents if os.path.isdir(folder)][:1]  # noqa: PTH112 - False where nobody may look
    return [(path, os.O_RDWR | os.O_CREAT), *((place, os.O_RDONLY) for place in (path, *folders))]


def _open(directory: Path, drive: str) -> int:
    with contextlib.suppress(OSError):
        make_private(directory)
    problem = OSError()
    for place, flags in _places(directory, drive):
        try:
            return os.open(place, flags | os.O_CLOEXEC, 0o600)
        except OSError as error:
            problem = error
    raise TapekitError(f"{directory}: no lock can be kept: {(problem.strerror or '').lower()}") from problem


def _name(drive: str) -> str:
    """The same for every way to write a drive: a link below /dev/disk/by-id/ is the device that it leads to."""
    scheme, _, path = drive.partition(":")
    return hashlib.sha256(os.fsencode(f"{scheme}:{os.path.realpath(path)}")).hexdigest()[:16]


def _acquire(
    descriptor: int, how: int, drive: str, wait_s: float, sleep: Callable[[float], None], waiting: Callable[[str], None]
) -> float:
    """Seconds that it waited. Raises Busy."""
    waited = 0.0
    while True:
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        except BlockingIOError as error:
            used = f"{drive}: in use by {_holder(descriptor)}"
            if waited >= wait_s:
                raise Busy(
                    f"{used}: waited {duration_text(waited)}" if waited else used,
                    "let it end, or look at what it does: tapekit status",
                ) from error
            if not waited:
                waiting(used)
            sleep(POLL_S)
            waited += POLL_S
        else:
            return waited


def _nobody(_used: str) -> None:
    """Nobody wants to know."""


def _holder(descriptor: int) -> str:
    said = _said(descriptor)
    return f"{said['run']} (process {said['process']}, since {said['since']})" if said else "another run"


def _said(descriptor: int) -> dict[str, str]:
    """What the holder wrote of itself; nothing where it could not."""
    try:
        value = json.loads(os.pread(descriptor, 4096, 0))
        return {key: str(value[key]) for key in ("run", "process", "since")}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _write(descriptor: int, value: dict[str, object]) -> None:
    """What is only for people must not stop a night: a full disk leaves the file empty."""
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(value).encode(), 0)
