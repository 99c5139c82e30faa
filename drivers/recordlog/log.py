"""The record log as numbered files of blocks: reading, writing, positions (formats/SPEC.md section 13)."""

import contextlib
import dataclasses
from collections.abc import Iterator

from drivers.base import Mark, Position
from drivers.errors import DeviceFailure, EndOfData, EndOfMedium, MediumError
from drivers.recordlog.index import RESYNC_BYTES, FileIndex, LogReader
from drivers.recordlog.storage import BadPlace, Storage
from formats import block, recordlog
from formats.errors import Damaged
from formats.recordlog import FIRST_RECORD, UNIT_BYTES, FilemarkTable, RecordHeader, RecordKind, Superblock

_ZEROS_BYTES = 1 << 20
EARLY_WARNING_BYTES = 4 << 20
EARLY_WARNING_SHARE = 16
"""Early warning comes when less than 4 MiB, or a sixteenth of a small log, is left, or less than the block just written
took: end of medium never comes without it to one who writes blocks of one size.
"""
EARLY_WARNING_BLOCKS = recordlog.MOST_BLOCKS // 8
"""It comes too when a file has room for no more blocks than that: its catalog is yet to come."""


def create(storage: Storage, start: int, size_bytes: int, log_id: bytes) -> None:
    """Lay down an empty log; whatever log was there before is not found again."""
    size_bytes -= size_bytes % UNIT_BYTES
    for generation in (0, 1):
        superblock = Superblock(
            epoch=0, log_id=log_id, generation=generation, size_bytes=size_bytes,
            end=FIRST_RECORD, records=0, files=0, last_filemark=0,
        )  # fmt: skip
        storage.write(start + generation * UNIT_BYTES, recordlog.build_superblock(superblock))
    storage.flush()


def forget_records(storage: Storage, start: int, size_bytes: int) -> None:
    """Overwrite as much of a log's beginning as any reader searches for a first record; superblocks stay."""
    end = min(FIRST_RECORD + RESYNC_BYTES + UNIT_BYTES, size_bytes, storage.size_bytes - start)
    zeros = bytes(_ZEROS_BYTES)
    for position in range(FIRST_RECORD, end, _ZEROS_BYTES):
        storage.write(start + position, zeros[: end - position])
    storage.flush()


