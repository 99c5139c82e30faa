"""Files of sealed frames: written from their beginning to their end, read from any frame on that somebody remembers.

A frame is its size (4 bytes) and what `SiteSecret.seal` makes of it, which knows the file and the place: none that is
damaged, moved or of another archive is taken for what belongs there.
"""

import contextlib
import os
import struct
from collections.abc import Iterator
from pathlib import Path

from formats.errors import Damaged
from tapekit.deltas.secret import SEALED_BYTES, SiteSecret

_SIZE = struct.Struct(">I")
LARGEST_FRAME_BYTES = 32 << 20
FRAME_HEAD_BYTES = _SIZE.size + SEALED_BYTES
"""That a frame has beyond what is in it."""


class FrameWriter:
    """Writes a new file. Once that fails nothing more is written, and `finish` says so: no backup stops for it."""

    def __init__(self, path: Path, name: str, secret: SiteSecret) -> None:
        """`name` says what the file is, whatever it is called. Raises OSError."""
        self.path = path
        self.place = 0
        """Of the next frame."""
        self._name = name
        self._secret = secret
        self._failure: OSError | None = None
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")

    def add(self, plain: bytes) -> int:
        """Write a frame; its place."""
        place = self.place
        sealed = self._secret.seal(plain, _what(self._name, place))
        self.place += _SIZE.size + len(sealed)
        if self._failure is None:
            try:
                self._file.write(_SIZE.pack(len(sealed)) + sealed)
            except OSError as error:
                self._failure = error
        return place

    def finish(self) -> None:
        """All is on the disk when this returns. Raises OSError."""
        if self._failure is not None:
            raise self._failure
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def close(self) -> None:
        """Let go of the file, whatever is in it."""
        with contextlib.suppress(OSError):
            self._file.close()


def frames(path: Path, name: str, secret: SiteSecret, place: int = 0) -> Iterator[bytes]:
    """The frames of a file from a place on. Raises Damaged, also where the file is not there."""
    try:
        with path.open("rb") as file:
            file.seek(place)
            while head := file.read(_SIZE.size):
                (size,) = _SIZE.unpack(head.ljust(_SIZE.size, b"\xff"))
                if size > LARGEST_FRAME_BYTES:
                    raise Damaged(f"{path.name}: a frame of {size} bytes")
                yield secret.open(file.read(size), _what(name, place))
                place += _SIZE.size + size
    except OSError as error:
        raise Damaged(f"{path.name}: {(error.strerror or '').lower()}") from error


def _what(name: str, place: int) -> bytes:
    return f"{name}\0{place}".encode()
