"""The segments of an archive while it is written: one on each cartridge, each closed before the next cartridge comes.

A segment ends where its cartridge has no room for more than its catalog and its trailer. What the cartridge took until
then is not written again; what it refused is written on the next one.
"""

import base64
import contextlib
import dataclasses
import os
import stat
from collections.abc import Callable, Sequence
from typing import Self

from drivers.base import Drive
from drivers.errors import BlocksLost, DriveError, EndOfMedium, MediumError, WriteProtected
from formats import segment
from formats.block import HEADER_BYTES, TAG_BYTES, Kind
from formats.catalog import Entry
from formats.segment import CONTINUED, INCOMPLETE, Evidence, ParityScheme, PreviousSegment, SegmentHeader, Trailer
from tapekit.audit import events as audit
from tapekit.audit.events import Event
from tapekit.blocks.cipher import BlockCipher
from tapekit.blocks.codec import Compressor
from tapekit.blocks.flow import Flowed, together
from tapekit.blocks.parity import group_parity_bytes, scheme_for
from tapekit.blocks.write import SegmentWriter
from tapekit.cartridge.cartridge import Cartridge, Segment, open_cartridge
from tapekit.cartridge.catalog import CatalogBuilder, Ended
from tapekit.cartridge.directory import directory_of
from tapekit.errors import CartridgeError, MediumFull
from tapekit.evidence import Evidences
from tapekit.jobs.held import held
from tapekit.jobs.next_cartridge import Asked, NextCartridge
from tapekit.keys.opener import NO_KEY, Known, Opener
from tapekit.keys.seal import NOBODY, Recipients, seal_header
from tapekit.keys.segment import SegmentKeys
from tapekit.keys.signature import signed_trailer
from tapekit.keys.site import SiteKey
from tapekit.model import Rung
from tapekit.units import now_text, size_text

RECORD_OVERHEAD_BYTES = 4096 + HEADER_BYTES + TAG_BYTES
"""What a block may take on the medium beyond its payload."""
CLOSING_BLOCKS = 8
"""Blocks kept free for the trailer and for what rounding takes."""
SMALLEST_ARCHIVE_BLOCKS = 4
"""Header, the data block that is filled, the one behind it, and one for luck: with less room nothing is begun."""
_MORE_ROOM = "put in a cartridge with more room, and run the backup again"


REFUSED = (EndOfMedium, MediumError)
"""A medium takes no more, or not what it should: with another cartridge at hand, the archive goes on on that one."""


class SegmentFull(Exception):
    """No more data belongs in this segment, and there is no next one."""


@dataclasses.dataclass(frozen=True)
class Part:
    """A segment that was written: where it is, and what is in it."""

    cartridge: str
    label: str
    file: int
    segment: int
    state: str
    stored_bytes: int
    members: int


@dataclasses.dataclass(frozen=True)
class Means:
    """What an archive is written with, whatever is in it."""

    packing: Compressor
    evidences: Evidences
    recipients: Recipients = NOBODY
    site_key: SiteKey | None = None
    parity: bool | None = None
    """Whether damage can be corrected later; None: on disks, not on tape. A cartridge may be too small for it."""
    tape_pool_bytes: int | None = None
    """Of memory, so that a tape stops seldom; None: as much as is usual."""
    next_cartridge: NextCartridge | None = None
    """None: an archive that does not fit one cartridge is aborted."""
    closed: Callable[[Drive, Part, Opener], object] = lambda _drive, _part, _opener: None
    """Told of each segment when it is closed, its cartridge still in the drive."""


@dataclasses.dataclass
class Saved:
    """What the one who fills the stream says of it: bytes read so far, and the member that is being saved."""

    source_bytes: Callable[[], int] = lambda: 0
    unfinished: Callable[[], Entry | None] = lambda: None
    stop: Callable[[], None] = lambda: None
    """Raises Stopped where somebody asked for it."""


