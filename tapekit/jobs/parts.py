"""The parts of an archive that is read: each on its cartridge, which is asked for when it is needed."""

import array
import bisect
import contextlib
import dataclasses
from collections.abc import Callable, Collection, Iterator

from drivers.base import Drive
from formats import pax
from formats.catalog import NOT_IN_STREAM, Entry
from formats.segment import COMPLETE, CONTINUED
from tapekit.blocks.correct import Corrected, CorrectingDrive, correcting
from tapekit.cartridge.cartridge import Cartridge, Segment, choose, later_unclosed, open_cartridge
from tapekit.cartridge.catalog import Catalog, read_catalog
from tapekit.errors import CartridgeError, VerificationFailed
from tapekit.jobs.next_cartridge import Asked, NextCartridge
from tapekit.keys.opener import NO_KEY, Opener
from tapekit.model import SPOOL
from tapekit.stream.joined import Joiner, in_best_order, is_joined, untold
from tapekit.stream.read import Hole, PlainStream, Readable, find_layout
from tapekit.stream.spanned import Missing
from tapekit.stream.unpack import FoundMember, LostMember, at_offset, one_by_one

MOST_STREAM_BYTES = 1 << 63


@dataclasses.dataclass
class Part:
    """A segment of the archive, its cartridge in a drive."""

    cartridge: Cartridge
    segment: Segment
    catalog: Catalog
    stream: PlainStream | None
    """None where no data block can be read, or no key opens them."""
    end: int | None
    """Of what it holds of the stream, once that is known."""
    joiner: Joiner | None = None
    """Brings together what stands in earlier archives, once some of that is read."""

    @property
    def number(self) -> int:
        """Of the segment; the first is 0."""
        return self.segment.number

    @property
    def start(self) -> int:
        """Where in the stream it begins."""
        if self.segment.header is not None:
            return self.segment.header.stream_start
        return self.stream.layout.start if self.stream else 0


@dataclasses.dataclass(frozen=True)
class Sought:
    """Which archive is wanted, and who brings its cartridges."""

    archive: str
    opener: Opener = NO_KEY
    next_cartridge: NextCartridge | None = None
    """None: what is not in the drive is missing."""
    needed: Callable[[str], Collection[int] | None] = lambda _archive: None
    """The parts of an archive that are known to be enough; None: all may be needed."""
    for_data: bool = True
    to: str | None = None
    """The folder that files are to go to."""
    begins: Callable[[Drive], object] = lambda _drive: None
    """Told of each drive whose cartridge is read."""


