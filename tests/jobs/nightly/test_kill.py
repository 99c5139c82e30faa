"""A night killed anywhere: the next one begins cleanly and says so; nothing that was safe is lost, nothing made up."""

import dataclasses
import json
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from tapekit import clock
from tapekit.evidence import Evidences
from tapekit.jobs.nightly.night import night
from tapekit.model import Rung
from tapekit.progress import Silent
from tapekit.report.night import NightReport, Outcome
from tests.jobs.nightly import contents
from tests.jobs.nightly.contents import Contents
from tests.jobs.nightly.kill import kill_at, points
from tests.jobs.nightly.site import Site
from tests.jobs.nightly.test_year import folder  # noqa: F401 - a fixture

SMALL_BYTES = 24 << 20
EVERYDAY = 6
"""Points of each night that are tried every day."""


def made(root: Path) -> Site:
    """A site with everything that a night can have: hooks, a snapshot, a dump, a spool."""
    with sqlite3.connect(root / "stock.db") as database:
        database.execute("CREATE TABLE stock (name TEXT)")
    database.close()
    snapshot = root / "snapshot"
    return Site(
        root, SMALL_BYTES,
        {
            "before": [{"command": ["true"]}], "after": [{"command": ["true"]}],
            "snapshot": {"create": ["mkdir", str(snapshot)], "remove": ["rm", "-rf", str(snapshot)]},
            "databases": [{"kind": "sqlite", "path": str(root / "stock.db")}],
        },
        {"scheme": "weekdays", "pool": "daily", "reuse": "overwrite"},
    )  # fmt: skip


def run(site: Site) -> NightReport:
    with clock.running(lambda: site.now):
        return night(site.setting(), Silent(), None)


def a_week(site: Site) -> None:
    """Monday and Tuesday on their cartridges, Wednesday in the spool; it is Monday again."""
    for name in ("MON-1", "TUE-1", None):
        site.put_in(name)
        run(site)
        site.next_day()
    site.next_day(4)


def overwritten(site: Site) -> None:
    """A night over what has expired; what waits in the spool goes along."""
    a_week(site)
    site.put_in("MON-1")


def appended(site: Site) -> None:
    """A night behind what is protected still."""
    a_week(site)
    site.pools = {"daily": {"retention": "20 days"}}
    site.put_in("MON-1")


def first(site: Site) -> None:
    """The first night of all, on a blank cartridge."""
    site.put_in("MON-1")


def spooled(site: Site) -> None:
    """A night for which no cartridge is in."""
    a_week(site)
    site.put_in(None)


NIGHTS: tuple[Callable[[Site], None], ...] = (overwritten, appended, first, spooled)


@dataclasses.dataclass
class Killed:
    """A site before a night, its copy at the same place for each kill, and the checks afterwards."""

    site: Site
    before: Path

    def restore(self) -> Site:
        shutil.rmtree(self.site.root)
        copy_tree(self.before, self.site.root)
        return dataclasses.replace(self.site)

    def check(self, number: int, *, is_same_night: bool) -> None:
        """Kill the night at a point; then it is run again, or the next nights come."""
        site = self.restore()
        there = read(site)
        was_killed = kill_at(partial(run, site), number)
        has_trace = (site.root / "state" / "runs" / "office.running").exists()
        held = read(site)
        check_kept(there, held, may_go={"MON-1"})
        check_evidence(site, held)
        reports = list(again(site) if is_same_night else later(site))
        assert bool(reports[0].left_overs) == has_trace, reports[0]
        assert was_killed or not has_trace
        for report in reports:
            assert report.outcome in {Outcome.CLEAN, Outcome.WARNINGS}, report
            assert not report.problems, report
        after = read(site)
        check_kept(held, after, may_go={"MON-1", "TUE-1"} if not is_same_night else {"MON-1"})
        assert {name: there.name for name, there in after.items() if there.label} == {name: name for name in after}
        check_evidence(site, after)
        check_catalog(site, after)
        check_left(site)


