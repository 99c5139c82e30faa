"""Every row of the table of what sense data means, driven through the driver; docs/faults.md has the same rows."""

from pathlib import Path

import pytest

from drivers.base import Mark, Position
from drivers.errors import DriveError, MediumError, NoMedium
from drivers.scsi import commands as c
from drivers.scsi.sensetable import ROWS, Row, Way
from drivers.scsi.transport import CHECK_CONDITION
from drivers.tape.drive import TapeDrive
from drivers.virtual.faults import FOREVER, Effect, Fault
from formats.scsi.sense import Key, Sense

from .conftest import Machine, block

DOCUMENT = Path(__file__).parents[3] / "docs" / "faults.md"
READ, WRITE = c.READ.opcode, c.WRITE.opcode


def sense_of(row: Row, **marks: bool) -> Sense:
    """Sense data that the row is about."""
    key = row.key
    if key is None:
        key = Key.NO_SENSE if row.way in (Way.GO_ON, Way.MARK) else Key.NOT_READY
        key = Key.HARDWARE_ERROR if row.way is Way.FAIL else key
    return Sense(key, row.asc, 0x7F if row.ascq is None else row.ascq, **marks)


def rows(*ways: Way) -> "pytest.MarkDecorator":
    chosen = [row for row in ROWS if row.way in ways]
    return pytest.mark.parametrize("row", chosen, ids=[row.code for row in chosen])


def test_each_row_is_of_a_way_that_is_driven_here() -> None:
    assert {row.way for row in ROWS} == set(Way)


@rows(Way.FAIL)
def test_it_stops_with_the_error_of_the_row(machine: Machine, drive: TapeDrive, row: Row) -> None:
    machine.script(Fault(Effect.SENSE, READ, sense=sense_of(row)))
    unsupported = row.key is Key.ILLEGAL_REQUEST and row.asc in {0x20, 0x24}
    with pytest.raises(DriveError if unsupported else row.error, match=row.why if not unsupported else None) as caught:
        drive.read_block()
    if not unsupported:
        assert type(caught.value) is row.error
    assert caught.value.hint == (row.to_do or None)
    if issubclass(row.error, MediumError):
        assert drive.position() == Position(0, 1)  # behind the bad place


@rows(Way.GO_ON)
def test_it_goes_on_and_says_so(machine: Machine, drive: TapeDrive, row: Row) -> None:
    machine.script(Fault(Effect.SENSE_AFTER, READ, sense=sense_of(row)))
    assert drive.read_block() == block(0)
    assert drive.position() == Position(0, 1)
    assert row.why in drive.health().notes


@rows(Way.WAIT)
def test_it_waits_until_that_is_over(machine: Machine, drive: TapeDrive, row: Row) -> None:
    machine.script(Fault(Effect.SENSE, READ, times=20, sense=sense_of(row)))
    begun = machine.clock.now()
    assert drive.read_block() == block(0)
    assert machine.clock.now() - begun >= 20


@rows(Way.WAIT)
def test_it_does_not_wait_for_ever(machine: Machine, drive: TapeDrive, row: Row) -> None:
    machine.script(Fault(Effect.SENSE, READ, times=FOREVER, sense=sense_of(row)))
    with pytest.raises(row.error, match=row.why):
        drive.read_block()


@rows(Way.LOAD)
def test_it_draws_the_cartridge_in(machine: Machine, drive: TapeDrive, row: Row) -> None:
    """At the beginning; afterwards nothing is done any more, as the tape would stand at its beginning."""
    drive.close()
    machine.script(Fault(Effect.SENSE, c.TEST_UNIT_READY.opcode, sense=sense_of(row)))
    opened = machine.open()
    assert opened.read_block() == block(0)
    machine.script(Fault(Effect.SENSE, READ, sense=sense_of(row)))
    with pytest.raises(row.error, match=row.why):
        opened.read_block()
    with pytest.raises(NoMedium):
        opened.rewind()
    assert not opened.medium().present


@rows(Way.AGAIN)
def test_it_tries_once_more(machine: Machine, drive: TapeDrive, row: Row) -> None:
    machine.script(Fault(Effect.SENSE, READ, sense=sense_of(row)))
    assert drive.read_block() == block(0)
    machine.script(Fault(Effect.SENSE, READ, times=2, sense=sense_of(row)))
    with pytest.raises(row.error, match=row.why):
        drive.read_block()


@rows(Way.MARK)
def test_it_is_part_of_the_model(machine: Machine, drive: TapeDrive, row: Row) -> None:
    match row.code:
        case "../00/01":
            machine.script(Fault(Effect.SENSE, READ, sense=sense_of(row, filemark=True)))
            assert drive.read_block() is Mark.FILEMARK
        case "08/00/05" | "08/00/00" | "../00/05":
            machine.script(Fault(Effect.SENSE, READ, sense=sense_of(row)))
            assert drive.read_block() is Mark.END_OF_DATA
        case "../00/02" | "../00/07":
            drive.to_end_of_data()
            machine.script(Fault(Effect.SENSE_AFTER, WRITE, sense=sense_of(row, eom=True)))
            assert drive.write_block(block(1)) is True
            assert drive.write_block(block(2)) is True
        case "../00/04":
            machine.script(Fault(Effect.SENSE_AFTER, c.REWIND.opcode, sense=sense_of(row, eom=True)))
            drive.rewind()
            assert drive.position() == Position(0, 0)
        case other:
            pytest.fail(f"{other}: nothing drives it")


def test_busy_is_waited_for_and_not_for_ever(machine: Machine, drive: TapeDrive) -> None:
    for status in (0x08, 0x18, 0x28):
        drive.rewind()
        machine.script(Fault(Effect.STATUS, READ, times=10, status=status))
        assert drive.read_block() == block(0)
    machine.script(Fault(Effect.STATUS, READ, times=FOREVER, status=0x18))
    with pytest.raises(DriveError, match="reserved by another computer"):
        drive.read_block()
    assert CHECK_CONDITION != 0x18


def test_a_deferred_error_that_the_drive_recovered_from_costs_nothing(machine: Machine, drive: TapeDrive) -> None:
    """It speaks of an earlier command; the one that it came with was not done, and is sent again."""
    drive.to_end_of_data()
    drive.write_block(block(1))
    sense = Sense(Key.RECOVERED_ERROR, 0x0C, 0x00, is_deferred=True)
    machine.script(Fault(Effect.SENSE, WRITE, sense=sense))
    drive.write_block(block(2))
    drive.write_filemark()
    drive.locate(2)
    assert [drive.read_block(), drive.read_block(), drive.read_block()] == [block(1), block(2), Mark.FILEMARK]


def test_the_documentation_has_every_row() -> None:
    """If this fails: python tools/fault_page.py."""
    documented = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("| `")]
    assert documented == [f"| `{row.code}` | {row.why} | {row.way.value} | {row.to_do} |" for row in ROWS]
