"""Backup: a source walked, packed, sealed and written as an archive behind what the cartridges hold."""

import dataclasses
import os
import socket
import time
from collections.abc import Callable, Sequence
from functools import partial

from drivers.base import Drive
from drivers.errors import DriveError, HostFull
from formats.block import HEADER_BYTES, TAG_BYTES
from formats.catalog import Entry
from formats.pax import END_OF_ARCHIVE
from formats.segment import ABORTED, COMPLETE, INCOMPLETE, SegmentHeader
from tapekit import __version__
from tapekit.blocks.codec import Compressor, compressor
from tapekit.blocks.flow import Flowed
from tapekit.cartridge.cartridge import Cartridge, Segment, open_cartridge
from tapekit.deltas.session import Incremental, Pending, Session
from tapekit.errors import MediumFull, Stopped
from tapekit.evidence import Evidences
from tapekit.jobs.interrupt import StopRequest
from tapekit.jobs.next_cartridge import NextCartridge, quiet
from tapekit.jobs.save import Saver
from tapekit.jobs.segments import Means, Part, Saved, SegmentFull, Segments, check_writable
from tapekit.keys.opener import NO_KEY, Known, Opener
from tapekit.keys.seal import NOBODY, Recipients
from tapekit.keys.secret import protect_memory
from tapekit.keys.site import SiteKey
from tapekit.progress import Progress
from tapekit.source.measure import measure
from tapekit.source.walk import Options, Sources, check_sources, given_links, walk
from tapekit.stream.pack import StreamPacker
from tapekit.units import counted, now_text, size_text

TOOL = f"tapekit {__version__}"
MORE_ROOM = "put in a cartridge with more room, and run the backup again; or name the next one with --then DRIVE"
MORE_CARTRIDGES = "run the backup again, with more cartridges at hand: it begins anew"
ROOM_BYTES = 64 << 20
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
    tape_pool_bytes: int | None = None
    """Of memory, so that a tape stops seldom; None: as much as is usual."""
    incremental: Incremental | None = None
    """How it builds upon what the cartridge holds of this job; None: not at all, and nothing is remembered."""
    needed_bytes: int | None = None
    """Room that it is known to take; None: as the last time, and a good deal more."""


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
    flowed: Flowed | None = None
    """How often a tape stopped, and why; None: no tape, or one whose needs are not known."""
    changed_bytes: int = 0
    """Content that is new since the archive that it builds upon; all of it where there is none."""
    base: str | None = None
    """The archive that it builds upon."""
    why_full: str = ""
    """Why it builds upon none, where it could have."""
    pending: Pending | None = dataclasses.field(default=None, repr=False, compare=False)
    """What the next archive may build upon, once somebody has proven this one, and says so."""
    not_locked: tuple[str, ...] = ()
    """Why drives let their cartridge be taken out while it was written; nothing where none did."""
    parts: tuple[Part, ...] = ()
    """Each cartridge that it is on; what is said of one above is said of the last."""
    opener: Opener = dataclasses.field(default=NO_KEY, repr=False, compare=False)
    """Opens this archive while this process lives, also where no private key is at hand; `forget` ends that."""

    def forget(self) -> None:
        """Overwrite the archive's keys: from here on only its recipients open it."""
        if isinstance(self.opener, Known):
            self.opener.wipe()


def run(
    drive: Drive, request: Request, progress: Progress, evidences: Evidences,
    next_cartridge: NextCartridge | None = None,
    closed: Callable[[Drive, Part, Opener], object] = lambda _drive, _part, _opener: None,
) -> Result:  # fmt: skip
    """Write an archive, on as many cartridges as it takes where somebody brings the next one.

    `closed` is told of each part when it is written, its cartridge still in the drive. Raises MediumFull, Stopped and
    DriveError after closing the segment as well as the medium allows; the message says what can be restored.
    """
    begun = time.monotonic()
    cartridge = open_cartridge(drive)
    check_writable(cartridge)
    assert cartridge.label is not None  # noqa: S101 - it was checked
    packing = compressor(request.compression)
    check_sources(request.sources)
    if request.recipients:
        protect_memory()
    means = Means(
        packing, evidences, request.recipients, request.site_key, request.parity, request.tape_pool_bytes,
        quiet(next_cartridge, progress, "saving"), closed,
    )  # fmt: skip
    header = _header(request, cartridge.label.block_size, packing)
    with StopRequest() as stop, Segments(header, means) as segments:
        options = dataclasses.replace(request.options, own_files=segments.own_files)
        backup = _Backup(cartridge, dataclasses.replace(request, options=options), segments, evidences)
        try:
            return backup.run(progress, stop, begun)
        except BaseException:
            segments.wipe()
            raise