def check_writable(cartridge: Cartridge) -> None:
    """Raises CartridgeError and WriteProtected where nothing can be written behind what a cartridge holds."""
    url = cartridge.drive.url
    if cartridge.label is None:
        raise CartridgeError(
            f"{url}: {cartridge.label_problem}: nothing is added to a cartridge whose label is damaged",
            "restore what it holds, then label it anew",
        )
    if cartridge.is_unfinished:
        raise CartridgeError(
            f"{url}: cartridge {cartridge.name}: its labelling was cut off: there is no whole rescue kit on it",
            "label it again; nothing else is on it",
        )
    if cartridge.medium.write_protected:
        raise WriteProtected(f"{url}: cartridge {cartridge.name} is write-protected")


def check_goes_on(cartridge: Cartridge, header: SegmentHeader, used: Sequence[str]) -> None:
    """Raises CartridgeError where an archive cannot go on on a cartridge, on which it can be written otherwise."""
    url, label = cartridge.drive.url, cartridge.label
    if label is not None and label.cartridge in used:
        raise CartridgeError(
            f"{url}: cartridge {cartridge.name} holds an earlier part of this archive", "put in another one"
        )
    if label is not None and label.block_size < header.block_size:
        raise CartridgeError(
            f"{url}: cartridge {cartridge.name} has blocks of {label.block_size} bytes, the archive's are of "
            f"{header.block_size}",
            "put in another one, or label it with that --block-size",
        )


