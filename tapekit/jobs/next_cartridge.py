"""The next cartridge, where an archive does not fit one: who is asked for it, and what may come.

A job that writes asks when its segment is closed, and a job that reads when what it wants is not in the drive. Drives
given in advance, a person at a terminal, a changer and a night answer in their ways.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from typing import Protocol

from drivers.base import Drive
from drivers.errors import BlankMedium, DriveError
from tapekit.errors import REPORTED
from tapekit.keys.opener import NO_KEY, Opener
from tapekit.progress import Progress


@dataclasses.dataclass(frozen=True)
class Asked:
    """Which cartridge is asked for, and what for."""

    archive: str
    job: str
    segment: int
    """The part of the archive that goes on it, or is on it; the first is 0."""
    is_to_write: bool
    check: Callable[[Drive], None]
    """Raises CartridgeError, DriveError, FormatError where the cartridge in a drive will not do."""
    finished: str = ""
    """Name of the cartridge that is done with; empty where nothing of use is in the drive."""
    name: str = ""
    """The cartridge that it has to be; empty: any that passes the check."""
    used: tuple[str, ...] = ()
    """Ids of the labels of cartridges that hold the archive's other parts."""
    block_bytes: int = 0
    """To write: the least block size that its label may have."""
    stop: Callable[[], None] = lambda: None
    """Raises Stopped where somebody asked to stop: for who waits long."""
    opener: Opener = NO_KEY
    """To write: opens what stands on the finished cartridge, as long as the job lasts."""


class NextCartridge(Protocol):
    """Brings one cartridge after the other."""

    def next(self, finished: Drive, asked: Asked) -> Drive | None:
        """The open drive with a cartridge that passes the check; None where there is none to be had.

        Takes `finished` over: its cartridge may be taken out, the drive closed, and opened anew for the next one.
        """

    def may_come(self, asked: Asked) -> bool:
        """Whether what is asked for to be read may be had; False where it is sure that it is not. Moves nothing."""

    def close(self) -> None:
        """Close the drives that it opened."""


def anything(_whatever: object) -> None:
    """Forbids nothing, and says nothing."""


class Listed:
    """Drives that were named in advance, in any order: the first that holds what is asked for is taken."""

    def __init__(
        self, openers: Sequence[Callable[[], Drive]], permit: Callable[[Drive], None] = anything,
        say: Callable[[str], object] = anything,
    ) -> None:  # fmt: skip
        """`permit` raises for a cartridge that must not be written; `say` is told why one was passed over."""
        self._openers = list(openers)
        self._permit = permit
        self._say = say
        self._open: list[Drive] = []

    def next(self, finished: Drive, asked: Asked) -> Drive | None:
        """See NextCartridge. What was read may be asked for again; what was written is never written again."""
        if asked.is_to_write:
            self._open = [drive for drive in self._open if drive is not finished]
            finished.close()
        elif finished not in self._open:
            self._open.append(finished)
        for drive in self._open if not asked.is_to_write else ():
            if self._fits(drive, asked):
                return drive
        while self._openers:
            try:
                drive = self._openers.pop(0)()
            except REPORTED as error:
                self._say(str(error))
                continue
            self._open.append(drive)
            if self._fits(drive, asked):
                return drive
        return None

    def may_come(self, asked: Asked) -> bool:
        """See NextCartridge. All that were named are looked into, and kept open."""
        while self._openers and not any(self._fits(drive, asked) for drive in self._open):
            try:
                self._open.append(self._openers.pop(0)())
            except REPORTED as error:
                self._say(str(error))
        return any(self._fits(drive, asked) for drive in self._open)

    def close(self) -> None:
        """See NextCartridge."""
        while self._open:
            self._open.pop().close()

    def _fits(self, drive: Drive, asked: Asked) -> bool:
        try:
            asked.check(drive)
            if asked.is_to_write:
                self._permit(drive)
        except REPORTED as error:
            if asked.is_to_write:
                self._say(f"not written: {error}")
            return False
        return True


