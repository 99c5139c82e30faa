"""Correction: whatever is lost of a group within its means comes back as it was, and nothing else ever does."""

import dataclasses
import itertools
import random
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats import block, parity
from formats.block import BlockHead, Kind
from formats.segment import ParityScheme
from tapekit.blocks.codec import Compressor, NoCompressor, ZstdCompressor
from tapekit.blocks.correct import CorrectingDrive, correcting
from tapekit.blocks.parity import scheme_for
from tapekit.blocks.read import BadBlock, Expected, FileEnd, GoodBlock, read_blocks, read_one
from tapekit.blocks.write import SegmentWriter
from tests.blocks.list_drive import ListDrive, unreadable

ARCHIVE = bytes(range(16))
BLOCK_BYTES = 4096
CUT = BLOCK_BYTES - 144
EXPECTED = Expected(ARCHIVE, 3, 100)
RNG = random.Random(6)
NOISE = RNG.randbytes(400 * CUT)
SCHEME = ParityScheme("rs8", 4, 2, 3, BLOCK_BYTES - parity.OVERHEAD_BYTES)


def written(
    blocks: int, scheme: ParityScheme = SCHEME, compressor: Compressor | None = None, trailer: bytes = b"{}"
) -> ListDrive:  # fmt: skip
    """A segment as a backup writes it: header, data, a catalog table, the trailer within the last group and behind."""
    drive = ListDrive()
    writer = SegmentWriter(drive, ARCHIVE, 3, 100, BLOCK_BYTES, compressor or NoCompressor(), parity=scheme)
    with writer.threads():
        writer.write_document(Kind.HEADER, b"h" * 5000)
        for number in range(blocks):
            buffer = writer.buffer()
            plain = NOISE[number * CUT : (number + 1) * CUT] if number % 3 else bytes(CUT)
            buffer[128 : 128 + CUT] = plain
            writer.write_data(buffer, CUT, number * CUT)
        writer.write_table(b"table", 5, 0, last=True)
        writer.write_document(Kind.TRAILER, trailer)
        writer.close_group()
        writer.write_document(Kind.TRAILER, trailer, is_protected=False)
        writer.drain()
    drive.files[0].has_filemark = True
    return drive


def damaged(drive: ListDrive, numbers: Iterable[int]) -> ListDrive:
    """A copy with blocks that cannot be read, or have a wrong bit, or are another block."""
    copy = ListDrive(list(drive.files[0].blocks))
    blocks = copy.files[0].blocks
    for number in numbers:
        data = blocks[number]
        assert isinstance(data, bytes)
        bit = bytes((data[-1] ^ 1,))
        blocks[number] = (unreadable(0, number), data[:-1] + bit, data[:50], b"", bytes(len(data)))[number % 5]
    return copy


def read_all(drive: ListDrive | CorrectingDrive) -> list[GoodBlock | BadBlock]:
    with read_blocks(drive, 0, 0, EXPECTED) as items:
        return [item for item in items if not isinstance(item, FileEnd)]


def check(whole: ListDrive, lost: Iterable[int], kept: Iterable[int] = ()) -> None:
    """Everything reads as it was written, but for the blocks of `kept`, which are bad still."""
    lost, kept = sorted(lost), set(kept)
    drive = correcting(damaged(whole, lost))
    items = read_all(drive)
    assert [item.number for item in items] == list(range(len(whole.files[0].blocks)))
    assert {item.number for item in items if isinstance(item, BadBlock)} == kept
    for item, data in zip(items, whole.files[0].blocks, strict=True):
        assert isinstance(item, BadBlock) or (item.data == data and bool(item.corrected) == (item.number in lost))
    assert {number for _, number in drive.corrections} == set(lost) - kept


LONG = written(60)


@pytest.fixture(scope="module")
def short() -> ListDrive:
    return written(5)


@pytest.fixture(scope="module")
def long() -> ListDrive:
    return LONG


