"""One parity group on the medium: where it is, and what of it comes back (formats/SPEC.md section 10)."""

import dataclasses
import itertools
from collections.abc import Iterator

from drivers.base import Drive
from drivers.errors import EndOfData
from formats import block, parity
from formats.block import HEADER_BYTES, MAGIC, BlockHeader, Kind
from formats.errors import Damaged, FormatError
from formats.parity import ParityBlock
from formats.reed_solomon import added, power, scaled, solve
from tapekit.blocks.parity import Group, Sums, parity_block
from tapekit.blocks.read import BadBlock, FileEnd, GoodBlock, read_one


@dataclasses.dataclass(frozen=True)
class GroupPlace:
    """A parity group in a file: what one of its parity blocks tells, and where its first member stands."""

    file: int
    number: int
    archive: bytes
    segment: int
    group: int
    about: ParityBlock

    @property
    def end(self) -> int:
        """Number of the block behind the last parity block."""
        return self.number + self.about.end_sequence - self.about.first_sequence

    def number_of(self, header: BlockHeader) -> int:
        """Where a block of the segment belongs in the file."""
        return header.sequence - self.about.first_sequence + self.number

    def owns(self, header: BlockHeader) -> bool:
        """Whether a block is one of this group."""
        return (header.archive, header.segment, header.parity_group) == (self.archive, self.segment, self.group)


def place_of(file: int, item: GoodBlock) -> GroupPlace | None:
    """The group of a good parity block; None where what it says cannot be."""
    try:
        about = parity.parse(item.payload)
    except FormatError:
        return None
    number = item.number - (item.header.sequence - about.first_sequence)
    behind = about.first_sequence + about.members
    if number < 0 or not behind <= item.header.sequence < about.end_sequence:
        return None
    return GroupPlace(file, number, item.header.archive, item.header.segment, item.header.parity_group, about)


@dataclasses.dataclass(frozen=True)
class _Loss:
    """Bytes of one shard that are lost: where they begin and end in it."""

    shard: int
    start: int
    end: int


