"""What sense data means for a person and for a job: one row for each state that drives and changers report.

docs/faults.md shows this table; tests/drivers/tape/test_faults.py drives every row. The first row that matches counts.
Sources: SPC-4, annex F (codes); SSC-4 and the makers' manuals (when a drive reports them).
"""

import dataclasses
import enum

from drivers.errors import (
    Busy,
    CleaningNeeded,
    DeviceFailure,
    DriveError,
    DriveReset,
    EndOfMedium,
    IncompatibleMedium,
    MediumChanged,
    MediumError,
    NoMedium,
    NotReady,
    WriteProtected,
)
from formats.scsi.sense import Key, Sense


class Way(enum.Enum):
    """What tapekit does by itself."""

    GO_ON = "goes on"
    """The command was done; nothing is lost."""
    WAIT = "waits"
    """The same command again, until the drive is ready or its time is over."""
    LOAD = "loads"
    """At the beginning, the drive is told to draw the cartridge in; in the middle of work, as for FAIL."""
    MARK = "reads it as a mark"
    """A filemark, the end of data, early warning: part of the model."""
    AGAIN = "tries again"
    """The same command once more; then as for FAIL."""
    FAIL = "stops"
    """An error, of the type in the row."""


_DONE = (Way.GO_ON, Way.MARK)


@dataclasses.dataclass(frozen=True)
class Row:
    """A row. `ascq` None: any; `key` None: any, and of what is no failure only 0 and 1, with which a command is done.

    `to_do` is the next step for a person; empty where there is none.
    """

    key: Key | None
    asc: int
    ascq: int | None
    way: Way
    why: str
    error: type[DriveError] = DeviceFailure
    to_do: str = ""

    def matches(self, sense: Sense) -> bool:
        """Whether the row is about this."""
        is_done = sense.key in (Key.NO_SENSE, Key.RECOVERED_ERROR)
        return (
            (self.key == sense.key or (self.key is None and (is_done or self.way not in _DONE)))
            and self.asc == sense.asc
            and (self.ascq is None or self.ascq == sense.ascq)
        )

    @property
    def code(self) -> str:
        """As in the documentation: key/asc/ascq, `..` for any."""
        parts = (self.key, self.asc, self.ascq)
        return "/".join(".." if part is None else f"{int(part):02X}" for part in parts)


_CLEAN = "put a cleaning cartridge in, then try again; if it comes back soon, use another cartridge"
_SERVICE = "switch the drive off and on; if it comes back, the drive needs service"
_OTHER = "use another cartridge, and retire this one when it happens again"
_LOOK = "look what is where in the changer"
_SLIDER = "move the slider of the cartridge, or use another one"
_ENCRYPTED = "the cartridge was written with the drive's own encryption: only that key reads it"

