"""Backup: a source walked, packed, sealed and written as one archive segment behind what the cartridge holds."""

import base64
import dataclasses
import os
import socket
import stat
import time
from collections.abc import Iterator, Sequence

from drivers.base import Drive
from drivers.errors import DriveError, HostFull, WriteProtected
from formats import segment
from formats.block import HEADER_BYTES, TAG_BYTES, Kind
from formats.catalog import Entry
from formats.pax import END_OF_ARCHIVE
from formats.segment import ABORTED, COMPLETE, INCOMPLETE, Evidence, SegmentHeader, Trailer
from tapekit import __version__
from tapekit.audit import events as audit
from tapekit.audit.events import Event
from tapekit.blocks.cipher import BlockCipher
from tapekit.blocks.codec import Compressor, compressor
from tapekit.blocks.parity import group_parity_bytes, scheme_for
from tapekit.blocks.write import SegmentWriter
from tapekit.cartridge.cartridge import Cartridge, Segment, open_cartridge
from tapekit.cartridge.catalog import CatalogBuilder
from tapekit.cartridge.directory import directory_of
from tapekit.errors import CartridgeError, MediumFull, Stopped
from tapekit.evidence import Evidences
from tapekit.jobs.interrupt import StopRequest
from tapekit.jobs.save import Saver
from tapekit.keys.opener import NO_KEY, Known, Opener
from tapekit.keys.seal import NOBODY, Recipients, seal_header
from tapekit.keys.secret import protect_memory
from tapekit.keys.segment import SegmentKeys
from tapekit.keys.signature import signed_trailer
from tapekit.keys.site import SiteKey
from tapekit.model import Rung
from tapekit.progress import Progress
from tapekit.source.measure import measure
from tapekit.source.walk import Options, Sources, Thing, check_sources, given_links, walk
from tapekit.stream.pack import StreamPacker
from tapekit.units import counted, now_text, size_text

TOOL = f"tapekit {__version__}"
RECORD_OVERHEAD_BYTES = 4096 + HEADER_BYTES + TAG_BYTES
"""What a block may take on the medium beyond its payload."""
CLOSING_BLOCKS = 8
"""Blocks kept free for the trailer and for what rounding takes."""
SMALLEST_ARCHIVE_BLOCKS = 4
"""Header, the data block that is filled, the one behind it, and one for luck: with less room nothing is begun."""
TAPE = "tape:"
NEXT_CARTRIDGE = "put in a cartridge with more room, and run the backup again"
LINK_GIVEN = "a symbolic link: it was saved, and nothing of what it leads to; give that path to save it"


@dataclasses.dataclass(frozen=True)
class Request:
    """What to back up, and how."""

    sources: Sources
    options: Options
    job: str = "backup"
    compression: str = "auto"
    site: str = ""
    recipients: Recipients = NOBODY
    """Who can open it; nobody: it is not encrypted, and everybody can."""
    site_key: SiteKey | None = None
    """What signs for this site."""
    parity: bool | None = None
    """Whether damage can be corrected later; None: on disks, not on tape. A cartridge may be too small for it."""


@dataclasses.dataclass(frozen=True)
class Warned:
    """A member that was not saved whole and still, and why."""

    path: bytes
    why: str


@dataclasses.dataclass(frozen=True)
class Result:
    """What a backup wrote."""

    cartridge: str
    archive: str
    file: int
    state: str
    members: int
    source_bytes: int
    stored_bytes: int
    duration_s: float
    warnings: tuple[Warned, ...]
    notes: tuple[str, ...]
    remaining_bytes: int
    encrypted_for: tuple[str, ...] = ()
    parity_bytes: int | None = None
    """What the parity takes; None where there is none."""
    opener: Opener = dataclasses.field(default=NO_KEY, repr=False, compare=False)
    """Opens this archive while this process lives, also where no private key is at hand; `forget` ends that."""

    def forget(self) -> None:
        """Overwrite the archive's keys: from here on only its recipients open it."""
        if isinstance(self.opener, Known):
            self.opener.keys.wipe()


