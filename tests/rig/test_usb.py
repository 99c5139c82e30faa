"""A disk at a USB port, pulled, broken and protected: nothing that was safe is lost, and the next night is saved."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drivers import disk
from drivers.base import Drive, Mark
from drivers.errors import MediumError, NoMedium
from fixtures.rig.qemu import Qemu
from fixtures.rig.usb import DISK, IO_ERROR, MEDIUM_ERROR, BadSector, Dock, Medium
from formats.gpt import LOG_START
from tapekit.errors import Exit
from tapekit.report.night import Outcome
from tests.rig.site import PROVEN, UsbSite

SIZE_BYTES = 48 << 20
PLACES = 10
BLOCKS = [bytes([number]) * 60_000 for number in range(40)]
"""Each takes 15 units of 4,096 bytes of the log, with its header."""


@pytest.fixture
def dock(qemu: Qemu) -> Iterator[Dock]:
    made = Dock(qemu, "WX11A", model=DISK)
    yield made
    made.clear()


@pytest.fixture
def medium(shared: Path) -> Iterator[Medium]:
    made = Medium.blank(shared / "medium", SIZE_BYTES)
    yield made
    made.path.unlink()


@pytest.fixture
def site(tmp_path: Path, dock: Dock) -> UsbSite:
    made = UsbSite(tmp_path, url=f"disk:{dock.link}", options={"parity": False, "incremental": False})  # whole nights
    (made.source / "database").write_bytes(os.urandom(3 << 20))
    return made


AtCall = Callable[[pytest.MonkeyPatch, str, int, Callable[[], None]], list[str]]


@pytest.fixture
def at_call() -> AtCall:
    """Do something just before the nth call of a function of `os`; what it returns grows with each call."""

    def arrange(patch: pytest.MonkeyPatch, name: str, number: int, then: Callable[[], None]) -> list[str]:
        calls: list[str] = []
        real: Callable[..., int] = getattr(os, name)

        def counted(*arguments: object) -> int:
            calls.append(name)
            if len(calls) == number:
                then()
            return real(*arguments)

        patch.setattr(os, name, counted)
        return calls

    return arrange


def labelled(path: str) -> None:
    """A cartridge with one file of blocks."""
    drive = disk.open_drive(path, writable=True)
    drive.format({"README.txt": b"a cartridge"})
    for block in BLOCKS:
        drive.write_block(block)
    drive.write_filemark()
    drive.close()


def sector_of(block: int) -> int:
    """The first sector of a block's record in such a cartridge."""
    return (LOG_START + 2 * 4096 + block * 15 * 4096) // 512


def read_to_the_end(drive: Drive) -> None:
    while drive.read_block() is not Mark.END_OF_DATA:
        pass


def digest(medium: Medium) -> str:
    return hashlib.sha256(medium.path.read_bytes()).hexdigest()


