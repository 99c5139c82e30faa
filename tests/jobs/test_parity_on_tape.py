"""Parity on a tape: what the drive cannot read any more is corrected on reading, and never written in its place."""

import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from drivers.base import Drive
from drivers.tape import virtual
from drivers.virtual.tape.cartridge import Cartridge
from formats.block import Kind
from tapekit.cartridge.cartridge import open_cartridge
from tapekit.errors import UsageError
from tapekit.jobs import backup, label, repair, restore, scrub, verify
from tapekit.progress import Silent
from tapekit.scrubs import Advice, Scrubs
from tapekit.source.put_back import Overwrite
from tests.jobs.cartridges import evidences, request, restored
from tests.jobs.test_damage import make_source, snapshot

BLOCK_BYTES = 16 << 10


@dataclasses.dataclass(frozen=True)
class Tape:
    """A virtual drive with a labelled cartridge that holds one archive."""

    path: Path
    source: Path
    archive: str
    blocks: int
    """Of the archive's file."""

    def drive(self, script: str = "") -> Drive:
        return virtual.open_drive(str(self.path) + script, writable=False)

    def damage(self, blocks: Iterable[int], *, bad: bool = True) -> None:
        """Make blocks of the archive's file ones that the drive cannot read, or can again."""
        cartridge = Cartridge(str(self.path))
        mark = cartridge.filemark(1)
        assert mark is not None
        for block in blocks:
            cartridge.damage(mark + 1 + block, bad=bad)
        cartridge.close()

    def verified(self) -> verify.Result:
        drive = self.drive()
        try:
            return verify.run(drive, "all", Silent(), evidences())
        finally:
            drive.close()

    def restored(self, to: Path) -> restore.Result:
        drive = self.drive()
        try:
            wanted = restore.Request(str(to), (), self.archive, Overwrite("never"), devices=False)
            return restore.run(drive, wanted, Silent())
        finally:
            drive.close()


@pytest.fixture
def tape(tmp_path: Path) -> Tape:
    path, source = tmp_path / "tape", make_source(tmp_path / "source", 1)
    (source / "database").write_bytes(os.urandom(1 << 20))
    drive = virtual.open_drive(f"{path}?generation=6&capacity=100M", writable=True)
    try:
        label.run(drive, barcode="TAP001", pool=None, block_bytes=BLOCK_BYTES, destroy=None)
        done = backup.run(drive, request(source, parity=True), Silent(), evidences())
        assert done.parity_bytes
        (segment,) = open_cartridge(drive).segments()
        assert segment.trailer is not None
        counts = segment.trailer.blocks
    finally:
        drive.close()
    return Tape(path, source, done.archive, counts.header + counts.data + counts.parity + counts.catalog + 2)


def test_what_the_drive_cannot_read_is_corrected(tape: Tape, tmp_path: Path) -> None:
    """Header and data; then catalog, or the trailer, and parity: two of the group in turn."""
    whole = snapshot(tape.source)
    for number, pair in enumerate(((0, 3), (5, tape.blocks - 1), (1, tape.blocks // 2))):
        tape.damage(range(tape.blocks), bad=False)
        tape.damage(pair)
        lost = set(pair)
        result = tape.verified()
        assert (result.ok, {found.block for found in result.corrected}) == (True, lost)
        assert all("cannot be read" in found.why for found in result.corrected)
        done = tape.restored(tmp_path / f"to{number}")
        assert not done.damaged
        assert snapshot(restored(tmp_path / f"to{number}", tape.source)) == whole


def test_a_stretch(tape: Tape, tmp_path: Path) -> None:
    """A crease: a 64th of the cartridge in one place, whatever it is in."""
    crease = (100_000_000 // 64) // (BLOCK_BYTES + 128)
    tape.damage(range(2, 2 + crease))
    assert tape.verified().ok
    assert not tape.restored(tmp_path / "to").damaged
    assert snapshot(restored(tmp_path / "to", tape.source)) == snapshot(tape.source)


def test_what_is_beyond_it_is_named(tape: Tape, tmp_path: Path) -> None:
    tape.damage([3, *range(tape.blocks // 2, tape.blocks - 1)])
    result = tape.verified()
    assert not result.ok
    assert result.bad_blocks
    done = tape.restored(tmp_path / "to")
    assert done.damaged
    found, there = snapshot(restored(tmp_path / "to", tape.source)), snapshot(tape.source)
    assert all(there[name] == found[name] for name in found if found[name][2])


def test_a_drive_that_stays_before_the_bad_block(tape: Tape, tmp_path: Path) -> None:
    """As it can be rehearsed, with a script of faults: the drive is moved on, and the block corrected."""
    cartridge = Cartridge(str(tape.path))
    place = (cartridge.filemark(1) or 0) + 1 + 4
    cartridge.close()
    (tmp_path / "faults").write_text(f"read @{place} x1000: sense 03/11/01\n")
    drive = tape.drive(f"?faults={tmp_path / 'faults'}")
    try:
        result = verify.run(drive, "all", Silent(), evidences())
    finally:
        drive.close()
    assert (result.ok, [found.block for found in result.corrected]) == (True, [4])


def test_repair_says_that_a_tape_has_none(tape: Tape) -> None:
    drive = virtual.open_drive(str(tape.path), writable=True)
    try:
        with pytest.raises(UsageError, match="cannot be written again in its place") as caught:
            repair.check(drive)
    finally:
        drive.close()
    assert "corrects on reading" in (caught.value.hint or "")


def test_scrub(tape: Tape, tmp_path: Path) -> None:
    """What was corrected and lost is told of a tape as of a disk, with the drive's own counters."""
    tape.damage([0, 4])
    drive = tape.drive()
    try:
        result = scrub.run(drive, Silent(), Scrubs(tmp_path / "scrubs"))
    finally:
        drive.close()
    letters = result.files[1].blocks
    assert (len(letters), letters[0], letters[4], letters.count("c"), letters.count("X")) == (
        tape.blocks, "c", "c", 2, 0,
    )  # fmt: skip
    assert [found.kind for found in result.corrected] == [Kind.HEADER, Kind.DATA]
    assert result.advised.advice in (Advice.WATCH, Advice.RETIRE)
