"""A virtual tape drive to those who speak to it: which command goes where, and what comes before it."""

import dataclasses
from collections.abc import Callable

from drivers.scsi import commands as c
from drivers.scsi.transport import CHECK_CONDITION
from drivers.virtual.check import Check, unknown_command
from drivers.virtual.faults import Effect, Fault, Script, no_answer, refusal
from drivers.virtual.tape import chip, counters, security, settings, transfer, travel
from drivers.virtual.tape.deck import ATTENTION_RESET, Deck
from drivers.virtual.unit import Answer
from formats.scsi import sense
from formats.scsi.sense import Key, Sense

_ALWAYS = frozenset((c.INQUIRY.opcode, c.REQUEST_SENSE.opcode))
"""Done whatever the unit has to say first."""


def _test_unit_ready(deck: Deck, _command: bytes, _data: bytes) -> bytes:
    deck.ready()
    return b""


def _request_sense(deck: Deck, _command: bytes, _data: bytes) -> bytes:
    found, deck.last_sense = deck.last_sense, None
    return sense.build(found or Sense(Key.NO_SENSE))


COMMANDS: tuple[tuple[c.Command, Callable[[Deck, bytes, bytes], bytes]], ...] = (
    (c.TEST_UNIT_READY, _test_unit_ready),
    (c.REQUEST_SENSE, _request_sense),
    (c.INQUIRY, settings.inquire),
    (c.READ_BLOCK_LIMITS, settings.block_limits),
    (c.REPORT_DENSITY, settings.densities),
    (c.MODE_SENSE_6, settings.mode_sense),
    (c.MODE_SENSE_10, settings.mode_sense),
    (c.MODE_SELECT_6, settings.mode_select),
    (c.MODE_SELECT_10, settings.mode_select),
    (c.LOG_SENSE, counters.log_sense),
    (c.READ_ATTRIBUTE, chip.read),
    (c.WRITE_ATTRIBUTE, chip.write),
    (c.SECURITY_IN, security.receive),
    (c.SECURITY_OUT, security.send),
    (c.READ, transfer.read),
    (c.WRITE, transfer.write),
    (c.WRITE_FILEMARKS, transfer.write_filemarks),
    (c.REWIND, travel.rewind),
    (c.SPACE, travel.space),
    (c.SPACE_16, travel.space),
    (c.LOCATE, travel.locate),
    (c.LOCATE_16, travel.locate),
    (c.READ_POSITION, travel.read_position),
    (c.LOAD_UNLOAD, travel.load_unload),
    (c.PREVENT_ALLOW, travel.prevent),
    (c.ERASE, travel.erase),
)
"""What the drive can do; anything else it does not know."""
_BY_OPCODE = {command.opcode: do for command, do in COMMANDS}


class TapeUnit:
    """The drive. `deck` is what hands, robots and cables do with it; `script` what goes wrong."""

    def __init__(self, deck: Deck, script: Script | None = None) -> None:
        """Switch it on."""
        self.deck = deck
        self.script = script or Script()

    def execute(self, command: bytes, data_out: bytes, room: int) -> Answer:
        """See Unit."""
        fault = self.script.due(command[0])
        if fault is None:
            return self._do(command, data_out, room)
        refused = self._suffer(fault)
        if refused is not None:
            self.deck.last_sense = refused.sense
            return refused
        answer = self._do(command, data_out, room)
        if fault.effect is Effect.TIMEOUT:
            no_answer(fault)
        if fault.effect is Effect.SENSE_AFTER:
            return dataclasses.replace(answer, sense=fault.sense, status=CHECK_CONDITION)
        return answer

    def _suffer(self, fault: Fault) -> Answer | None:
        """What the fault does before the command; the answer where that is not done."""
        deck = self.deck
        if fault.effect is Effect.GONE:
            deck.lose_buffer()
            self.script.leave()
        if fault.effect is Effect.POWER_CUT:
            deck.power_cut()
            no_answer(fault)
        if fault.effect in (Effect.RESET, Effect.QUIET_RESET):
            deck.reset(ATTENTION_RESET)
            if fault.effect is Effect.RESET:
                no_answer(fault)
        if fault.effect is Effect.LOSE_BUFFER:
            deck.lose_buffer()
            deck.totals.write_failures += 1
            return Answer(sense=dataclasses.replace(fault.sense, is_deferred=True), status=CHECK_CONDITION)
        return refusal(fault)

    def _do(self, command: bytes, data_out: bytes, room: int) -> Answer:
        deck, do = self.deck, _BY_OPCODE.get(command[0])
        try:
            if command[0] not in _ALWAYS:
                if deck.deferred is not None:
                    late, deck.deferred = deck.deferred, None
                    return Answer(sense=late, status=CHECK_CONDITION)
                if deck.attentions:
                    raise Check(Key.UNIT_ATTENTION, *deck.attentions.pop(0))
            if do is None:
                raise unknown_command()
            return Answer(do(deck, command, data_out)[:room])
        except Check as check:
            deck.last_sense = check.sense
            return Answer(check.data[:room], check.sense, CHECK_CONDITION)
