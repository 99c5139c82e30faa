"""The catalog on its way to the cartridge and back."""

import random

import pytest

from formats import block, catalog
from formats.block import BlockHead, Kind
from formats.catalog import Entry
from formats.errors import TooLarge
from tapekit.blocks.codec import ZstdCompressor
from tapekit.cartridge import catalog as module
from tapekit.cartridge.cartridge import Cartridge, Segment
from tapekit.cartridge.catalog import CatalogBuilder, StoredTable, TableStore, read_catalog
from tests.blocks.list_drive import ListDrive, unreadable
from tests.cartridge.archives import file, new_cartridge, write_archive

EMPTY = Entry(b"f", 0, 0o644, 0, 0, b"", b"", b"", 0, 0, 0, 0, 0, 0, 0, 0, bytes(32), b"", b"")
FILE = 2


def entries(count: int, *, path_bytes: int = 30) -> list[Entry]:
    rng = random.Random(count)
    return [EMPTY._replace(path=rng.randbytes(path_bytes), sha256=rng.randbytes(32), size=n) for n in range(count)]


def built(found: list[Entry], cut: int = 4000, first: int = 0) -> CatalogBuilder:
    builder = CatalogBuilder(cut, first)
    for entry in found:
        builder.add(entry)
    return builder


def test_many_members_in_tables_of_their_size() -> None:
    wanted = entries(500)
    builder = built(wanted, first=7)
    builder.finish()
    with builder.tables as tables:
        assert list(tables.entries()) == wanted
        assert list(tables.entries()) == wanted
        assert len(tables) > 10
        assert all(table.plain_bytes <= 4000 for table in tables)
        first = 7
        for table in tables:
            assert table.first == first
            first += len(table.entries())
    assert (builder.members, builder.problems, first) == (500, 0, 507)


def test_no_members() -> None:
    with CatalogBuilder(4000) as builder:
        assert builder.finish() == (0, (), 0, 0, 0, ())
        assert list(builder.stored(builder.finish())) == []


def test_problems_are_counted() -> None:
    flagged = [EMPTY._replace(flags=flags) for flags in (0, 1, 2, 4, 8, 16)] + [EMPTY._replace(type=b"s", flags=4)]
    builder = built(flagged)
    assert builder.problems == 3
    builder.tables.close()


def test_a_member_that_fits_no_block_leaves_the_others_alone() -> None:
    builder = built(entries(3))
    with pytest.raises(TooLarge):
        builder.add(EMPTY._replace(path=bytes(4000)))
    builder.add(EMPTY._replace(path=b"behind"))
    builder.finish()
    with builder.tables as tables:
        assert [entry.path for entry in tables.entries()] == [e.path for e in entries(3)] + [b"behind"]


@pytest.mark.parametrize("count", (1, 20, 21, 300))
def test_needed_bytes_is_enough(count: int) -> None:
    builder = built(entries(count))
    needed = builder.needed_bytes(100)
    builder.finish()
    with builder.tables as tables:
        assert sum(100 + len(table.stored) for table in tables) <= needed