class _SegmentFull(Exception):
    """No more data belongs in this segment."""


def run(drive: Drive, request: Request, progress: Progress, evidences: Evidences) -> Result:
    """Write an archive.

    Raises MediumFull, Stopped and DriveError after closing the segment as well as the medium allows; the message says
    what can be restored.
    """
    begun = time.monotonic()
    cartridge = open_cartridge(drive)
    label = cartridge.label
    if label is None:
        raise CartridgeError(
            f"{drive.url}: {cartridge.label_problem}: nothing is added to a cartridge whose label is damaged",
            "restore what it holds, then label it anew",
        )
    if cartridge.is_unfinished:
        raise CartridgeError(
            f"{drive.url}: cartridge {cartridge.name}: its labelling was cut off: there is no whole rescue kit on it",
            "label it again; nothing else is on it",
        )
    if cartridge.medium.write_protected:
        raise WriteProtected(f"{drive.url}: cartridge {cartridge.name} is write-protected")
    packing = compressor(request.compression)
    check_sources(request.sources)
    options = dataclasses.replace(request.options, own_files=_own_files(drive))
    request = dataclasses.replace(request, options=options)
    keys = None
    if request.recipients:
        protect_memory()
        keys = SegmentKeys.new()
    try:
        with StopRequest() as stop:
            earlier = cartridge.segments()
            header = _header(request, label.block_size, packing)
            if request.parity or (request.parity is None and not drive.url.startswith(TAPE)):
                scheme = scheme_for(label.block_size, cartridge.medium.capacity_bytes)
                header = dataclasses.replace(header, parity=scheme)
            if keys is not None:
                header = seal_header(header, request.recipients, keys)
            backup = _Backup(cartridge, request, header, packing, earlier, evidences, keys)
            with backup.builder.tables:
                return backup.run(progress, stop, begun)
    except BaseException:
        if keys is not None:
            keys.wipe()
        raise


def _own_files(drive: Drive) -> tuple[tuple[int, int], ...]:
    """The image file that is written to, lest it be saved into itself."""
    try:
        status = os.stat(drive.identify().node)  # noqa: PTH116 - a name, as the drive gives it
    except OSError:
        return ()
    return ((status.st_dev, status.st_ino),) if stat.S_ISREG(status.st_mode) else ()


def _header(request: Request, block_size: int, packing: Compressor) -> SegmentHeader:
    return SegmentHeader(
        format=1, archive=os.urandom(16).hex(), segment=0, job=request.job, site=request.site,
        host=socket.gethostname(), started=now_text(), tool=TOOL, root=request.sources.root, block_size=block_size,
        cut=block_size - HEADER_BYTES - TAG_BYTES, stream_start=0, sequence_start=0, compression=packing.name,
    )  # fmt: skip


