"""The evening check says what the night will do, and what to do about it, and touches nothing."""

import dataclasses
import json
import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from drivers.errors import NoMedium
from tapekit import clock, drives
from tapekit.catalog.store import Store
from tapekit.errors import Exit
from tapekit.jobs import check
from tapekit.jobs.nightly import latest
from tapekit.jobs.nightly.lock import locked
from tapekit.report.check import Check, line
from tapekit.report.night import NightReport, Outcome
from tapekit.schedule import install
from tests.jobs.nightly.site import Site
from tests.report.sinks import WebSink, serving

FULL = bytes(range(256)) * (40 << 12)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("TAPEKIT_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(install, "installed", lambda _root, job: [Path(job)])
    return Site(tmp_path, calendar={"closed": ["sat", "sun"]})


def night(site: Site, cartridge: str) -> NightReport:
    """A night that went well, and the day after it."""
    site.put_in(cartridge)
    report = site.run()
    latest.keep(site.root / "state", report)
    site.next_day()
    return report


def checked(site: Site, hours_before: float = 2) -> Check:
    with clock.running(lambda: site.now - timedelta(hours=hours_before)):
        return check.run(site.setting())


def kinds(found: Check) -> list[str]:
    return [note.kind for note in found.notes]


@pytest.fixture
def second(site: Site) -> Site:
    """The second evening, MON-1 is written. No check writes on any cartridge."""
    night(site, "MON-1")
    return site


def foreign(site: Site) -> None:
    site.cartridge("photos").write_bytes(b"PK\x03\x04" + bytes(16 << 20))
    site.put_in("photos")


SITUATIONS = {
    "right": lambda site: site.put_in("TUE-1"),
    "wrong": lambda site: site.put_in("MON-1"),
    "none": lambda site: site.put_in(None),
    "foreign": foreign,
}


@pytest.mark.parametrize(
    ("situation", "options", "code", "told"),
    (
        ("right", {}, Exit.DONE, []),
        ("wrong", {}, Exit.WARNINGS, ["check-wrong"]),
        ("none", {}, Exit.CARTRIDGE, ["check-empty"]),
        ("none", {"spool": None}, Exit.CARTRIDGE, ["check-empty"]),
        ("foreign", {}, Exit.CARTRIDGE, ["check-foreign"]),
    ),
)
def test_the_night_does_what_the_check_said(
    second: Site, situation: str, options: dict[str, object], code: Exit, told: list[str]
) -> None:
    second.options = options
    SITUATIONS[situation](second)
    before = {path.name: path.read_bytes() for path in second.shelf.iterdir()}
    found = checked(second)
    assert (found.exit_code, kinds(found), str(found.night)) == (code, told, "2026-03-03")
    assert {path.name: path.read_bytes() for path in second.shelf.iterdir()} == before
    report = second.run()
    assert [cartridge.name for cartridge in report.cartridges] == [way.cartridge for way in found.ways]
    assert (report.outcome in {Outcome.SPOOLED, Outcome.FAILED}) == (code == Exit.CARTRIDGE)


def test_one_line_in_the_language_of_the_site(second: Site) -> None:
    found = checked(second)
    assert line(found, "en") == "MON-1 is in, TUE-1 is due: put TUE-1 in before you leave."
    french = line(found, "fr").replace("\N{NO-BREAK SPACE}", " ")
    assert french == "MON-1 est en place, TUE-1 est prévue : mettez TUE-1 avant de partir."
    second.put_in("TUE-1")
    assert line(checked(second), "en") == "Ready for the night of Tuesday 3 March 2026: TUE-1."


def test_the_first_evening_alarms_so_that_one_hears_it_does(site: Site) -> None:
    site.put_in("MON-1")
    found = checked(site)
    assert (found.exit_code, kinds(found), found.due) == (Exit.FAILED, ["never"], ("MON-1",))
    assert [(way.cartridge, way.is_wanted) for way in found.ways] == [("MON-1", True)]


def test_an_empty_drive(second: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def empty(*_: object, **__: object) -> None:
        raise NoMedium("rdx: no cartridge in the drive")

    monkeypatch.setattr(drives, "open_drive", empty)
    assert line(checked(second), "en") == "No cartridge is in, TUE-1 is due: put TUE-1 in before you leave."


def test_a_blank_medium_in_place_of_one_that_exists(second: Site) -> None:
    second.next_day(6)
    second.put_in("new")
    found = checked(second)
    assert "check-blank" in kinds(found)
    assert [way.cartridge for way in found.ways] == ["SPARE-1"]


def test_a_write_protected_cartridge(second: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    second.next_day(6)
    access = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: access(path, mode) and not (mode == os.W_OK and str(path) == str(second.drive))
    )
    found = checked(second)
    assert (found.exit_code, kinds(found)[0]) == (Exit.CARTRIDGE, "write-protected")


def test_a_cartridge_put_in_for_a_restore(second: Site) -> None:
    second.put_in("TUE-1")
    night(second, "TUE-1")
    second.next_day(6)
    with Store.open(second.root / "state" / "catalog.sqlite", "test") as store:
        store.lock("TUE-1", second.now)
    found = checked(second)
    assert (found.exit_code, kinds(found)[0]) == (Exit.CARTRIDGE, "locked-cartridge")


def test_a_full_cartridge_and_the_one_to_put_in_instead(second: Site) -> None:
    """A week on, MON-1 is due again; it is kept longer than that, and has no room left for what there is now."""
    night(second, "TUE-1")
    second.next_day(5)
    second.pools = {"daily": {"retention": "13 days"}}
    (second.source / "large").write_bytes(FULL)
    second.options = {"overdue_after": "9 days"}
    second.put_in("MON-1")
    assert checked(second).exit_code == Exit.DONE
    night(second, "MON-1")
    second.next_day(6)
    found = checked(second)
    assert (found.exit_code, kinds(found), found.notes[0].values["instead"]) == (5, ["check-full"], "TUE-1")
    assert "not enough room" in found.notes[0].detail
    assert found.needed_bytes > len(FULL)


def test_a_way_that_loses_something_is_no_small_matter(site: Site) -> None:
    """The wrong cartridge is full and has expired: the night would overwrite the only copy of another one."""
    (site.source / "large").write_bytes(FULL)
    night(site, "MON-1")
    (site.source / "large").unlink()
    night(site, "TUE-1")
    site.next_day(7)
    (site.source / "large").write_bytes(FULL)
    site.put_in("MON-1")
    site.options = {"overdue_after": "9 days"}
    found = checked(site)
    assert (found.exit_code, kinds(found), [way.action for way in found.ways]) == (5, ["check-wrong"], ["overwrite"])
    assert found.notes[0].values["otherwise"] == "overwrite MON-1, which loses the only copy of 2 March"


def test_two_cartridges_a_night(site: Site) -> None:
    site.rotation = {"scheme": "weekdays", "pool": "daily", "sets": 2, "per_night": 2}
    content = site.content()
    content["drives"] = {"rdx": f"image:{site.drive}", "usb": f"image:{site.root}/usb"}
    content["jobs"]["office"].update(drive=None, drives=["rdx", "usb"])  # type: ignore[index]
    configuration = type(site.configuration()).model_validate(content)
    of = dataclasses.replace(site.setting(), job=configuration.jobs["office"], configuration=configuration)
    site.put_in("MON-1")
    with clock.running(lambda: site.now):
        assert kinds(check.run(of)) == ["check-empty", "never"]
        shutil.copy(site.cartridge("MON-1"), site.root / "usb")
        found = check.run(of)
    assert ([way.cartridge for way in found.ways], kinds(found)) == (["MON-1", "MON-2"], ["never"])


def test_overdue_alarms_and_the_metrics_say_so(second: Site) -> None:
    second.next_day()
    second.notifications = {"prometheus": str(second.root / "tapekit.prom")}
    second.put_in("WED-1")
    assert checked(second, 1).exit_code == Exit.DONE
    with clock.running(lambda: second.now + timedelta(hours=1)):
        found = check.run(second.setting())
        assert check.tell(second.setting(), found) == []
    assert (found.exit_code, kinds(found)) == (Exit.FAILED, ["overdue"])
    assert 'tapekit_overdue{site="test",job="office"} 1.0' in (second.root / "tapekit.prom").read_text()


def test_a_closed_day_looks_at_nothing(second: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(drives, "open_drive")
    second.next_day(4)
    found = checked(second)
    assert (found.exit_code, line(found, "en")) == (0, "No night on Saturday 7 March 2026: closed on Saturday.")
    assert line(found, "fr").endswith("fermé le samedi.")


def test_what_else_is_wrong(second: Site) -> None:
    second.put_in("TUE-1")
    second.spool.mkdir(exist_ok=True)
    (second.spool / "office.2026-03-01.tkc").touch()
    second.options = {"sources": [str(second.source), "/srv/not/mounted"]}
    found = checked(second)
    assert (found.exit_code, kinds(found), found.waiting) == (Exit.WARNINGS, ["source-missing"], 1)
    second.options |= {"before": [{"command": ["mount", "/srv"]}]}
    found = checked(second)
    assert (found.exit_code, kinds(found)) == (Exit.DONE, [])
    assert line(found, "en").endswith("TUE-1. Nights that wait on the server's own disk, to be written too: 1.")
    second.put_in("MON-1")
    assert kinds(checked(second)) == ["check-wrong", "spool-waits"]
    second.put_in(None)
    assert kinds(checked(second)) == ["check-empty", "spool-waits"]


def test_keys_of_which_none_gives_data_back(second: Site) -> None:
    second.put_in("TUE-1")
    (second.root / "keys").mkdir()
    (second.root / "keys" / "marie.pub").write_text("no key")
    of = second.setting()
    keys = of.configuration.keys.model_copy(update={"directory": second.root / "keys"})
    of = dataclasses.replace(of, configuration=of.configuration.model_copy(update={"keys": keys}))
    with clock.running(lambda: second.now):
        found = check.run(of)
    assert (found.exit_code, kinds(found)) == (Exit.FAILED, ["key"])


def test_without_the_catalog(second: Site) -> None:
    second.put_in("TUE-1")
    for path in (second.root / "state").glob("catalog.sqlite*"):
        path.unlink()
    (second.root / "state" / "catalog.sqlite").write_bytes(b"no database" * 999)
    found = checked(second)
    assert (found.exit_code, kinds(found)) == (Exit.FAILED, ["check-blank", "catalog"])
    assert not any(way.is_wanted for way in found.ways)


def test_a_drive_in_use(second: Site) -> None:
    of = second.setting()
    second.options = {"wait": "1 second"}
    with locked(of.locks, [url for _, url in of.drives], "job other", 0):
        found = checked(second)
    assert (found.exit_code, kinds(found)) == (Exit.BUSY, ["check-busy"])
    assert "job other" in found.notes[0].detail


def test_each_target_hears_once_and_of_what_is_wrong_alone(second: Site) -> None:
    with serving(WebSink()) as one, serving(WebSink()) as other:
        urls = [f"json://127.0.0.1:{sink.port}/" for sink in (one, other)]
        second.notifications = {"always": urls[:1], "problems": urls}
        found = checked(second)
        with clock.running(lambda: second.now):
            assert check.tell(second.setting(), found) == []
            second.put_in("TUE-1")
            check.tell(second.setting(), checked(second))
    assert (len(one.bodies), len(other.bodies)) == (1, 1)
    came = json.loads(one.bodies[0])
    assert came["title"].startswith("[PLEASE DO] test, office, 2026-03-03: MON-1 is in, TUE-1 is due")
    assert "otherwise: append to MON-1" in came["message"]
    assert came["type"] == "warning"
