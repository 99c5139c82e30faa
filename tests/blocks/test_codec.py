"""Payloads: compressed where that gains something, and never trusted (SPEC.md section 3.3)."""

import contextlib
import random
import sys
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.block import LARGEST_PLAIN_BYTES
from formats.errors import Damaged
from tapekit.blocks.codec import NoCompressor, ZstdCompressor, compressor, decompress
from tapekit.errors import UsageError
from tests.peak import MOST_MIB, peak_mib

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MIB = 1 << 20
NOISE = random.Random(3).randbytes(300_000)


@given(st.binary(max_size=3000), st.integers(1, 40), st.sampled_from((-7, 1, 3, 19)))
def test_round_trip(part: bytes, times: int, level: int) -> None:
    plain = part * times
    frame = ZstdCompressor(level).compress(memoryview(plain))
    if frame is not None:
        assert len(frame) < len(plain)
        assert decompress(frame, len(plain)) == plain
        assert decompress(memoryview(frame), len(plain)) == plain


def test_one_context_for_many_blocks() -> None:
    """Each frame stands alone: none refers to the one before it."""
    codec = ZstdCompressor()
    plains = [bytes([number]) * 5000 + NOISE[: number * 7] for number in range(50)]
    frames = [codec.compress(memoryview(plain)) for plain in plains]
    for plain, frame in reversed(list(zip(plains, frames, strict=True))):
        assert frame is not None
        assert decompress(frame, len(plain)) == plain


@pytest.mark.parametrize("level", (12, 15, 22))
def test_memory_of_the_highest_levels(level: int, tmp_path: Path) -> None:
    path = tmp_path / "largest block"
    path.write_bytes(bytes(LARGEST_PLAIN_BYTES))
    peak, outcome = peak_mib(path, f"compressor('zstd:{level}').compress(memoryview(data))")
    assert (peak < MOST_MIB, outcome) == (True, "ok")


def test_nothing_to_gain() -> None:
    assert ZstdCompressor().compress(memoryview(NOISE)) is None
    assert ZstdCompressor().compress(memoryview(b"")) is None
    assert NoCompressor().compress(memoryview(bytes(5000))) is None


def test_sampling_looks_in_the_middle() -> None:
    half = bytes(200_000)
    assert ZstdCompressor(samples=True).compress(memoryview(half + NOISE + half)) is None
    whole = ZstdCompressor(samples=False).compress(memoryview(half + NOISE + half))
    assert whole is not None
    sampled = ZstdCompressor(samples=True).compress(memoryview(NOISE + bytes(600_000)))
    assert sampled is not None
    assert decompress(sampled, 900_000) == NOISE + bytes(600_000)


@pytest.mark.parametrize("setting", ("auto", "zstd", "zstd:1", "zstd:19", "zstd:-5"))
def test_settings(setting: str) -> None:
    frame = compressor(setting).compress(memoryview(bytes(300_000)))
    assert frame is not None
    assert decompress(frame, 300_000) == bytes(300_000)
    assert compressor(setting).name == "zstd"


@pytest.mark.parametrize("setting", ("", "gzip", "zstd:", "zstd:0", "zstd:-0", "zstd:99", "zstd:100", "zstd:x", "ZSTD",
                                     "zstd:1\n", " none"))  # fmt: skip
def test_unknown_settings(setting: str) -> None:
    with pytest.raises(UsageError, match="compression"):
        compressor(setting)


def test_the_highest_level_keeps_the_window_that_readers_accept() -> None:
    plain = NOISE * 54  # 15.5 MiB
    frame = ZstdCompressor(22).compress(memoryview(plain))
    assert frame is not None
    assert decompress(frame, len(plain)) == plain


def test_a_bomb_is_stopped_at_its_plain_size() -> None:
    bomb = zstd.compress(bytes(512 * MIB))
    tracemalloc.start()
    try:
        with pytest.raises(Damaged, match="does not yield the 1000 bytes"):
            decompress(bomb, 1000)
        assert tracemalloc.get_traced_memory()[1] < MIB
    finally:
        tracemalloc.stop()


def framed(plain: bytes, **options: int) -> bytes:
    parameters = {getattr(zstd.CompressionParameter, name): value for name, value in options.items()}
    codec = zstd.ZstdCompressor(options=parameters)
    return codec.compress(plain) + codec.flush()


@pytest.mark.parametrize("window_log", (25, 27))
def test_a_window_over_16_mib_is_refused(window_log: int) -> None:
    frame = framed(bytes(40 * MIB), window_log=window_log)
    with pytest.raises(Damaged, match="zstd frame is not valid"):
        decompress(frame, 40 * MIB)


def test_a_window_of_16_mib_is_taken() -> None:
    assert decompress(framed(bytes(15 * MIB), window_log=24), 15 * MIB) == bytes(15 * MIB)


@pytest.mark.parametrize("options", ({"content_size_flag": 0}, {"checksum_flag": 1}))
def test_frames_that_others_write(options: dict[str, int]) -> None:
    assert decompress(framed(b"abc" * 100, **options), 300) == b"abc" * 100


def test_a_dictionary_is_refused() -> None:
    samples = [b"%d some words that come again %d" % (n, n * n) for n in range(2000)]
    words = zstd.train_dict(samples, 4096)
    frame = zstd.compress(samples[7], zstd_dict=words)
    with pytest.raises(Damaged, match="zstd frame is not valid"):
        decompress(frame, len(samples[7]))


def test_a_checksum_is_checked() -> None:
    frame = bytearray(framed(NOISE[:1000], checksum_flag=1))
    frame[500] ^= 1
    with pytest.raises(Damaged):
        decompress(bytes(frame), 1000)


@given(st.integers(0, 400), st.integers(1, 255))
def test_flipped_bits_give_damaged_or_as_many_bytes(place: int, flip: int) -> None:
    frame = bytearray(zstd.compress(NOISE[:200] + bytes(2000)))
    frame[place % len(frame)] ^= flip
    with contextlib.suppress(Damaged):
        assert len(decompress(bytes(frame), 2200)) == 2200
