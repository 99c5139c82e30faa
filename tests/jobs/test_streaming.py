"""A whole backup to a drive with speed matching, in simulated time: source, sealing and drive each take theirs.

The drive is an LTO-9 (177 to 400 MB/s; a stop takes 3 s), and all of it is 250 times smaller than it is in the field:
buffers, source, and whatever takes a fixed time. Speeds are what they are there.
"""

import dataclasses
import math
import os
from pathlib import Path

import pytest

from drivers.base import MediumState
from drivers.scsi.generations import generation
from drivers.scsi.link import Patience
from drivers.tape.drive import TapeDrive
from drivers.virtual.tape.deck import Deck
from drivers.virtual.tape.open import unit_of
from drivers.virtual.transport import VirtualTransport
from fixtures.simulated import Simulation
from tapekit.blocks import write
from tapekit.jobs import backup, label
from tapekit.jobs.nightly.write import timing_of
from tapekit.progress import Silent
from tapekit.report.rows import timing_row
from tapekit.report.words import Words
from tests.jobs.cartridges import evidences, request

MB = 10**6
ENGLISH, FRENCH = Words("en"), Words("fr")
FLOOR = generation(9).floor_mb_s
SCALE = 250
DRIVE_BYTES, POOL_BYTES, SOURCE_BYTES = 1000 * MB // SCALE, 500 * MB // SCALE, 12_000 * MB // SCALE
TIMES = {
    "drivers.virtual.tape.motion.STOP_S": 3,
    "tapekit.blocks.flow.CATCH_UP_S": 0.05,
    "tapekit.blocks.flow.NO_WAIT_S": 0.005,
}
BLOCK_BYTES = 32 << 10


class SmallDrive(TapeDrive):
    """One that says how small its buffer is; others say what their generation has."""

    def medium(self) -> MediumState:
        state = super().medium()
        assert state.streaming is not None
        return dataclasses.replace(state, streaming=dataclasses.replace(state.streaming, buffer_bytes=DRIVE_BYTES))


class Slow(Silent):
    """Told of each piece that was read, it lets the time pass that reading takes."""

    def __init__(self, simulation: Simulation, rate_mb_s: int) -> None:
        self._simulation, self._rate = simulation, rate_mb_s * MB

    def advance(self, size_bytes: int) -> None:
        self._simulation.wait(size_bytes / self._rate)


def backed_up(tmp_path: Path, rate_mb_s: int, monkeypatch: pytest.MonkeyPatch) -> tuple[backup.Result, Deck]:
    """What the job says, and the drive, which knows how it was."""
    source = tmp_path / "source"
    source.write_bytes(os.urandom(SOURCE_BYTES))
    for name, seconds in TIMES.items():
        monkeypatch.setattr(name, seconds / SCALE)
    simulation = Simulation()
    monkeypatch.setattr(write, "threading", simulation)
    monkeypatch.setattr(write, "queue", simulation)
    path = f"{tmp_path / 'tape'}?generation=9&capacity=200M&buffer={DRIVE_BYTES // MB}M"
    unit = unit_of(path, writable=True, clock=simulation)
    drive = SmallDrive(
        f"virtual:{path}", VirtualTransport("virtual", unit), patience=Patience(simulation.now, simulation.wait),
        let_go=unit.deck.close,
    )  # fmt: skip
    try:
        label.run(drive, barcode="TAP001", pool=None, block_bytes=BLOCK_BYTES, destroy=None)
        before = unit.deck.motion.stops
        wanted = dataclasses.replace(request(source), tape_pool_bytes=POOL_BYTES)
        done = backup.run(drive, wanted, Slow(simulation, rate_mb_s), evidences())
        unit.deck.motion.stops -= before
    finally:
        drive.close()
    return done, unit.deck


def test_a_source_above_the_floor_causes_no_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done, deck = backed_up(tmp_path, 250, monkeypatch)
    assert deck.motion.stops == 0
    assert done.flowed is not None
    assert done.flowed.stops == 0
    assert "stop" not in timing_row(timing_of(1.0, done), ENGLISH)[2]


def test_a_slow_source_causes_the_fewest_stops_and_the_report_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No schedule has fewer than one behind each stretch that begins with pool and half of the drive's buffer full."""
    done, deck = backed_up(tmp_path, 100, monkeypatch)
    stretch_bytes = (POOL_BYTES + DRIVE_BYTES / 2) * FLOOR / (FLOOR - 100)
    fewest = math.ceil(SOURCE_BYTES / stretch_bytes) - 1
    assert fewest <= deck.motion.stops <= fewest + 1
    assert done.flowed is not None
    assert abs(done.flowed.stops - deck.motion.stops) <= 1
    assert done.flowed.source_bytes_s == pytest.approx(100 * MB, rel=0.03)
    told = f"stops of the drive: {done.flowed.stops}; the source delivers"
    assert told in timing_row(timing_of(1.0, done), ENGLISH)[2]
    assert "177.0\N{NO-BREAK SPACE}MB/s" in timing_row(timing_of(1.0, done), ENGLISH)[2]
    assert f"arrêts du lecteur\N{NO-BREAK SPACE}: {done.flowed.stops}" in timing_row(timing_of(1.0, done), FRENCH)[2]
