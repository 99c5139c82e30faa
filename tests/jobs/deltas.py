"""A site whose archives build upon each other, for the tests of deltas: nights one after the other on one cartridge."""

import dataclasses
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tapekit import clock
from tapekit.deltas.session import Incremental
from tapekit.evidence import state_directory
from tapekit.jobs import backup, verify
from tapekit.progress import Silent
from tapekit.rescue import rescue
from tests.jobs.cartridges import Image, evidences, request, restored

LATER = timedelta(hours=1)
"""No file was written shortly before a night."""


@dataclasses.dataclass
class Nights:
    """One cartridge, one source; each night is kept as it was."""

    image: Image
    source: Path
    full_every: int = 1000
    archives: list[str] = dataclasses.field(default_factory=list)
    contents: list[dict[str, bytes]] = dataclasses.field(default_factory=list)

    def save(
        self, *, is_full: bool = False, rehash: int = 0, later: timedelta = LATER, commits: bool = True
    ) -> backup.Result:
        """A night. `later` is how long after the last change it seems to be."""
        now = datetime.now(UTC) + later
        wanted = dataclasses.replace(
            request(self.source),
            incremental=Incremental(state_directory(), self.full_every, is_full=is_full, rehash=rehash),
        )
        with self.image.drive(writable=True) as drive, clock.running(lambda: now):
            done = backup.run(drive, wanted, Silent(), evidences())
            if done.pending is not None and done.pending.proof is not None:
                trust = verify.Trust(proof=done.pending.proof)
                assert verify.run(drive, done.archive, Silent(), evidences(), trust=trust).ok
        if done.pending is not None and commits:
            done.pending.commit()
        self.archives.append(done.archive)
        self.contents.append(read(self.source))
        return done

    def check(self, night: int, to: Path) -> None:
        """A night comes back exactly, by tapekit and by the kit."""
        result = self.image.restore(to / "tapekit", archive=self.archives[night])
        assert (result.damaged, result.refused, result.skipped, result.problems) == ([], [], [], [])
        assert read(restored(to / "tapekit", self.source)) == self.contents[night]
        run = kit(self.image, "restore", "--to", str(to / "kit"), "--archive", self.archives[night])
        assert run.returncode == 0, run.stderr
        assert read(restored(to / "kit", self.source)) == self.contents[night]


def kit(image: Image, command: str, *options: str) -> "subprocess.CompletedProcess[str]":
    """The rescue kit, as a program of its own."""
    program = [sys.executable, "-I", "-S", "-B", str(rescue.__file__), command, str(image.path), *options]
    return subprocess.run(program, check=False, capture_output=True, text=True)


def read(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
