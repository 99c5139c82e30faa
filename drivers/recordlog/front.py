"""What any computer sees of a disk cartridge: its partition table and a small volume (formats/SPEC.md section 14)."""

import dataclasses
import datetime
import os
import uuid
from collections.abc import Mapping

from drivers.errors import MediumError, MediumTooSmall
from drivers.recordlog import log
from drivers.recordlog.index import LogReader
from drivers.recordlog.storage import Storage
from formats import fat, foreign, gpt
from formats.errors import Damaged, TooLarge

VOLUME_LABEL = "TAPEKIT"


@dataclasses.dataclass(frozen=True)
class Found:
    """What a disk holds: a record log, something foreign (its name and a sentence on it), or nothing."""

    reader: LogReader | None
    name: str = ""
    sentence: str = ""


def write(storage: Storage, files: Mapping[str, bytes], where: str) -> None:
    """Lay down an empty cartridge on what messages call `where`. Raises MediumTooSmall.

    The log comes first: cut short there, the disk still holds either its old log or none. The tables come last.
    """
    sector = storage.sector_bytes
    try:
        info, record_log = gpt.layout(storage.size_bytes, sector, uuid.uuid4(), uuid.uuid4())
        table = gpt.build(storage.size_bytes, sector, uuid.uuid4(), (info, record_log))
    except TooLarge as error:
        raise MediumTooSmall(f"{where}: {error}", "tapekit needs a medium of at least 8 MiB") from error
    now = datetime.datetime.now()  # noqa: DTZ005 - FAT keeps local time
    volume = fat.build_volume(
        info.size_bytes, sector, VOLUME_LABEL, int.from_bytes(os.urandom(4), "big"), info.first_byte // sector,
        [fat.FatFile(name, content, now) for name, content in files.items()],
    )  # fmt: skip
    log.create(storage, record_log.first_byte, record_log.size_bytes, os.urandom(16))
    storage.write(info.first_byte, volume)
    storage.write(table.backup_offset, table.backup)
    storage.write(0, table.primary)
    storage.flush()


def find(storage: Storage) -> Found:
    """What a disk holds.

    What stands at the front counts first: an old log, or the backup of an old partition table, outlives what was made
    over it later. Only where the front is damaged the backup counts, or a log in its usual place.
    """
    read, size_bytes = _reader(storage), storage.size_bytes
    head = read(0, foreign.END_BYTES)
    try:
        partition = gpt.record_log(gpt.parse(lambda offset, size: head[offset : offset + size], size_bytes, None))
        is_damaged = False
    except Damaged:
        partition, is_damaged = None, True
    if partition is not None:
        return Found(LogReader(storage, partition.first_byte, partition.size_bytes))
    at_front = foreign.recognise(head, b"", size_bytes)
    if is_damaged and (at_front is None or at_front.name in _DAMAGED_FRONT):
        reader = _find_log(storage)
        if reader is not None:
            return Found(reader)
    what = foreign.describe(read, size_bytes, None)
    if what is not None and what.name == "tapekit":  # its backup table alone is left
        what = at_front
    return Found(None) if what is None else Found(None, what.name, what.sentence)


_DAMAGED_FRONT = frozenset(("data", "gpt", "tapekit"))
"""What the front of a cartridge may look like when its first sectors are lost; a file system there is foreign."""


def _find_log(storage: Storage) -> LogReader | None:
    """The log of a disk whose primary partition table is damaged: by the backup, at 5 MiB, or at the very start.

    At the start it lies where the second partition was opened in place of the disk.
    """
    bare = LogReader(storage, 0, storage.size_bytes)
    if bare.superblock is not None:
        return bare
    try:
        partition = gpt.record_log(gpt.parse(_reader(storage), storage.size_bytes, None))
    except Damaged:
        start, size_bytes = gpt.LOG_START, storage.size_bytes - gpt.LOG_START
        reader = LogReader(storage, start, size_bytes) if size_bytes > 0 else None
        return reader if reader is not None and reader.is_log else None
    return None if partition is None else LogReader(storage, partition.first_byte, partition.size_bytes)


def _reader(storage: Storage) -> gpt.Read:
    """Reads for the formats, which know nothing of medium errors: what cannot be read comes short."""

    def read(offset: int, size: int) -> bytes:
        if offset < 0 or size <= 0:
            return b""
        try:
            return bytes(storage.read(offset, size))
        except MediumError:
            return b""

    return read
