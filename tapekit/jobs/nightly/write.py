"""A night on one cartridge: written, read back, compared, a sample restored by the kit; each step is proven or told."""

import dataclasses
import os
import time
from collections.abc import Callable

from drivers.base import Drive
from drivers.errors import DriveError
from formats.errors import FormatError
from tapekit import drives
from tapekit.deltas.session import Incremental
from tapekit.errors import REPORTED, VerificationFailed
from tapekit.evidence import Evidences
from tapekit.jobs import backup, sample, verify
from tapekit.jobs.nightly.trace import Trace
from tapekit.jobs.save_delta import ROTTEN
from tapekit.keys.opener import NO_KEY, Opener
from tapekit.model import Rung
from tapekit.progress import Progress
from tapekit.report.night import Note, Step, Timing

COMPARE, READ_BACK = "compare", "read-back"


@dataclasses.dataclass(frozen=True)
class Depth:
    """How far a night is proven: `verify` is compare, read-back or none; `samples` files by the rescue kit."""

    verify: str = COMPARE
    samples: int = 5


@dataclasses.dataclass
class Written:
    """What came of it."""

    backup: backup.Result
    rungs: list[Rung] = dataclasses.field(default_factory=list)
    timings: list[Timing] = dataclasses.field(default_factory=list)
    problems: list[Note] = dataclasses.field(default_factory=list)
    warnings: list[Note] = dataclasses.field(default_factory=list)


class Writer:
    """Writes and proves one night; used again where the night goes to another cartridge."""

    def __init__(self, depth: Depth, progress: Progress, evidences: Evidences, trace: Trace) -> None:
        """Nothing happens yet."""
        self._depth = depth
        self._progress = progress
        self._evidences = evidences
        self._trace = trace

    def write(self, url: str, request: backup.Request) -> Written:
        """Write and prove the night on the cartridge in a drive.

        Raises what `backup.run` raises, and VerificationFailed where what was read back is not what was written: the
        night is then not on this cartridge. Everything less is told in the answer. The archive's keys stay in memory
        until its `forget`: the catalog is still to be read with them.
        """
        drive = drives.open_drive(url, {}, writable=True)
        try:
            self._trace.step("write")
            begun = time.monotonic()
            try:
                written, chosen = self._written(drive, request, begun)
            except BaseDamaged as damaged:
                request = dataclasses.replace(request, incremental=_full(request))
                written, chosen = self._written(drive, request, time.monotonic())
                written.warnings.append(Note("base-damaged", {"cartridge": written.backup.cartridge}, str(damaged)))
        finally:
            drive.close()
        if chosen is not None:
            self._sample(chosen, written)
        return written

    def _written(self, drive: Drive, request: backup.Request, begun: float) -> "tuple[Written, sample.Sample | None]":
        """Raises BaseDamaged where the archive is good and what it builds upon is not."""
        done = backup.run(drive, request, self._progress, self._evidences)
        written = Written(done, [Rung.WRITTEN, Rung.FLUSHED])
        written.timings.append(timing_of(time.monotonic() - begun, done))
        try:
            chosen = self._proven(drive, written)
        except BaseException:
            done.forget()
            raise
        written.warnings += [Note("not-locked", {"cartridge": done.cartridge}, why) for why in done.not_locked]
        if done.why_full:
            written.warnings.append(Note("base-missing", {"cartridge": done.cartridge}, done.why_full))
        if done.pending is not None:
            try:
                done.pending.commit()
            except (OSError, FormatError) as error:
                written.warnings.append(Note("state", {}, str(error)))
        return written, chosen

    def _proven(self, drive: Drive, written: Written) -> sample.Sample | None:
        """Read back what was written; the sample that is to be restored. Raises VerificationFailed."""
        written.warnings += _saved_with_problems(written.backup)
        if self._depth.verify != "none":
            self._prove(drive, written)
        else:
            written.warnings.append(Note("not-verified", {"cartridge": written.backup.cartridge}))
        return self._choose_sample(drive, written)

    def prove_copy(self, drive: Drive, archive: str, opener: Opener = NO_KEY) -> list[Rung]:
        """Read a copy back. Raises VerificationFailed."""
        found = verify.run(drive, archive, self._progress, self._evidences, trust=verify.Trust(opener))
        _raise_damage(found)
        return [Rung.WRITTEN, Rung.FLUSHED, Rung.READ_BACK]

    def _prove(self, drive: Drive, written: Written) -> None:
        self._trace.step("read back")
        with_source = self._depth.verify == COMPARE
        begun, pending = time.monotonic(), written.backup.pending
        drive.rewind()
        found = verify.run(
            drive, written.backup.archive, self._progress, self._evidences, with_source=with_source,
            trust=verify.Trust(written.backup.opener, proof=pending.proof if pending else None),
        )  # fmt: skip
        self._timed(written, Step.READ_BACK, begun, written.backup.stored_bytes)
        _raise_damage(found, builds_upon=written.backup.base)
        if found.corrected:
            values = {"cartridge": found.cartridge, "count": str(len(found.corrected))}
            written.warnings.append(Note("blocks-corrected", values, found.corrected[0].why))
        written.rungs.append(Rung.READ_BACK)
        (segment,) = found.segments
        if segment.comparison is None:
            return
        differing = segment.comparison.differing
        if differing:
            values = {"count": str(len(differing)), "first": os.fsdecode(differing[0])}
            written.problems.append(Note("compare-differs", values))
        else:
            written.rungs.append(Rung.COMPARED)

    def _choose_sample(self, drive: Drive, written: Written) -> sample.Sample | None:
        if not self._depth.samples or Rung.READ_BACK not in written.rungs:
            return None
        try:
            return sample.take(drive, written.backup.archive, self._depth.samples, written.backup.opener)
        except (DriveError, FormatError) as error:
            written.problems.append(Note("sample-failed", {"cartridge": written.backup.cartridge}, str(error)))
            return None

    def _sample(self, chosen: sample.Sample, written: Written) -> None:
        self._trace.step("sample restore")
        begun = time.monotonic()
        try:
            count = sample.run(chosen)
        except (VerificationFailed, OSError) as error:
            written.problems.append(Note("sample-failed", {"cartridge": written.backup.cartridge}, str(error)))
            return
        self._timed(written, Step.SAMPLE_RESTORE, begun, sum(entry.size for entry in chosen.entries))
        if count:
            written.rungs.append(Rung.SAMPLE_RESTORED)
            self._evidences.note(chosen.cartridge, chosen.archive, Rung.SAMPLE_RESTORED)

    @staticmethod
    def _timed(written: Written, step: Step, begun: float, size_bytes: int) -> None:
        written.timings.append(Timing(step, time.monotonic() - begun, size_bytes))


