"""Commands to a drive whose tape stands at a place, and errors that know where they happened.

What must not be done twice is sent again only where the drive stands as if it had not been done. What a drive says of
other things than the command (it was reset, the cartridge was changed, an earlier block is lost) stops whatever comes
next, whoever heard it. A pause is time enough for somebody to move the tape: after one, the drive is asked.
"""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from drivers.errors import (
    BlocksLost,
    DeviceFailure,
    DriveError,
    DriveReset,
    EndOfData,
    EndOfMedium,
    MediumChanged,
    MediumError,
    NoMedium,
)
from drivers.scsi import commands
from drivers.scsi.commands import Command
from drivers.scsi.link import Failed, Link, as_error
from drivers.scsi.sensetable import Way
from drivers.scsi.transport import GOOD, Reply, TransportError
from formats.errors import FormatError
from formats.scsi import tape
from formats.scsi.sense import Key, Sense
from formats.scsi.tape import TapePosition

PAUSE_S = 1.0
LONG_FORM = 6
"""Service action of READ POSITION."""
_TO_OBJECT = 0
_END_OF_DATA, _NOTHING_MORE = (0x00, 0x05), (0x00, 0x00)
_WRITING = (commands.WRITE, commands.WRITE_FILEMARKS)
_AGAIN = "run the command again: it rewinds"


_Answer = TypeVar("_Answer")


class Unsupported(DeviceFailure):
    """The drive does not know a command, or refuses a field of it."""


