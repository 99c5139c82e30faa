"""Sessions of the rig, played without it: the same commands, the same understanding. docs/rig.md: made how."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drivers.changer.open import open_changer
from drivers.scsi.record import UnexpectedCommand
from tests.cli.conftest import Run
from tests.recorded.sessions import a_night_of_its_changer, moves, two_nights
from tests.recorded.ways import Playing, transcript
from tests.rig.site import UsbSite

Play = Callable[[str], Playing]


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Play]:
    """Devices that answer as in a session, which has to be played to its end."""
    made: list[Playing] = []

    def begin(name: str) -> Playing:
        made.append(Playing(monkeypatch, tmp_path / "machine", transcript(name)))
        return made[0]

    yield begin
    assert [each.left() for each in made] == [[]]


def test_two_nights(run: Run, play: Play, tmp_path: Path) -> None:
    site = UsbSite(tmp_path, url=play("nights").drive, options={"parity": False, "spool": None})
    for _ in two_nights(run, site):
        pass


def test_a_night_of_its_changer(run: Run, play: Play, tmp_path: Path) -> None:
    devices = play("changer-night")
    site = UsbSite(tmp_path, url=devices.drive, options={"parity": False, "spool": None})
    a_night_of_its_changer(run, site, devices.changer, "TL0001L6")


def test_moves_of_a_changer_by_others(play: Play) -> None:
    devices = play("tgt-changer")
    where, after = moves(lambda: open_changer(devices.changer.partition(":")[2]))
    assert where == {
        "drive 0": "TB0003L6", "drive 1": "TB0001L6", "slot 4": "TB0004L6", "import/export slot 7": "TB0002L6",
    }  # fmt: skip
    assert after == {f"slot {at}": f"TB000{at}L6" for at in range(1, 5)}


def test_another_command_than_the_recorded_one_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [line.replace("changer b8", "changer b9") for line in transcript("tgt-changer")]
    devices = Playing(monkeypatch, tmp_path / "machine", lines)
    with pytest.raises(UnexpectedCommand, match="changer b8"):
        next(moves(lambda: open_changer(devices.changer.partition(":")[2])))
