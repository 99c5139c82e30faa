"""The record log as numbered files of blocks: reading, writing, positions (formats/SPEC.md section 13)."""

import array
import dataclasses

from drivers.base import Mark, Position
from drivers.errors import DeviceFailure, EndOfData, EndOfMedium, MediumError
from drivers.recordlog.index import FileIndex, LogReader
from drivers.recordlog.storage import BadPlace, Storage
from formats import block, recordlog
from formats.errors import Damaged
from formats.recordlog import FIRST_RECORD, UNIT_BYTES, FilemarkTable, RecordHeader, RecordKind, Superblock

EARLY_WARNING_BYTES = 4 << 20
EARLY_WARNING_SHARE = 16
"""Early warning comes when less than 4 MiB, or a sixteenth of a small log, is left."""


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


class RecordLog:
    """One log, open. `where` names it in messages."""

    def __init__(self, reader: LogReader, where: str) -> None:
        """Find every file of the log; stands at its beginning."""
        self._storage = reader.storage
        self._reader = reader
        self._where = where
        self._superblock = reader.superblock
        self._size_bytes = reader.superblock.size_bytes if reader.superblock else reader.size_bytes
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
        behind = index.position(number + 1) if number + 1 < len(index.distances) else index.mark or index.end
        expected = behind - position if behind else 0
        if not 0 < expected <= recordlog.record_bytes(block.LARGEST_BLOCK_BYTES):
            expected = 0
        try:
            header, payload = self._reader.payload(position, expected)
            if header.kind != RecordKind.BLOCK or header.number != index.first_number + number:
                raise Damaged(f"record {header.number} is in its place")
        except (Damaged, BadPlace) as error:
            raise MediumError(f"{place}: {error}", self._file, number) from error
        return payload

    def write_block(self, data: "bytes | bytearray | memoryview") -> bool:
        """Write a block here, and forget what was behind; True: early warning. Raises EndOfMedium where it does not fit."""
        if not 0 < len(data) <= block.LARGEST_BLOCK_BYTES:
            raise ValueError(f"a block of {len(data)} bytes, the limit is {block.LARGEST_BLOCK_BYTES}")
        index = self._begin_writing()
        needed = recordlog.record_bytes(len(data)) + _filemark_bytes(len(index.distances) + 1)
        if index.end + needed > self._size_bytes:
            raise EndOfMedium(f"{self._where}: full: {self._size_bytes} bytes, block {self._block} does not fit")
        position = index.end
        try:
            self._write_record(RecordKind.BLOCK, index, data)
        except BadPlace as error:
            message = f"{self._where}: block {self._block} of file {self._file} cannot be written: {error}"
            raise MediumError(message, self._file, self._block) from error
        index.add(self._block, position)
        index.end = position + recordlog.record_bytes(len(data))
        self._block += 1
        return self.remaining_bytes < min(EARLY_WARNING_BYTES, self._size_bytes // EARLY_WARNING_SHARE)

    def write_filemark(self) -> None:
        """End the file here; when this returns, all of it is durable (SPEC.md section 13.4)."""
        index = self._begin_writing()
        mark = index.end
        previous = self._files[self._file - 1].mark if self._file else 0
        table = FilemarkTable(index.start, previous, index.distances)
        payload = recordlog.build_filemark_table(table)
        if mark + recordlog.record_bytes(len(payload)) > self._size_bytes:
            raise EndOfMedium(f"{self._where}: full: no room for a filemark")
        self._storage.flush()
        self._write_record(RecordKind.FILEMARK, index, payload)
        self._storage.flush()
        behind = mark + recordlog.record_bytes(len(payload))
        index.complete(len(index.distances), mark, behind, self._durable.epoch)
        self._file, self._block = self._file + 1, 0
        self._write_superblock(
            dataclasses.replace(
                self._durable, end=behind, records=index.next_number, files=self._file, last_filemark=mark
            )
        )

    @property
    def _durable(self) -> Superblock:
        if self._superblock is None:
            raise DeviceFailure(
                f"{self._where}: both superblocks are damaged: nothing can be added to this cartridge",
                "restore what it holds, then label it anew",
            )
        return self._superblock

    def _begin_writing(self) -> FileIndex:
        """The file that is written to, with everything behind the position forgotten.

        Before the first write of a session the superblock takes a new epoch, so that no remains of an earlier
        session continue this one.
        """
        end = self.end_of_data()
        at_end = (self._file, self._block) == (end.file, end.block)
        if not self._is_writing or not at_end:
            newest_epoch = max(self._durable.epoch, *(index.epoch for index in self._files[-1:]), 0)
            self._truncate()
            current = self._current()
            previous = self._files[self._file - 1] if self._file else None
            last_filemark = (previous.mark or previous.end - UNIT_BYTES) if previous else 0
            self._storage.flush()
            self._write_superblock(
                dataclasses.replace(
                    self._durable, epoch=newest_epoch + 1, end=current.start, records=current.first_number,
                    files=self._file, last_filemark=last_filemark,
                )  # fmt: skip
            )
            self._is_writing = True
        return self._current()

    def _truncate(self) -> None:
        if self._file < len(self._files):
            index = self._files[self._file]
            if self._block < len(index.distances):
                position = index.position(self._block)
                if position is None:
                    message = f"{self._where}: block {self._block} of file {self._file} cannot be found, nor replaced"
                    raise MediumError(message, self._file, self._block)
                index.end = position
            elif index.is_complete:
                index.end = index.mark or index.end
            kept = index.distances[: self._block]
            index.distances, index.is_complete, index.mark = array.array("I", kept), False, 0
            del self._files[self._file + 1 :]

    def _current(self) -> FileIndex:
        if self._file == len(self._files):
            previous = self._files[-1] if self._files else None
            start = previous.end if previous else FIRST_RECORD
            self._files.append(FileIndex(start, previous.next_number if previous else 0, end=start))
        return self._files[self._file]

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
    """What a filemark for so many blocks takes in the log: a head of 20 bytes, 4 for each block, 4 of checksum."""
    return recordlog.record_bytes(24 + 4 * blocks)
