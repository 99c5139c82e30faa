"""What goes wrong by script goes wrong as at real drives, and nothing else does."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.scsi import commands
from drivers.scsi.transport import BUSY, DeviceGone, TimedOut, WayReset
from drivers.virtual import faults
from drivers.virtual.faults import Effect, Fault, Script
from drivers.virtual.tape.cartridge import Cartridge
from formats.scsi.sense import Key, Sense
from tests.drivers.virtual.host import Host, cartridge

WRITE_ERROR = Sense(Key.MEDIUM_ERROR, 0x0C, 0x00)


@pytest.fixture
def medium(tmp_path: Path) -> Iterator[Cartridge]:
    made = cartridge(tmp_path)
    yield made
    made.close()


def blocks(host: Host) -> list[bytes]:
    """What is on the tape, to the end of data."""
    host.deck.attentions.clear()
    host.rewind()
    found: list[bytes] = []
    while True:
        sense, data = host.read()
        if sense and sense.key == Key.BLANK_CHECK:
            return found
        found.append(data)


def test_the_nth_command_or_the_one_at_a_place(medium: Cartridge) -> None:
    host = Host(medium, faults=(Fault(Effect.SENSE, commands.WRITE.opcode, 3),))
    assert [host.write(b"%d" % number) for number in range(4)] == [None, None, WRITE_ERROR, None]
    assert host.deck.alerts == {2, 3, 6}
    host.unit.script = Script((Fault(Effect.SENSE, commands.READ.opcode, place=1, times=2),))
    host.rewind()
    assert [host.read(1)[0] for _ in range(4)] == [None, WRITE_ERROR, WRITE_ERROR, None]
    assert blocks(host) == [b"0", b"1", b"3"]


def test_done_and_not_done(medium: Cartridge) -> None:
    host = Host(medium, faults=(
        Fault(Effect.SENSE_AFTER, commands.WRITE.opcode, 1, sense=Sense(Key.RECOVERED_ERROR, 0x0C)),
        Fault(Effect.TIMEOUT_UNDONE, commands.WRITE.opcode, 2),
        Fault(Effect.TIMEOUT, commands.WRITE.opcode, 3),
        Fault(Effect.STATUS, commands.WRITE.opcode, 4),
    ))  # fmt: skip
    assert host.write(b"1") == Sense(Key.RECOVERED_ERROR, 0x0C)
    for block in (b"2", b"3"):
        with pytest.raises(TimedOut):
            host.write(block)
    reply, _ = host.ask(commands.WRITE, (2, 3, 1), data=b"4", size=0)
    assert reply.status == BUSY
    assert blocks(host) == [b"1", b"3"]


@pytest.mark.parametrize(
    ("effect", "error"), ((Effect.RESET, WayReset), (Effect.POWER_CUT, WayReset), (Effect.QUIET_RESET, None))
)
def test_a_reset_loses_buffer_and_place(medium: Cartridge, effect: Effect, error: type[Exception] | None) -> None:
    host = Host(medium, faults=(Fault(effect, commands.WRITE.opcode, 4),))
    host.write(b"1")
    host.mark(0)
    host.write(b"2", b"3")
    if error:
        with pytest.raises(error):
            host.write(b"4")
        attention = host.write(b"4")
    else:
        attention = host.write(b"4")
    assert attention in (Sense(Key.UNIT_ATTENTION, 0x29, 0x02), Sense(Key.UNIT_ATTENTION, 0x29, 0x01))
    if effect is Effect.POWER_CUT:  # threaded anew: it stands where writing on would destroy everything
        assert host.position().object == 0
    else:
        assert host.position().object is None
        assert host.write(b"5") == Sense(Key.MEDIUM_ERROR, 0x3B, 0x00)
        assert host.read()[0] == Sense(Key.MEDIUM_ERROR, 0x3B, 0x00)
    assert blocks(host) == [b"1"]


def test_what_the_drive_could_not_write_is_told_late(medium: Cartridge) -> None:
    host = Host(medium, faults=(Fault(Effect.LOSE_BUFFER, commands.WRITE_FILEMARKS.opcode, 2),))
    host.write(b"1")
    host.mark(0)
    host.write(b"2", b"3")
    told = host.mark()
    assert told
    assert (told.code, told.is_deferred) == ((0x0C, 0x00), True)
    assert host.position().object == 1  # the two blocks are not there
    assert blocks(host) == [b"1"]


def test_what_left_the_buffer_in_time_is_there(medium: Cartridge) -> None:
    host = Host(medium)
    host.deck.motion.buffer_bytes = 3000
    host.deck.settings.compresses = False
    host.write(*(bytes((number,)) * 1000 for number in range(10)))
    objects, size = host.deck.buffered
    assert (objects, size) == (3, 3000)
    host.deck.reset()
    assert len(blocks(host)) == 7


def test_position_lost_gone_ejected_attention(medium: Cartridge) -> None:
    host = Host(medium, faults=(
        Fault(Effect.LOSE_POSITION, commands.WRITE.opcode, 2),
        Fault(Effect.ATTENTION, commands.WRITE.opcode, 3, sense=Sense(Key.UNIT_ATTENTION, 0x2A, 0x01)),
        Fault(Effect.EJECT, commands.WRITE.opcode, 4),
        Fault(Effect.GONE, commands.WRITE.opcode, 5),
    ))  # fmt: skip
    assert host.write(b"1") is None
    assert host.write(b"2") == Sense(Key.MEDIUM_ERROR, 0x3B, 0x00)
    assert host.write(b"3") == Sense(Key.UNIT_ATTENTION, 0x2A, 0x01)
    assert host.write(b"4") == Sense(Key.NOT_READY, 0x3A, 0x00)
    for _ in range(2):
        with pytest.raises(DeviceGone):
            host.write(b"5")
    host.unit.script = Script()
    host.do(commands.LOAD_UNLOAD, (4, 1, 1))
    assert blocks(host) == [b"1"]


def test_a_process_that_dies_loses_what_was_not_flushed(tmp_path: Path) -> None:
    first = cartridge(tmp_path)
    host = Host(first)
    host.write(b"1")
    host.mark()
    host.write(b"2")
    first.abandon()
    again = Cartridge(first.path)
    assert again.end == 2
    again.close()


def test_scripts_as_text() -> None:
    text = """
    # a bad night
    write #3: sense 03/0C/00
    write filemarks: lose buffer
    read @7 x2: reset
    any #100: power cut
    4d: sense after 06/2A/01
    """
    assert faults.parse(text) == (
        Fault(Effect.SENSE, 0x0A, 3, sense=WRITE_ERROR),
        Fault(Effect.LOSE_BUFFER, 0x10),
        Fault(Effect.RESET, 0x08, place=7, times=2),
        Fault(Effect.POWER_CUT, call=100),
        Fault(Effect.SENSE_AFTER, 0x4D, sense=Sense(Key.UNIT_ATTENTION, 0x2A, 0x01)),
    )


@pytest.mark.parametrize("line", ("write", "write: nonsense", "write: sense 3/C/0", "wrote: reset", "write #x: reset"))
def test_what_is_no_script(line: str) -> None:
    with pytest.raises(ValueError, match="fault: wr"):
        faults.parse(line)


def test_of_faults_that_meet_the_first_counts() -> None:
    script = Script((Fault(Effect.RESET, call=2), Fault(Effect.TIMEOUT, 0x0A, times=3)))
    found = [script.due(0x0A, None) for _ in range(3)]
    assert [fault and fault.effect for fault in found] == [Effect.TIMEOUT, Effect.RESET, Effect.TIMEOUT]
