"""Duplication: an archive copied block by block from one cartridge to another, without a key.

Blocks belong to an archive, not to a cartridge, so they are the same on both; only the trailer is written anew, because
it holds the directory of the cartridge that it is on.
"""

import dataclasses
from collections.abc import Iterator
from functools import partial

from drivers.base import Drive
from formats import block
from formats.block import HEADER_BYTES, NO_PARITY_GROUP, BlockHead, Flags, Kind
from formats.segment import Trailer
from tapekit.audit import events as audit
from tapekit.audit.events import Event
from tapekit.blocks.correct import Corrected, correcting
from tapekit.blocks.parity import OpenGroup
from tapekit.blocks.read import BadBlock, FileEnd, read_blocks
from tapekit.cartridge.cartridge import Cartridge, Segment, by_archive, choose, open_cartridge
from tapekit.cartridge.directory import directory_of
from tapekit.errors import CartridgeError, MediumFull, VerificationFailed
from tapekit.evidence import Evidences
from tapekit.jobs.held import held
from tapekit.jobs.interrupt import StopRequest
from tapekit.keys.signature import signed_trailer
from tapekit.keys.site import SiteKey
from tapekit.model import Rung
from tapekit.progress import Progress
from tapekit.units import size_text

RECORD_OVERHEAD_BYTES = 4096 + HEADER_BYTES
TRAILER_ROOM_BYTES = 4096 + 512
"""What the trailer takes, and each archive in its directory."""


@dataclasses.dataclass(frozen=True)
class Result:
    """Where the copy is."""

    cartridge: str
    archive: str
    file: int
    stored_bytes: int
    remaining_bytes: int
    corrected: tuple[Corrected, ...] = ()
    """Blocks that were bad on the medium, and that parity gave back: in the copy they are good."""
    not_locked: tuple[str, ...] = ()
    """Why the target let its cartridge be taken out meanwhile; nothing where it did not."""


def run(
    source: Drive, target: Drive, wanted: str, progress: Progress, evidences: Evidences, site_key: SiteKey | None = None
) -> Result:
    """Copy the archive `wanted` behind what the cartridge in `target` holds; its new trailer is signed anew.

    Of an archive on several cartridges that is the part on this one, and the copy is the same part. Every block is
    checked on the way; what cannot be read is never copied. Raises VerificationFailed for a damaged or incomplete
    archive, MediumFull before anything is written, CartridgeError, and DriveError.
    """
    source = reading = correcting(source)
    there = open_cartridge(source)
    chosen = choose(there.segments(), wanted)
    if chosen.trailer is None or chosen.header is None or not chosen.is_closed:
        raise VerificationFailed(
            f"{source.url}: archive {chosen.archive[:8]} is {chosen.state}: {chosen.problem or 'it is not copied'}"
        )
    here = open_cartridge(target)
    label = here.label
    if label is None:
        raise CartridgeError(
            f"{target.url}: {here.label_problem}: nothing is added to a cartridge with a damaged label"
        )
    if label.block_size < chosen.header.block_size:
        raise CartridgeError(
            f"{target.url}: cartridge {here.name} has blocks of {label.block_size} bytes, the archive's are of "
            f"{chosen.header.block_size}",
            "label the cartridge with that --block-size",
        )
    other = by_archive(here.segments()).get(chosen.archive)
    if other is not None and other.number != chosen.number:
        raise CartridgeError(
            f"{target.url}: cartridge {here.name} holds part {other.number + 1} of archive {chosen.archive[:8]}",
            f"put in another one for part {chosen.number + 1}",
        )
    _copy_bases(source, target, chosen, here, progress, evidences, site_key)
    not_locked: list[str] = []
    with StopRequest() as stop, held(target, not_locked.append):
        copying = _Duplication(source, chosen, chosen.trailer, here, progress, stop, site_key)
        earlier = here.segments()
        trailer = dataclasses.replace(
            chosen.trailer,
            directory=directory_of(earlier, partial(evidences.highest, label.cartridge)),
            directory_omitted=0,
            header=there.header_copy(chosen),
            audit=audit.head(),
            signature=None,
        )
        needed = TRAILER_ROOM_BYTES * (2 + len(earlier)) + len(trailer.header or "")
        needed *= 2 if chosen.header.parity else 1
        result = copying.run(trailer, needed_bytes=needed)
        result = dataclasses.replace(
            result, corrected=tuple(reading.corrections.values()), not_locked=tuple(not_locked)
        )  # fmt: skip
    evidences.note(label.cartridge, chosen.archive, Rung.FLUSHED)
    audit.note(
        Event.COPIED, cartridge=here.name, cartridge_id=label.cartridge, archive=chosen.archive, job=chosen.job,
        result=trailer.state,
    )  # fmt: skip
    return result


