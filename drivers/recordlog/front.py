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


def write(storage: Storage, files: Mapping[str, bytes]) -> None:
    """Lay down an empty cartridge. Raises MediumTooSmall.

    The log comes first: cut short there, the disk still holds either its old log or none. The tables come last.
    """
    sector = storage.sector_bytes
    try:
        info, record_log = gpt.layout(storage.size_bytes, sector, uuid.uuid4(), uuid.uuid4())
        table = gpt.build(storage.size_bytes, sector, uuid.uuid4(), (info, record_log))
    except TooLarge as error:
        raise MediumTooSmall(str(error), "tapekit needs a medium of at least 8 MiB") from error
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
    """What a disk holds. Does not trust the partition table alone: a log is looked for in its usual place as well."""
    log_at: tuple[int, int] | None = (gpt.LOG_START, storage.size_bytes - gpt.LOG_START)
    is_cartridge = False
    try:
        partition = gpt.record_log(gpt.parse(_reader(storage), storage.size_bytes, None))
        if partition is not None:
            log_at, is_cartridge = (partition.first_byte, partition.size_bytes), True
    except Damaged:
        pass
    if log_at and log_at[1] > 0:
        reader = LogReader(storage, *log_at)
        if is_cartridge or reader.is_log:
            return Found(reader)
    what = foreign.describe(_reader(storage), storage.size_bytes, None)
    return Found(None) if what is None else Found(None, what.name, what.sentence)


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
