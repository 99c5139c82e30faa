"""The two documents of an archive segment: header and trailer (SPEC.md sections 6.1 and 6.3)."""

import dataclasses

from formats import document
from formats.block import HEADER_BYTES, TAG_BYTES
from formats.errors import Damaged, NewerFormat
from formats.keyslot import MOST_SLOTS, Commitment, KeySlot, Signature
from formats.label import FORMAT_VERSION, check_block_size

COMPLETE = "complete"
CONTINUED = "continued"
ABORTED = "aborted"
INCOMPLETE = "incomplete"
"""State of a directory entry only: a segment without a valid trailer."""


@dataclasses.dataclass(frozen=True)
class ParityScheme:
    """Reed–Solomon parity of a segment (SPEC.md section 10); `shard` is the largest shard in bytes."""

    scheme: str
    k: int
    m: int
    shard: int


@dataclasses.dataclass(frozen=True)
class PreviousSegment:
    """Where a spanned archive comes from."""

    cartridge: str
    name: str
    trailer_sha256: str


@dataclasses.dataclass(frozen=True)
class SegmentHeader:
    """What stands at the start of a segment. `cut` is the number of plain bytes in every full data block."""

    format: int
    archive: str
    segment: int
    job: str
    site: str
    host: str
    started: str
    tool: str
    root: str
    block_size: int
    cut: int
    stream_start: int
    sequence_start: int
    compression: str
    cipher: str | None = None
    slots: tuple[KeySlot, ...] = ()
    commitment: Commitment | None = None
    parity: ParityScheme | None = None
    bases: tuple[str, ...] = ()
    previous: PreviousSegment | None = None


@dataclasses.dataclass(frozen=True)
class Evidence:
    """The highest rung of the evidence ladder that a copy has climbed, and when."""

    rung: str
    at: str


@dataclasses.dataclass(frozen=True)
class DirectoryEntry:
    """One earlier file of the cartridge, as a later trailer remembers it."""

    file: int
    archive: str
    segment: int
    job: str
    started: str
    finished: str
    state: str
    members: int
    problems: int
    source_bytes: int
    stored_bytes: int
    trailer_sha256: str | None = None
    evidence: Evidence | None = None


@dataclasses.dataclass(frozen=True)
class BlockCounts:
    """Blocks of a segment before its trailer, by kind."""

    header: int
    data: int
    parity: int
    catalog: int

    @property
    def total(self) -> int:
        """All of them; also the number of the first trailer block in its file."""
        return self.header + self.data + self.parity + self.catalog


@dataclasses.dataclass(frozen=True)
class AuditHead:
    """Head of the writer's audit log."""

    sequence: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class Trailer:
    """What stands at the end of a segment; without it the segment is incomplete."""

    archive: str
    segment: int
    job: str
    started: str
    state: str
    finished: str
    members: int
    problems: int
    source_bytes: int
    stream_bytes: int
    stored_bytes: int
    blocks: BlockCounts
    blocks_sha256: str
    catalog_block: int
    directory: tuple[DirectoryEntry, ...] = ()
    directory_omitted: int = 0
    audit: AuditHead | None = None
    signature: Signature | None = None


def build_header(header: SegmentHeader) -> bytes:
    """The header document."""
    return document.build(header)


def parse_header(data: "bytes | memoryview") -> SegmentHeader:
    """Raises NewerFormat or Damaged where this is not a header that can be read."""
    header = document.parse("header", SegmentHeader, data)
    if header.format > FORMAT_VERSION:
        raise NewerFormat(f"header: format version {header.format}, this program reads up to {FORMAT_VERSION}")
    document.check_id("header.archive", header.archive)
    document.check_count("header", header.segment, header.stream_start, header.sequence_start)
    check_block_size(header.block_size)
    if not 1 <= header.cut <= header.block_size - HEADER_BYTES - TAG_BYTES:
        raise Damaged(f"header.cut: {header.cut} with a block size of {header.block_size}")
    if header.stream_start % header.cut:
        raise Damaged(f"header.stream_start: {header.stream_start} is not a multiple of {header.cut}")
    if len(header.slots) > MOST_SLOTS:
        raise Damaged(f"header.slots: {len(header.slots)}, limit {MOST_SLOTS}")
    for base in header.bases:
        document.check_id("header.bases", base)
    return header


def build_trailer(trailer: Trailer, limit_bytes: int = document.LARGEST_DOCUMENT_BYTES) -> bytes:
    """The trailer document; drops the oldest directory entries, and counts them, where it would exceed `limit_bytes`."""
    data = document.canonical(dataclasses.asdict(trailer))
    while len(data) > limit_bytes and trailer.directory:
        drop = max(1, len(trailer.directory) // 8)
        trailer = dataclasses.replace(
            trailer, directory=trailer.directory[drop:], directory_omitted=trailer.directory_omitted + drop
        )
        data = document.canonical(dataclasses.asdict(trailer))
    return data


def parse_trailer(data: "bytes | memoryview") -> Trailer:
    """Raises Damaged where this is not a trailer."""
    trailer = document.parse("trailer", Trailer, data)
    document.check_id("trailer.archive", trailer.archive)
    document.check_digest("trailer.blocks_sha256", trailer.blocks_sha256)
    if trailer.state not in (COMPLETE, CONTINUED, ABORTED):
        raise Damaged(f"trailer.state: {trailer.state[:40]!r}")
    counts = trailer.blocks
    document.check_count(
        "trailer", trailer.segment, trailer.members, trailer.problems, trailer.source_bytes, trailer.stream_bytes,
        trailer.stored_bytes, trailer.catalog_block, trailer.directory_omitted,
        counts.header, counts.data, counts.parity, counts.catalog,
    )  # fmt: skip
    if trailer.catalog_block != counts.header + counts.data + counts.parity:
        raise Damaged(f"trailer.catalog_block: {trailer.catalog_block} does not follow from the block counts")
    return trailer
