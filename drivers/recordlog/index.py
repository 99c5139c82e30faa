"""Where every block of a record log lies: read from the filemarks, or found again record by record."""

import array
import dataclasses
from collections.abc import Iterator

from drivers.errors import MediumError
from drivers.recordlog.storage import Storage
from formats import block, recordlog
from formats.errors import Damaged
from formats.recordlog import FIRST_RECORD, UNIT_BYTES, FilemarkTable, RecordHeader, RecordKind, Superblock

LOST = 0xFFFFFFFF
"""Distance of a block whose record header cannot be read."""
RESYNC_BYTES = 64 << 20
"""How far a log without superblocks is searched for its next record before that counts as the end of data."""


@dataclasses.dataclass
class FileIndex:
    """One file of the log: where its blocks are, as distances in units from `start`.

    `mark` is the position of its filemark (0: not known), `end` the position behind the file's last record.
    """

    start: int
    first_number: int
    distances: "array.array[int]" = dataclasses.field(default_factory=lambda: array.array("I"))
    is_complete: bool = False
    mark: int = 0
    end: int = 0
    epoch: int = 0

    @property
    def next_number(self) -> int:
        """Number of the record behind the file."""
        return self.first_number + len(self.distances) + self.is_complete

    def position(self, block_number: int) -> int | None:
        """Where a block's record begins; None where it is lost."""
        units = self.distances[block_number]
        return None if units == LOST else self.start + units * UNIT_BYTES

    def add(self, block_number: int, position: int, epoch: int = 0) -> None:
        """Note where a block is; the blocks between the last known one and this one are lost."""
        self.epoch = epoch
        self.distances.extend([LOST] * (block_number - len(self.distances)))
        self.distances.append(recordlog.distance(self.start, position))

    def complete(self, blocks: int, mark: int, end: int, epoch: int = 0) -> None:
        """The file ends with its filemark at `mark`."""
        self.distances.extend([LOST] * (blocks - len(self.distances)))
        self.is_complete, self.mark, self.end, self.epoch = True, mark, end, epoch


