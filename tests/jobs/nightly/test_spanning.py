"""A night over several small cartridges: by a person, by a changer, and with its rest in the spool until one comes."""

import dataclasses
import random
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from drivers import image
from drivers.base import Drive
from drivers.virtual.changer import Plan, add, make
from tapekit import clock
from tapekit.catalog.store import Store
from tapekit.errors import Exit
from tapekit.evidence import Evidences
from tapekit.jobs import backup, check, label, restore, status, verify
from tapekit.jobs.learn import learn
from tapekit.jobs.next_cartridge import Listed
from tapekit.jobs.nightly import run, spool
from tapekit.jobs.nightly.going_on import Wanted
from tapekit.jobs.nightly.rehearsal import rehearse
from tapekit.keys import ring
from tapekit.keys.opener import NO_KEY, InHand, Opener
from tapekit.keys.pair import Pair
from tapekit.keys.slot import PrivateKey
from tapekit.model import Rung
from tapekit.progress import Silent
from tapekit.report.line import line
from tapekit.report.night import NightReport, Outcome
from tapekit.rotation.decide import Action
from tapekit.rotation.loss import Standing, archives
from tests.jobs.cartridges import request
from tests.jobs.nightly.site import Site
from tests.jobs.nightly.test_feed import ChangerSite
from tests.rescue.kit import FINE, LOSSES, rescue

MB = 1 << 20
SIZE = 16 * MB
NAMES = ("A-1", "A-2", "A-3", "A-4", "A-5")
PROVEN = (Rung.WRITTEN, Rung.FLUSHED, Rung.READ_BACK, Rung.COMPARED, Rung.SAMPLE_RESTORED)


