"""Restore: members of one archive put back below a directory, around whatever is damaged."""

import dataclasses
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence

from drivers.base import Drive
from formats import catalog, pax
from formats.catalog import SHORT, Entry
from formats.errors import Damaged
from tapekit.audit import events as audit
from tapekit.audit.events import Event
from tapekit.blocks.correct import Corrected, correcting
from tapekit.cartridge.cartridge import Cartridge, Segment, choose, open_cartridge
from tapekit.cartridge.catalog import Catalog, read_catalog
from tapekit.errors import TapekitError
from tapekit.jobs.interrupt import StopRequest
from tapekit.keys.opener import NO_KEY, Opener
from tapekit.patterns import Patterns
from tapekit.progress import Progress
from tapekit.source.put_back import Overwrite, Refused, Skipped, Target
from tapekit.stream.read import Hole, PlainStream, find_layout
from tapekit.stream.unpack import FoundMember, LostMember, at_offset, one_by_one
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
    corrected: list[Corrected] = dataclasses.field(default_factory=list)
    """Blocks that are bad on the medium, and that parity gave back: nothing of them is lost."""


def run(drive: Drive, request: Request, progress: Progress, begins: Callable[[Drive], object] | None = None) -> Result:
    """Restore what the patterns name, or everything; `begins` is told when there is an archive to restore from.

    Raises NoSuchArchive, KeyNeeded, KeyRefused, TapekitError for the target, DriveError.
    """
    patterns = Patterns(request.patterns)
    with StopRequest() as stop:
        reading = correcting(drive)
        cartridge = open_cartridge(reading)
        segment = cartridge.unlock(choose(cartridge.segments(), request.archive), request.opener)
        if begins is not None:
            begins(drive)
        found = read_catalog(reading, segment)
        with found.tables:
            restore = _Restore(cartridge, segment, request, patterns, progress, stop)
            result = restore.run(found)
    result.corrected = list(reading.corrections.values())
    audit.note(
        Event.RESTORED, cartridge=result.cartridge, archive=result.archive, job=segment.job,
        result=counted(result.members, "member"), note=f"{len(result.damaged)} damaged" if result.damaged else "",
    )  # fmt: skip
    return result


class _Restore:
    """One run over one segment."""

    def __init__(
        self, cartridge: Cartridge, segment: Segment, request: Request, patterns: Patterns, progress: Progress,
        stop: StopRequest,
    ) -> None:  # fmt: skip
        self._drive = cartridge.drive
        self._segment = segment
        self._patterns = patterns
        self._progress = progress
        self._stop = stop
        self._target = Target(request.to, request.overwrite, devices=request.devices)
        self._first_names: dict[int, bytes | None] = {}
        """Offset of a member that others link to: the name it was put back under, None before that."""
        self._first_entries: dict[int, Entry] = {}
        """The catalog's entries of those members."""
        self._names: set[bytes] = set()
        """Without a catalog: every name that was put back, for hard links to find."""
        self.result = Result(cartridge.name, segment.archive, segment.state)

    def run(self, found: Catalog) -> Result:
        self.result.problems += found.problems
        layout = find_layout(self._drive, self._segment)
        try:
            with PlainStream(self._drive, layout) as stream:
                if found.is_whole:
                    self._by_catalog(stream, found)
                else:
                    self._progress.begin("restoring", None)
                    self._one_by_one(stream)
        finally:
            self._target.close()
            self.result.warnings += self._target.warnings
        self._progress.end()
        self.result.unmatched = self._patterns.unmatched()
        return self.result

    def _selected(self, found: Catalog) -> Iterator[Entry]:
        return (entry for entry in found.tables.entries() if self._patterns.match(entry.path))

    def _by_catalog(self, stream: PlainStream, found: Catalog) -> None:
        total = 0
        for entry in self._selected(found):
            total += entry.size
            if entry.type == catalog.HARD_LINK:
                self._first_names[entry.reference] = None
        self._progress.begin("restoring", total)
        for entry in found.tables.entries():
            self._stop.check()
            if entry.offset in self._first_names and entry.type != catalog.HARD_LINK:
                self._first_entries[entry.offset] = entry
            if not self._patterns.match(entry.path):
                continue
            if entry.is_absent:
                if entry.type != catalog.SOCKET:
                    self.result.skipped.append((entry.path, f"was not saved: {entry.note.decode('utf-8', 'replace')}"))
                continue
            if entry.type == catalog.HARD_LINK:
                self._put_hard_link(stream, entry)
            else:
                self._take(at_offset(stream, entry, entry.offset))

    def _put_hard_link(self, stream: PlainStream, entry: Entry) -> None:
        """A second name of what was put back already; where the first was not selected, a file of its own."""
        first_name = self._first_names.get(entry.reference)
        if first_name is not None:
            link = pax.Member(pax.HARD_LINK, entry.path, mtime_ns=entry.mtime_ns, link=first_name)
            self._put(entry.path, link, None, None)
            return
        item = at_offset(stream, entry, entry.reference)
        if isinstance(item, FoundMember):
            member = item.member._replace(path=entry.path)
            item = dataclasses.replace(item, member=member, entry=self._first_entries.get(entry.reference))
        self._take(item)

    def _one_by_one(self, stream: PlainStream) -> None:
        for item in one_by_one(stream):
            self._stop.check()
            if isinstance(item, LostMember) or self._patterns.match(item.member.path):
                self._take(item)

    def _take(self, item: FoundMember | LostMember) -> None:
        if isinstance(item, LostMember):
            self.result.damaged.append((item.path or b"(a member whose name is lost)", item.why))
            return
        if not self._put(item.member.path, item.member, item, item.entry):
            return
        if item.entry is None:
            self._names.add(item.member.path)
        elif item.entry.offset in self._first_names:
            self._first_names[item.entry.offset] = item.member.path

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
            if entry is not None and entry.has_problem:
                result.warnings.append((path, f"as it was saved: {entry.note.decode('utf-8', 'replace')}"))
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
            for part in found.content():
                self._stop.check()
                digest.update(part)
                self._progress.advance(len(part))
                yield part
            if entry is not None and digest.digest() != entry.sha256:
                raise Damaged("its content does not have the digest that the catalog says")

        valid = entry.valid if entry is not None and entry.flags & SHORT else None
        self._target.put_file(member, content(), valid)
        self.result.restored_bytes += member.stored_bytes


def check_selection(result: Result, patterns: Iterable[str]) -> None:
    """Raises TapekitError where patterns were given and none matched anything."""
    if result.unmatched and len(result.unmatched) == len(list(patterns)):
        raise TapekitError(
            f"archive {result.archive[:8]}: nothing matches {', '.join(result.unmatched)}",
            "see what is there: tapekit list DRIVE",
        )
