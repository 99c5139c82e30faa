"""Cutting content into blocks: pages of one size, or chunks whose borders the content decides.

Pages suit what is written in place, databases and disk images; chunks what grows or shrinks in the middle.
"""

from collections.abc import Callable, Iterator

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

    def feed(self, piece: "bytes | memoryview", *, is_last: bool = False) -> Iterator[memoryview]:
        """The blocks that are whole with this piece; a block is good until the next one is asked for."""
        data = memoryview(self._held + bytes(piece)) if self._held else memoryview(piece)
        start = 0
        for end in self._ends(data, is_last):
            yield data[start:end]
            start = end
        self._held = bytes(data[start:])


def _page_ends(data: memoryview, is_last: bool) -> Iterator[int]:  # noqa: FBT001 - the table's shape
    yield from range(PAGE_BYTES, len(data) + 1, PAGE_BYTES)
    if is_last and len(data) % PAGE_BYTES:
        yield len(data)


def _chunk_ends(data: memoryview, is_last: bool) -> Iterator[int]:  # noqa: FBT001 - the table's shape
    if not data:
        return
    end = 0
    for chunk in _CHUNKER.cut_buf(data):
        behind = end + chunk.length
        if behind == len(data) and not is_last:
            return  # the piece ends there, not the chunk
        end = behind
        yield end


_ENDS: dict[str, Callable[[memoryview, bool], Iterator[int]]] = {PAGES: _page_ends, CHUNKS: _chunk_ends}
