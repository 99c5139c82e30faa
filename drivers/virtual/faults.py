"""What goes wrong at a virtual device, by script.

Fault(Effect.SENSE, opcode=0x0A, call=3, sense=Sense(Key.MEDIUM_ERROR, 0x0C))     the third WRITE is refused
Fault(Effect.LOSE_BUFFER, opcode=0x10)                 what had not reached the medium is lost; it is told late
Fault(Effect.RESET, opcode=0x0A, call=5)               reset on the way, before the fifth WRITE
Fault(Effect.RESET, opcode=0x08, place=7)              the same, when the tape stands before object 7 and is to be read

The same as text, a line for each; commands by name, or their opcode in hexadecimal:

    write #3: sense 03/0C/00
    write filemarks: lose buffer
    write #5: reset
    read @7: reset
    any #100 x5: timeout
"""

import dataclasses
import enum
import re
from collections.abc import Sequence

from drivers.scsi.commands import COMMANDS
from drivers.scsi.transport import BUSY, CHECK_CONDITION, DeviceGone, TimedOut, WayReset
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
    TIMEOUT_UNDONE = "timeout undone"
    """No answer, and the command is not done."""
    ATTENTION = "attention"
    """This unit attention is told first; the sense data's codes."""
    LOSE_POSITION = "lose position"
    """The drive does not know any more where it stands."""
    EJECT = "eject"
    """Somebody pressed the button: the cartridge is at the door."""
    LOSE_BUFFER = "lose buffer"
    """What is in the buffer is lost; the sense data is deferred, and the command is not done."""
    POWER_CUT = "power cut"
    """Off and on, before the command, which gets no answer."""
    GONE = "gone"
    """No answer, now or ever after; the buffer is lost."""


@dataclasses.dataclass(frozen=True)
class Fault:
    """A line of the script: the `call`th command fails, and so many `times` from there.

    Counted are commands of this opcode, or of any; where a `place` is given, those that find the drive before it.
    """

    effect: Effect
    opcode: int | None = None
    call: int = 1
    times: int = 1
    sense: Sense = _WRITE_ERROR
    status: int = BUSY
    place: int | None = None


class Script:
    """Faults, and how far they are. Of several that meet, the first counts."""

    def __init__(self, faults: tuple[Fault, ...] = (), seen: Sequence[int] = ()) -> None:
        """Read from top to bottom. `seen`: where an earlier run of the same script stopped."""
        self._faults = faults
        self._seen = [*seen, *[0] * (len(faults) - len(seen))]
        self.is_gone = False

    @property
    def seen(self) -> tuple[int, ...]:
        """How many commands each fault was asked of."""
        return tuple(self._seen)

    def due(self, opcode: int, place: int | None = None) -> Fault | None:
        """The fault that this command meets. Raises DeviceGone once the device is."""
        if self.is_gone:
            raise DeviceGone("virtual device: not there any more", "connect it again")
        found = None
        for number, fault in enumerate(self._faults):
            if fault.opcode in (None, opcode) and fault.place in (None, place):
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
    if fault.effect in (Effect.TIMEOUT, Effect.TIMEOUT_UNDONE):
        raise TimedOut("virtual device: no answer")
    raise WayReset("virtual device: reset while a command was under way")


_LINE = re.compile(
    r"(?P<command>[a-z0-9 ]+?)(?: #(?P<call>\d+))?(?: @(?P<place>\d+))?(?: x(?P<times>\d+))?\s*:\s*(?P<effect>[a-z ]+?)"
    r"(?: (?P<sense>[0-9A-F]{2}/[0-9A-F]{2}/[0-9A-F]{2}))?"
)
_FORM = "expected COMMAND [#CALL] [@PLACE] [xTIMES]: EFFECT [KEY/ASC/ASCQ]"


def parse(text: str) -> tuple[Fault, ...]:
    """Faults from text; empty lines and those that begin with # are left out. Raises ValueError."""
    lines = (line.strip() for line in text.splitlines())
    return tuple(_fault(line) for line in lines if line and not line.startswith("#"))


def _fault(line: str) -> Fault:
    found = _LINE.fullmatch(line)
    effects = {effect.value: effect for effect in Effect}
    if found is None or found["effect"] not in effects:
        raise ValueError(f"fault: {line}: {_FORM}; effects are {', '.join(effects)}")
    opcodes = {"any": None} | {row.name: row.opcode for row in reversed(COMMANDS)}
    name = found["command"]
    try:
        opcode = opcodes[name] if name in opcodes else int(name, 16)
    except ValueError as error:
        raise ValueError(f"fault: {line}: {name} is no command; {_FORM}") from error
    sense = _WRITE_ERROR
    if found["sense"]:
        key, asc, ascq = (int(part, 16) for part in found["sense"].split("/"))
        sense = Sense(key, asc, ascq)
    return Fault(
        effects[found["effect"]], opcode, int(found["call"] or 1), int(found["times"] or 1), sense,
        place=None if found["place"] is None else int(found["place"]),
    )  # fmt: skip
