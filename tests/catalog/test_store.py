import datetime

import pytest

from tapekit.catalog.errors import NotInCatalog
from tapekit.catalog.record import Use
from tapekit.catalog.store import Store
from tapekit.model import Cartridge, Place, Rung
from tests.catalog.conftest import Open
from tests.catalog.samples import LABEL, at, cartridge, copy


def named(store: Store, name: str = "MON-1") -> Cartridge:
    found = store.stock().named(name)
    assert found is not None
    return found


def test_stock_gives_back_what_was_recorded(store: Store, open_again: Open) -> None:
    store.record_label(cartridge())
    store.record_archive(LABEL, copy())
    store.record_evidence(LABEL, "1" * 32, Rung.WRITTEN, at(0.1))
    store.record_evidence(LABEL, "1" * 32, Rung.READ_BACK, at(0.2))
    store.record_evidence(LABEL, "1" * 32, Rung.READ_BACK, at(0.1))
    found = named(open_again())
    assert found.label == LABEL
    assert (found.pool, found.site, found.labelled, found.capacity_bytes) == ("daily", "here", at(0), 10**9)
    assert found.copies[0].evidence == ((Rung.WRITTEN, at(0.1)), (Rung.READ_BACK, at(0.2)))
    assert found.copies[0].is_verified
    assert found.copies[0].night == datetime.date(2026, 3, 2)
    assert found.last_written == copy().finished


def test_recording_twice_changes_nothing(store: Store) -> None:
    once = None
    for _ in range(2):
        store.record_label(cartridge())
        store.record_archive(LABEL, copy())
        store.record_evidence(LABEL, "1" * 32, Rung.READ_BACK, at(1))
        once = store.stock(), store.history("MON-1")
    assert (store.stock(), store.history("MON-1")) == once
    assert len(store.stock().cartridges[0].copies) == 1
    assert [line.kind for line in store.history("MON-1")] == ["labelled", "written", "verified"]


def test_a_new_label_destroys_the_copies_before(store: Store) -> None:
    store.record_label(cartridge())
    store.record_archive(LABEL, copy())
    store.record_label(cartridge(label="b" * 32, day=3))
    found = named(store)
    assert (found.label, found.copies) == ("b" * 32, ())
    with pytest.raises(NotInCatalog):
        store.record_evidence(LABEL, "1" * 32, Rung.READ_BACK, at(4))


def test_a_new_label_under_another_name_destroys_them_too(store: Store) -> None:
    store.record_label(cartridge())
    store.record_archive(LABEL, copy())
    store.record_label(cartridge("TUE-1", "b" * 32, 3), replaces=LABEL)
    assert named(store).copies == ()
    assert named(store).label == ""


def test_a_failure_counts_until_it_is_read_back(store: Store) -> None:
    store.record_label(cartridge())
    store.record_archive(LABEL, copy())
    store.record_evidence(LABEL, "1" * 32, Rung.COMPARED, at(1))
    store.record_failure(LABEL, "1" * 32, at(2), "block 7")
    assert not store.stock().cartridges[0].copies[0].is_verified
    store.record_evidence(LABEL, "1" * 32, Rung.READ_BACK, at(1.5))
    assert store.stock().cartridges[0].copies[0].failed == at(2)
    store.record_evidence(LABEL, "1" * 32, Rung.READ_BACK, at(3))
    assert store.stock().cartridges[0].copies[0].is_verified


def test_another_archive_in_the_same_file_replaces_the_first(store: Store) -> None:
    store.record_label(cartridge())
    store.record_archive(LABEL, copy())
    store.record_archive(LABEL, copy("2" * 32, day=1))
    assert [c.archive for c in store.stock().cartridges[0].copies] == ["2" * 32]


def test_overwritten_is_gone_and_the_label_stays(store: Store) -> None:
    store.record_label(cartridge())
    store.record_archive(LABEL, copy())
    store.mark_overwritten(LABEL, at(5))
    found = named(store)
    assert (found.label, found.copies) == (LABEL, ())
    with pytest.raises(NotInCatalog):
        list(store.members("1" * 32))


