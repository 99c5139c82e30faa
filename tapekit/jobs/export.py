"""Export: an archive as a plain pax tar, for any other program."""

import dataclasses
from collections.abc import Callable, Iterator

from drivers.base import Drive
from formats import catalog, pax
from formats.catalog import Entry
from tapekit.audit import events as audit
from tapekit.audit.events import Event
from tapekit.blocks.correct import Corrected
from tapekit.jobs.interrupt import StopRequest
from tapekit.jobs.next_cartridge import NextCartridge, quiet
from tapekit.jobs.parts import MOST_STREAM_BYTES, Part, Parts, Sought
from tapekit.keys.opener import NO_KEY, Opener
from tapekit.progress import Progress
from tapekit.stream.joined import is_joined
from tapekit.stream.read import Hole
from tapekit.stream.spanned import Missing, SpannedStream
from tapekit.stream.unpack import FoundMember, LostMember
from tapekit.units import counted

COPY_BYTES = 1 << 20


@dataclasses.dataclass
class Result:
    """What was exported; `damaged` members are missing, or have zeros where the damage is in their content.

    Where the rest of a member is in a part that nobody has, it is left out; found out too late, the tar ends there.
    """

    archive: str
    members: int = 0
    exported_bytes: int = 0
    damaged: list[tuple[bytes, str]] = dataclasses.field(default_factory=list)
    problems: list[str] = dataclasses.field(default_factory=list)
    doubts: list[str] = dataclasses.field(default_factory=list)
    """Why this may not be the archive that was meant."""
    corrected: list[Corrected] = dataclasses.field(default_factory=list)
    """Blocks that are bad on the medium, and that parity gave back: nothing of them is lost."""


def run(
    drive: Drive, archive: str, write: Callable[["bytes | memoryview"], object], progress: Progress,
    opener: Opener = NO_KEY, next_cartridge: NextCartridge | None = None,
) -> Result:  # fmt: skip
    """Hand the stream of an archive to `write`, from all its cartridges.

    Raises NoSuchArchive, KeyNeeded, KeyRefused and DriveError.
    """
    with (
        StopRequest() as stop,
        Parts(drive, Sought(archive, opener, quiet(next_cartridge, progress, "exporting"))) as parts,
    ):
        result = Result(parts.chosen.archive)
        export = _Export(parts, write, progress, stop, result)
        try:
            for part in parts.in_order():
                export.run(part)
            export.end()
        except _Ended as ended:
            result.damaged.append((ended.path, f"the tar ends in the middle of it: {ended.why}"))
        progress.end()
        result.problems += [*parts.problems, *parts.missing()]
        result.doubts, result.corrected = parts.doubts, parts.corrected
        job, names = parts.chosen.job, [parts.cartridges[number] for number in sorted(parts.cartridges)]
    audit.note(
        Event.EXPORTED, cartridge=", ".join(names), archive=result.archive, job=job,
        result=counted(result.members, "member"),
    )  # fmt: skip
    return result


class _Ended(Exception):
    """All that is missing of a member, and all behind it, is in parts that nobody has: zeros would say nothing."""

    def __init__(self, path: bytes, why: str) -> None:
        super().__init__(why)
        self.path = path
        self.why = why


class _Export:
    """Members are written as they stand in the stream, headers and all; damaged ones so that tar goes on after them."""

    def __init__(
        self, parts: Parts, write: Callable[["bytes | memoryview"], object], progress: Progress, stop: StopRequest,
        result: Result,
    ) -> None:  # fmt: skip
        self._parts = parts
        self._stream = SpannedStream(parts, 0)
        self._write = write
        self._progress = progress
        self._stop = stop
        self._result = result

    def run(self, part: Part) -> None:
        self._progress.begin("exporting", None if part.end is None else part.end - part.start)
        for item in self._by_catalog(part) if part.catalog.is_whole else self._parts.one_by_one(part, self._stream):
            self._stop.check()
            if isinstance(item, LostMember):
                self._result.damaged.append((item.path or b"(a member whose name is lost)", item.why))
                continue
            self._export(item, part)

    def _by_catalog(self, part: Part) -> Iterator[FoundMember | LostMember]:
        for entry, why_lost in self._parts.entries(part):
            if why_lost:
                yield LostMember(entry.path, entry, why_lost)
            elif entry.type == catalog.HARD_LINK and entry.base:
                self._export_link(entry)
            elif not entry.is_absent:
                yield self._parts.at(part, self._stream, entry)

    def _export_link(self, entry: Entry) -> None:
        """A further name of a member that stands in an earlier archive: the stream has none."""
        self._copy(pax.build_headers(pax.Member(
            pax.HARD_LINK, entry.path, entry.mode, entry.uid, entry.gid, entry.owner, entry.group,
            mtime_ns=entry.mtime_ns, link=entry.link,
        )))  # fmt: skip
        self._result.members += 1

    def end(self) -> None:
        """All members are written."""
        self._copy(pax.END_OF_ARCHIVE)

    def _export(self, item: FoundMember, part: Part) -> None:
        """One member; left out if it claims to reach beyond the stream: nobody could say how much of it is real."""
        member, size = item.member, item.member.stored_bytes - len(item.prefix)
        if not self._is_told(item, part, self._stream.offset + size):
            self._result.damaged.append((member.path, "the stream ends in the middle of it: left out"))
            return
        is_own = item.entry is None or not is_joined(item.entry)
        if is_own and (why := self._parts.why_cut(part, self._stream.offset + size)):
            self._result.damaged.append((member.path, f"{why}: left out"))
            return
        self._copy(pax.build_headers(member))
        self._copy(item.prefix)
        self._copy_content(item, size)
        self._copy(bytes(pax.padding(member.stored_bytes)))
        self._result.members += 1

    def _is_told(self, item: FoundMember, part: Part, end: int) -> bool:
        """Whether anybody else says that a member is as long as its own header claims."""
        entry = item.entry
        if entry is None:
            return self._parts.is_told(part, item, end)
        if is_joined(entry):
            return True
        most = self._parts.most_offset(part)
        return end <= most and (most < MOST_STREAM_BYTES or entry.size == item.member.size_bytes)

    def _copy_content(self, item: FoundMember, size: int) -> None:
        """The content from here on, zeros where blocks are damaged."""
        path, stream = item.member.path, item.stream
        end, problems = stream.offset + size, []
        while stream.offset < end:
            try:
                part = stream.take(min(end - stream.offset, COPY_BYTES))
                gap = 0 if part else end - stream.offset
                problems += [] if part else ["the stream ends in the middle of it"]
                self._copy(part)
            except Hole as hole:
                if isinstance(hole, Missing) and hole.end is None:
                    raise _Ended(path, str(hole)) from hole
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
