"""The catalog of a segment on its way to the cartridge, or from it: many members, little memory."""

import contextlib
import tempfile
from collections.abc import Iterator
from typing import NamedTuple

from drivers.base import Drive
from formats.block import Kind
from formats.catalog import NO_DIGEST, NOT_IN_STREAM, Entry, TableBuilder, parse_table
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

    def __getitem__(self, number: int) -> StoredTable:
        first, plain_bytes, place, size = self._places[number]
        self._file.seek(place)
        return StoredTable(first, plain_bytes, self._file.read(size))

    def __iter__(self) -> Iterator[StoredTable]:
        return (self[number] for number in range(len(self)))

    def entries(self) -> Iterator[Entry]:
        """Every member, in order."""
        for table in self:
            yield from table.entries()

    def close(self) -> None:
        """Forget everything."""
        self._file.close()


class Ended(NamedTuple):
    """The catalog of a segment that ends."""

    whole: int
    """So many of the builder's tables stand in it as they are, before `tables`."""
    tables: tuple[StoredTable, ...]
    members: int
    problems: int
    next_first: int
    """Ordinal of the first member in the next segment's catalog."""
    rest: tuple[Entry, ...]
    """Members of the next segment that are known already."""


class CatalogBuilder(contextlib.AbstractContextManager["CatalogBuilder"]):
    """Collects the members of a segment while it is written, and of the next one behind it."""

    def __init__(self, cut: int, first: int = 0) -> None:
        """Tables of at most `cut` plain bytes; the first member has the ordinal `first`."""
        self.tables = TableStore()
        self.first = first
        self.members = 0
        self._cut = cut
        self._builder = TableBuilder(first, cut)
        self._problems = 0
        self._counts: list[tuple[int, int]] = []
        """Members and problems of each table."""
        self._compressor = ZstdCompressor()

    def __exit__(self, *_exception: object) -> None:
        self.tables.close()

    def add(self, entry: Entry) -> None:
        """Take a member. Raises TooLarge where it fits no block."""
        if not self._builder.add(entry):
            self._finish_table()
            self._builder.add(entry)
        self.members += 1
        self._problems += entry.has_problem

    @property
    def problems(self) -> int:
        """Members of the segment that were not saved whole and still."""
        return self._sums(len(self.tables))[1] + self._problems

    def needed_bytes(self, overhead_bytes: int) -> int:
        """At most what the tables take on the medium if the catalog ended here; each block costs an overhead."""
        unfinished = 2  # the table that is being filled, and the one that the members of the next block may begin
        return self.tables.stored_bytes + unfinished * self._cut + (len(self.tables) + unfinished) * overhead_bytes

    def finish(self) -> Ended:
        """The catalog with all members."""
        self._finish_table()
        return Ended(len(self.tables), (), *self._sums(len(self.tables)), self.first + self.members, ())

    def until(self, border: int, end: int, unfinished: Entry | None) -> Ended:
        """The catalog of what begins before the stream offset `border`; the stream is known up to `end`.

        `unfinished` is a member that is being saved, and added when that is over. One that goes on behind the border
        stands in both catalogs, in the first without its digest. Nothing changes here before `go_on`.
        """
        self._finish_table()
        whole, tail = len(self.tables), [] if unfinished is None else [unfinished]
        while whole and not any(entry.offset < border for entry in tail):  # what is not in the stream never is
            whole -= 1
            tail = self.tables[whole].entries() + tail
        last = max((number for number, entry in enumerate(tail) if entry.offset < border), default=-1)
        behind = next((n for n in range(last + 1, len(tail)) if tail[n].offset != NOT_IN_STREAM), len(tail))
        split = next_first = behind
        if last >= 0 and (end if behind == len(tail) else tail[behind].offset) > border:
            split, next_first = last + 1, last
        rest = tail[next_first : len(tail) - (unfinished is not None)]
        kept = tail[:split]
        if next_first < split:
            kept[-1] = kept[-1]._replace(sha256=NO_DIGEST)
        members, problems = self._sums(whole)
        first = self.first + members
        return Ended(
            whole, tuple(self._tables_of(first, kept)), members + split,
            problems + sum(entry.has_problem for entry in kept), first + next_first, tuple(rest),
        )  # fmt: skip

    def stored(self, ended: Ended) -> Iterator[tuple[StoredTable, bool]]:
        """The tables of a catalog, and whether each is the last."""
        count = ended.whole + len(ended.tables)
        for number in range(count):
            table = self.tables[number] if number < ended.whole else ended.tables[number - ended.whole]
            yield table, number == count - 1

    def go_on(self, ended: Ended) -> None:
        """That catalog is written: what is collected from here on is the next segment's."""
        self.tables.close()
        self.tables, self._counts = TableStore(), []
        self.first, self.members, self._problems = ended.next_first, 0, 0
        self._builder = TableBuilder(self.first, self._cut)
        for entry in ended.rest:
            self.add(entry)

    def _sums(self, tables: int) -> tuple[int, int]:
        counts = self._counts[:tables]
        return sum(members for members, _ in counts), sum(problems for _, problems in counts)

    def _tables_of(self, first: int, entries: list[Entry]) -> Iterator[StoredTable]:
        builder = TableBuilder(first, self._cut)
        for entry in entries:
            if not builder.add(entry):
                yield self._stored(builder)
                builder = TableBuilder(builder.first + len(builder), self._cut)
                builder.add(entry)
        if len(builder):
            yield self._stored(builder)

    def _stored(self, builder: TableBuilder) -> StoredTable:
        plain = builder.build()
        frame = self._compressor.compress(memoryview(plain))
        return StoredTable(builder.first, len(plain), plain if frame is None else frame)

    def _finish_table(self) -> None:
        if not len(self._builder):
            return
        self.tables.append(self._stored(self._builder))
        self._counts.append((len(self._builder), self._problems))
        self._problems = 0
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
