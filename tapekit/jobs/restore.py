"""Restore: members of one archive put back below a directory, around whatever is damaged."""

import dataclasses
import hashlib
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from drivers.base import Drive
from formats import catalog, pax
from formats.catalog import DELTA, NO_DIGEST, SHORT, Entry
from formats.errors import Damaged
from tapekit.audit import events as audit
from tapekit.audit.events import Event
from tapekit.blocks.correct import Corrected
from tapekit.errors import TapekitError
from tapekit.jobs.interrupt import StopRequest
from tapekit.jobs.next_cartridge import NextCartridge, quiet
from tapekit.jobs.parts import Part, Parts, Sought
from tapekit.keys.opener import NO_KEY, Opener
from tapekit.patterns import Patterns
from tapekit.progress import Progress
from tapekit.source.put_back import Overwrite, Refused, Skipped, Target
from tapekit.stream.chain import delta_of
from tapekit.stream.read import Hole
from tapekit.stream.spanned import Missing, SpannedStream
from tapekit.stream.unpack import FoundMember, LostMember
from tapekit.units import counted


@dataclasses.dataclass(frozen=True)
class Request:
    """What to restore, and where to."""

    to: str
    patterns: Sequence[str] = ()
    archive: str = "latest"
    overwrite: Overwrite = Overwrite.NEVER
    devices: bool = False
    opener: Opener = NO_KEY
    needed: Callable[[str], Collection[int] | None] = lambda _archive: None
    """The parts of an archive that hold what the patterns name, where that is known."""


@dataclasses.dataclass
class Result:
    """What was put back. `damaged` were not; `skipped` were left out on purpose; `warnings` are lesser losses."""

    cartridge: str
    archive: str
    state: str
    members: int = 0
    restored_bytes: int = 0
    damaged: list[tuple[bytes, str]] = dataclasses.field(default_factory=list)
    refused: list[tuple[bytes, str]] = dataclasses.field(default_factory=list)
    skipped: list[tuple[bytes, str]] = dataclasses.field(default_factory=list)
    warnings: list[tuple[bytes, str]] = dataclasses.field(default_factory=list)
    problems: list[str] = dataclasses.field(default_factory=list)
    unmatched: list[str] = dataclasses.field(default_factory=list)
    doubts: list[str] = dataclasses.field(default_factory=list)
    """Why this may not be the archive that was meant."""
    corrected: list[Corrected] = dataclasses.field(default_factory=list)
    """Blocks that are bad on the medium, and that parity gave back: nothing of them is lost."""
    cartridges: list[str] = dataclasses.field(default_factory=list)
    """That were read, in the order of the archive's parts; `cartridge` is the first."""


def run(
    drive: Drive, request: Request, progress: Progress, begins: Callable[[Drive], object] | None = None,
    next_cartridge: NextCartridge | None = None,
) -> Result:  # fmt: skip
    """Restore what the patterns name, or everything; `begins` is told of each drive with a cartridge to restore from.

    An archive on several cartridges has them brought in the order of its stream. Raises NoSuchArchive, KeyNeeded,
    KeyRefused, TapekitError for the target, DriveError.
    """
    patterns = Patterns(request.patterns)
    sought = Sought(
        request.archive, request.opener, quiet(next_cartridge, progress, "restoring"), request.needed,
        to=request.to, begins=begins or (lambda _drive: None),
    )  # fmt: skip
    with StopRequest() as stop, Parts(drive, sought) as parts:
        result = _Restore(parts, request, patterns, progress, stop).run()
        job = parts.chosen.job
    audit.note(
        Event.RESTORED, cartridge=", ".join(result.cartridges), archive=result.archive, job=job,
        result=counted(result.members, "member"), note=f"{len(result.damaged)} damaged" if result.damaged else "",
    )  # fmt: skip
    return result


