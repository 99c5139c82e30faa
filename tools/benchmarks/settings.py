"""What the command line says to every suite."""

import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """What the command line says to every suite.

    Args:
        directory: Where data is kept and targets are written.
        rounds: How often each contender runs.
        quick: Small data.
    """

    directory: Path
    rounds: int
    quick: bool


def say(line: str) -> None:
    """Tell who waits how far we are."""
    print(f"benchmark: {line}", file=sys.stderr, flush=True)
