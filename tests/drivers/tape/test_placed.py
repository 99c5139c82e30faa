"""Nothing is written where the tape should not stand, nothing twice, and nothing that is lost counts as written."""

import dataclasses
import errno
from collections.abc import Callable

import pytest

from drivers.base import Content, Mark, Position
from drivers.errors import (
    BlocksLost,
    DeviceFailure,
    DriveError,
    DriveReset,
    MediumChanged,
    MediumError,
    translated,
)
from drivers.scsi import commands as c
from drivers.scsi.transport import CHECK_CONDITION, WayReset
from drivers.tape.drive import TapeDrive
from drivers.virtual.faults import Effect, Fault
from drivers.virtual.tape.cartridge import Cartridge
from drivers.virtual.unit import Answer
from formats.scsi.sense import Key, Sense
from tapekit.jobs import label

from .conftest import Machine, block

READ, WRITE, FILEMARK = c.READ.opcode, c.WRITE.opcode, c.WRITE_FILEMARKS.opcode
Hook = Callable[[bytes, Callable[[], Answer]], Answer]


def between(machine: Machine, monkeypatch: pytest.MonkeyPatch, hook: Hook) -> None:
    """Stand between host and drive: `hook` gets each command, and what does it."""
    execute = machine.unit.execute
    monkeypatch.setattr(
        machine.unit, "execute", lambda command, data, room: hook(command, lambda: execute(command, data, room))
    )


def on(opcode: int, call: int, answer: Callable[[Callable[[], Answer]], Answer]) -> Hook:
    """Something else for the `call`th command of that code."""
    calls = iter(range(1, 1 << 30))

    def hook(command: bytes, do: Callable[[], Answer]) -> Answer:
        return answer(do) if command[0] == opcode and next(calls) == call else do()

    return hook


def failed(key: int, asc: int, ascq: int, *, eom: bool = False, is_deferred: bool = False) -> Answer:
    return Answer(sense=Sense(key, asc, ascq, eom=eom, is_deferred=is_deferred), status=CHECK_CONDITION)


def numbers(cartridge: Cartridge | None) -> list[int | None]:
    """What stands on a cartridge: numbers of blocks, None for a filemark."""
    assert cartridge is not None
    found = [cartridge.read(number) for number in range(cartridge.end)]
    return [None if one is None or one.data is None else one.data[8] for one in found]


def exchange(machine: Machine, name: str) -> Cartridge:
    """Another cartridge in the place of the one that is in."""
    taken = machine.deck.take_out()
    assert taken is not None
    taken.close()
    return machine.insert(name=name)


THERE = [0, 1, 2, None, 3, 4, None]
"""What the fixture has written."""


def test_what_is_unloaded_in_the_middle_is_not_written_at_its_beginning(machine: Machine, drive: TapeDrive) -> None:
    drive.to_end_of_data()
    drive.write_block(block(5))
    machine.deck.flush()
    machine.deck.travel_to(0)
    machine.deck.is_held = True
    for _ in range(2):
        with pytest.raises(DriveError):
            drive.write_block(block(6))
    machine.deck.is_held = False
    assert numbers(machine.deck.cartridge) == [*THERE, 5]


