"""Ends a piece of work by SIGKILL at one of its own points: steps, writes, flushes, commits, files, commands.

The work runs in a child process, forked from the test's. Points are counted; nothing here depends on time.
"""

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine, event

from drivers.recordlog.storage import DirectFile
from tapekit.jobs.nightly.trace import Trace

Work = Callable[[], object]
_FILES = frozenset(("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "subprocess.Popen"))
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_DEFECT = 97
_TORN_BYTES = 4096
"""A longer write is cut in half as well: by SIGKILL no shorter one is."""


def points(work: Work) -> list[str]:
    """The names of all points that the work comes to; it is done once."""
    status, names = _run(work, None)
    assert os.WIFEXITED(status), status
    assert os.WEXITSTATUS(status) == 0, names[-3:]
    return names


def kill_at(work: Work, number: int) -> bool:
    """Do the work and end it before a point; False where it came to its end before that."""
    status, names = _run(work, number)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0, names[-3:]
    return False


def _run(work: Work, last: int | None) -> tuple[int, list[str]]:
    reading, telling = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            _Points(last, telling).arm()
            work()
        except BaseException:  # noqa: BLE001 - a child never goes on as a second pytest
            traceback.print_exc()
            os._exit(_DEFECT)
        os._exit(0)
    os.close(telling)
    with os.fdopen(reading) as told:
        names = told.read().splitlines()
    return os.waitpid(child, 0)[1], names


class _Points:
    """Counts the points that a run comes to, and ends it at one of them."""

    def __init__(self, last: int | None, telling: int) -> None:
        self._last = last
        self._telling = telling
        self._count = 0
        self._lock = threading.RLock()

    def reach(self, name: str, half: Work | None = None) -> None:
        """A point; where the run ends here, `half` of what comes next is done."""
        with self._lock:
            if self._count == self._last:
                if half is not None:
                    half()
                os.kill(os.getpid(), signal.SIGKILL)
            self._count += 1
            os.write(self._telling, f"{name}\n".encode())

    def arm(self) -> None:
        """Only in a child: nothing of this is taken back."""
        write, flush, sync, trace = DirectFile.write, DirectFile.flush, os.fsync, Trace._write

        def counted_write(file: DirectFile, offset: int, *parts: bytes) -> None:
            self.reach("write")
            data = b"".join(parts)
            if len(data) > _TORN_BYTES:
                self.reach("half a write", lambda: write(file, offset, data[: len(data) // 2]))
            write(file, offset, *parts)

        def counted_flush(file: DirectFile) -> None:
            self.reach("flush")
            flush(file)

        def counted_sync(descriptor: int) -> None:
            self.reach("sync")
            sync(descriptor)

        def counted_trace(running: Trace, **changes: object) -> None:
            self.reach(f"step {changes.get('step', *changes)}")
            trace(running, **changes)

        DirectFile.write = counted_write  # type: ignore[method-assign, assignment]
        DirectFile.flush = counted_flush  # type: ignore[method-assign, assignment]
        os.fsync = counted_sync  # type: ignore[assignment]
        Trace._write = counted_trace  # type: ignore[method-assign, assignment]
        event.listen(Engine, "commit", lambda _connection: self.reach("commit"))
        sys.addaudithook(self._audit)

    def _audit(self, what: str, arguments: tuple[object, ...]) -> None:
        if what == "open":
            is_one = isinstance(arguments[2], int) and bool(arguments[2] & _WRITING) and arguments[0] != os.devnull
        else:
            is_one = what in _FILES and not (what == "os.mkdir" and Path(str(arguments[0])).exists())
        if is_one:
            self.reach(f"{what} {Path(str(arguments[0])).name}")