class GroupReading:
    """Reads a group from its first member to its last parity block, and solves what is missing.

    Room: the sums of the group, and as many bytes as can be solved, which are no more than those.
    """

    def __init__(self, drive: Drive, place: GroupPlace) -> None:
        self._drive = drive
        self._place = place
        self._shape = place.about.shape
        self._sums = Sums(self._shape)
        self._there: dict[tuple[int, int], bytes] = {}
        """Parities that can be read, by index and lane."""
        self.bad: set[int] = set()
        """Numbers of blocks that are not good."""

    def run(self) -> Iterator[tuple[int, bytes]]:
        """The blocks that could be rebuilt, with their numbers; `bad` has all that were not good."""
        gaps = self._read_members()
        self._read_parity()
        if gaps is None:
            return
        solved = self._solve(gaps)
        whole = True
        for start, end in gaps:
            found = list(self._blocks_in(start, _joined(start, end, solved, self._shape.shard_bytes)))
            whole = whole and sum(len(data) for _, data in found) == end - start
            yield from found
        if whole:
            yield from self._lost_parity(solved)

    def _read_members(self) -> list[tuple[int, int]] | None:
        """Add up what can be read; the stretches of the group's bytes that cannot.

        None where one is so long that none of it can be solved: it is not tried, for the room that it would take. The
        group is read to its end all the same, so that all that is lost of it is known, and nobody reads it again.
        """
        place, about = self._place, self._place.about
        gaps: list[tuple[int, int]] | None = []
        known = 0
        self._drive.locate(place.file, place.number)
        for number in range(place.number, place.number + about.members):
            item = read_one(self._drive, number, None)
            if isinstance(item, FileEnd):
                break
            if not self._belongs(item, number, known):
                self.bad.add(number)
                continue
            assert isinstance(item, GoodBlock)  # noqa: S101 - it belongs there
            offset = item.header.parity_offset
            if gaps is not None and not self._note_gap(gaps, known, offset):
                gaps = None
            if gaps is not None:
                self._sums.add(offset, item.data)
            known = offset + len(item.data)
        if gaps is None or not self._note_gap(gaps, known, about.member_bytes):
            return None
        self._sums.finish(about.member_bytes)
        return gaps

    def _note_gap(self, gaps: list[tuple[int, int]], start: int, end: int) -> bool:
        """Take down what is missing, if anything is; False where it is too much."""
        shape = self._shape
        if end - start > (shape.m + 1) * shape.lanes * shape.shard_bytes:
            return False
        if end > start:
            gaps.append((start, end))
            self._sums.pass_over(start, end - start)
        return True

    def _belongs(self, item: "GoodBlock | BadBlock | FileEnd", number: int, known: int) -> bool:
        """Whether this is the group's member that belongs there, as far as it can be told."""
        if not isinstance(item, GoodBlock) or not self._place.owns(item.header):
            return False
        header = item.header
        end = header.parity_offset + len(item.data)
        is_there = self._place.number_of(header) == number and header.kind != Kind.PARITY
        return is_there and known <= header.parity_offset and end <= self._place.about.member_bytes

    def _read_parity(self) -> None:
        place, about = self._place, self._place.about
        first = place.number + about.members
        try:
            self._drive.locate(place.file, first)
        except EndOfData:
            return
        for number, (index, lane) in enumerate(self._shape.order(about.member_bytes), first):
            item = read_one(self._drive, number, None)
            if isinstance(item, FileEnd):
                return
            good = place_of(place.file, item) if isinstance(item, GoodBlock) else None
            if good is None or dataclasses.replace(good.about, parity=b"", index=0, lane=0) != dataclasses.replace(
                about, parity=b"", index=0, lane=0
            ):
                self.bad.add(number)
                continue
            if not isinstance(item, GoodBlock) or not place.owns(item.header) or place.number_of(item.header) != number:
                self.bad.add(number)
                continue
            if (good.about.index, good.about.lane) != (index, lane):
                self.bad.add(number)
                continue
            self._there[index, lane] = good.about.parity

    def _solve(self, gaps: list[tuple[int, int]]) -> dict[_Loss, bytes]:
        """What was lost of each shard, as far as the parities tell: stretch by stretch where losses overlap."""
        by_lane: dict[int, list[_Loss]] = {}
        for loss in _losses(gaps, self._shape.shard_bytes):
            by_lane.setdefault(loss.shard % self._shape.lanes, []).append(loss)
        solved: dict[_Loss, bytes] = {}
        for lane, losses in by_lane.items():
            borders = sorted({border for loss in losses for border in (loss.start, loss.end)})
            for start, end in itertools.pairwise(borders):
                hit = [loss.shard for loss in losses if loss.start <= start and end <= loss.end]
                solved.update(self._solve_stretch(lane, hit, start, end))
        return solved

    def _solve_stretch(self, lane: int, shards: list[int], start: int, end: int) -> Iterator[tuple[_Loss, bytes]]:
        syndromes = [
            (index, added(self._there[index, lane][start:end], self._sums.parity(index, lane, start, end)))
            for index in range(self._shape.m)
            if (index, lane) in self._there
        ]
        if not shards or len(shards) > len(syndromes):
            return
        found = solve([self._exponent(shard) for shard in shards], syndromes)
        for shard, content in zip(shards, found, strict=True):
            yield _Loss(shard, start, end), content

    def _exponent(self, shard: int) -> int:
        """Of 2, in the factor of a shard: how many more its lane has behind it."""
        lanes = self._shape.lanes
        return self._shape.lane_members(shard % lanes, self._place.about.member_bytes) - 1 - shard // lanes

    def _blocks_in(self, start: int, content: bytearray) -> Iterator[tuple[int, bytes]]:
        """The whole blocks in a stretch of the group's bytes, some of which may not be known."""
        at = 0
        while at + HEADER_BYTES <= len(content):
            size = HEADER_BYTES + int.from_bytes(content[at + 12 : at + 16], "big")
            data = bytes(content[at : at + size])
            try:
                header = block.parse(data)
                number = self._place.number_of(header)
                if not self._place.owns(header) or header.parity_offset != start + at or number not in self.bad:
                    raise Damaged("block: belongs elsewhere")
            except FormatError:
                found = content.find(MAGIC, at + 1)
                if found < 0:
                    return
                at = found
                continue
            yield number, data
            at += size

    def _lost_parity(self, solved: dict[_Loss, bytes]) -> Iterator[tuple[int, bytes]]:
        """Parity blocks that are not good, made again where all that they protect is known."""
        place, about, shape = self._place, self._place.about, self._shape
        group = Group(
            place.group, about.first_sequence, about.members, about.member_bytes, about.first_sequence + about.members
        )  # fmt: skip
        for number, (index, lane) in enumerate(shape.order(about.member_bytes)):
            if place.number + about.members + number not in self.bad:
                continue
            content = bytearray(self._sums.parity(index, lane))
            for loss, lost in solved.items():
                if loss.shard % shape.lanes == lane:
                    share = scaled(lost, power(index * self._exponent(loss.shard)))
                    content[loss.start : loss.end] = added(bytes(content[loss.start : loss.end]), share)
            data = parity_block(group, shape, place.archive, place.segment, number, bytes(content))
            yield place.number + about.members + number, data


def _losses(gaps: list[tuple[int, int]], shard_bytes: int) -> Iterator[_Loss]:
    """What gaps take of each shard."""
    for start, end in gaps:
        for shard in range(start // shard_bytes, -(-end // shard_bytes)):
            first = shard * shard_bytes
            yield _Loss(shard, max(start - first, 0), min(end - first, shard_bytes))


def _joined(start: int, end: int, solved: dict[_Loss, bytes], shard_bytes: int) -> bytearray:
    """A stretch of the group's bytes, zeros where it is not known; empty where nothing of it is."""
    known = [(loss.shard * shard_bytes + loss.start - start, data) for loss, data in solved.items()]
    known = [(place, data) for place, data in known if place >= 0 and place + len(data) <= end - start]
    content = bytearray(end - start if known else 0)
    for place, data in known:
        content[place : place + len(data)] = data
    return content
