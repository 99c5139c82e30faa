"""A night over several cartridges that is cut off between them, or while it waits; and a second run meanwhile."""

import dataclasses
import shutil
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from tapekit import clock
from tapekit.config.values import Duration
from tapekit.errors import Busy
from tapekit.jobs.nightly import run, spool
from tapekit.jobs.nightly.going_on import Wanted
from tapekit.progress import Silent
from tapekit.report.night import Outcome
from tapekit.rotation.loss import Standing
from tests.jobs.nightly.kill import kill_at, points
from tests.jobs.nightly.site import Site
from tests.jobs.nightly.test_kill import copy_tree
from tests.jobs.nightly.test_spanning import Hands, earlier, fill, night, restored, same, standing, written
from tests.jobs.nightly.test_spanning import site as site  # noqa: PLC0414 - a fixture
from tests.jobs.nightly.test_year import folder  # noqa: F401 - a fixture

TURNS = 8


@dataclasses.dataclass
class Cut:
    """A site before a night of two parts, and its copy at the same place for each cut."""

    site: Site
    before: Path
    by_hand: bool

    def again(self) -> Site:
        shutil.rmtree(self.site.root)
        copy_tree(self.before, self.site.root)
        return dataclasses.replace(self.site)

    def work(self, site: Site) -> None:
        night(site, Hands(site, ["A-2"]) if self.by_hand else None)

    def points(self) -> list[str]:
        return points(partial(self.work, self.again()))

    def check(self, number: int) -> None:
        """Cut off there, the night is run again until it is whole; what was there before is as it was."""
        site = self.again()
        kept = site.cartridge("A-5").read_bytes()
        kill_at(partial(self.work, site), number)
        site.now += timedelta(hours=1)
        site.put_in("A-1")
        report = night(site, Hands(site, ["A-2"]) if self.by_hand else None)
        if report.outcome is Outcome.SPOOLED:
            site.now += timedelta(hours=1)
            site.put_in("A-2")
            report = night(site)
        assert report.outcome in {Outcome.CLEAN, Outcome.WARNINGS}, (number, report)
        assert not report.problems, (number, report)
        assert standing(site)[report.archive] is Standing.VERIFIED, number
        assert spool.waiting(site.spool, "office") == []
        assert not list((site.root / "state" / "runs").iterdir())
        assert site.cartridge("A-5").read_bytes() == kept
        to = site.root / "to"
        assert restored(site, written(report), to).problems == []
        assert same(site, to) == {path.name for path in site.source.iterdir()}


@pytest.fixture(params=(True, False), ids=("by hand", "spool"))
def cut(folder: Path, request: pytest.FixtureRequest) -> Cut:  # noqa: F811
    root = folder / "site"
    root.mkdir()
    made = Site(
        root, 16 << 20, {"sample_restore": 0},
        {"scheme": "round-robin", "pool": "daily", "cartridges": ["A-1", "A-2", "A-5"], "reuse": "overwrite"},
    )  # fmt: skip
    earlier(made, "A-5", days=1)
    fill(made.source, 1, large=4, small=3)
    made.put_in("A-1")
    before = folder / "before"
    copy_tree(root, before)
    return Cut(made, before, by_hand=request.param)


def test_a_night_cut_off_between_its_parts(cut: Cut) -> None:
    names = cut.points()
    cut.check(names.index("step ask") + 1 if cut.by_hand else names.index("open office.2026-03-02+2.tkc"))


@pytest.mark.long
def test_a_night_cut_off_here_and_there(cut: Cut) -> None:
    count = len(cut.points())
    for turn in range(TURNS):
        cut.check(count * turn // TURNS)


def test_a_second_run_finds_the_first_one_waiting(site: Site) -> None:
    """And takes nothing out of its hands: neither the drive, nor what it has in the spool."""
    site.options |= {"sample_restore": 0}
    fill(site.source, 1, large=4, small=3)
    setting = site.setting()
    none = setting.job.model_copy(update={"wait": Duration(0, "hour")})
    another = dataclasses.replace(setting, job=none)

    class Another(Hands):
        def change(self, wanted: Wanted) -> bool:
            with pytest.raises(Busy), clock.running(lambda: site.now):
                run.run(another, Silent())
            return super().change(wanted)

    site.put_in("A-1")
    report = night(site, Another(site, ["A-2"]))
    assert (report.outcome, written(report)) == (Outcome.CLEAN, ["A-1", "A-2"])
