"""Verification: every block read from the medium, every member's content against its digest, and the source."""

import dataclasses
import os
from collections.abc import Sequence

from drivers.base import Drive
from drivers.errors import MediumError
from formats import catalog
from formats.catalog import NO_DIGEST, Entry
from formats.publickey import PublicKeyLine
from tapekit.audit import events as audit
from tapekit.audit.events import Event
from tapekit.blocks.correct import Corrected, correcting
from tapekit.cartridge.cartridge import Cartridge, Segment, choose, later_unclosed, open_cartridge
from tapekit.cartridge.catalog import read_catalog
from tapekit.cartridge.directory import contradictions, remembered, was_incomplete
from tapekit.deltas.proof import Proof
from tapekit.evidence import Evidences
from tapekit.jobs.interrupt import StopRequest
from tapekit.jobs.label import kit_digest
from tapekit.jobs.origin import gone, signed_by
from tapekit.jobs.verify_segment import Carried, Damage, SegmentResult, SegmentVerification
from tapekit.keys.opener import NO_KEY, Opener
from tapekit.model import Rung
from tapekit.progress import Progress
from tapekit.source.compare import Comparison, compare
from tapekit.units import counted


@dataclasses.dataclass
class Result:
    """What a verification found, over label, rescue kit and segments."""

    cartridge: str
    segments: list[SegmentResult]
    damage: list[Damage]
    blocks: int
    bad_blocks: int
    doubts: list[str] = dataclasses.field(default_factory=list)
    """What is not as it should be, and no damage."""
    corrected: list[Corrected] = dataclasses.field(default_factory=list)
    """Blocks that are bad on the medium, and that parity gave back: nothing of them is lost."""

    @property
    def ok(self) -> bool:
        """Whether all of it is good."""
        return not self.damage and all(segment.ok for segment in self.segments)


@dataclasses.dataclass(frozen=True)
class Trust:
    """What opens content, and whose signatures are known."""

    opener: Opener = NO_KEY
    sites: Sequence[PublicKeyLine] = ()
    proof: Proof | None = None
    """Of an archive that was just written: what its deltas must hold."""


NO_TRUST = Trust()


def run(
    drive: Drive, wanted: str, progress: Progress, evidences: Evidences, *, with_source: bool = False,
    trust: Trust = NO_TRUST, carried: Carried | None = None,
) -> Result:  # fmt: skip
    """Verify `all` archives, the `latest`, or one by its id. Raises NoSuchArchive and DriveError.

    Of an archive on several cartridges, this is the part on this one. A member that goes on from the part before is
    proven where what was `carried` from there is given.

    Bad blocks that parity gives back count as good, and are named. What nothing opens is checked as it is stored:
    every block, and the sums over them.
    """
    with StopRequest() as stop:
        reading = correcting(drive)
        cartridge = open_cartridge(reading)
        damage, blocks, bad_blocks = _verify_front(cartridge)
        segments = cartridge.segments()
        known = remembered(segments)
        damage += [Damage(found.why, file=found.file) for found in contradictions(segments, known)]
        damage += [Damage(why) for why in gone(cartridge, segments, known, evidences)]
        chosen = segments if wanted == "all" else [choose(segments, wanted)]
        total = sum(s.trailer.stored_bytes for s in chosen if s.trailer)
        progress.begin("reading back", total or None)
        results, doubts = [], later_unclosed(segments, chosen[0]) if wanted == "latest" else []
        for found in chosen:
            verification = SegmentVerification(cartridge, found, progress, stop, carried, trust.proof)
            segment = verification.unlock(trust.opener)
            result = verification.run()
            result.left_by_crash = was_incomplete(segment, known)
            result.signed_by, doubt = signed_by(segment, trust.sites)
            doubts += [why for why in (doubt, result.not_joined) if why]
            if with_source and segment.header is not None and segment.trailer is not None and not result.closed:
                result.comparison = _compare(cartridge, segment, stop)
            if segment.is_closed and cartridge.label:
                rung = Rung.COMPARED if with_source and result.comparison else Rung.READ_BACK
                evidences.note(cartridge.label.cartridge, segment.archive, rung if result.ok else None)
                if not result.ok:
                    _doubt_dependents(cartridge.label.cartridge, segment.archive, segments, evidences)
            results.append(result)
        progress.end()
    blocks += sum(result.blocks for result in results)
    bad_blocks += sum(result.bad_blocks for result in results)
    corrected = list(reading.corrections.values())
    for result in results:
        result.corrected_blocks = sum(block.file == result.file for block in corrected)
    checked = Result(cartridge.name, results, damage, blocks, bad_blocks, doubts, corrected)
    audit.note(
        Event.VERIFIED, cartridge=cartridge.name, cartridge_id=cartridge.label.cartridge if cartridge.label else "",
        archive=chosen[0].archive if len(chosen) == 1 else "", result="good" if checked.ok else "damaged",
        note=counted(len(chosen), "archive") + ", compared with the source" * with_source,
    )  # fmt: skip
    return checked


def _doubt_dependents(label: str, archive: str, segments: Sequence[Segment], evidences: Evidences) -> None:
    """What builds upon a damaged archive is not proven any more."""
    for other in segments:
        if other.header is not None and archive in other.header.bases and evidences.highest(label, other.archive):
            evidences.note(label, other.archive, None)


def _verify_front(cartridge: Cartridge) -> tuple[list[Damage], int, int]:
    """Label and rescue kit: their damage, blocks and bad blocks."""
    damage, bad = [], 0
    if cartridge.label is None:
        damage.append(Damage(cartridge.label_problem, file=0, block=0))
        bad += 1
    kit_blocks = 0
    try:
        digest, kit_blocks = kit_digest(cartridge.drive)
        if cartridge.label and digest != cartridge.label.kit_sha256:
            damage.append(Damage("rescue kit: not as the label says", file=1))
            bad += 1
    except MediumError as error:
        damage.append(Damage(f"rescue kit: {error}", file=1, block=error.block))
        bad += 1
    return damage, 1 + kit_blocks, bad


def _compare(cartridge: Cartridge, segment: Segment, stop: StopRequest) -> Comparison:
    """The segment's members against the files they were made from."""
    header = segment.header
    assert header is not None  # noqa: S101 - the caller has seen to it
    with read_catalog(cartridge.drive, segment).tables as tables:
        return compare(os.fsencode(header.root), filter(_is_final, tables.entries()), stop.check)


def _is_final(entry: Entry) -> bool:
    """Not so for a member that goes on in the next part, where its digest stands."""
    return entry.type != catalog.REGULAR or entry.is_absent or entry.sha256 != NO_DIGEST


def members_hit(result: Result) -> Sequence[bytes]:
    """Paths of the members that are damaged, in order, each once."""
    return list(dict.fromkeys(d.member for s in result.segments for d in s.damage if d.member is not None))
