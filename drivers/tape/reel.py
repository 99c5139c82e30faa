"""The tape in a drive: blocks, marks and places on it, and errors that know where they happened.

The drive's own counting of objects (blocks and filemarks) is the truth; files and blocks are reckoned from it, and
after every error the drive is asked where it stands.
"""

from collections.abc import Callable

from drivers.base import Mark, Position
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
from drivers.scsi.transport import Reply, TransportError
from drivers.tape import protection
from formats.errors import FormatError
from formats.scsi import tape
from formats.scsi.sense import Key
from formats.scsi.tape import TapePosition

READ_BYTES = 1 << 20
"""The first room for a block; a larger one is read again with more."""
_LONG_FORM = 6
"""Service action of READ POSITION."""
_BLOCKS, _FILEMARKS, _END = 0, 1, 3
_TO_OBJECT, _TO_FILE = 0, 1
_FILEMARK, _EARLY_WARNING, _END_OF_DATA, _PROGRAMMABLE = (0x00, 0x01), (0x00, 0x02), (0x00, 0x05), (0x00, 0x07)


class Unsupported(DeviceFailure):
    """The drive does not know a command, or refuses a field of it."""


class Reel:
    """One cartridge's tape. `is_protected`: each block goes with its check (logical block protection).

    A reset takes back how the drive was set, so that checks would be written into the blocks, and leaves the tape
    somewhere. After one, nothing is read or written before the next `rewind`, `locate` or `to_end_of_data`; those set
    the drive up anew.
    """

    def __init__(self, link: Link, set_up: Callable[["Reel"], None]) -> None:
        """The tape of the cartridge that the drive has loaded; where it stands is asked when it matters.

        `set_up` puts the drive's settings right, after a reset.
        """
        self.is_protected = False
        self.is_warned = False
        """Whether early warning has come."""
        self._link = link
        self._url = link.url
        self._set_up = set_up
        self.is_gone = False
        """Taken out, or changed for another one: nothing is done any more."""
        self._is_reset = False
        self._place: tuple[int, int] | None = None
        """File and object; None: not known."""
        self._starts = {0: 0}
        """Files, and the objects that they begin with, as far as they were met."""
        self._room = bytearray(READ_BYTES)

    # --- blocks and marks -------------------------------------------------------------------------------------------

    def write(self, block: "bytes | bytearray | memoryview") -> bool:
        """Write a block here. True: early warning."""
        file, place = self._known()
        data = bytes(block) + protection.check_of(block) if self.is_protected else block
        reply = self.do(commands.WRITE, (2, 3, len(data)), data_out=data)
        self.forget_files(file)
        self._place = (file, place + 1)
        return self._warned(reply)

    def write_filemark(self) -> None:
        """Write a filemark here; everything before it is on the tape when this returns."""
        file, place = self._known()
        self._warned(self.do(commands.WRITE_FILEMARKS, (2, 3, 1)))
        self.forget_files(file)
        self._enter(file + 1, place + 1)

    def read(self) -> "bytes | Mark":
        """The block or the mark that stands here."""
        file, place = self._known()
        found = self._read()
        if found is Mark.FILEMARK:
            self._enter(file + 1, place + 1)
        elif found is not Mark.END_OF_DATA:
            self._place = (file, place + 1)
        return found

    def _read(self) -> "bytes | Mark":
        """One block, with as much room as it needs."""
        while True:
            wanted = len(self._room)
            reply = self.do(commands.READ, (2, 3, wanted), data_in=memoryview(self._room))
            sense = reply.sense
            if sense is not None and (sense.filemark or sense.code == _FILEMARK):
                return Mark.FILEMARK
            if _is_end(reply):
                return Mark.END_OF_DATA
            # With variable blocks, information is what was asked for minus what is there; residuals are not trusted.
            size = reply.transferred
            if sense is not None and sense.ili and sense.information is not None:
                size = wanted - sense.information
            if size <= wanted:
                return self._checked(bytes(memoryview(self._room)[:size]))
            self.do(commands.SPACE, (1, 1, _BLOCKS), (2, 3, -1))
            self._room = bytearray(-(-size // READ_BYTES) * READ_BYTES)

    def _checked(self, block: bytes) -> bytes:
        if not self.is_protected:
            return block
        check = protection.CHECK_BYTES
        if block[-check:] != protection.check_of(block[:-check]):
            raise DeviceFailure(
                f"{self._url}: a block was damaged on the way from the drive", "look at cable and host adapter"
            )
        return block[:-check]

    def _warned(self, reply: Reply) -> bool:
        sense = reply.sense
        if sense is not None and (sense.eom or sense.code in (_EARLY_WARNING, _PROGRAMMABLE)):
            self.is_warned = True
        return self.is_warned

    # --- places -----------------------------------------------------------------------------------------------------

    def position(self) -> Position:
        """Where the tape stands."""
        file, place = self._known()
        if file not in self._starts:
            self._find(file)
            self._to_object(place)
            self._place = (file, place)
        return Position(file, place - self._starts[file])

    def buffered_bytes(self) -> int | None:
        """What the drive has taken and not yet put on the tape; None where it does not tell."""
        try:
            return tape.parse_buffered(self.answer(commands.READ_POSITION, size=tape.SHORT_POSITION_BYTES))
        except (Unsupported, FormatError):
            return None

    def locate(self, file: int, block: int) -> None:
        """Go before a block. Raises EndOfData, and stands then where it stood before."""
        self._recover()
        before = self._place
        try:
            self._locate(file, block)
        except EndOfData:
            if before is not None:
                self._to_object(before[1])
                self._place = before
            raise

    def rewind(self) -> None:
        """Go to the beginning."""
        self._recover()
        self.do(commands.REWIND)
        self._place = (0, 0)

    def to_end_of_data(self) -> None:
        """Go behind the last thing written."""
        self._recover()
        self.do(commands.SPACE, (1, 1, _END))
        found = self._where()
        if found.object is None:
            raise MediumError(f"{self._url}: the drive does not know where it stands", 0, 0)
        file = self._file_of(found)
        if file not in self._starts:
            self._find(file)
            if self._place != (file, found.object):
                self._to_object(found.object)
        self._place = (file, found.object)
        self.is_warned = found.is_early_warning

    def forget_files(self, after: int) -> None:
        """What was behind this file is not there any more."""
        for file in [known for known in self._starts if known > after]:
            del self._starts[file]

    def _enter(self, file: int, place: int) -> None:
        """A file begins here."""
        self._starts[file] = place
        self._place = (file, place)

    def _locate(self, file: int, block: int) -> None:
        if file < 0:
            raise self._no_such_place(file, block)
        start = self._find(file)
        target = (start if block >= 0 else self._end_of(file)) + block
        if target < start:
            raise self._no_such_place(file, block)
        if self._place != (file, target):
            self._to_object(target)
            found = self._where()
            if found.object != target or self._file_of(found) != file:
                raise self._no_such_place(file, block)
        self._place = (file, target)

    def _find(self, file: int) -> int:
        """The first object of a file; goes there where that is not known yet."""
        known = self._starts.get(file)
        if known is not None:
            return known
        self._to_file(file)
        found = self._where()
        # Drives differ by one in what they take for a file's number: LTO of one maker lands a file too far.
        off = file - self._file_of(found)
        if off:
            self._space_filemarks(off if off > 0 else off - 1)
            if off < 0:
                self._space_filemarks(1)
            found = self._where()
        if self._file_of(found) != file or found.object is None:
            raise self._no_such_place(file, 0)
        self._enter(file, found.object)
        return found.object

    def _end_of(self, file: int) -> int:
        """The object behind the last block of a file: its filemark, or the end of data."""
        try:
            return self._find(file + 1) - 1
        except EndOfData:
            self.do(commands.SPACE, (1, 1, _END))
            found = self._where()
            if self._file_of(found) != file or found.object is None:
                raise
            return found.object

    def _to_file(self, file: int) -> None:
        """Behind that many filemarks. Raises EndOfData."""
        try:
            reply = self.do(commands.LOCATE_16, (1, 1, _TO_FILE << 3), (4, 8, file))
        except Unsupported:
            self.rewind()
            self._space_filemarks(file)
            return
        if _is_end(reply):
            raise self._no_such_place(file, 0)

    def _to_object(self, place: int) -> None:
        """Before that object. Raises EndOfData."""
        try:
            reply = self.do(commands.LOCATE_16, (1, 1, _TO_OBJECT << 3), (4, 8, place))
        except Unsupported:  # drives before LTO-3
            reply = self.do(commands.LOCATE, (3, 4, place))
        if _is_end(reply):
            raise EndOfData(f"{self._url}: there is nothing at block {place} of the tape")

    def _space_filemarks(self, count: int) -> None:
        if _is_end(self.do(commands.SPACE, (1, 1, _FILEMARKS), (2, 3, count))):
            raise EndOfData(f"{self._url}: there are not so many files")

    def _where(self) -> TapePosition:
        """Where the drive says that it stands."""
        try:
            return tape.parse_long(
                self.answer(commands.READ_POSITION, (1, 1, _LONG_FORM), size=tape.LONG_POSITION_BYTES)
            )
        except (Unsupported, FormatError):
            return tape.parse_short(self.answer(commands.READ_POSITION, size=tape.SHORT_POSITION_BYTES))

    def _file_of(self, found: TapePosition) -> int:
        """The file of a position; from the files that were met where the drive does not tell."""
        if found.file is not None:
            return found.file
        return max((file for file, start in self._starts.items() if start <= (found.object or 0)), default=0)

    def _known(self) -> tuple[int, int]:
        """File and object; asks the drive where they are not known. Raises DriveReset."""
        if self._is_reset:
            raise DriveReset(f"{self._url}: the drive was reset", "run the command again: it rewinds")
        if self._place is None:
            found = self._where()
            if found.object is None:
                raise DriveReset(
                    f"{self._url}: the drive does not know where the tape stands", "run the command again: it rewinds"
                )
            self._place = (self._file_of(found), found.object)
        return self._place

    def _recover(self) -> None:
        """After a reset: hear out what the drive has to say of it, and set it up again."""
        if not self._is_reset:
            return
        try:
            self._link.drain()
        except Failed as failed:
            raise as_error(failed, self._url) from failed
        self._is_reset, self._place = False, None
        self._set_up(self)

    def _no_such_place(self, file: int, block: int) -> EndOfData:
        return EndOfData(f"{self._url}: there is no block {block} of file {file}")

    # --- commands ---------------------------------------------------------------------------------------------------

    def answer(self, command: Command, *fields: tuple[int, int, int], size: int) -> bytes:
        """Send a command that is answered with at most `size` bytes."""
        room = bytearray(size)
        reply = self.do(command, *fields, data_in=memoryview(room))
        return bytes(room[: reply.transferred])

    def do(
        self, command: Command, *fields: tuple[int, int, int],
        data_out: "bytes | bytearray | memoryview" = b"", data_in: memoryview | None = None,
    ) -> Reply:  # fmt: skip
        """Send a command; a failure becomes an error with its place, and the drive is asked where it stands."""
        return self.run(lambda: self._link.send(command, *fields, data_out=data_out, data_in=data_in))

    def run(self, send: Callable[[], Reply]) -> Reply:
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
            raise self._error(failed, before) from failed

    def _error(self, failed: Failed, before: tuple[int, int] | None) -> DriveError:
        """The error of a failed command: where it happened, and what of earlier writes is lost."""
        kind, sense = failed.row.error, failed.sense
        if kind is NoMedium or sense.key == Key.UNIT_ATTENTION:
            self._is_reset = True
            self.is_gone = kind in (NoMedium, MediumChanged)
            return as_error(failed, self._url)
        now = self._ask()
        if sense.is_deferred and before is not None and now is not None and now[1] < before[1]:
            return self._lost(failed, before, now)
        if issubclass(kind, MediumError):
            file, place = before or now or (0, 0)
            block = place - self._starts.get(file, 0)
            self._pass_over(before)
            return MediumError(
                f"{self._url}: block {block} of file {file}: {failed.row.why} (sense {sense})", file, block,
                failed.row.to_do or None,
            )  # fmt: skip
        if kind is EndOfMedium:
            return EndOfMedium(f"{self._url}: the medium is full")
        return as_error(failed, self._url)

    def _lost(self, failed: Failed, before: tuple[int, int], now: tuple[int, int]) -> BlocksLost:
        """The drive stands before the first block that it could not write."""
        file, count = now[0], before[1] - now[1]
        block = now[1] - self._starts.get(file, 0)
        return BlocksLost(
            f"{self._url}: the drive had taken {count} blocks that it could not write: from block {block} of file "
            f"{file} on they are not on the tape: {failed.row.why} (sense {failed.sense})", file, block, count,
            failed.row.to_do or None,
        )  # fmt: skip

    def _ask(self) -> tuple[int, int] | None:
        """Ask the drive where it stands, after an error; it may not know."""
        try:
            found = tape.parse_long(
                self._link.answer(commands.READ_POSITION, (1, 1, _LONG_FORM), size=tape.LONG_POSITION_BYTES)
            )
        except (Failed, DriveError, FormatError):
            return None
        if found.object is not None:
            self._place = (self._file_of(found), found.object)
        return self._place

    def _pass_over(self, before: tuple[int, int] | None) -> None:
        """After an unreadable block the tape stands behind it, whatever the drive thought best."""
        if before is None or self._place is None or self._place[1] != before[1]:
            return
        self._place = None
        try:
            self._link.send(commands.LOCATE_16, (1, 1, _TO_OBJECT << 3), (4, 8, before[1] + 1))
        except (Failed, DriveError):
            return
        self._place = (before[0], before[1] + 1)


def _is_end(reply: Reply) -> bool:
    return reply.sense is not None and (reply.sense.key == Key.BLANK_CHECK or reply.sense.code == _END_OF_DATA)
