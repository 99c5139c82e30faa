"""Verification of one segment: its blocks, its sums, and the content of its members against their digests."""

import dataclasses
import hashlib
import os
from collections.abc import Iterable, Sequence

from formats import catalog
from formats.block import Kind
from formats.catalog import NO_DIGEST, Entry
from formats.errors import Damaged
from formats.segment import CONTINUED, PreviousSegment
from tapekit.blocks.cipher import NAMES_ONLY
from tapekit.blocks.read import BadBlock, FileEnd, GoodBlock, read_blocks
from tapekit.cartridge.cartridge import Cartridge, Segment
from tapekit.cartridge.catalog import Catalog, read_catalog
from tapekit.deltas.proof import Proof
from tapekit.errors import KeyNeeded, KeyRefused, VerificationFailed
from tapekit.jobs.interrupt import StopRequest
from tapekit.keys.opener import NO_KEY, Opener
from tapekit.progress import Progress
from tapekit.source.compare import Comparison
from tapekit.stream.joined import Joiner, in_best_order, is_joined
from tapekit.stream.read import Hole, PlainStream, find_layout
from tapekit.stream.unpack import FoundMember, LostMember, by_catalog, one_by_one


@dataclasses.dataclass(frozen=True)
class Damage:
    """One thing that is not as it was written. `member` is its path where a member is hit."""

    why: str
    file: int | None = None
    block: int | None = None
    member: bytes | None = None


@dataclasses.dataclass(frozen=True)
class Carried:
    """A member that goes on in the next part of its archive: what its digest is made of so far."""

    archive: str
    segment: int
    offset: int
    digest: "hashlib._Hash" = dataclasses.field(repr=False)
    left_bytes: int
    """Of its content."""


@dataclasses.dataclass
class SegmentResult:
    """What the verification of one segment found."""

    archive: str
    file: int
    state: str
    job: str
    blocks: int = 0
    bad_blocks: int = 0
    corrected_blocks: int = 0
    """Bad on the medium, and known all the same: parity gave them back."""
    members: int = 0
    bad_members: int = 0
    stored_bytes: int = 0
    part: int = 0
    """Of an archive on several cartridges, which of its parts is here."""
    before: tuple[PreviousSegment, ...] = ()
    """The parts before it, as its header names them."""
    left_by_crash: bool = False
    is_torn: bool = False
    """Its medium took no end of it; the part behind it knows, and has its catalog."""
    closed: str = ""
    """Why content was not decoded, where it was not: its blocks are checked all the same."""
    is_names_only: bool = False
    """The list was decoded, with a key that opens no more."""
    signed_by: str | None = None
    """The site whose signature the trailer bears."""
    not_joined: str = ""
    """Why files were not brought together, where they were not: the blocks that they are made of are checked."""
    is_base_damaged: bool = False
    """What it builds upon is damaged, or does not fit to what is built upon it; itself it may be good."""
    damage: list[Damage] = dataclasses.field(default_factory=list)
    comparison: Comparison | None = None
    carried: Carried | None = None
    """The last member, where it goes on in the next part."""

    @property
    def ok(self) -> bool:
        """Whether everything is as it was written, and as the source where that was asked.

        A segment that a crash cut short, and that the next backup found so, is what it was: no damage came to it since.
        """
        return (self.left_by_crash or self.is_torn or not self.damage) and not (
            self.comparison and self.comparison.differing
        )


