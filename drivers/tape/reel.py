"""The tape in a drive: blocks, marks and files on it.

The drive's own counting of objects (blocks and filemarks) is the truth; files and blocks are reckoned from it. Files of
a drive that does not count them are counted here, filemark by filemark.
"""

from collections.abc import Callable

from drivers.base import Mark, Position
from drivers.errors import DeviceFailure, DriveReset, EndOfData, MediumChanged, MediumError
from drivers.scsi import commands
from drivers.scsi.link import Failed, Link, as_error
from drivers.scsi.transport import Reply
from drivers.tape import protection
from drivers.tape.placed import Placed, Unsupported, is_end
from formats.errors import FormatError
from formats.scsi import tape
from formats.scsi.sense import Key

READ_BYTES = 256 << 10
"""The first room for a block, which every host adapter carries; a larger one is read again with more."""
_FILEMARKS, _END = 1, 3
_TO_FILE = 1
_FILEMARK, _EARLY_WARNING, _PROGRAMMABLE = (0x00, 0x01), (0x00, 0x02), (0x00, 0x07)
_CHANGED = 0x28


class Reel(Placed):
    """One cartridge's tape. `is_protected`: each block goes with its check (logical block protection).

    A reset takes back how the drive was set, so that checks would be written into the blocks, and leaves the tape
    somewhere. After one, nothing is read or written before the next `rewind`, `locate` or `to_end_of_data`; those set
    the drive up anew.
    """

    def __init__(self, link: Link, set_up: Callable[["Reel"], None]) -> None:
        """The tape of the cartridge that the drive has loaded; `set_up` puts the drive's settings right, after a reset.

        It raises MediumChanged where the cartridge is another one.
        """
        super().__init__(link)
        self.is_protected = False
        self.is_warned = False
        """Whether early warning has come."""
        self._set_up = set_up
        self._room = bytearray(READ_BYTES + protection.CHECK_BYTES)

    # --- blocks and marks -------------------------------------------------------------------------------------------

    def write(self, block: "bytes | bytearray | memoryview") -> bool:
        """Write a block here. True: early warning."""
        file, place = self._known()
        self.check_place(place)
        data = bytes(block) + protection.check_of(block) if self.is_protected else block
        reply = self.do(commands.WRITE, (2, 3, len(data)), at=place, data_out=data)
        self.forget_files(file)
        self._place = (file, place + 1)
        return self._warned(reply)

    def write_filemark(self) -> None:
        """Write a filemark here; everything before it is on the tape when this returns."""
        file, place = self._known()
        self.check_place(place)
        self._warned(self.do(commands.WRITE_FILEMARKS, (2, 3, 1), at=place))
        self.forget_files(file)
        self._enter(file + 1, place + 1)

    def erase(self) -> None:
        """From the beginning on; the tape stands there."""
        self.rewind()
        self.do(commands.ERASE, at=0)
        self.rewind()
        self.forget_files(0)
        self.is_warned = False

    def read(self) -> "bytes | Mark":
        """The block or the mark that stands here."""
        file, place = self._known()
        self.check_place(place)
        found = self._read(place)
        if found is Mark.FILEMARK:
            self._enter(file + 1, place + 1)
        elif found is not Mark.END_OF_DATA:
            self._place = (file, place + 1)
        return found

    def _read(self, place: int) -> "bytes | Mark":
        """One block, with as much room as it needs."""
        while True:
            wanted = len(self._room)
            reply = self.do(commands.READ, (2, 3, wanted), at=place, data_in=memoryview(self._room))
            sense = reply.sense
            if sense is not None and (sense.filemark or sense.code == _FILEMARK):
                return Mark.FILEMARK
            if is_end(reply):
                return Mark.END_OF_DATA
            # With variable blocks, information is what was asked for minus what is there; residuals are not trusted.
            size = reply.transferred
            if sense is not None and sense.ili and sense.information is not None:
                size = wanted - sense.information
            if size <= 0:
                raise DeviceFailure(f"{self._url}: the drive gave nothing, and did not say why")
            if size <= wanted:
                return self._checked(bytes(memoryview(self._room)[:size]))
            self.to_object(place)
            self._room = bytearray(size)

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
            self.to_object(place)
            self._stand(file, place)
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
                self.to_object(before[1])
                self._stand(*before)
            raise

    def rewind(self) -> None:
        """Go to the beginning."""
        self._recover()
        self.do(commands.REWIND)
        self._stand(0, 0)

    def to_end_of_data(self) -> None:
        """Go behind the last thing written."""
        self._recover()
        self.do(commands.SPACE, (1, 1, _END), is_absolute=True)
        found = self.where()
        if found.object is None:
            raise MediumError(f"{self._url}: the drive does not know where it stands", 0, 0)
        file = self._count_files(found.object) if found.file is None else found.file
        if file not in self._starts:
            self._find(file)
            if self._place != (file, found.object):
                self.to_object(found.object)
        self._stand(file, found.object)
        self.is_warned = found.is_early_warning

    def forget_files(self, after: int) -> None:
        """What was behind this file is not there any more."""
        for file in [known for known in self._starts if known > after]:
            del self._starts[file]

    def _stand(self, file: int, place: int) -> None:
        """The tape was moved here, so nothing is left in the drive's buffer."""
        self._place, self._safe = (file, place), place

    def _enter(self, file: int, place: int) -> None:
        """A file begins here."""
        self._starts[file] = place
        self._stand(file, place)

    def _locate(self, file: int, block: int) -> None:
        if file < 0:
            raise self._no_such_place(file, block)
        start = self._find(file)
        target = (start if block >= 0 else self._end_of(file)) + block
        if target < start:
            raise self._no_such_place(file, block)
        if self._place != (file, target):
            self.to_object(target)
            found = self.where()
            if found.object != target or not self._is_in(file, target, found.file):
                raise self._no_such_place(file, block)
        self._stand(file, target)

    def _is_in(self, file: int, target: int, told: int | None) -> bool:
        """Whether an object is in a file, or its end; where the drive does not tell, the file's end is looked for."""
        if told is not None:
            return told == file
        is_within = target <= self._end_of(file)
        self.to_object(target)
        return is_within

    def _find(self, file: int) -> int:
        """The first object of a file; goes there where that is not known yet."""
        known = self._starts.get(file)
        if known is not None:
            return known
        self._to_file(file)
        found = self.where()
        if found.file is None:
            self._space_to_file(file)
            found = self.where()
        elif found.file != file:
            # Drives differ by one in what they take for a file's number: LTO of one maker lands a file too far.
            off = file - found.file
            self._space_filemarks(off if off > 0 else off - 1, found.object)
            if off < 0:
                self._space_filemarks(1, self.where().object)
            found = self.where()
        if found.file not in (None, file) or found.object is None:
            raise self._no_such_place(file, 0)
        self._enter(file, found.object)
        return found.object

    def _count_files(self, place: int) -> int:
        """How many filemarks are before an object, where the drive does not count them; goes there."""
        self.do(commands.REWIND)
        file, start = 0, 0
        while not is_end(self._over_filemark(start)):
            found = self.where().object
            if found is None or found <= start:
                raise MediumError(f"{self._url}: the drive does not know where it stands", file, 0)
            if found > place:
                break
            file, start = file + 1, found
            self._starts[file] = start
        self.to_object(place)
        return file

    def _over_filemark(self, at: int) -> Reply:
        return self.do(commands.SPACE, (1, 1, _FILEMARKS), (2, 3, 1), at=at)

    def _end_of(self, file: int) -> int:
        """The object behind the last block of a file: its filemark, or the end of data."""
        try:
            return self._find(file + 1) - 1
        except EndOfData:
            self.do(commands.SPACE, (1, 1, _END), is_absolute=True)
            found = self.where()
            if found.file not in (None, file) or found.object is None:
                raise
            return found.object

    def _to_file(self, file: int) -> None:
        """Behind that many filemarks. Raises EndOfData."""
        self._place = None
        try:
            reply = self.do(commands.LOCATE_16, (1, 1, _TO_FILE << 3), (4, 8, file))
        except Unsupported:
            self._space_to_file(file)
            return
        if is_end(reply):
            raise self._no_such_place(file, 0)

    def _space_to_file(self, file: int) -> None:
        self.rewind()
        self._place = None
        self._space_filemarks(file, 0)

    def _space_filemarks(self, count: int, at: int | None) -> None:
        if count and is_end(self.do(commands.SPACE, (1, 1, _FILEMARKS), (2, 3, count), at=at)):
            raise EndOfData(f"{self._url}: there are not so many files")

    def _known(self) -> tuple[int, int]:
        """File and object; asks the drive where they are not known. Raises DriveReset."""
        if self._is_reset:
            raise DriveReset(f"{self._url}: the drive was reset", "run the command again: it rewinds")
        if self._place is None:
            found = self.where()
            if found.object is None:
                raise DriveReset(
                    f"{self._url}: the drive does not know where the tape stands", "run the command again: it rewinds"
                )
            self._place = (self.file_of(found), found.object)
        return self._place

    def _recover(self) -> None:
        """After a reset: hear out what the drive has to say of it, and set it up again. Raises MediumChanged."""
        if not self._is_reset:
            return
        try:
            heard = self._link.drain()
        except Failed as failed:
            raise as_error(failed, self._url) from failed
        if any(failed.sense.key == Key.UNIT_ATTENTION and failed.sense.asc == _CHANGED for failed in heard):
            self.is_gone = True
            raise MediumChanged(f"{self._url}: the cartridge was changed", "run the command again")
        self._is_reset, self._place = False, None
        try:
            self._set_up(self)
        except MediumChanged:
            self.is_gone = self._is_reset = True
            raise

    def _no_such_place(self, file: int, block: int) -> EndOfData:
        return EndOfData(f"{self._url}: there is no block {block} of file {file}")
