"""Members that an archive does not hold itself, or not as a whole: brought together from those that it builds upon.

One member after the other, its chain from the newest layer down: the layer's maps are read, then each block of it that
holds bytes of the file, once.
"""

import contextlib
import itertools
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator

from formats import delta
from formats.catalog import DELTA, NO_DIGEST, REGULAR, Entry
from formats.errors import Damaged
from tapekit.cartridge.cartridge import Cartridge, Segment, by_archive
from tapekit.errors import KeyNeeded, KeyRefused, VerificationFailed
from tapekit.keys.opener import Opener
from tapekit.stream.chain import Layer, Piece, Wanted, read_layer
from tapekit.stream.read import Hole, PlainStream, Recent, find_layout
from tapekit.stream.unpack import FoundMember, LostMember, at_offset

TAKE_BYTES = 64 << 10
RECENT_BYTES = 48 << 20
DRAFTS = "/var/tmp"  # noqa: S108 - the directory of the system for what is large


def is_joined(entry: Entry) -> bool:
    """Whether a member has to be brought together."""
    return bool(entry.base or entry.flags & DELTA)


def drafts(size_bytes: int, near: str | None = None) -> str:
    """The folder for a draft: where the file is to go, or the system's own, whichever first has room for it."""
    folders = [folder for folder in (near, DRAFTS, tempfile.gettempdir()) if folder and os.access(folder, os.W_OK)]
    return next((folder for folder in folders if _free_bytes(folder) >= size_bytes), folders[0])


def _free_bytes(folder: str) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def untold(path: bytes, offset: int) -> Entry:
    """The entry of a delta that no catalog tells of: size and digest are what it says itself."""
    return Entry(
        type=REGULAR, flags=DELTA, mode=0, uid=0, gid=0, owner=b"", group=b"", note=b"", base=0, reference=0, inode=0,
        size=0, valid=0, mtime_ns=0, ctime_ns=0, offset=offset, sha256=NO_DIGEST, path=path, link=b"",
    )  # fmt: skip


class _NoRoom(Exception):
    """A file cannot be brought together here, though nothing of it may be damaged."""


@contextlib.contextmanager
def _making_room(folder: str) -> Iterator[None]:
    """What the file system says, in words."""
    try:
        yield
    except OSError as error:
        raise _NoRoom(f"{folder}: a file cannot be brought together: {(error.strerror or '').lower()}") from error


class Draft:
    """The content of a file while it is brought together; read as a stream."""

    def __init__(self, size_bytes: int, folder: str) -> None:
        """Nothing but a hole. Raises OSError, and Damaged for a size that no file can have here."""
        self.offset = 0
        self._size = size_bytes
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by `close`
        try:
            os.ftruncate(self._file.fileno(), size_bytes)
        except (OSError, OverflowError) as error:
            self._file.close()
            raise Damaged(f"delta: a file of {size_bytes} bytes, more than {folder} takes") from error

    def write(self, start: int, data: memoryview) -> None:
        """Put bytes in their place. Raises OSError."""
        while data:
            done = os.pwrite(self._file.fileno(), data, start)
            start, data = start + done, data[done:]

    def seek(self, offset: int) -> None:
        """See Readable."""
        self.offset = offset

    def take(self, most: int) -> memoryview:
        """See Readable."""
        part = os.pread(self._file.fileno(), min(most, TAKE_BYTES, self._size - self.offset), self.offset)
        self.offset += len(part)
        return memoryview(part)

    def read(self, size: int) -> bytes:
        """See Readable."""
        return b"".join(bytes(self.take(size)) for _ in range(0, size, TAKE_BYTES))

    def close(self) -> None:
        """Forget it."""
        self._file.close()


