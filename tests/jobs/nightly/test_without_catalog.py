"""Without a catalog that can be relied on a night is written all the same, and nothing is ever written over."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tapekit import clock
from tapekit.catalog import database
from tapekit.catalog.errors import CatalogError
from tapekit.catalog.store import Store
from tapekit.errors import Exit
from tapekit.jobs import inspect
from tapekit.jobs.nightly.deliver import deliver
from tapekit.report.night import NightReport, Outcome
from tests.jobs.cartridges import Image, evidences
from tests.jobs.nightly.site import Site
from tests.report.sinks import WebSink, serving

Break = Callable[[Site], None]


ROTATION: dict[str, object] = {"scheme": "weekdays", "pool": "daily", "reuse": "overwrite"}
SIZE = 24 << 20


@pytest.fixture(scope="module")
def two_nights(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """MON-1 and TUE-1 were written."""
    made = Site(tmp_path_factory.mktemp("site"), SIZE, rotation=ROTATION)
    for cartridge in ("MON-1", "TUE-1"):
        made.put_in(cartridge)
        assert made.run().outcome is Outcome.CLEAN
        made.next_day()
    made.drive.unlink()
    return made


@pytest.fixture
def site(two_nights: Site, tmp_path: Path) -> Site:
    """On the third Monday; MON-1 is in and has expired, TUE-1 holds a verified copy."""
    shutil.copytree(two_nights.root, tmp_path, dirs_exist_ok=True)
    made = Site(tmp_path, SIZE, rotation=ROTATION, now=two_nights.now)
    made.next_day(12)
    made.put_in("MON-1")
    return made


def catalog(site: Site) -> Path:
    return site.root / "state" / "catalog.sqlite"


def kinds(report: NightReport) -> list[str]:
    return [note.kind for note in report.problems]


def archives(site: Site, cartridge: str = "MON-1") -> list[str]:
    with Image(site.cartridge(cartridge)).drive() as drive:
        return [archive.segment.archive for archive in inspect.run(drive, evidences()).archives]


def test_with_it_the_expired_cartridge_is_written_over(site: Site) -> None:
    report = site.run()
    assert (report.outcome, len(report.overwritten)) == (Outcome.CLEAN, 1)
    assert archives(site) == [report.archive]


def damage(site: Site) -> None:
    catalog(site).write_bytes(b"nonsense" * 1000)


def cut_short(site: Site) -> None:
    with catalog(site).open("r+b") as file:
        file.truncate(8192)


def from_a_newer_program(site: Site) -> None:
    with sqlite3.connect(catalog(site)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()


def no_server(site: Site) -> None:
    site.site = {"catalog": "postgresql://tapekit@127.0.0.1:1/tapekit"}


def no_password(site: Site) -> None:
    site.site = {
        "catalog": "postgresql://tapekit@127.0.0.1:1/tapekit", "catalog_password_file": str(site.root / "password")
    }  # fmt: skip


@pytest.mark.parametrize(
    ("broken", "kind", "why"),
    (
        (damage, "catalog", "this file is no SQLite database"),
        (cut_short, "catalog", "the database is damaged"),
        (from_a_newer_program, "catalog", "written by a newer tapekit"),
        (no_server, "catalog-missed", "postgresql+psycopg://tapekit@127.0.0.1:1/tapekit: connection"),
        (no_password, "catalog-missed", "no such file"),
    ),
)
def test_a_catalog_that_cannot_be_used(site: Site, broken: Break, kind: str, why: str) -> None:
    before = archives(site)
    broken(site)
    report = site.run()
    assert (report.outcome, report.exit_code, report.overwritten) == (Outcome.WARNINGS, Exit.WARNINGS, ())
    assert (kinds(report), why in report.problems[0].detail) == ([kind], True), report.problems
    assert archives(site) == [*before, report.archive]


def test_a_catalog_that_another_program_holds(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_S", 0.01)
    before = archives(site)
    other = sqlite3.connect(catalog(site), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    report = site.run()
    other.close()
    assert (kinds(report), report.exit_code) == (["catalog-missed"], Exit.WARNINGS)
    assert archives(site) == [*before, report.archive]
    # What the catalog missed is brought in by the next run.
    site.next_day(7)
    assert site.run().outcome is Outcome.CLEAN
    assert report.archive not in archives(site)


def test_a_catalog_that_is_lost_knows_nothing_of_the_other_cartridges(site: Site) -> None:
    before = archives(site)
    site.forget()
    report = site.run()
    assert (report.outcome, report.overwritten) == (Outcome.WARNINGS, ())
    assert [note.kind for note in report.warnings] == ["base-missing"]
    assert archives(site) == [*before, report.archive]


def test_what_is_not_written_down_as_gone_stays(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise CatalogError("catalog: no space left on its disk")

    before = archives(site)
    monkeypatch.setattr(Store, "mark_overwritten", fail)
    report = site.run()
    assert (kinds(report), report.overwritten) == (["catalog-missed"], ())
    assert archives(site) == [*before, report.archive]


def test_a_blank_medium_gets_no_name_that_another_may_have(site: Site) -> None:
    damage(site)
    site.put_in("blank")
    report = site.run()
    assert [cartridge.name for cartridge in report.cartridges] == ["SPARE-260316-1"]
    assert archives(site, "blank") == [report.archive]


def test_no_room_behind_it_and_it_goes_to_the_spool(site: Site) -> None:
    damage(site)
    (site.source / "large").write_bytes(os.urandom(20 << 20))
    before = archives(site)
    report = site.run()
    assert (report.outcome, report.exit_code) == (Outcome.SPOOLED, Exit.CARTRIDGE)
    assert archives(site) == [*before, report.archive]  # its beginning is there, and all that was


@pytest.fixture
def disk(site: Site) -> Iterator[Path]:
    """The state on a disk of its own, of 2 MiB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    state = site.root / "state"
    kept = site.root / "kept"
    state.rename(kept)
    state.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tapekit-test", state], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
    subprocess.run(["cp", "-a", f"{kept}/.", state], check=True)
    yield state
    subprocess.run(["umount", "--lazy", state], check=True)  # an error's traceback may still hold a file open


