"""`tapekit label` over what the catalog knows: first of all, what must never be lost."""

from pathlib import Path

import pytest

from drivers import image
from tapekit.catalog.errors import CatalogBusy
from tapekit.catalog.store import Store
from tests.cli.conftest import Run
from tests.jobs.cartridges import places

SITE = '[site]\nname = "here"\n[drives]\noffice = "image:{root}/c.tkc"\n'


@pytest.fixture
def site(run: Run, tmp_path: Path) -> Path:
    """A site with a configuration, and so with a catalog."""
    (tmp_path / "tapekit.toml").write_text(SITE.format(root=tmp_path))
    return tmp_path


@pytest.fixture
def other(run: Run, site: Path, saved: str, source: Path) -> str:
    """A second cartridge with the same night of the same job; the first one is verified."""
    url = f"image:{site}/d.tkc"
    assert run("label", url, "--size", "16M", "--block-size", "64K", "--barcode", "THU-1").code == 0
    assert run("backup", url, source).code == 0
    assert run("verify", saved).code == 0
    return url


def cartridges(run: Run) -> dict[str, int]:
    """Archives by cartridge."""
    return {each["name"]: each["copies"] for each in run("cartridges", "list", "--json").answer["cartridges"]}


def test_the_refusal_says_what_would_cease_to_exist(run: Run, site: Path, saved: str) -> None:
    ran = run("label", saved)
    assert ran.code == 5
    assert "holds 1 archive of" in ran.err
    assert "hint: would cease to exist: the only copy of " in ran.err
    assert "--destroy WED-1" in ran.err


def test_what_another_cartridge_holds_is_not_lost(run: Run, other: str) -> None:
    assert run("verify", other).code == 0
    assert "all of that is on other cartridges too" in run("label", other).err
    answer = run("label", other, "--destroy", "THU-1", "--barcode", "THU-1", "--json").answer
    assert answer["lost"] == []
    assert cartridges(run) == {"THU-1": 0, "WED-1": 1}


def test_the_last_verified_copy_is_never_destroyed(run: Run, saved: str, other: str) -> None:
    ran = run("label", saved, "--destroy", "WED-1")
    assert ran.code == 5
    assert "cartridge WED-1: the last verified copy of backup: " in ran.err
    assert "hint: verify another copy of it first" in ran.err
    assert run("verify", saved).code == 0
    assert run("verify", other).code == 0
    ran = run("label", saved, "--destroy", "WED-1", "--barcode", "WED-1")
    assert (ran.code, ran.err) == (0, "")


