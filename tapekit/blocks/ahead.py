"""Compression in threads of its own, ahead of the one that seals: it takes four times as long as all else of a block.

Blocks are sealed in order all the same: whoever seals one waits until it is compressed.
"""

import os
from concurrent.futures import Future, ThreadPoolExecutor

from tapekit.blocks.codec import Compressor, NoCompressor

THREADS = 2
"""More would keep all of a small server's cores from its day's work."""
SMALLEST_BYTES = 64 << 10
"""A smaller block is compressed as soon as it is handed to another thread."""


class Ahead:
    """Compresses plain bytes that stay as they are until somebody asked for the result."""

    def __init__(self, compressor: Compressor, block_bytes: int) -> None:
        """No threads where there is nothing to compress, or no second core, or blocks are small."""
        self._compressor = compressor
        threads = min(THREADS, len(os.sched_getaffinity(0)))
        is_worth_it = threads > 1 and block_bytes >= SMALLEST_BYTES and not isinstance(compressor, NoCompressor)
        self._pool = ThreadPoolExecutor(threads, "compress blocks") if is_worth_it else None

    def begin(self, plain: memoryview) -> "Future[bytes | None] | None":
        """Compress these; None where there are no threads for it."""
        return self._pool.submit(self._compressor.compress, plain) if self._pool else None

    def close(self) -> None:
        """End the threads; what was not begun is left."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
