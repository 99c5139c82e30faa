"""An archive that builds upon others, killed anywhere: what was there comes back, and the next one builds upon it."""

import os
import random
import shutil
import subprocess
from functools import partial
from pathlib import Path

import pytest

from tests.jobs.cartridges import Image, new_image
from tests.jobs.deltas import Nights
from tests.jobs.nightly.kill import kill_at, points

PAGE = 8192
LARGE_BYTES = 3 << 20
EVERYDAY, SWEEP = 1, 20
"""Points that are tried."""


class Killed:
    """Two archives of a large file, as they were before the third."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.site, self.before = root / "site", root / "before"
        monkeypatch.setenv("TAPEKIT_STATE", str(self.site / "state"))
        source = self.site / "source"
        source.mkdir(parents=True)
        (source / "database").write_bytes(random.Random(1).randbytes(LARGE_BYTES))
        (source / "dump").write_bytes(random.Random(2).randbytes(300_000))
        self.nights = Nights(new_image(self.site / "killed.tkc", 64 << 20, 65536), source)
        self.nights.save()
        change(source, 3)
        self.nights.save()
        change(source, 4)
        subprocess.run(["cp", "-a", "--sparse=always", str(self.site), str(self.before)], check=True)

    def again(self) -> Nights:
        shutil.rmtree(self.site)
        subprocess.run(["cp", "-a", "--sparse=always", str(self.before), str(self.site)], check=True)
        old = self.nights
        return Nights(Image(old.image.path), old.source, old.full_every, [*old.archives], [*old.contents])

    def check(self, number: int, to: Path) -> None:
        """Kill the third archive at a point; those before are as they were, and the next one builds upon them."""
        nights = self.again()
        kill_at(partial(nights.save), number)
        nights.check(1, to / f"{number}-before")
        change(nights.source, number)
        done = nights.save()
        assert done.base is not None
        assert done.changed_bytes < LARGE_BYTES // 10
        nights.check(2, to / f"{number}-after")
        for path in to.glob(f"{number}-*"):
            shutil.rmtree(path)


def change(source: Path, seed: int) -> None:
    """A few pages of the one, an insertion in the other."""
    rng = random.Random(seed)
    with (source / "database").open("r+b") as file:
        for _ in range(8):
            os.pwrite(file.fileno(), rng.randbytes(100), rng.randrange(LARGE_BYTES - 100))
    dump = source / "dump"
    content, place = dump.read_bytes(), rng.randrange(200_000)
    dump.write_bytes(content[:place] + rng.randbytes(50) + content[place:])


def sweep(killed: Killed, to: Path, count: int) -> None:
    names = points(partial(killed.again().save))
    for turn in range(count):
        killed.check(len(names) * (2 * turn + 1) // (2 * count), to)


def test_an_archive_killed_here_and_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep(Killed(tmp_path, monkeypatch), tmp_path, EVERYDAY)


@pytest.mark.long
def test_an_archive_killed_at_many_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep(Killed(tmp_path, monkeypatch), tmp_path, SWEEP)