def _copy_bases(
    source: Drive, target: Drive, chosen: Segment, here: Cartridge, progress: Progress, evidences: Evidences,
    site_key: SiteKey | None,
) -> None:  # fmt: skip
    """What an archive builds upon goes along, oldest first, where it is not there: each cartridge restores alone."""
    there = by_archive(here.segments())
    for base in chosen.header.bases if chosen.header else ():
        if base not in there or not there[base].is_complete:
            run(source, target, base, progress, evidences, site_key)


class _Duplication:
    """One archive on its way."""

    def __init__(
        self, source: Drive, chosen: Segment, trailer: Trailer, here: Cartridge, progress: Progress, stop: StopRequest,
        site_key: SiteKey | None,
    ) -> None:  # fmt: skip
        self._source = source
        self._chosen = chosen
        self._blocks = trailer.blocks.total
        self._stored_bytes = trailer.stored_bytes
        self._here = here
        self._progress = progress
        self._stop = stop
        self._site_key = site_key
        parity = chosen.header.parity if chosen.header else None
        self._group = OpenGroup(parity.shape) if parity else None
        if self._group is not None:  # the last group's is written anew, because it protects a copy of the trailer
            self._blocks -= self._group.shape.parity_blocks

    def run(self, trailer: Trailer, needed_bytes: int) -> Result:
        target = self._here.drive
        target.to_end_of_data()
        room = target.medium().remaining_bytes
        needed = self._stored_bytes + self._blocks * RECORD_OVERHEAD_BYTES + needed_bytes
        if room < needed:
            raise MediumFull(
                f"{target.url}: cartridge {self._here.name} has {size_text(room)} left, the archive takes "
                f"{size_text(needed)}: nothing was written"
            )
        if target.position().block:
            target.write_filemark()
        file = target.position().file
        self._progress.begin("copying", self._stored_bytes)
        self._copy_blocks(target)
        self._write_trailer(target, trailer, needed_bytes)
        target.write_filemark()
        self._progress.end()
        return Result(self._here.name, trailer.archive, file, trailer.stored_bytes, target.medium().remaining_bytes)

    def _copy_blocks(self, target: Drive) -> None:
        with read_blocks(self._source, self._chosen.file, 0, self._chosen.expected()) as items:
            for item in items:
                self._stop.check()
                if isinstance(item, (BadBlock, FileEnd)):
                    why = item.why if isinstance(item, BadBlock) else "the file ends before its trailer"
                    raise VerificationFailed(
                        f"{self._source.url}: block {item.number} of file {self._chosen.file}: {why}: the copy of "
                        f"archive {self._chosen.archive[:8]} on {self._here.name} is left incomplete"
                    )
                if item.number >= self._blocks:
                    return
                target.write_block(item.data)
                if self._group is not None:
                    self._group.take(item.header, item.data)
                self._progress.advance(len(item.data))

    def _write_trailer(self, target: Drive, trailer: Trailer, room_bytes: int) -> None:
        header = self._chosen.header
        assert header is not None  # noqa: S101 - the caller has seen to it
        document = signed_trailer(trailer, self._site_key, room_bytes)
        sequence = header.sequence_start + self._blocks
        group = self._group
        if group is not None:
            for data in self._trailer_blocks(document, sequence, group):
                target.write_block(data)
                sequence += 1
            for data in group.parity_blocks(sequence):
                target.write_block(data)
                sequence += 1
        for data in self._trailer_blocks(document, sequence, None):
            target.write_block(data)

    def _trailer_blocks(self, document: bytes, sequence: int, group: OpenGroup | None) -> Iterator[bytes]:
        """The trailer's blocks, as members of a parity group or of none."""
        header = self._chosen.header
        assert header is not None  # noqa: S101 - as above
        step = header.block_size - HEADER_BYTES
        for number, start in enumerate(range(0, len(document), step)):
            part = document[start : start + step]
            flags = Flags.LAST if start + step >= len(document) else Flags.NONE
            head = BlockHead(
                kind=Kind.TRAILER, flags=int(flags), payload_bytes=len(part), archive=bytes.fromhex(header.archive),
                segment=header.segment, parity_group=group.number if group else NO_PARITY_GROUP,
                sequence=sequence + number, stream_offset=start, plain_bytes=len(part),
                parity_offset=group.member_bytes if group else 0,
            )  # fmt: skip
            data = block.seal(block.authenticated(head), part) + part
            if group is not None:
                group.take(block.parse(data), data)
            yield data
