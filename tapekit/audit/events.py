"""What the audit log notes, and how the jobs note it.

Whoever runs a command says once, with `keeping`, which log is kept meanwhile; a job says `note` in the one place where
the thing happens. The log itself is opened with the first event.
"""

import contextlib
import dataclasses
import enum
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Protocol

from formats.segment import AuditHead


class Event(enum.StrEnum):
    """What is noted."""

    LABELLED = "labelled"
    DESTROYED = "destroyed"
    WROTE = "wrote"
    COPIED = "copied"
    VERIFIED = "verified"
    RESTORED = "restored"
    EXPORTED = "exported"
    RETIRED = "retired"
    KEY_MADE = "key made"
    KEY_ADDED = "key added"
    KEY_REMOVED = "key removed"
    KEY_REPLACED = "key replaced"
    KEY_TESTED = "key tested"


@dataclasses.dataclass(frozen=True)
class About:
    """What an event is about; a field that says nothing is left empty. Holds no names of files: they may be secret."""

    cartridge: str = ""
    cartridge_id: str = ""
    archive: str = ""
    job: str = ""
    subject: str = ""
    """The key, or what was destroyed."""
    result: str = ""
    note: str = ""


class Log(Protocol):
    """What keeps the events (`tapekit.audit.log`). It never raises: `problem` says why it could not."""

    problem: str

    def note(self, event: Event, about: About) -> None:
        """Add an event."""

    def head(self) -> AuditHead | None:
        """The latest line's number and digest."""


class Kept:
    """The log of a run, opened when it is first needed."""

    def __init__(self, opener: Callable[[], Log]) -> None:
        """Nothing is opened yet."""
        self._opener = opener
        self._log: Log | None = None

    def log(self) -> Log:
        """The log."""
        if self._log is None:
            self._log = self._opener()
        return self._log

    @property
    def problem(self) -> str:
        """Why it could not be kept; empty where it could, or nothing was noted."""
        return self._log.problem if self._log else ""


_kept: ContextVar[Kept | None] = ContextVar("audit", default=None)


@contextlib.contextmanager
def keeping(opener: Callable[[], Log]) -> Iterator[Kept]:
    """Within this context, events of this thread are noted in the log that `opener` opens."""
    kept = Kept(opener)
    token = _kept.set(kept)
    try:
        yield kept
    finally:
        _kept.reset(token)


def note(event: Event, **about: str) -> None:
    """Note an event in the log that is kept here, if one is; the arguments are the fields of About."""
    if kept := _kept.get():
        kept.log().note(event, About(**about))


def head() -> AuditHead | None:
    """The head of the log that is kept here."""
    kept = _kept.get()
    return kept.log().head() if kept else None


def problem() -> str:
    """Why the log that is kept here could not be; empty where it could."""
    kept = _kept.get()
    return kept.problem if kept else ""
