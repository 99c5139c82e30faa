"""Opening a cartridge: its label and what each of its files holds. Needs neither key nor catalog database."""

import base64
import contextlib
import dataclasses
from collections.abc import Iterable

from drivers.base import Content, Drive, Mark, MediumState
from drivers.errors import BlankMedium, EndOfData, ForeignMedium, NoMedium
from formats import block, label, segment
from formats.block import Kind
from formats.errors import Damaged, FormatError, NewerFormat
from formats.label import Label
from formats.segment import COMPLETE, CONTINUED, INCOMPLETE, SegmentHeader, Trailer
from tapekit.blocks.cipher import NAMES_ONLY, NAMES_ONLY_HINT, BlockCipher
from tapekit.blocks.read import BadBlock, Expected, FileEnd, GoodBlock, decode, read_document, read_one
from tapekit.errors import KeyNeeded, NoSuchArchive
from tapekit.keys import signature
from tapekit.keys.opener import Opener

LABEL_FILE = 0
KIT_FILE = 1
FIRST_SEGMENT_FILE = 2


@dataclasses.dataclass(frozen=True)
class Segment:
    """One archive segment of a cartridge, as its header and trailer describe it; either may be unreadable."""

    file: int
    header: SegmentHeader | None
    header_blocks: int
    trailer: Trailer | None
    trailer_sha256: str | None = None
    problem: str = ""
    signer: bytes | None = None
    """Public key of the site that signed the trailer."""
    cipher: BlockCipher | None = dataclasses.field(default=None, repr=False, compare=False)
    """What opens its blocks, once somebody's key has (`unlock`)."""

    @property
    def is_encrypted(self) -> bool:
        """Whether its content is encrypted, as far as the header tells."""
        return self.header is not None and self.header.cipher is not None

    @property
    def encrypted_for(self) -> tuple[str, ...]:
        """Who opens it, for people; slots of newer kinds name nobody."""
        slots = self.header.slots if self.header else ()
        return tuple(slot.holder for slot in slots if slot.is_known)

    @property
    def archive(self) -> str:
        """The archive's id, or an empty string where nothing tells it."""
        known = self.header or self.trailer
        return known.archive if known else ""

    @property
    def number(self) -> int:
        """Of the archive's segments, the first being 0, as far as the file tells."""
        known = self.header or self.trailer
        return known.segment if known else 0

    @property
    def state(self) -> str:
        """`complete`, `continued`, `aborted`, or `incomplete` without a valid trailer."""
        return self.trailer.state if self.trailer else INCOMPLETE

    @property
    def is_complete(self) -> bool:
        """Whether the archive ends in this segment as it should."""
        return self.state == COMPLETE

    @property
    def is_closed(self) -> bool:
        """Whether all is in it that should be; the archive may go on on another cartridge."""
        return self.state in {COMPLETE, CONTINUED}

    @property
    def job(self) -> str:
        """Name of the job that wrote it."""
        known = self.header or self.trailer
        return known.job if known else "?"

    @property
    def started(self) -> str:
        """When the archive was begun."""
        known = self.header or self.trailer
        return known.started if known else "?"

    def expected(self) -> Expected | None:
        """Which blocks belong in this file; None where nothing tells."""
        if self.header is not None:
            header = self.header
            return Expected(bytes.fromhex(header.archive), header.segment, header.sequence_start)
        return None


