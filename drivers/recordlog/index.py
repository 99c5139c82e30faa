"""Where every block of a record log lies: read from the filemarks, or found again record by record."""

import array
import contextlib
import dataclasses
from collections.abc import Iterator

from drivers.errors import MediumError
from drivers.recordlog.storage import Storage
from formats import recordlog
from formats.errors import Damaged
from formats.recordlog import FIRST_RECORD, UNIT_BYTES, FilemarkTable, RecordHeader, RecordKind, Superblock

LOST = 0xFFFFFFFF
"""Distance of a block whose record header cannot be read."""
MOST_LOST = 1 << 22
"""How many records may be missing from a log before one that claims more is taken for damaged."""
RESYNC_BYTES = 64 << 20
"""How far a log without superblocks is searched for its next record before that counts as the end of data."""
_SEARCH_BYTES = 1 << 20
"""How much of it is read at once."""


@dataclasses.dataclass(slots=True)
class FileIndex:
    """One file of the log: where its blocks are, as distances in units from `start`.

    `mark` is the position of its filemark (0: not known), `end` the position behind the file's last record,
    `epoch` that of its last known record: no record of the file has a higher one.
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

    def add(self, block_number: int, position: int, epoch: int) -> None:
        """Note where a block is; the blocks between the last known one and this one are lost."""
        self.epoch = epoch
        self._lose_up_to(block_number)
        self.distances.append(recordlog.distance(self.start, position))

    def complete(self, blocks: int, mark: int, end: int, epoch: int) -> None:
        """The file ends with its filemark at `mark`."""
        self._lose_up_to(blocks)
        self.is_complete, self.mark, self.end, self.epoch = True, mark, end, epoch

    def _lose_up_to(self, blocks: int) -> None:
        self.distances.extend(array.array("I", (LOST,)) * (blocks - len(self.distances)))


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
            files, current = self._found_again(self.size_bytes, RESYNC_BYTES)
            return [*files, current] if current.distances else files
        files = self._before_end(superblock)
        self._add_tail(files, superblock)
        return files

    def record(self, position: int) -> RecordHeader:
        """The header of the record at a position. Raises Damaged or MediumError."""
        header = recordlog.parse_record_header(self.storage.read(self.start + position, UNIT_BYTES))
        self._check(header, position)
        return header

    def block(self, position: int, size_bytes: int) -> tuple[RecordHeader, bytes]:
        """Header and payload of the block record at a position; `size_bytes` are read at once where that is known.

        Raises Damaged or MediumError.
        """
        view = self.storage.read(self.start + position, size_bytes or UNIT_BYTES)
        header = recordlog.parse_record_header(view)
        self._check(header, position)
        if header.kind != RecordKind.BLOCK:
            raise Damaged("record: not that of a block")
        whole = recordlog.HEADER_BYTES + header.length
        if len(view) < whole:
            view = self.storage.read(self.start + position, whole)
        if len(view) < whole:
            raise Damaged(f"record: cut off after {len(view)} of {whole} bytes")
        return header, bytes(view[recordlog.HEADER_BYTES : whole])

    def _check(self, header: RecordHeader, position: int) -> None:
        recordlog.check_place(header, self.log_id, position)
        if position + recordlog.HEADER_BYTES + header.length > self.size_bytes:
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
        end = min(self._readable_bytes, RESYNC_BYTES)
        for start in range(FIRST_RECORD, end, _SEARCH_BYTES):
            for position, unit in self._units(start, min(start + _SEARCH_BYTES, end)):
                with contextlib.suppress(Damaged):
                    header = recordlog.parse_record_header(unit)
                    if header.position == position:
                        return header.log_id
        return None

    def _units(self, start: int, end: int) -> Iterator[tuple[int, memoryview]]:
        """The readable units of a stretch, read at once; one by one where the medium has a bad place in it."""
        try:
            stretch = self.storage.read(self.start + start, end - start)
        except MediumError:
            for position in range(start, end, UNIT_BYTES):
                with contextlib.suppress(MediumError):
                    yield position, self.storage.read(self.start + position, UNIT_BYTES)
            return
        for place in range(0, len(stretch), UNIT_BYTES):
            yield start + place, stretch[place : place + UNIT_BYTES]

    @property
    def _readable_bytes(self) -> int:
        """The log's size, or less where an image file was cut."""
        return min(self.size_bytes, self.storage.size_bytes - self.start)

    def _before_end(self, superblock: Superblock) -> list[FileIndex]:
        """The files before the superblock's end.

        The chain of filemarks leads from the last one back; what is before a broken link is found record by record.
        """
        files: list[FileIndex] = []
        position, end, next_number = superblock.last_filemark, superblock.end, superblock.records
        for file in range(superblock.files - 1, -1, -1):
            try:
                index, position_before = self._file_of(position, file, next_number, end)
            except (Damaged, MediumError):
                files.extend(reversed(self._found_before(end, next_number, file + 1)))
                break
            files.append(index)
            position, end, next_number = position_before, index.start, index.first_number
        files.reverse()
        return files

    def _file_of(self, mark: int, file: int, next_number: int, end: int) -> tuple[FileIndex, int]:
        """The file that the filemark at `mark` ends, and where the mark before is. Raises Damaged, MediumError."""
        header, table = self._filemark(mark)
        if (header.file, header.number, header.block) != (file, next_number - 1, len(table.distances)):
            raise Damaged(f"filemark of file {file}: out of place")
        first_number = header.number - header.block
        if not FIRST_RECORD <= table.start <= mark < end or (file == 0) != (first_number == 0):
            raise Damaged(f"filemark of file {file}: wrong start {table.start}")
        index = FileIndex(table.start, first_number, table.distances)
        index.complete(len(table.distances), mark, end, header.epoch)
        return index, table.previous

    def _filemark(self, position: int) -> tuple[RecordHeader, FilemarkTable]:
        header = self.record(position)
        if header.kind != RecordKind.FILEMARK:
            raise Damaged("filemark: another record is in its place")
        payload = self.start + position + recordlog.HEADER_BYTES
        table = recordlog.read_filemark_table(
            header.length, lambda offset, size: self.storage.read(payload + offset, size)
        )
        return header, table

    def _add_tail(self, files: list[FileIndex], superblock: Superblock) -> None:
        """Follow the records that continue the log behind what the superblock knows (SPEC.md section 13.3)."""
        position, before = superblock.end, _last_before_end(files, superblock)
        current = FileIndex(position, superblock.records, end=position)
        while position < self.size_bytes:
            try:
                header = self.record(position)
                recordlog.check_continues(before, header)
                if header.kind == RecordKind.FILEMARK:
                    self._filemark(position)
            except (Damaged, MediumError):
                break
            before = header
            behind = position + recordlog.record_bytes(header.length)
            if header.kind == RecordKind.FILEMARK:
                current.complete(header.block, position, behind, header.epoch)
                files.append(current)
                current = FileIndex(behind, header.number + 1, end=behind)
            else:
                current.add(header.block, position, header.epoch)
                current.end = behind
            position = behind
        if current.distances:
            files.append(current)

    def _found_before(self, end: int, records: int, count: int) -> list[FileIndex]:
        """As many files as end before `end`, the last of them with a filemark that is lost; `records` are before it."""
        files, current = self._found_again(end, end)
        return _with_lost(files[:count], current, count - len(files), records, end)[:count]

    def _found_again(self, bound: int, patience_bytes: int) -> tuple[list[FileIndex], FileIndex]:
        """The files before `bound`, record by record, stepping over what is damaged, and what is behind the last."""
        files: list[FileIndex] = []
        current = FileIndex(FIRST_RECORD, 0, end=FIRST_RECORD)
        for header in self._scan(bound, patience_bytes):
            if header.file > len(files):  # the filemarks between were lost
                first_number = header.number - header.block
                start = header.position if header.block == 0 else current.end
                files = _with_lost(files, current, header.file - len(files), first_number, start)
                current = FileIndex(start, first_number, end=start, epoch=current.epoch)
            behind = header.position + recordlog.record_bytes(header.length)
            if header.kind == RecordKind.FILEMARK:
                current.complete(header.block, header.position, behind, header.epoch)
                files.append(current)
                current = FileIndex(behind, header.number + 1, end=behind, epoch=header.epoch)
            else:
                current.add(header.block, header.position, header.epoch)
                current.end = behind
        return files, current

    def _scan(self, bound: int, patience_bytes: int) -> Iterator[RecordHeader]:
        """The valid record headers before `bound`, in order."""
        bound = min(bound, self._readable_bytes)
        position, last_good = FIRST_RECORD, FIRST_RECORD
        last: RecordHeader | None = None
        lost = 0
        while position < bound and position - last_good <= patience_bytes:
            try:
                header = self.record(position)
                if last is not None:
                    _check_order(last, header)
                missing = header.number - (last.number + 1 if last else 0)
                if lost + missing > MOST_LOST:
                    raise Damaged("record: too many are missing before it")
            except (Damaged, MediumError):
                position += UNIT_BYTES
                continue
            lost += missing
            yield header
            position += recordlog.record_bytes(header.length)
            last, last_good = header, position


