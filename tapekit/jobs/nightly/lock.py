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
from tapekit.units import duration_text, now_text

POLL_S = 1.0


@contextlib.contextmanager
def locked(
    directory: Path, drives: Sequence[str], holder: str, wait_s: float, sleep: Callable[[float], None] = time.sleep
) -> Iterator[None]:
    """Hold the locks of some drives, by URL; `holder` says to others what runs.

    Raises Busy where another run holds one of them for longer than `wait_s`, TapekitError where no lock can be kept.
    """
    with contextlib.ExitStack() as held:
        for drive in sorted(set(drives)):  # in one order for all, so that two runs never wait for each other
            descriptor = _open(directory, drive)
            held.callback(os.close, descriptor)
            _acquire(descriptor, drive, wait_s, sleep)
            _write(descriptor, {"run": holder, "process": os.getpid(), "since": now_text()})
        yield


def holder(directory: Path, drive: str) -> str | None:
    """Which run holds the lock of a drive, without waiting for it; None where none does, or nobody may know."""
    for path in _paths(directory, drive):
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return _said(descriptor).get("run", "another run")
            finally:
                os.close(descriptor)
    return None


def _paths(directory: Path, drive: str) -> tuple[Path, Path]:
    """In the state; where that cannot be written, /run serves as well: it is gone after a boot, as runs are."""
    name = hashlib.sha256(os.fsencode(drive)).hexdigest()[:16]
    return directory / f"{name}.lock", Path(f"/run/lock/tapekit-{name}.lock")


def _open(directory: Path, drive: str) -> int:
    usual, instead = _paths(directory, drive)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        return os.open(usual, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        try:
            return os.open(instead, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            raise TapekitError(f"{directory}: no lock can be kept: {(error.strerror or '').lower()}") from error


def _acquire(descriptor: int, drive: str, wait_s: float, sleep: Callable[[float], None]) -> None:
    waited = 0.0
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if waited >= wait_s:
                raise Busy(
                    f"{drive}: in use by {_holder(descriptor)}: waited {duration_text(waited)}",
                    "let it end, or look at what it does: tapekit status",
                ) from error
            sleep(POLL_S)
            waited += POLL_S
        else:
            return


def _holder(descriptor: int) -> str:
    said = _said(descriptor)
    return f"{said['run']} (process {said['process']}, since {said['since']})" if said else "another run"


def _said(descriptor: int) -> dict[str, str]:
    """What the holder wrote of itself; nothing where it could not."""
    try:
        value = json.loads(os.pread(descriptor, 4096, 0))
        return {key: str(value[key]) for key in ("run", "process", "since")}
    except (ValueError, KeyError, TypeError):
        return {}


def _write(descriptor: int, value: dict[str, object]) -> None:
    """What is only for people must not stop a night: a full disk leaves the file empty."""
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(value).encode(), 0)