@dataclasses.dataclass
class Cartridge:
    """The cartridge in a drive. `label` is None where it cannot be read; `label_problem` then says why."""

    drive: Drive
    medium: MediumState
    label: Label | None
    label_problem: str = ""

    @property
    def name(self) -> str:
        """What people call it."""
        return self.label.name if self.label else "(label unreadable)"

    @property
    def is_unfinished(self) -> bool:
        """Whether its labelling was cut off: no filemark ends the rescue kit, and no archive is behind it.

        That is looked for, and not only reckoned: what is unfinished may be overwritten.
        """
        self.drive.to_end_of_data()
        if self.drive.position().file >= FIRST_SEGMENT_FILE:
            return False
        try:
            self.drive.locate(KIT_FILE)
        except EndOfData:
            return True
        while isinstance(found := self.drive.read_block(), bytes):
            pass
        return found is not Mark.FILEMARK

    def segment_files(self) -> range:
        """Numbers of the files that hold segments."""
        self.drive.to_end_of_data()
        end = self.drive.position()
        return range(FIRST_SEGMENT_FILE, end.file + (1 if end.block else 0))

    def segments(self) -> list[Segment]:
        """What every segment says of itself, oldest first.

        A directory that a later one covers is left out: all of them together grow with the square of the archives.
        """
        found: list[Segment] = []
        newest: int | None = None
        for file in self.segment_files():
            segment = self.read_segment(file)
            if segment.trailer is not None:
                if newest is not None and _covers(segment.trailer, found[newest].trailer):
                    found[newest] = _without_directory(found[newest])
                newest = len(found)
            found.append(segment)
        return found

    def read_segment(self, file: int) -> Segment:
        """Header and trailer of the segment in a file."""
        problems = []
        header, header_blocks = None, 0
        try:
            header, header_blocks = self._read_header(file)
        except (FormatError, EndOfData) as error:
            problems.append(str(error))
        trailer, digest, signer = None, None, None
        try:
            trailer, digest, document = self._read_trailer(file)
            if header is None and trailer.header is not None:
                header, header_blocks = segment.parse_header(copied_header(trailer)), trailer.blocks.header
            trailer = dataclasses.replace(trailer, header=None)  # of all archives together it would take much memory
            signer = signature.signer(trailer, document)
        except (FormatError, EndOfData) as error:
            problems.append(str(error))
        if header and trailer and (header.archive, header.segment) != (trailer.archive, trailer.segment):
            problems.append("header and trailer belong to different archives")
            trailer = None
        return Segment(file, header, header_blocks, trailer, digest, "; ".join(problems), signer)

    def unlock(self, found: Segment, opener: Opener, *, for_data: bool = True) -> Segment:
        """The segment with what opens its blocks; as it is where nothing in it is encrypted.

        Raises what `Opener.open` raises, and KeyNeeded where the key opens names alone and data is wanted.
        """
        if found.header is None or not found.is_encrypted:
            return found
        document = self._header_document(found)
        cipher = BlockCipher(opener.open(found.header, document))
        if for_data and not cipher.opens_data:
            raise KeyNeeded(NAMES_ONLY, NAMES_ONLY_HINT)
        return dataclasses.replace(found, cipher=cipher)

    def _header_document(self, found: Segment) -> bytes:
        """The header as it was written; where it cannot be read, as the trailer has it. Raises Damaged."""
        with contextlib.suppress(FormatError, EndOfData):
            document, _ = read_document(self.drive, found.file, 0, Kind.HEADER, found.expected())
            if segment.parse_header(document) == found.header:
                return document
        with contextlib.suppress(FormatError, EndOfData):
            document = copied_header(self._read_trailer(found.file)[0])
            if segment.parse_header(document) == found.header:
                return document
        raise Damaged(f"header of file {found.file}: reads differently each time")

    def header_copy(self, found: Segment) -> str | None:
        """The header for a trailer, where the archive is encrypted or builds upon others. Raises Damaged."""
        is_needed = found.is_encrypted or (found.header is not None and found.header.bases)
        return base64.b64encode(self._header_document(found)).decode() if is_needed else None

    def _read_header(self, file: int) -> tuple[SegmentHeader, int]:
        """The header of a file, and how many blocks it takes."""
        document, parts = read_document(self.drive, file, 0, Kind.HEADER, None)
        header = segment.parse_header(document)
        if parts[0].header.archive.hex() != header.archive:
            raise Damaged(f"header of file {file}: belongs to another archive")
        return header, len(parts)

    def _read_trailer(self, file: int) -> tuple[Trailer, str, bytes]:
        """The trailer of a file: the run of trailer blocks at its end, before the filemark; digest and document."""
        self.drive.locate(file, -1)
        last = read_one(self.drive, self.drive.position().block, None)
        if not isinstance(last, GoodBlock) or last.header.kind != Kind.TRAILER:
            why = last.why if isinstance(last, BadBlock) else "the last block is none"
            raise Damaged(f"trailer of file {file}: {why}")
        end = read_one(self.drive, last.number + 1, None)
        if not isinstance(end, FileEnd) or not end.has_filemark:
            raise Damaged(f"trailer of file {file}: no filemark behind it")
        first, offset = last.number, last.header.stream_offset
        while offset > 0 and first > 0:
            first -= 1
            self.drive.locate(file, first)
            earlier = read_one(self.drive, first, None)
            if not isinstance(earlier, GoodBlock) or earlier.header.kind != Kind.TRAILER:
                raise Damaged(f"trailer of file {file}: block {first} of it is damaged")
            offset = earlier.header.stream_offset
        document, parts = read_document(self.drive, file, first, Kind.TRAILER, None)
        trailer = segment.parse_trailer(document)
        copied = len(parts) if trailer.blocks.parity else 0  # the trailer's first copy (SPEC.md section 10)
        if trailer.blocks.total + copied != first or parts[0].header.archive.hex() != trailer.archive:
            raise Damaged(f"trailer of file {file}: speaks of {trailer.blocks.total} blocks, {first} are before it")
        return trailer, parts[-1].header.digest.hex(), document