def groups(drive: ListDrive) -> dict[int, list[int]]:
    """Numbers of the blocks of each group."""
    found: dict[int, list[int]] = {}
    for number, data in enumerate(drive.files[0].blocks):
        assert isinstance(data, bytes)
        found.setdefault(block.parse(data).parity_group, []).append(number)
    return found


def test_layout(long: ListDrive) -> None:
    """Groups of at least 12 shards, each with its 6 parity blocks behind it; the last has trailer and catalog."""
    assert read_all(long) == read_all(correcting(long))
    headers = [item.header for item in read_all(long) if isinstance(item, GoodBlock)]
    assert [header.sequence for header in headers] == list(range(100, 100 + len(headers)))
    by_group = groups(long)
    assert list(by_group) == [*range(len(by_group) - 1), 0xFFFFFFFF]
    for group, numbers in by_group.items():
        kinds = [headers[number].kind for number in numbers]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        if group != 0xFFFFFFFF:
            assert kinds[-6:] == [Kind.PARITY] * 6
            assert Kind.PARITY not in kinds[:-6]
            place = 0
            for number in numbers[:-6]:
                assert headers[number].parity_offset == place
                place += headers[number].payload_bytes + 128
    assert [headers[number].kind for number in by_group[len(by_group) - 2]][-8:-6] == [Kind.CATALOG, Kind.TRAILER]
    assert [headers[number].kind for number in by_group[0xFFFFFFFF]] == [Kind.TRAILER]


def test_every_block_alone(short: ListDrive, long: ListDrive) -> None:
    for whole in (short, long):
        for number in range(len(whole.files[0].blocks)):
            check(whole, [number])


def test_any_two_blocks_of_a_group(short: ListDrive) -> None:
    for pair in itertools.combinations(range(len(short.files[0].blocks)), 2):
        check(short, pair)


def test_two_blocks_of_every_group(long: ListDrive) -> None:
    for seed in range(20):
        rng = random.Random(seed)
        check(
            long, [number for numbers in groups(long).values() for number in rng.sample(numbers, min(2, len(numbers)))]
        )


@pytest.mark.parametrize("step", (7, pytest.param(1, marks=pytest.mark.long)))
def test_compressed_blocks(step: int) -> None:
    """Many small blocks in a shard, some in two."""
    whole = written(90, compressor=ZstdCompressor())
    for number in range(0, len(whole.files[0].blocks), step):
        check(whole, [number, (number + 40) % len(whole.files[0].blocks)])


def test_a_stretch_in_every_place() -> None:
    """As many blocks one behind the other as the scheme is made for."""
    for blocks in (1, 4, 40):
        scheme = scheme_for(BLOCK_BYTES, 64 * 10 * BLOCK_BYTES)
        assert scheme is not None
        whole = written(blocks, scheme)
        count = len(whole.files[0].blocks)
        for start in range(count):
            check(whole, range(start, min(count, start + 10)))


def test_a_document_of_several_blocks() -> None:
    whole = written(3, trailer=b"t" * 9000)
    count = len(whole.files[0].blocks)
    for lost in itertools.combinations(range(count - 10, count), 2):
        check(whole, lost)
    check(whole, range(count - 3, count))  # the trailer as a whole


def test_what_is_beyond_the_means_is_said(long: ListDrive) -> None:
    """Three shards of a lane: nothing comes back that is not right, and all of the other groups does."""
    first = groups(long)[0]
    parities = first[-6:]
    check(long, [3, *parities], [3, *parities])
    check(long, first, first)
    everything = range(len(long.files[0].blocks))
    check(long, everything, everything)