def copy_tree(source: Path, target: Path) -> None:
    """With the holes of images, which are most of them."""
    subprocess.run(["cp", "-a", "--sparse=always", str(source), str(target)], check=True)


def again(site: Site) -> Iterator[NightReport]:
    """The same night once more, by hand, with the cartridge that it is for."""
    site.now += timedelta(hours=1)
    site.put_in("MON-1")
    yield run(site)


def later(site: Site) -> Iterator[NightReport]:
    """The next night, and the next one on the same cartridge."""
    site.next_day()
    site.put_in("TUE-1")
    yield run(site)
    site.next_day(6)
    site.put_in("MON-1")
    yield run(site)


def read(site: Site) -> dict[str, Contents]:
    """Everything that holds archives, by file."""
    places = [*site.shelf.iterdir(), *(site.spool.iterdir() if site.spool.exists() else ())]
    return {path.name: contents.read(path) for path in places}


def check_kept(before: dict[str, Contents], after: dict[str, Contents], may_go: set[str]) -> None:
    """Every complete archive is somewhere, as it was, except on cartridges that are overwritten rightly."""
    there = {archive: held.files for found in after.values() for archive, held in found.complete().items()}
    for name, found in before.items():
        if name not in may_go or not may_be_overwritten(found):
            for archive, held in found.complete().items():
                assert there.get(archive) == held.files, (name, archive)


def may_be_overwritten(found: Contents) -> bool:
    return bool(found.label)


def check_evidence(site: Site, after: dict[str, Contents]) -> None:
    """What the journal has of a cartridge is true of it."""
    held = {found.label: found for found in after.values() if found.label}
    for noted in Evidences(site.root / "state").lines():
        found = held.get(noted.cartridge)
        if found is not None and noted.rung is not None and noted.rung >= Rung.READ_BACK:
            assert noted.archive in found.complete(), noted


def check_catalog(site: Site, after: dict[str, Contents]) -> None:
    """The catalog has what is on the cartridges, and proven is what is good."""
    for cartridge in site.stock().cartridges:
        found = after[cartridge.name]
        assert cartridge.label == found.label
        assert {copy.archive for copy in cartridge.copies} == {held.archive for held in found.archives}
        assert {copy.archive for copy in cartridge.copies if copy.is_verified} <= found.complete().keys()
        complete = {copy.archive for copy in cartridge.copies if copy.state == "complete"}
        # One that was killed between its two trailers (SPEC.md section 10) gives everything back; it is not counted.
        assert complete <= found.complete().keys()
        assert len(found.complete().keys() - complete) <= 1


def check_left(site: Site) -> None:
    """Nothing of the killed run lies about."""
    state = site.root / "state"
    assert not (site.root / "snapshot").exists()
    assert not list((state / "dumps").iterdir())
    assert not list((state / "runs").iterdir())
    reports = {path.name for path in (state / "reports").iterdir()}
    assert {name for name in reports if not name.startswith(".")} == {"office.last.json", "office.success.json"}
    assert not site.spool.exists() or not list(site.spool.iterdir())
    last = json.loads((state / "reports" / "office.last.json").read_text())
    assert last["night"]


@pytest.fixture
def killed(folder: Path, request: pytest.FixtureRequest) -> Killed:  # noqa: F811
    root = folder / "site"
    root.mkdir()
    site = made(root)
    request.param(site)
    before = folder / "before"
    copy_tree(root, before)
    return Killed(site, before)


@pytest.mark.parametrize("killed", NIGHTS, indirect=True)
def test_a_night_killed_here_and_there(killed: Killed) -> None:
    names = points(partial(run, killed.restore()))
    for turn in range(EVERYDAY):
        killed.check(len(names) * turn // EVERYDAY + 1, is_same_night=bool(turn % 2))


@pytest.mark.long
@pytest.mark.parametrize("is_same_night", (True, False))
@pytest.mark.parametrize("killed", NIGHTS, indirect=True)
def test_a_night_killed_anywhere(killed: Killed, *, is_same_night: bool) -> None:
    names = points(partial(run, killed.restore()))
    for number in range(len(names)):
        killed.check(number, is_same_night=is_same_night)