class AtTerminal:
    """A person changes the cartridge, or names another drive.

    `ask` shows a prompt and gives the line that was typed, None where the person gives up. `open_drive` opens a drive
    for writing or reading; an empty name means the drive that is in use. `label_blank` makes a cartridge of a blank
    medium under a name.
    """

    def __init__(
        self, open_drive: Callable[[str, bool], Drive], ask: Callable[[str], str | None],
        say: Callable[[str], object], permit: Callable[[Drive], None] = anything,
        label_blank: Callable[[Drive, str], None] | None = None,
    ) -> None:  # fmt: skip
        """Nobody is asked yet."""
        self._open_drive = open_drive
        self._ask = ask
        self._say = say
        self._permit = permit
        self._label_blank = label_blank
        self._drive: Drive | None = None
        self._is_over = False
        """The person gave up, and is not asked again."""

    def next(self, finished: Drive, asked: Asked) -> Drive | None:
        """See NextCartridge."""
        if self._is_over:
            return None
        url, part = finished.url, f"part {asked.segment + 1} of archive {asked.archive[:8]}"
        _let_go(finished)
        self._say(f"cartridge {asked.finished} is full: {part} follows" if asked.is_to_write else f"needed: {part}")
        wanted = "the next cartridge" if asked.is_to_write else f"the cartridge with part {asked.segment + 1}"
        wanted = f"cartridge {asked.name}" if asked.name else wanted
        otherwise = "q to stop here" if asked.is_to_write else "q to go on without it"
        while (
            answer := self._ask(f"put {wanted} into {url} and press Enter, or type another drive, {otherwise}")
        ) is not None:
            if answer.strip().lower() == "q":
                return None
            try:
                self._drive = self._open_drive(answer.strip() or url, asked.is_to_write)
            except REPORTED as error:
                self._tell(error)
                continue
            if self._fits(self._drive, asked):
                return self._drive
            _let_go(self._drive)
        self._is_over = True
        return None

    def may_come(self, asked: Asked) -> bool:  # noqa: ARG002 - who knows what a person has
        """See NextCartridge."""
        return not self._is_over

    def close(self) -> None:
        """See NextCartridge."""
        if self._drive is not None:
            self._drive.close()

    def _fits(self, drive: Drive, asked: Asked) -> bool:
        try:
            try:
                asked.check(drive)
            except BlankMedium:
                if not asked.is_to_write or not self._label(drive):
                    raise
                asked.check(drive)
            if asked.is_to_write:
                self._permit(drive)
        except REPORTED as error:
            self._tell(error)
            return False
        return True

    def _label(self, drive: Drive) -> bool:
        """Give a blank medium a label, where the person says which."""
        if self._label_blank is None:
            return False
        name = (self._ask("it is blank: name to label it with, as on its sticker (empty: not this one)") or "").strip()
        if not name:
            return False
        self._label_blank(drive, name)
        return True

    def _tell(self, error: Exception) -> None:
        self._say(str(error))
        if hint := getattr(error, "hint", None):
            self._say(f"  hint: {hint}")


class Quiet:
    """Takes the progress away while another one is asked."""

    def __init__(self, inner: NextCartridge, progress: Progress, doing: str) -> None:
        """Nothing is asked yet."""
        self._inner = inner
        self._progress = progress
        self._doing = doing

    def next(self, finished: Drive, asked: Asked) -> Drive | None:
        """See NextCartridge."""
        self._progress.end()
        try:
            return self._inner.next(finished, asked)
        finally:
            self._progress.begin(self._doing, None)

    def may_come(self, asked: Asked) -> bool:
        """See NextCartridge."""
        return self._inner.may_come(asked)

    def close(self) -> None:
        """See NextCartridge."""
        self._inner.close()


def quiet(inner: NextCartridge | None, progress: Progress, doing: str) -> NextCartridge | None:
    """The same, and no progress is shown meanwhile."""
    return None if inner is None else Quiet(inner, progress, doing)


def _let_go(drive: Drive) -> None:
    """Eject where the device can, so that the person gets the cartridge into the hand."""
    with contextlib.suppress(DriveError):
        drive.eject()
    drive.close()
