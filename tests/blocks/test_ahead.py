"""Cuts are compressed in other threads: the blocks are the same, in the same order, whatever is ready first."""

import os
import random
import threading
from collections.abc import Iterator

import pytest

from drivers.errors import MediumError
from formats import block
from tapekit.blocks import ahead
from tapekit.blocks.codec import Compressor, ZstdCompressor, decompress
from tapekit.blocks.write import SegmentWriter
from tests.blocks.list_drive import ListDrive, unreadable

BLOCK_BYTES = 64 << 10
CUT = BLOCK_BYTES - 128 - 16
PLAIN = [random.Random(number).randbytes(CUT // 16) * 16 for number in range(24)]


class Turned:
    """Has every second cut ready only after the one behind it."""

    name = "turned"

    def __init__(self) -> None:
        self._zstd = ZstdCompressor()
        self._ready = [threading.Event() for _ in PLAIN]

    def compress(self, plain: memoryview) -> bytes | None:
        number = PLAIN.index(bytes(plain))
        if number % 2 == 0:
            assert self._ready[number + 1].wait(60)
        frame = self._zstd.compress(plain)
        self._ready[number].set()
        return frame


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {0, 1})
    before = threading.active_count()
    yield
    assert threading.active_count() == before


def write(drive: ListDrive, compressor: Compressor) -> SegmentWriter:
    writer = SegmentWriter(drive, bytes(16), 0, 0, BLOCK_BYTES, compressor)
    with writer.threads():
        for number, plain in enumerate(PLAIN):
            buffer = writer.buffer()
            buffer[128 : 128 + CUT] = plain
            writer.write_data(buffer, CUT, number * CUT)
        writer.drain()
    return writer


def test_blocks_are_in_order_whatever_is_ready_first(monkeypatch: pytest.MonkeyPatch) -> None:
    drive, alone = ListDrive(), ListDrive()
    write(drive, Turned())
    monkeypatch.setattr(ahead, "THREADS", 1)
    write(alone, ZstdCompressor())
    assert drive.files[0].blocks == alone.files[0].blocks
    for data, plain in zip(drive.files[0].blocks, PLAIN, strict=True):
        assert isinstance(data, bytes)
        assert decompress(block.payload(data), CUT) == plain


def test_what_the_drive_refuses_is_given_back_whole() -> None:
    drive = ListDrive()
    written = 0

    def before_write(_block: bytes) -> None:
        nonlocal written
        written += 1
        if written > 5:
            raise unreadable(0, 5)

    drive.before_write = before_write
    writer = SegmentWriter(drive, bytes(16), 0, 0, BLOCK_BYTES, ZstdCompressor())
    taken = 0

    def feed() -> None:
        nonlocal taken
        for number, plain in enumerate(PLAIN):
            buffer = writer.buffer()
            buffer[128 : 128 + CUT] = plain
            writer.write_data(buffer, CUT, number * CUT)
            taken += 1
        writer.drain()

    with pytest.raises(MediumError), writer.threads():
        feed()
    back = writer.taken_back()
    assert back is not None
    assert [cut.content for cut in back] == PLAIN[5:taken]


def test_an_error_while_compressing_comes_out() -> None:
    class Broken:
        name = "broken"

        def compress(self, plain: memoryview) -> bytes | None:
            raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        write(ListDrive(), Broken())
