"""A computer with a virtual drive: commands as a driver sends them, and their answers as values."""

from pathlib import Path

from drivers.scsi import commands
from drivers.scsi.generations import generation
from drivers.scsi.transport import Reply
from drivers.virtual.clock import SimulatedClock
from drivers.virtual.faults import Fault, Script
from drivers.virtual.tape.cartridge import Cartridge, Kind, create
from drivers.virtual.tape.deck import Deck, Names
from drivers.virtual.tape.recording import recording
from drivers.virtual.tape.unit import TapeUnit
from drivers.virtual.transport import VirtualTransport
from formats.scsi import tape
from formats.scsi.sense import Sense
from formats.scsi.tape import TapePosition

ROOM = 1 << 20


def cartridge(folder: Path, media: str = "L6", *, kind: Kind = Kind.DATA, is_new: bool = False) -> Cartridge:
    """A new cartridge of 1 MB, with early warning at 0.75 MB."""
    path = folder / f"{media}-{kind.value}.tape"
    create(str(path), recording(media), kind=kind, capacity=1_000_000, early_warning=250_000, is_new=is_new)
    return Cartridge(str(path))


class Host:
    """Speaks to a drive with that cartridge in it; what the drive had to say at first has been heard."""

    def __init__(self, medium: Cartridge | None, number: int = 6, faults: tuple[Fault, ...] = ()) -> None:
        self.clock = SimulatedClock()
        self.deck = Deck(generation(number), Names(), self.clock)
        self.unit = TapeUnit(self.deck)
        self.transport = VirtualTransport("drive", self.unit)
        if medium:
            self.deck.insert(medium)
        self.deck.attentions.clear()
        self.unit.script = Script(faults)

    def do(self, command: commands.Command, *fields: tuple[int, int, int], data: bytes = b"") -> Sense | None:
        """A command without an answer."""
        return self.ask(command, *fields, data=data, size=0)[0].sense

    def ask(
        self, command: commands.Command, *fields: tuple[int, int, int], data: bytes = b"", size: int = ROOM
    ) -> tuple[Reply, bytes]:
        """A command, and as many bytes as came."""
        room = bytearray(size)
        raw = commands.block(command, *fields)
        reply = self.transport.execute(
            raw, data_out=data, data_in=memoryview(room) if size else None, timeout_s=command.timeout_s
        )
        return reply, bytes(room[: reply.transferred]) if size else b""

    def write(self, *blocks: bytes) -> Sense | None:
        """Blocks of any size; the last answer."""
        sense = None
        for block in blocks:
            sense = self.do(commands.WRITE, (2, 3, len(block)), data=block)
        return sense

    def mark(self, count: int = 1, *, at_once: bool = False) -> Sense | None:
        """Filemarks; none flushes."""
        return self.do(commands.WRITE_FILEMARKS, (1, 1, int(at_once)), (2, 3, count))

    def read(self, size: int = ROOM) -> tuple[Sense | None, bytes]:
        """A block."""
        reply, data = self.ask(commands.READ, (2, 3, size), size=size)
        return reply.sense, data

    def position(self) -> TapePosition:
        """Where the drive says that it stands."""
        _, data = self.ask(commands.READ_POSITION, (1, 1, 6), size=tape.LONG_POSITION_BYTES)
        return tape.parse_long(data)

    def rewind(self) -> Sense | None:
        """To the beginning."""
        return self.do(commands.REWIND)

    def locate(self, place: int, kind: int = 0) -> Sense | None:
        """To an object (0), a file (1), or the end of data (3)."""
        return self.do(commands.LOCATE_16, (1, 1, kind << 3), (4, 8, place))

    def space(self, count: int, kind: int = 0) -> Sense | None:
        """Over blocks (0) or filemarks (1)."""
        return self.do(commands.SPACE, (1, 1, kind), (2, 3, count))
