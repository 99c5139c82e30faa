"""Export: an archive as a plain pax tar, for any other program."""

import dataclasses
from collections.abc import Callable, Iterable

from drivers.base import Drive
from formats import pax
from formats.catalog import Entry
from tapekit.audit import events as audit
from tapekit.audit.events import Event
from tapekit.blocks.correct import Corrected, correcting
from tapekit.cartridge.cartridge import choose, open_cartridge
from tapekit.cartridge.catalog import read_catalog
from tapekit.jobs.interrupt import StopRequest
from tapekit.keys.opener import NO_KEY, Opener
from tapekit.progress import Progress
from tapekit.stream.read import Hole, PlainStream, find_layout
from tapekit.stream.unpack import FoundMember, LostMember, by_catalog, one_by_one
from tapekit.units import counted

COPY_BYTES = 1 << 20


@dataclasses.dataclass
class Result:
    """What was exported; `damaged` members are missing, or have zeros where the damage is in their content."""

    archive: str
    members: int = 0
    exported_bytes: int = 0
    damaged: list[tuple[bytes, str]] = dataclasses.field(default_factory=list)
    problems: list[str] = dataclasses.field(default_factory=list)
    corrected: list[Corrected] = dataclasses.field(default_factory=list)
    """Blocks that are bad on the medium, and that parity gave back: nothing of them is lost."""


def run(
    drive: Drive, archive: str, write: Callable[["bytes | memoryview"], object], progress: Progress,
    opener: Opener = NO_KEY,
) -> Result:  # fmt: skip
    """Hand the stream of an archive to `write`. Raises NoSuchArchive, KeyNeeded, KeyRefused and DriveError."""
    with StopRequest() as stop:
        drive = reading = correcting(drive)
        cartridge = open_cartridge(drive)
        segment = cartridge.unlock(choose(cartridge.segments(), archive), opener)
        found = read_catalog(drive, segment)
        layout = find_layout(drive, segment)
        result = Result(segment.archive, problems=list(found.problems))
        total = layout.end - layout.start if layout.end is not None else None
        progress.begin("exporting", total)
        drive.locate(segment.file, -1)
        most_blocks = drive.position().block + 1
        with found.tables, PlainStream(drive, layout) as stream:
            entries = found.tables.entries() if found.is_whole else None
            _Export(stream, write, progress, stop, result, most_blocks).run(entries)
        progress.end()
        result.corrected = list(reading.corrections.values())
    audit.note(
        Event.EXPORTED, cartridge=cartridge.name, archive=result.archive, job=segment.job,
        result=counted(result.members, "member"),
    )  # fmt: skip
    return result


class _Export:
    """Members are written as they stand in the stream, headers and all; damaged ones so that tar goes on after them."""

    def __init__(
        self, stream: PlainStream, write: Callable[["bytes | memoryview"], object], progress: Progress,
        stop: StopRequest, result: Result, most_blocks: int,
    ) -> None:  # fmt: skip
        self._stream = stream
        self._write = write
        self._progress = progress
        self._stop = stop
        self._result = result
        layout = stream.layout
        self._stream_end = layout.start + layout.cut * most_blocks if layout.end is None else layout.end

    def run(self, entries: Iterable[Entry] | None) -> None:
        members = one_by_one(self._stream) if entries is None else by_catalog(self._stream, entries)
        for item in members:
            self._stop.check()
            if isinstance(item, LostMember):
                self._result.damaged.append((item.path or b"(a member whose name is lost)", item.why))
                continue
            self._export(item)
        self._copy(pax.END_OF_ARCHIVE)

    def _export(self, item: FoundMember) -> None:
        """One member; left out if it claims to reach beyond the stream: nobody could say how much of it is real."""
        member, size = item.member, item.member.stored_bytes - len(item.prefix)
        if self._stream.offset + size > self._stream_end:
            self._result.damaged.append((member.path, "the stream ends in the middle of it: left out"))
            return
        self._copy(pax.build_headers(member))
        self._copy(item.prefix)
        self._copy_content(member.path, size)
        self._copy(bytes(pax.padding(member.stored_bytes)))
        self._result.members += 1

    def _copy_content(self, path: bytes, size: int) -> None:
        """The content from here on, zeros where blocks are damaged."""
        stream, end, problems = self._stream, self._stream.offset + size, []
        while stream.offset < end:
            try:
                part = stream.take(min(end - stream.offset, COPY_BYTES))
                gap = 0 if part else end - stream.offset
                problems += [] if part else ["the stream ends in the middle of it"]
                self._copy(part)
            except Hole as hole:
                problems.append(str(hole))
                gap = (end if hole.end is None else min(end, hole.end)) - stream.offset
            self._fill(gap)
            stream.seek(stream.offset + gap)
        if problems:
            more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
            self._result.damaged.append((path, f"zeros in place of what is damaged: {problems[0]}{more}"))

    def _fill(self, size: int) -> None:
        while size > 0:
            part = min(size, COPY_BYTES)
            self._copy(bytes(part))
            size -= part

    def _copy(self, data: "bytes | memoryview") -> None:
        self._stop.check()
        self._write(data)
        self._result.exported_bytes += len(data)
        self._progress.advance(len(data))
