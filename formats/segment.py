"""The two documents of an archive segment: header and trailer (SPEC.md sections 6.1 and 6.3)."""

import dataclasses

from formats import document
from formats.block import HEADER_BYTES, TAG_BYTES
from formats.errors import Damaged, TooLarge
from formats.keyslot import MOST_SLOTS, Commitment, KeySlot, Signature
from formats.label import FORMAT_VERSION, check_block_size
from formats.parity import MOST_MEMBERS, Shape, check_shape

COMPLETE = "complete"
CONTINUED = "continued"
ABORTED = "aborted"
INCOMPLETE = "incomplete"
"""State of a directory entry only: a segment without a valid trailer."""

_SIGNATURE_CONTEXT = b"tapekit trailer 1\0"


@dataclasses.dataclass(frozen=True)
class ParityScheme:
    """Reed–Solomon parity of a segment (SPEC.md section 10); `k` is how many shards of a lane the writer aims at."""

    scheme: str
    k: int
    m: int
    lanes: int
    shard: int

    @property
    def shape(self) -> Shape:
        """How a group's bytes are spread."""
        return Shape(self.lanes, self.m, self.shard)


@dataclasses.dataclass(frozen=True)
class PreviousSegment:
    """An earlier segment of a spanned archive (SPEC.md section 12).

    `trailer_sha256` is None where its medium took no trailer any more. `first_member` is the ordinal of the first
    member in its catalog.
    """

    cartridge: str
    name: str
    trailer_sha256: str | None
    stream_start: int
    first_member: int


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
    previous: tuple[PreviousSegment, ...] = ()


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
    first_member: int = 0
    """Ordinal of the first member in the segment's catalog."""
    header: str | None = None
    """The header document once more, base64, where the archive is encrypted or builds upon others."""
    audit: AuditHead | None = None
    signature: Signature | None = None


def build_header(header: SegmentHeader) -> bytes:
    """The header document."""
    return document.build(header)


def parse_header(data: "bytes | memoryview") -> SegmentHeader:
    """Raises NewerFormat or Damaged where this is not a header that can be read."""
    header = document.parse("header", SegmentHeader, data, newest_format=FORMAT_VERSION)
    document.check_id("header.archive", header.archive)
    document.check_time("header.started", header.started)
    document.check_count("header", header.segment, header.stream_start, header.sequence_start)
    check_block_size(header.block_size)
    if not 1 <= header.cut <= header.block_size - HEADER_BYTES - TAG_BYTES:
        raise Damaged(f"header.cut: {str(header.cut)[:20]} with a block size of {header.block_size}")
    if header.stream_start % header.cut:
        raise Damaged(f"header.stream_start: {header.stream_start} is not a multiple of {header.cut}")
    if len(header.slots) > MOST_SLOTS:
        raise Damaged(f"header.slots: {len(header.slots)}, limit {MOST_SLOTS}")
    for base in header.bases:
        document.check_id("header.bases", base)
    for before in header.previous:
        document.check_id("header.previous.cartridge", before.cartridge)
        document.check_count("header.previous", before.stream_start, before.first_member)
        if before.trailer_sha256 is not None:
            document.check_digest("header.previous.trailer_sha256", before.trailer_sha256)
    if header.parity is not None:
        _check_parity(header.parity)
    return header


def committed(header_document: "bytes | memoryview") -> bytes:
    """What the commitment of a header covers (SPEC.md section 9.3), from the document as read. Raises Damaged."""
    return document.without("header", header_document, "commitment")


def signed(trailer_document: "bytes | memoryview") -> bytes:
    """What the signature of a trailer covers (SPEC.md section 9.5), from the document as read. Raises Damaged."""
    return _SIGNATURE_CONTEXT + document.without("trailer", trailer_document, "signature")


def _check_parity(parity: ParityScheme) -> None:
    if parity.scheme != "rs8":
        raise Damaged(f"header.parity: unknown scheme {parity.scheme[:40]!r}")
    if not 1 <= parity.k <= MOST_MEMBERS:
        raise Damaged(f"header.parity: k {str(parity.k)[:20]}, limit {MOST_MEMBERS}")
    check_shape(parity.shape, "header.parity")


def build_trailer(trailer: Trailer, limit_bytes: int = document.LARGEST_DOCUMENT_BYTES) -> bytes:
    """The trailer document, of at most `limit_bytes`; what is too much of the directory is dropped, and counted.

    The oldest entries go first. Raises TooLarge where it exceeds a limit without any directory.
    """
    data = document.canonical(dataclasses.asdict(trailer))
    while (problem := document.excess(data, limit_bytes)) and trailer.directory:
        drop = max(1, len(trailer.directory) // 8)
        trailer = dataclasses.replace(
            trailer, directory=trailer.directory[drop:], directory_omitted=trailer.directory_omitted + drop
        )
        data = document.canonical(dataclasses.asdict(trailer))
    if problem:
        raise TooLarge(f"trailer: {problem}")
    return data


def parse_trailer(data: "bytes | memoryview") -> Trailer:
    """Raises Damaged where this is not a trailer."""
    trailer = document.parse("trailer", Trailer, data)
    document.check_id("trailer.archive", trailer.archive)
    document.check_digest("trailer.blocks_sha256", trailer.blocks_sha256)
    document.check_time("trailer.started", trailer.started)
    document.check_time("trailer.finished", trailer.finished)
    if trailer.state not in (COMPLETE, CONTINUED, ABORTED):
        raise Damaged(f"trailer.state: {trailer.state[:40]!r}")
    counts = trailer.blocks
    document.check_count(
        "trailer", trailer.segment, trailer.members, trailer.problems, trailer.source_bytes, trailer.stream_bytes,
        trailer.stored_bytes, trailer.catalog_block, trailer.directory_omitted, trailer.first_member,
        counts.header, counts.data, counts.parity, counts.catalog,
    )  # fmt: skip
    if not 0 <= trailer.catalog_block - counts.header - counts.data <= counts.parity:
        raise Damaged(f"trailer.catalog_block: {trailer.catalog_block} does not follow from the block counts")
    if trailer.audit is not None:
        document.check_count("trailer.audit.sequence", trailer.audit.sequence)
        document.check_digest("trailer.audit.sha256", trailer.audit.sha256)
    for entry in trailer.directory:
        _check_directory_entry(entry)
    return trailer


def _check_directory_entry(entry: DirectoryEntry) -> None:
    """Id, job and start are unknown where neither header nor trailer of that file could be read."""
    name = "trailer.directory"
    if entry.state not in (COMPLETE, CONTINUED, ABORTED, INCOMPLETE):
        raise Damaged(f"{name}: state {entry.state[:40]!r}")
    if entry.archive or entry.state != INCOMPLETE:
        document.check_id(f"{name}.archive", entry.archive)
    if entry.trailer_sha256 is not None:
        document.check_digest(f"{name}.trailer_sha256", entry.trailer_sha256)
    document.check_count(
        name, entry.file, entry.segment, entry.members, entry.problems, entry.source_bytes, entry.stored_bytes
    )
