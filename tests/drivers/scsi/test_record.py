"""A recorded session plays as the device did."""

import io

import pytest

from drivers.scsi import commands
from drivers.scsi.commands import CommandFailed
from drivers.scsi.record import Player, Recorder, UnexpectedCommand
from drivers.scsi.transport import CHECK_CONDITION, DeviceGone, TimedOut
from drivers.virtual.transport import VirtualTransport
from drivers.virtual.unit import Answer
from formats.scsi import inquiry, mam
from formats.scsi.inquiry import DeviceType, Inquiry
from formats.scsi.sense import Key, Sense

SHOULD = Inquiry(DeviceType.TAPE, "TANDBERG", "LTO-6 HH", "H86N")
NOT_READY = Sense(Key.NOT_READY, 0x3A, 0x00)


class Unit:
    """Says what it is, is never ready, and is gone when something is written to its chip."""

    def execute(self, command: bytes, data_out: bytes, room: int) -> Answer:
        if command[0] == commands.INQUIRY.opcode:
            return Answer(inquiry.build(SHOULD) + bytes(60))
        if command[0] == commands.WRITE_ATTRIBUTE.opcode:
            raise DeviceGone("drive: gone")
        return Answer(sense=NOT_READY, status=CHECK_CONDITION)


def _session(transport: Recorder | Player) -> None:
    assert commands.standard_inquiry(transport) == SHOULD
    with pytest.raises(CommandFailed, match="02/3A/00") as failed:
        commands.test_unit_ready(transport)
    assert failed.value.sense == NOT_READY
    with pytest.raises(DeviceGone):
        commands.write_attributes(transport, (mam.written(mam.BARCODE, "A"),))


def test_a_session_plays_as_it_was() -> None:
    file = io.StringIO()
    _session(Recorder(VirtualTransport("drive", Unit()), file))
    assert len(file.getvalue().splitlines()) == 3
    assert len(file.getvalue()) < 1000
    player = Player("drive", ["# a comment", *file.getvalue().splitlines(), ""])
    _session(player)
    assert player.left == 0


def test_other_commands_than_the_recorded_ones_are_noticed() -> None:
    file = io.StringIO()
    recorder = Recorder(VirtualTransport("drive", Unit()), file)
    with pytest.raises(DeviceGone):
        commands.write_attributes(recorder, (mam.written(mam.BARCODE, "A"),))
    player = Player("drive", file.getvalue().splitlines())
    with pytest.raises(UnexpectedCommand):
        commands.write_attributes(player, (mam.written(mam.BARCODE, "B"),))
    with pytest.raises(UnexpectedCommand, match="expected none"):
        commands.test_unit_ready(Player("drive", ()))


def test_each_way_of_no_answer() -> None:
    for name, kind in (("gone", DeviceGone), ("timeout", TimedOut)):
        with pytest.raises(kind):
            commands.test_unit_ready(Player("drive", (f"000000000000 > - ! {name}",)))