def test_a_store_over_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind the limit the tables go on in a file; iterations do not disturb each other, nor what is appended."""
    monkeypatch.setattr(module, "IN_MEMORY_BYTES", 10_000)
    rng = random.Random(5)
    tables = [StoredTable(n, 1000, rng.randbytes(rng.randint(100, 1000))) for n in range(100)]
    with TableStore() as store:
        for table in tables[:50]:
            store.append(table)
        one, two = iter(store), iter(store)
        assert [next(one) for _ in range(10)] == tables[:10]
        assert [next(two) for _ in range(5)] == tables[:5]
        for table in tables[50:]:
            store.append(table)
        assert [next(one) for _ in range(10)] == tables[10:20]
        assert list(store) == tables
        assert store._file._rolled  # type: ignore[attr-defined]
        assert store.stored_bytes == sum(len(table.stored) for table in tables)
    with pytest.raises(ValueError, match="closed"):
        next(iter(store))


def test_stored_as_it_is_or_compressed() -> None:
    builder = built([EMPTY] * 20)
    builder.finish()
    (table,) = builder.tables
    assert table.is_compressed
    assert table.entries() == [EMPTY] * 20
    plain = catalog.TableBuilder(0, 4000)
    plain.add(EMPTY)
    data = plain.build()
    assert not StoredTable(0, len(data), data).is_compressed
    assert StoredTable(0, len(data), data).entries() == [EMPTY]
    builder.tables.close()


# --- from the cartridge ---------------------------------------------------------------------------------------------

COUNT = 300


@pytest.fixture
def drive() -> ListDrive:
    made = new_cartridge()
    write_archive(made, tuple(file(f"{n:040}", b"") for n in range(COUNT)))
    return made


def opened(drive: ListDrive) -> Segment:
    return Cartridge(drive, drive.state, None).read_segment(FILE)


def catalog_blocks(drive: ListDrive) -> range:
    trailer = opened(drive).trailer
    assert trailer is not None
    return range(trailer.catalog_block, trailer.catalog_block + trailer.blocks.catalog)


def test_read(drive: ListDrive) -> None:
    assert len(catalog_blocks(drive)) > 3
    found = read_catalog(drive, opened(drive))
    with found.tables:
        assert found.is_whole
        assert [entry.path for entry in found.tables.entries()] == [b"%040d" % n for n in range(COUNT)]


@pytest.mark.parametrize("hit", (0, 1, -1))
def test_a_lost_block_takes_its_own_table_alone(drive: ListDrive, hit: int) -> None:
    numbers = catalog_blocks(drive)
    drive.files[FILE].blocks[numbers[hit]] = unreadable(FILE, numbers[hit])
    found = read_catalog(drive, opened(drive))
    with found.tables:
        assert not found.is_whole
        assert len(found.problems) == 1
        assert found.problems[0].startswith(f"catalog: block {numbers[hit]} of file 2: list: block")
        assert len(found.tables) == len(numbers) - 1
        assert 0 < len(list(found.tables.entries())) < COUNT


def replaced(drive: ListDrive, number: int, payload: bytes, **changes: int) -> None:
    """Another payload in a block's place, everything else as it should be."""
    data = drive.files[FILE].blocks[number]
    assert isinstance(data, bytes)
    header = block.parse(data)
    head = BlockHead(
        kind=changes.get("kind", header.kind), flags=changes.get("flags", 0), payload_bytes=len(payload),
        archive=header.archive, segment=header.segment, parity_group=header.parity_group, sequence=header.sequence,
        stream_offset=changes.get("stream_offset", header.stream_offset),
        plain_bytes=changes.get("plain_bytes", len(payload)),
    )  # fmt: skip
    drive.files[FILE].blocks[number] = block.seal(block.authenticated(head), payload) + payload


def table(count: int, first: int) -> bytes:
    builder = catalog.TableBuilder(first, 1 << 20)
    for entry in entries(count):
        assert builder.add(entry)
    return builder.build()


def test_bad_tables(drive: ListDrive) -> None:
    first, second, third, *_ = catalog_blocks(drive)
    replaced(drive, first, b"no table")
    replaced(drive, second, table(5, 99), stream_offset=98)
    replaced(drive, third, b"x", kind=Kind.DATA)
    found = read_catalog(drive, opened(drive))
    with found.tables:
        assert [problem.split(": ", 2)[2] for problem in found.problems] == [
            "catalog table: no catalog magic",
            "its first member is not the one that the block says",
            "another kind of block is in its place",
        ]


def test_members_are_counted(drive: ListDrive) -> None:
    number = catalog_blocks(drive)[0]
    replaced(drive, number, table(5, 0))
    found = read_catalog(drive, opened(drive))
    with found.tables:
        assert len(found.problems) == 1
        assert "the trailer says 300" in found.problems[0]


def test_a_frame_that_gained_nothing_is_read_all_the_same(drive: ListDrive) -> None:
    """tapekit stores such a table as it is; another writer need not."""
    number = catalog_blocks(drive)[0]
    plain = table(1, 0)
    frame = ZstdCompressor()._frame(memoryview(plain))
    while len(frame) < len(plain):  # pad with empty raw blocks before the rest
        header_bytes = 6
        frame = frame[:header_bytes] + bytes(3) + frame[header_bytes:]
    replaced(drive, number, frame, flags=int(block.Flags.COMPRESSED), plain_bytes=len(plain))
    found = read_catalog(drive, opened(drive))
    with found.tables:
        assert next(iter(found.tables.entries())) == entries(1)[0]


def test_an_incomplete_segment_has_none(drive: ListDrive) -> None:
    drive.files[FILE].blocks.pop()
    found = read_catalog(drive, opened(drive))
    with found.tables:
        assert not found.is_whole
        assert len(found.tables) == 0
        assert "incomplete" in found.problems[0]


def test_an_archive_without_members() -> None:
    made = new_cartridge()
    write_archive(made, ())
    found = read_catalog(made, opened(made))
    with found.tables:
        assert (found.is_whole, len(found.tables)) == (True, 0)