class SegmentVerification:
    """Reads one segment from its first block to its last."""

    def __init__(
        self, cartridge: Cartridge, segment: Segment, progress: Progress, stop: StopRequest, carried: Carried | None,
        proof: Proof | None,
    ) -> None:  # fmt: skip
        self._carried = carried
        self._proof = proof
        self._drive = cartridge.drive
        self._segment = segment
        self._progress = progress
        self._stop = stop
        self._last_block = -1
        self._digests = hashlib.sha256()
        self._lost_offsets: set[tuple[int, int]] = set()
        """Base and place of the damaged members: what is linked to them is lost too."""
        self._opener: Opener = NO_KEY
        self._is_building = False
        """Whether a member stands in an earlier archive, whatever the header says."""
        previous = segment.header.previous if segment.header else ()
        self.result = SegmentResult(
            segment.archive, segment.file, segment.state, segment.job, part=segment.number, before=previous
        )  # fmt: skip
        self._cartridge = cartridge

    def unlock(self, opener: Opener) -> Segment:
        """Open the segment as far as somebody can."""
        self._opener = opener
        try:
            self._segment = self._cartridge.unlock(self._segment, opener, for_data=False)
        except (KeyNeeded, KeyRefused) as error:
            self.result.closed = str(error)
        except (VerificationFailed, Damaged) as error:
            self.result.closed = str(error)
            self.result.damage.append(Damage(str(error), file=self._segment.file))
        return self._segment

    def run(self) -> SegmentResult:
        """Read it through. Raises DriveError."""
        segment, result = self._segment, self.result
        if segment.trailer is None:
            result.damage.append(Damage(f"incomplete: {segment.problem}", file=segment.file))
        elif segment.problem:
            result.damage.append(Damage(segment.problem, file=segment.file))
        if not result.closed:
            try:
                self._decode()
            except KeyNeeded as error:  # of a segment whose header is damaged
                result.closed = str(error)
        self._verify_blocks(None)
        self._verify_sums()
        return result

    def _decode(self) -> None:
        """Catalog and members. Raises KeyNeeded."""
        segment, result = self._segment, self.result
        found = read_catalog(self._drive, segment)
        with found.tables:
            self._verify_blocks(segment.header_blocks)
            if segment.cipher is not None and not segment.cipher.opens_data:
                result.closed, result.is_names_only = NAMES_ONLY, True
                result.members = sum(1 for _ in found.tables.entries())
            else:
                self._verify_stream(found.tables.entries() if found.is_whole else None)
                self._verify_bases(found)
        if segment.trailer is not None:
            result.damage += [Damage(why, file=segment.file) for why in found.problems]

    def _verify_stream(self, entries: Iterable[Entry] | None) -> None:
        try:
            layout = find_layout(self._drive, self._segment)
        except VerificationFailed as error:
            self._hit(str(error))
            return
        with PlainStream(self._drive, layout, self._on_block, skips=False) as stream:
            if entries is None:
                members = one_by_one(stream, is_inside=self._segment.number > 0)
            else:
                members = by_catalog(stream, self._counted(entries, stream))
            for member in members:
                self._stop.check()
                if entries is None:
                    self.result.members += 1
                if not isinstance(member, LostMember):
                    self._verify_member(member, stream)
                elif not self._is_cut(stream):
                    self._hit(member.why, member.path, member.entry)
            stream.drain()

    def _verify_bases(self, found: Catalog) -> None:
        """What stands in earlier archives: brought together, or their blocks alone where no key opens them."""
        bases = self._segment.header.bases if self._segment.header else ()
        if not bases and not self._is_building:
            return
        with Joiner(self._cartridge, self._segment, self._opener) as joiner:
            for entry in in_best_order(found.tables.entries, len(bases)) if found.is_whole else ():
                self._stop.check()
                if not is_joined(entry) or entry.is_absent:
                    continue
                if entry.type == catalog.HARD_LINK:
                    if (entry.base, entry.reference) in self._lost_offsets:
                        self._hit(f"is a link to {os.fsdecode(entry.link)!r}, which is damaged", entry.path)
                    continue
                item = joiner.at(entry)
                if joiner.closed or joiner.no_room:
                    break
                before = self.result.bad_members
                if isinstance(item, LostMember):
                    self._hit(item.why, item.path, entry)
                else:
                    self._verify_content(item)
                self.result.is_base_damaged |= self.result.bad_members > before
        if joiner.no_room:
            self.result.not_joined = f"archive {self._segment.archive[:8]}: {joiner.no_room}"
        if joiner.closed or joiner.no_room or not found.is_whole:
            self._verify_blocks_of_bases(bases)

    def _verify_blocks_of_bases(self, bases: Sequence[str]) -> None:
        """Every block of the archives that this one builds upon: their digests need no key."""
        there = {s.archive: s for s in self._cartridge.segments() if s.file < self._segment.file}
        for archive in bases:
            base, bad, digests = there.get(archive), 0, hashlib.sha256()
            if base is None or base.trailer is None:
                bad += 1
            else:
                with read_blocks(self._drive, base.file, 0, base.expected()) as items:
                    for item in items:
                        self._stop.check()
                        if isinstance(item, FileEnd):
                            break
                        bad += isinstance(item, BadBlock)
                        if isinstance(item, GoodBlock) and item.header.kind not in (Kind.PARITY, Kind.TRAILER):
                            digests.update(item.header.digest)
                bad += digests.hexdigest() != base.trailer.blocks_sha256
            if bad:
                why = f"archive {archive[:8]}, which it builds upon, is damaged or missing"
                self.result.damage.append(Damage(why, file=self._segment.file))
                self.result.is_base_damaged = True

    def _verify_content(self, found: FoundMember) -> None:
        """A member that was brought together."""
        digest = hashlib.sha256(found.prefix)
        try:
            for part in found.content():
                digest.update(part)
        except (Hole, Damaged) as error:
            self._hit(str(error), found.member.path, found.entry)
            return
        if found.entry is not None and digest.digest() != found.entry.sha256:
            self._hit("its content does not have the digest that the catalog says", found.member.path, found.entry)

    def _counted(self, entries: Iterable[Entry], stream: PlainStream) -> Iterable[Entry]:
        """The members that begin in this segment; one that goes on from the part before is looked at on the way."""
        for entry in entries:
            self.result.members += 1
            if is_joined(entry):
                self._is_building = True
                if self._proof is not None and not entry.base:
                    self._prove_delta(self._proof, entry, stream)
                continue
            if entry.offset >= stream.layout.start:
                yield entry
            else:
                self._verify_rest(entry, stream)

    def _prove_delta(self, proof: Proof, entry: Entry, stream: PlainStream) -> None:
        """What changed in a file, block by block; what it was taken from is verified as it is stored."""
        stream.seek(entry.offset)
        try:
            proof.check(entry, stream)
        except (Hole, Damaged) as error:
            self._hit(str(error), entry.path, entry)
            self.result.is_base_damaged = True

    def _is_cut(self, stream: PlainStream) -> bool:
        """Whether the segment ended in the middle of a member, as it may where it goes on on another cartridge."""
        return self._segment.state == CONTINUED and stream.offset == stream.layout.end

    def _verify_rest(self, entry: Entry, stream: PlainStream) -> None:
        """The rest of a member that began in an earlier part; without what was carried, its blocks alone count."""
        carried, before = self._carried, (self._segment.archive, self._segment.number - 1, entry.offset)
        if carried is None or (carried.archive, carried.segment, carried.offset) != before:
            return
        digest, left = carried.digest.copy(), carried.left_bytes
        stream.seek(stream.layout.start)
        try:
            while left:
                part = stream.take(min(left, stream.layout.cut))
                if not part:
                    raise Damaged("stream: it ends in the middle of a member")
                digest.update(part)
                left -= len(part)
        except (Hole, Damaged) as error:
            if self._is_cut(stream):
                self._carry(entry, digest, left)
            else:
                self._hit(str(error), entry.path, entry)
            return
        if entry.sha256 not in {NO_DIGEST, digest.digest()}:
            self._hit("its content does not have the digest that the catalog says", entry.path, entry)

    def _carry(self, entry: Entry, digest: "hashlib._Hash", left_bytes: int) -> None:
        segment = self._segment
        self.result.carried = Carried(segment.archive, segment.number, entry.offset, digest, left_bytes)

    def _verify_member(self, found: FoundMember, stream: PlainStream) -> None:
        entry = found.entry
        digest, left = hashlib.sha256(found.prefix), found.member.stored_bytes - len(found.prefix)
        try:
            for part in found.content():
                digest.update(part)
                left -= len(part)
        except (Hole, Damaged) as error:
            if not self._is_cut(stream):
                self._hit(str(error), found.member.path, entry)
            elif entry is not None:
                self._carry(entry, digest, left)
            return
        if entry is None:
            return
        is_final = entry.sha256 != NO_DIGEST or self._segment.state != CONTINUED
        if entry.type == catalog.REGULAR and is_final and digest.digest() != entry.sha256:
            self._hit("its content does not have the digest that the catalog says", entry.path, entry)
        if entry.type == catalog.HARD_LINK and (entry.base, entry.reference) in self._lost_offsets:
            self._hit(f"is a link to {os.fsdecode(entry.link)!r}, which is damaged", entry.path)

    def _hit(self, why: str, member: bytes | None = None, entry: Entry | None = None) -> None:
        self.result.bad_members += 1
        if entry is not None:
            self._lost_offsets.add((entry.base, entry.offset))
        self.result.damage.append(Damage(why, file=self._segment.file, member=member))

    def _on_block(self, item: GoodBlock | BadBlock) -> None:
        """Count a block; blocks come in order, and one that is read again counts once."""
        if item.number <= self._last_block:
            return
        self._stop.check()
        self._last_block = item.number
        self.result.blocks += 1
        if isinstance(item, BadBlock):
            self.result.bad_blocks += 1
            self.result.damage.append(Damage(item.why, file=self._segment.file, block=item.number))
            return
        if item.header.kind not in (Kind.PARITY, Kind.TRAILER):
            self._digests.update(item.header.digest)
        self.result.stored_bytes += len(item.data)
        self._progress.advance(len(item.data))

    def _verify_blocks(self, end: int | None) -> None:
        """The blocks from the last one seen on, up to `end` or the end of the file."""
        segment, start = self._segment, self._last_block + 1
        if end is not None and start >= end:
            return
        with read_blocks(self._drive, segment.file, start, segment.expected()) as items:
            for item in items:
                if isinstance(item, FileEnd) or item.number == end:
                    break
                self._on_block(item)

    def _verify_sums(self) -> None:
        """What the trailer says of the whole segment."""
        trailer, result = self._segment.trailer, self.result
        if trailer and not result.bad_blocks and self._digests.hexdigest() != trailer.blocks_sha256:
            why = "the digest over all blocks is not the one in the trailer"
            result.damage.append(Damage(why, file=self._segment.file))
