"""What a run is doing, on disk before it does it: from this the next run knows what a killed one has left."""

import contextlib
import dataclasses
import json
import os
from pathlib import Path
from typing import Any

from tapekit.journal import make_private
from tapekit.units import now_text


@dataclasses.dataclass(frozen=True)
class LeftOver:
    """A run that did not come to its end: when it began, what it did last, and what it had made by then."""

    job: str
    night: str
    begun: str
    step: str
    made: tuple[str, ...] = ()
    """Files and directories that serve that run alone."""
    snapshot: bool = False
    """A snapshot was asked for, and not removed again."""


class Trace:
    """The steps of one run. A trace that cannot be kept never stops the run: `problem` says why."""

    def __init__(self, directory: Path, job: str, night: str) -> None:
        """Nothing is written before the first step."""
        self.problem = ""
        self._path = directory / f"{job}.running"
        self._now = LeftOver(job, night, now_text(), "begin")

    def left_over(self) -> LeftOver | None:
        """What the run before has left; None where it came to its end."""
        try:
            value = json.loads(self._path.read_text("utf-8"))
            return LeftOver(**{**value, "made": tuple(value["made"])})
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError) as error:
            if not isinstance(error, OSError):
                return LeftOver(self._now.job, "?", "?", "?")
            self.problem = f"{self._path}: {(error.strerror or '').lower()}"
            return None

    def step(self, name: str) -> None:
        """A step begins."""
        self._write(step=name)

    def making(self, path: Path) -> None:
        """A file or directory is about to be made that must not outlive the run."""
        self._write(made=(*self._now.made, str(path)))

    def snapshot(self, *, there: bool) -> None:
        """A snapshot is about to be made, or was removed."""
        self._write(snapshot=there)

    def end(self) -> None:
        """The run came to its end, good or bad, and has left nothing."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _write(self, **changes: Any) -> None:  # noqa: ANN401 - fields of LeftOver
        self._now = dataclasses.replace(self._now, **changes)
        new = self._path.with_suffix(".new")
        try:
            make_private(self._path.parent)
            with new.open("w", encoding="utf-8") as file:
                json.dump(dataclasses.asdict(self._now), file)
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._path)
        except OSError as error:
            self.problem = f"{self._path}: {(error.strerror or '').lower()}"