def test_a_label_that_is_about_to_go_is_back_where_it_was_not_replaced(store: Store) -> None:
    store.record_label(cartridge())
    store.record_archive(LABEL, copy())
    store.mark_overwritten(LABEL, at(5), is_relabelled=True)
    assert (named(store).label, named(store).copies) == ("", ())
    store.record_label(cartridge())
    assert (named(store).label, named(store).copies) == (LABEL, ())


def test_loads_use_places_and_locks(store: Store) -> None:
    store.record_label(cartridge())
    store.record_load(LABEL, at(1), remaining_bytes=500, is_write_protected=True)
    store.record_use(LABEL, Use(written_bytes=7, read_bytes=8, errors=1, remaining_bytes=400))
    store.lock("MON-1", at(1))
    found = named(store)
    assert (found.loads, found.written_bytes, found.read_bytes, found.errors) == (1, 7, 8, 1)
    assert (found.place, found.remaining_bytes, found.capacity_bytes) == (Place.DRIVE, 400, 10**9)
    assert found.is_locked
    assert found.is_write_protected
    store.move("MON-1", Place.HOME, at(2), "taken by Anne")
    found = named(store)
    assert (found.place, found.is_locked) == (Place.HOME, False)
    assert [(line.kind, line.note) for line in store.history("MON-1")][-1] == ("home", "taken by Anne")


def test_a_retired_cartridge_is_back_with_a_new_label_only(store: Store) -> None:
    store.record_label(cartridge())
    store.move("MON-1", Place.RETIRED, at(1))
    store.record_load(LABEL, at(2))
    assert (named(store).place, named(store).loads) == (Place.RETIRED, 1)
    store.record_label(cartridge(label="b" * 32, day=3))
    assert named(store).place is Place.SHELF


def test_sites_do_not_see_each_other(store: Store, open_again: Open) -> None:
    store.record_label(cartridge())
    other = open_again("there")
    assert other.stock().cartridges == ()
    other.record_label(cartridge("MON-1", "c" * 32))
    assert store.stock().cartridges[0].label == LABEL
    assert other.stock().cartridges[0].label == "c" * 32


def test_runs_sizes_events_and_settings(store: Store) -> None:
    first = store.begin_run("nightly", at(0).date(), at(0))
    store.end_run(first, at(0.1), "saved", 0, {"line": "Saved."})
    store.record_sizes(first, {"/srv": 100, "pharmacy": 7})
    second = store.begin_run("nightly", at(1).date(), at(1))
    store.end_run(second, at(1.1), "failed", 4)
    store.begin_run("other", at(2).date(), at(2))
    assert [run.outcome for run in store.runs("nightly")] == ["failed", "saved"]
    assert [run.job for run in store.runs(limit=1)] == ["other"]
    last = store.last_success("nightly")
    assert last is not None
    assert (last.number, last.night, last.report) == (first, at(0).date(), {"line": "Saved."})
    assert store.last_success("other") is None
    assert [(size.source, size.bytes, size.begun) for size in store.sizes("nightly")] == [
        ("/srv", 100, at(0)), ("pharmacy", 7, at(0)),
    ]  # fmt: skip
    assert [store.event(at(0), "run", {"n": n}) for n in range(3)] == [1, 2, 3]
    assert [(event.sequence, event.content) for event in store.events(after=1)] == [(2, {"n": 1}), (3, {"n": 2})]
    assert store.setting("x") is None
    store.set_setting("x", [1])
    store.set_setting("x", {"a": 2})
    assert store.setting("x") == {"a": 2}


def test_unknown_names_are_said(store: Store) -> None:
    with pytest.raises(NotInCatalog, match="cartridge TUE-1: not in the catalog"):
        store.move("TUE-1", Place.SHELF, at(0))
    with pytest.raises(NotInCatalog, match="label aaaaaaaa: not in the catalog"):
        store.record_archive(LABEL, copy())