def copied_header(trailer: Trailer) -> bytes:
    """The header document that a trailer has once more. Raises Damaged."""
    try:
        return base64.b64decode(trailer.header or "", validate=True)
    except ValueError as error:
        raise Damaged("trailer.header: not base64") from error


def _covers(later: Trailer, earlier: Trailer | None) -> bool:
    """Whether the later trailer's directory tells of every file that the earlier one's does."""
    return earlier is not None and {e.file for e in earlier.directory} <= {e.file for e in later.directory}


def _without_directory(found: Segment) -> Segment:
    assert found.trailer is not None  # noqa: S101 - the caller has seen to it
    return dataclasses.replace(found, trailer=dataclasses.replace(found.trailer, directory=()))


def open_cartridge(drive: Drive) -> Cartridge:
    """The cartridge in a drive.

    Raises NoMedium, BlankMedium, ForeignMedium, and NewerFormat; a damaged label is no error but a problem, because
    the archives behind it may be whole.
    """
    medium = drive.medium()
    if not medium.present:
        raise NoMedium(f"{drive.url}: no cartridge in the drive")
    if medium.content is Content.FOREIGN:
        raise ForeignMedium(
            f"{drive.url}: not a tapekit cartridge: it holds {medium.description}", medium.found,
            "nothing was changed; if it is the right cartridge and may be lost, "
            f"label it with --destroy {medium.found}",
        )  # fmt: skip
    drive.rewind()
    try:
        return _opened(drive, medium, read_one(drive, 0, None))
    except NewerFormat as error:
        raise NewerFormat(f"{drive.url}: {error}") from error


def _opened(drive: Drive, medium: MediumState, first: GoodBlock | BadBlock | FileEnd) -> Cartridge:
    """The cartridge whose first block is `first`."""
    if medium.content is Content.BLANK or isinstance(first, FileEnd):
        raise BlankMedium(f"{drive.url}: blank: nothing was ever written on it", "label it first: tapekit label DRIVE")
    if isinstance(first, BadBlock):
        return Cartridge(drive, medium, None, f"label: {first.why}")
    try:
        if first.header.kind != Kind.LABEL:
            raise Damaged("label: another block is in its place")
        found = label.parse(decode(first))
        if first.header.archive.hex() != found.cartridge:
            raise Damaged("label: belongs to another cartridge")
    except Damaged as error:
        return Cartridge(drive, medium, None, str(error))
    return Cartridge(drive, medium, found)


def choose(segments: list[Segment], wanted: str) -> Segment:
    """The segment of the archive `wanted`: `latest` (the latest that was written to the end) or the beginning of an id.

    Raises NoSuchArchive where there is none, or more than one.
    """
    if wanted == "latest":
        found = [s for s in segments if s.is_closed][-1:] or [s for s in segments if s.header][-1:]
        if not found:
            raise NoSuchArchive("archive: there is none on this cartridge")
        return found[0]
    found = list(by_archive(s for s in segments if s.archive.startswith(wanted.lower())).values())
    if len(found) != 1 or not wanted:
        known = ", ".join(s.archive[:8] for s in segments if s.archive) or "none"
        why = "there is none on this cartridge" if not found else "more than one begins like that"
        raise NoSuchArchive(f"archive {wanted}: {why}", f"archives on this cartridge: {known}")
    return found[0]


def later_unclosed(segments: Iterable[Segment], chosen: Segment) -> list[str]:
    """In words: archives of the same job behind the `latest`, which `choose` passes over as they were not closed."""
    return [
        f"archive {part.archive[:8] or '?'} in file {part.file} is later, and {part.state}"
        + (f": {part.problem}" if part.problem else "")
        for part in by_archive(segments).values()
        if part.file > chosen.file and not part.is_closed and part.job in {chosen.job, "?"}
    ]


def by_archive(segments: Iterable[Segment]) -> dict[str, Segment]:
    """Each archive's segment, by its id; the whole one where a copy was cut off, and made again behind it."""
    found: dict[str, Segment] = {}
    for part in segments:
        if part.archive not in found or part.is_closed:
            found[part.archive] = part
    return found


def label_block(found: Label) -> bytes:
    """The one block of file 0."""
    document = label.build(found)
    head = block.BlockHead(
        kind=Kind.LABEL, flags=int(block.Flags.LAST), payload_bytes=len(document),
        archive=bytes.fromhex(found.cartridge), segment=0, parity_group=block.NO_PARITY_GROUP, sequence=0,
        stream_offset=0, plain_bytes=len(document),
    )  # fmt: skip
    return block.seal(block.authenticated(head), document) + document