def _with_lost(files: list[FileIndex], current: FileIndex, lost: int, next_number: int, start: int) -> list[FileIndex]:
    """`files`, then `current` and what else was before record `next_number` at `start`, with `lost` filemarks lost.

    Of the records that are missing, one is each filemark; the others are taken for blocks of `current`.
    """
    files = list(files)
    for number in range(next_number - lost, next_number):
        blocks = max(len(current.distances), min(number - current.first_number, MOST_LOST))
        current.complete(blocks, 0, start, current.epoch)
        files.append(current)
        current = FileIndex(start, number + 1, end=start, epoch=current.epoch)
    return files


def _last_before_end(files: list[FileIndex], superblock: Superblock) -> RecordHeader | None:
    """The filemark before the superblock's end, as far as the next record has to agree with it."""
    if not superblock.records:
        return None
    return RecordHeader(
        kind=RecordKind.FILEMARK, number=superblock.records - 1, position=superblock.last_filemark,
        epoch=max((index.epoch for index in files), default=0), file=superblock.files - 1, block=0, length=0,
        log_id=superblock.log_id,
    )  # fmt: skip


def _check_order(last: RecordHeader, header: RecordHeader) -> None:
    """Raises Damaged where a record cannot stand behind another, whatever was lost between them."""
    gap = header.number - last.number
    is_same_file = header.file == last.file and last.kind == RecordKind.BLOCK
    if is_same_file:
        is_possible = header.block == last.block + gap
    else:
        first_behind = last.file + (last.kind == RecordKind.FILEMARK)
        is_possible = header.file >= first_behind and gap > header.block + header.file - first_behind
    if gap < 1 or header.epoch < last.epoch or not is_possible:
        raise Damaged("record: an old one, or of another place")
