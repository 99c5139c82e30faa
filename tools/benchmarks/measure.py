"""Runs commands and keeps what they cost."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

LAUNCHER = Path(__file__).with_name("launcher.py")
MESSAGE_LINES = 2  # an error and its hint


@dataclass(frozen=True)
class Command:
    """A program with its arguments, and what it needs in its environment."""

    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)

    def all_environment(self) -> dict[str, str]:
        """Return our own environment with the command's."""
        return {**os.environ, **self.environment}


@dataclass(frozen=True)
class Cost:
    """What one run of a command cost.

    Args:
        wall_s: From start to end of the whole process.
        cpu_s: User and system time of it and its children.
        peak_bytes: Resident memory of its largest process.
        exit_code: 0, or negative for a signal.
        message: The end of what it wrote to standard error.
    """

    wall_s: float
    cpu_s: float
    peak_bytes: int
    exit_code: int
    message: str


@dataclass(frozen=True)
class Sample:
    """One measurement.

    Args:
        data: The data set.
        contender: What was run.
        step: What it did: backup, verify, restore, hash.
        source_bytes: Size of the data set.
        stored_bytes: What the backup takes; None for other steps.
        cost: What it cost.
    """

    data: str
    contender: str
    step: str
    source_bytes: int
    stored_bytes: int | None
    cost: Cost


def measure(command: Command) -> Cost:
    """Run a command by the launcher, after all earlier writes are on their medium."""
    os.sync()
    run = subprocess.run(
        [sys.executable, "-I", "-S", LAUNCHER, *command.arguments],
        env=command.all_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )
    return Cost(**json.loads(run.stdout), message=_last_lines(run.stderr))


def run_unmeasured(command: Command) -> str | None:
    """Run a command that only prepares; return what went wrong, or None."""
    try:
        run = subprocess.run(
            command.arguments,
            env=command.all_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except OSError as error:
        return f"{command.arguments[0]}: {error.strerror}"
    if run.returncode == 0:
        return None
    return f"exit code {run.returncode}: {_last_lines(run.stderr)}"


def _last_lines(errors: bytes) -> str:
    return " / ".join(errors.decode(errors="replace").splitlines()[-MESSAGE_LINES:])
