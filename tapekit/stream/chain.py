"""Chains of deltas: what each layer says, and where in the end each piece of a file is read (SPEC.md section 11)."""

import bisect
import dataclasses
import struct
import tempfile
from array import array
from collections.abc import Iterator
from typing import NamedTuple

from formats import delta, pax
from formats.delta import Extent, ExtentKind, Part
from formats.errors import Damaged
from formats.pax import Member
from tapekit.stream.read import Readable
from tapekit.stream.unpack import FoundMember, read_member

SORTED_PIECES = 1 << 16
_MAP_HEAD_BYTES = 8
_PIECE = struct.Struct("<QQQ")
_SPOOL_BYTES = 4 << 20


class Piece(NamedTuple):
    """Bytes of the file from `start` on, that stand at `offset` of an archive's stream."""

    start: int
    length: int
    offset: int


@dataclasses.dataclass
class Layer:
    """A member as one archive has it: its extents in order, and the member that those of kind BASE are taken from.

    `offsets` are in the stream of a literal, in the base's content otherwise.
    """

    archive: str
    member: Member
    size_bytes: int = 0
    base: tuple[str, int] | None = None
    sha256: bytes = b""
    most: int = delta.MOST_CHAIN_EXTENTS
    """Extents that it may have."""
    starts: "array[int]" = dataclasses.field(default_factory=lambda: array("Q"))
    kinds: "array[int]" = dataclasses.field(default_factory=lambda: array("B"))
    offsets: "array[int]" = dataclasses.field(default_factory=lambda: array("Q"))

    def add(self, kind: int, length: int, offset: int) -> None:
        """The next extent. Raises Damaged for a file over 63 bits, or too many extents for its chain."""
        if not length:
            return
        self.starts.append(self.size_bytes)
        self.kinds.append(kind)
        self.offsets.append(offset)
        self.size_bytes += length
        if self.size_bytes >= 1 << 63 or len(self.starts) > self.most:
            raise Damaged("delta: more than any file has")

    def within(self, start: int, length: int) -> Iterator[tuple[int, int, int, int]]:
        """Kind, place, length and offset of what stands from `start` on. Raises Damaged beyond the end."""
        if start + length > self.size_bytes:
            raise Damaged("delta: takes bytes from behind the end of its base")
        number = bisect.bisect_right(self.starts, start) - 1
        while length:
            behind = self.starts[number + 1] if number + 1 < len(self.starts) else self.size_bytes
            inside = start - self.starts[number]
            part = min(length, behind - start)
            kind = self.kinds[number]
            yield kind, start, part, 0 if kind == ExtentKind.ZEROS else self.offsets[number] + inside
            start, length, number = start + part, length - part, number + 1


class PartMap(NamedTuple):
    """What a part says of itself, and where in the stream its literals begin."""

    part: Part
    extents: tuple[Extent, ...]
    literals: int


def read_layer(stream: Readable, archive: str, path: bytes, most: int) -> Layer:
    """The layer of the member where the stream stands, of at most so many extents. Raises Hole and Damaged."""
    found = read_member(stream, None)
    if found is None:
        raise Damaged("delta: the stream ends before its base")
    part = delta.part_of(found.member.extra)
    if part is None:
        return _whole(stream, archive, found, path)
    layer = Layer(archive, found.member._replace(path=path, extra=()), base=(part.base, part.base_offset), most=most)
    for mapped in part_maps(stream, found, path):
        literal = mapped.literals
        for extent in mapped.extents:
            is_literal = extent.kind == ExtentKind.LITERAL
            layer.add(extent.kind, extent.length, literal if is_literal else extent.offset)
            literal += extent.length if is_literal else 0
        layer.sha256 = mapped.part.sha256 or b""
    layer.member = layer.member._replace(size_bytes=layer.size_bytes)
    return layer


def part_maps(stream: Readable, first: FoundMember, path: bytes) -> Iterator[PartMap]:
    """The map of each part, the stream at its literals; wherever it is left, it goes on behind them.

    Raises Hole and Damaged.
    """
    found: FoundMember | None = first
    base, at = None, 0
    for number in range(1, 1 << 30):
        part = delta.part_of(found.member.extra) if found is not None else None
        if found is None or part is None:
            raise Damaged(f"delta: part {number} of it is missing")
        if (part.number, part.path, part.at) != (number, path, at):
            raise Damaged(f"delta: part {number} of it is missing, or another one is in its place")
        if base not in {None, (part.base, part.base_offset)}:
            raise Damaged("delta: its parts have different bases")
        base, content = (part.base, part.base_offset), stream.offset
        extents = _read_map(stream, found)
        yield PartMap(part, extents, stream.offset)
        at += sum(extent.length for extent in extents)
        stream.seek(content + found.member.size_bytes + pax.padding(found.member.size_bytes))
        if part.is_last:
            return
        found = read_member(stream, None)