@settings(max_examples=25)
@given(st.sets(st.integers(0, len(LONG.files[0].blocks) - 1), max_size=12))
def test_any_damage(lost: set[int]) -> None:
    """A block is right, or bad: never wrong. With at most two bad blocks in each group, all are right."""
    long = LONG
    drive = correcting(damaged(long, lost))
    bad = set()
    for item, content in zip(read_all(drive), long.files[0].blocks, strict=True):
        if isinstance(item, GoodBlock):
            assert item.data == content
        else:
            bad.add(item.number)
    assert bad <= lost
    for numbers in groups(long).values():
        if len(lost.intersection(numbers)) <= 2:
            assert not bad.intersection(numbers)


def test_without_knowing_the_place(long: ListDrive) -> None:
    """Header and trailer are read before anything is known of the segment."""
    drive = correcting(damaged(long, [0, 1]))
    drive.locate(0)
    first, second = read_one(drive, 0, None), read_one(drive, 1, None)
    assert isinstance(first, GoodBlock)
    assert isinstance(second, GoodBlock)
    assert (first.data, second.data) == tuple(long.files[0].blocks[:2])
    assert drive.position().block == 2


def test_a_cut_tail(long: ListDrive) -> None:
    """Without its parity, a group gives what can be read; the groups before are corrected."""
    by_group = groups(long)
    last = by_group[len(by_group) - 2]
    cut = damaged(long, [4])
    cut.files[0].blocks = cut.files[0].blocks[: last[-6]]
    cut.files[0].has_filemark = False
    assert not [item for item in read_all(correcting(cut)) if isinstance(item, BadBlock)]
    cut.files[0].blocks[last[0]] = unreadable(0, last[0])
    assert [item.number for item in read_all(correcting(cut)) if isinstance(item, BadBlock)] == [last[0]]


def test_blocks_without_parity_are_left_alone() -> None:
    drive = ListDrive()
    with SegmentWriter(drive, ARCHIVE, 3, 100, BLOCK_BYTES, NoCompressor()).threads() as writer:
        writer.write_document(Kind.HEADER, b"h" * 90_000)
        writer.drain()
    drive.files[0].has_filemark = True
    bad = damaged(drive, [2, 3, 9])
    corrector = correcting(bad)
    assert [item.number for item in read_all(corrector) if isinstance(item, BadBlock)] == [2, 3, 9]
    assert not corrector.corrections
    assert len(bad.reads) < 3 * len(drive.files[0].blocks)


def test_a_group_that_is_beyond_it_is_read_once() -> None:
    """A gap that cannot be solved, and single blocks behind it: however many, the group is not read again for each."""
    whole = written(60, dataclasses.replace(SCHEME, k=16))
    assert len(groups(whole)[0]) > 50
    reads = []
    for last in (16, 46):
        drive = damaged(whole, [*range(1, 15), *range(16, last, 2)])
        assert any(isinstance(item, BadBlock) for item in read_all(correcting(drive)))
        reads.append(len(drive.reads))
    assert reads[1] < reads[0] + 2 * len(whole.files[0].blocks)


def test_blocks_of_another_archive_are_looked_at_once(long: ListDrive) -> None:
    """Its parity says nothing of this one's blocks, and is no group to read for each of them."""
    foreign = ListDrive([of_another(data) for data in long.files[0].blocks])
    mixed = ListDrive(list(long.files[0].blocks))
    first = groups(long)[0]
    mixed.files[0].blocks[first[-6] : first[-1] + 1] = foreign.files[0].blocks[first[-6] : first[-1] + 1]
    mixed.files[0].blocks[3] = unreadable(0, 3)
    bad = {item.number for item in read_all(correcting(mixed)) if isinstance(item, BadBlock)}
    assert bad == {3, *first[-6:]}
    assert len(mixed.reads) < 4 * len(long.files[0].blocks)


def of_another(data: object) -> bytes:
    """The same block of another archive, its digest right."""
    assert isinstance(data, bytes)
    known = block.parse(data)
    fields = {field.name: getattr(known, field.name) for field in dataclasses.fields(BlockHead)}
    head = BlockHead(**(fields | {"archive": bytes(16)}))
    return block.seal(block.authenticated(head), block.payload(data)) + block.payload(data)
