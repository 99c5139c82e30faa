"""What later trailers remember of earlier files: the directory (formats/SPEC.md section 6.3).

It tells a segment that was cut short by a crash, and known to be so, from one that was whole and has been damaged,
replaced or taken away since.
"""

import dataclasses
from collections.abc import Callable, Sequence

from formats.segment import INCOMPLETE, DirectoryEntry, Evidence
from tapekit.cartridge.cartridge import Segment


@dataclasses.dataclass(frozen=True)
class Contradiction:
    """A file that is not as a later trailer remembers it."""

    file: int
    why: str


def directory_of(segments: Sequence[Segment], highest: Callable[[str], Evidence | None]) -> tuple[DirectoryEntry, ...]:
    """What the next trailer says of the segments before it; `highest` knows the evidence for an archive."""
    entries = []
    for known in segments:
        trailer = known.trailer
        entries.append(DirectoryEntry(
            file=known.file, archive=known.archive, segment=known.header.segment if known.header else 0,
            job=known.job, started=known.started, finished=trailer.finished if trailer else "",
            state=known.state, members=trailer.members if trailer else 0,
            problems=trailer.problems if trailer else 0, source_bytes=trailer.source_bytes if trailer else 0,
            stored_bytes=trailer.stored_bytes if trailer else 0, trailer_sha256=known.trailer_sha256,
            evidence=highest(known.archive),
        ))  # fmt: skip
    return tuple(entries)


def remembered(segments: Sequence[Segment]) -> dict[int, DirectoryEntry]:
    """What the newest trailer that mentions a file says of it, by file number."""
    known: dict[int, DirectoryEntry] = {}
    for segment in segments:
        if segment.trailer is not None:
            known.update((entry.file, entry) for entry in segment.trailer.directory)
    return known


def was_incomplete(segment: Segment, known: dict[int, DirectoryEntry]) -> bool:
    """Whether a segment without a trailer never had one: a crash that was noticed at the next backup."""
    entry = known.get(segment.file)
    return segment.trailer is None and entry is not None and entry.state == INCOMPLETE


def contradictions(segments: Sequence[Segment], known: dict[int, DirectoryEntry]) -> list[Contradiction]:
    """Every file whose archive or trailer is another one than was there when a later archive was written."""
    found = []
    by_file = {segment.file: segment for segment in segments}
    for file, entry in sorted(known.items()):
        segment = by_file.get(file)
        if segment is None:
            found.append(Contradiction(file, f"archive {entry.archive[:8]} was here, and is gone"))
        elif segment.archive and segment.archive != entry.archive:
            found.append(Contradiction(file, f"archive {entry.archive[:8]} was here, now it is {segment.archive[:8]}"))
        elif entry.trailer_sha256 and segment.trailer_sha256 and segment.trailer_sha256 != entry.trailer_sha256:
            found.append(Contradiction(file, "its trailer is another one than when the next archive was written"))
    return found
