"""What goes wrong at a virtual device, by script.

Fault(Effect.SENSE, opcode=0x0A, call=3, sense=Sense(Key.MEDIUM_ERROR, 0x0C))     the third WRITE is refused
Fault(Effect.LOSE_BUFFER, opcode=0x10)                 what had not reached the medium is lost; it is told late
Fault(Effect.RESET, opcode=0x0A, call=5)               reset on the way, before the fifth WRITE
"""

import dataclasses
import enum

from drivers.scsi.transport import CHECK_CONDITION, DeviceGone, TimedOut, WayReset
from drivers.virtual.unit import Answer
from formats.scsi.sense import Key, Sense

FOREVER = 1 << 30
_WRITE_ERROR = Sense(Key.MEDIUM_ERROR, 0x0C)


class Effect(enum.Enum):
    """What happens."""

    SENSE = "sense"
    """The command is not done; this sense data comes back."""
    SENSE_AFTER = "sense after"
    """The command is done, and this sense data comes with its answer."""
    STATUS = "status"
    """The command is not done; this status comes back: busy, reservation conflict."""
    RESET = "reset"
    """The device is reset before the command, which gets no answer."""
    QUIET_RESET = "quiet reset"
    """The same, noticed by the unit attention alone."""
    TIMEOUT = "timeout"
    """The command is done, and its answer does not come."""
    LOSE_BUFFER = "lose buffer"
    """What is in the buffer is lost; the sense data is deferred, and the command is not done."""
    POWER_CUT = "power cut"
    """Off and on, before the command, which gets no answer."""
    GONE = "gone"
    """No answer, now or ever after; the buffer is lost."""


@dataclasses.dataclass(frozen=True)
class Fault:
    """A line of the script: the `call`th command (of this opcode, or of any) fails, and so many `times` from there."""

    effect: Effect
    opcode: int | None = None
    call: int = 1
    times: int = 1
    sense: Sense = _WRITE_ERROR
    status: int = CHECK_CONDITION


class Script:
    """Faults, and how far they are. `faults` may be given anew at any time; counting begins again then."""

    def __init__(self, faults: tuple[Fault, ...] = ()) -> None:
        """Read from top to bottom."""
        self._faults = faults
        self._seen = [0] * len(faults)
        self.is_gone = False

    def due(self, opcode: int) -> Fault | None:
        """The fault that this command meets. Raises DeviceGone once the device is."""
        if self.is_gone:
            raise DeviceGone("virtual device: not there any more", "connect it again")
        found = None
        for number, fault in enumerate(self._faults):
            if fault.opcode in (None, opcode):
                self._seen[number] += 1
                if found is None and fault.call <= self._seen[number] < fault.call + fault.times:
                    found = fault
        return found

    def leave(self) -> None:
        """The device is gone from here on. Raises DeviceGone."""
        self.is_gone = True
        self.due(0)


def refusal(fault: Fault) -> Answer | None:
    """The answer of a command that is not done; None where it is."""
    if fault.effect is Effect.SENSE:
        return Answer(sense=fault.sense, status=CHECK_CONDITION)
    if fault.effect is Effect.STATUS:
        return Answer(status=fault.status)
    return None


def no_answer(fault: Fault) -> None:
    """Raises what the way reports where no answer comes."""
    if fault.effect is Effect.TIMEOUT:
        raise TimedOut("virtual device: no answer")
    raise WayReset("virtual device: reset while a command was under way")
