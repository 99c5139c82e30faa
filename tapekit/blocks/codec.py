"""Compression of a block's payload (formats/SPEC.md section 3.3)."""

import dataclasses
import re
import sys
import threading
from typing import Protocol

from formats.errors import Damaged
from tapekit.errors import UsageError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

DEFAULT_LEVEL = 1
"""zstd -1: about 500 MB/s of database text on one core, where -3 gains a few percent at half the speed."""
SAMPLE_BYTES = 32 << 10
"""`auto` tries this much of a block first, and stores the block as it is where the sample gains nothing."""
SAMPLE_GAIN = 0.95
LAST_OF_SMALL_LEVELS, LARGE_LEVELS_WINDOW_LOG = 12, 21
"""Levels over 12 get a window of 2 MiB: with their own, one block of 16 MiB takes up to 270 MiB of memory."""
WINDOW_LOG_MAX = 24
"""16 MiB, the format's limit (formats/SPEC.md section 16)."""

_SETTING = re.compile(r"zstd(?::(-?\d{1,2}))?")


class Compressor(Protocol):
    """Makes payloads smaller where it can."""

    name: str

    def compress(self, plain: memoryview) -> bytes | None:
        """A zstd frame shorter than the plain bytes, or None where there is nothing to gain."""


class NoCompressor:
    """Stores everything as it is."""

    name = "none"

    def compress(self, plain: memoryview) -> bytes | None:  # noqa: ARG002 - the protocol's shape
        """See Compressor."""
        return None


@dataclasses.dataclass
class ZstdCompressor:
    """zstd at one level. With `samples`, data that does not compress is noticed early and costs next to nothing."""

    level: int = DEFAULT_LEVEL
    samples: bool = False
    name: str = "zstd"

    def __post_init__(self) -> None:
        """Keep a context for each thread that compresses, used again for each block."""
        options = {int(zstd.CompressionParameter.compression_level): self.level}
        if self.level > LAST_OF_SMALL_LEVELS:
            options[int(zstd.CompressionParameter.window_log)] = LARGE_LEVELS_WINDOW_LOG
        self._options = options
        self._contexts = threading.local()

    def compress(self, plain: memoryview) -> bytes | None:
        """See Compressor."""
        if self.samples and len(plain) > 4 * SAMPLE_BYTES:
            middle = len(plain) // 2
            sample = plain[middle : middle + SAMPLE_BYTES]
            if len(self._frame(sample)) > SAMPLE_GAIN * SAMPLE_BYTES:
                return None
        frame = self._frame(plain)
        return frame if len(frame) < len(plain) else None

    def _frame(self, plain: memoryview) -> bytes:
        context: zstd.ZstdCompressor | None = getattr(self._contexts, "zstd", None)
        if context is None:
            context = self._contexts.zstd = zstd.ZstdCompressor(options=self._options)
        context.set_pledged_input_size(len(plain))
        return context.compress(plain, zstd.ZstdCompressor.FLUSH_FRAME)


def compressor(setting: str) -> Compressor:
    """The compressor for `auto`, `none`, `zstd` or `zstd:LEVEL`. Raises UsageError."""
    if setting == "none":
        return NoCompressor()
    if setting == "auto":
        return ZstdCompressor(samples=True)
    match = _SETTING.fullmatch(setting)
    lowest, highest = zstd.CompressionParameter.compression_level.bounds()
    if match:
        level = int(match[1]) if match[1] else DEFAULT_LEVEL
        if lowest <= level <= highest and level != 0:
            return ZstdCompressor(level)
    raise UsageError(
        f"compression: {setting!r} is not known",
        f"use auto, none, zstd, or zstd:LEVEL with a level from -99 to {highest}",
    )


def decompress(frame: "bytes | memoryview", plain_bytes: int) -> bytes:
    """The plain bytes of a zstd frame. Raises Damaged unless it yields exactly `plain_bytes`."""
    options = {int(zstd.DecompressionParameter.window_log_max): WINDOW_LOG_MAX}
    decompressor = zstd.ZstdDecompressor(options=options)
    try:
        plain = decompressor.decompress(frame, max_length=plain_bytes + 1)
    except (zstd.ZstdError, MemoryError) as error:
        raise Damaged(f"block: its zstd frame is not valid: {error}") from error
    if len(plain) != plain_bytes or not decompressor.eof or decompressor.unused_data:
        raise Damaged(f"block: its zstd frame does not yield the {plain_bytes} bytes that the header says")
    return plain
