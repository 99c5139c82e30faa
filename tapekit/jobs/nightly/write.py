"""A night written and proven, on one cartridge or on as many as it takes; each step is proven or told."""

import dataclasses
import os
import time
from collections.abc import Callable, Sequence

from drivers.base import Drive
from formats.errors import FormatError
from tapekit.deltas.session import Incremental
from tapekit.jobs import backup, sample, verify
from tapekit.jobs.next_cartridge import Asked
from tapekit.jobs.nightly.decided import Decided
from tapekit.jobs.nightly.prove import BaseDamaged, Means, Proof, Proving, raise_damage
from tapekit.jobs.save_delta import ROTTEN
from tapekit.jobs.segments import Part
from tapekit.keys.opener import NO_KEY, Opener
from tapekit.model import Rung
from tapekit.report.night import Note, Step, Timing

Bring = Callable[[Asked, Sequence[Part]], Drive | None]
"""The open drive with the cartridge that an archive goes on on, whose parts so far are proven, and their drives closed;
None where there is none."""


@dataclasses.dataclass
class Written:
    """What came of it."""

    backup: backup.Result
    proofs: list[Proof] = dataclasses.field(default_factory=list)
    """One for each part, in their order."""
    timings: list[Timing] = dataclasses.field(default_factory=list)
    problems: list[Note] = dataclasses.field(default_factory=list)
    warnings: list[Note] = dataclasses.field(default_factory=list)


class Writer:
    """Writes and proves one night; used again where the night goes to another cartridge."""

    def __init__(self, means: Means, decided: Decided | None = None) -> None:
        """Nothing happens yet. Written is only what was `decided` on; None: whatever is in the drive."""
        self._means = means
        self._decided = decided or Decided()

    def write(self, url: str, request: backup.Request, bring: Bring | None = None) -> Written:
        """Write and prove the night on the cartridge in a drive, and on those that are brought when it is full.

        Raises Exchanged, what `backup.run` raises, and VerificationFailed where what was read back is not what was
        written: the night is then not on this cartridge. Everything less is told in the answer. The archive's keys stay
        in memory until its `forget`: the catalog is still to be read with them.
        """
        drive = self._decided.open(url)
        try:
            self._means.trace.step("write")
            try:
                return self._written(drive, request, bring)
            except BaseDamaged as damaged:
                request = dataclasses.replace(request, incremental=_full(request))
                written = self._written(drive, request, bring)
                written.warnings.append(Note("base-damaged", {"cartridge": written.backup.cartridge}, str(damaged)))
                return written
        finally:
            drive.close()

    def _written(self, drive: Drive, request: backup.Request, bring: Bring | None) -> Written:
        """Raises BaseDamaged where the archive is good and what it builds upon is not."""
        means, begun = self._means, time.monotonic()
        proving = Proving(means)
        between = None if bring is None else _Between(drive, proving, bring)
        try:
            closed = between.closed if between else _nobody
            done = backup.run(drive, request, means.progress, means.evidences, between, closed)
            seconds = time.monotonic() - begun - (between.seconds if between else 0)
            try:
                last = between.drive if between else drive
                chosen = _prove_last(proving, last, done)
            except BaseException:
                done.forget()
                raise
            last.close()
        finally:
            if between is not None:
                between.close()
        proving.restore_sample(chosen)
        written = Written(
            done, proving.proofs, [timing_of(seconds, done), *proving.timings], proving.problems,
            [*_saved_with_problems(done), *proving.warnings],
        )  # fmt: skip
        written.warnings += [Note("not-locked", {"cartridge": done.cartridge}, why) for why in done.not_locked]
        if done.why_full:
            written.warnings.append(Note("base-missing", {"cartridge": done.cartridge}, done.why_full))
        if done.pending is not None:
            try:
                done.pending.commit()
            except (OSError, FormatError) as error:
                written.warnings.append(Note("state", {}, str(error)))
        return written

    def prove_copy(self, drive: Drive, archive: str, opener: Opener = NO_KEY) -> list[Rung]:
        """Read a copy back. Raises VerificationFailed."""
        means = self._means
        found = verify.run(drive, archive, means.progress, means.evidences, trust=verify.Trust(opener))
        raise_damage(found)
        return [Rung.WRITTEN, Rung.FLUSHED, Rung.READ_BACK]


class _Between:
    """Between two parts, the one that was written is proven; then the next cartridge is brought. See NextCartridge."""

    def __init__(self, drive: Drive, proving: Proving, bring: Bring) -> None:
        self.drive = drive
        """That of the last part."""
        self.seconds = 0.0
        """What this took of the time that writing seems to take."""
        self._first = drive
        self._proving = proving
        self._bring = bring
        self._parts: list[Part] = []

    def closed(self, _drive: Drive, part: Part, _opener: Opener) -> None:
        """See Means of the segments."""
        self._parts.append(part)

    def next(self, finished: Drive, asked: Asked) -> Drive | None:
        """See NextCartridge. Raises VerificationFailed."""
        if not self._parts:  # nothing was begun: a night has other ways for that
            return None
        begun = time.monotonic()
        try:
            self._proving.archive = asked.archive
            chosen = self._proving.prove(finished, self._parts[-1], verify.Trust(asked.opener))
            finished.close()
            self._proving.restore_sample(chosen)
            drive = self._bring(asked, self._parts)
        finally:
            self.seconds += time.monotonic() - begun
        if drive is not None:
            self.drive = drive
        return drive

    def may_come(self, asked: Asked) -> bool:  # noqa: ARG002 - a night reads nothing of others
        """See NextCartridge."""
        return False

    def close(self) -> None:
        """See NextCartridge."""
        if self.drive is not self._first:
            self.drive.close()


def _nobody(_drive: Drive, _part: Part, _opener: Opener) -> None:
    """Nobody wants to know of a part that is all there is."""


def _prove_last(proving: Proving, drive: Drive, done: backup.Result) -> sample.Sample | None:
    proving.archive = done.archive
    trust = verify.Trust(done.opener, proof=done.pending.proof if done.pending else None)
    return proving.prove(drive, done.parts[-1], trust, done.base)


def timing_of(seconds: float, done: backup.Result) -> Timing:
    """How long writing took, and how often a tape stopped meanwhile."""
    flowed = done.flowed
    if flowed is None:
        return Timing(Step.WRITE, seconds, done.stored_bytes)
    return Timing(
        Step.WRITE, seconds, done.stored_bytes, flowed.stops, flowed.source_bytes_s, flowed.needed_bytes_s
    )  # fmt: skip


def _full(request: backup.Request) -> Incremental | None:
    return None if request.incremental is None else dataclasses.replace(request.incremental, is_full=True)


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
