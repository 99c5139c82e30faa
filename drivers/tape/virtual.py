"""`virtual:FILE?generation=6`: a tape drive that is not there, to rehearse on; its cartridge is a file."""

from drivers.scsi.link import Patience
from drivers.tape.drive import TapeDrive
from drivers.tape.glance import Glance
from drivers.tape.glance import glance as glance_over
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


def glance(path: str) -> Glance:
    """See drivers.tape.glance. Raises NoDevice, Busy, ForeignMedium."""
    unit = unit_of(path, writable=False, clock=SimulatedClock())
    try:
        return glance_over(VirtualTransport(path.partition("?")[0], unit))
    finally:
        unit.deck.close()