ROWS = (
    # --- part of the model
    Row(None, 0x00, 0x01, Way.MARK, "filemark"),
    Row(Key.VOLUME_OVERFLOW, 0x00, 0x02, Way.FAIL, "the medium is full", EndOfMedium),
    Row(None, 0x00, 0x02, Way.MARK, "early warning, or the end of the medium"),
    Row(None, 0x00, 0x04, Way.MARK, "beginning of the medium"),
    Row(Key.BLANK_CHECK, 0x00, 0x05, Way.MARK, "end of data"),
    Row(Key.BLANK_CHECK, 0x00, 0x00, Way.MARK, "end of data, of a drive that says no more"),
    Row(None, 0x00, 0x05, Way.MARK, "end of data"),
    Row(None, 0x00, 0x07, Way.MARK, "programmable early warning"),
    # --- done, with something to say
    Row(None, 0x00, 0x17, Way.GO_ON, "the drive asks to be cleaned"),
    Row(Key.RECOVERED_ERROR, 0x37, 0x00, Way.GO_ON, "a parameter was rounded"),
    Row(None, 0x5D, None, Way.GO_ON, "the drive or the cartridge expects to fail", to_do=_OTHER),
    Row(Key.UNIT_ATTENTION, 0x5D, None, Way.AGAIN, "the drive or the cartridge expects to fail", DriveReset, _OTHER),
    # --- not ready yet
    Row(None, 0x00, 0x16, Way.WAIT, "an operation is under way", NotReady),
    Row(None, 0x00, 0x18, Way.WAIT, "an erase is under way", NotReady),
    Row(None, 0x00, 0x19, Way.WAIT, "a locate is under way", NotReady),
    Row(None, 0x00, 0x1A, Way.WAIT, "a rewind is under way", NotReady),
    Row(Key.NOT_READY, 0x04, 0x00, Way.WAIT, "not ready, and does not say why", NotReady, _SERVICE),
    Row(Key.NOT_READY, 0x04, 0x01, Way.WAIT, "becoming ready", NotReady, "try again in a few minutes"),
    Row(Key.NOT_READY, 0x04, 0x02, Way.LOAD, "the cartridge is in, and not loaded", NotReady,
        "run the command again: it draws the cartridge in"),
    Row(Key.NOT_READY, 0x04, 0x03, Way.FAIL, "needs a hand", NotReady, "look at the drive's panel; open and close it"),
    Row(Key.NOT_READY, 0x04, 0x04, Way.WAIT, "the medium is being initialised", NotReady, "try again in an hour"),
    Row(Key.NOT_READY, 0x04, 0x07, Way.WAIT, "an operation is under way", NotReady),
    Row(Key.NOT_READY, 0x3A, None, Way.FAIL, "no cartridge in the drive", NoMedium, "put it in"),
    # --- something happened
    Row(Key.UNIT_ATTENTION, 0x28, 0x00, Way.FAIL, "the cartridge was changed", MediumChanged, "run the command again"),
    Row(Key.UNIT_ATTENTION, 0x28, 0x01, Way.FAIL, "the import/export slot was opened", MediumChanged,
        _LOOK),
    Row(Key.UNIT_ATTENTION, 0x29, None, Way.FAIL, "the drive was reset", DriveReset, "run the command again"),
    Row(Key.UNIT_ATTENTION, 0x2A, None, Way.FAIL, "somebody changed the drive's parameters", DriveReset,
        "see that no other program uses the drive: tapekit doctor"),
    Row(Key.UNIT_ATTENTION, 0x3F, None, Way.FAIL, "the drive's firmware or identity changed", DriveReset,
        "run the command again"),
    Row(Key.ABORTED_COMMAND, 0x10, None, Way.AGAIN, "a block was damaged on the way between computer and drive",
        DeviceFailure, "look at cable, connectors and host adapter"),
    Row(Key.ABORTED_COMMAND, 0x47, None, Way.AGAIN, "a command was damaged on the way", DeviceFailure,
        "look at cable, connectors and host adapter"),
    Row(Key.ABORTED_COMMAND, 0x4B, None, Way.AGAIN, "data was damaged on the way", DeviceFailure,
        "look at cable, connectors and host adapter"),
    # --- the medium
    Row(Key.MEDIUM_ERROR, 0x0C, None, Way.FAIL, "cannot be written here", MediumError, _CLEAN),
    Row(None, 0x11, None, Way.FAIL, "cannot be read", MediumError, _CLEAN),
    Row(None, 0x14, 0x03, Way.FAIL, "the end of data cannot be found", MediumError,
        "the last run was cut off: restore with --archive; then label the cartridge anew"),
    Row(None, 0x14, None, Way.FAIL, "a block or a filemark cannot be found", MediumError, _CLEAN),
    Row(None, 0x15, None, Way.FAIL, "the position cannot be found", MediumError, _CLEAN),
    Row(None, 0x31, None, Way.FAIL, "the format of the medium is damaged", MediumError, _OTHER),
    Row(None, 0x33, None, Way.FAIL, "the tape is too short", MediumError, _OTHER),
    Row(Key.MEDIUM_ERROR, 0x3B, None, Way.FAIL, "the position is lost", MediumError, _CLEAN),
    Row(None, 0x51, None, Way.FAIL, "cannot be erased", MediumError, _OTHER),
    Row(None, 0x52, None, Way.FAIL, "the cartridge is faulty", MediumError, _OTHER),
    # --- what must not be written, or cannot be used here
    Row(None, 0x30, 0x0C, Way.FAIL, "can be written only once, and was", WriteProtected, "use another cartridge"),
    Row(None, 0x30, 0x0D, Way.FAIL, "a cartridge to be written once, and its record of that is damaged",
        WriteProtected, "keep it, and use another one"),
    Row(None, 0x30, 0x03, Way.FAIL, "a cleaning cartridge", IncompatibleMedium,
        "wait until it comes out, then put the right cartridge in"),
    Row(None, 0x30, 0x07, Way.FAIL, "cleaning failed", CleaningNeeded, "try another cleaning cartridge"),
    Row(None, 0x30, 0x0B, Way.FAIL, "the cleaning cartridge is used up", CleaningNeeded, "take a new one"),
    Row(None, 0x30, 0x05, Way.FAIL, "this drive reads cartridges of that generation, and does not write them",
        IncompatibleMedium, "use a cartridge of the drive's own generation"),
    Row(None, 0x30, None, Way.FAIL, "this drive cannot use that cartridge", IncompatibleMedium,
        "use a cartridge of the drive's own generation"),
    Row(None, 0x27, 0x02, Way.FAIL, "write-protected by the drive's own setting", WriteProtected,
        "somebody has set it so: look at the drive's panel or its library"),
    Row(None, 0x27, None, Way.FAIL, "write-protected", WriteProtected, _SLIDER),
    Row(None, 0x74, None, Way.FAIL, "encrypted by a drive", DeviceFailure, _ENCRYPTED),
    # --- changers, loading and ejecting
    Row(None, 0x21, 0x01, Way.FAIL, "there is no such place in the changer", DeviceFailure, _LOOK),
    Row(None, 0x3B, 0x0D, Way.FAIL, "the place to move to is full", DeviceFailure, _LOOK),
    Row(None, 0x3B, 0x0E, Way.FAIL, "the place to move from is empty", DeviceFailure, _LOOK),
    Row(None, 0x3B, 0x11, Way.FAIL, "the magazine cannot be reached", NotReady, "close the changer's door"),
    Row(None, 0x3B, 0x12, Way.FAIL, "the magazine is out", NotReady, "put the magazine in"),
    Row(None, 0x3B, None, Way.FAIL, "the changer cannot reach that place", DeviceFailure, _LOOK),
    Row(None, 0x53, 0x02, Way.FAIL, "the cartridge is locked in", Busy, "end the program that uses the drive"),
    Row(None, 0x53, None, Way.FAIL, "the cartridge can be neither loaded nor ejected", DeviceFailure, _SERVICE),
    # --- the device
    Row(Key.HARDWARE_ERROR, 0x44, None, Way.FAIL, "the drive reports an internal failure", DeviceFailure, _SERVICE),
    Row(Key.ILLEGAL_REQUEST, 0x20, None, Way.FAIL, "the drive does not know this command"),
    Row(Key.ILLEGAL_REQUEST, 0x24, None, Way.FAIL, "the drive refuses a field of the command"),
    Row(Key.ILLEGAL_REQUEST, 0x25, None, Way.FAIL, "there is no such unit"),
    Row(Key.ILLEGAL_REQUEST, 0x26, None, Way.FAIL, "the drive refuses a parameter"),
)  # fmt: skip

