"""Nights on image files: what is due is written and proven, and a night that meets trouble is never lost."""

import random
from datetime import timedelta
from pathlib import Path

import pytest

from tapekit import clock
from tapekit.catalog.store import Store
from tapekit.errors import Exit
from tapekit.evidence import Evidences
from tapekit.jobs import label
from tapekit.model import Place, Rung
from tapekit.report.night import NightReport, Outcome
from tests.jobs.cartridges import Image
from tests.jobs.nightly.site import Site


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("TAPEKIT_STATE", str(tmp_path / "state"))
    return Site(tmp_path)


def kinds(report: NightReport) -> set[str]:
    return {note.kind for note in (*report.problems, *report.warnings)}


def content(site: Site, name: str, to: Path) -> bytes:
    Image(site.cartridge(name)).restore(to)
    return (to / str(site.source).lstrip("/") / "file").read_bytes()


def test_a_blank_cartridge_becomes_the_one_that_is_due(site: Site, tmp_path: Path) -> None:
    site.options = {"sample_restore": 3}
    site.put_in("MON-1")
    report = site.run()
    assert (report.outcome, report.exit_code, kinds(report)) == (Outcome.CLEAN, 0, set())
    assert [cartridge.name for cartridge in report.cartridges] == ["MON-1"]
    assert set(report.rungs) >= {Rung.READ_BACK, Rung.COMPARED, Rung.SAMPLE_RESTORED}
    assert report.next_cartridges == ("TUE-1",)
    assert content(site, "MON-1", tmp_path / "to") == b"the first night"
    (cartridge,) = site.stock().cartridges
    assert (cartridge.name, cartridge.loads, [copy.is_verified for copy in cartridge.copies]) == ("MON-1", 1, [True])


def test_a_week_of_nights_and_the_first_cartridge_is_written_again(site: Site) -> None:
    for day in ("MON-1", "TUE-1", "WED-1", "THU-1", "FRI-1"):
        site.put_in(day)
        assert site.run().outcome is Outcome.CLEAN
        site.next_day()
    site.next_day(2)
    site.put_in("MON-1")
    report = site.run()
    assert (report.outcome, report.overwritten) == (Outcome.CLEAN, ())
    assert [len(cartridge.copies) for cartridge in site.stock().cartridges] == [1, 2, 1, 1, 1]


def test_the_wrong_cartridge_is_written_behind_and_told(site: Site) -> None:
    site.put_in("MON-1")
    site.run()
    site.next_day()
    report = site.run()
    assert (report.outcome, report.exit_code) == (Outcome.WARNINGS, Exit.WARNINGS)
    assert "another-cartridge" in kinds(report)
    assert [cartridge.name for cartridge in report.cartridges] == ["MON-1"]


def test_a_late_night_takes_its_own_cartridge_and_what_was_protected_then_stays(site: Site) -> None:
    site.rotation = {**site.rotation, "reuse": "overwrite"}
    site.put_in("MON-1")
    first = site.run()
    site.now += timedelta(days=7, hours=15)  # on Tuesday, after noon
    report = site.run(first.night + timedelta(days=7))
    assert (report.outcome, report.due, report.next_cartridges) == (Outcome.CLEAN, ("MON-1",), ("TUE-1",))
    (cartridge,) = site.stock().cartridges
    assert [copy.night for copy in cartridge.copies] == [first.night, first.night + timedelta(days=8)]


def test_no_cartridge_goes_to_the_spool_and_from_there_to_the_next_one(site: Site, tmp_path: Path) -> None:
    site.put_in(None)
    report = site.run()
    assert (report.outcome, report.exit_code, report.waiting) == (Outcome.SPOOLED, Exit.CARTRIDGE, 1)
    assert [note.kind for note in report.warnings] == ["no-cartridge", "spooled"]  # why it is there comes first
    assert not report.rungs
    site.next_day()
    site.put_in("TUE-1")
    after = site.run()
    assert (after.outcome, after.waiting) == (Outcome.CLEAN, 0)
    (cartridge,) = site.stock().cartridges
    assert {copy.archive for copy in cartridge.copies} == {report.archive, after.archive}
    assert all(copy.is_verified for copy in cartridge.copies)
    Image(site.cartridge("TUE-1")).restore(tmp_path / "old", archive=report.archive)
    assert (tmp_path / "old" / str(site.source).lstrip("/") / "file").read_bytes() == b"the first night"


def test_no_cartridge_and_no_spool_is_a_failure(site: Site) -> None:
    site.options = {"spool": None}
    site.put_in(None)
    report = site.run()
    assert (report.outcome, report.exit_code) == (Outcome.FAILED, Exit.CARTRIDGE)
    assert "no-cartridge" in kinds(report)


def test_a_foreign_medium_is_left_as_it_is(site: Site) -> None:
    site.cartridge("photos").write_bytes(b"PK\x03\x04" + bytes(16 << 20))
    site.put_in("photos")
    before = site.cartridge("photos").read_bytes()
    report = site.run()
    assert (report.outcome, kinds(report) & {"foreign-cartridge"}) == (Outcome.SPOOLED, {"foreign-cartridge"})
    assert site.cartridge("photos").read_bytes() == before


