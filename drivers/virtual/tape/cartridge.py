"""A cartridge in a file: objects (blocks and filemarks) in a row, what its chip holds, and what it has been through.

The file is an SQLite database, for its transactions: what was flushed is there, whatever becomes of this process; what
was not, is as if never written. Zeros at the end of a block take no room in it.
"""

import bisect
import dataclasses
import enum
import os
import sqlite3
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from drivers.errors import Busy, DeviceFailure, ForeignMedium, NoDevice, NoPermission
from drivers.virtual.tape.recording import MB, Recording, recording
from formats.scsi import mam
from formats.scsi.mam import Attribute

_Found = TypeVar("_Found")

_APPLICATION_ID = 0x544B5654
_SCHEMA = f"""
PRAGMA synchronous = OFF;
PRAGMA page_size = 16384;
PRAGMA application_id = {_APPLICATION_ID};
CREATE TABLE fact (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE object (number INTEGER PRIMARY KEY, begins INTEGER, room INTEGER, size INTEGER, data BLOB, key BLOB,
    bad INTEGER DEFAULT 0);
CREATE INDEX filemark ON object (number) WHERE size IS NULL;
CREATE TABLE attribute (id INTEGER PRIMARY KEY, coding INTEGER, read_only INTEGER, value BLOB);
"""
_CLEANINGS = 50
_LARGEST_TRAILER_MB = 25
"""After early warning; what drives are known to keep at least."""


class Kind(enum.Enum):
    """What a cartridge is for."""

    DATA = "data"
    WORM = "worm"
    CLEANING = "cleaning"


@dataclasses.dataclass(frozen=True)
class Object:
    """A block, or a filemark (`data` is None); `begins`: bytes of the medium before it, `room`: those it takes."""

    number: int
    begins: int
    room: int
    data: bytes | None
    key: bytes | None = None
    """Of a block that the drive encrypted: which key it was."""
    is_bad: bool = False


class Cartridge:
    """An open cartridge; nobody else has it meanwhile."""

    def __init__(self, path: str, *, writable: bool = True) -> None:
        """Open the file. Raises NoDevice, NoPermission, Busy, ForeignMedium."""
        self.path = path
        if not Path(path).exists():
            raise NoDevice(f"{path}: no such file", "name a generation (?generation=6), and it is made")
        self._database = _opened(path, writable=writable)
        self._is_writable = writable
        self._changed: set[str] = set()
        self._facts = dict(self._database.execute("SELECT name, value FROM fact"))
        self.recording: Recording = recording(self._facts["format"])
        self.kind = Kind(self._facts["kind"])
        self.capacity: int = self._facts["capacity"]
        self.early_warning: int = self._facts["early_warning"]
        self.serial: str = self._facts["serial"]
        self._filemarks = [
            int(row[0]) for row in self._database.execute("SELECT number FROM object WHERE size IS NULL")
        ]
        last = self._database.execute("SELECT number, begins + room FROM object ORDER BY number DESC LIMIT 1")
        number, used = last.fetchone() or (-1, 0)
        self.end = int(number) + 1
        self._used = int(used)

    @property
    def used(self) -> int:
        """Bytes of the medium before the end of data."""
        return self._used

    @property
    def is_protected(self) -> bool:
        """Whether the slider is set, or the file may not be written to."""
        return bool(self.fact("protected")) or not os.access(self.path, os.W_OK)

    @property
    def takes_writes(self) -> bool:
        """Whether it does: it must have been opened for writing too."""
        return self._is_writable and not self.is_protected

    def fact(self, name: str) -> int:
        """A counter or state that the cartridge keeps; 0 where there was none yet."""
        return int(self._facts.get(name, 0))

    def set_fact(self, name: str, value: int) -> None:
        """Keep it; a cartridge that takes no writes forgets it when it leaves the drive."""
        self._facts[name] = value
        self._changed.add(name)

    def add_to_fact(self, name: str, more: int = 1) -> None:
        """Count."""
        self.set_fact(name, self.fact(name) + more)

    def begins(self, number: int) -> int:
        """Bytes of the medium before object `number`."""
        if number >= self.end:
            return self._used
        found = self._database.execute("SELECT begins FROM object WHERE number = ?", (number,)).fetchone()
        return int(found[0])

    def filemarks_before(self, number: int) -> int:
        """How many filemarks are there before object `number`."""
        return bisect.bisect_left(self._filemarks, number)

    def filemark(self, nth: int) -> int | None:
        """The object number of the nth filemark, counted from 0."""
        return self._filemarks[nth] if 0 <= nth < len(self._filemarks) else None

    def is_only_filemarks_from(self, number: int) -> bool:
        """Whether no block is there from object `number` on."""
        return self.end - number == len(self._filemarks) - self.filemarks_before(number)

    def read(self, number: int) -> Object | None:
        """The object there; None at the end of data."""
        row = self._database.execute(
            "SELECT begins, room, size, data, key, bad FROM object WHERE number = ?", (number,)
        ).fetchone()
        if row is None:
            return None
        begins, room, size, data, key, bad = row
        return Object(number, begins, room, None if size is None else data.ljust(size, b"\0"), key, bool(bad))

    def write(self, number: int, data: bytes | None, room: int = 0, key: bytes | None = None) -> None:
        """Put an object at `number`; what was there and behind it is gone. `data` None: a filemark."""
        if number < self.end:
            self.truncate(number)
        size, kept = (None, None) if data is None else (len(data), data.rstrip(b"\0"))
        self._database.execute(
            "INSERT INTO object (number, begins, room, size, data, key) VALUES (?, ?, ?, ?, ?, ?)",
            (number, self._used, room, size, kept, key),
        )
        if data is None:
            self._filemarks.append(number)
        self.end, self._used = number + 1, self._used + room

    def truncate(self, number: int) -> None:
        """Make `number` the end of data."""
        if number >= self.end:
            return
        self._used = self.begins(number)
        self._database.execute("DELETE FROM object WHERE number >= ?", (number,))
        del self._filemarks[self.filemarks_before(number) :]
        self.end = number

    def damage(self, number: int, *, bad: bool = True) -> None:
        """Make the object at `number` one that cannot be read, until it is written again."""
        self._database.execute("UPDATE object SET bad = ? WHERE number = ?", (int(bad), number))

    def attributes(self) -> tuple[Attribute, ...]:
        """What the chip holds, by id; not what drives work out."""
        rows = self._database.execute("SELECT id, value, coding, read_only FROM attribute ORDER BY id")
        return tuple(Attribute(number, value, coding, bool(fixed)) for number, value, coding, fixed in rows)

    def set_attribute(self, attribute: Attribute) -> None:
        """Write into the chip; an attribute with no bytes is taken out."""
        if attribute.value:
            row = (attribute.id, attribute.coding, int(attribute.is_read_only), attribute.value)
            self._database.execute("INSERT OR REPLACE INTO attribute VALUES (?, ?, ?, ?)", row)
        else:
            self._database.execute("DELETE FROM attribute WHERE id = ?", (attribute.id,))

    def commit(self) -> None:
        """What was written so far stays."""
        if self._is_writable:
            self._keep()
            self._database.execute("BEGIN IMMEDIATE")

    def close(self) -> None:
        """Keep everything and let the file go."""
        if self._is_writable:
            self._keep()
        self._database.close()

    def abandon(self) -> None:
        """Let the file go as a crash would: what was not committed is gone."""
        self._database.close()

    def _keep(self) -> None:
        rows = [(name, self._facts[name]) for name in self._changed]
        self._database.executemany("INSERT OR REPLACE INTO fact VALUES (?, ?)", rows)
        self._changed.clear()
        self._database.execute("COMMIT")


