"""A faulty drive fails where the script says, and nowhere else."""

import functools
from collections.abc import Callable

import pytest

from drivers.base import Identity, Mark, Position
from drivers.errors import Busy, DriveReset, EndOfMedium, MediumError, NoMedium
from drivers.faults import FOREVER, Call, Fault, FaultKind, FaultyDrive, Operation
from drivers.recordlog.drive import RecordLogDrive
from fixtures.storage import MemoryStorage

BLOCKS = [bytes([number]) * 1000 for number in range(4)]


def faulty(*script: Fault) -> FaultyDrive:
    """A drive with one file of four blocks, which stands at its beginning."""
    drive = RecordLogDrive("memory:", Identity("memory"), MemoryStorage(bytearray(8 << 20)))
    drive.format({"README.txt": b"a cartridge"})
    for block in BLOCKS:
        drive.write_block(block)
    drive.write_filemark()
    drive.rewind()
    return FaultyDrive(drive, script)


def test_a_medium_error_at_a_block_comes_every_time_and_the_next_block_is_read() -> None:
    drive = faulty(Fault(Operation.READ_BLOCK, Position(0, 1), FaultKind.MEDIUM_ERROR, times=FOREVER))
    for _ in range(2):
        drive.rewind()
        assert drive.read_block() == BLOCKS[0]
        with pytest.raises(MediumError, match="block 1 of file 0") as error:
            drive.read_block()
        assert (error.value.file, error.value.block) == (0, 1)
        assert drive.position() == Position(0, 2)
        assert drive.read_block() == BLOCKS[2]


def test_a_fault_that_is_over_does_not_come_again() -> None:
    drive = faulty(Fault(Operation.READ_BLOCK, Position(0, 1), FaultKind.MEDIUM_ERROR))
    drive.locate(0, 1)
    with pytest.raises(MediumError):
        drive.read_block()
    drive.locate(0, 1)
    assert drive.read_block() == BLOCKS[1]


def test_a_medium_error_on_writing_writes_nothing() -> None:
    drive = faulty(Fault(Operation.WRITE_BLOCK, Position(1, 0), FaultKind.MEDIUM_ERROR))
    drive.to_end_of_data()
    with pytest.raises(MediumError, match="block 0 of file 1"):
        drive.write_block(b"new")
    assert drive.position() == Position(1, 0)
    assert drive.read_block() is Mark.END_OF_DATA


def test_early_warning_from_a_call_on() -> None:
    drive = faulty(Fault(Operation.WRITE_BLOCK, Call(3), FaultKind.EARLY_WARNING, times=FOREVER))
    drive.to_end_of_data()
    assert [drive.write_block(b"new") for _ in range(4)] == [False, False, True, True]


def test_end_of_medium_leaves_what_is_there() -> None:
    drive = faulty(Fault(Operation.WRITE_BLOCK, Call(2), FaultKind.END_OF_MEDIUM, times=FOREVER))
    drive.to_end_of_data()
    drive.write_block(b"new")
    for _ in range(2):
        with pytest.raises(EndOfMedium):
            drive.write_block(b"newer")
    drive.write_filemark()
    drive.locate(1)
    assert [drive.read_block(), drive.read_block()] == [b"new", Mark.FILEMARK]


def test_a_torn_write_is_only_seen_when_it_is_read_back() -> None:
    drive = faulty(Fault(Operation.WRITE_BLOCK, Position(1, 1), FaultKind.TORN_WRITE, kept_bytes=3))
    drive.to_end_of_data()
    for block in (b"first", b"second", b"third"):
        drive.write_block(block)
    drive.write_filemark()
    drive.locate(1)
    assert [drive.read_block() for _ in range(3)] == [b"first", b"sec\0\0\0", b"third"]


def test_after_a_reset_the_position_is_lost_until_it_is_found_again() -> None:
    ways: list[Callable[[FaultyDrive], None]] = [
        FaultyDrive.rewind, FaultyDrive.to_end_of_data, lambda drive: drive.locate(0, 2),
    ]  # fmt: skip
    for way in ways:
        drive = faulty(Fault(Operation.READ_BLOCK, Call(2), FaultKind.RESET))
        drive.read_block()
        lost: list[Callable[[], object]] = [
            drive.read_block, drive.position, drive.write_filemark, functools.partial(drive.write_block, b"x"),
        ]  # fmt: skip
        for operation in lost:
            with pytest.raises(DriveReset):
                operation()
        way(drive)
        drive.position()
        drive.read_block()


def test_a_cartridge_that_went_away_is_back_after_load() -> None:
    drive = faulty(Fault(Operation.READ_BLOCK, Call(1), FaultKind.NO_MEDIUM))
    for operation in (drive.read_block, drive.rewind, drive.write_filemark, drive.eject):
        with pytest.raises(NoMedium):
            operation()
    assert not drive.medium().present
    drive.load()
    assert drive.medium().present
    drive.rewind()
    assert drive.read_block() == BLOCKS[0]


@pytest.mark.parametrize("operation", Operation)
def test_every_operation_can_be_busy_once(operation: Operation) -> None:
    drive = faulty(Fault(operation, Call(1), FaultKind.BUSY))
    arguments: dict[Operation, tuple[object, ...]] = {
        Operation.FORMAT: ({},), Operation.WRITE_BLOCK: (b"new",), Operation.LOCATE: (0, 0),
    }  # fmt: skip
    method = getattr(drive, operation.value)
    with pytest.raises(Busy, match=operation.value):
        method(*arguments.get(operation, ()))
    method(*arguments.get(operation, ()))


def test_a_script_that_means_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="only write_block"):
        Fault(Operation.READ_BLOCK, Call(1), FaultKind.TORN_WRITE)
    with pytest.raises(ValueError, match="number of the call"):
        Fault(Operation.REWIND, Position(0, 0), FaultKind.BUSY)
