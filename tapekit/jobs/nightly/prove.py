"""A night proven part by part, each with its cartridge in the drive: read back, compared, a sample restored."""

import dataclasses
import os
import time

from drivers.base import Drive
from drivers.errors import DriveError
from formats.errors import FormatError
from formats.segment import INCOMPLETE
from tapekit.errors import VerificationFailed
from tapekit.evidence import Evidences
from tapekit.jobs import sample, verify
from tapekit.jobs.nightly.trace import Trace
from tapekit.jobs.segments import Part
from tapekit.jobs.verify_segment import Carried
from tapekit.keys.opener import Opener
from tapekit.model import Rung
from tapekit.progress import Progress
from tapekit.report.night import Note, Step, Timing

COMPARE, READ_BACK = "compare", "read-back"


@dataclasses.dataclass(frozen=True)
class Depth:
    """How far a night is proven: `verify` is compare, read-back or none; `samples` files by the rescue kit."""

    verify: str = COMPARE
    samples: int = 5


@dataclasses.dataclass(frozen=True)
class Means:
    """What proving takes, whatever is proven."""

    depth: Depth
    progress: Progress
    evidences: Evidences
    trace: Trace


@dataclasses.dataclass
class Proof:
    """What is proven of the part of an archive that is on a cartridge."""

    part: Part
    rungs: list[Rung] = dataclasses.field(default_factory=lambda: [Rung.WRITTEN, Rung.FLUSHED])


class BaseDamaged(VerificationFailed):
    """What was read back is damaged in an archive that the night builds upon."""


class Proving:
    """Proves the parts of one archive in their order."""

    def __init__(self, means: Means, archive: str = "") -> None:
        """Nothing is read yet."""
        self.proofs: list[Proof] = []
        self.problems: list[Note] = []
        self.warnings: list[Note] = []
        self.archive = archive
        self._means = means
        self._carried: Carried | None = None
        self._seconds: dict[Step, float] = {}
        self._bytes: dict[Step, int] = {}

    @property
    def timings(self) -> list[Timing]:
        """How long it took, over all parts."""
        return [Timing(step, seconds, self._bytes[step]) for step, seconds in self._seconds.items()]

    def prove(
        self, drive: Drive, part: Part, trust: verify.Trust, builds_upon: str | None = None
    ) -> sample.Sample | None:
        """Read back the part that is in an open drive; the sample that is to be restored.

        Raises VerificationFailed where it is not what was written, or not closed; BaseDamaged where it is, and what it
        builds upon is not.
        """
        if part.state == INCOMPLETE:
            raise VerificationFailed(
                f"cartridge {part.cartridge}: it took no end of its part, so nothing can be proven"
            )
        proof = Proof(part)
        self.proofs.append(proof)
        if self._means.depth.verify == "none":
            self.warnings.append(Note("not-verified", {"cartridge": part.cartridge}))
        else:
            self._read_back(drive, proof, trust, builds_upon)
        return self._choose_sample(drive, proof, trust.opener)

    def restore_sample(self, chosen: sample.Sample | None) -> None:
        """Restore what was chosen of the part that was proven last; its drive must be closed."""
        if chosen is None:
            return
        proof = self.proofs[-1]
        self._means.trace.step("sample restore")
        begun = time.monotonic()
        try:
            count = sample.run(chosen)
        except (VerificationFailed, OSError) as error:
            self.problems.append(Note("sample-failed", {"cartridge": proof.part.cartridge}, str(error)))
            return
        self._took(Step.SAMPLE_RESTORE, begun, sum(entry.size for entry in chosen.entries))
        if count:
            proof.rungs.append(Rung.SAMPLE_RESTORED)
            self._means.evidences.note(chosen.cartridge, chosen.archive, Rung.SAMPLE_RESTORED)

    def _read_back(self, drive: Drive, proof: Proof, trust: verify.Trust, builds_upon: str | None) -> None:
        means, part = self._means, proof.part
        means.trace.step("read back")
        begun = time.monotonic()
        drive.rewind()
        found = verify.run(
            drive, self.archive, means.progress, means.evidences, with_source=means.depth.verify == COMPARE,
            trust=trust, carried=self._carried,
        )  # fmt: skip
        self._took(Step.READ_BACK, begun, part.stored_bytes)
        raise_damage(found, builds_upon=builds_upon)
        if found.corrected:
            values = {"cartridge": found.cartridge, "count": str(len(found.corrected))}
            self.warnings.append(Note("blocks-corrected", values, found.corrected[0].why))
        proof.rungs.append(Rung.READ_BACK)
        (segment,) = found.segments
        if segment.not_joined:
            self.warnings.append(Note("not-joined", {"cartridge": found.cartridge}, segment.not_joined))
        self._carried = segment.carried
        if segment.comparison is None:
            return
        differing = segment.comparison.differing
        if differing:
            values = {"count": str(len(differing)), "first": os.fsdecode(differing[0])}
            self.problems.append(Note("compare-differs", values))
        else:
            proof.rungs.append(Rung.COMPARED)

    def _choose_sample(self, drive: Drive, proof: Proof, opener: Opener) -> sample.Sample | None:
        samples = self._means.depth.samples
        if not samples or Rung.READ_BACK not in proof.rungs:
            return None
        try:
            return sample.take(drive, self.archive, samples, opener)
        except (DriveError, FormatError) as error:
            self.problems.append(Note("sample-failed", {"cartridge": proof.part.cartridge}, str(error)))
            return None

    def _took(self, step: Step, begun: float, size_bytes: int) -> None:
        self._seconds[step] = self._seconds.get(step, 0.0) + time.monotonic() - begun
        self._bytes[step] = self._bytes.get(step, 0) + size_bytes


def raise_damage(found: verify.Result, builds_upon: str | None = None) -> None:
    """What differs from the source is told elsewhere; what a crash left before this night is known."""
    segments = [segment for segment in found.segments if not segment.left_by_crash]
    damage = [*found.damage, *(damage for segment in segments for damage in segment.damage)]
    if damage:
        failed = BaseDamaged if builds_upon and any(s.is_base_damaged for s in segments) else VerificationFailed
        raise failed(f"cartridge {found.cartridge}: {len(damage)} damaged: {damage[0].why}")