def _header(request: Request, block_size: int, packing: Compressor) -> SegmentHeader:
    return SegmentHeader(
        format=1, archive=os.urandom(16).hex(), segment=0, job=request.job, site=request.site,
        host=socket.gethostname(), started=now_text(), tool=TOOL, root=request.sources.root, block_size=block_size,
        cut=block_size - HEADER_BYTES - TAG_BYTES, stream_start=0, sequence_start=0, compression=packing.name,
    )  # fmt: skip


class _Backup:
    """One run: the header is written first, the trailer last, whatever happens between."""

    def __init__(self, cartridge: Cartridge, request: Request, segments: Segments, evidences: Evidences) -> None:
        self._cartridge = cartridge
        self._request = request
        self._segments = segments
        self._evidences = evidences
        self._source_bytes = 0
        self._session: Session | None = None
        self._pending: Pending | None = None
        self._why_full = ""
        self._warnings = [Warned(path, LINK_GIVEN) for path in given_links(request.sources)]
        self._notes: list[str] = []

    def run(self, progress: Progress, stop: StopRequest, begun: float) -> Result:
        segments = self._segments
        earlier = self._cartridge.segments()
        try:
            self._begin(earlier)
            ended = self._write(progress, stop, self._expected_bytes(earlier, progress))
        except DriveError as error:
            incomplete = (
                f"archive {segments.header.archive[:8]} is incomplete: restore what it holds with --archive; "
                "the archives before it are as they were"
            )
            if isinstance(error, HostFull):
                error.hint = f"{error.hint}; {incomplete}"
            elif error.hint is None:
                error.hint = incomplete
            segments.note(INCOMPLETE)
            raise
        progress.end()
        result = self._result(begun)
        if ended is not None:
            self._raise_ended(ended, result)
        return result

    def _begin(self, earlier: Sequence[Segment]) -> None:
        try:
            self._build_upon(earlier)
            self._segments.begin_first(self._cartridge, earlier)
        except BaseException:
            if self._session is not None:
                self._session.discard()
            raise

    def _build_upon(self, earlier: Sequence[Segment]) -> None:
        """Find what there is to build upon. Where nothing can be remembered, the archive is a full one like any."""
        wanted, segments, label = self._request.incremental, self._segments, self._cartridge.label
        if wanted is None or label is None:
            return
        if segments.can_go_on and not self._has_room(earlier):
            wanted = dataclasses.replace(wanted, is_full=True)
        try:
            session = Session(
                wanted, self._cartridge, earlier, self._request.job, segments.header.archive,
                partial(self._evidences.is_damaged, label.cartridge),
            )  # fmt: skip
        except OSError as error:
            self._why_full = f"{wanted.state}: {(error.strerror or '').lower()}"
            return
        self._session, self._why_full = session, session.why_full
        segments.build_upon(tuple(base.archive for base in session.bases))

    def _has_room(self, earlier: Sequence[Segment]) -> bool:
        """Whether it would surely fit: only then may it build upon others, as such an archive goes on nowhere else."""
        if self._request.needed_bytes is not None:
            return self._cartridge.drive.medium().remaining_bytes >= self._request.needed_bytes
        last = max((s.trailer.source_bytes for s in earlier if s.trailer and s.job == self._request.job), default=0)
        most = max(last, measure(self._request.sources))
        return self._cartridge.drive.medium().remaining_bytes > most + most // 4 + ROOM_BYTES

    def _remember(self) -> None:
        """The archive is whole on one cartridge: it may be built upon."""
        session, segments = self._session, self._segments
        if session is None:
            return
        part, label = segments.parts[-1] if len(segments.parts) == 1 else None, self._cartridge.label
        if part is not None and part.state == COMPLETE and label is not None and part.label == label.cartridge:
            try:
                self._pending = session.finish(part.file, segments.trailer_sha256)
            except OSError as error:
                self._notes.append(f"what is remembered for the next archive: {(error.strerror or '').lower()}")
        if self._pending is None:
            session.discard()

    def _write(self, progress: Progress, stop: StopRequest, expected_bytes: int | None) -> Exception | None:
        """All that the archive holds; why it ended before its end."""
        segments = self._segments
        progress.begin("saving", expected_bytes)
        ended: Exception | None = None
        packer = StreamPacker(segments, segments.header.stream_start)
        saver = Saver(packer, segments.builder, stop.check, progress.advance, self._session)
        segments.saved = Saved(lambda: saver.source_bytes, saver.unfinished, stop.check)
        options = self._request.options
        if self._session is not None and self._session.bases:
            options = dataclasses.replace(options, is_known=self._session.is_known)
        try:
            for thing in walk(self._request.sources, options):
                stop.check()
                self._report(saver.save(thing))
            segments.finishing()
            packer.write(END_OF_ARCHIVE)
            packer.finish()
            segments.end(COMPLETE)
        except (SegmentFull, Stopped, KeyboardInterrupt) as error:
            ended = error if isinstance(error, Exception) else Stopped("stopped by Ctrl-C")
            if segments.is_open:
                segments.finishing(is_stopped=True)
                packer.finish()
                segments.end(ABORTED)
        finally:
            self._source_bytes = saver.source_bytes
            self._remember()
        return ended

    def _expected_bytes(self, earlier: Sequence[Segment], progress: Progress) -> int | None:
        """About how much there is to save: as much as the last time, or what a quick look at the source says."""
        known = [
            s.trailer.source_bytes for s in earlier
            if s.trailer and s.is_complete and s.trailer.segment == 0 and s.job == self._request.job
        ]  # fmt: skip
        if known:
            return known[-1]
        return measure(self._request.sources) if progress.wants_total else None

    def _report(self, entry: Entry) -> None:
        if entry.has_problem:
            self._warnings.append(Warned(entry.path, entry.note.decode("utf-8", "replace")))
        elif entry.note:
            self._notes.append(f"{os.fsdecode(entry.path)}: {entry.note.decode('utf-8', 'replace')}")

    def _result(self, begun: float) -> Result:
        segments = self._segments
        last = segments.parts[-1]
        return Result(
            cartridge=last.cartridge, archive=segments.header.archive, file=last.file, state=last.state,
            members=segments.members, source_bytes=self._source_bytes,
            stored_bytes=sum(part.stored_bytes for part in segments.parts),
            duration_s=round(time.monotonic() - begun, 3), warnings=tuple(self._warnings),
            notes=tuple(self._notes), remaining_bytes=segments.remaining_bytes,
            encrypted_for=self._request.recipients.names, parity_bytes=segments.parity_bytes,
            changed_bytes=self._session.changed_bytes if self._session else self._source_bytes,
            base=self._session.bases[-1].archive if self._session and self._session.bases else None,
            why_full=self._why_full, pending=self._pending, not_locked=tuple(segments.not_locked),
            flowed=segments.flowed, parts=tuple(segments.parts), opener=segments.opener,
        )  # fmt: skip

    def _raise_ended(self, ended: Exception, result: Result) -> None:
        """The archive is closed as aborted, or nobody brought the cartridge that it goes on on: say what there is."""
        what = f"{counted(result.members, 'member')} ({size_text(result.source_bytes)}) of archive {result.archive[:8]}"
        kept = f"{what} can be restored"
        url = f"{self._segments.url}: "
        if isinstance(ended, SegmentFull) and result.state == ABORTED:
            raise MediumFull(f"{url}cartridge {result.cartridge} is full: {kept}; the rest was not saved", MORE_ROOM)
        if isinstance(ended, SegmentFull):
            cartridges = ", ".join(part.cartridge for part in result.parts)
            raise MediumFull(
                f"{url}cartridge {result.cartridge} is full, and there is no next one: {kept} from {cartridges}; "
                "the rest was not saved",
                MORE_CARTRIDGES,
            )
        if result.state != ABORTED:
            raise Stopped(f"{url}{ended}: the archive ends there: {kept}", MORE_CARTRIDGES)
        raise Stopped(f"{url}{ended}: the archive is marked as aborted: {kept}")