class Joiner(contextlib.AbstractContextManager["Joiner"]):
    """Brings together members of one archive. What it returns is good until the next one is asked for.

    Whoever reads the same drive must let go of it before (`PlainStream.close`).
    """

    def __init__(self, cartridge: Cartridge, segment: Segment, opener: Opener, near: str | None = None) -> None:
        """`segment` is the archive's first one, and open already. `near` is the folder that files are to go to."""
        self.closed = ""
        """Why an archive that is needed is not opened, where that is so."""
        self.no_room = ""
        """Why a file was not brought together though its blocks may be good, where that is so."""
        self._near = near
        self._cartridge = cartridge
        self._segment = segment
        self._opener = opener
        self._bases = segment.header.bases if segment.header else ()
        self._found: dict[str, Segment] | None = None
        self._streams: dict[str, PlainStream] = {}
        self._recent = Recent(RECENT_BYTES)
        """Files that stand side by side have their layers side by side, too."""
        self._draft: Draft | None = None

    def __exit__(self, *_exception: object) -> None:
        self.release()
        if self._draft is not None:
            self._draft.close()

    def release(self) -> None:
        """Let go of the drive."""
        for stream in self._streams.values():
            stream.close()

    def at(self, entry: Entry, offset: int | None = None) -> FoundMember | LostMember:
        """The member that an entry describes, or links to at `offset`. Raises DriveError."""
        place = entry.offset if offset is None else offset
        try:
            if entry.base > len(self._bases):
                raise Damaged(
                    "it refers to an archive that its header does not name"
                    if self._segment.header
                    else "it is in an earlier archive, and which one the damaged header does not tell"
                )
            archive = self._bases[entry.base - 1] if entry.base else self._segment.archive
            if not entry.flags & DELTA:
                return at_offset(self._stream(archive), entry, place)
            return self._joined(entry, self._layers(archive, place, entry.path))
        except (KeyNeeded, KeyRefused) as error:
            self.closed = str(error)
            return LostMember(entry.path, entry, str(error))
        except _NoRoom as error:
            self.no_room = str(error)
            return LostMember(entry.path, entry, str(error))
        except (Hole, Damaged, VerificationFailed) as error:
            return LostMember(entry.path, entry, str(error))
        finally:
            if entry.flags & DELTA:
                self.release()

    def _layers(self, archive: str, offset: int, path: bytes) -> Iterator[Layer]:
        """The chain, from the top. Raises Hole, Damaged, VerificationFailed, KeyNeeded, KeyRefused."""
        extents, place = 0, (archive, offset)
        for _ in range(delta.MOST_DELTAS + 1):
            stream = self._stream(place[0])
            stream.seek(place[1])
            layer = read_layer(stream, place[0], path, delta.MOST_CHAIN_EXTENTS - extents)
            yield layer
            if layer.base is None:
                return
            extents += len(layer.starts)
            if self._file(layer.base[0]) >= self._file(place[0]):
                raise Damaged("delta: its base is no earlier archive")
            place = layer.base
        raise Damaged(f"delta: a chain of over {delta.MOST_DELTAS}")

    def _joined(self, entry: Entry, layers: Iterator[Layer]) -> FoundMember:
        """Each layer is read, gives what it has of the file, and is forgotten, from the newest down.

        Raises what `_layers` raises, and _NoRoom.
        """
        if self._draft is not None:
            self._draft.close()
        top = next(layers)
        if entry.sha256 == NO_DIGEST:  # there is no catalog: the delta itself says what it comes to
            entry = entry._replace(size=top.size_bytes, valid=top.size_bytes, sha256=top.sha256)
        if top.size_bytes != entry.size:
            raise Damaged(f"delta: comes to {top.size_bytes} bytes, the catalog says {entry.size}")
        folder = drafts(entry.size, self._near)
        with _making_room(folder), contextlib.closing(Wanted(entry.size, folder)) as wanted:
            draft = self._draft = Draft(entry.size, folder)
            for layer in itertools.chain((top,), layers):
                self._fill(draft, self._stream(layer.archive), wanted.found(layer))
                if wanted.is_found:
                    break
            else:
                raise Damaged("delta: its chain has no end")
        return FoundMember(top.member, entry, b"", draft, entry.size)

    @staticmethod
    def _fill(draft: Draft, stream: PlainStream, pieces: Iterable[Piece]) -> None:
        for start, length, offset in pieces:
            stream.seek(offset)
            place, left = start, length
            while left:
                part = stream.take(left)
                if not part:
                    raise Damaged("stream: it ends in the middle of a member")
                draft.write(place, part)
                place, left = place + len(part), left - len(part)

    def _file(self, archive: str) -> int:
        """The number of the file that an archive is in. Raises Damaged where it may not be referred to."""
        if archive == self._segment.archive:
            return self._segment.file
        return self._base(archive).file

    def _base(self, archive: str) -> Segment:
        if archive not in self._bases and self._segment.header is not None:
            raise Damaged(f"delta: archive {archive[:8]}, which the header does not name")
        if self._found is None:  # a damaged trailer is no reason: digests tell what is good
            self.release()
            self._found = by_archive(
                s for s in self._cartridge.segments() if s.number == 0 and s.file < self._segment.file
            )
        segment = self._found.get(archive)
        if segment is None:
            raise Damaged(f"archive {archive[:8]}, which it builds upon, is not on the cartridge before it")
        return segment

    def _stream(self, archive: str) -> PlainStream:
        """The stream of an archive; no other one has the drive."""
        for other, stream in self._streams.items():
            if other != archive:
                stream.close()
        if archive not in self._streams:
            segment = self._segment
            if archive != segment.archive:
                segment = self._cartridge.unlock(self._base(archive), self._opener)
            layout = find_layout(self._cartridge.drive, segment)
            self._streams[archive] = PlainStream(self._cartridge.drive, layout, recent=self._recent)
        return self._streams[archive]


def in_best_order(entries: Callable[[], Iterable[Entry]], bases: int) -> Iterator[Entry]:
    """The entries in the order in which they are best read: what stands in an earlier archive first."""
    if not bases:
        yield from entries()
        return
    for number in (*range(1, bases + 1), 0):
        yield from (entry for entry in entries() if entry.base == number)
    yield from (entry for entry in entries() if entry.base > bases)
