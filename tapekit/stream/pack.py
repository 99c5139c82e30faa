"""Packing: a pax stream cut into the plain bytes of data blocks."""

from formats.block import HEADER_BYTES
from tapekit.blocks.write import SegmentWriter

_ZEROS = bytes(4096)


class StreamPacker:
    """Takes the bytes of the stream in order and hands full cuts to the writer.

    Content can be read straight into the cut that it belongs to (`room` and `advance`): no byte of a large file is
    copied on the way from the page cache to its block.
    """

    def __init__(self, writer: SegmentWriter, stream_start: int = 0) -> None:
        """Begin at `stream_start`, a multiple of the cut."""
        self.offset = stream_start
        self._writer = writer
        self._buffer = writer.buffer()
        self._view = memoryview(self._buffer)
        self._used = 0

    def write(self, data: "bytes | memoryview") -> None:
        """Append bytes."""
        cut, size = self._writer.cut, len(data)
        if size <= cut - self._used:
            start = HEADER_BYTES + self._used
            self._buffer[start : start + size] = data
            self.advance(size)
            return
        view = memoryview(data)
        while view:
            part = view[: cut - self._used]
            start = HEADER_BYTES + self._used
            self._buffer[start : start + len(part)] = part
            self.advance(len(part))
            view = view[len(part) :]

    def zeros(self, size: int) -> None:
        """Append zeros."""
        while size:
            part = _ZEROS[:size]
            self.write(part)
            size -= len(part)

    def room(self, most: int) -> memoryview:
        """A place for up to `most` bytes, at least one, in the current cut; tell `advance` how many were filled in."""
        start = HEADER_BYTES + self._used
        return self._view[start : start + min(most, self._writer.cut - self._used)]

    def advance(self, size: int) -> None:
        """The next `size` bytes of the current cut are filled."""
        self._used += size
        self.offset += size
        if self._used == self._writer.cut:
            self._hand_over()
            self._buffer = self._writer.buffer()
            self._view = memoryview(self._buffer)

    def finish(self) -> None:
        """Hand over the last, shorter cut."""
        if self._used:
            self._hand_over()

    def _hand_over(self) -> None:
        self._writer.write_data(self._buffer, self._used, self.offset - self._used)
        self._used = 0
