"""Nights whose drive a changer fills: the right cartridge is brought and put back, and what goes wrong is told."""

import dataclasses
from pathlib import Path

import pytest

from drivers.changer import virtual
from drivers.changer.changer import Changer
from drivers.errors import DeviceFailure, DriveError
from drivers.tape.drive import TapeDrive
from drivers.virtual.changer import Plan, add, make
from drivers.virtual.tape.cartridge import Cartridge
from tapekit import clock
from tapekit.jobs import check
from tapekit.jobs.nightly.rehearsal import rehearse
from tapekit.report.night import NightReport, Outcome
from tests.jobs.nightly.site import Site

MB = 10**6
NAMES = ("TB0001L6", "TB0002L6", "TB0003L6")


@dataclasses.dataclass
class ChangerSite(Site):
    """A drive, and a changer of four slots that fills it."""

    @property
    def folder(self) -> Path:
        return self.root / "changer"

    @property
    def url(self) -> str:
        return f"virtual:{self.folder}/drive-0"

    def content(self) -> dict[str, object]:
        return super().content() | {"drives": {"rdx": {"url": self.url, "changer": f"virtual-changer:{self.folder}"}}}

    def where(self) -> dict[str, str]:
        changer = virtual.open_changer(str(self.folder))
        found = changer.inventory()
        changer.close()
        spots = (*found.drives, *found.slots)
        return {spot.element.barcode: spot.name for spot in spots if spot.element.is_full}

    def used(self) -> dict[str, int]:
        """Bytes that are on each tape."""
        found = {}
        for path in (self.folder / "cartridges").glob("*L6"):
            tape = Cartridge(str(path), writable=False)
            found[path.name] = tape.used
            tape.close()
        return found


@pytest.fixture
def site(tmp_path: Path) -> ChangerSite:
    made = ChangerSite(
        tmp_path, rotation={"scheme": "round-robin", "pool": "daily", "cartridges": list(NAMES)},
        options={"spool": None},
    )  # fmt: skip
    make(made.folder, Plan(drives=1, slots=4), NAMES, 64 * MB)
    return made


HOME = {name: f"slot {slot}" for slot, name in enumerate(NAMES, 1)}


def written(report: NightReport) -> list[str]:
    return [cartridge.name for cartridge in report.cartridges]


def kinds(report: NightReport) -> list[str]:
    return [note.kind for note in (*report.problems, *report.warnings)]


def test_each_night_has_its_cartridge_by_itself(site: ChangerSite) -> None:
    for name in (*NAMES, NAMES[0]):
        report = site.run()
        assert (written(report), report.outcome, kinds(report)) == ([name], Outcome.CLEAN, [])
        assert site.where() == HOME
        site.next_day()


def test_the_cartridge_that_is_in_goes_back_first(site: ChangerSite) -> None:
    changer = virtual.open_changer(str(site.folder))
    changer.load("TB0003L6")
    changer.close()
    report = site.run()
    assert (written(report), report.outcome) == (["TB0001L6"], Outcome.CLEAN)
    assert site.where() == HOME


def test_without_eject_it_stays_in_the_drive(site: ChangerSite) -> None:
    site.options["eject"] = False
    assert written(site.run()) == ["TB0001L6"]
    assert site.where()["TB0001L6"] == "drive 0"


def test_one_that_is_missing_is_told_and_another_is_taken(site: ChangerSite) -> None:
    assert written(site.run()) == ["TB0001L6"]
    site.next_day()
    (site.folder / "slot-2").unlink()
    report = site.run()
    assert (report.outcome, kinds(report)) == (Outcome.WARNINGS, ["another-cartridge"])
    assert written(report) == ["TB0001L6"]  # behind the night that is there, which loses nothing
    assert site.where()["TB0001L6"] == "slot 1"


def test_what_is_in_the_slot_is_looked_at_before_it_is_written(site: ChangerSite) -> None:
    """The barcode says TB0001L6, and what is on the tape is somebody else's: it stays as it is."""
    path = str(site.folder / "cartridges" / "TB0001L6")
    tape = Cartridge(path)
    tape.write(0, b"somebody else's")
    tape.close()
    report = site.run()
    assert (written(report), report.outcome) == (["TB0002L6"], Outcome.WARNINGS)
    assert site.where() == HOME
    tape = Cartridge(path, writable=False)
    left = tape.read(0)
    tape.close()
    assert left is not None
    assert left.data == b"somebody else's"


def test_with_the_catalog_lost_nothing_is_written_over(site: ChangerSite) -> None:
    """What the catalog does not know is no blank before it was looked at."""
    for _ in range(3):
        site.run()
        site.next_day()
    before = site.used()
    site.forget()
    site.next_day(30)
    report = site.run()
    (name,) = written(report)
    assert not report.overwritten
    assert site.used()[name] > before[name]
    assert site.where() == HOME


