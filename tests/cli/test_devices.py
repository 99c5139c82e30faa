"""tapekit devices: a table for a person, keys for programs, changes as they come."""

import json
from pathlib import Path

import pytest

from drivers.base import Health
from drivers.discover import Device, Kind, Missing
from tapekit.cli import devices as command
from tapekit.jobs import devices
from tapekit.jobs.devices import Seen
from tests.cli.conftest import Run
from tests.docs.test_json_keys import documented, keys

RDX = Device(Kind.RDX, "/dev/disk/by-id/usb-RDX", ("/dev/sdb",), "TANDBERG", "RDX", "D-1")
TAPE = Device(Kind.TAPE, "/dev/nst0", ("/dev/sg1", "/dev/nst0"), "IBM", "ULTRIUM-HH6", "1")
PORT = Device(Kind.SERIAL, "/dev/ttyUSB0", ("/dev/ttyUSB0",), "FTDI", "FT232R")
SEEN = [
    Seen(RDX, "disk:/dev/disk/by-id/usb-RDX", "cartridge", "MON-1", capacity_bytes=10**12, remaining_bytes=10**11,
         health=Health(notes=("hard error",), counters={"loads": 3})),
    Seen(TAPE, "tape:/dev/nst0", missing=Missing("/dev/sg1", "tape")),
    Seen(PORT),
]  # fmt: skip


@pytest.fixture(autouse=True)
def _found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "run", lambda state, is_looking, before: SEEN)


def test_a_table(run: Run) -> None:
    ran = run("devices")
    assert ran.code == 0
    heading, rdx, _, port, *notes = ran.out.splitlines()
    assert heading.split()[0] == "kind"
    assert rdx.split()[-5:] == ["backup,", "verify,", "list,", "restore,", "eject"]
    assert "MON-1" in rdx
    assert port.split()[-2:] == ["scan,", "loader"]
    assert notes == [
        "disk:/dev/disk/by-id/usb-RDX: hard error",
        "tape:/dev/nst0: no permission for /dev/sg1: usermod -aG tape USER, and log in again",
    ]


def test_for_a_program(run: Run) -> None:
    answer = run("devices", "--json").answer
    in_prose = {"devices[].health.counters.loads"}
    assert set(keys(answer)) - in_prose == documented("devices")


def test_changes_are_told_until_somebody_stops(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter((SEEN, SEEN, SEEN[1:]))
    monkeypatch.setattr(devices, "run", lambda state, is_looking, before: next(looks))

    class Twice:
        waited = 0

        def wait(self, timeout_s: float) -> bool:
            self.waited += 1
            if self.waited > 2:
                raise KeyboardInterrupt
            return True

    monkeypatch.setattr(command, "UdevEvents", Twice)
    ran = run("devices", "--watch", "--json")
    assert ran.code == 0
    first, change = map(json.loads, ran.out.splitlines())
    assert len(first["devices"]) == 3
    assert (change["what"], change["device"]["label"]) == ("went", "MON-1")


def test_without_udev_there_is_nothing_to_watch(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def none() -> None:
        raise OSError

    monkeypatch.setattr(command, "UdevEvents", none)
    ran = run("devices", "--watch")
    assert (ran.code, "systemd-udevd" in ran.err) == (4, True)


def test_in_the_sites_language(run: Run, tmp_path: Path) -> None:
    (tmp_path / "tapekit.toml").write_text('[site]\nname = "test"\nlanguage = "fr"\n')
    shown = run("devices").out
    assert shown.startswith("genre")
    assert "pas de droit sur /dev/sg1 : usermod -aG tape USER, puis ouvrez une nouvelle session" in shown.replace(
        "\N{NO-BREAK SPACE}", " "
    )
    assert "cartouche" in shown