def create(
    path: str, made: Recording, *, kind: Kind = Kind.DATA, capacity: int | None = None,
    early_warning: int | None = None, barcode: str = "", is_new: bool = False,
) -> None:  # fmt: skip
    """Make a cartridge; `is_new`: no drive has had it yet, and one of LTO-9 has to get to know it first.

    Raises Busy where the file is there already.
    """
    if Path(path).exists():
        raise Busy(f"{path}: there already")
    size = made.native_mb * MB if capacity is None else capacity
    trailer = min(size // 16, _LARGEST_TRAILER_MB * MB) if early_warning is None else early_warning
    serial = f"V{zlib.crc32(Path(path).resolve().as_posix().encode()):010}"
    facts = {
        "format": made.media_id, "kind": kind.value, "capacity": size, "early_warning": trailer, "serial": serial,
        "initialized": int(not is_new), "cleanings_left": _CLEANINGS if kind is Kind.CLEANING else 0,
    }  # fmt: skip
    database = _translated(path, lambda: sqlite3.connect(path, isolation_level=None))
    try:
        _translated(path, lambda: database.executescript(_SCHEMA))
        database.execute("BEGIN")
        database.executemany("INSERT INTO fact VALUES (?, ?)", facts.items())
        for attribute in _born_with(made, kind, serial, barcode):
            database.execute(
                "INSERT INTO attribute VALUES (?, ?, ?, ?)",
                (attribute.id, attribute.coding, int(attribute.is_read_only), attribute.value),
            )
        database.execute("COMMIT")
    finally:
        database.close()


def _born_with(made: Recording, kind: Kind, serial: str, barcode: str) -> tuple[Attribute, ...]:
    medium_type = {Kind.DATA: 0x00, Kind.CLEANING: 0x01, Kind.WORM: 0x80}[kind]
    fixed = (
        (mam.MAKER, b"TAPEKIT".ljust(8)), (mam.SERIAL, serial.encode().ljust(32)), (0x0402, (846).to_bytes(4)),
        (0x0405, bytes((made.density,))), (0x0406, b"20260101"), (mam.MEDIUM_TYPE, bytes((medium_type,))),
    )  # fmt: skip
    chip = tuple(Attribute(number, value, mam.BY_ID[number].coding, is_read_only=True) for number, value in fixed)
    return (*chip, mam.written(mam.BARCODE, barcode)) if barcode else chip


def _opened(path: str, *, writable: bool) -> sqlite3.Connection:
    mode = "rw" if writable else "ro"
    uri = f"{Path(path).resolve().as_uri()}?mode={mode}"

    def connect() -> sqlite3.Connection:
        # isolation_level None: transactions are ours; a target serves its commands from a thread of its own
        database = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=0, check_same_thread=False)
        try:
            (application,) = database.execute("PRAGMA application_id").fetchone()
            if application != _APPLICATION_ID:
                raise sqlite3.DatabaseError
            database.execute("PRAGMA locking_mode = EXCLUSIVE")
            database.execute("PRAGMA synchronous = OFF")  # the machine's own power cut is not what is rehearsed
            database.execute("BEGIN IMMEDIATE" if writable else "BEGIN")
            database.execute("SELECT count(*) FROM fact")
        except BaseException:
            database.close()
            raise
        return database

    return _translated(path, connect)


def _translated(path: str, action: Callable[[], _Found]) -> _Found:
    """Do it, and say what went wrong in the words of drivers."""
    try:
        return action()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            raise Busy(f"{path}: in use by another program") from error
        if error.sqlite_errorcode in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
            raise NoPermission(f"{path}: {error}") from error
        raise DeviceFailure(f"{path}: {error}") from error
    except sqlite3.DatabaseError as error:
        raise ForeignMedium(f"{path}: no virtual cartridge", "file") from error
