"""A tape drive under the kernel's own st and sg: nights, other people's tools, and what st makes of trouble."""

import dataclasses
import errno
import fcntl
import os
import re
import struct
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from drivers.scsi import commands
from drivers.virtual.faults import Effect, Fault
from fixtures.rig.attach import run as run_well
from fixtures.rig.tape import Station
from formats.scsi.sense import Key, Sense
from tapekit import drives
from tapekit.catalog.store import Store
from tapekit.jobs import backup, label, rebuild
from tapekit.model import Rung
from tapekit.progress import Silent
from tapekit.report.night import Outcome
from tests.cli.conftest import Run
from tests.jobs.cartridges import evidences, request
from tests.recorded.sessions import two_nights
from tests.recorded.ways import recording
from tests.rig.site import PROVEN, UsbSite

RESCUE = Path(__file__).parents[2] / "tapekit" / "rescue" / "rescue.py"
NOW = datetime(2026, 3, 2, 22, 0, tzinfo=UTC)
MTIOCTOP = 0x40086D01
BSR, REWIND, SET_BLOCK_SIZE, SET_OPTIONS = 4, 6, 20, 24


@pytest.fixture(scope="module")
def attached(tmp_path_factory: pytest.TempPathFactory) -> Station:
    """iscsistart leaves nobody behind who could log in again: one drive for all tests."""
    return Station(tmp_path_factory.mktemp("cartridges"))


@pytest.fixture
def station(attached: Station) -> Iterator[Station]:
    yield attached
    attached.script()
    attached.take_out()


@pytest.fixture
def site(tmp_path: Path, station: Station) -> UsbSite:
    made = UsbSite(tmp_path, url=f"tape:{station.st}", options={"parity": False, "spool": None, "sample_restore": 0})
    (made.source / "database").write_bytes(os.urandom(2 << 20))
    return made


def test_a_night_and_three_ways_back(site: UsbSite, station: Station, tmp_path: Path) -> None:
    site.options["sample_restore"] = 2
    station.insert("TK0001")
    night = site.next_night()  # which lets the cartridge go in the end
    assert (night.outcome, frozenset(night.rungs)) == (Outcome.CLEAN, PROVEN | {Rung.SAMPLE_RESTORED}), night
    station.insert("TK0001")
    run_well("python3", str(RESCUE), "restore", station.st, "--to", str(tmp_path / "all"))
    for name in ("file", "database"):
        assert next((tmp_path / "all").rglob(name)).read_bytes() == (site.source / name).read_bytes()

    (tmp_path / "kit").mkdir()
    run_well("mt", "-f", station.st, "rewind")
    run_well("mt", "-f", station.st, "fsf", "1")
    run_well("tar", "-b", "20", "-xf", station.st, cwd=tmp_path / "kit")
    assert (tmp_path / "kit" / "rescue.py").read_bytes() == RESCUE.read_bytes()


def test_two_nights_read_back_and_a_file_by_locate(run: Run, site: UsbSite, station: Station, shared: Path) -> None:
    station.insert("MON-1")
    read = 0
    with recording(shared / "recorded", "nights", drive=station.sg):
        for _ in two_nights(run, site):
            station.insert("MON-1")
            read = station.deck.totals.host_read
    assert station.deck.totals.host_read - read < (site.source / "database").stat().st_size