class Segments:
    """Takes the data blocks of an archive in order, as a SegmentWriter does, and sees to the cartridges below them.

    Use as a context manager. Raises SegmentFull where a cartridge is full and there is no next one, MediumFull, Stopped
    and DriveError.
    """

    def __init__(self, header: SegmentHeader, means: Means) -> None:
        """The archive of `header`, which is its first segment's; nothing is written before `begin`."""
        self.header = header
        self.cut = header.cut
        self.builder = CatalogBuilder(header.cut)
        self.parts: list[Part] = []
        self.saved = Saved()
        self.cartridge_name = ""
        self.remaining_bytes = 0
        self.parity_bytes: int | None = None
        self.own_files: set[tuple[int, int]] = set()
        """(device, inode) of the image files that are written to."""
        self.is_open = False
        """Whether there is a segment that can still be closed."""
        self._means = means
        self._next_cartridge = means.next_cartridge
        self._keys: dict[int, SegmentKeys] = {}
        self._end = 0
        """Of the stream, as far as blocks were handed over."""
        self._source_bytes = 0
        """What was read from the source before this segment."""
        self._tail: tuple[int, bytes] | None = None
        """The stream's last block, which may be written once more where closing fails."""
        self._is_ending = False
        self._segment = contextlib.ExitStack()
        self._door = contextlib.ExitStack()
        """Of the drive, locked while it is written to."""
        self.not_locked: list[str] = []
        """Why drives did not lock it."""
        self._flowed: list[Flowed | None] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._segment.close()
        self._door.close()
        self.builder.tables.close()

    @property
    def opener(self) -> Opener:
        """What opens the archive, as long as this process lives."""
        return Known(self.header.archive, dict(self._keys)) if self._keys else NO_KEY

    @property
    def members(self) -> int:
        """How many members the archive has by now."""
        return self.builder.first + self.builder.members

    @property
    def flowed(self) -> Flowed | None:
        """How well tapes were kept going; None where there was none."""
        return together(self._flowed)

    @property
    def url(self) -> str:
        """The drive that was written to last."""
        return self._drive.url

    @property
    def trailer_sha256(self) -> str:
        """The digest field of the last trailer's last block."""
        return self._writer.last_digest

    @property
    def can_go_on(self) -> bool:
        """Whether somebody brings the next cartridge where one is full."""
        return self._next_cartridge is not None

    def build_upon(self, bases: tuple[str, ...]) -> None:
        """Name the archives that members may refer to; such an archive does not go on on another cartridge."""
        self.header = dataclasses.replace(self.header, bases=bases)
        if bases:
            self._next_cartridge = None

    def wipe(self) -> None:
        """Overwrite all keys."""
        for keys in self._keys.values():
            keys.wipe()

    # --- what the packer sees -----------------------------------------------------------------------------------

    def buffer(self) -> bytearray:
        """See SegmentWriter."""
        try:
            return self._writer.buffer()
        except REFUSED as refused:
            self._go_on(self._end, refused)
            return self.buffer()

    def write_data(self, buffer: bytearray, plain_bytes: int, stream_offset: int) -> None:
        """See SegmentWriter; the block goes to the next cartridge where this one has no room for it."""
        self._end = stream_offset + plain_bytes
        if plain_bytes < self.cut:
            self._tail = stream_offset, bytes(memoryview(buffer)[HEADER_BYTES : HEADER_BYTES + plain_bytes])
        if self._is_full():
            self._go_on(stream_offset, None)
        try:
            self._writer.write_data(buffer, plain_bytes, stream_offset)
        except REFUSED as refused:
            self._go_on(stream_offset, refused)
            self.write_data(buffer, plain_bytes, stream_offset)

    def _is_full(self) -> bool:
        """Whether only catalog and trailer have room left.

        What is on its way to the drive counts as if it did not compress; near the end it is worth waiting to see.
        """
        if self._is_ending and self._next_cartridge is None:
            return False
        writer, needed = self._writer, self._closing_bytes()
        if not writer.early_warning and writer.room_bytes(needed) < needed:
            with contextlib.suppress(*REFUSED):  # which the next call raises again
                writer.drain()
        return writer.early_warning or writer.room_bytes(needed) < needed

    def _closing_bytes(self) -> int:
        """Room that catalog, trailer and filemark take if the segment ended here, and its parity left aside."""
        trailer = 4096 + 512 * (len(self._earlier) + 1) + len(self._header_copy or "")
        if self._shape is not None:
            trailer *= 2
        return self.builder.needed_bytes(RECORD_OVERHEAD_BYTES) + trailer + CLOSING_BLOCKS * RECORD_OVERHEAD_BYTES

    # --- beginning ----------------------------------------------------------------------------------------------

    def begin_first(self, cartridge: Cartridge, earlier: Sequence[Segment]) -> None:
        """Begin on a cartridge, or where that is full already on the next one that is not. Raises MediumFull."""
        header = self.header
        try:
            self.begin(cartridge, earlier)
        except MediumFull:
            if self._next_cartridge is None:
                raise
            self.header = header
            drive = self._bring(header)
            if drive is None:
                raise
            following = open_cartridge(drive)
            self.begin(following, following.segments())

    def begin(self, cartridge: Cartridge, earlier: Sequence[Segment]) -> None:
        """Write the header behind what a cartridge holds; `earlier` is that. Raises MediumFull before anything is."""
        header = self.header = dataclasses.replace(self.header, parity=self._parity_for(cartridge))
        self._shape = header.parity.shape if header.parity else None
        if self._means.recipients:
            keys = self._keys[header.segment] = SegmentKeys.new()
            header = self.header = seal_header(header, self._means.recipients, keys)
        self._cartridge, self._drive, self._earlier = cartridge, cartridge.drive, earlier
        self.cartridge_name = cartridge.name
        document = segment.build_header(header)
        self._header_copy = base64.b64encode(document).decode() if self._keys or header.bases else None
        self._file = self._find_place()
        self._door.enter_context(held(self._drive, self.not_locked.append))
        cipher = BlockCipher(self._keys[header.segment]) if self._keys else None
        self._writer = SegmentWriter(
            self._drive, bytes.fromhex(header.archive), header.segment, header.sequence_start,
            header.block_size, self._means.packing, cipher, parity=header.parity,
            tape_pool_bytes=self._means.tape_pool_bytes,
        )  # fmt: skip
        self._segment.enter_context(self._writer.threads())
        self._writer.write_document(Kind.HEADER, document)
        self.is_open = True
        self._add_own_file()

    def _parity_for(self, cartridge: Cartridge) -> ParityScheme | None:
        chosen = self._means.parity
        if chosen or (chosen is None and not cartridge.medium.is_tape):
            return scheme_for(self.header.block_size, cartridge.medium.capacity_bytes)
        return None

    def _add_own_file(self) -> None:
        with contextlib.suppress(OSError):
            status = os.stat(self._drive.identify().node)  # noqa: PTH116 - a name, as the drive gives it
            if stat.S_ISREG(status.st_mode):
                self.own_files.add((status.st_dev, status.st_ino))

    def _find_place(self) -> int:
        """Go to the end of data, closing a file that a crash left without its filemark. Raises MediumFull."""
        drive = self._drive
        drive.to_end_of_data()
        self._check_room(self._cartridge)
        if drive.position().block:
            drive.write_filemark()
        return drive.position().file

    def _check_room(self, cartridge: Cartridge) -> None:
        room = cartridge.drive.medium().remaining_bytes
        needed = self._closing_bytes() + SMALLEST_ARCHIVE_BLOCKS * (self.header.block_size + RECORD_OVERHEAD_BYTES)
        parity = self._parity_for(cartridge)
        if parity is not None:
            needed += group_parity_bytes(parity.shape) + parity.shape.parity_blocks * RECORD_OVERHEAD_BYTES
        if room < needed:
            raise MediumFull(
                f"{cartridge.drive.url}: cartridge {cartridge.name} is full: {size_text(room)} left: "
                "nothing was written",
                _MORE_ROOM,
            )

    # --- going on -----------------------------------------------------------------------------------------------

    def _go_on(self, offset: int, refused: DriveError | None) -> None:
        """End this segment before the block at a stream offset, or earlier where the medium has not more than that."""
        if self._next_cartridge is None:
            if refused is not None:
                raise refused
            raise SegmentFull
        first = self.builder.first
        try:
            if refused is not None:
                raise refused
            ended = self.builder.until(offset, self._end, self.saved.unfinished())
            trailer = self._close(ended, CONTINUED, offset)
        except REFUSED as error:
            self._go_on_torn(offset, [], error)
        else:
            self.builder.go_on(ended)
            part = self._part(CONTINUED, trailer.stored_bytes, trailer.members)
            self._next(offset, part, first, self._writer.last_digest)

    def _go_on_torn(self, offset: int, last: list[tuple[int, bytes]], refused: DriveError) -> None:
        """Leave a segment that its medium does not let us close; what is not on it goes on the next one.

        `last` is written there too. So does the catalog, which the medium has not. Raises the drive's error where it
        had taken more than is kept.
        """
        self._segment.close()
        with contextlib.suppress(DriveError):
            if self._drive.position().block:
                self._drive.write_filemark()
        lost_from = refused.block if isinstance(refused, BlocksLost) else None
        cuts = self._writer.taken_back(lost_from)
        if cuts is None:
            raise refused
        pending = dict(last) | {cut.stream_offset: cut.content for cut in cuts}
        self._next(min(pending, default=offset), self._part(INCOMPLETE, 0, 0), self.builder.first, None)
        for place, content in sorted(pending.items()):
            buffer = self.buffer()
            buffer[HEADER_BYTES : HEADER_BYTES + len(content)] = content
            self.write_data(buffer, len(content), place)

    def _next(self, offset: int, part: Part, first_member: int, trailer_sha256: str | None) -> None:
        """Begin the next segment at a stream offset, on the next cartridge. Raises SegmentFull where there is none."""
        header = self.header
        previous = PreviousSegment(part.label, part.cartridge, trailer_sha256, header.stream_start, first_member)
        self._ended(part)
        header = dataclasses.replace(
            header, segment=header.segment + 1, stream_start=offset, sequence_start=self._writer.next_sequence,
            previous=(*header.previous, previous), cipher=None, slots=(), commitment=None, bases=(),
        )  # fmt: skip
        drive = self._bring(header)
        if drive is None:
            raise SegmentFull
        self.header = header
        cartridge = open_cartridge(drive)
        self.begin(cartridge, cartridge.segments())

    def _bring(self, header: SegmentHeader) -> Drive | None:
        used = tuple(part.label for part in self.parts)

        def check(drive: Drive) -> None:
            cartridge = open_cartridge(drive)
            check_writable(cartridge)
            check_goes_on(cartridge, header, used)
            drive.to_end_of_data()
            self._check_room(cartridge)

        assert self._next_cartridge is not None  # noqa: S101 - the caller has seen to it
        return self._next_cartridge.next(self._drive, Asked(
            header.archive, header.job, header.segment, is_to_write=True, check=check,
            finished=self.cartridge_name, used=used, block_bytes=header.block_size, opener=self.opener,
            stop=self.saved.stop,
        ))  # fmt: skip

    # --- ending -------------------------------------------------------------------------------------------------

    def finishing(self, *, is_stopped: bool = False) -> None:
        """What comes now is the last: without a next cartridge it has its place on this one. Stopped, none is taken."""
        self._is_ending = True
        if is_stopped:
            self._next_cartridge = None

    def end(self, state: str) -> None:
        """Close the archive's last segment."""
        try:
            trailer = self._close(self.builder.finish(), state, self._end)
        except REFUSED as error:
            if self._next_cartridge is None or self._tail is None:
                raise
            self._go_on_torn(self._tail[0], [self._tail], error)
            self.end(state)
        else:
            self._ended(self._part(trailer.state, trailer.stored_bytes, trailer.members))

    def _close(self, ended: Ended, state: str, stream_end: int) -> Trailer:
        """Catalog and trailer; with parity, the trailer stands within the last group and once more behind it."""
        writer, header = self._writer, self.header
        writer.drain()
        catalog_parity = writer.sums()[0].parity
        for table, is_last in self.builder.stored(ended):
            writer.write_table(table.stored, table.plain_bytes, table.first, last=is_last)
        writer.drain()
        counts, digest = writer.sums()
        catalog_block, stored_bytes = counts.header + counts.data + catalog_parity, writer.stored_bytes
        if self._shape is not None:  # the last group's is known before it is written
            counts = dataclasses.replace(counts, parity=counts.parity + self._shape.parity_blocks)
            stored_bytes += group_parity_bytes(self._shape)
        read = self.saved.source_bytes()
        trailer = Trailer(
            archive=header.archive, segment=header.segment, job=header.job, started=header.started, state=state,
            finished=now_text(), members=ended.members, problems=ended.problems,
            source_bytes=read - self._source_bytes, stream_bytes=stream_end - header.stream_start,
            stored_bytes=stored_bytes, blocks=counts, blocks_sha256=digest, catalog_block=catalog_block,
            directory=directory_of(self._earlier, self._highest), first_member=self.builder.first,
            header=self._header_copy, audit=audit.head(),
        )  # fmt: skip
        room = writer.room_bytes() // (1 if self._shape is None else 2)
        room = max(room, (1 << 14) + len(self._header_copy or ""))
        document = signed_trailer(trailer, self._means.site_key, room)
        if self._shape is not None:
            writer.write_document(Kind.TRAILER, document)
            writer.close_group()
            self.parity_bytes = (self.parity_bytes or 0) + (
                counts.parity // self._shape.parity_blocks * group_parity_bytes(self._shape)
            )
        writer.write_document(Kind.TRAILER, document, is_protected=False)
        writer.drain()
        self._segment.close()
        self._drive.write_filemark()
        self._source_bytes = read
        return trailer

    def _part(self, state: str, stored_bytes: int, members: int) -> Part:
        return Part(
            self.cartridge_name, self._label, self._file, self.header.segment, state, stored_bytes, members
        )  # fmt: skip

    def _ended(self, part: Part) -> None:
        """A segment is over, and its cartridge still in the drive."""
        self.is_open = False
        self._door.close()
        self.remaining_bytes = self._drive.medium().remaining_bytes
        self.parts.append(part)
        self._flowed.append(self._writer.flowed())
        self.note(part.state)
        if part.state != INCOMPLETE:
            self._means.evidences.note(part.label, self.header.archive, Rung.FLUSHED)
        self._means.closed(self._drive, part, self.opener)

    def note(self, state: str) -> None:
        """Into the audit log: what became of the segment on this cartridge."""
        audit.note(
            Event.WROTE, cartridge=self.cartridge_name, cartridge_id=self._label, archive=self.header.archive,
            job=self.header.job, result=state,
        )  # fmt: skip

    @property
    def _label(self) -> str:
        return self._cartridge.label.cartridge if self._cartridge.label else ""

    def _highest(self, archive: str) -> Evidence | None:
        return self._means.evidences.highest(self._label, archive)
