"""Cutting content into blocks: pages of one size, or chunks whose borders the content decides.

Pages suit what is written in place, databases and disk images; chunks what grows or shrinks in the middle.
"""

import itertools
from collections.abc import Callable

from pyfastcdc import FastCDC

PAGE_BYTES = 8192
CHUNK_BYTES = 16 << 10
PAGES, CHUNKS = "pages", "chunks"
KINDS = (PAGES, CHUNKS)
_IS_FAST = not FastCDC.__module__.startswith("pyfastcdc.py")
"""Where its extension was not built, the library goes on in plain Python, a hundred times slower than the hash."""
_CHUNKER = FastCDC(CHUNK_BYTES, min_size=CHUNK_BYTES // 4, max_size=CHUNK_BYTES * 4)


def kinds() -> tuple[str, ...]:
    """The ways to cut that are to be had here."""
    return KINDS if _IS_FAST else (PAGES,)


class Cutter:
    """Cuts content that comes in pieces."""

    def __init__(self, kind: str) -> None:
        """Begin at the start of a file."""
        self._ends = _ENDS[kind]
        self._held = b""

    def feed(self, piece: "bytes | memoryview", *, is_last: bool = False) -> tuple[memoryview, list[int]]:
        """Content, and where in it each of the blocks ends that are whole with this piece."""
        data = memoryview(self._held + bytes(piece)) if self._held else memoryview(piece)
        ends = self._ends(data, is_last)
        self._held = bytes(data[ends[-1] :] if ends else data)
        return data, ends


def _page_ends(data: memoryview, is_last: bool) -> list[int]:  # noqa: FBT001 - the table's shape
    ends = list(range(PAGE_BYTES, len(data) + 1, PAGE_BYTES))
    return [*ends, len(data)] if is_last and len(data) % PAGE_BYTES else ends


def _chunk_ends(data: memoryview, is_last: bool) -> list[int]:  # noqa: FBT001 - the table's shape
    ends = list(itertools.accumulate(chunk.length for chunk in _CHUNKER.cut_buf(data))) if data else []
    return ends if is_last else ends[:-1]  # the last one ends because the piece does


_ENDS: dict[str, Callable[[memoryview, bool], list[int]]] = {PAGES: _page_ends, CHUNKS: _chunk_ends}
