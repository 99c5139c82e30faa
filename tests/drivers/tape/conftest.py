"""A virtual drive with a cartridge in it, and the driver on top."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.scsi.generations import generation
from drivers.scsi.link import Patience
from drivers.tape.drive import TapeDrive
from drivers.virtual.clock import SimulatedClock
from drivers.virtual.faults import Fault, Script
from drivers.virtual.tape import cartridge
from drivers.virtual.tape.cartridge import Cartridge, Kind
from drivers.virtual.tape.deck import Deck, Names
from drivers.virtual.tape.recording import recording
from drivers.virtual.tape.unit import TapeUnit
from drivers.virtual.transport import VirtualTransport
from formats.block import MAGIC

MB = 10**6


class Machine:
    """A drive that stays on while programs come and go; `open` is such a program."""

    def __init__(self, folder: Path) -> None:
        """A drive of LTO-6, empty."""
        self.folder = folder
        self.clock = SimulatedClock()
        self.unit = self.drive_of(6)
        self._opened: list[TapeDrive] = []

    def drive_of(self, number: int, **options: int) -> TapeUnit:
        """Another drive in its place."""
        self.unit = TapeUnit(Deck(generation(number), Names(), self.clock, **options))
        return self.unit

    @property
    def deck(self) -> Deck:
        """The drive itself."""
        return self.unit.deck

    def insert(
        self, media_id: str = "L6", *, kind: Kind = Kind.DATA, capacity: int = 4 * MB, is_new: bool = False,
        name: str = "tape",
    ) -> Cartridge:  # fmt: skip
        path = self.folder / name
        if not path.exists():
            cartridge.create(
                str(path), recording(media_id), kind=kind, capacity=capacity, early_warning=MB, is_new=is_new
            )
        found = Cartridge(str(path))
        self.deck.insert(found)
        return found

    def script(self, *faults: Fault) -> None:
        """What goes wrong from here on; nothing, without any."""
        self.unit.script = Script(faults)

    def open(self, *, writable: bool = True) -> TapeDrive:
        """A drive as a new program opens it."""
        drive = TapeDrive(
            "tape:/dev/nst0", VirtualTransport("/dev/sg1", self.unit), writable=writable,
            patience=Patience(self.clock.now, self.clock.wait),
        )  # fmt: skip
        self._opened.append(drive)
        return drive

    def close(self) -> None:
        """Everything off."""
        self.script()
        for drive in self._opened:
            drive.close()
        self.deck.close()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    yield made
    made.close()


@pytest.fixture
def drive(machine: Machine) -> TapeDrive:
    """One file of three blocks and one of two; the tape stands at its beginning."""
    machine.insert()
    opened = machine.open()
    opened.format({})
    for blocks in (range(3), range(3, 5)):
        for number in blocks:
            opened.write_block(block(number))
        opened.write_filemark()
    opened.rewind()
    return opened


def block(number: int, size: int = 5000) -> bytes:
    """A block that says which one it is."""
    return (MAGIC + bytes((number,)) * size)[:size]
