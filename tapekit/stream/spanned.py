"""The plain stream of an archive over its parts, with a hole where one is missing."""

from typing import Protocol

from tapekit.stream.read import Hole, PlainStream, read_exactly


class Missing(Hole):
    """A hole because a whole part of the archive is not at hand."""


class StreamParts(Protocol):
    """Has the part of the stream that is wanted brought."""

    def holding(self, offset: int) -> PlainStream | None:
        """The part's stream that holds an offset, None at the end of the archive.

        Raises Hole where that part is not to be had.
        """

    def ends_at(self, offset: int) -> bool:
        """The part that is read holds nothing from an offset on; whether another one may."""

    def is_again(self, offset: int) -> bool:
        """Whether what is bad here in the part that is read stands in the next one again: it was never closed."""


class SpannedStream:
    """Reads as `PlainStream` does."""

    def __init__(self, parts: StreamParts, offset: int) -> None:
        """Begin at an offset; nothing is read before it is needed."""
        self.offset = offset
        self._parts = parts

    def seek(self, offset: int) -> None:
        """See PlainStream."""
        self.offset = offset

    def take(self, most: int) -> memoryview:
        """See PlainStream."""
        while (stream := self._parts.holding(self.offset)) is not None:
            stream.seek(self.offset)
            try:
                part = stream.take(most)
            except Hole:
                if not self._parts.is_again(self.offset):
                    raise
                continue
            if part:
                self.offset = stream.offset
                return part
            if not self._parts.ends_at(self.offset):
                break
        return memoryview(b"")

    def read(self, size: int) -> bytes:
        """See PlainStream."""
        return read_exactly(self, size)
