"""Inspection: what a cartridge is and what is on it, without a key and without the catalog database."""

import dataclasses

from drivers.base import Describing, Drive, Health, Identity, MediumState
from formats.label import Label
from formats.segment import Evidence
from tapekit.cartridge.cartridge import Segment, open_cartridge
from tapekit.evidence import Evidences
from tapekit.scrubs import Advised, Scrub, Scrubs, advised


@dataclasses.dataclass(frozen=True)
class Archive:
    """One segment, and the highest rung of evidence that is known of it."""

    segment: Segment
    evidence: Evidence | None


@dataclasses.dataclass(frozen=True)
class Result:
    """A cartridge as it describes itself."""

    device: Identity
    medium: MediumState
    health: Health
    attributes: dict[str, int | str]
    """What the cartridge's chip holds; empty where it has none."""
    label: Label | None
    label_problem: str
    archives: tuple[Archive, ...]
    scrubs: tuple[Scrub, ...] = ()
    """What its scrubs found, oldest first."""

    @property
    def advised(self) -> Advised | None:
        """What they advise; None where there were none."""
        return advised(list(self.scrubs)) if self.scrubs else None


def run(drive: Drive, evidences: Evidences, scrubs: Scrubs | None = None) -> Result:
    """Look at a cartridge, and at what this machine remembers of it. Raises the errors of `open_cartridge`."""
    cartridge = open_cartridge(drive)
    segments = cartridge.segments()
    carried = {
        entry.archive: entry.evidence for s in segments if s.trailer for entry in s.trailer.directory if entry.evidence
    }
    archives = []
    for segment in segments:
        known = None
        if cartridge.label:
            known = evidences.highest(cartridge.label.cartridge, segment.archive)
        archives.append(Archive(segment, known or carried.get(segment.archive)))
    scrubbed = tuple(scrubs.of(cartridge.label.cartridge)) if scrubs and cartridge.label else ()
    chip = drive.attributes() if isinstance(drive, Describing) else {}
    return Result(
        drive.identify(), drive.medium(), drive.health(), chip, cartridge.label, cartridge.label_problem,
        tuple(archives), scrubbed,
    )  # fmt: skip
