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


def _open(directory: Path, drive: str) -> int:
    name = hashlib.sha256(os.fsencode(drive)).hexdigest()[:16]
    try:
        directory.mkdir(parents=True, exist_ok=True)
        return os.open(directory / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        # Where the state cannot be written, a lock in /run serves as well: it is gone after a boot, as runs are.
        try:
            return os.open(f"/run/lock/tapekit-{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
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
    try:
        value = json.loads(os.pread(descriptor, 4096, 0))
        return f"{value['run']} (process {value['process']}, since {value['since']})"
    except (ValueError, KeyError, TypeError):
        return "another run"


def _write(descriptor: int, value: dict[str, object]) -> None:
    """What is only for people must not stop a night: a full disk leaves the file empty."""
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(value).encode(), 0)