@pytest.mark.parametrize("form", ("short form alone", "no file numbers"))
def test_files_of_a_drive_that_does_not_count_them(
    machine: Machine, drive: TapeDrive, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    drive.close()

    def hook(command: bytes, do: Callable[[], Answer]) -> Answer:
        if command[0] != c.READ_POSITION.opcode or command[1] & 0x1F != 6:
            return do()
        if form == "short form alone":
            return failed(Key.ILLEGAL_REQUEST, 0x24, 0)
        answer = do()
        return dataclasses.replace(answer, data=bytes((answer.data[0] | 0x08,)) + answer.data[1:])

    between(machine, monkeypatch, hook)
    opened = machine.open()
    opened.to_end_of_data()
    assert opened.position() == Position(2, 0)
    for file, number, first in ((1, 0, 3), (0, 2, 2), (1, 1, 4)):
        opened.locate(file, number)
        assert (opened.position(), opened.read_block()) == (Position(file, number), block(first))
    opened.locate(0, -1)
    assert opened.read_block() == block(2)
    for file, number in ((0, 5), (2, 1), (3, 0)):
        with pytest.raises(DriveError):
            opened.locate(file, number)
    opened.to_end_of_data()
    opened.write_block(block(7))
    opened.write_filemark()
    assert opened.position() == Position(3, 0)
    assert numbers(machine.deck.cartridge) == [*THERE, 7, None]


@pytest.mark.parametrize("asked", (c.READ_ATTRIBUTE, c.LOG_SENSE), ids=lambda command: command.name)
@pytest.mark.parametrize("event", ("changed", "power cut"))
def test_what_was_said_to_another_question_is_not_passed_over(
    machine: Machine, drive: TapeDrive, monkeypatch: pytest.MonkeyPatch, event: str, asked: c.Command
) -> None:
    drive.to_end_of_data()

    def happen(do: Callable[[], Answer]) -> Answer:
        if event == "changed":
            exchange(machine, "other")
        else:
            machine.deck.power_cut()
        return do()

    between(machine, monkeypatch, on(asked.opcode, 1, happen))
    drive.attributes()
    drive.health()
    with pytest.raises((DriveReset, MediumChanged)):
        drive.write_block(block(9))
    assert 9 not in numbers(machine.deck.cartridge)


def test_after_a_pause_the_drive_is_asked_where_it_stands(machine: Machine, drive: TapeDrive) -> None:
    """Another program of this computer was told of the reset: nobody tells us."""
    drive.to_end_of_data()
    drive.write_block(block(5))
    machine.deck.flush()
    machine.deck.power_cut()
    machine.deck.attentions.clear()
    machine.clock.wait(2)
    with pytest.raises(DriveReset, match="not where it was left"):
        drive.write_block(block(6))
    assert numbers(machine.deck.cartridge) == [*THERE, 5]


@pytest.mark.parametrize("is_told", (True, False))
def test_after_a_reset_another_cartridge_is_not_taken_for_the_same(
    machine: Machine, drive: TapeDrive, *, is_told: bool
) -> None:
    drive.to_end_of_data()
    machine.script(Fault(Effect.RESET, WRITE))
    with pytest.raises(DriveError):
        drive.write_block(block(5))
    machine.script()
    other = exchange(machine, "other")
    if not is_told:
        machine.deck.attentions[:] = [(0x29, 0x01)]
    with pytest.raises(MediumChanged):
        drive.rewind()
    with pytest.raises(DriveError):
        drive.write_block(block(6))
    assert other.end == 0


def test_a_cartridge_that_comes_in_while_another_is_labelled_is_left_alone(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.insert(name="keep")
    opened = machine.open()
    opened.format({})
    opened.write_block(block(1))
    opened.write_filemark()
    opened.close()
    exchange(machine, "blank")
    opened = machine.open()

    def change(_do: Callable[[], Answer]) -> Answer:
        exchange(machine, "keep")
        machine.deck.power_cut()
        raise WayReset("reset while a command was under way")

    between(machine, monkeypatch, on(WRITE, 1, change))
    with pytest.raises(DriveError):
        label.run(opened, barcode="NEW001L6", pool=None, block_bytes=None, destroy=None)
    assert numbers(machine.deck.cartridge) == [1, None]


def test_a_medium_error_is_not_read_as_blank(
    machine: Machine, drive: TapeDrive, monkeypatch: pytest.MonkeyPatch
) -> None:
    drive.close()
    between(machine, monkeypatch, on(READ, 1, lambda _do: failed(Key.MEDIUM_ERROR, 0, 5)))
    assert machine.open().medium().content is Content.CARTRIDGE


@pytest.mark.parametrize("opcode", (WRITE, FILEMARK))
@pytest.mark.parametrize("position", ("known", "unknown"))
@pytest.mark.parametrize(
    "answer",
    (
        failed(Key.MEDIUM_ERROR, 0x0C, 0),
        failed(Key.MEDIUM_ERROR, 0x0C, 0, is_deferred=True),
        failed(Key.HARDWARE_ERROR, 0x44, 0),
        failed(Key.VOLUME_OVERFLOW, 0, 2, eom=True),
        failed(Key.ABORTED_COMMAND, 0x4B, 0, is_deferred=True),
    ),
    ids=lambda answer: str(answer.sense),
)
def test_what_the_drive_lost_is_named_whatever_it_says(
    machine: Machine, drive: TapeDrive, monkeypatch: pytest.MonkeyPatch, opcode: int, position: str, answer: Answer
) -> None:
    drive.to_end_of_data()
    for number in range(10, 13):
        drive.write_block(block(number))

    def lose(_do: Callable[[], Answer]) -> Answer:
        machine.deck.lose_buffer()
        if position == "unknown":
            machine.deck.at = None
        return answer

    between(machine, monkeypatch, on(opcode, 1, lose))
    with pytest.raises(BlocksLost) as raised:
        drive.write_block(block(13)) if opcode == WRITE else drive.write_filemark()
    assert (raised.value.file, raised.value.block, raised.value.count) == (2, 0, 3)
    assert numbers(machine.deck.cartridge) == THERE


@pytest.mark.parametrize(
    ("sense", "error"),
    (((3, 0x00, 0x02), MediumError), ((4, 0x5D, 0x00), DeviceFailure), ((3, 0x00, 0x17), MediumError)),
)
def test_a_failure_is_no_mark_and_no_warning(
    machine: Machine, drive: TapeDrive, monkeypatch: pytest.MonkeyPatch, sense: tuple[int, int, int],
    error: type[DriveError],
) -> None:  # fmt: skip
    drive.to_end_of_data()
    drive.write_block(block(10))
    between(machine, monkeypatch, on(WRITE, 1, lambda _do: failed(*sense)))
    with pytest.raises(error):
        drive.write_block(block(11))
    assert numbers(machine.deck.cartridge) == [*THERE, 10]
    assert drive.position() == Position(2, 1)


def test_what_comes_before_a_write_does_not_take_its_place(
    machine: Machine, drive: TapeDrive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The drive expects to fail, and says so as a unit attention: the block was not written."""
    drive.to_end_of_data()
    between(machine, monkeypatch, on(WRITE, 2, lambda _do: failed(Key.UNIT_ATTENTION, 0x5D, 0)))
    for number in range(10, 13):
        drive.write_block(block(number))
    drive.write_filemark()
    assert numbers(machine.deck.cartridge) == [*THERE, 10, 11, 12, None]
    assert "the drive or the cartridge expects to fail" in drive.health().notes


@pytest.mark.parametrize("opcode", (WRITE, FILEMARK, READ))
def test_what_was_done_is_not_done_again(
    machine: Machine, drive: TapeDrive, monkeypatch: pytest.MonkeyPatch, opcode: int
) -> None:
    """The answer alone was damaged on its way."""

    def do_it(do: Callable[[], Answer]) -> Answer:
        do()
        return failed(Key.ABORTED_COMMAND, 0x47, 0)

    between(machine, monkeypatch, on(opcode, 1, do_it))
    assert drive.read_block() == block(0)
    assert drive.read_block() == block(1)
    drive.to_end_of_data()
    drive.write_block(block(10))
    drive.write_filemark()
    assert numbers(machine.deck.cartridge) == [*THERE, 10, None]


def test_reading_ends_where_the_drive_gives_nothing(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.drive_of(4)
    machine.insert("L4")
    opened = machine.open()
    opened.format({})
    opened.write_block(block(0))
    opened.write_filemark()
    opened.rewind()
    between(machine, monkeypatch, on(READ, 1, lambda _do: Answer()))
    with pytest.raises(DeviceFailure, match="gave nothing"):
        opened.read_block()


def test_after_a_failed_write_the_place_is_the_drives(machine: Machine, drive: TapeDrive) -> None:
    drive.to_end_of_data()
    drive.write_block(block(10))
    machine.script(Fault(Effect.SENSE, WRITE))
    with pytest.raises(MediumError):
        drive.write_block(block(11))
    machine.script()
    assert drive.position() == Position(2, 1)
    drive.write_block(block(12))
    drive.write_filemark()
    drive.locate(2, 1)
    assert [drive.read_block(), drive.read_block()] == [block(12), Mark.FILEMARK]


def test_a_block_as_large_as_the_way_carries_is_read_back(
    machine: Machine, drive: TapeDrive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first room for a block is one that every way carries, and the next one no larger than the block."""
    drive.close()
    execute = machine.unit.execute

    def carry(command: bytes, data: bytes, room: int) -> Answer:
        if max(len(data), room) > 512 << 10:
            raise translated(OSError(errno.EBUSY, "busy"), "/dev/sg1")
        return execute(command, data, room)

    monkeypatch.setattr(machine.unit, "execute", carry)
    opened = machine.open()
    assert opened.read_block() == block(0)
    opened.to_end_of_data()
    large = block(7, (512 << 10) - 4)  # and the check that goes with it
    opened.write_block(large)
    opened.write_filemark()
    opened.locate(2)
    assert opened.read_block() == large


@pytest.mark.parametrize("was_on", (True, False))
def test_the_drives_compression_is_left_as_it_was_found(machine: Machine, *, was_on: bool) -> None:
    machine.deck.settings.compresses = was_on
    machine.insert()
    opened = machine.open()
    assert not machine.deck.settings.compresses
    opened.close()
    assert machine.deck.settings.compresses == was_on
