"""What a site remembers of a job's archives on a cartridge: every regular file of the latest, and where its content is.

One folder for each job and cartridge. `members` names the archives from the last full one on, and lists the files in
the order in which a source is walked, so that it is read along with the walk. The maps of files lie beside it, in one
file for each archive and kind. A new `members` takes the place of the old one when its archive is
proven, and not before.
"""

import contextlib
import dataclasses
import json
import shutil
import struct
import urllib.parse
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from formats.catalog import Entry, TableBuilder, parse_table
from formats.errors import Damaged
from tapekit.blocks.codec import ZstdCompressor, decompress
from tapekit.deltas.cut import CHUNKS, KINDS, PAGES
from tapekit.deltas.frames import FrameWriter, frames
from tapekit.deltas.maps import FRAME_BLOCKS, PAGES_FRAME_BYTES, Table, tables
from tapekit.deltas.secret import DIGEST_BYTES, SiteSecret
from tapekit.journal import make_private

MEMBERS = "members"
TABLE_BYTES = 256 << 10
NOWHERE = -1
_FORMAT = 1
_EXTRA = struct.Struct(">QqqIB")
_SIZES = struct.Struct(">III")
_IS_RACY, _IS_SOUR = 1, 2


@dataclasses.dataclass(frozen=True)
class Base:
    """An archive that later ones build upon, and where it was: it must be the same when it is built upon again."""

    archive: str
    file: int
    trailer_sha256: str


class Known(NamedTuple):
    """A regular file as it was saved last: its line in the catalog (`base` counts the archives from 1), and its maps.

    A tuple, because one is made for each small file.

    `extents` are those of its chain of deltas. `is_racy`: it was written to so shortly before it was read that its
    times alone say nothing. `is_sour`: its last delta was not worth it.
    """

    entry: Entry
    device: int
    pages: int = NOWHERE
    chunks: int = NOWHERE
    extents: int = 0
    is_racy: bool = False
    is_sour: bool = False

    @property
    def kinds(self) -> tuple[str, ...]:
        """The maps that there are."""
        return tuple(kind for kind, place in zip(KINDS, (self.pages, self.chunks), strict=True) if place != NOWHERE)


def folder_of(state: Path, job: str, label: str) -> Path:
    """Where a job's archives on a cartridge are remembered."""
    return state / "deltas" / f"job-{urllib.parse.quote(job, safe='')[:180]}" / label


class Remembered:
    """What was remembered the last time."""

    def __init__(self, folder: Path, name: str, secret: SiteSecret) -> None:
        """Raises Damaged where it cannot be read, or there is nothing."""
        self.folder = folder
        self._name = name
        self._secret = secret
        path = folder / MEMBERS
        if not path.exists():
            raise Damaged("nothing is remembered of an archive on this cartridge")
        self._check(path)
        self._frames = frames(path, f"{name}\0{MEMBERS}", secret)
        try:
            about = json.loads(next(self._frames))
            if about["format"] != _FORMAT:
                raise Damaged("what is remembered was written by another version")
            self.bases = tuple(Base(*base) for base in about["bases"])
        except (ValueError, TypeError, KeyError, StopIteration) as error:
            raise Damaged("what is remembered of an earlier night cannot be read") from error

    def files(self) -> Iterator[Known]:
        """Every file, in the order of the walk."""
        for frame in self._frames:
            plain_bytes, stored_bytes, count = _SIZES.unpack_from(frame)
            if not count:
                return
            stored = frame[_SIZES.size : _SIZES.size + stored_bytes]
            _, entries = parse_table(decompress(stored, plain_bytes) if stored_bytes < plain_bytes else stored)
            for entry, extra in zip(entries, _EXTRA.iter_unpack(frame[_SIZES.size + stored_bytes :]), strict=True):
                device, pages, chunks, extents, flags = extra
                yield Known(entry, device, pages, chunks, extents, bool(flags & _IS_RACY), bool(flags & _IS_SOUR))

    def map(self, known: Known, kind: str) -> Iterator[Table]:
        """The blocks of a file as it was. Raises Damaged."""
        return self.map_at(kind, known.entry.base, known.pages if kind == PAGES else known.chunks)

    def page(self, known: Known, number: int) -> bytes:
        """The digest of one page of a file as it was. Raises Damaged."""
        frame, number = divmod(number, FRAME_BLOCKS)
        found = self.map_at(PAGES, known.entry.base, known.pages + frame * PAGES_FRAME_BYTES)
        table = next(found, Table(array("I"), b""))
        return table.digests[number * DIGEST_BYTES : (number + 1) * DIGEST_BYTES]

    def map_at(self, kind: str, base: int, place: int) -> Iterator[Table]:
        """The map at a place among those of an archive, counted from 1. Raises Damaged."""
        return _map_at(self.folder, self._name, self._secret, kind, self.bases[base - 1].archive, place)

    def _check(self, path: Path) -> None:
        """Every frame is there and good, before any of it is believed."""
        last = b""
        for frame in frames(path, f"{self._name}\0{MEMBERS}", self._secret):
            last = frame
        if last != _SIZES.pack(0, 0, 0):
            raise Damaged("what is remembered of an earlier night is cut off")