_BY_KEY: tuple[tuple[Key, type[DriveError], str, str], ...] = (
    (Key.NOT_READY, NotReady, "not ready", _SERVICE),
    (Key.MEDIUM_ERROR, MediumError, "an error of the medium", _CLEAN),
    (Key.HARDWARE_ERROR, DeviceFailure, "an error of the drive", _SERVICE),
    (Key.UNIT_ATTENTION, DriveReset, "something happened to the drive", "run the command again"),
    (Key.DATA_PROTECT, WriteProtected, "write-protected", _SLIDER),
    (Key.ABORTED_COMMAND, DeviceFailure, "the command was aborted", "look at cable, connectors and host adapter"),
    (Key.VOLUME_OVERFLOW, EndOfMedium, "the medium is full", ""),
)


def row_of(sense: Sense) -> Row:
    """The row for sense data; for codes that no row has, one made from the key alone."""
    if sense.key in (Key.NO_SENSE, Key.RECOVERED_ERROR) and sense.asc and not any(row.matches(sense) for row in ROWS):
        return Row(Key(sense.key), sense.asc, sense.ascq, Way.GO_ON, "done, after an effort")
    for row in ROWS:
        if row.matches(sense):
            return row
    for key, error, why, to_do in _BY_KEY:
        if key == sense.key:
            way = Way.AGAIN if key is Key.ABORTED_COMMAND else Way.FAIL
            return Row(key, sense.asc, sense.ascq, way, why, error, to_do)
    done = sense.key in (Key.NO_SENSE, Key.RECOVERED_ERROR)
    return Row(None, sense.asc, sense.ascq, Way.GO_ON if done else Way.FAIL, "the drive does not say why")