class Placed:
    """The tape of the cartridge that the drive has loaded, and where it stands."""

    def __init__(self, link: Link) -> None:
        """Where it stands is asked when it matters."""
        self.is_gone = False
        """Taken out, unloaded, or changed for another one: nothing is done any more."""
        self._link = link
        self._url = link.url
        self._is_reset = False
        self._place: tuple[int, int] | None = None
        """File and object; None: not known."""
        self._safe = 0
        """Objects before this one are on the tape; the drive may still lose those behind it."""
        self._starts = {0: 0}
        """Files, and the objects that they begin with, as far as they were met."""
        self._last_s = link.patience.now()
        """When the drive had last done something."""

    # --- commands ---------------------------------------------------------------------------------------------------

    def answer(self, command: Command, *fields: tuple[int, int, int], size: int) -> bytes:
        """Send a command that is answered with at most `size` bytes."""
        room = bytearray(size)
        reply = self.do(command, *fields, data_in=memoryview(room))
        return bytes(room[: reply.transferred])

    def do(
        self, command: Command, *fields: tuple[int, int, int], at: int | None = None, is_absolute: bool = False,
        data_out: "bytes | bytearray | memoryview" = b"", data_in: memoryview | None = None,
    ) -> Reply:  # fmt: skip
        """Send a command; a failure becomes an error with its place, and the drive is asked where it stands.

        `at`: the object before which the tape stands, for commands that would do something else elsewhere; those are
        never sent twice where it is not known. `is_absolute`: this one of them ends in the same place from anywhere.
        """
        self._listen()
        repeat = None
        if command.is_relative and not is_absolute:
            repeat = partial(self._repeat, command, at)
        try:
            return self.run(
                lambda: self._link.send(command, *fields, data_out=data_out, data_in=data_in, repeat=repeat), command
            )
        finally:
            self._last_s = self._link.patience.now()

    def run(self, send: Callable[[], _Answer], command: Command | None = None) -> _Answer:
        """The same of whatever sends commands. Raises DriveError; Unsupported where the drive does not know it."""
        before = self._place
        try:
            return send()
        except TransportError:
            self._place, self._is_reset = None, True
            raise
        except Failed as failed:
            if failed.sense.key == Key.ILLEGAL_REQUEST and failed.sense.asc in (0x20, 0x24):
                raise Unsupported(f"{self._url}: {failed}") from failed
            self._place = None
            raise self._error(failed, before, command) from failed

    def check_place(self, at: int) -> None:
        """After a pause: whether the tape still stands where it was left. Raises DriveReset."""
        if self._link.patience.now() - self._last_s > PAUSE_S and self.where().object != at:
            raise self._displaced()

    def where(self) -> TapePosition:
        """Where the drive says that it stands."""
        try:
            return tape.parse_long(
                self.answer(commands.READ_POSITION, (1, 1, LONG_FORM), size=tape.LONG_POSITION_BYTES)
            )
        except (Unsupported, FormatError):
            return tape.parse_short(self.answer(commands.READ_POSITION, size=tape.SHORT_POSITION_BYTES))

    def to_object(self, place: int) -> None:
        """Go before that object. Raises EndOfData."""
        self._place = None
        try:
            reply = self.do(commands.LOCATE_16, (1, 1, _TO_OBJECT << 3), (4, 8, place))
        except Unsupported:  # drives before LTO-3
            reply = self.do(commands.LOCATE, (3, 4, place))
        if is_end(reply):
            raise EndOfData(f"{self._url}: there is nothing at block {place} of the tape")

    def _repeat(self, command: Command, at: int | None) -> Reply | None:
        """What the drive said was not done: None where it was not; a reply where it was, all the same.

        Raises DriveReset where that cannot be told.
        """
        found = self.where()
        if at is not None and found.object == at:
            return None
        if at is not None and found.object == at + 1 and command in _WRITING:
            sense = Sense(Key.NO_SENSE, 0x00, 0x02, eom=True) if found.is_early_warning else None
            return Reply(GOOD, sense)
        if at is not None and found.object == at + 1 and command is commands.READ:
            self.to_object(at)
            return None
        raise self._displaced()

    def _displaced(self) -> DriveReset:
        self._place, self._is_reset = None, True
        return DriveReset(
            f"{self._url}: the tape is not where it was left: the drive was reset, or another program moved it", _AGAIN
        )

    def _listen(self) -> None:
        """What was said to somebody who asked for something else counts too. Raises DriveError."""
        for failed in self._link.heard():
            before, self._place = self._place, None
            raise self._error(failed, before, None)

    # --- errors -----------------------------------------------------------------------------------------------------

    def _error(self, failed: Failed, before: tuple[int, int] | None, command: Command | None) -> DriveError:
        """The error of a failed command: where it happened, and what of earlier writes is lost."""
        kind, sense = failed.row.error, failed.sense
        if self._is_about_the_cartridge(failed):
            return as_error(failed, self._url)
        now = self._ask()
        if before is not None and (sense.is_deferred or command in _WRITING):
            lost = self._lost(failed, before, now)
            if lost is not None:
                return lost
        if issubclass(kind, MediumError):
            file, place = before or now or (0, 0)
            block = place - self._starts.get(file, 0)
            if command is commands.READ and not sense.is_deferred:
                self._pass_over(before)
            return MediumError(
                f"{self._url}: block {block} of file {file}: {failed.row.why} (sense {sense})", file, block,
                failed.row.to_do or None,
            )  # fmt: skip
        if kind is EndOfMedium:
            return EndOfMedium(f"{self._url}: the medium is full")
        return as_error(failed, self._url)

    def _is_about_the_cartridge(self, failed: Failed) -> bool:
        """Whether it tells of a reset, or of a cartridge that is not there any more; takes note of it."""
        kind = failed.row.error
        is_unloaded = failed.row.way is Way.LOAD
        if not (kind is NoMedium or failed.sense.key == Key.UNIT_ATTENTION or is_unloaded):
            return False
        self._is_reset = True
        self.is_gone = self.is_gone or is_unloaded or kind in (NoMedium, MediumChanged)
        return True

    def _lost(self, failed: Failed, before: tuple[int, int], now: tuple[int, int] | None) -> BlocksLost | None:
        """The drive stands before the first block that it could not write; where it does not know, all are at risk.

        None where nothing is lost that it had taken.
        """
        file, first = now or (before[0], self._safe)
        count = before[1] - first
        if count <= 0:
            return None
        block = first - self._starts.get(file, 0)
        which = f"{count} blocks that it could not write" if now else f"{count} blocks that it may not have written"
        return BlocksLost(
            f"{self._url}: the drive had taken {which}: from block {block} of file {file} on they are not on the tape: "
            f"{failed.row.why} (sense {failed.sense})", file, block, count, failed.row.to_do or None,
        )  # fmt: skip

    def _ask(self) -> tuple[int, int] | None:
        """Ask the drive where it stands, after an error; it may not know."""
        try:
            found = tape.parse_long(
                self._link.answer(commands.READ_POSITION, (1, 1, LONG_FORM), size=tape.LONG_POSITION_BYTES)
            )
        except Failed as failed:
            self._is_about_the_cartridge(failed)
            return None
        except (DriveError, FormatError):
            return None
        if found.object is not None:
            self._place = (self.file_of(found), found.object)
        return self._place

    def _pass_over(self, before: tuple[int, int] | None) -> None:
        """After an unreadable block the tape stands behind it, whatever the drive thought best."""
        if before is None or self._place is None or self._place[1] != before[1]:
            return
        self._place = None
        try:
            reply = self._link.send(commands.LOCATE_16, (1, 1, _TO_OBJECT << 3), (4, 8, before[1] + 1))
        except Failed as failed:
            self._is_about_the_cartridge(failed)
            return
        except DriveError:
            return
        if not is_end(reply):
            self._place = (before[0], before[1] + 1)

    # --- files ------------------------------------------------------------------------------------------------------

    def file_of(self, found: TapePosition) -> int:
        """The file of a position; from the files that were met where the drive does not tell."""
        if found.file is not None:
            return found.file
        return max((file for file, start in self._starts.items() if start <= (found.object or 0)), default=0)


def is_end(reply: Reply) -> bool:
    """Whether there is nothing more on the tape."""
    sense = reply.sense
    return sense is not None and (
        sense.code == _END_OF_DATA or (sense.key == Key.BLANK_CHECK and sense.code == _NOTHING_MORE)
    )