def delivered(site: Site) -> NightReport:
    """A night whose page lies in the state too, and whose message does not go."""
    with serving(WebSink()) as sink, clock.running(lambda: site.now):
        sink.status = 500
        site.notifications = {
            "html": str(site.root / "state" / "html"), "always": [f"json://127.0.0.1:{sink.port}/"]
        }  # fmt: skip
        return deliver(site.setting(), site.run(), wait=lambda _seconds: None)


def not_delivered(report: NightReport) -> set[str]:
    return {note.kind for note in report.warnings}


def test_a_full_state_disk(site: Site, disk: Path) -> None:
    before = archives(site)
    free = shutil.disk_usage(disk).free
    (disk / "fills it").write_bytes(bytes(free))
    report = delivered(site)
    assert (report.outcome, report.exit_code, report.overwritten) == (Outcome.WARNINGS, Exit.WARNINGS, ())
    assert set(kinds(report)) == {"catalog-missed", "state"}, report.problems
    assert not_delivered(report) == {"report-file", "not-kept"}
    assert archives(site) == [*before, report.archive]


def test_a_state_that_is_read_only(site: Site, disk: Path) -> None:
    before = archives(site)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    report = delivered(site)
    assert (report.outcome, report.exit_code, report.overwritten) == (Outcome.WARNINGS, Exit.WARNINGS, ())
    assert set(kinds(report)) == {"catalog-missed", "state"}, report.problems
    assert not_delivered(report) == {"report-file", "not-kept", "base-missing"}
    assert all("read-only" in note.detail.lower() for note in report.problems)
    assert archives(site) == [*before, report.archive]