def timing_of(seconds: float, done: backup.Result) -> Timing:
    """How long writing took, and how often a tape stopped meanwhile."""
    flowed = done.flowed
    if flowed is None:
        return Timing(Step.WRITE, seconds, done.stored_bytes)
    return Timing(
        Step.WRITE, seconds, done.stored_bytes, flowed.stops, flowed.source_bytes_s, flowed.needed_bytes_s
    )  # fmt: skip


def attempt(what: Callable[[], Written]) -> "Written | Exception":
    """The answer, or the error that says why the night is not there; defects of the program are not caught."""
    try:
        return what()
    except REPORTED as error:
        return error


class BaseDamaged(VerificationFailed):
    """What was read back is damaged in an archive that the night builds upon."""


def _full(request: backup.Request) -> Incremental | None:
    return None if request.incremental is None else dataclasses.replace(request.incremental, is_full=True)


def _raise_damage(found: verify.Result, builds_upon: str | None = None) -> None:
    """What differs from the source is told elsewhere; what a crash left before this night is known."""
    segments = [segment for segment in found.segments if not segment.left_by_crash]
    damage = [*found.damage, *(damage for segment in segments for damage in segment.damage)]
    if damage:
        failed = BaseDamaged if builds_upon and any(s.is_base_damaged for s in segments) else VerificationFailed
        raise failed(f"cartridge {found.cartridge}: {len(damage)} damaged: {damage[0].why}")


def _saved_with_problems(done: backup.Result) -> list[Note]:
    """Members that were not saved whole and still, one note for each kind of reason."""
    changed = [warned for warned in done.warnings if warned.why.startswith("changed")]
    rotten = [warned for warned in done.warnings if warned.why == ROTTEN]
    others = [warned for warned in done.warnings if warned not in changed and warned not in rotten]
    notes = []
    for kind, warned in (("files-missing", others), ("files-changed", changed), ("files-rotten", rotten)):
        if warned:
            values = {"count": str(len(warned)), "first": os.fsdecode(warned[0].path)}
            notes.append(Note(kind, values, warned[0].why))
    return notes
