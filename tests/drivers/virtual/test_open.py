import sqlite3
from pathlib import Path

import pytest

from drivers.base import Content
from drivers.errors import BadAddress, Busy, DriveError, ForeignMedium, NoDevice
from drivers.scsi import commands
from drivers.tape import virtual
from drivers.virtual.tape.open import unit_of
from drivers.virtual.tape.unit import TapeUnit
from drivers.virtual.transport import VirtualTransport


def opened(path: str, *, writable: bool = True) -> TapeUnit:
    return unit_of(path, writable=writable)


def test_a_cartridge_is_made_when_it_is_described(tmp_path: Path) -> None:
    path = tmp_path / "a.tape"
    with pytest.raises(NoDevice, match="no such file"):
        opened(str(path))
    unit = opened(f"{path}?generation=7&medium=L6&capacity=2M&warning=100k&barcode=TK0001L6&serial=X1")
    assert unit.deck.cartridge
    assert (unit.deck.cartridge.capacity, unit.deck.cartridge.early_warning) == (2_000_000, 100_000)
    assert (unit.deck.drive.number, unit.deck.names.serial) == (7, "X1")
    with pytest.raises(Busy):
        opened(str(path))
    unit.deck.close()
    again = opened(str(path))  # the drive that it is made for
    assert again.deck.drive.number == 6
    again.deck.close()


@pytest.mark.parametrize(
    ("query", "error"),
    (
        ("generation=2", BadAddress),
        ("generation=six", BadAddress),
        ("size=1", BadAddress),
        ("generation=6&capacity=-1", BadAddress),
        ("generation=6&medium=L0", BadAddress),
        ("medium=L6", NoDevice),
        ("generation=6&faults=/nowhere", NoDevice),
    ),
)
def test_what_means_nothing_makes_nothing(tmp_path: Path, query: str, error: type[DriveError]) -> None:
    with pytest.raises(error):
        opened(f"{tmp_path}/a.tape?{query}")
    assert not list(tmp_path.iterdir())


def test_other_files_are_not_touched(tmp_path: Path) -> None:
    for name in ("text", "database"):
        path = tmp_path / name
        if name == "text":
            path.write_bytes(b"not a database" * 100)
        else:
            with sqlite3.connect(path) as database:
                database.execute("CREATE TABLE fact (name, value)")
            database.close()
        before = path.read_bytes()
        with pytest.raises(ForeignMedium):
            opened(f"{path}?generation=6")
        assert path.read_bytes() == before


def test_opened_for_reading_nothing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a.tape"
    opened(f"{path}?generation=6&capacity=1M").deck.close()
    before = path.read_bytes()
    unit = opened(str(path), writable=False)
    transport = VirtualTransport("drive", unit)
    with pytest.raises(commands.CommandFailed, match="06/29/01"):
        commands.test_unit_ready(transport)
    unit.deck.attentions.clear()
    assert not commands.mode_sense(transport, 0).is_write_protected  # the slider is not set
    for command in (commands.WRITE_FILEMARKS, commands.ERASE, commands.WRITE_ATTRIBUTE):
        with pytest.raises(commands.CommandFailed, match="07/27/00"):
            commands.run(transport, command, (4, 1, 1) if command.size == 6 else (13, 1, 0))
    unit.deck.close()
    assert path.read_bytes() == before


def test_a_script_beside_it(tmp_path: Path) -> None:
    script = tmp_path / "bad.night"
    script.write_text("test unit ready: attention 06/2A/01\n")
    unit = opened(f"{tmp_path}/a.tape?generation=6&faults={script}")
    transport = VirtualTransport("drive", unit)
    with pytest.raises(commands.CommandFailed, match="06/29/01"):
        commands.test_unit_ready(transport)
    with pytest.raises(commands.CommandFailed, match="06/28/00"):
        commands.test_unit_ready(transport)
    with pytest.raises(commands.CommandFailed, match="06/2A/01"):
        commands.test_unit_ready(transport)
    unit.deck.close()


def test_the_driver_above_takes_it(tmp_path: Path) -> None:
    drive = virtual.open_drive(f"{tmp_path}/a.tape?generation=6&capacity=4M", writable=True)
    assert drive.medium().content is Content.BLANK
    drive.format({})
    drive.write_block(b"TKBLOCK1".ljust(1000))
    drive.write_filemark()
    drive.rewind()
    assert drive.read_block() == b"TKBLOCK1".ljust(1000)
    assert drive.health().flags == frozenset()
    drive.close()
    new = virtual.open_drive(f"{tmp_path}/b.tape?generation=9&capacity=4M&new=1", writable=True)  # and nobody waits
    assert new.medium().content is Content.BLANK
    new.close()
