"""The pipeline to the drive: blocks in order, sums that are right, errors that come out, threads that end."""

import contextlib
import dataclasses
import hashlib
import random
import threading
from collections.abc import Callable, Iterator

import pytest

from drivers.base import Streaming
from drivers.errors import EndOfMedium, MediumError
from formats import block
from formats.block import Flags, Kind
from tapekit.blocks.codec import Compressor, NoCompressor, ZstdCompressor, decompress
from tapekit.blocks.write import SegmentWriter
from tests.blocks.list_drive import ListDrive, unreadable

ARCHIVE = bytes(range(16))
BLOCK_BYTES = 4096
CUT = BLOCK_BYTES - 128 - 16
NOISE = random.Random(8).randbytes(64 * CUT)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


def new_writer(drive: ListDrive, compressor: Compressor | None = None, sequence: int = 0) -> SegmentWriter:
    return SegmentWriter(drive, ARCHIVE, 3, sequence, BLOCK_BYTES, compressor or NoCompressor())


def fill(writer: SegmentWriter, plain: bytes, offset: int) -> None:
    buffer = writer.buffer()
    buffer[128 : 128 + len(plain)] = plain
    writer.write_data(buffer, len(plain), offset)


def fill_many(writer: SegmentWriter, count: int) -> None:
    for number in range(count):
        fill(writer, bytes(CUT), number * CUT)


def written(drive: ListDrive) -> list[tuple[block.BlockHeader, bytes]]:
    found = []
    for data in drive.files[0].blocks:
        assert isinstance(data, bytes)
        header = block.parse(data)
        payload = bytes(block.payload(data))
        found.append((header, decompress(payload, header.plain_bytes) if header.is_compressed else payload))
    return found


def test_blocks_of_each_kind() -> None:
    drive = ListDrive()
    table = bytes(1000)
    with new_writer(drive, ZstdCompressor(), sequence=9).threads() as writer:
        writer.write_document(Kind.HEADER, b"h" * 5000)
        fill(writer, bytes(CUT), 0)
        fill(writer, NOISE[:CUT], CUT)
        fill(writer, b"end", 2 * CUT)
        frame = ZstdCompressor().compress(memoryview(table))
        assert frame is not None
        writer.write_table(frame, len(table), 0, last=False)
        writer.write_table(b"plain table", 11, 5, last=True)
        writer.drain()
        counts, digest = writer.sums()
        stored = writer.stored_bytes
        writer.write_document(Kind.TRAILER, b"t")
        writer.drain()
        assert writer.sums() == (counts, digest)  # which the trailer itself is not part of
    found = written(drive)
    room = BLOCK_BYTES - 128
    heads = [(h.kind, h.sequence, h.stream_offset, h.plain_bytes, h.is_compressed, h.is_last) for h, _ in found]
    assert heads == [
        (Kind.HEADER, 9, 0, room, False, False), (Kind.HEADER, 10, room, 5000 - room, False, True),
        (Kind.DATA, 11, 0, CUT, True, False), (Kind.DATA, 12, CUT, CUT, False, False),
        (Kind.DATA, 13, 2 * CUT, 3, False, False), (Kind.CATALOG, 14, 0, 1000, True, False),
        (Kind.CATALOG, 15, 5, 11, False, True), (Kind.TRAILER, 16, 0, 1, False, True),
    ]  # fmt: skip
    assert [plain for _, plain in found] == [
        b"h" * room, b"h" * (5000 - room), bytes(CUT), NOISE[:CUT], b"end", table, b"plain table", b"t"
    ]  # fmt: skip
    assert {(h.archive, h.segment, h.parity_group) for h, _ in found} == {(ARCHIVE, 3, 0xFFFFFFFF)}
    assert (counts.header, counts.data, counts.parity, counts.catalog) == (2, 3, 0, 2)
    assert digest == hashlib.sha256(b"".join(h.digest for h, _ in found[:-1])).hexdigest()
    blocks = drive.files[0].blocks
    assert stored == sum(len(data) for data in blocks[:-1] if isinstance(data, bytes))
    assert max(len(data) for data in blocks if isinstance(data, bytes)) <= BLOCK_BYTES


