"""Chains of deltas: what each layer says, and where in the end each piece of a file is read (SPEC.md section 11)."""

import bisect
import dataclasses
from array import array
from collections.abc import Iterator
from typing import NamedTuple

from formats import delta, pax
from formats.delta import ExtentKind, Part
from formats.errors import Damaged
from formats.pax import Member
from tapekit.stream.read import Readable
from tapekit.stream.unpack import FoundMember, read_member

_MAP_HEAD_BYTES = 8


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
    starts: "array[int]" = dataclasses.field(default_factory=lambda: array("Q"))
    kinds: "array[int]" = dataclasses.field(default_factory=lambda: array("B"))
    offsets: "array[int]" = dataclasses.field(default_factory=lambda: array("Q"))

    def add(self, kind: int, length: int, offset: int) -> None:
        """The next extent. Raises Damaged for a file over 63 bits, or too many extents."""
        if not length:
            return
        self.starts.append(self.size_bytes)
        self.kinds.append(kind)
        self.offsets.append(offset)
        self.size_bytes += length
        if self.size_bytes >= 1 << 63 or len(self.starts) > delta.MOST_CHAIN_EXTENTS:
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


def read_layer(stream: Readable, archive: str, path: bytes) -> Layer:
    """The layer of the member where the stream stands. Raises Hole and Damaged."""
    found = read_member(stream, None)
    if found is None:
        raise Damaged("delta: the stream ends before its base")
    part = delta.part_of(found.member.extra)
    if part is None:
        return _whole(stream, archive, found, path)
    layer = Layer(archive, found.member._replace(path=path, extra=()), base=(part.base, part.base_offset))
    for number in range(1, 1 << 30):
        _check_part(part, number, path, layer)
        layer.sha256 = part.sha256 or b""
        _read_part(stream, found, layer)
        if part.is_last:
            break
        found = read_member(stream, None)
        part = delta.part_of(found.member.extra) if found is not None else None
        if found is None or part is None:
            raise Damaged(f"delta: part {number + 1} of it is missing")
    layer.member = layer.member._replace(size_bytes=layer.size_bytes)
    return layer


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


def _check_part(part: Part, number: int, path: bytes, layer: Layer) -> None:
    if (part.number, part.path, part.at) != (number, path, layer.size_bytes):
        raise Damaged(f"delta: part {number} of it is missing, or another one is in its place")
    if (part.base, part.base_offset) != layer.base:
        raise Damaged("delta: its parts have different bases")


def _read_part(stream: Readable, found: FoundMember, layer: Layer) -> None:
    """The map of a part; the stream goes on behind it."""
    content, size = stream.offset, found.member.size_bytes
    if found.member.sparse is not None or size < _MAP_HEAD_BYTES:
        raise Damaged("delta: a part without a map")
    head = stream.read(_MAP_HEAD_BYTES)
    mapped = delta.map_bytes(delta.count_extents(head))
    if mapped > size:
        raise Damaged("delta: a map that is longer than its part")
    extents = delta.parse(head + stream.read(mapped - _MAP_HEAD_BYTES))
    literal = content + mapped
    for extent in extents:
        if extent.kind == ExtentKind.LITERAL:
            layer.add(extent.kind, extent.length, literal)
            literal += extent.length
        else:
            layer.add(extent.kind, extent.length, extent.offset)
    if literal != content + size:
        raise Damaged("delta: its literals do not add up to the size of its part")
    stream.seek(literal + pax.padding(size))


def resolve(layers: list[Layer]) -> dict[str, list[Piece]]:
    """From a chain, the newest layer first, the pieces of the file by archive, each in the order of its stream.

    Zeros are left out. Raises Damaged where it does not add up, or comes to more pieces than a reader must take.
    """
    wanted = [Piece(0, layers[0].size_bytes, 0)]
    found: dict[str, list[Piece]] = {}
    count = 0
    for layer in layers:
        pieces: list[Piece] = []
        below: list[Piece] = []
        for piece in wanted:
            for kind, place, length, offset in layer.within(piece.offset, piece.length):
                count += 1
                if count > delta.MOST_PIECES:
                    raise Damaged(f"delta: over {delta.MOST_PIECES} pieces")
                if kind != ExtentKind.ZEROS:
                    target = pieces if kind == ExtentKind.LITERAL else below
                    target.append(Piece(piece.start + place - piece.offset, length, offset))
        found[layer.archive] = sorted(pieces, key=lambda piece: piece.offset)
        wanted = below
    if wanted:
        raise Damaged("delta: its chain has no end")
    return found


def delta_of(member: Member) -> bytes | None:
    """The path of the file that a member is a part of a delta of; None where it is none."""
    try:
        part = delta.part_of(member.extra)
    except Damaged:
        return member.path
    return None if part is None else part.path
