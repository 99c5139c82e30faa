"""Packing: a pax stream cut into the plain bytes of data blocks."""

from typing import Protocol

from formats.block import HEADER_BYTES

_ZEROS = bytes(4096)


class Cuts(Protocol):
    """What takes the cuts: see SegmentWriter."""

    cut: int

    def buffer(self) -> bytearray:
        """An empty buffer for one cut, with room for a block's header before it."""

    def write_data(self, buffer: bytearray, plain_bytes: int, stream_offset: int) -> None:
        """Take a filled buffer."""


class StreamPacker:
    """Takes the bytes of the stream in order and hands full cuts to the writer.

    Content can be read straight into the cut that it belongs to (`room` and `advance`): no byte of a large file is
    copied on the way from the page cache to its block.
    """

    def __init__(self, writer: Cuts, stream_start: int = 0) -> None:
        """Begin at `stream_start`, a multiple of the cut."""
        self.offset = stream_start
        self._writer = writer
        self._end = HEADER_BYTES + writer.cut
        self._buffer = writer.buffer()
        self._view = memoryview(self._buffer)
        self._place = HEADER_BYTES
        """Where in the buffer the next byte belongs."""

    def write(self, data: "bytes | memoryview") -> None:
        """Append bytes."""
        place = self._place
        behind = place + len(data)
        if behind < self._end:  # nearly always
            self._buffer[place:behind] = data
            self._place = behind
            self.offset += behind - place
            return
        view = memoryview(data)
        while view:
            room = self.room(len(view))
            room[:] = view[: len(room)]
            view = view[len(room) :]
            self.advance(len(room))

    def zeros(self, size: int) -> None:
        """Append zeros."""
        while size > 0:
            part = _ZEROS[:size]
            self.write(part)
            size -= len(part)

    def room(self, most: int) -> memoryview:
        """A place for up to `most` bytes, at least one, in the current cut; tell `advance` how many were filled in."""
        return self._view[self._place : min(self._place + most, self._end)]

    def advance(self, size: int) -> None:
        """The next `size` bytes of the current cut are filled."""
        self._place += size
        self.offset += size
        if self._place == self._end:
            self._hand_over()
            self._buffer = self._writer.buffer()
            self._view = memoryview(self._buffer)

    def finish(self) -> None:
        """Hand over the last, shorter cut."""
        if self._place > HEADER_BYTES:
            self._hand_over()

    def _hand_over(self) -> None:
        plain_bytes = self._place - HEADER_BYTES
        self._writer.write_data(self._buffer, plain_bytes, self.offset - plain_bytes)
        self._place = HEADER_BYTES
