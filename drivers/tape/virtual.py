"""`virtual:FILE?generation=6`: a tape drive that is not there, to rehearse on; its cartridge is a file."""

from drivers.scsi.link import Patience
from drivers.tape.drive import TapeDrive
from drivers.virtual.clock import SimulatedClock
from drivers.virtual.tape.open import unit_of
from drivers.virtual.transport import VirtualTransport

SCHEME = "virtual"


def open_drive(path: str, *, writable: bool) -> TapeDrive:
    """Open a virtual drive; time is simulated, so nothing in it takes long. Raises NoDevice, Busy, ForeignMedium."""
    clock = SimulatedClock()
    unit = unit_of(path, writable=writable, clock=clock)
    url = f"{SCHEME}:{path}"
    try:
        drive = TapeDrive(
            url, VirtualTransport(path.partition("?")[0], unit), writable=writable,
            patience=Patience(clock.now, clock.wait), let_go=unit.deck.close,
        )  # fmt: skip
    except BaseException:
        unit.deck.close()
        raise
    drive.allow_removal()
    return drive