def test_the_catalog_comes_back_from_six_cartridges(station: Station, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    url, archives = f"tape:{station.st}", {}
    for number in range(6):
        name = f"SIX{number:03}"
        station.insert(name)
        (source / name).write_text(name)
        drive = drives.open_drive(url, {}, writable=True)
        label.run(drive, barcode=name, pool="daily", block_bytes=None, destroy=None)
        wanted = dataclasses.replace(request(source, job="nightly"), site="here")
        archives[name] = [backup.run(drive, wanted, Silent(), evidences()).archive]
        drive.close()
    with Store.open(tmp_path / "catalog.sqlite", "here") as store:
        for name in archives:
            station.insert(name)
            drive = drives.open_drive(url, {}, writable=False)
            assert not rebuild.run(drive, store, evidences(), NOW, adopt=False).problems
            drive.close()
        known = store.stock().cartridges
        assert {cartridge.name: [copy.archive for copy in cartridge.copies] for cartridge in known} == archives
        found = {Path(os.fsdecode(version.entry.path)).name for version in store.find("*/SIX*")}
    assert found == set(archives)


def test_other_tools_see_what_tapekit_sees(station: Station) -> None:
    station.insert("TK0002")
    drive = drives.open_drive(f"tape:{station.st}", {}, writable=True)
    drive.format({"label.json": b'{"barcode": "TK0002", "pool": "daily"}'})
    for number in range(3):
        drive.write_block(b"TKBLOCK1" + bytes([number]) * 100_000)
    drive.write_filemark()
    drive.write_block(b"TKBLOCK1".ljust(5000))
    assert drive.position().file == 1
    drive.close()
    drive = drives.open_drive(f"tape:{station.st}", {}, writable=False)
    identity, medium, counters = drive.identify(), drive.medium(), drive.health().counters
    drive.locate(1, 1)
    drive.close()

    assert "At block 5." in run_well("mt", "-f", station.st, "tell")
    status = run_well("mt", "-f", station.st, "status")
    assert "LTO-6" in status
    assert "WR_PROT" not in status
    attributes = run_well("sg_read_attr", station.sg)
    assert re.search(r"Medium serial number: (\S+)", attributes)[1] == medium.serial  # type: ignore[index]
    assert re.search(r"Barcode: (\S+)", attributes)[1] == medium.barcode == "TK0002"  # type: ignore[index]
    assert re.search(r"Media pool: (\S+)", attributes)[1] == "daily"  # type: ignore[index]
    volume = run_well("sg_logs", "--page=0x17", station.sg)
    assert re.search(r"Volume serial number: (\S+)", volume)[1] == medium.serial  # type: ignore[index]
    assert int(re.search(r"Thread count: (\d+)", volume)[1]) == counters["cartridge: mounts"]  # type: ignore[index]
    station.deck.alerts.add(20)
    assert "Flag11h: 0  12h: 0  13h: 0  14h: 1" in run_well("sg_logs", "--page=0x12", station.sg)
    drive = drives.open_drive(f"tape:{station.st}", {}, writable=False)
    assert drive.health().flags
    drive.close()
    assert identity.serial in run_well("sg_vpd", "--page=sn", station.sg)


def operate(fd: int, operation: int, count: int = 1) -> None:
    fcntl.ioctl(fd, MTIOCTOP, struct.pack("@hxxi", operation, count))


@pytest.fixture
def node(station: Station) -> Iterator[int]:
    station.insert("TK0003", 3_000_000)
    fd = os.open(station.st, os.O_RDWR)
    operate(fd, SET_BLOCK_SIZE, 0)
    operate(fd, REWIND)
    yield fd
    os.close(fd)


def test_st_at_the_end_of_the_tape(node: int) -> None:
    """Early warning: this write is done, the next says so, the next is done; until nothing is written any more."""
    answers = []
    for number in range(64):
        try:
            answers.append(os.write(node, os.urandom(65_535) + bytes([number])))
        except OSError as error:
            answers.append(-(error.errno or 0))
    full = -errno.ENOSPC
    first = answers.index(full)
    assert set(answers[:first]) == {65_536}
    assert answers[first : first + 6] == [full, 65_536] * 3
    assert answers[-4:] == [full] * 4
    written = answers.count(65_536)
    operate(node, REWIND)
    for number in range(written):
        assert len(os.read(node, 1 << 20)) == 65_536, number


def test_st_with_a_block_that_is_too_large(node: int) -> None:
    os.write(node, b"1" * 5000)
    os.write(node, b"2" * 10)
    operate(node, REWIND)
    with pytest.raises(OSError, match="Cannot allocate memory"):
        os.read(node, 1000)
    assert os.read(node, 1000) == b"2" * 10
    operate(node, BSR, 2)
    assert os.read(node, 5000) == b"1" * 5000


def test_st_after_a_reset_and_a_bad_block(node: int, station: Station) -> None:
    for number in range(3):
        os.write(node, bytes([number]) * 1000)
    operate(node, REWIND)
    unreadable = Sense(Key.MEDIUM_ERROR, 0x11, 0x00)
    station.script(Fault(Effect.SENSE, commands.READ.opcode, call=2, sense=unreadable))
    assert os.read(node, 1000) == bytes(1000)
    with pytest.raises(OSError, match="Input/output error"):
        os.read(node, 1000)
    station.script(Fault(Effect.QUIET_RESET, commands.READ.opcode))
    for _ in range(2):  # and everything until the place is known again
        with pytest.raises(OSError, match="Input/output error"):
            os.read(node, 1000)
    operate(node, REWIND)
    assert os.read(node, 1000) == bytes(1000)