class Remembering:
    """What is to be remembered of an archive that is written now; nothing counts before `commit`."""

    def __init__(self, folder: Path, name: str, secret: SiteSecret, archive: str) -> None:
        """Begin. Raises OSError."""
        make_private(folder)
        self._folder = folder
        self._archive = archive
        self._members: FrameWriter | None = None
        self._name = name
        self._secret = secret
        self._path = folder / f"{MEMBERS}.{archive}"
        self._maps = {
            kind: FrameWriter(folder / f"{kind}.{archive}", f"{name}\0{kind}\0{archive}", secret) for kind in KINDS
        }
        self._spool = FrameWriter(folder / f"files.{archive}", f"{name}\0files\0{archive}", secret)
        self._zstd = ZstdCompressor()
        self._builder = TableBuilder(0, TABLE_BYTES)
        self._extras: list[bytes] = []
        self._named: set[tuple[str, int]] = set()
        """Kinds, and the archives (counted from 1), of the maps that belong to a file."""

    def writer(self, kind: str) -> FrameWriter:
        """Where the maps of that kind go."""
        return self._maps[kind]

    def map_at(self, kind: str, place: int) -> Iterator[Table]:
        """The map at a place, once all are finished. Raises Damaged."""
        return _map_at(self._folder, self._name, self._secret, kind, self._archive, place)

    def add(self, known: Known) -> None:
        """A file that the archive has."""
        if not self._builder.add(known.entry):
            self._flush()
            self._builder.add(known.entry)
        self._named |= {
            (kind, known.entry.base)
            for kind, place in ((PAGES, known.pages), (CHUNKS, known.chunks)) if place != NOWHERE
        }  # fmt: skip
        flags = known.is_racy * _IS_RACY | known.is_sour * _IS_SOUR
        self._extras.append(_EXTRA.pack(known.device, known.pages, known.chunks, known.extents, flags))

    def finish(self) -> None:
        """All files were added. Raises OSError."""
        if len(self._builder):
            self._flush()
        for writer in (self._spool, *self._maps.values()):
            writer.finish()

    def commit(self, bases: tuple[Base, ...]) -> None:
        """From here on this is what is remembered; what no longer belongs to it is removed. Raises OSError, Damaged."""
        about = {"format": _FORMAT, "bases": [dataclasses.astuple(base) for base in bases]}
        writer = FrameWriter(self._path, f"{self._name}\0{MEMBERS}", self._secret)
        try:
            writer.add(json.dumps(about).encode())
            for frame in frames(self._spool.path, f"{self._name}\0files\0{self._archive}", self._secret):
                writer.add(frame)
            writer.add(_SIZES.pack(0, 0, 0))
            writer.finish()
        finally:
            writer.close()
        self._path.replace(self._folder / MEMBERS)
        kept = {MEMBERS, *(f"{kind}.{bases[number - 1].archive}" for kind, number in self._named)}
        for path in self._folder.iterdir():
            if path.name not in kept:
                path.unlink(missing_ok=True)

    def discard(self) -> None:
        """The archive came to nothing."""
        for writer in (self._spool, *self._maps.values()):
            writer.close()
            with contextlib.suppress(OSError):
                writer.path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _flush(self) -> None:
        plain = self._builder.build()
        stored = self._zstd.compress(memoryview(plain)) or plain
        count = len(self._extras)
        self._spool.add(_SIZES.pack(len(plain), len(stored), count) + stored + b"".join(self._extras))
        self._builder = TableBuilder(0, TABLE_BYTES)
        self._extras.clear()


def _map_at(folder: Path, name: str, secret: SiteSecret, kind: str, archive: str, place: int) -> Iterator[Table]:
    return tables(frames(folder / f"{kind}.{archive}", f"{name}\0{kind}\0{archive}", secret, place), kind)


def forget_cartridge(state: Path, label: str) -> None:
    """Nothing is remembered of a cartridge any more: it has another label now."""
    for folder in (state / "deltas").glob(f"job-*/{label}"):
        shutil.rmtree(folder, ignore_errors=True)


def sort_key(path: bytes) -> bytes:
    """Paths in the order of the walk: a directory's content before the names behind it."""
    return path.replace(b"/", b"\0")