def test_pulled_out_at_ten_places_of_writing(
    site: UsbSite, dock: Dock, medium: Medium, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_call: AtCall
) -> None:
    """Ten times the same evening: it breaks off at another write, and the next night is saved beside what was there."""
    site.options["spool"] = None
    dock.plug(medium)
    first = site.run()
    assert (first.outcome, set(first.rungs) >= PROVEN) == (Outcome.CLEAN, True), first
    with monkeypatch.context() as patch:
        calls = at_call(patch, "pwritev", 0, dock.pull)
        assert site.next_night().outcome is Outcome.CLEAN
    assert len(calls) >= PLACES
    dock.unplug()
    evening = tmp_path / "evening"
    shutil.copytree(site.root / "state", evening / "state")
    shutil.copy(medium.path, evening / "medium")
    for place in range(PLACES):
        shutil.copy(evening / "medium", medium.path)
        shutil.rmtree(site.root / "state")
        shutil.copytree(evening / "state", site.root / "state")
        dock.plug(medium)
        with monkeypatch.context() as patch:
            at_call(patch, "pwritev", 1 + place * len(calls) // PLACES, dock.pull if place % 2 else dock.unplug)
            broken = site.next_night()
        assert (broken.outcome, broken.exit_code) == (Outcome.FAILED, Exit.CARTRIDGE), broken
        assert "the device went away" in broken.problems[0].detail, broken
        dock.plug(medium)
        night = site.next_night()
        assert (night.outcome, set(night.rungs) >= PROVEN) == (Outcome.CLEAN, True), night
        # At the last of the places the night that broke off was already whole, though nobody could say so.
        assert site.archives() - 3 in {0, 1}
        if place == PLACES - 1:  # it takes its time
            assert site.whole_archives() == site.archives()
        dock.unplug()


@pytest.mark.parametrize("is_noticed", (True, False))
def test_pulled_out_in_the_middle_of_reading_is_not_the_end_of_data(
    dock: Dock,
    medium: Medium,
    is_noticed: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
    at_call: AtCall,
) -> None:
    labelled(dock.plug(medium))
    drive = disk.open_drive(dock.link, writable=False)
    drive.rewind()
    assert drive.read_block() == BLOCKS[0]
    at_call(monkeypatch, "preadv", 3, dock.unplug if is_noticed else dock.pull)
    with pytest.raises(NoMedium, match="went away") as gone:
        read_to_the_end(drive)
    assert gone.value.hint == "put it in again"
    with pytest.raises(NoMedium):
        drive.read_block()
    drive.close()


def test_a_night_pulled_out_while_it_is_read_back_does_not_count(
    site: UsbSite, dock: Dock, medium: Medium, monkeypatch: pytest.MonkeyPatch, at_call: AtCall
) -> None:
    dock.plug(medium)
    assert site.run().outcome is Outcome.CLEAN
    with monkeypatch.context() as patch:

        def reading_back() -> None:
            at_call(patch, "preadv", 5, dock.pull)

        at_call(patch, "pwritev", 11, reading_back)  # the last one
        report = site.next_night()
    assert report.outcome is Outcome.SPOOLED, report
    assert ["the device went away" in problem.detail for problem in report.problems] == [True], report
    dock.plug(medium)
    assert (site.next_night().outcome, site.whole_archives()) == (Outcome.CLEAN, 4)


@pytest.mark.parametrize("error", (MEDIUM_ERROR, IO_ERROR))
def test_a_bad_sector_is_one_bad_block(dock: Dock, medium: Medium, error: int) -> None:
    labelled(dock.plug(medium))
    dock.unplug()
    dock.plug(Medium(medium.path, bad=(BadSector(sector_of(20) + 9, error=error),)))
    drive = disk.open_drive(dock.link, writable=False)
    drive.rewind()
    for number, block in enumerate(BLOCKS):
        if number == 20:
            with pytest.raises(MediumError, match="medium error: byte") as bad:
                drive.read_block()
            assert (bad.value.file, bad.value.block) == (0, 20)
        else:
            assert drive.read_block() == block
    assert drive.read_block() is Mark.FILEMARK
    drive.close()


@pytest.mark.parametrize(
    ("is_for_writing", "error", "why"),
    (
        (True, MEDIUM_ERROR, "it took no end of its part"),
        (True, IO_ERROR, "it took no end of its part"),
        (False, MEDIUM_ERROR, "medium error"),
    ),
)
def test_a_night_that_meets_bad_sectors_is_saved_elsewhere(
    site: UsbSite,
    dock: Dock,
    medium: Medium,
    is_for_writing: bool,  # noqa: FBT001
    error: int,
    why: str,
) -> None:
    """They take no data; or they took it, and reading back shows that it is lost."""
    dock.plug(medium)
    assert site.run().outcome is Outcome.CLEAN
    dock.unplug()
    bad = (BadSector(number, is_for_writing, error) for number in range(23000, 23100))
    dock.plug(Medium(medium.path, bad=tuple(bad)))
    report = site.next_night()
    assert report.outcome is Outcome.SPOOLED, report
    assert [why in problem.detail for problem in report.problems] == [True], report.problems
    if not is_for_writing:
        dock.unplug()
        dock.plug(medium)
    assert site.whole_archives() == (1 if is_for_writing else 2)


def test_a_protected_disk_is_read_and_not_changed(site: UsbSite, dock: Dock, medium: Medium) -> None:
    dock.plug(medium)
    assert site.run().outcome is Outcome.CLEAN
    dock.unplug()
    before = digest(medium)
    dock.plug(Medium(medium.path, is_write_protected=True))
    assert site.whole_archives() == 1
    report = site.next_night()
    assert report.outcome is Outcome.SPOOLED, report
    dock.unplug()
    assert digest(medium) == before
