"""Nights whose drive a changer fills: the right cartridge is brought and put back, and what goes wrong is told."""

import dataclasses
import json
from pathlib import Path

import pytest

from drivers.changer import virtual
from drivers.changer.changer import Changer
from drivers.errors import Busy, DeviceFailure
from drivers.tape.drive import TapeDrive
from drivers.virtual.changer import Plan, add, make
from drivers.virtual.tape.cartridge import Cartridge
from tapekit import clock, drives
from tapekit.catalog.store import Store
from tapekit.jobs import check, restoring
from tapekit.jobs.nightly.rehearsal import rehearse
from tapekit.report.line import line
from tapekit.report.night import NightReport, Outcome
from tapekit.report.text import text
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

    def fails(self, script: str) -> None:
        """What goes wrong at the changer from now on (drivers/virtual/faults.py)."""
        (self.folder / "faults.txt").write_text(script)

    def failures(self) -> int:
        """So many commands met the script's first fault."""
        seen: list[int] = json.loads((self.folder / "faults.json").read_text())
        return seen[0]

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


def test_a_robot_that_does_not_move_is_told(site: ChangerSite) -> None:
    site.fails("move medium x99: sense 04/15/01")
    report = site.run()
    assert (written(report), report.outcome) == ([], Outcome.FAILED)
    assert site.failures() == 3  # and no more: each may take minutes
    assert kinds(report).count("changer") == 2
    assert site.where() == HOME


def test_a_move_that_fails_once_costs_nothing_but_a_note(site: ChangerSite) -> None:
    site.fails("move medium: sense 04/15/01")
    report = site.run()
    assert (written(report), report.outcome, kinds(report)) == (["TB0001L6"], Outcome.WARNINGS, ["changer"])


def test_a_cartridge_that_does_not_go_back_is_told(site: ChangerSite) -> None:
    """The night is on it all the same, and it stays in the drive."""
    site.fails("move medium #2 x9: sense 04/15/01")
    report = site.run()
    assert (written(report), kinds(report)) == (["TB0001L6"], ["not-ejected"])
    assert site.where()["TB0001L6"] == "drive 0"


def test_a_door_that_is_open_leaves_the_drive_as_it_is(site: ChangerSite) -> None:
    changer = virtual.open_changer(str(site.folder))
    changer.load("TB0002L6")
    changer.close()
    site.fails("read element status x999: sense 02/3B/11")
    report = site.run()
    # the blank medium that is in becomes the one that is due, as without a changer
    assert written(report) == ["TB0001L6"]
    assert "changer" in kinds(report)


def test_a_barcode_that_cannot_be_read_is_named_by_its_slot(site: ChangerSite) -> None:
    """What is there is left there: nobody knows which cartridge it is."""
    settings = site.folder / "changer.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"unreadable": ["TB0001L6"]}))
    before = site.used()
    report = site.run()
    assert (written(report), report.outcome) == (["TB0002L6"], Outcome.WARNINGS)
    assert "barcode-unreadable" in kinds(report)
    assert "the changer of rdx cannot read the barcode in slot 1" in text(report, "en")
    assert site.used()["TB0001L6"] == before["TB0001L6"]


def test_what_the_changer_holds_is_fetched_and_nobody_has_to_put_it_in(site: ChangerSite) -> None:
    report = site.run()
    assert report.next_slots == {"TB0002L6": 2}
    assert line(report, "en").endswith("TB0002L6 is fetched from slot 2 tomorrow.")
    assert line(report, "fr").endswith("TB0002L6 sera prise dans l’emplacement 2 demain.")
    assert "TB0002L6 (slot 2)" in text(report, "en")
    site.next_day()
    (site.folder / "slot-3").unlink()
    assert line(site.run(), "en").endswith("Put TB0003L6 in tomorrow.")


def test_each_load_counts_once_and_what_stays_in_its_slot_has_none(site: ChangerSite) -> None:
    def loads() -> list[int]:
        return [cartridge.loads for name in NAMES for cartridge in site.stock().cartridges if cartridge.name == name]

    site.pools = {"daily": {"retention": "1000 days"}}  # nothing expires: what is fetched is added to
    for expected in ([1], [1, 1], [1, 1, 1], [2, 1, 1], [2, 2, 1]):
        site.run()
        assert loads() == expected
        site.next_day()


def test_a_cartridge_that_is_in_for_a_restore_is_not_let_go_by_what_lies_in_slots(site: ChangerSite) -> None:
    """What is in a slot is in no drive, and says nothing of what is."""
    site.pools = {"daily": {"retention": "1000 days"}}
    for _ in NAMES:
        site.run()
        site.next_day()
    changer = virtual.open_changer(str(site.folder))
    changer.load("TB0001L6")
    changer.close()
    with Store.open(site.root / "state" / "catalog.sqlite", "test") as store:
        restored = store.stock().named("TB0001L6")
        assert restored is not None
        restoring.begin(store, restored, site.url, site.now)
    before = site.used()["TB0001L6"]
    site.run()
    after = site.stock().named("TB0001L6")
    assert after is not None
    assert after.is_locked
    assert site.used()["TB0001L6"] == before


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


def paired(site: ChangerSite, drive: int, number: int) -> dict[str, object]:
    """The table of drives where drive `drive` is said to be the changer's `number`."""
    url = f"virtual:{site.folder}/drive-{drive}"
    return {"rdx": {"url": url, "changer": f"virtual-changer:{site.folder}", "number": number}}


def test_a_number_that_is_another_drives_moves_and_writes_nothing(
    site: ChangerSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = site.folder / "changer.json"
    settings.write_text(settings.read_text().replace('"drives": 1', '"drives": 2'))
    add(site.folder, "HAND01L6", "drive-0", 64 * MB)
    add(site.folder, "CLN001CU", "slot-4")
    content, table = site.content(), paired(site, 0, 1)
    monkeypatch.setattr(ChangerSite, "content", lambda _: content | {"drives": table})
    monkeypatch.setattr("drivers.tape.state.alerts", lambda _: frozenset({20}))
    before, used = site.where(), site.used()
    report = site.run()
    assert (written(report), report.outcome, site.where(), site.used()) == ([], Outcome.FAILED, before, used)
    (told,) = [note for note in report.problems if note.kind == "changer"]
    assert "number = 0 is the right one" in told.detail

    table |= paired(site, 1, 1)
    monkeypatch.setattr("drivers.tape.state.alerts", lambda _: frozenset())
    assert (written(site.run()), site.where()) == (["TB0001L6"], before)


def test_a_drive_that_somebody_uses_is_not_emptied(site: ChangerSite, monkeypatch: pytest.MonkeyPatch) -> None:
    changer = virtual.open_changer(str(site.folder))
    changer.load("TB0003L6")
    changer.close()

    def in_use(url: str, *_: object, **__: object) -> None:
        raise Busy(f"{url}: another program uses the drive")

    monkeypatch.setattr(drives, "open_drive", in_use)
    report = site.run()
    assert (written(report), kinds(report), site.where()["TB0003L6"]) == ([], ["busy"], "drive 0")
