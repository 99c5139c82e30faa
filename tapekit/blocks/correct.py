"""Correction: blocks that the medium lost, rebuilt from the parity of their group (formats/SPEC.md section 10).

Blocks are sealed before they are protected, so this needs no key. A rebuilt block counts only where its own digest is
right and it says itself that it belongs in that place; everything else that is read here is a claim.
"""

import contextlib
import dataclasses
from typing import TYPE_CHECKING, Any

from drivers.base import Drive
from drivers.errors import EndOfData
from formats import block, parity
from formats.block import NO_PARITY_GROUP, BlockHead, Kind
from formats.document import MOST_BLOCKS as MOST_TRAILER_BLOCKS
from formats.errors import Damaged
from tapekit.blocks.group import GroupPlace, GroupReading, place_of
from tapekit.blocks.read import BadBlock, Expected, FileEnd, GoodBlock, read_one

MOST_LOOKED_AT = 1 << 22
"""Blocks that are read in search of a group's parity: more than any group has."""

if TYPE_CHECKING:
    _Delegate = Drive
else:
    _Delegate = object


@dataclasses.dataclass(frozen=True)
class Corrected:
    """A block that is not good on the medium, and whose content is known all the same."""

    file: int
    block: int
    kind: Kind
    why: str


class CorrectingDrive(_Delegate):
    """A drive that `tapekit.blocks.read` asks for the blocks that it cannot read. All else is the drive's below.

    `corrections` are those that were asked for, each once.
    """

    def __init__(self, drive: Drive) -> None:
        """Take what a drive reads, and correct it."""
        self._drive = drive
        self.corrections: dict[tuple[int, int], Corrected] = {}
        self._rebuilt: dict[tuple[int, int], bytes] = {}
        """What the last group gave."""
        self._hopeless: set[tuple[int, int]] = set()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the drive has
        """The drive's own."""
        return getattr(self._drive, name)

    def is_known(self, bad: BadBlock, file: int) -> bool:
        """Whether the answer is known already: then `correct` does not move the drive."""
        return (file, bad.number) in self._rebuilt or (file, bad.number) in self._hopeless

    def correct(self, bad: BadBlock, file: int, expected: Expected | None) -> GoodBlock | None:
        """The block that belongs in the place of a bad one; None where nothing gives it back. Raises DriveError."""
        place = (file, bad.number)
        if not self.is_known(bad, file):
            with contextlib.suppress(EndOfData):
                self._rebuild(file, bad.number, expected)
            if place not in self._rebuilt:
                self._hopeless.add(place)
        data = self._rebuilt.get(place)
        if data is None:
            return None
        header = block.parse(data)
        if expected is not None:
            try:
                expected.check(header, bad.number)
            except Damaged:
                return None
        self.corrections.setdefault(place, Corrected(file, bad.number, Kind(header.kind), bad.why))
        return GoodBlock(bad.number, header, data, corrected=bad.why)

    def _rebuild(self, file: int, number: int, expected: Expected | None) -> None:
        """Fill `_rebuilt` with all that can be had of a block's group."""
        group, behind = self._group_ahead(file, number, expected)
        group = group or self._group_behind(file, number, expected)
        if group is None:
            self._hopeless.update((file, lost) for lost in range(number, behind))
            return
        self._rebuilt.clear()
        if number >= group.end:
            self._rebuild_trailer(group, number)
            return
        found = GroupReading(self._drive, group)
        for rebuilt, data in found.run():
            self._rebuilt[file, rebuilt] = data
        self._hopeless.update((file, lost) for lost in found.bad if (file, lost) not in self._rebuilt)

    def _group_ahead(self, file: int, number: int, expected: Expected | None) -> tuple[GroupPlace | None, int]:
        """The group whose parity blocks are the next that can be read, where the block belongs to it.

        Blocks of another archive count as bad. And the number of the first good block from here on: what is before it
        is of one fate where there is no group.
        """
        self._drive.locate(file, number)
        first_good = 0
        for looked_at in range(number, number + MOST_LOOKED_AT):
            item = read_one(self._drive, looked_at, expected)
            if isinstance(item, FileEnd):
                return None, first_good or looked_at
            if isinstance(item, BadBlock):
                continue
            first_good = first_good or looked_at
            if item.header.kind == Kind.PARITY:
                group = place_of(file, item)
                is_mine = group is not None and group.number <= number < group.end
                return group if is_mine else None, first_good
            if item.header.parity_group == NO_PARITY_GROUP:
                break
        return None, first_good

    def _group_behind(self, file: int, number: int, expected: Expected | None) -> GroupPlace | None:
        """The group of the last good block before a block: it may itself be parity, or the trailer behind that."""
        for looked_at in range(number - 1, -1, -1):
            self._drive.locate(file, looked_at)
            item = read_one(self._drive, looked_at, expected)
            if isinstance(item, GoodBlock):
                if item.header.kind == Kind.TRAILER and item.header.parity_group == NO_PARITY_GROUP:
                    continue
                return place_of(file, item) if item.header.kind == Kind.PARITY else None
            if looked_at < number - MOST_TRAILER_BLOCKS - parity.LARGEST_PARITY_BYTES // 4096:
                return None
        return None

    def _rebuild_trailer(self, group: GroupPlace, number: int) -> None:
        """A trailer behind its group's parity, from the copy that is the group's last members."""
        copies: list[GoodBlock] = []
        place = group.number + group.about.members - 1
        while not copies or copies[0].header.stream_offset:
            item = self._member(group, place - len(copies))
            if item is None or item.header.kind != Kind.TRAILER or len(copies) == MOST_TRAILER_BLOCKS:
                return
            copies.insert(0, item)
        if not copies[-1].header.is_last:
            return
        for place, copy in enumerate(copies, group.end):
            self._rebuilt[group.file, place] = _trailer_block(copy, group.about.end_sequence + place - group.end)
        if number >= group.end + len(copies):
            self._hopeless.add((group.file, number))

    def _member(self, group: GroupPlace, number: int) -> GoodBlock | None:
        self._drive.locate(group.file, number)
        item = read_one(self._drive, number, None)
        if isinstance(item, BadBlock):
            kept = dict(self._rebuilt)
            if (group.file, number) not in kept:
                kept |= {(group.file, place): data for place, data in GroupReading(self._drive, group).run()}
            self._rebuilt = kept
            data = kept.get((group.file, number))
            return None if data is None else GoodBlock(number, block.parse(data), data)
        return item if isinstance(item, GoodBlock) and group.owns(item.header) else None


def _trailer_block(copy: GoodBlock, sequence: int) -> bytes:
    """The trailer's block that a block of its copy gives: the same but for its place (SPEC.md section 10)."""
    known = copy.header
    head = BlockHead(
        kind=known.kind, flags=known.flags, payload_bytes=known.payload_bytes, archive=known.archive,
        segment=known.segment, parity_group=NO_PARITY_GROUP, sequence=sequence,
        stream_offset=known.stream_offset, plain_bytes=known.plain_bytes,
    )  # fmt: skip
    payload = copy.payload
    return block.seal(block.authenticated(head), payload) + bytes(payload)


def correcting(drive: Drive) -> CorrectingDrive:
    """A drive that corrects; the same one where it does already."""
    return drive if isinstance(drive, CorrectingDrive) else CorrectingDrive(drive)  # type: ignore[abstract]