class Hands:
    """A person who puts in what is next on the list; None: nothing is put in, and the person gives up."""

    def __init__(self, site: Site, names: Sequence[str | None]) -> None:
        self.asked: list[Wanted] = []
        self._site = site
        self._names = list(names)

    def change(self, wanted: Wanted) -> bool:
        self.asked.append(wanted)
        name = self._names.pop(0) if self._names else None
        if name is not None:
            self._site.put_in(name)
        return name is not None


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Its night takes three cartridges; each holds pieces of the largest file and some small ones."""
    made = Site(
        tmp_path, SIZE, {"sample_restore": 2, "spool": None},
        {"scheme": "round-robin", "pool": "daily", "cartridges": list(NAMES), "reuse": "overwrite"},
    )  # fmt: skip
    fill(made.source, seed=1)
    return made


def fill(source: Path, seed: int, large: int = 12, small: int = 6) -> None:
    """One large file between small ones; sizes in MiB."""
    rng = random.Random(seed)
    for path in source.iterdir():
        path.unlink()
    for name in (*(f"b{number}" for number in range(small)), "c", *(f"d{number}" for number in range(small))):
        (source / name).write_bytes(rng.randbytes((large if name == "c" else 1) * MB))


def earlier(site: Site, name: str, days: int) -> None:
    """A night that filled a cartridge so many days ago, read back, and in the catalog."""
    site.put_in(name)
    journal = Evidences(site.root / "state")
    fill(site.source, 9, large=7, small=0)
    wanted = dataclasses.replace(request(site.source, job="office"), site="test")
    drive = image.open_drive(str(site.cartridge(name)), writable=True)
    with clock.running(lambda: site.now - timedelta(days)):
        label.run(drive, barcode=name, pool="daily", block_bytes=None, destroy=None)
        backup.run(drive, wanted, Silent(), journal)
        verify.run(drive, "latest", Silent(), journal)
        with Store.open(site.root / "state" / "catalog.sqlite", "test") as store:
            learn(drive, store, journal)
    drive.close()
    fill(site.source, 1)


def night(site: Site, hands: Hands | None = None) -> NightReport:
    with clock.running(lambda: site.now):
        return run.run(site.setting(), Silent(), person=hands)


def written(report: NightReport) -> list[str]:
    return [cartridge.name for cartridge in report.cartridges]


def kinds(report: NightReport) -> list[str]:
    return [note.kind for note in (*report.problems, *report.warnings)]


def opened(path: Path) -> Drive:
    return image.open_drive(str(path), writable=False)


def restored(site: Site, names: Sequence[str], to: Path, *patterns: str, opener: Opener = NO_KEY) -> restore.Result:
    first, *others = [site.cartridge(name) for name in names]
    drive = opened(first)
    further = Listed([lambda path=path: opened(path) for path in others])  # type: ignore[misc]
    try:
        return restore.run(drive, restore.Request(str(to), patterns, opener=opener), Silent(), next_cartridge=further)
    finally:
        further.close()
        drive.close()


def same(site: Site, to: Path) -> set[str]:
    """The files that came back as they are in the source; none came back otherwise."""
    below = to / str(site.source)[1:]
    back = {path.name for path in below.iterdir() if ".damaged" not in path.name} if below.exists() else set()
    assert all((below / name).read_bytes() == (site.source / name).read_bytes() for name in back)
    return back


def asked(site: Site) -> status.Job:
    """What `tapekit status` says of the job."""
    (job,) = status.run(site.configuration(), None, site.now).jobs
    return job


def standing(site: Site) -> dict[str, Standing]:
    return {held.archive: held.standing for held in archives(site.stock().cartridges)}


# --- by a person -----------------------------------------------------------------------------------------------------


def test_a_night_over_three_cartridges_comes_back(site: Site, tmp_path: Path) -> None:
    """Whole, one file of it, by the rescue kit, and what is on the others where each one is missing in turn."""
    site.put_in("A-1")
    hands = Hands(site, ["A-2", "A-3"])
    report = night(site, hands)
    assert (report.outcome, kinds(report)) == (Outcome.CLEAN, [])
    assert written(report) == ["A-1", "A-2", "A-3"]
    assert [(asked.full, asked.due) for asked in hands.asked] == [("A-1", ("A-2",)), ("A-2", ("A-3",))]
    # The one in the middle holds nothing but a piece of the largest file: there is no whole one to try.
    assert [cartridge.rungs for cartridge in report.cartridges] == [PROVEN, PROVEN[:4], PROVEN]
    assert line(report, "en").startswith("Saved, read back, compared. Put")
    assert standing(site) == {report.archive: Standing.VERIFIED}
    everything = {path.name for path in site.source.iterdir()}
    assert any(name.endswith(b"/d5") for name in site.names())

    assert restored(site, ("A-3", "A-1", "A-2"), tmp_path / "all").problems == []
    assert same(site, tmp_path / "all") == everything
    assert restored(site, ("A-1", "A-2", "A-3"), tmp_path / "one", f"{site.source}/d5").members == 1
    also = [word for name in ("A-2", "A-3") for word in ("--also", str(site.cartridge(name)))]
    kit = rescue("restore", site.cartridge("A-1"), "--to", tmp_path / "kit", *also)
    assert (kit.code, same(site, tmp_path / "kit")) == (FINE, everything), kit.err
    for missing in ("A-1", "A-2", "A-3"):
        there = [name for name in ("A-1", "A-2", "A-3") if name != missing]
        result = restored(site, there, tmp_path / missing)
        back = same(site, tmp_path / missing)
        assert back
        assert everything - back
        assert any("is not there" in problem for problem in result.problems)
        kit = rescue(
            "restore", site.cartridge(there[0]), "--also", site.cartridge(there[1]), "--to", tmp_path / f"kit {missing}"
        )
        assert (kit.code, same(site, tmp_path / f"kit {missing}")) == (LOSSES, back), kit.err


@pytest.mark.parametrize("wrong", ("the same", "unexpired", "foreign"))
def test_what_must_not_be_written_is_not_taken_for_the_next(site: Site, wrong: str) -> None:
    """It is asked for again, with the reason, and stays as it was."""
    name = {"the same": "A-1", "unexpired": "A-4", "foreign": "B-1"}[wrong]
    site.options["sample_restore"] = 0
    if wrong == "unexpired":
        earlier(site, name, days=1)
    elif wrong == "foreign":
        (site.root / "other").mkdir()
        other = Site(site.root / "other", SIZE, site={"name": "elsewhere"})
        other.put_in(name)
        night(other)
        other.cartridge(name).rename(site.cartridge(name))
    before = site.cartridge(name).read_bytes() if wrong != "the same" else b""
    fill(site.source, 1, large=4, small=3)
    site.put_in("A-1")
    hands = Hands(site, [name, "A-2"])
    report = night(site, hands)
    assert (report.outcome, written(report)) == (Outcome.CLEAN, ["A-1", "A-2"])
    assert len(hands.asked) == 2
    assert hands.asked[1].why
    if before:
        assert site.cartridge(name).read_bytes() == before


@pytest.mark.long
def test_a_full_one_that_has_expired_is_overwritten_and_told(site: Site) -> None:
    earlier(site, "A-2", days=10)
    earlier(site, "A-5", days=9)  # a later verified copy
    site.put_in("A-1")
    report = night(site, Hands(site, ["A-2", "A-3"]))
    assert written(report) == ["A-1", "A-2", "A-3"]
    assert [one.cartridge for one in report.overwritten] == ["A-2"]
    assert [one.lost for one in report.overwritten] != [()]
    assert standing(site)[report.archive] is Standing.VERIFIED


def test_nobody_and_no_spool_begins_nothing(site: Site) -> None:
    site.put_in("A-1")
    before = site.cartridge("A-1").read_bytes()
    report = night(site)
    assert (report.outcome, report.exit_code) == (Outcome.FAILED, Exit.CARTRIDGE)
    assert site.cartridge("A-1").read_bytes() == before


# --- the rest in the spool -------------------------------------------------------------------------------------------


@pytest.fixture
def alone(site: Site) -> Site:
    """A site where nobody is there at night, with a spool."""
    site.options |= {"spool": str(site.spool), "sample_restore": 0}
    return site


def waiting(site: Site) -> list[tuple[int, bool]]:
    return [(one.part, one.is_last) for one in spool.sets(site.spool, "office")]


def test_the_rest_waits_and_each_cartridge_that_comes_takes_its_part(alone: Site, tmp_path: Path) -> None:
    site = alone
    site.put_in("A-1")
    report = night(site)
    assert (report.outcome, report.exit_code, report.waiting) == (Outcome.SPOOLED, Exit.CARTRIDGE, 1), report
    assert written(report) == ["A-1"]
    assert waiting(site) == [(1, False), (2, True)]
    assert standing(site) == {report.archive: Standing.PARTIAL}
    told = asked(site)
    assert (told.proofs, told.waiting) == ((), 1)
    (rest,) = [note for note in told.notes if "spool" in note.kind]
    assert (rest.kind, rest.values["due"]) == ("rest-spooled", "A-2, A-3")
    assert line(report, "en") == (
        "Only the beginning is on A-1, the rest on the server's disk: put A-2, A-3 in, and the night goes on."
    )
    assert "mettez A-2, A-3, et la nuit continue" in line(report, "fr")
    everything = {path.name for path in site.source.iterdir()}
    with clock.running(lambda: site.now):
        images = spool.waiting(site.spool, "office")
    also = [word for path in images for word in ("--also", str(path))]
    kit = rescue("restore", site.cartridge("A-1"), "--to", tmp_path / "meanwhile", *also)
    assert (kit.code, same(site, tmp_path / "meanwhile")) == (FINE, everything), kit.err

    (site.source / "c").write_bytes(b"it is changed by now")
    site.now += timedelta(hours=10)
    site.put_in("A-2")
    second = night(site)
    assert (second.outcome, second.archive, written(second)) == (Outcome.SPOOLED, report.archive, ["A-1", "A-2"])
    assert waiting(site) == [(2, True)]
    site.put_in("A-2")
    again = night(site)  # the same one is in still
    assert (again.outcome, waiting(site)) == (Outcome.SPOOLED, [(2, True)])
    site.put_in("A-3")
    third = night(site)
    assert (third.outcome, third.exit_code, kinds(third)) == (Outcome.CLEAN, Exit.DONE, [])
    assert written(third) == ["A-1", "A-2", "A-3"]
    assert (third.members, third.waiting, spool.waiting(site.spool, "office")) == (14, 0, [])
    assert standing(site) == {report.archive: Standing.VERIFIED}
    assert asked(site).proofs[-1][0] is Rung.READ_BACK
    fill(site.source, 1)
    assert restored(site, ("A-1", "A-2", "A-3"), tmp_path / "all").problems == []
    assert same(site, tmp_path / "all") == everything
    without = restored(site, ("A-1", "A-3"), tmp_path / "without").problems
    assert without == [f"part 2 of archive {report.archive[:8]} is not there"]  # not that it is in the spool, once


@pytest.mark.long
def test_the_next_night_takes_a_rest_that_fits_behind_it(alone: Site) -> None:
    site = alone
    fill(site.source, 1, large=4, small=3)
    site.put_in("A-1")
    first = night(site)
    assert (first.outcome, waiting(site)) == (Outcome.SPOOLED, [(1, True)])
    fill(site.source, 2, large=1, small=0)
    site.now += timedelta(days=1)
    site.put_in("A-2")
    report = night(site)
    assert (written(report), spool.waiting(site.spool, "office")) == (["A-2"], [])
    assert standing(site) == dict.fromkeys((first.archive, report.archive), Standing.VERIFIED)


@pytest.mark.long
def test_a_night_larger_than_any_cartridge_waits_in_parts_that_fit(alone: Site, tmp_path: Path) -> None:
    """No cartridge is in; the sizes of those that are known say how large a part may be."""
    site = alone
    earlier(site, "A-5", days=1)
    site.put_in(None)
    report = night(site)
    assert (report.outcome, written(report), report.waiting) == (Outcome.SPOOLED, [], 1)
    assert line(report, "en").startswith("On no cartridge yet, only on the server's own disk: put ")
    parts = waiting(site)
    assert len(parts) > 2
    hands = Hands(site, [f"A-{number}" for number in range(1, len(parts) + 1)])
    site.now += timedelta(hours=9)
    done = night(site, hands)
    assert (done.outcome, len(written(done))) == (Outcome.CLEAN, len(parts))
    assert standing(site)[report.archive] is Standing.VERIFIED
    restored(site, written(done), tmp_path / "all")
    assert same(site, tmp_path / "all") == {path.name for path in site.source.iterdir()}


def test_dry_run_and_evening_check_foresee_it(alone: Site) -> None:
    """With the due cartridge in, nobody need do anything in the evening."""
    site = alone
    site.put_in("A-1")
    with clock.running(lambda: site.now):
        rehearsed = rehearse(site.setting(), site.now.date())
        evening = check.run(site.setting(), site.now.date())
    assert [(way.action, way.goes_on) for way in rehearsed.ways] == [(Action.LABEL, True), (Action.SPOOL, False)]
    assert (rehearsed.exit_code, rehearsed.refused) == (Exit.CARTRIDGE, ())
    assert [way.cartridge for way in evening.ways] == ["A-1"]
    assert {note.kind for note in evening.notes} <= {"never", "no-timer"}  # of the cartridge there is nothing to say


# --- encrypted, and over two drives -----------------------------------------------------------------------------------


def test_an_encrypted_night_goes_on_and_waits_without_a_private_key(alone: Site, tmp_path: Path) -> None:
    """The site has the public key alone: the second part is proven, and moved later, all the same."""
    site, owner = alone, Pair.new("owner", "Marie")
    ring.add(site.root / "keys", owner.public_line)
    fill(site.source, 1, large=4, small=3)
    site.options["sample_restore"] = 1
    site.put_in("A-1")
    report = night(site)
    assert (written(report), waiting(site), report.problems) == (["A-1"], [(1, True)], ())
    assert report.cartridges[0].rungs == PROVEN
    site.now += timedelta(hours=1)
    site.put_in("A-2")
    done = night(site)
    assert (done.outcome, written(done), done.problems) == (Outcome.CLEAN, ["A-1", "A-2"], ())
    assert standing(site) == {report.archive: Standing.VERIFIED}
    result = restored(site, ("A-1", "A-2"), tmp_path / "all", opener=InHand(PrivateKey(owner)))
    assert result.problems == []
    assert same(site, tmp_path / "all") == {path.name for path in site.source.iterdir()}


class TwoDrives(Site):
    """The same, with a second drive."""

    def content(self) -> dict[str, Any]:
        content = super().content()
        drives = {"rdx": f"image:{self.drive}", "other": f"image:{self.root / 'other'}"}
        job = {name: value for name, value in content["jobs"]["office"].items() if name != "drive"}  # type: ignore[index]
        return content | {"drives": drives, "jobs": {"office": job | {"drives": ["rdx", "other"]}}}


def test_the_night_goes_on_in_the_other_drive(tmp_path: Path) -> None:
    site = TwoDrives(
        tmp_path, SIZE, {"sample_restore": 0, "spool": None},
        {"scheme": "round-robin", "pool": "daily", "cartridges": list(NAMES)},
    )  # fmt: skip
    fill(site.source, 1, large=4, small=3)
    site.put_in("A-1")
    image.create(str(site.root / "other"), SIZE)
    report = night(site)
    assert (report.outcome, kinds(report)) == (Outcome.CLEAN, [])
    assert written(report) == ["A-1", "A-2"]
    assert standing(site) == {report.archive: Standing.VERIFIED}


# --- from a changer ---------------------------------------------------------------------------------------------------


@pytest.fixture
def changer(tmp_path: Path) -> ChangerSite:
    made = ChangerSite(
        tmp_path, rotation={"scheme": "round-robin", "pool": "daily", "cartridges": list(TAPES), "reuse": "overwrite"},
        options={"spool": None}, calendar={"closed": []},
    )  # fmt: skip
    make(made.folder, Plan(drives=1, slots=6), TAPES, 10 * MB)
    fill(made.source, seed=1)
    return made


TAPES = tuple(f"TB000{number}L6" for number in range(1, 6))


@pytest.mark.long
def test_a_changer_brings_one_after_the_other(changer: ChangerSite) -> None:
    """And never one that is still needed: the second night has the others, and the third finds too few."""
    first = night(changer)
    assert (first.outcome, kinds(first)) == (Outcome.CLEAN, [])
    assert written(first) == list(TAPES[:3])
    assert set(changer.where().values()) == {f"slot {number}" for number in range(1, 6)}
    assert first.next_cartridges == TAPES[3:]
    fill(changer.source, seed=2, large=4, small=3)
    changer.now += timedelta(days=1)
    second = night(changer)
    assert (kinds(second), written(second)) == (["size-drop"], list(TAPES[3:]))
    used = changer.used()
    fill(changer.source, seed=3)
    changer.now += timedelta(days=1)
    third = night(changer)
    assert (third.outcome, changer.used()) == (Outcome.FAILED, used)
    assert standing(changer) == dict.fromkeys((first.archive, second.archive), Standing.VERIFIED)
    changer.now += timedelta(days=5)
    fourth = night(changer)  # the first night has expired, with all its cartridges
    assert written(fourth) == list(TAPES[:3])


def test_the_rest_waits_where_the_changer_has_no_further_one(changer: ChangerSite) -> None:
    changer.options |= {"spool": str(changer.spool)}
    for number in (3, 4, 5):
        (changer.folder / f"slot-{number}").unlink()
    report = night(changer)
    assert (report.outcome, written(report), waiting(changer)) == (Outcome.SPOOLED, list(TAPES[:2]), [(2, True)])
    assert changer.where() == {TAPES[0]: "slot 1", TAPES[1]: "slot 2"}
    add(changer.folder, "TB0009L6", "slot-3", 10 * MB)
    changer.now += timedelta(hours=9)
    done = night(changer)
    assert (done.outcome, kinds(done)) == (Outcome.WARNINGS, ["rest-elsewhere"])
    assert written(done) == [*TAPES[:2], "TB0009L6"]
    assert standing(changer) == {report.archive: Standing.VERIFIED}
