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

_RESERVE, _RELEASE, _REPORT_LUNS = 0x16, 0x17, 0xA0
_ALWAYS = frozenset((c.INQUIRY.opcode, c.REQUEST_SENSE.opcode, _REPORT_LUNS))
"""Done whatever the unit has to say first (SPC-4, section 5.14)."""


def _request_sense(deck: Deck, _command: bytes, _data: bytes) -> bytes:
    found, deck.last_sense = deck.last_sense, None
    return sense.build(found or Sense(Key.NO_SENSE))


def _nothing(_deck: Deck, _command: bytes, _data: bytes) -> bytes:
    """Reserving and releasing: there is one host."""
    return b""


COMMANDS: tuple[tuple[int, Callable[[Deck, bytes, bytes], bytes]], ...] = (
    (c.TEST_UNIT_READY.opcode, travel.report_readiness),
    (c.REQUEST_SENSE.opcode, _request_sense),
    (c.INQUIRY.opcode, settings.product),
    (c.REPORT_DENSITY.opcode, settings.report_density),
    (c.MODE_SENSE_6.opcode, settings.mode_sense),
    (c.MODE_SENSE_10.opcode, settings.mode_sense),
    (c.MODE_SELECT_6.opcode, settings.mode_select),
    (c.MODE_SELECT_10.opcode, settings.mode_select),
    (_REPORT_LUNS, settings.report_luns),
    (_RESERVE, _nothing),
    (_RELEASE, _nothing),
    (c.LOG_SENSE.opcode, counters.log_sense),
    (c.LOG_SELECT.opcode, counters.log_select),
    (c.READ_ATTRIBUTE.opcode, chip.read_attribute),
    (c.WRITE_ATTRIBUTE.opcode, chip.write_attribute),
    (c.SECURITY_IN.opcode, security.security_in),
    (c.SECURITY_OUT.opcode, security.security_out),
    (c.READ_BLOCK_LIMITS.opcode, transfer.read_block_limits),
    (c.READ.opcode, transfer.read),
    (c.WRITE.opcode, transfer.write),
    (c.WRITE_FILEMARKS.opcode, transfer.write_filemarks),
    (c.ERASE.opcode, transfer.erase),
    (c.REWIND.opcode, travel.rewind),
    (c.SPACE.opcode, travel.space),
    (c.SPACE_16.opcode, travel.space),
    (c.LOCATE.opcode, travel.locate),
    (c.LOCATE_16.opcode, travel.locate),
    (c.READ_POSITION.opcode, travel.read_position),
    (c.LOAD_UNLOAD.opcode, travel.load_unload),
    (c.PREVENT_ALLOW.opcode, travel.prevent_removal),
)
"""What the drive can do; anything else it does not know."""
_BY_OPCODE = dict(COMMANDS)
_ALERTS = {
    (Key.MEDIUM_ERROR, 0x0C): frozenset((2, 3, 6)),
    (Key.MEDIUM_ERROR, 0x11): frozenset((1, 3, 5)),
    (Key.MEDIUM_ERROR, 0x52): frozenset((4,)),
    (Key.HARDWARE_ERROR, 0x44): frozenset((30,)),
    (Key.MEDIUM_ERROR, 0x53): frozenset((55,)),
}
"""TapeAlert flags that go with an error: its key and additional sense code (SSC-4, annex A)."""
_CLEANING_REQUESTED = (0x00, 0x17)


class TapeUnit:
    """The drive. `deck` is what hands, robots and cables do with it; `script` what goes wrong."""

    def __init__(self, deck: Deck, script: Script | None = None) -> None:
        """Switch it on."""
        self.deck = deck
        self.script = script or Script()

    def execute(self, command: bytes, data_out: bytes, room: int) -> Answer:
        """See Unit."""
        fault = self.script.due(command[0], self.deck.at)
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
        self._break(fault)
        if fault.effect is Effect.GONE:
            self.script.leave()
        if fault.effect in (Effect.RESET, Effect.POWER_CUT, Effect.TIMEOUT_UNDONE):
            no_answer(fault)
        if fault.effect is Effect.LOSE_BUFFER:
            return Answer(sense=dataclasses.replace(fault.sense, is_deferred=True), status=CHECK_CONDITION)
        return refusal(fault)

    def _break(self, fault: Fault) -> None:
        deck = self.deck
        match fault.effect:
            case Effect.SENSE | Effect.SENSE_AFTER:
                deck.alerts |= _ALERTS.get((Key(fault.sense.key), fault.sense.asc), frozenset())
                if fault.sense.code == _CLEANING_REQUESTED:
                    deck.request_cleaning()
            case Effect.LOSE_BUFFER:
                deck.alerts |= _ALERTS.get((Key(fault.sense.key), fault.sense.asc), frozenset())
                deck.lose_buffer()
                deck.totals.write_failures += 1
            case Effect.GONE:
                deck.lose_buffer()
            case Effect.POWER_CUT:
                deck.power_cut()
            case Effect.RESET | Effect.QUIET_RESET:
                deck.reset(ATTENTION_RESET)
            case Effect.ATTENTION:
                deck.attentions.append(fault.sense.code)
            case Effect.LOSE_POSITION:
                deck.flush()
                deck.at = None
            case Effect.EJECT:
                deck.unthread()
            case _:
                pass  # changes nothing

    def _do(self, command: bytes, data_out: bytes, room: int) -> Answer:
        deck, do = self.deck, _BY_OPCODE.get(command[0])
        try:
            if command[0] not in _ALWAYS:
                if deck.attentions:
                    raise Check(Key.UNIT_ATTENTION, *deck.attentions.pop(0))
                if deck.deferred is not None:
                    late, deck.deferred = deck.deferred, None
                    return Answer(sense=late, status=CHECK_CONDITION)
            if do is None:
                raise unknown_command()
            answer = do(deck, command, data_out)[:room]
            if deck.needs_cleaning and not deck.has_asked_for_cleaning and command[0] == c.WRITE.opcode:
                deck.has_asked_for_cleaning = True
                raise Check(Key.NO_SENSE, *_CLEANING_REQUESTED, data=answer)
            return Answer(answer)
        except Check as check:
            deck.last_sense = check.sense
            return Answer(check.data[:room], check.sense, CHECK_CONDITION)