def test_a_blank_one_is_named_by_its_barcode(site: ChangerSite) -> None:
    for slot in (1, 2, 3):
        (site.folder / f"slot-{slot}").unlink()
    add(site.folder, "TB0009L6", "slot-4", 64 * MB)
    report = site.run()
    assert (written(report), kinds(report)) == (["TB0009L6"], ["another-cartridge"])
    assert site.where() == {"TB0009L6": "slot 4"}


def test_a_robot_that_does_not_move_is_told(site: ChangerSite, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def stuck(_self: Changer, wanted: str | int, _drive: int = 0) -> None:
        calls.append(wanted)
        raise DeviceFailure(f"moving {wanted}: mechanical positioning error")

    monkeypatch.setattr(Changer, "load", stuck)
    report = site.run()
    assert (written(report), report.outcome) == ([], Outcome.FAILED)
    assert calls == ["TB0001L6", "TB0001L6", "TB0002L6"]  # and no more: each may take minutes
    assert kinds(report).count("changer") == 2
    assert site.where() == HOME


def test_a_move_that_fails_once_costs_nothing_but_a_note(site: ChangerSite, monkeypatch: pytest.MonkeyPatch) -> None:
    load, failures = Changer.load, [DeviceFailure("moving TB0001L6: cut off midway")]

    def moody(self: Changer, wanted: str | int, drive: int = 0) -> object:
        if failures:
            raise failures.pop()
        return load(self, wanted, drive)

    monkeypatch.setattr(Changer, "load", moody)
    report = site.run()
    assert (written(report), report.outcome, kinds(report)) == (["TB0001L6"], Outcome.WARNINGS, ["changer"])


def test_a_door_that_is_open_leaves_the_drive_as_it_is(site: ChangerSite, monkeypatch: pytest.MonkeyPatch) -> None:
    changer = virtual.open_changer(str(site.folder))
    changer.load("TB0002L6")
    changer.close()

    def shut(*_: object) -> None:
        raise DriveError("the magazine cannot be reached")

    monkeypatch.setattr(Changer, "inventory", shut)
    report = site.run()
    assert written(report) == [
        "TB0001L6"
    ]  # the blank medium that is in becomes the one that is due, as without a changer
    assert "changer" in kinds(report)


def test_a_bad_cartridge_is_followed_by_another(site: ChangerSite, monkeypatch: pytest.MonkeyPatch) -> None:
    write = TapeDrive.write_block

    def bad(self: TapeDrive, block: bytes) -> bool:
        if site.where().get("TB0001L6") == "drive 0":
            raise DeviceFailure("the tape cannot be written")
        return write(self, block)

    monkeypatch.setattr(TapeDrive, "write_block", bad)
    report = site.run()
    assert written(report) == ["TB0002L6"]
    assert kinds(report)[-1] == "another-cartridge"
    assert site.where() == HOME


def test_the_drive_is_cleaned_where_it_asks(site: ChangerSite, monkeypatch: pytest.MonkeyPatch) -> None:
    flags = {20}
    monkeypatch.setattr("drivers.tape.state.alerts", lambda _: frozenset(flags))
    assert kinds(site.run()) == ["changer", "drive-alert"]  # there is no cleaning cartridge
    site.next_day()
    add(site.folder, "CLN001CU", "slot-4")
    loaded = []
    load = Changer.load

    def noted(self: Changer, wanted: str | int, drive: int = 0) -> object:
        loaded.append(wanted)
        flags.clear()
        return load(self, wanted, drive)

    monkeypatch.setattr(Changer, "load", noted)
    report = site.run()
    assert (report.outcome, loaded) == (Outcome.CLEAN, [4, "TB0002L6"])
    assert site.where() == HOME | {"CLN001CU": "slot 4"}


def test_a_rehearsal_moves_nothing(site: ChangerSite) -> None:
    site.run()
    site.next_day()
    rehearsed = rehearse(site.setting(), site.now.date())
    assert [(way.cartridge, way.fetch, way.is_wanted) for way in rehearsed.ways] == [("TB0002L6", "TB0002L6", True)]
    assert site.where() == HOME


def test_the_evening_check_looks_into_the_slots(site: ChangerSite) -> None:
    site.run()
    site.next_day()

    def checked() -> tuple[list[str], list[bool]]:
        with clock.running(lambda: site.now):
            found = check.run(site.setting())
        return [note.kind for note in found.notes], [way.is_wanted for way in found.ways]

    assert checked() == ([], [True])
    (site.folder / "slot-2").unlink()
    assert checked() == (["check-empty"], [False])
    assert site.where() == {"TB0001L6": "slot 1", "TB0003L6": "slot 3"}


def test_two_cartridges_a_night_need_two_drives(site: ChangerSite) -> None:
    site.rotation["per_night"] = 2
    report = site.run()
    assert (written(report), kinds(report)) == (["TB0001L6"], ["copy-missing"])
    assert site.where() == HOME


def test_what_is_on_its_way_out_is_left_alone(site: ChangerSite) -> None:
    (site.folder / "slot-1").rename(site.folder / "port-1")
    report = site.run()
    assert (written(report), kinds(report)) == (["TB0002L6"], ["another-cartridge"])
    assert site.where()["TB0001L6"] == "import/export slot 5"
