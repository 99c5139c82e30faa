"""What a job tells of its progress while it works; the command line shows it."""

from typing import Protocol


class Progress(Protocol):
    """Told now and then; must return quickly, and may be called from one thread only.

    `wants_total`: somebody watches, and a look at the source beforehand is worth its time.
    """

    wants_total: bool

    def begin(self, doing: str, total_bytes: int | None) -> None:
        """A stage begins; `total_bytes` where it is known."""

    def advance(self, size_bytes: int) -> None:
        """So many bytes more are done."""

    def end(self) -> None:
        """The stage is over."""


class Silent:
    """Shows nothing."""

    wants_total = False

    def begin(self, doing: str, total_bytes: int | None) -> None:
        """See Progress."""

    def advance(self, size_bytes: int) -> None:
        """See Progress."""

    def end(self) -> None:
        """See Progress."""
