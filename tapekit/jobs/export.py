"""Export: an archive as a plain pax tar, for any other program."""

import dataclasses
from collections.abc import Callable, Iterable

from drivers.base import Drive
from formats import pax
from formats.catalog import Entry
from formats.errors import Damaged
from tapekit.cartridge.cartridge import choose, open_cartridge
from tapekit.cartridge.catalog import read_catalog
from tapekit.jobs.interrupt import StopRequest
from tapekit.progress import Progress
from tapekit.stream.read import Hole, PlainStream, find_layout
from tapekit.stream.unpack import LostMember, by_catalog, one_by_one


@dataclasses.dataclass
class Result:
    """What was exported; `damaged` members are missing, or filled up with zeros where the damage is in their content."""

    archive: str
    members: int = 0
    exported_bytes: int = 0
    damaged: list[tuple[bytes, str]] = dataclasses.field(default_factory=list)
    problems: list[str] = dataclasses.field(default_factory=list)


def run(drive: Drive, archive: str, write: Callable[["bytes | memoryview"], object], progress: Progress) -> Result:
    """Hand the stream of an archive to `write`. Raises NoSuchArchive and DriveError."""
    with StopRequest() as stop:
        cartridge = open_cartridge(drive)
        segment = choose(cartridge.segments(), archive)
        found = read_catalog(drive, segment)
        layout = find_layout(drive, segment)
        result = Result(segment.archive, problems=list(found.problems))
        total = layout.end - layout.start if layout.end is not None else None
        progress.begin("exporting", total)
        with found.tables, PlainStream(drive, layout) as stream:
            entries = found.tables.entries() if found.is_whole else None
            _Export(stream, write, progress, stop, result).run(entries)
        progress.end()
    return result


class _Export:
    """Members are written as they stand in the stream, headers and all; damaged ones so that tar goes on behind them."""

    def __init__(
        self, stream: PlainStream, write: Callable[["bytes | memoryview"], object], progress: Progress,
        stop: StopRequest, result: Result,
    ) -> None:  # fmt: skip
        self._stream = stream
        self._write = write
        self._progress = progress
        self._stop = stop
        self._result = result

    def run(self, entries: Iterable[Entry] | None) -> None:
        members = one_by_one(self._stream) if entries is None else by_catalog(self._stream, entries)
        for item in members:
            self._stop.check()
            if isinstance(item, LostMember):
                self._result.damaged.append((item.path or b"(a member whose name is lost)", item.why))
                continue
            self._copy(pax.build_headers(item.member))
            self._copy(item.prefix)
            done = 0
            wanted = item.member.stored_bytes - len(item.prefix)
            try:
                for part in item.content():
                    self._copy(part)
                    done += len(part)
            except (Hole, Damaged) as error:
                self._result.damaged.append((item.member.path, str(error)))
                self._fill(wanted - done)
            self._copy(bytes(pax.padding(item.member.stored_bytes)))
            self._result.members += 1
        self._copy(pax.END_OF_ARCHIVE)

    def _fill(self, size: int) -> None:
        while size > 0:
            part = min(size, 1 << 20)
            self._copy(bytes(part))
            size -= part

    def _copy(self, data: "bytes | memoryview") -> None:
        self._stop.check()
        self._write(data)
        self._result.exported_bytes += len(data)
        self._progress.advance(len(data))
