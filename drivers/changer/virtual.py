"""`virtual-changer:FOLDER`: a changer that is not there, to rehearse on."""

from pathlib import Path

from drivers.changer.changer import Changer
from drivers.scsi.link import Patience
from drivers.virtual.changer import ChangerUnit
from drivers.virtual.clock import SimulatedClock
from drivers.virtual.transport import VirtualTransport

SCHEME = "virtual-changer"


def open_changer(path: str) -> Changer:
    """Open a virtual changer; time is simulated. Raises NoDevice."""
    clock = SimulatedClock()
    unit = ChangerUnit(Path(path))
    return Changer(f"{SCHEME}:{path}", VirtualTransport(path, unit), patience=Patience(clock.now, clock.wait))