class RecordLog:
    """One log, open. `where` names it in messages."""

    def __init__(self, reader: LogReader, where: str) -> None:
        """Find every file of the log; stands at its beginning."""
        self._storage = reader.storage
        self._reader = reader
        self._where = where
        self._superblock = reader.superblock
        self._size_bytes = _usable_bytes(reader)
        self._files = reader.files()
        self._file = 0
        self._block = 0
        self._is_writing = False

    @property
    def position(self) -> Position:
        """Where the log stands."""
        return Position(self._file, self._block)

    @property
    def capacity_bytes(self) -> int:
        """Room for records, all told."""
        return self._size_bytes - FIRST_RECORD

    @property
    def remaining_bytes(self) -> int:
        """Room behind the last record, less what the next filemark needs."""
        used = self._files[-1].end if self._files else FIRST_RECORD
        open_blocks = len(self._files[-1].distances) if self._files and not self._files[-1].is_complete else 0
        return max(0, self._size_bytes - used - _filemark_bytes(open_blocks + 1))

    @property
    def is_empty(self) -> bool:
        """Whether nothing was ever written."""
        return not self._files

    def end_of_data(self) -> Position:
        """The place behind the last thing written."""
        if self._files and not self._files[-1].is_complete:
            return Position(len(self._files) - 1, len(self._files[-1].distances))
        return Position(len(self._files), 0)

    def locate(self, file: int, block_number: int) -> None:
        """Go before a block. Raises EndOfData where there is no such place."""
        end = self.end_of_data()
        blocks = len(self._files[file].distances) if 0 <= file < len(self._files) else 0
        if block_number < 0:
            block_number += blocks
        if file < 0 or block_number < 0 or file > end.file or block_number > blocks:
            raise EndOfData(f"{self._where}: no block {block_number} in file {file}: the data ends at file {end.file}")
        self._file, self._block = file, block_number

    def read_block(self) -> "bytes | Mark":
        """The block here, or the mark. After MediumError the log stands behind the bad block."""
        if self._file >= len(self._files):
            return Mark.END_OF_DATA
        index = self._files[self._file]
        if self._block >= len(index.distances):
            if not index.is_complete:
                return Mark.END_OF_DATA
            self._file, self._block = self._file + 1, 0
            return Mark.FILEMARK
        number = self._block
        self._block += 1
        return self._read(index, number)

    def _read(self, index: FileIndex, number: int) -> bytes:
        place = f"{self._where}: block {number} of file {self._file}"
        position = index.position(number)
        if position is None:
            raise MediumError(f"{place}: its record cannot be found", self._file, number)
        last_end = index.mark if index.is_complete else index.end
        behind = index.position(number + 1) if number + 1 < len(index.distances) else last_end
        expected = behind - position if behind else 0
        if not 0 < expected <= recordlog.record_bytes(block.LARGEST_BLOCK_BYTES):
            expected = 0
        try:
            header, payload = self._reader.block(position, expected)
            if header.number != index.first_number + number:
                raise Damaged(f"record {header.number} is in its place")
            if header.epoch > index.epoch:
                raise Damaged("a later record is in its place")
        except (Damaged, BadPlace) as error:
            raise MediumError(f"{place}: {error}", self._file, number) from error
        return payload

    def write_block(self, data: "bytes | bytearray | memoryview") -> bool:
        """Write a block here, and forget what was behind; True: early warning.

        Raises EndOfMedium where it does not fit, before anything is forgotten; MediumError.
        """
        if not 0 < len(data) <= block.LARGEST_BLOCK_BYTES:
            raise ValueError(f"a block of {len(data)} bytes, the limit is {block.LARGEST_BLOCK_BYTES}")
        record_bytes = recordlog.record_bytes(len(data))
        self._check_room(self._block + 1, record_bytes, f"block {self._block} of file {self._file}")
        with self._naming_the_block():
            index = self._begin_writing()
            position = index.end
            self._write_record(RecordKind.BLOCK, index, data)
        index.add(self._block, position, self._durable.epoch)
        index.end = position + record_bytes
        self._block += 1
        warning_bytes = min(EARLY_WARNING_BYTES, self._size_bytes // EARLY_WARNING_SHARE)
        is_long = self._block > recordlog.MOST_BLOCKS - EARLY_WARNING_BLOCKS
        return is_long or self.remaining_bytes < max(warning_bytes, record_bytes)

    def write_filemark(self) -> None:
        """End the file here; when this returns, all of it is durable (SPEC.md section 13.4)."""
        self._check_room(self._block, 0, f"the filemark of file {self._file}")
        with self._naming_the_block():
            index = self._begin_writing()
            mark = index.end
            previous = self._files[self._file - 1].mark if self._file else 0
            payload = recordlog.build_filemark_table(FilemarkTable(index.start, previous, index.distances))
            self._storage.flush()
            self._write_record(RecordKind.FILEMARK, index, payload)
            self._storage.flush()
            behind = mark + recordlog.record_bytes(len(payload))
            self._write_superblock(
                dataclasses.replace(
                    self._durable, end=behind, records=index.next_number + 1, files=self._file + 1, last_filemark=mark
                )
            )
        index.complete(len(index.distances), mark, behind, self._durable.epoch)
        self._file, self._block = self._file + 1, 0

    def rewrite_block(self, file: int, number: int, data: bytes) -> None:
        """Write a block's record again in its place, which ends where it ended. Raises MediumError.

        A power cut meanwhile leaves it as bad as it was, and touches no other.
        """
        index = self._files[file] if file < len(self._files) else None
        position = index.position(number) if index and number < len(index.distances) else None
        place = f"{self._where}: block {number} of file {file}"
        if index is None or position is None:
            raise MediumError(f"{place}: its place is not known: it is not written again", file, number)
        later = (index.position(other) for other in range(number + 1, len(index.distances)))
        behind = next((known for known in later if known is not None), index.mark or index.end)
        if position + recordlog.record_bytes(len(data)) > behind:
            raise MediumError(f"{place}: does not fit its place: it is not written again", file, number)
        header = RecordHeader(
            kind=RecordKind.BLOCK, number=index.first_number + number, position=position, epoch=index.epoch,
            file=file, block=number, length=len(data), log_id=self._durable.log_id,
        )  # fmt: skip
        try:
            self._storage.write(self._reader.start + position, recordlog.build_record_header(header), data)
            self._storage.flush()
        except BadPlace as error:
            raise MediumError(f"{place} cannot be written: {error}", file, number) from error

    @property
    def _durable(self) -> Superblock:
        if self._superblock is None:
            raise DeviceFailure(
                f"{self._where}: both superblocks are damaged: nothing can be added to this cartridge",
                "restore what it holds, then label it anew",
            )
        return self._superblock

    def _place(self) -> int:
        """Where the next record goes. Raises MediumError where damage hides that."""
        if self._file == len(self._files):
            return self._files[-1].end if self._files else FIRST_RECORD
        index = self._files[self._file]
        if self._block < len(index.distances):
            position = index.position(self._block)
        else:
            position = (index.mark or None) if index.is_complete else index.end
        if position is None:
            message = f"{self._where}: block {self._block} of file {self._file} cannot be found, nor replaced"
            raise MediumError(message, self._file, self._block)
        return position

    def _check_room(self, blocks: int, block_bytes: int, what: str) -> None:
        """For a block's record, and a filemark behind so many blocks. Raises EndOfMedium before anything is changed."""
        if self._file >= recordlog.MOST_FILES or blocks > recordlog.MOST_BLOCKS:
            most = f"{recordlog.MOST_FILES} files of {recordlog.MOST_BLOCKS} blocks"
            raise EndOfMedium(f"{self._where}: full: {most} is the most it holds: {what} does not fit")
        if self._place() + block_bytes + _filemark_bytes(blocks) > self._size_bytes:
            raise EndOfMedium(f"{self._where}: full: {self._size_bytes} bytes: {what} does not fit")

    def _begin_writing(self) -> FileIndex:
        """The file that is written to, with everything behind the position forgotten.

        Before the first write of a session the superblock takes a new epoch, so that no remains of an earlier session
        continue this one. A unit of zeros then breaks the log off at this place, so that no record that is still there
        is taken for one of this session's if a power cut loses the new one and keeps a later one.
        """
        if self._is_writing and self.position == self.end_of_data():
            return self._current()
        epoch = 1 + max([self._durable.epoch, *(index.epoch for index in self._files)])
        self._is_writing = False
        self._truncate(self._place())
        current = self._current()
        previous = self._files[self._file - 1] if self._file else None
        last_filemark = (previous.mark or previous.end - UNIT_BYTES) if previous else 0
        self._storage.flush()
        superblock = dataclasses.replace(
            self._durable, epoch=epoch, end=current.start, records=current.first_number, files=self._file,
            last_filemark=last_filemark,
        )  # fmt: skip
        self._write_superblock(superblock)
        self._storage.write(self._reader.start + current.end, bytes(UNIT_BYTES))
        self._storage.flush()
        self._is_writing = True
        return current

    def _truncate(self, place: int) -> None:
        if self._file < len(self._files):
            index = self._files[self._file]
            index.distances = index.distances[: self._block]
            index.is_complete, index.mark, index.end = False, 0, place
            del self._files[self._file + 1 :]

    def _current(self) -> FileIndex:
        if self._file == len(self._files):
            previous = self._files[-1] if self._files else None
            start = previous.end if previous else FIRST_RECORD
            self._files.append(FileIndex(start, previous.next_number if previous else 0, end=start))
        return self._files[self._file]

    @contextlib.contextmanager
    def _naming_the_block(self) -> Iterator[None]:
        """Medium errors of writing, as the drive's contract has them: the storage knows only bytes."""
        try:
            yield
        except BadPlace as error:
            message = f"{self._where}: block {self._block} of file {self._file} cannot be written: {error}"
            raise MediumError(message, self._file, self._block) from error

    def _write_record(self, kind: RecordKind, index: FileIndex, payload: "bytes | bytearray | memoryview") -> None:
        header = RecordHeader(
            kind=kind, number=index.first_number + len(index.distances), position=index.end,
            epoch=self._durable.epoch, file=self._file, block=len(index.distances), length=len(payload),
            log_id=self._durable.log_id,
        )  # fmt: skip
        self._storage.write(self._reader.start + index.end, recordlog.build_record_header(header), payload)

    def _write_superblock(self, superblock: Superblock) -> None:
        superblock = dataclasses.replace(superblock, generation=superblock.generation + 1)
        slot = superblock.generation % 2
        self._storage.write(self._reader.start + slot * UNIT_BYTES, recordlog.build_superblock(superblock))
        self._storage.flush()
        self._superblock = self._reader.superblock = superblock


def _filemark_bytes(blocks: int) -> int:
    """What a filemark for so many blocks takes in the log."""
    return recordlog.record_bytes(recordlog.filemark_table_bytes(blocks))


def _usable_bytes(reader: LogReader) -> int:
    """Size of the log; less where the medium is shorter, as an image file that was cut."""
    there = min(reader.size_bytes, reader.storage.size_bytes - reader.start) // UNIT_BYTES * UNIT_BYTES
    return min(there, reader.superblock.size_bytes) if reader.superblock else there