class LogReader:
    """Reads superblocks and records of the log that lies at `start` of a storage."""

    def __init__(self, storage: Storage, start: int, size_bytes: int) -> None:
        """Look at the superblocks; nothing else is read yet."""
        self.storage = storage
        self.start = start
        self.size_bytes = size_bytes
        self.superblock = self._newest_superblock()
        self.log_id = self.superblock.log_id if self.superblock else self._log_id_of_first_record()

    @property
    def is_log(self) -> bool:
        """Whether there is a log here at all."""
        return self.log_id is not None

    def files(self) -> list[FileIndex]:
        """Every file of the log, the last one perhaps incomplete."""
        superblock = self.superblock
        if superblock is None:
            return self._found_again(self.size_bytes, RESYNC_BYTES, None)
        try:
            files = self._from_filemarks(superblock)
        except (Damaged, MediumError):
            files = self._found_again(superblock.end, superblock.end, superblock)
        self._add_tail(files, superblock)
        return files

    def record(self, position: int) -> RecordHeader:
        """The header of the record at a position. Raises Damaged or MediumError."""
        header = recordlog.parse_record_header(self.storage.read(self.start + position, UNIT_BYTES))
        self._check(header, position)
        return header

    def payload(self, position: int, size_bytes: int) -> tuple[RecordHeader, bytes]:
        """Header and payload of the record at a position; `size_bytes` of the storage are read at once where known.

        Raises Damaged or MediumError.
        """
        view = self.storage.read(self.start + position, size_bytes or UNIT_BYTES)
        header = recordlog.parse_record_header(view)
        self._check(header, position)
        whole = recordlog.HEADER_BYTES + header.length
        if len(view) < whole:
            view = self.storage.read(self.start + position, whole)
        if len(view) < whole:
            raise Damaged(f"record: cut off after {len(view)} of {whole} bytes")
        return header, bytes(view[recordlog.HEADER_BYTES : whole])

    def _check(self, header: RecordHeader, position: int) -> None:
        if header.position != position or header.log_id != self.log_id:
            raise Damaged("record: belongs to another log or place")
        if header.kind == RecordKind.BLOCK and header.length > block.LARGEST_BLOCK_BYTES:
            raise Damaged(f"record: a block of {header.length} bytes")
        if position + recordlog.record_bytes(header.length) > self.size_bytes:
            raise Damaged("record: reaches beyond the log")

    def _newest_superblock(self) -> Superblock | None:
        found = []
        for slot in (0, 1):
            try:
                unit = self.storage.read(self.start + slot * UNIT_BYTES, UNIT_BYTES)
                superblock = recordlog.parse_superblock(unit)
            except (Damaged, MediumError):
                continue
            found.append(superblock)
        return max(found, key=lambda superblock: superblock.generation, default=None)

    def _log_id_of_first_record(self) -> bytes | None:
        for position in range(FIRST_RECORD, min(self._readable_bytes, RESYNC_BYTES), UNIT_BYTES):
            try:
                header = recordlog.parse_record_header(self.storage.read(self.start + position, UNIT_BYTES))
            except (Damaged, MediumError):
                continue
            if header.position == position:
                return header.log_id
        return None

    @property
    def _readable_bytes(self) -> int:
        """The log's size, or less where an image file was cut."""
        return min(self.size_bytes, self.storage.size_bytes - self.start)

    def _from_filemarks(self, superblock: Superblock) -> list[FileIndex]:
        """The files before the superblock's end, by the chain of filemarks. Raises Damaged where it is broken."""
        files: list[FileIndex] = []
        position, end, next_number = superblock.last_filemark, superblock.end, superblock.records
        for file in range(superblock.files - 1, -1, -1):
            header, table = self._filemark(position)
            if header.file != file or header.number != next_number - 1 or header.block != len(table.distances):
                raise Damaged(f"filemark of file {file}: out of place")
            first_number = header.number - header.block
            if table.start > position or (table.start == FIRST_RECORD) != (file == 0):
                raise Damaged(f"filemark of file {file}: wrong start {table.start}")
            index = FileIndex(table.start, first_number, table.distances)
            index.complete(len(table.distances), position, end, header.epoch)
            files.append(index)
            position, end, next_number = table.previous, table.start, first_number
        if next_number != 0 or end != FIRST_RECORD:
            raise Damaged("filemarks: the chain does not reach the first record")
        files.reverse()
        return files

    def _filemark(self, position: int) -> tuple[RecordHeader, FilemarkTable]:
        header, payload = self.payload(position, 0)
        if header.kind != RecordKind.FILEMARK:
            raise Damaged("filemark: another record is in its place")
        return header, recordlog.parse_filemark_table(payload)

    def _add_tail(self, files: list[FileIndex], superblock: Superblock) -> None:
        """Follow the records that continue the log behind what the superblock knows (SPEC.md section 13.3)."""
        position, number = superblock.end, superblock.records
        epoch = files[-1].epoch if files else 0
        current = FileIndex(position, number, end=position)
        while position < self.size_bytes:
            try:
                header = self.record(position)
                follows = (header.number, header.file, header.block) == (number, len(files), len(current.distances))
                if not follows or header.epoch < epoch:
                    break
                if header.kind == RecordKind.FILEMARK:
                    self._filemark(position)
            except (Damaged, MediumError):
                break
            epoch, number = header.epoch, number + 1
            behind = position + recordlog.record_bytes(header.length)
            if header.kind == RecordKind.FILEMARK:
                current.complete(header.block, position, behind, epoch)
                files.append(current)
                current = FileIndex(behind, number, end=behind)
            else:
                current.add(header.block, position, epoch)
                current.end = behind
            position = behind
        if current.distances:
            files.append(current)

    def _found_again(self, bound: int, patience_bytes: int, superblock: Superblock | None) -> list[FileIndex]:
        """The files before `bound`, record by record, stepping over what is damaged."""
        files: list[FileIndex] = []
        current = FileIndex(FIRST_RECORD, 0, end=FIRST_RECORD)
        for header in self._scan(bound, patience_bytes):
            if header.file > len(files):  # the filemark between was lost
                first_number = header.number - header.block
                start = header.position if header.block == 0 else current.end
                current.complete(max(0, first_number - 1 - current.first_number), 0, start)
                files.append(current)
                while len(files) < header.file:
                    files.append(FileIndex(start, first_number, is_complete=True, end=start))
                current = FileIndex(start, first_number, end=start)
            behind = header.position + recordlog.record_bytes(header.length)
            if header.kind == RecordKind.FILEMARK:
                current.complete(header.block, header.position, behind, header.epoch)
                files.append(current)
                current = FileIndex(behind, header.number + 1, end=behind)
            else:
                current.add(header.block, header.position, header.epoch)
                current.end = behind
        if superblock is not None:
            missing = superblock.files - len(files)
            if missing > 0:
                current.complete(max(0, superblock.records - missing - current.first_number), 0, superblock.end)
                files.append(current)
                last = FileIndex(superblock.end, superblock.records, is_complete=True, end=superblock.end)
                files += [dataclasses.replace(last, first_number=superblock.records - i) for i in range(missing - 1, 0, -1)]
        elif current.distances:
            files.append(current)
        return files

    def _scan(self, bound: int, patience_bytes: int) -> Iterator[RecordHeader]:
        """The valid record headers before `bound`, in order."""
        bound = min(bound, self._readable_bytes)
        position, number, file, epoch, last_good = FIRST_RECORD, 0, 0, 0, FIRST_RECORD
        while position < bound and position - last_good <= patience_bytes:
            try:
                header = self.record(position)
                if header.number < number or header.file < file or header.epoch < epoch:
                    raise Damaged("record: an old one")
                if header.block + header.file > header.number:
                    raise Damaged("record: its numbers do not agree")
            except (Damaged, MediumError):
                position += UNIT_BYTES
                continue
            yield header
            position += recordlog.record_bytes(header.length)
            number, file, epoch, last_good = header.number + 1, header.file, header.epoch, position