def test_what_the_journal_alone_knows_counts_too(
    run: Run, saved: str, other: str, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A verification that the catalog missed makes a copy the last verified one all the same."""
    assert run("backup", saved, source, "--job", "second").code == 0
    with monkeypatch.context() as broken:
        broken.setattr(Store, "record_proofs", _busy)
        ran = run("verify", saved)
    assert (ran.code, "not in the catalog: another run" in ran.err) == (0, True)
    assert run("verify", other).code == 0
    assert "the last verified copy of second" in run("label", saved, "--destroy", "WED-1").err


def _busy(*_arguments: object, **_more: object) -> None:
    raise CatalogBusy("another run is writing to it")


def test_one_whose_label_is_damaged_is_known_by_what_it_holds(run: Run, saved: str, other: str, site: Path) -> None:
    damage_label(site / "c.tkc")
    assert "the last verified copy of backup" in run("label", saved, "--destroy", "damaged").err
    assert run("verify", other).code == 0
    assert run("label", saved, "--destroy", "damaged", "--barcode", "NEW").code == 0
    assert cartridges(run) == {"NEW": 0, "THU-1": 1, "WED-1": 0}


def damage_label(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(next(places(path)).content + 200)
        file.write(b"damage")


def test_what_goes_is_in_the_answer_and_in_the_history(run: Run, site: Path, saved: str) -> None:
    ran = run("label", saved, "--destroy", "WED-1", "--barcode", "WED-1")
    assert (ran.code, ran.err) == (0, "")
    destroyed, lost, labelled = ran.out.splitlines()
    assert destroyed.startswith("destroyed: 1 archive of ")
    assert lost.startswith("no more anywhere: the only copy of ")
    assert labelled.startswith("labelled WED-1: ")
    history = run("cartridges", "history", "WED-1", "--json").answer["history"]
    assert [line["note"] for line in history if line["kind"] == "overwritten"] == [destroyed[len("destroyed: ") :]]
    assert [line["kind"] for line in history].count("labelled") == 2
    assert run("find", "one", "--json").answer["versions"] == []


def test_the_answer_for_programs(run: Run, site: Path, saved: str) -> None:
    answer = run("label", saved, "--destroy", "WED-1", "--json").answer
    (lost,) = answer["lost"]
    assert lost.keys() == {"job", "what", "first", "last"}
    assert (lost["job"], lost["what"], answer["catalog_problem"]) == ("backup", "the only copy", None)


def test_without_a_catalog_the_cartridge_decides(run: Run, saved: str, tmp_path: Path) -> None:
    assert run("verify", saved).code == 0
    ran = run("label", saved)
    assert "no catalog here tells of other copies" in ran.err
    ran = run("label", saved, "--destroy", "WED-1", "--json")
    assert (ran.code, ran.err, ran.answer["lost"]) == (0, "", None)
    assert not (tmp_path / "state" / "catalog.sqlite").exists()


def test_a_catalog_that_does_not_know_it_lets_it_go(run: Run, saved: str, tmp_path: Path) -> None:
    assert run("verify", saved).code == 0
    (tmp_path / "tapekit.toml").write_text(SITE.format(root=tmp_path))
    assert "would cease to exist: the only copy of" in run("label", saved).err
    assert run("label", saved, "--destroy", "WED-1", "--barcode", "TEST").code == 0
    assert cartridges(run) == {"TEST": 0}


def test_a_catalog_that_cannot_be_opened_is_said(run: Run, saved: str, tmp_path: Path) -> None:
    (tmp_path / "state" / "catalog.sqlite").write_bytes(b"nonsense" * 1000)
    ran = run("label", saved, "--destroy", "WED-1")
    assert ran.code == 0
    assert "tapekit: not in the catalog: " in ran.err
    assert "no SQLite database" in ran.err


@pytest.mark.parametrize("fails", ("mark_overwritten", "record_label"))
def test_nothing_is_overwritten_that_the_catalog_would_go_on_to_count(
    run: Run, site: Path, saved: str, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(Store, fails, _busy)
        ran = run("label", saved, "--destroy", "WED-1")
    assert (ran.code, "another run is writing to it" in ran.err) == (8, True)
    assert run("verify", saved).code == 0


def test_a_name_that_another_cartridge_has(run: Run, site: Path, saved: str, source: Path) -> None:
    image.create(str(site / "d.tkc"), 16 << 20)
    ran = run("label", f"image:{site}/d.tkc", "--barcode", "WED-1")
    assert ran.code == 5
    assert "the catalog knows another one of that name, with 1 archives" in ran.err
    assert cartridges(run) == {"WED-1": 1}
    assert run("cartridges", "retire", "WED-1", "--lost").code == 0
    assert run("label", f"image:{site}/d.tkc", "--barcode", "WED-1").code == 0
    (only,) = run("cartridges", "list", "--json").answer["cartridges"]
    assert (only["place"], only["copies"]) == ("drive", 0)


def test_one_that_is_out_of_service(run: Run, site: Path, saved: str, source: Path) -> None:
    assert run("cartridges", "retire", "WED-1").code == 0
    for arguments in (("label", saved, "--destroy", "WED-1"), ("backup", saved, source)):
        ran = run(*arguments)
        assert ran.code == 5
        assert "cartridge WED-1: retired or lost" in ran.err
        assert "tapekit cartridges move" in ran.err
    assert run("cartridges", "move", "WED-1", "shelf").code == 0
    assert run("label", saved, "--destroy", "WED-1").code == 0
