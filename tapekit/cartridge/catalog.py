"""The catalog of a segment on its way to the cartridge, or from it: many members, little memory."""

import contextlib
import tempfile
from collections.abc import Iterator
from typing import NamedTuple

from drivers.base import Drive
from formats.block import Kind
from formats.catalog import Entry, TableBuilder, parse_table
from formats.errors import Damaged
from tapekit.blocks.codec import ZstdCompressor, decompress
from tapekit.blocks.read import BadBlock, FileEnd, GoodBlock, expanded, read_blocks, unsealed
from tapekit.cartridge.cartridge import Segment

IN_MEMORY_BYTES = 32 << 20


class StoredTable(NamedTuple):
    """A catalog table as it is stored: a zstd frame, or the plain bytes where that is not shorter."""

    first: int
    plain_bytes: int
    stored: bytes

    @property
    def is_compressed(self) -> bool:
        """Whether `stored` is a zstd frame."""
        return len(self.stored) < self.plain_bytes

    def entries(self) -> list[Entry]:
        """The members in it."""
        return parse_table(decompress(self.stored, self.plain_bytes) if self.is_compressed else self.stored)[1]


class TableStore(contextlib.AbstractContextManager["TableStore"]):
    """Keeps tables in order; over 32 MiB in a temporary file without a name."""

    def __init__(self) -> None:
        """Begin empty."""
        self.stored_bytes = 0
        self._places: list[tuple[int, int, int, int]] = []
        self._file = tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES)  # noqa: SIM115 - closed by `close`

    def __len__(self) -> int:
        return len(self._places)

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def append(self, table: StoredTable) -> None:
        """Take the next table."""
        self._file.seek(self.stored_bytes)
        self._file.write(table.stored)
        self._places.append((table.first, table.plain_bytes, self.stored_bytes, len(table.stored)))
        self.stored_bytes += len(table.stored)

    def __iter__(self) -> Iterator[StoredTable]:
        for first, plain_bytes, place, size in self._places:
            self._file.seek(place)
            yield StoredTable(first, plain_bytes, self._file.read(size))

    def entries(self) -> Iterator[Entry]:
        """Every member, in order."""
        for table in self:
            yield from table.entries()

    def close(self) -> None:
        """Forget everything."""
        self._file.close()


class CatalogBuilder:
    """Collects the members of a segment while it is written."""

    def __init__(self, cut: int, first: int = 0) -> None:
        """Tables of at most `cut` plain bytes; the first member has the ordinal `first`."""
        self.tables = TableStore()
        self.members = 0
        self.problems = 0
        self._cut = cut
        self._builder = TableBuilder(first, cut)
        self._compressor = ZstdCompressor()

    def add(self, entry: Entry) -> None:
        """Take a member. Raises TooLarge where it fits no block."""
        if not self._builder.add(entry):
            self._finish_table()
            self._builder.add(entry)
        self.members += 1
        self.problems += entry.has_problem

    def finish(self) -> TableStore:
        """All tables; nothing can be added afterwards."""
        if len(self._builder):
            self._finish_table()
        return self.tables

    def needed_bytes(self, overhead_bytes: int) -> int:
        """At most what the tables take on the medium if the catalog ended here; each block costs an overhead."""
        unfinished = 2  # the table that is being filled, and the one that the members of the next block may begin
        return self.tables.stored_bytes + unfinished * self._cut + (len(self.tables) + unfinished) * overhead_bytes

    def _finish_table(self) -> None:
        plain = self._builder.build()
        frame = self._compressor.compress(memoryview(plain))
        self.tables.append(StoredTable(self._builder.first, len(plain), plain if frame is None else frame))
        self._builder = TableBuilder(self._builder.first + len(self._builder), self._cut)


class Catalog(NamedTuple):
    """A segment's catalog as far as it can be read; `problems` says what is damaged in it."""

    tables: TableStore
    problems: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Whether every member of the segment is in it."""
        return not self.problems


def read_catalog(drive: Drive, segment: Segment) -> Catalog:
    """The catalog of a segment. Close `tables` after use. Raises KeyNeeded for one that nothing has opened."""
    tables = TableStore()
    try:
        return Catalog(tables, tuple(_read_tables(drive, segment, tables)))
    except BaseException:
        tables.close()
        raise


def _read_tables(drive: Drive, segment: Segment, tables: TableStore) -> list[str]:
    """Fill in what can be read; what is damaged."""
    trailer, problems = segment.trailer, []
    if trailer is None:
        return ["catalog: the segment is incomplete, it has none"]
    wanted, found, members = trailer.blocks.catalog, 0, 0
    with read_blocks(drive, segment.file, trailer.catalog_block, segment.expected()) as items:
        for item in items:
            if found == wanted or isinstance(item, FileEnd):
                break
            if isinstance(item, BadBlock):
                problems.append(f"catalog: block {item.number} of file {segment.file}: {item.why}")
                continue
            if item.header.kind == Kind.PARITY:
                continue
            if item.header.kind == Kind.TRAILER:
                break
            found += 1
            try:
                table, entries = _table(item, segment)
            except Damaged as error:
                problems.append(f"catalog: block {item.number} of file {segment.file}: {error}")
                continue
            members += entries
            tables.append(table)
    if len(tables) == wanted:
        problems = []  # what was bad among them was parity
    if not problems and members != trailer.members:
        problems.append(f"catalog: {members} members, the trailer says {trailer.members}")
    return problems


def _table(item: GoodBlock, segment: Segment) -> tuple[StoredTable, int]:
    """The table in a block, and how many members are in it. Raises Damaged and KeyNeeded."""
    header = item.header
    if header.kind != Kind.CATALOG:
        raise Damaged("another kind of block is in its place")
    stored = bytes(unsealed(item, segment.cipher))
    plain = bytes(expanded(header, stored))
    first, entries = parse_table(plain)
    if first != header.stream_offset:
        raise Damaged("its first member is not the one that the block says")
    return StoredTable(first, len(plain), stored if len(stored) < len(plain) else plain), len(entries)