def _whole(stream: Readable, archive: str, found: FoundMember, path: bytes) -> Layer:
    member = found.member
    if member.type != pax.REGULAR or member.path != path:
        raise Damaged(f"delta: another member is in the place of its base: {member.path[:80]!r}")
    layer, place = Layer(archive, member), stream.offset
    for start, size in ((0, member.size_bytes),) if member.sparse is None else member.sparse:
        layer.add(ExtentKind.ZEROS, start - layer.size_bytes, 0)
        layer.add(ExtentKind.LITERAL, size, place)
        place += size
    layer.add(ExtentKind.ZEROS, member.size_bytes - layer.size_bytes, 0)
    return layer


def _read_map(stream: Readable, found: FoundMember) -> tuple[Extent, ...]:
    """The map of a part; the stream stands at the literals, which add up."""
    size = found.member.size_bytes
    if found.member.sparse is not None or size < _MAP_HEAD_BYTES:
        raise Damaged("delta: a part without a map")
    head = stream.read(_MAP_HEAD_BYTES)
    mapped = delta.map_bytes(delta.count_extents(head))
    if mapped > size:
        raise Damaged("delta: a map that is longer than its part")
    extents = delta.parse(head + stream.read(mapped - _MAP_HEAD_BYTES))
    if mapped + sum(extent.length for extent in extents if extent.kind == ExtentKind.LITERAL) != size:
        raise Damaged("delta: its literals do not add up to the size of its part")
    return extents


class Wanted:
    """What of a file is still to be found, layer after layer from the newest on.

    Never held as a whole: what is wanted of the layer below waits in a file, whatever a map may claim.
    """

    def __init__(self, size_bytes: int, folder: str | None = None) -> None:
        """All of it. `folder` is for what does not fit into memory."""
        self._folder = folder
        self._count = 0
        self._pieces = _Spool(folder)
        if size_bytes:
            self._pieces.add(0, size_bytes, 0)

    @property
    def is_found(self) -> bool:
        """Whether all of it was found, or is zeros."""
        return not self._pieces.count

    def close(self) -> None:
        """Forget it."""
        self._pieces.close()

    def found(self, layer: Layer) -> Iterator[Piece]:
        """The pieces of the file that stand in a layer; the rest is wanted of the one below when this is at its end.

        They come in the order of the layer's stream, up to SORTED_PIECES at a time: more stand in it in the file's
        order already, unless somebody made them to be slow. Raises Damaged where it does not add up, or comes to more
        pieces than a reader must take.
        """
        below, here = _Spool(self._folder), []
        try:
            for start, size_bytes, within in self._pieces:
                for kind, place, length, offset in layer.within(within, size_bytes):
                    self._count += 1
                    if self._count > delta.MOST_PIECES:
                        raise Damaged(f"delta: over {delta.MOST_PIECES} pieces")
                    if kind == ExtentKind.LITERAL:
                        here.append(Piece(start + place - within, length, offset))
                    elif kind == ExtentKind.BASE:
                        below.add(start + place - within, length, offset)
                    if len(here) == SORTED_PIECES:
                        yield from sorted(here, key=_by_offset)
                        here.clear()
            yield from sorted(here, key=_by_offset)
        except BaseException:
            below.close()
            raise
        self._pieces.close()
        self._pieces = below


class _Spool:
    """Pieces in their order: the first in memory, many in a file."""

    def __init__(self, folder: str | None) -> None:
        """None yet."""
        self.count = 0
        self._file = tempfile.SpooledTemporaryFile(_SPOOL_BYTES, dir=folder)  # noqa: SIM115 - closed by `close`

    def add(self, start: int, length: int, offset: int) -> None:
        """The next one."""
        self._file.write(_PIECE.pack(start, length, offset))
        self.count += 1

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        self._file.seek(0)
        while data := self._file.read(_PIECE.size << 12):
            yield from _PIECE.iter_unpack(data)

    def close(self) -> None:
        self._file.close()


def _by_offset(piece: Piece) -> int:
    return piece.offset


def delta_of(member: Member) -> tuple[bytes, int] | None:
    """The path of the file that a member is a part of a delta of, and which; None where it is none."""
    try:
        part = delta.part_of(member.extra)
    except Damaged:
        return member.path, 0
    return None if part is None else (part.path, part.number)
