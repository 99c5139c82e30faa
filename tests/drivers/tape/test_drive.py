"""The tape driver: places, errors with their place, what the drive lost, what a cartridge may be used for."""

from collections.abc import Callable

import pytest

from drivers.base import Content, Drive, Mark, MediumState, Position
from drivers.errors import (
    BlankMedium,
    BlocksLost,
    DriveReset,
    EndOfMedium,
    ForeignMedium,
    IncompatibleMedium,
    MediumChanged,
    MediumError,
    NoDevice,
    NoMedium,
    WriteProtected,
)
from drivers.scsi import commands as c
from drivers.scsi.transport import DeviceGone, Reply, TimedOut, WayReset
from drivers.tape.drive import TapeDrive
from drivers.virtual.faults import Effect, Fault
from drivers.virtual.tape.cartridge import Kind
from drivers.virtual.tape.deck import FIRST_LOAD_S
from formats.scsi import inquiry, mam
from formats.scsi.inquiry import DeviceType, Inquiry
from formats.scsi.sense import Key, Sense

from .conftest import MB, Machine, block

READ, WRITE, LOCATE = c.READ.opcode, c.WRITE.opcode, c.LOCATE_16.opcode


def rest_of(drive: Drive) -> list[bytes | Mark]:
    """Everything from here to the end of data."""
    found: list[bytes | Mark] = []
    while (one := drive.read_block()) is not Mark.END_OF_DATA:
        found.append(one)
    return found


def test_a_block_larger_than_the_room_is_read_again_whole(machine: Machine) -> None:
    machine.insert(capacity=16 * MB)
    drive = machine.open()
    drive.format({})
    blocks = [block(1, 3 << 20), block(2, 100), block(3, (1 << 20) + 1)]
    for one in blocks:
        drive.write_block(one)
    drive.write_filemark()
    reopened = machine.open()
    reopened.rewind()
    assert rest_of(reopened) == [*blocks, Mark.FILEMARK]


def test_after_an_unreadable_block_the_tape_stands_behind_it(machine: Machine, drive: TapeDrive) -> None:
    assert machine.deck.cartridge is not None
    machine.deck.cartridge.damage(1)
    drive.read_block()
    with pytest.raises(MediumError, match="block 1 of file 0: cannot be read") as caught:
        drive.read_block()
    assert (caught.value.file, caught.value.block) == (0, 1)
    assert drive.position() == Position(0, 2)
    assert drive.read_block() == block(2)
    assert 3 in drive.health().flags


def test_a_drive_that_stays_before_the_bad_block_is_moved_on(machine: Machine, drive: TapeDrive) -> None:
    machine.script(Fault(Effect.SENSE, READ, sense=Sense(Key.MEDIUM_ERROR, 0x11, 0x01)))
    with pytest.raises(MediumError, match="block 0 of file 0"):
        drive.read_block()
    assert drive.position() == Position(0, 1)
    assert drive.read_block() == block(1)