class Parts(contextlib.AbstractContextManager["Parts"]):
    """One cartridge after the other, in the order of the stream. Use as a context manager."""

    def __init__(self, drive: Drive, sought: Sought) -> None:
        """Choose the archive by what is in the drive. Raises NoSuchArchive, KeyNeeded, KeyRefused, DriveError."""
        self.current: Part | None = None
        self.cartridges: dict[int, str] = {}
        """Names of those that were read, by part."""
        self.state = ""
        self._sought = sought
        self._drive = drive
        self._names: dict[int, str] = {}
        """Of every part that is known of."""
        self._starts: dict[int, int] = {}
        self._problems: dict[int, list[str]] = {}
        self._torn: set[int] = set()
        """Parts that could not be closed: their members stand in the catalog behind them."""
        self._missing: set[int] = set()
        self._open: set[int] = set()
        """Parts that were read, and behind which another follows."""
        self._last: int | None = None
        self._reading: list[CorrectingDrive] = []
        self._most: dict[int, int] = {}
        self._alone: dict[int, array.array[int]] = {}
        """Of parts that were read without their catalog: where the members that were found begin."""
        self._crossing: dict[int, Entry] = {}
        """Of parts: the member that goes on in them from the part before."""
        self._tables = contextlib.ExitStack()
        reading = correcting(drive)
        cartridge = open_cartridge(reading)
        segments = cartridge.segments()
        self.chosen = choose(segments, sought.archive)
        self.doubts = later_unclosed(segments, self.chosen) if sought.archive == "latest" else []
        """Why this may not be the archive that was meant."""
        self._needed = sought.needed(self.chosen.archive)
        self._take(reading, cartridge, self.chosen)

    def __exit__(self, *_exception: object) -> None:
        self._leave()
        self._tables.close()

    @property
    def corrected(self) -> list[Corrected]:
        """Blocks that parity gave back."""
        return [found for reading in self._reading for found in reading.corrections.values()]

    @property
    def is_set(self) -> bool:
        """Whether it has more parts than one, as far as is known."""
        return len(self._names) > 1 or bool(self._open)

    @property
    def problems(self) -> list[str]:
        """What is damaged in the catalogs; ask at the end."""
        known = ((number, words) for number, words in sorted(self._problems.items()) if number not in self._torn)
        return [problem for _, words in known for problem in words]

    def in_order(self) -> Iterator[Part]:
        """Every part that is to be had, the first one first. A member may lead on to the next part meanwhile."""
        number: int | None = 0
        while number is not None:
            part = self.bring(number)
            if part is None:
                number = self._behind(number)
                continue
            yield part
            if part is not self.current:
                part.catalog.tables.close()
            reached = max(number, self.current.number if self.current else number)
            number = reached if reached > number else self._behind(number)

    def bring(self, number: int) -> Part | None:
        """The part with that number, in a drive; None where it is not to be had, or not needed."""
        sought = self._sought
        if self.current is not None and self.current.number == number:
            return self.current
        if number in self._missing or (self._needed is not None and number not in self._needed):
            return None
        if sought.next_cartridge is None:
            self._missing.add(number)
            return None
        self._leave()
        drive = sought.next_cartridge.next(self._drive, self._asked(number))
        if drive is None:
            self._missing.add(number)
            return None
        self._drive = drive
        reading = correcting(drive)
        cartridge = open_cartridge(reading)
        return self._take(reading, cartridge, self._found(cartridge)[number])

    def may_be_had(self, number: int) -> bool:
        """Whether a part may be had; False where it is sure that it is not. Nothing is moved for it."""
        if number in self.cartridges:
            return True
        brings = self._sought.next_cartridge
        if self.current is not None and self.current.stream is not None:
            self.current.stream.close()  # its drive may be looked at too
        return number not in self._missing and brings is not None and brings.may_come(self._asked(number))

    def missing(self) -> list[str]:
        """What is not there of the archive, in words; call it at the end."""
        end = self._last if self._last is not None else max(self._names)
        missing = {
            number for number in range(end + 1)
            if number not in self.cartridges and (self._needed is None or number in self._needed)
            and self._starts.get(number) != self._starts.get(number + 1, -1)  # nothing of the stream came to be there
        }  # fmt: skip
        words = [f"{self._words(number)} is not there" for number in sorted(missing)]
        if self._last is None and self._needed is None and end in self._open and self.state == CONTINUED:
            behind = f"part {end + 2} of archive {self.chosen.archive[:8]}, and what may follow, is not there"
            words.append(behind)
        return words

    def entries(self, part: Part) -> Iterator[tuple[Entry, str]]:
        """The members in a part's catalog that are not told of by an earlier one, and why one is lost, if it is."""
        bases = len(part.segment.header.bases) if part.segment.header else 0
        for entry in in_best_order(part.catalog.tables.entries, bases):
            if entry.base or entry.offset >= part.start:
                yield entry, ""
            elif not self.was_read(entry.offset):
                yield entry, f"it begins in {self._words(self._owner(entry.offset))}, which is not there"
            elif self._is_passed_over(entry.offset):
                yield entry, f"it begins where {self._words(self._owner(entry.offset))} is damaged"

    def one_by_one(self, part: Part, stream: Readable) -> Iterator[FoundMember | LostMember]:
        """The members of a part whose catalog is not whole, one behind the other.

        Those that a later part's catalog names, and that were not found here, are lost: `entries` of that part tells.
        """
        is_inside = part.number > 0 and (stream.offset < part.start or not self.was_read(part.start - 1))
        begin = max(stream.offset, part.start)  # behind a member that goes on here, what fills it up to a tar block
        stream.seek(begin + pax.padding(begin))
        found = self._alone.setdefault(part.number, array.array("Q"))
        for item in one_by_one(stream, lambda offset: self.is_behind(part, offset), is_inside=is_inside):
            if isinstance(item, FoundMember):
                found.append(item.place)
            yield item

    def _is_passed_over(self, offset: int) -> bool:
        """Whether the part that a member begins in was read without finding it."""
        found = self._alone.get(self._owner(offset))
        if found is None:
            return False
        place = bisect.bisect_left(found, offset)
        return place == len(found) or found[place] != offset

    def at(self, part: Part, stream: Readable, entry: Entry, offset: int | None = None) -> FoundMember | LostMember:
        """The member that an entry describes, or links to at `offset`, wherever it stands."""
        if not is_joined(entry):
            if part.joiner is not None:
                part.joiner.release()
            return at_offset(stream, entry, entry.offset if offset is None else offset)
        return self._joiner(part).at(entry, offset)

    def joined(self, part: Part, path: bytes, offset: int) -> FoundMember | LostMember:
        """A file of which a part holds what changed, from `offset` of its stream on, where no catalog tells of it."""
        return self._joiner(part).at(untold(path, offset))

    def _joiner(self, part: Part) -> Joiner:
        """Brings together what does not stand in a part as it is; nothing else has the drive."""
        if self.current is not None and self.current.stream is not None:
            self.current.stream.close()
        if part.joiner is None:
            part.joiner = Joiner(part.cartridge, part.segment, self._sought.opener, self._sought.to)
            self._tables.enter_context(part.joiner)
        return part.joiner

    def listed(self, part: Part, held: Entry | None) -> Iterator[Entry]:
        """All that a part's catalog tells and an earlier one did not; `held` is the last member of the part before.

        That one comes as this part has it where it goes on here.
        """
        is_first = True
        for entry in part.catalog.tables.entries():
            if is_first and held is not None and entry.offset == held.offset:
                held = entry
            elif entry.base or entry.offset >= part.start or not self.was_read(entry.offset):
                if held is not None:
                    yield held
                held = entry
            is_first = False
        if held is not None:
            yield held

    def was_read(self, offset: int) -> bool:
        """Whether the part that a member begins in was there."""
        return self._owner(offset) in self.cartridges

    def is_behind(self, part: Part, offset: int) -> bool:
        """Whether a stream offset belongs to a later part than this."""
        return (part.end is not None and offset >= part.end) or self._owner(offset) > part.number

    def final(self, entry: Entry) -> Entry:
        """What the catalog of the part that is read says of a member that began in an earlier one."""
        part = self.current
        if part is None or entry.offset >= part.start:
            return entry
        for other in part.catalog.tables.entries():
            if other.offset == entry.offset:
                return other
            if other.offset != NOT_IN_STREAM and other.offset > entry.offset:
                break
        return entry

    def most_offset(self, part: Part) -> int:
        """Where the stream ends at the latest, as far as this part tells."""
        if self._goes_on(part.number):
            return MOST_STREAM_BYTES
        return self._end_by_blocks(part)

    def _end_by_blocks(self, part: Part) -> int:
        """Where a part, which is in the drive, ends at the latest."""
        if part.end is not None or part.stream is None:
            return part.end or 0
        if part.number not in self._most:
            drive = part.cartridge.drive
            part.stream.close()
            drive.locate(part.segment.file, -1)
            self._most[part.number] = part.start + part.stream.layout.cut * (drive.position().block + 1)
        return self._most[part.number]

    def is_told(self, part: Part, item: FoundMember, end: int) -> bool:
        """Whether a member that was found without a catalog ends within what is known to be there of the stream.

        Or the catalog of the part that it goes on in says that it is so long.
        """
        if part.end is not None and end <= part.end:
            return True
        if self._goes_on(part.number) and (start := self._start_behind(part)) is not None:
            crossing = self._crossing.get(part.number + 1)
            told = (item.place, item.member.size_bytes)
            return end <= start or (crossing is not None and (crossing.offset, crossing.size) == told)
        here = self.bring(part.number)
        return here is not None and end <= self._end_by_blocks(here)

    # --- what the stream asks -----------------------------------------------------------------------------------

    def holding(self, offset: int) -> PlainStream | None:
        """See StreamParts."""
        part = self.current
        if part is not None and part.start <= offset and (part.end is None or offset < part.end):
            return self._stream(part, offset)
        number = self._owner(offset)
        if part is not None and part.end is not None and offset >= part.end:
            number = max(number, part.number + 1)
            if not self._goes_on(part.number):
                return None
        brought = self.bring(number)
        if brought is None:
            following = self._bring_behind(number)
            raise Missing(offset, following.start if following else None, f"{self._words(number)} is not there")
        if brought.start > offset:
            raise Hole(offset, brought.start, f"the end of {self._words(number - 1)} is damaged")
        if brought.end is not None and offset >= brought.end:
            return None if not self._goes_on(number) else self.holding(offset)
        return self._stream(brought, offset)

    def _bring_behind(self, number: int) -> Part | None:
        behind = self._behind(number)
        while behind is not None:
            part = self.bring(behind)
            if part is not None:
                return part
            behind = self._behind(behind)
        return None

    def _stream(self, part: Part, offset: int) -> PlainStream:
        if part.stream is None:
            raise Hole(offset, None, f"{self._words(part.number)}: nothing of it can be read")
        return part.stream

    def ends_at(self, offset: int) -> bool:
        """See StreamParts."""
        part = self.current
        if part is None or not self._goes_on(part.number):
            return False
        part.end = offset
        return True

    def is_again(self, offset: int) -> bool:
        """See StreamParts."""
        part = self.current
        if part is None or part.segment.trailer is not None or not self._goes_on(part.number):
            return False
        start = self._start_behind(part, offset)
        if start is None or start > offset:
            return False
        part.end = offset
        return True

    def _start_behind(self, part: Part, offset: int = -1) -> int | None:
        """Where the part behind one begins, None where nothing tells.

        If nothing has told yet, its cartridge is brought, and unless it holds `offset` the other one once more.
        """
        behind = part.number + 1
        if behind not in self._starts:
            self.bring(behind)
            if self._starts.get(behind, offset + 1) > offset:
                self.bring(part.number)
        return self._starts.get(behind)

    def why_cut(self, part: Part, end: int) -> str:
        """Why nothing of a part's stream reaches a later offset, in words; empty where it does, or may."""
        if part.end is None or end <= part.end or not self._goes_on(part.number):
            return ""
        if self.may_be_had(part.number + 1):
            return ""
        return f"its rest is in {self._words(part.number + 1)}, which is not there"

    # --- cartridges ---------------------------------------------------------------------------------------------

    def _asked(self, number: int) -> Asked:
        return Asked(
            self.chosen.archive, self.chosen.job, number, is_to_write=False,
            check=lambda candidate: self._check(candidate, number), name=self._names.get(number, ""),
        )  # fmt: skip

    def _found(self, cartridge: Cartridge) -> dict[int, Segment]:
        """The archive's segments on a cartridge; of two copies of one the closed one."""
        found: dict[int, Segment] = {}
        for segment in cartridge.segments():
            if segment.archive == self.chosen.archive and (segment.number not in found or segment.trailer):
                found[segment.number] = segment
        return found

    def _check(self, drive: Drive, number: int) -> None:
        cartridge = open_cartridge(drive)
        found = self._found(cartridge)
        self._names |= dict.fromkeys(found, cartridge.name)
        if number not in found:
            has = ", ".join(f"part {other + 1}" for other in sorted(found)) or "nothing"
            raise CartridgeError(
                f"{drive.url}: cartridge {cartridge.name} has {has} of archive {self.chosen.archive[:8]}, "
                f"not {self._words(number)}"
            )

    def _take(self, reading: CorrectingDrive, cartridge: Cartridge, segment: Segment) -> Part:
        """Begin with a part: its catalog is read first, which tells how a member of the part before it ends."""
        sought = self._sought
        opened = cartridge.unlock(segment, sought.opener, for_data=sought.for_data or segment.trailer is None)
        sought.begins(self._drive)
        if reading not in self._reading:
            self._reading.append(reading)
        found = read_catalog(reading, opened)
        self._tables.callback(found.tables.close)
        self._problems[opened.number] = list(found.problems)
        stream, end = None, None
        try:
            layout = find_layout(reading, opened)
            stream, end = PlainStream(reading, layout), layout.end
        except VerificationFailed as error:
            self._problems[opened.number].append(str(error))
        self._learn(opened, cartridge.name, stream)
        self.current = Part(cartridge, opened, found, stream, end)
        if self.current.number not in self._crossing and (entry := _going_on(self.current)) is not None:
            self._crossing[self.current.number] = entry
        return self.current

    def _learn(self, segment: Segment, name: str, stream: PlainStream | None) -> None:
        number = segment.number
        for earlier, before in enumerate(segment.header.previous if segment.header else ()):
            known = self._names.get(earlier, "") if before.name == SPOOL else before.name
            self._names[earlier], self._starts[earlier] = known, before.stream_start
            if before.trailer_sha256 is None:
                self._torn.add(earlier)
        self._names[number] = self.cartridges[number] = name
        if stream is not None:
            self._starts[number] = stream.layout.start
        if number >= max(self._names):
            self.state = segment.state
        if segment.state == CONTINUED or (segment.trailer is None and self._sought.next_cartridge is not None):
            self._open.add(number)
        elif segment.trailer is not None:
            self._last = number

    def _leave(self) -> None:
        """The cartridge in the drive is done with, for now."""
        if self.current is not None:
            if self.current.stream is not None:
                self.current.stream.close()
            self.current = None

    def _owner(self, offset: int) -> int:
        """The part that a stream offset belongs to, as far as is known."""
        known = sorted((start, number) for number, start in self._starts.items())
        place = bisect.bisect_right(known, (offset, len(known) + max(self._starts, default=0)))
        return known[place - 1][1] if place else 0

    def _goes_on(self, number: int) -> bool:
        """Whether there is a part behind this one."""
        if self._last is not None:
            return number < self._last
        return number in self._open or number in self._missing or any(other > number for other in self._names)

    def _behind(self, number: int) -> int | None:
        """The number of the part to go on with behind one that was read, or is missing."""
        needed = self._needed
        if needed is not None:
            return min((other for other in needed if other > number), default=None)
        if self._last is not None or any(other > number for other in self._names):
            return number + 1 if self._goes_on(number) else None
        if number in self._missing:  # nothing is known of what follows: one more is asked for
            is_asked = self._sought.next_cartridge is not None and number - 1 not in self._missing
            return number + 1 if is_asked else None
        return number + 1 if number in self._open else None

    def _words(self, number: int) -> str:
        name = self._names.get(number)
        part = f"part {number + 1} of archive {self.chosen.archive[:8]}"
        return f"{part} (cartridge {name})" if name else part


def _going_on(part: Part) -> Entry | None:
    """The last member in a part's catalog that begins before the part does."""
    last = None
    for entry in part.catalog.tables.entries():
        if entry.offset >= part.start:
            if entry.offset != NOT_IN_STREAM:
                break
        elif not entry.base:
            last = entry
    return last


def is_whole(parts: Parts) -> bool:
    """Whether every part was there, and the last one says that nothing follows."""
    return not parts.missing() and parts.state == COMPLETE