class _Backup:
    """One run: the header is written first, the trailer last, whatever happens between."""

    def __init__(
        self, cartridge: Cartridge, request: Request, header: SegmentHeader, packing: Compressor,
        earlier: Sequence[Segment], evidences: Evidences, keys: SegmentKeys | None,
    ) -> None:  # fmt: skip
        self._cartridge = cartridge
        self._drive = cartridge.drive
        self._request = request
        self._header = header
        self._packing = packing
        self._earlier = earlier
        self._evidences = evidences
        self._keys = keys
        self._shape = header.parity.shape if header.parity else None
        self._header_copy = base64.b64encode(segment.build_header(header)).decode() if keys else None
        self._file = 0
        self._warnings = [Warned(path, LINK_GIVEN) for path in given_links(request.sources)]
        self._notes: list[str] = []
        self._checked_at = -1
        self.builder = CatalogBuilder(header.cut)

    def run(self, progress: Progress, stop: StopRequest, begun: float) -> Result:
        self._find_place()
        try:
            trailer, ended = self._write(progress, stop)
            self._drive.write_filemark()
        except DriveError as error:
            incomplete = (
                f"archive {self._header.archive[:8]} is incomplete: restore what it holds with --archive; "
                "the archives before it are as they were"
            )
            if isinstance(error, HostFull):
                error.hint = f"{error.hint}; {incomplete}"
            elif error.hint is None:
                error.hint = incomplete
            self._note(INCOMPLETE)
            raise
        progress.end()
        self._note(trailer.state)
        self._evidences.note(self._cartridge_id(), self._header.archive, Rung.FLUSHED)
        result = self._result(trailer, begun)
        if ended is not None:
            self._raise_ended(ended, result)
        return result

    def _note(self, state: str) -> None:
        audit.note(
            Event.WROTE, cartridge=self._cartridge.name, cartridge_id=self._cartridge_id(),
            archive=self._header.archive, job=self._header.job, result=state,
        )  # fmt: skip

    def _find_place(self) -> None:
        """Go to the end of data, closing a file that a crash left without its filemark. Raises MediumFull."""
        drive = self._drive
        drive.to_end_of_data()
        room = drive.medium().remaining_bytes
        needed = self._closing_bytes() + SMALLEST_ARCHIVE_BLOCKS * (self._header.block_size + RECORD_OVERHEAD_BYTES)
        if self._shape is not None:
            needed += group_parity_bytes(self._shape) + self._shape.parity_blocks * RECORD_OVERHEAD_BYTES
        if room < needed:
            raise MediumFull(
                f"{drive.url}: cartridge {self._cartridge.name} is full: {size_text(room)} left: nothing was written",
                NEXT_CARTRIDGE,
            )
        if drive.position().block:
            drive.write_filemark()
        self._file = drive.position().file

    def _write(self, progress: Progress, stop: StopRequest) -> tuple[Trailer, Exception | None]:
        """The blocks of the segment; the trailer, and why it ended before its end."""
        header = self._header
        writer = SegmentWriter(
            self._drive, bytes.fromhex(header.archive), header.segment, header.sequence_start,
            header.block_size, self._packing, BlockCipher(self._keys) if self._keys else None, parity=header.parity,
        )  # fmt: skip
        progress.begin("saving", self._expected_bytes(progress))
        ended: Exception | None = None
        with writer.threads():
            writer.write_document(Kind.HEADER, segment.build_header(header))
            packer = StreamPacker(writer, header.stream_start)
            saver = Saver(packer, self.builder, lambda: self._check(writer, stop), progress.advance)
            try:
                for thing in self._things():
                    self._check(writer, stop)
                    self._report(saver.save(thing))
                packer.write(END_OF_ARCHIVE)
            except (_SegmentFull, Stopped, KeyboardInterrupt) as error:
                ended = error if isinstance(error, Exception) else Stopped("stopped by Ctrl-C")
            packer.finish()
            return self._close(writer, saver, packer.offset, ABORTED if ended else COMPLETE), ended

    def _expected_bytes(self, progress: Progress) -> int | None:
        """About how much there is to save: as much as the last time, or what a quick look at the source says."""
        known = [
            s.trailer.source_bytes for s in self._earlier if s.trailer and s.is_complete and s.job == self._header.job
        ]
        if known:
            return known[-1]
        return measure(self._request.sources) if progress.wants_total else None

    def _things(self) -> Iterator[Thing]:
        return walk(self._request.sources, self._request.options)

    def _check(self, writer: SegmentWriter, stop: StopRequest) -> None:
        """Raises Stopped where somebody asked for it, and _SegmentFull while there is still room to close the segment.

        What is on its way to the drive counts as if it did not compress; near the end it is worth waiting to see.
        """
        stop.check()
        if writer.handed_over == self._checked_at:
            return  # what came since is still in the buffer being filled
        self._checked_at = writer.handed_over
        needed = self._closing_bytes()
        if not writer.early_warning and writer.room_bytes(needed) < needed:
            writer.drain()
        if writer.early_warning or writer.room_bytes(needed) < needed:
            raise _SegmentFull

    def _closing_bytes(self) -> int:
        """Room that catalog, trailer and filemark take if the segment ended here, and its parity left aside."""
        trailer = 4096 + 512 * (len(self._earlier) + 1) + len(self._header_copy or "")
        if self._shape is not None:
            trailer *= 2
        return self.builder.needed_bytes(RECORD_OVERHEAD_BYTES) + trailer + CLOSING_BLOCKS * RECORD_OVERHEAD_BYTES

    def _report(self, entry: Entry) -> None:
        if entry.has_problem:
            self._warnings.append(Warned(entry.path, entry.note.decode("utf-8", "replace")))
        elif entry.note:
            self._notes.append(f"{os.fsdecode(entry.path)}: {entry.note.decode('utf-8', 'replace')}")

    def _close(self, writer: SegmentWriter, saver: Saver, stream_end: int, state: str) -> Trailer:
        """Catalog and trailer; with parity, the trailer stands within the last group and once more behind it."""
        writer.drain()
        catalog_parity = writer.sums()[0].parity
        tables = self.builder.finish()
        for number, table in enumerate(tables, 1):
            writer.write_table(table.stored, table.plain_bytes, table.first, last=number == len(tables))
        writer.drain()
        counts, digest = writer.sums()
        catalog_block, stored_bytes = counts.header + counts.data + catalog_parity, writer.stored_bytes
        if self._shape is not None:  # the last group's is known before it is written
            counts = dataclasses.replace(counts, parity=counts.parity + self._shape.parity_blocks)
            stored_bytes += group_parity_bytes(self._shape)
        trailer = Trailer(
            archive=self._header.archive, segment=self._header.segment, job=self._header.job,
            started=self._header.started, state=state, finished=now_text(), members=self.builder.members,
            problems=self.builder.problems, source_bytes=saver.source_bytes,
            stream_bytes=stream_end - self._header.stream_start, stored_bytes=stored_bytes, blocks=counts,
            blocks_sha256=digest, catalog_block=catalog_block,
            directory=directory_of(self._earlier, self._highest), header=self._header_copy, audit=audit.head(),
        )  # fmt: skip
        room = writer.room_bytes() // (1 if self._shape is None else 2)
        room = max(room, (1 << 14) + len(self._header_copy or ""))
        document = signed_trailer(trailer, self._request.site_key, room)
        if self._shape is not None:
            writer.write_document(Kind.TRAILER, document)
            writer.close_group()
        writer.write_document(Kind.TRAILER, document, is_protected=False)
        writer.drain()
        return trailer

    def _highest(self, archive: str) -> Evidence | None:
        return self._evidences.highest(self._cartridge_id(), archive)

    def _cartridge_id(self) -> str:
        return self._cartridge.label.cartridge if self._cartridge.label else ""

    def _result(self, trailer: Trailer, begun: float) -> Result:
        return Result(
            cartridge=self._cartridge.name, archive=trailer.archive, file=self._file, state=trailer.state,
            members=trailer.members, source_bytes=trailer.source_bytes, stored_bytes=trailer.stored_bytes,
            duration_s=round(time.monotonic() - begun, 3), warnings=tuple(self._warnings),
            notes=tuple(self._notes), remaining_bytes=self._drive.medium().remaining_bytes,
            encrypted_for=self._request.recipients.names, parity_bytes=self._parity_bytes(trailer),
            opener=Known(trailer.archive, self._keys) if self._keys else NO_KEY,
        )  # fmt: skip

    def _parity_bytes(self, trailer: Trailer) -> int | None:
        if self._shape is None:
            return None
        return trailer.blocks.parity // self._shape.parity_blocks * group_parity_bytes(self._shape)

    def _raise_ended(self, ended: Exception, result: Result) -> None:
        """The archive is closed as aborted: say what of it can be restored."""
        what = f"{counted(result.members, 'member')} ({size_text(result.source_bytes)}) of archive {result.archive[:8]}"
        kept = f"{what} can be restored"
        if isinstance(ended, _SegmentFull):
            raise MediumFull(
                f"{self._drive.url}: cartridge {result.cartridge} is full: {kept}; the rest was not saved",
                NEXT_CARTRIDGE,
            )
        raise Stopped(f"{self._drive.url}: {ended}: the archive is marked as aborted: {kept}")