@pytest.mark.parametrize("off", (1, -1))
def test_a_drive_that_counts_files_otherwise_lands_right(
    machine: Machine, drive: TapeDrive, off: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Drives of two makers take LOCATE to file 1 for different places; both are looked at, and put right."""
    machine.open().close()
    drive = machine.open()
    unit, plain = machine.unit, machine.unit.execute

    def other(command: bytes, data_out: bytes, room: int):  # type: ignore[no-untyped-def]  # noqa: ANN202
        if command[0] == LOCATE and command[1] >> 3 == 1:
            file = int.from_bytes(command[4:12]) + off
            if file < 1:
                return plain(bytes((c.REWIND.opcode, 0, 0, 0, 0, 0)), b"", 0)
            command = command[:4] + file.to_bytes(8) + command[12:]
        return plain(command, data_out, room)

    monkeypatch.setattr(unit, "execute", other)
    drive.locate(1, 1)
    assert drive.read_block() == block(4)


def test_a_drive_without_locate_spaces(machine: Machine, drive: TapeDrive) -> None:
    unknown = Sense(Key.ILLEGAL_REQUEST, 0x20, 0x00)
    machine.script(Fault(Effect.SENSE, LOCATE, times=99, sense=unknown))
    reopened = machine.open()
    for file, number, expected in ((1, 1, 4), (0, 2, 2), (1, 0, 3), (0, -1, 2)):
        reopened.locate(file, number)
        assert reopened.read_block() == block(expected)
    reopened.to_end_of_data()
    assert reopened.position() == Position(2, 0)


def test_early_warning_is_exact_and_stays(machine: Machine) -> None:
    machine.insert(capacity=4 * MB)
    drive = machine.open()
    drive.format({})
    answers = [drive.write_block(block(1, 100_000)) for _ in range(40)]
    with pytest.raises(EndOfMedium):
        drive.write_block(block(1, 100_000))
    assert answers.index(True) == 30  # 3 MB before early warning
    assert answers.count(True) == 10
    assert drive.position() == Position(0, 40)
    drive.write_filemark()
    reopened = machine.open()
    reopened.to_end_of_data()
    assert reopened.position() == Position(1, 0)


def test_blocks_that_the_drive_lost_are_named(machine: Machine, drive: TapeDrive) -> None:
    """It said yes to three, could not write them, and says so with the next command."""
    drive.to_end_of_data()
    for number in range(3):
        drive.write_block(block(number))
    machine.script(Fault(Effect.LOSE_BUFFER, WRITE))
    with pytest.raises(BlocksLost, match="3 blocks that it could not write") as caught:
        drive.write_block(block(9))
    assert (caught.value.file, caught.value.block, caught.value.count) == (2, 0, 3)
    assert drive.position() == Position(2, 0)
    drive.write_block(block(7))
    drive.write_filemark()
    drive.locate(2)
    assert rest_of(drive) == [block(7), Mark.FILEMARK]


def test_what_is_in_the_buffer_is_told(machine: Machine, drive: TapeDrive) -> None:
    drive.to_end_of_data()
    assert drive.buffered_bytes() == 0
    for number in range(3):
        drive.write_block(block(number))
    assert drive.buffered_bytes() == 15_000
    drive.write_filemark()
    assert drive.buffered_bytes() == 0


def test_a_loss_that_shows_when_the_buffer_is_asked_for_is_not_passed_over(machine: Machine, drive: TapeDrive) -> None:
    drive.to_end_of_data()
    drive.write_block(block(0))
    machine.script(Fault(Effect.LOSE_BUFFER, c.READ_POSITION.opcode))
    with pytest.raises(BlocksLost, match="1 blocks that it could not write"):
        drive.buffered_bytes()


def test_what_was_flushed_is_never_lost(machine: Machine, drive: TapeDrive) -> None:
    drive.to_end_of_data()
    drive.write_block(block(0))
    drive.write_filemark()
    drive.write_block(block(1))
    machine.script(Fault(Effect.LOSE_BUFFER, c.WRITE_FILEMARKS.opcode))
    with pytest.raises(BlocksLost) as caught:
        drive.write_filemark()
    assert (caught.value.file, caught.value.block, caught.value.count) == (3, 0, 1)


@pytest.mark.parametrize("effect", (Effect.RESET, Effect.QUIET_RESET, Effect.POWER_CUT))
@pytest.mark.parametrize("opcode", (READ, WRITE))
def test_after_a_reset_nothing_is_done_where_the_tape_happens_to_be(
    machine: Machine, drive: TapeDrive, effect: Effect, opcode: int
) -> None:
    """Nor with settings that the reset took back: the check of a block must not become part of it."""
    if opcode == WRITE:
        drive.to_end_of_data()
        drive.write_block(block(8))
    machine.script(Fault(effect, opcode))
    act: Callable[[], object] = (lambda: drive.write_block(block(9))) if opcode == WRITE else drive.read_block
    with pytest.raises((DriveReset, WayReset)):
        act()
    for again in (act, drive.position):
        with pytest.raises(DriveReset):
            again()
    drive.rewind()
    assert machine.deck.settings.protection.on_write
    whole = [block(0), block(1), block(2), Mark.FILEMARK, block(3), block(4), Mark.FILEMARK]
    assert rest_of(drive) == whole
    drive.write_block(block(7))
    drive.write_filemark()
    drive.rewind()
    assert rest_of(drive) == [*whole, block(7), Mark.FILEMARK]


def test_a_drive_that_is_gone_or_does_not_answer(machine: Machine, drive: TapeDrive) -> None:
    machine.script(Fault(Effect.TIMEOUT, READ))
    with pytest.raises(TimedOut):
        drive.read_block()
    drive.rewind()
    machine.script(Fault(Effect.GONE, READ))
    for _ in range(2):
        with pytest.raises((DeviceGone, DriveReset)):
            drive.read_block()
    with pytest.raises(DeviceGone, match="not there any more"):
        drive.rewind()


def test_another_cartridge_in_the_middle_is_noticed(machine: Machine, drive: TapeDrive) -> None:
    machine.deck.take_out()
    machine.insert(name="other")
    with pytest.raises(MediumChanged):
        drive.write_block(block(1))
    acts: tuple[Callable[[], object], ...] = (
        lambda: drive.write_block(block(1)), drive.rewind, drive.erase, lambda: drive.format({}),
    )  # fmt: skip
    for act in acts:
        with pytest.raises(NoMedium, match="taken out"):
            act()
    drive.load()
    assert drive.medium().content is Content.BLANK


def test_an_empty_drive(machine: Machine) -> None:
    drive = machine.open()
    assert drive.medium() == MediumState(present=False)
    with pytest.raises(NoMedium, match="no cartridge"):
        drive.rewind()
    machine.insert()
    drive.load()
    assert drive.medium().content is Content.BLANK


def test_blank_ours_and_foreign(machine: Machine) -> None:
    tape = machine.insert()
    assert machine.open().medium().content is Content.BLANK
    for first, name in (
        (b"VOL1WED001", "ltfs"), (b"x" * 257 + b"ustar\0", "tar"), (b"\0" * 12 + b"BB02", "bacula"),
        (b"AMANDA: TAPESTART DATE X", "amanda"), (b"whatever", "data"), (None, "data"),
    ):  # fmt: skip
        tape.truncate(0)
        tape.write(0, first, 100)
        drive = machine.open()
        assert (drive.medium().content, drive.medium().found) == (Content.FOREIGN, name)
        with pytest.raises(ForeignMedium):
            drive.write_filemark()
        drive.rewind()
        assert drive.read_block() == (Mark.FILEMARK if first is None else first)  # reading does no harm
    tape.damage(0)
    assert machine.open().medium().content is not Content.BLANK
    tape.truncate(0)
    with pytest.raises(BlankMedium):
        machine.open().read_block()


def test_a_cartridge_that_is_written_once(machine: Machine) -> None:
    machine.insert(kind=Kind.WORM)
    drive = machine.open()
    assert drive.medium().worm
    drive.format({})
    drive.write_block(block(1))
    drive.write_filemark()
    reopened = machine.open()
    acts: tuple[Callable[[], object], ...] = (lambda: reopened.format({}), reopened.erase)
    for again in acts:
        with pytest.raises(WriteProtected, match="only once"):
            again()
    reopened.locate(0)
    with pytest.raises(WriteProtected, match="only once"):
        reopened.write_block(block(2))
    reopened.to_end_of_data()
    reopened.write_block(block(3))
    reopened.write_filemark()
    reopened.rewind()
    assert rest_of(reopened) == [block(1), Mark.FILEMARK, block(3), Mark.FILEMARK]


@pytest.mark.parametrize(
    ("drive_number", "media_id", "reads", "writes"),
    (
        (6, "L6", True, True), (6, "L5", True, True), (6, "L4", True, False), (6, "L3", False, False),
        (6, "L7", False, False), (8, "M8", True, True), (9, "M8", False, False), (9, "L8", True, True),
        (10, "L9", False, False), (10, "PA", True, True), (3, "L1", True, False),
    ),
)  # fmt: skip
def test_generations(machine: Machine, drive_number: int, media_id: str, reads: bool, writes: bool) -> None:  # noqa: FBT001
    machine.drive_of(drive_number)
    machine.insert(media_id)
    if not reads:
        with pytest.raises(IncompatibleMedium):
            machine.open()
        return
    drive = machine.open()
    assert drive.medium().write_protected is not writes
    if writes:
        drive.format({})
        return
    with pytest.raises(IncompatibleMedium, match="reads it, and does not write it"):
        drive.format({})


def test_the_first_load_of_a_new_cartridge_is_waited_for(machine: Machine) -> None:
    machine.drive_of(9)
    machine.insert("L9", is_new=True)
    drive = machine.open()
    assert machine.clock.now() >= FIRST_LOAD_S
    assert drive.medium().present


def test_block_protection_is_on_meanwhile_and_off_afterwards(machine: Machine, drive: TapeDrive) -> None:
    def is_on() -> bool:
        protection = machine.deck.settings.protection
        assert protection.on_write is protection.on_read
        return protection.on_write

    assert is_on()
    assert not machine.deck.settings.compresses
    drive.close()
    assert not is_on()
    machine.open()  # and never closed, as by a crash
    assert is_on()
    assert machine.open().read_block() == block(0)


def test_an_old_drive_has_no_block_protection(machine: Machine) -> None:
    machine.drive_of(4)
    machine.insert("L4")
    drive = machine.open()
    drive.format({})
    drive.write_block(block(1))
    drive.write_filemark()
    drive.rewind()
    assert rest_of(drive) == [block(1), Mark.FILEMARK]


def test_the_chip_says_what_the_label_says(machine: Machine) -> None:
    machine.insert()
    drive = machine.open()
    drive.format({"label.json": b'{"barcode": "WED001L6", "pool": "daily", "tool": "tapekit 0.1.0"}'})
    found = drive.attributes()
    assert (found["barcode"], found["pool"], found["user_label"]) == ("WED001L6", "daily", "WED001L6")
    assert (found["application_name"], found["application_version"]) == ("tapekit", "0.1.0")
    assert machine.open().medium().barcode == "WED001L6"


def test_a_chip_that_takes_nothing_is_no_reason_to_stop(machine: Machine) -> None:
    machine.insert()
    drive = machine.open()
    machine.script(Fault(Effect.SENSE, c.WRITE_ATTRIBUTE.opcode, times=99, sense=Sense(Key.ILLEGAL_REQUEST, 0x20)))
    drive.format({"label.json": b'{"barcode": "WED001L6"}'})
    assert drive.medium().content is Content.CARTRIDGE
    assert mam.BY_ID[mam.BARCODE].name not in drive.attributes()


def test_what_is_left_is_what_the_chip_says(machine: Machine, drive: TapeDrive) -> None:
    whole = drive.medium()
    assert (whole.capacity_bytes, whole.remaining_bytes) == (3 << 20, 3 << 20)  # 4 MB, in whole MiB
    drive.to_end_of_data()
    for number in range(20):
        drive.write_block(block(number, 100_000))
    assert drive.medium().remaining_bytes == (3 << 20) - 2_000_000
    drive.write_filemark()
    assert drive.medium().remaining_bytes == 1 << 20


def test_a_changer_is_no_tape_drive(machine: Machine) -> None:
    class Changer:
        node = "/dev/sg2"

        def execute(self, command: bytes, *, data_in: memoryview, **_: object) -> Reply:
            answer = inquiry.build(Inquiry(DeviceType.CHANGER, "BDT", "FlexStor II", "1"))
            data_in[: len(answer)] = answer
            return Reply(0, None, len(answer))

    with pytest.raises(NoDevice, match="no tape drive, but a changer"):
        TapeDrive("tape:/dev/sg2", Changer())  # type: ignore[arg-type]


def test_ejected_and_loaded_again(machine: Machine, drive: TapeDrive) -> None:
    drive.lock(locked=True)
    assert machine.deck.is_removal_prevented
    drive.eject()
    assert machine.deck.cartridge is None
    assert not drive.medium().present
    drive.load()
    assert drive.medium().content is Content.CARTRIDGE
    assert drive.read_block() == block(0)