@pytest.mark.parametrize("compressor", (NoCompressor(), ZstdCompressor()), ids=("plain", "compressed"))
def test_many_blocks_stay_in_order(compressor: Compressor) -> None:
    """Buffers are used again and again: no block may show another's bytes."""
    drive = ListDrive()
    rng = random.Random(1)
    plains = [rng.choice((bytes(CUT), NOISE[:CUT], rng.randbytes(9) * 300)) for _ in range(500)]
    with new_writer(drive, compressor).threads() as writer:
        for number, plain in enumerate(plains):
            fill(writer, plain, number * CUT)
        writer.drain()
    found = written(drive)
    assert [plain for _, plain in found] == plains
    assert [h.sequence for h, _ in found] == list(range(500))


def streaming_drive() -> ListDrive:
    """One whose tape must not stop, at a speed that nobody has to wait for."""
    drive = ListDrive()
    drive.state = dataclasses.replace(drive.state, streaming=Streaming(10**15, 10**15))
    return drive


def pooled_writer(drive: ListDrive, compressor: Compressor, buffers: int = 16) -> SegmentWriter:
    return SegmentWriter(drive, ARCHIVE, 3, 0, BLOCK_BYTES, compressor, tape_pool_bytes=buffers * BLOCK_BYTES)


@pytest.mark.parametrize("compressor", (NoCompressor(), ZstdCompressor()), ids=("plain", "compressed"))
@pytest.mark.parametrize("count", (1, 14, 15, 16, 17, 500))
def test_a_tape_gets_all_blocks_in_order(compressor: Compressor, count: int) -> None:
    """Whatever is gathered first: compressed blocks fill the pool as others do."""
    drive = streaming_drive()
    with pooled_writer(drive, compressor).threads() as writer:
        fill_many(writer, count)
        writer.drain()
        fill(writer, b"end", count * CUT)
    assert [h.sequence for h, _ in written(drive)] == list(range(count + 1))


def test_a_tape_gets_nothing_before_the_pool_is_full() -> None:
    drive = streaming_drive()
    got = threading.Event()
    drive.before_write = lambda _block: got.set()
    with pooled_writer(drive, NoCompressor(), 32).threads() as writer:
        fill_many(writer, 29)  # a sixteenth of the pool stays with the source
        assert not got.is_set()
        fill_many(writer, 1)
        wait_for(got)
        writer.drain()


def test_a_failure_that_shows_when_a_tape_is_asked_what_it_holds_is_no_other() -> None:
    class Asked(ListDrive):
        def buffered_bytes(self) -> int:
            raise EndOfMedium("list: full")

    drive = Asked()
    drive.state = dataclasses.replace(drive.state, streaming=Streaming(10**15, 10**15))
    with pooled_writer(drive, NoCompressor()).threads() as writer, pytest.raises(EndOfMedium):
        fill_many(writer, 1000)
    assert not drive.files


