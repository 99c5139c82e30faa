"""Commands: with a time limit, no shell, and nothing of them left running behind."""

import contextlib
import dataclasses
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from tapekit.dumps.errors import CommandFailed, TimedOut, ToolMissing
from tapekit.units import duration_text

KEPT_BYTES = 4096
"""How much of the end of a command's output is kept for the report."""

_END_S = 5.0
"""How long a command may take to clean up once it was asked to end."""


@dataclasses.dataclass(frozen=True)
class Ended:
    """A command that ended well."""

    seconds: float
    output: str
    """The end of what it said."""


def environment(job: str, night: str, outcome: str = "", **more: str) -> dict[str, str]:
    """What a hook finds in its environment: TAPEKIT_JOB, TAPEKIT_NIGHT, TAPEKIT_OUTCOME and `more` in capitals."""
    values = {"job": job, "night": night, "outcome": outcome, **more}
    return {f"TAPEKIT_{name.upper()}": value for name, value in values.items()}


def run(
    command: Sequence[str],
    timeout_s: float,
    extra: Mapping[str, str] | None = None,
    directory: Path | None = None,
    output: BinaryIO | None = None,
) -> Ended:
    """Run a command to its end. `extra` joins the environment; standard output goes to `output`, where it is given.

    The command leads a process group of its own; whatever of it still runs afterwards is ended, also where the command
    itself ended well. Raises ToolMissing, CommandFailed and TimedOut, with the end of its output as hint.
    """
    name = Path(command[0]).name
    # Into a file: a pipe would stay open, and this would wait, as long as anything that the command started holds it.
    with tempfile.TemporaryFile() as said:
        began = time.monotonic()
        try:
            process = subprocess.Popen(  # noqa: S603 - a list, no shell, named in the configuration
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output or said,
                stderr=said,
                env={**os.environ, **(extra or {})},
                cwd=directory,
                start_new_session=True,
            )
        except OSError as error:
            raise ToolMissing(f"{name}: not started: {error.strerror}", "is it installed, and executable?") from error
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            _end(process, signal.SIGTERM)
            raise TimedOut(f"{name}: ended after {duration_text(timeout_s)}: too slow", _tail(said)) from error
        finally:
            _end(process, signal.SIGKILL)
        text = _tail(said)
    if code:
        why = f"exit code {code}" if code > 0 else f"killed by {_signal_name(-code)}"
        raise CommandFailed(f"{name}: failed: {why}", text)
    return Ended(time.monotonic() - began, text)


def _end(process: subprocess.Popen[bytes], how: signal.Signals) -> None:
    """Send a signal to all that the command started in its process group, and wait for it, but not for ever.

    One that hangs in the kernel (a server of files that is gone) ends at no signal; the night goes on without it.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, how)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_END_S)


def _tail(said: BinaryIO) -> str:
    size = said.seek(0, os.SEEK_END)
    said.seek(max(0, size - KEPT_BYTES))
    return said.read().decode("utf-8", "replace").strip()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