def test_a_cartridge_that_was_replaced_and_turns_up_again_is_left_as_it_is(site: Site) -> None:
    site.put_in("MON-1")
    site.run()
    site.cartridge("MON-1").rename(site.cartridge("lost"))
    site.next_day(7)
    site.put_in("MON-1")
    with clock.running(lambda: site.now), Image(site.cartridge("MON-1")).drive(writable=True) as drive:
        label.run(drive, barcode="MON-1", pool="daily", block_bytes=None, destroy=None)
    assert site.run().outcome is Outcome.CLEAN
    known = site.stock()
    before = site.cartridge("lost").read_bytes()
    site.next_day(7)
    site.put_in("lost")
    report = site.run()
    assert (report.outcome, kinds(report) & {"foreign-cartridge", "catalog"}) == (
        Outcome.SPOOLED,
        {"foreign-cartridge"},
    )
    assert (site.cartridge("lost").read_bytes(), site.stock()) == (before, known)


def test_none_of_the_set_in_service_is_told_with_its_names(site: Site) -> None:
    site.put_in("MON-1")
    site.run()
    with Store.open(site.root / "state" / "catalog.sqlite", "test") as store:
        store.move("MON-1", Place.LOST, site.now)
    site.next_day(7)
    site.put_in("TUE-1")
    (told,) = site.run().warnings
    assert (told.kind, told.values["due"], "MON-1 is lost" in told.detail) == ("another-cartridge", "MON-1", True)


def test_a_full_and_protected_cartridge_is_not_overwritten(site: Site) -> None:
    site.put_in("MON-1")
    (site.source / "large").write_bytes(bytes(range(256)) * (40 << 12))
    assert site.run().outcome is Outcome.CLEAN
    site.next_day()
    report = site.run()
    assert (report.outcome, report.overwritten) == (Outcome.SPOOLED, ())
    (cartridge,) = site.stock().cartridges
    assert len(cartridge.copies) == 1


def test_a_retired_cartridge_in_the_drive_is_not_written_and_stays_retired(site: Site) -> None:
    site.put_in("MON-1")
    site.run()
    with Store.open(site.root / "state" / "catalog.sqlite", "test") as store:
        store.move("MON-1", Place.RETIRED, site.now)
    before = site.cartridge("MON-1").read_bytes()
    site.next_day()
    assert site.run().outcome is Outcome.SPOOLED
    (cartridge,) = site.stock().cartridges
    assert (cartridge.place, cartridge.loads) == (Place.RETIRED, 2)
    assert site.cartridge("MON-1").read_bytes() == before


def test_a_night_too_large_for_the_cartridge_lets_a_smaller_one_out_of_the_spool(site: Site) -> None:
    site.size_bytes = 20 << 20
    (site.source / "large").write_bytes(bytes(15 << 20))
    large = site.run()
    (site.source / "large").unlink()
    site.next_day()
    small = site.run()
    assert (large.waiting, small.waiting) == (1, 2)
    site.next_day()
    site.put_in("WED-1")
    report = site.run()
    assert (report.waiting, kinds(report) & {"spool-waits"}) == (1, {"spool-waits"})
    assert [copy.archive for copy in site.stock().cartridges[0].copies] == [report.archive, small.archive]


def test_a_cartridge_that_turned_out_too_small_is_known_as_it_is_then(site: Site) -> None:
    site.size_bytes = 20 << 20
    site.options = {"compression": "zstd:1"}
    (site.source / "large").write_bytes(bytes(1 << 20))
    site.put_in("MON-1")
    site.run()
    site.next_day()
    (site.source / "large").write_bytes(random.Random(1).randbytes(15 << 20))
    report = site.run()
    assert (report.outcome, kinds(report) & {"full-cartridge"}) == (Outcome.SPOOLED, {"full-cartridge"})
    (cartridge,) = site.stock().cartridges
    assert [copy.state for copy in cartridge.copies] == ["complete", "aborted"]
    assert (cartridge.remaining_bytes or 0) < 4 << 20


def test_damage_and_its_end_are_learnt_from_the_journal_in_its_order(site: Site) -> None:
    site.put_in("MON-1")
    archive = site.run().archive
    (cartridge,) = site.stock().cartridges
    for rung, is_failed in ((None, True), (Rung.READ_BACK, False)):
        site.next_day()
        with clock.running(lambda: site.now):
            Evidences(site.root / "state").note(cartridge.label, archive, rung)
        site.run()
        (known,) = site.stock().cartridges
        assert (known.copies[0].archive, known.copies[0].failed is not None) == (archive, is_failed)


def test_the_last_verified_copy_is_never_overwritten(site: Site) -> None:
    site.rotation = {"scheme": "round-robin", "pool": "daily", "count": 2, "reuse": "overwrite"}
    site.pools = {"daily": {"retention": "1 day"}}
    for number in range(6):
        site.put_in(f"R-0{number % 2 + 1}")
        report = site.run()
        assert [cartridge.name for cartridge in report.cartridges] == [f"R-0{number % 2 + 1}"]
        site.options = {"verify": "none"}
        site.next_day()
    first, second = site.stock().cartridges
    assert [copy.is_verified for copy in first.copies] == [True, False, False]
    assert [copy.is_verified for copy in second.copies] == [False]
