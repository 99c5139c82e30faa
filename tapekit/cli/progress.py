"""Progress on standard error: a bar on a terminal, a plain line now and then elsewhere, nothing with --json."""

import sys
import time
from typing import TYPE_CHECKING

import click

from tapekit.progress import Progress, Silent
from tapekit.units import duration_text, size_text

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

LINE_INTERVAL_S = 30.0
BAR_INTERVAL_S = 0.1


def shown(*, as_json: bool) -> Progress:
    """The progress that suits where the output goes."""
    if as_json:
        return Silent()
    if not sys.stderr.isatty():
        return Lines()
    bar = Bar()
    click.get_current_context().call_on_close(bar.end)  # a job that fails leaves its bar as it is
    return bar


class Lines:
    """One line per interval."""

    wants_total = False

    def __init__(self) -> None:
        """Nothing has begun."""
        self._doing = ""
        self._total: int | None = None
        self._done = 0
        self._begun = self._told = 0.0

    def begin(self, doing: str, total_bytes: int | None) -> None:
        """See Progress."""
        self._doing, self._total, self._done = doing, total_bytes, 0
        self._begun = self._told = time.monotonic()

    def advance(self, size_bytes: int) -> None:
        """See Progress."""
        self._done += size_bytes
        now = time.monotonic()
        if now - self._told < LINE_INTERVAL_S:
            return
        self._told = now
        rate = self._done / max(now - self._begun, 0.001)
        of_total = f" of {size_text(self._total)}" if self._total else ""
        left = f", {duration_text((self._total - self._done) / rate)} left" if self._total and rate else ""
        click.echo(f"{self._doing}: {size_text(self._done)}{of_total}, {size_text(rate)}/s{left}", err=True)

    def end(self) -> None:
        """See Progress."""


class Bar:
    """A bar with rate and time left."""

    wants_total = True

    def __init__(self) -> None:
        """Nothing has begun."""
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None
        self._waiting = 0
        self._told = 0.0

    def begin(self, doing: str, total_bytes: int | None) -> None:
        """See Progress."""
        from rich.console import Console  # noqa: PLC0415 - a tenth of a second that only a terminal needs
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            DownloadColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )
        from rich.progress import Progress as RichProgress  # noqa: PLC0415

        self.end()
        timing = TimeElapsedColumn() if total_bytes is None else TimeRemainingColumn()
        self._bar = RichProgress(
            TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), timing,
            console=Console(stderr=True), transient=True,
        )  # fmt: skip
        self._task = self._bar.add_task(doing, total=total_bytes)
        self._bar.start()

    def advance(self, size_bytes: int) -> None:
        """See Progress."""
        self._waiting += size_bytes
        now = time.monotonic()
        if self._bar is not None and self._task is not None and now - self._told >= BAR_INTERVAL_S:
            self._bar.advance(self._task, self._waiting)
            self._waiting, self._told = 0, now

    def end(self) -> None:
        """See Progress."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