def test_what_is_gathered_when_a_tape_fails_is_taken_back() -> None:
    drive = streaming_drive()
    drive.before_write = failing_at(7, EndOfMedium("list: full"))
    handed = 0
    with pooled_writer(drive, NoCompressor()).threads() as writer, contextlib.suppress(EndOfMedium):
        for handed in range(1000):
            fill(writer, bytes([handed % 251]) * CUT, handed * CUT)
    taken_back = writer.taken_back()
    assert taken_back is not None
    assert [cut.stream_offset // CUT for cut in taken_back] == list(range(7, 7 + len(taken_back)))
    assert 7 + len(taken_back) in (handed, handed + 1)
    assert all(set(cut.content) == {cut.stream_offset // CUT % 251} for cut in taken_back)


def wait_for(gate: threading.Event) -> None:
    gate.wait()


def failing_at(number: int, error: Exception) -> Callable[[bytes], None]:
    count = iter(range(1 << 30))

    def before_write(_block: bytes) -> None:
        if next(count) == number:
            raise error

    return before_write


@pytest.mark.parametrize("error", (unreadable(0, 7), EndOfMedium("list: full"), ZeroDivisionError("a defect")))
@pytest.mark.parametrize("compressor", (NoCompressor(), ZstdCompressor()), ids=("plain", "compressed"))
def test_an_error_of_the_drive_comes_out_and_nothing_more_is_written(error: Exception, compressor: Compressor) -> None:
    drive = ListDrive()
    drive.before_write = failing_at(7, error)
    with new_writer(drive, compressor).threads() as writer:
        with pytest.raises(type(error)) as caught:
            fill_many(writer, 1000)
        assert caught.value is error
        for call in (writer.drain, writer.buffer, lambda: writer.write_document(Kind.TRAILER, b"t"),
                     lambda: writer.write_data(bytearray(BLOCK_BYTES), 1, 0)):  # fmt: skip
            with pytest.raises(type(error)):
                call()
    assert len(drive.files[0].blocks) == 7


def test_an_error_at_the_very_last_block_comes_out_of_drain() -> None:
    drive = ListDrive()
    drive.before_write = failing_at(0, unreadable(0, 0))
    with new_writer(drive).threads() as writer:
        fill(writer, b"only", 0)
        with pytest.raises(MediumError):
            writer.drain()


def test_an_error_while_sealing_comes_out() -> None:
    class Broken:
        name = "broken"

        def compress(self, plain: memoryview) -> bytes | None:
            raise ValueError("no more")

    drive = ListDrive()
    with new_writer(drive, Broken()).threads() as writer, pytest.raises(ValueError, match="no more"):
        fill_many(writer, 1000)
    assert drive.files == []


def test_the_threads_end_when_the_caller_fails() -> None:
    drive = ListDrive()
    with contextlib.suppress(ZeroDivisionError), new_writer(drive).threads() as writer:
        fill(writer, b"x", 0)
        raise ZeroDivisionError
    assert len(drive.files[0].blocks) == 1


@pytest.mark.parametrize("compressor", (NoCompressor(), ZstdCompressor()), ids=("plain", "compressed"))
def test_a_slow_drive_stops_the_caller(compressor: Compressor) -> None:
    """However well the data compress, no more blocks wait for the drive than there are buffers."""
    drive = ListDrive()
    gate, waiting = threading.Event(), threading.Event()
    drive.before_write = lambda _block: wait_for(gate)
    taken = 0
    writer = new_writer(drive, compressor)
    pool = writer._buffers

    def feed() -> None:
        nonlocal taken
        for number in range(4 * pool):
            if number == pool:
                waiting.set()
            fill(writer, bytes(CUT), number * CUT)
            taken += 1

    with writer.threads(), contextlib.ExitStack() as at_end:
        feeder = threading.Thread(target=feed)
        at_end.callback(feeder.join)
        at_end.callback(gate.set)
        feeder.start()
        waiting.wait()
        writer._pieces.put(threading.Event())
        while writer._pieces.qsize():  # until all that can be sealed is
            pass
        assert taken == pool
        assert writer._sealed.qsize() <= pool + 1
    assert taken == len(drive.files[0].blocks) == 4 * pool


def test_the_smallest_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four buffers: the caller holds one, and still a document and tables go through."""
    monkeypatch.setattr("tapekit.blocks.write.POOL_BYTES", 0)
    drive = ListDrive()
    with new_writer(drive).threads() as writer:
        assert writer._buffers == 4
        held = writer.buffer()
        writer.write_document(Kind.HEADER, bytes(50 * BLOCK_BYTES))
        for number in range(20):
            writer.write_table(NOISE[:CUT], CUT, number, last=False)
        writer.write_data(held, 1, 0)
        writer.drain()
    assert len(drive.files[0].blocks) == 51 + 20 + 1 + 1


def test_room_counts_what_is_on_its_way() -> None:
    drive = ListDrive()
    gate = threading.Event()
    drive.before_write = lambda _block: wait_for(gate)
    with new_writer(drive, ZstdCompressor()).threads() as writer:
        whole = writer.room_bytes()
        for number in range(10):
            fill(writer, bytes(CUT), number * CUT)
        assert writer.room_bytes() == whole - 10 * (BLOCK_BYTES + 4096)
        gate.set()
        writer.drain()
        assert writer.room_bytes() == whole


def test_early_warning() -> None:
    drive = ListDrive()
    with new_writer(drive).threads() as writer:
        fill(writer, b"x", 0)
        writer.drain()
        assert not writer.early_warning
        drive.early_warning = True
        fill(writer, b"x", 1)
        writer.drain()
        assert writer.early_warning


def test_a_document_that_fills_its_blocks() -> None:
    drive = ListDrive()
    room = BLOCK_BYTES - 128
    with new_writer(drive).threads() as writer:
        writer.write_document(Kind.HEADER, b"h" * (2 * room))
        writer.drain()
    assert [(h.plain_bytes, h.flags) for h, _ in written(drive)] == [(room, Flags.NONE), (room, Flags.LAST)]
