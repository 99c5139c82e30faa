"""A dry run foresees what the night then does, and leaves no trace of itself."""

import hashlib
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers import image
from tapekit import clock
from tapekit.config.schema import Configuration
from tapekit.errors import Busy, Exit
from tapekit.jobs.nightly import lock
from tapekit.jobs.nightly.night import checked
from tapekit.jobs.nightly.rehearsal import Rehearsal, rehearse
from tapekit.jobs.nightly.setting import setting
from tapekit.model import Place
from tapekit.report.night import Outcome
from tapekit.rotation.decide import Action
from tests.jobs.nightly.site import Site

SIZE = 24 << 20


def rehearsed(site: Site) -> Rehearsal:
    with clock.running(lambda: site.now):
        return rehearse(site.setting(), checked(None))


def tree(root: Path) -> Iterator[tuple[str, int, str]]:
    """All that is there: names, times, content."""
    for path in sorted(root.rglob("*")):
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        yield str(path), path.stat().st_mtime_ns, content


def due(site: Site) -> None:
    site.put_in("MON-1")
    site.run()
    site.next_day()
    site.put_in("TUE-1")


def wrong(site: Site) -> None:
    due(site)
    site.put_in("MON-1")


def absent(site: Site) -> None:
    site.put_in(None)


def absent_and_no_spool(site: Site) -> None:
    site.options = {"spool": None}
    site.put_in(None)


def foreign(site: Site) -> None:
    site.cartridge("photos").write_bytes(b"PK\x03\x04" + bytes(16 << 20))
    site.put_in("photos")


def full(site: Site) -> None:
    site.options = {"spool": None}
    (site.source / "large").write_bytes(bytes(range(256)) * (8 << 12))
    site.put_in("MON-1")
    site.run()
    site.next_day()


def damaged_catalog(site: Site) -> None:
    wrong(site)
    (site.root / "state" / "catalog.sqlite").write_bytes(b"nonsense" * 1000)


def only_one_of_two(site: Site) -> None:
    site.rotation = {**site.rotation, "per_night": 2, "sets": 2}
    site.put_in("MON-1")


def nothing_to_save(site: Site) -> None:
    site.put_in("MON-1")
    shutil.rmtree(site.source)


def empty_source(site: Site) -> None:
    due(site)
    (site.source / "file").write_bytes(b"")


@pytest.mark.parametrize(
    ("situation", "actions", "code"),
    (
        (due, [Action.LABEL], Exit.DONE),
        (wrong, [Action.APPEND], Exit.WARNINGS),
        (absent, [Action.SPOOL], Exit.CARTRIDGE),
        (absent_and_no_spool, [], Exit.CARTRIDGE),
        (foreign, [Action.SPOOL], Exit.CARTRIDGE),
        (full, [], Exit.END_OF_MEDIUM),
        (damaged_catalog, [Action.APPEND], Exit.WARNINGS),
        (only_one_of_two, [Action.LABEL], Exit.WARNINGS),
        (empty_source, [], Exit.FAILED),
        (nothing_to_save, [], Exit.FAILED),
    ),
)
def test_what_is_foreseen_happens(
    tmp_path: Path, situation: Callable[[Site], None], actions: list[Action], code: Exit
) -> None:
    site = Site(tmp_path, SIZE)
    situation(site)
    before = list(tree(tmp_path))
    foreseen = rehearsed(site)
    assert ([way.action for way in foreseen.ways], foreseen.exit_code) == (actions, code)
    assert list(tree(tmp_path)) == before
    report = site.run()
    assert report.exit_code == code, report
    assert {cartridge.name for cartridge in report.cartridges} == {w.cartridge for w in foreseen.ways if w.cartridge}
    assert {note.kind for note in foreseen.refused} <= {note.kind for note in (*report.problems, *report.warnings)}
    assert foreseen.ways or not foreseen.others


def test_what_would_be_lost_is_told_before_it_is(tmp_path: Path) -> None:
    rotation: dict[str, object] = {
        "scheme": "round-robin", "pool": "daily", "cartridges": ["A", "B"], "reuse": "overwrite"
    }  # fmt: skip
    site = Site(tmp_path, SIZE, rotation=rotation, pools={"daily": {"retention": "3 days"}})
    for cartridge in ("A", "A", "A", "B"):
        site.put_in(cartridge)
        site.run()
        site.next_day()
    site.next_day(3)
    site.put_in("A")
    foreseen = rehearsed(site)
    (way,) = foreseen.ways
    assert str(way.words(foreseen.night)) == "overwrite A, which loses the only copy of 2 to 4 March"
    assert 0 < (foreseen.room_bytes(way) or 0) < SIZE
    report = site.run()
    assert report.outcome is Outcome.CLEAN
    assert [(lost.first, lost.last) for lost in report.overwritten[0].lost] == list(way.loss.jobs[0].spans)


def test_two_blank_media_become_two_cartridges(tmp_path: Path) -> None:
    site = Site(tmp_path, SIZE, rotation={"scheme": "weekdays", "pool": "daily", "per_night": 2, "sets": 2})
    configuration: Any = site.content()
    for name in ("one", "two"):
        image.create(str(tmp_path / name), SIZE)
    configuration["drives"] = {name: f"image:{tmp_path / name}" for name in ("one", "two")}
    configuration["jobs"]["office"]["drives"] = list(configuration["drives"])
    del configuration["jobs"]["office"]["drive"]
    chosen = setting(Configuration.model_validate(configuration), "office")
    with clock.running(lambda: site.now):
        assert [way.cartridge for way in rehearse(chosen, site.now.date()).ways] == ["MON-1", "MON-2"]


def test_hooks_and_dumps_do_not_run(tmp_path: Path) -> None:
    hook = {"command": ["touch", str(tmp_path / "ran")]}
    site = Site(tmp_path, SIZE, options={
        "before": [hook], "after": [hook], "on_failure": [hook],
        "snapshot": {"create": hook["command"], "remove": hook["command"]},
        "databases": [{"kind": "sqlite", "path": str(tmp_path / "none.sqlite")}],
    })  # fmt: skip
    site.put_in("MON-1")
    assert rehearsed(site).exit_code is Exit.DONE
    assert not (tmp_path / "ran").exists()


def test_a_run_that_is_under_way_is_not_foreseen_around(tmp_path: Path) -> None:
    site = Site(tmp_path, SIZE)
    site.put_in("MON-1")
    url = f"image:{site.drive}"
    with lock.locked(site.setting().locks, [url], "job office", 0), pytest.raises(Busy, match="in use by job office"):
        rehearsed(site)


def test_a_catalog_with_a_log_is_read_with_it(tmp_path: Path) -> None:
    """A run that was killed leaves one: what is in it counts."""
    site = Site(tmp_path, SIZE)
    due(site)
    state = tmp_path / "state"
    other = sqlite3.connect(state / "catalog.sqlite")
    other.execute("SELECT * FROM sites").fetchall()
    with site.setting().open_catalog() as store:
        store.move("MON-1", Place.LOST, site.now)
        kept = {path.name: path.read_bytes() for path in state.glob("catalog.sqlite*")}
    other.close()
    assert len(kept) == 3
    for name, content in kept.items():
        (state / name).write_bytes(content)
    catalog = (state / "catalog.sqlite").read_bytes()
    with site.setting().open_catalog(is_read_only=True) as store:
        assert [cartridge.is_in_service for cartridge in store.stock().cartridges] == [False]
    assert (state / "catalog.sqlite").read_bytes() == catalog