class _Restore:
    """One run over the parts of an archive."""

    def __init__(
        self, parts: Parts, request: Request, patterns: Patterns, progress: Progress, stop: StopRequest
    ) -> None:  # fmt: skip
        self._parts = parts
        self._patterns = patterns
        self._progress = progress
        self._stop = stop
        self._target = Target(request.to, request.overwrite, devices=request.devices)
        self._first_names: dict[tuple[int, int], bytes | None] = {}
        """Base and offset of a member that others link to: the name it was put back under, None before that."""
        self._first_entries: dict[tuple[int, int], Entry] = {}
        """The catalog's entries of those members."""
        self._names: set[bytes] = set()
        """Without a catalog: every name that was put back, for hard links to find."""
        self.result = Result("", parts.chosen.archive, "")

    def run(self) -> Result:
        result, parts = self.result, self._parts
        stream = SpannedStream(parts, 0)
        try:
            for part in parts.in_order():
                if part.catalog.is_whole:
                    self._by_catalog(stream, part)
                else:
                    self._progress.begin("restoring", None)
                    self._one_by_one(stream, part)
                if self._patterns.is_settled:
                    break
        finally:
            self._target.close()
            result.warnings += self._target.warnings
        self._progress.end()
        result.problems += parts.problems
        result.doubts += parts.doubts
        if not self._patterns.is_settled:
            result.problems += parts.missing()
        result.unmatched = self._patterns.unmatched()
        result.cartridges = [parts.cartridges[number] for number in sorted(parts.cartridges)]
        result.cartridge, result.state, result.corrected = result.cartridges[0], parts.state, parts.corrected
        return result

    def _by_catalog(self, stream: SpannedStream, part: Part) -> None:
        self._progress.begin("restoring", self._look_ahead(part))
        for entry, why_lost in self._parts.entries(part):
            self._stop.check()
            if (entry.base, entry.offset) in self._first_names and entry.type != catalog.HARD_LINK:
                self._first_entries[entry.base, entry.offset] = entry
            if not self._patterns.match(entry.path):
                continue
            if why_lost:
                self.result.damaged.append((entry.path, why_lost))
                continue
            if entry.is_absent:
                if entry.type != catalog.SOCKET:
                    self.result.skipped.append((entry.path, f"was not saved: {entry.note.decode('utf-8', 'replace')}"))
                continue
            if entry.type == catalog.HARD_LINK:
                self._put_hard_link(stream, entry, part)
            else:
                self._take(self._parts.at(part, stream, entry))

    def _look_ahead(self, part: Part) -> int:
        """How many bytes are to be put back of a part; which members others link to is known from here on."""
        total = 0
        for entry, _ in self._parts.entries(part):
            if self._patterns.match(entry.path):
                total += entry.size
                if entry.type == catalog.HARD_LINK:
                    self._first_names.setdefault((entry.base, entry.reference), None)
        return total

    def _put_hard_link(self, stream: SpannedStream, entry: Entry, part: Part) -> None:
        """A second name of what was put back already; where the first was not selected, a file of its own."""
        first_name = self._first_names.get((entry.base, entry.reference))
        is_earlier = not entry.base and entry.reference < part.start and self._parts.was_read(entry.reference)
        if first_name is None and is_earlier and self._patterns.match(entry.link):
            first_name = entry.link
        if first_name is not None:
            link = pax.Member(pax.HARD_LINK, entry.path, mtime_ns=entry.mtime_ns, link=first_name)
            self._put(entry.path, link, None, None)
            return
        first = self._first_entries.get((entry.base, entry.reference))
        item = self._parts.at(part, stream, first or entry, entry.reference)
        if isinstance(item, FoundMember):
            item = dataclasses.replace(item, member=item.member._replace(path=entry.path), entry=first)
        else:
            item = dataclasses.replace(item, path=entry.path)
        self._take(item)

    def _one_by_one(self, stream: SpannedStream, part: Part) -> None:
        joined = b""
        for item in self._parts.one_by_one(part, stream):
            self._stop.check()
            if isinstance(item, FoundMember) and (of := delta_of(item.member)) is not None:
                joined = self._join(part, item.place, *of, joined)
            elif isinstance(item, LostMember) or self._patterns.match(item.member.path):
                self._take(item)
        self._unchanged(stream, part)

    def _join(self, part: Part, place: int, path: bytes, number: int, joined: bytes) -> bytes:
        """A part of a delta: with the first of them comes the file, the others stand behind it. Its path."""
        if path != joined and self._patterns.match(path):
            first_is_lost = LostMember(path, None, "of what changed in it the first part is lost")
            self._take(self._parts.joined(part, path, place) if number == 1 else first_is_lost)
        return path

    def _unchanged(self, stream: SpannedStream, part: Part) -> None:
        """What stands in earlier archives is in no stream here: as far as the catalog can be read, it says where."""
        bases = part.segment.header.bases if part.segment.header else ()
        if not bases:
            return
        for entry in part.catalog.tables.entries():
            self._stop.check()
            if entry.base and entry.type != catalog.HARD_LINK and self._patterns.match(entry.path):
                self._take(self._parts.at(part, stream, entry))
        self.result.problems.append(
            f"archive {part.segment.archive[:8]}: files that did not change since may be missing here: "
            f"they are in archive {bases[-1][:8]} (--archive {bases[-1][:8]})"
        )

    def _take(self, item: FoundMember | LostMember) -> None:
        if isinstance(item, LostMember):
            self.result.damaged.append((item.path or b"(a member whose name is lost)", item.why))
            return
        if not self._put(item.member.path, item.member, item, item.entry):
            return
        if item.entry is None:
            self._names.add(item.member.path)
        elif (item.entry.base, item.entry.offset) in self._first_names:
            self._first_names[item.entry.base, item.entry.offset] = item.member.path

    def _put(self, path: bytes, member: pax.Member, found: FoundMember | None, entry: Entry | None) -> bool:
        """Put one member back, and count how that went."""
        result = self.result
        try:
            if member.type == pax.DIRECTORY:
                self._target.put_directory(member)
            elif member.type == pax.HARD_LINK:
                self._link(member, found)
            elif member.type == pax.REGULAR and found is not None:
                self._put_file(member, found, entry)
            else:
                self._target.put_special(member)
        except Skipped as why:
            result.skipped.append((path, str(why)))
        except Refused as why:
            result.refused.append((path, str(why)))
        except (Hole, Damaged) as error:
            result.damaged.append((path, str(error)))
        else:
            result.members += 1
            if member.type != pax.DIRECTORY:
                self._patterns.found(path)
            if entry is not None and (final := self._parts.final(entry)).has_problem:
                result.warnings.append((path, f"as it was saved: {final.note.decode('utf-8', 'replace')}"))
            return True
        return False

    def _link(self, member: pax.Member, found: FoundMember | None) -> None:
        """`found` is there only without a catalog: then the name must be one that this run put back."""
        if found is not None and member.link not in self._names:
            raise Refused(f"is a link to {os.fsdecode(member.link)!r}, which was not restored")
        self._target.put_hard_link(member, member.link)

    def _put_file(self, member: pax.Member, found: FoundMember, entry: Entry | None) -> None:
        digest = hashlib.sha256(found.prefix)

        def content() -> Iterator[memoryview]:
            there = len(found.prefix)
            try:
                for part in found.content():
                    self._stop.check()
                    digest.update(part)
                    there += len(part)
                    self._progress.advance(len(part))
                    yield part
            except Missing as missing:
                raise Damaged(f"{missing}: {there} of its {member.stored_bytes} bytes are before it") from missing
            final = None if entry is None else self._parts.final(entry)
            is_untold = final is not None and final.sha256 == NO_DIGEST and self._parts.is_set  # a border cuts it
            if final is not None and not is_untold and digest.digest() != final.sha256:
                raise Damaged("its content does not have the digest that the catalog says")

        def valid() -> int | None:
            final = None if entry is None else self._parts.final(entry)
            return final.valid if final is not None and final.flags & SHORT else None

        makes_holes = entry is not None and bool(entry.flags & DELTA)
        self._target.put_file(member, content(), valid, makes_holes=makes_holes)
        self.result.restored_bytes += member.stored_bytes


def check_selection(result: Result, patterns: Iterable[str]) -> None:
    """Raises TapekitError where patterns were given and none matched anything."""
    if result.unmatched and len(result.unmatched) == len(list(patterns)):
        raise TapekitError(
            f"archive {result.archive[:8]}: nothing matches {', '.join(result.unmatched)}",
            "see what is there: tapekit list DRIVE",
        )
