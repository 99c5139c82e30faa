"""A cartridge exchanged between the decision and the writing, for one of the same name from another site."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tapekit.jobs.nightly.at_hand import AtHand
from tapekit.jobs.nightly.write import Writer
from tapekit.report.night import NightReport, Outcome
from tests.jobs.nightly.site import Site

OPTIONS: dict[str, object] = {"eject": False, "verify": "none", "parity": False}
SIZE = 16 << 20


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Ours, and in the folder `other` one whose first cartridge has the same name."""
    (tmp_path / "ours").mkdir()
    (tmp_path / "other").mkdir()
    other = Site(tmp_path / "other", SIZE, options=dict(OPTIONS), site={"name": "other"})
    other.put_in("MON-1")
    assert other.run().cartridges
    return Site(tmp_path / "ours", SIZE, options=dict(OPTIONS))


def exchanged(monkeypatch: pytest.MonkeyPatch, of: type, method: str, exchange: Callable[[], None]) -> None:
    """Something happens just before that method runs, once."""
    real, times = getattr(of, method), [exchange]

    def first(self: object, *arguments: object, **named: object) -> object:
        if times:
            times.pop()()
        return real(self, *arguments, **named)

    monkeypatch.setattr(of, method, first)


def put_in_the_others(site: Site) -> Callable[[], None]:
    def exchange() -> None:
        site.drive.unlink()
        site.drive.symlink_to(theirs(site))

    return exchange


def theirs(site: Site) -> Path:
    return site.root.parent / "other/shelf/MON-1"


def told(report: NightReport) -> list[str]:
    return [note.kind for note in report.problems]


@pytest.mark.parametrize("case", ("append", "overwrite", "blank"))
def test_the_other_sites_cartridge_stays_as_it_is(site: Site, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    site.put_in("MON-1")
    if case != "blank":
        assert site.run().cartridges
        site.next_day(7)
    if case == "overwrite":
        site.pools = {"daily": {"retention": "2 days"}}
        site.rotation["reuse"] = "overwrite"
    before, mine = theirs(site).read_bytes(), site.cartridge("MON-1").read_bytes()
    of, method = (Writer, "write") if case == "append" else (AtHand, "label")
    exchanged(monkeypatch, of, method, put_in_the_others(site))
    report = site.run()
    assert told(report) == ["exchanged-cartridge"]
    assert report.outcome is Outcome.SPOOLED
    assert theirs(site).read_bytes() == before
    assert site.cartridge("MON-1").read_bytes() == mine
    if case == "overwrite":  # nothing counts as gone that is still there
        known = site.stock().named("MON-1")
        assert known is not None
        assert known.copies


def test_labelled_and_then_exchanged(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    before = theirs(site).read_bytes()
    site.put_in("MON-1")
    exchanged(monkeypatch, Writer, "write", put_in_the_others(site))
    report = site.run()
    assert (told(report), report.outcome) == (["exchanged-cartridge"], Outcome.SPOOLED)
    assert theirs(site).read_bytes() == before


def test_put_back_at_once_it_takes_the_night(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.put_in("MON-1")
    assert site.run().cartridges
    site.next_day(7)
    exchanged(monkeypatch, Writer, "write", put_in_the_others(site))
    exchanged(monkeypatch, AtHand, "failed_at", lambda: site.put_in("MON-1"))
    report = site.run()
    assert (told(report), [one.name for one in report.cartridges]) == (["exchanged-cartridge"], ["MON-1"])
