"""What backup and verify write down in the catalog, and that its failing stops neither."""

from pathlib import Path
from typing import Any

import pytest

from tapekit.catalog.errors import CatalogBusy
from tapekit.catalog.store import Store
from tests.cli.conftest import Run
from tests.cli.test_label import SITE


@pytest.fixture
def site(tmp_path: Path, run: Run) -> Path:
    """A site whose state is not where it usually is."""
    state = f'state = "{tmp_path}/elsewhere"'
    (tmp_path / "tapekit.toml").write_text(SITE.format(root=tmp_path).replace("[drives]", f"{state}\n[drives]"))
    return tmp_path


def copies(run: Run) -> list[dict[str, Any]]:
    archives = run("cartridges", "show", "WED-1", "--json").answer["archives"]
    assert isinstance(archives, list)
    return archives


def test_a_backup_and_its_members(run: Run, site: Path, saved: str, source: Path) -> None:
    (copy,) = copies(run)
    assert (copy["job"], copy["members"], copy["verified"]) == ("backup", 3, False)
    assert [each["rung"] for each in copy["evidence"]] == ["written", "flushed"]
    (found,) = run("find", "two", "--json").answer["versions"]
    assert found["path"] == f"{source}/two"[1:]
    assert (site / "elsewhere" / "evidence.jsonl").exists()
    assert not (site / "state").exists()


def test_a_verification(run: Run, site: Path, saved: str) -> None:
    assert run("verify", saved, "--source").code == 0
    (copy,) = copies(run)
    assert (copy["evidence"][-1]["rung"], copy["verified"]) == ("compared with the source", True)


def test_damage(run: Run, site: Path, saved: str) -> None:
    assert run("verify", saved).code == 0
    content = (site / "c.tkc").read_bytes()
    place = content.index(b"TKBLOCK1", content.rindex(b"rescue.py"))  # some block of the archive
    (site / "c.tkc").write_bytes(content[: place + 200] + b"damage" + content[place + 206 :])
    assert run("verify", saved).code == 6
    (copy,) = copies(run)
    assert copy["failed"] is not None
    assert copy["verified"] is False


def test_an_archive_that_was_cut_off_by_the_end_of_the_medium(run: Run, site: Path, saved: str, source: Path) -> None:
    (source / "large").write_bytes(bytes(range(256)) * (1 << 17))
    assert run("backup", saved, source, "--compression", "none").code == 9
    assert [copy["state"] for copy in copies(run)] == ["complete", "aborted"]


def test_a_catalog_that_fails_is_said_and_catches_up(
    run: Run, site: Path, saved: str, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(Store, "record_archive", _busy)
        ran = run("backup", saved, source, "--json")
    assert ran.code == 0
    assert ran.answer["catalog_problem"] == "catalog: another run is writing to it"
    assert ran.err == "tapekit: not in the catalog: catalog: another run is writing to it\n  hint: try again\n"
    assert len(copies(run)) == 1
    assert run("verify", saved).code == 0
    assert [copy["verified"] for copy in copies(run)] == [True, True]


def _busy(*_arguments: object) -> None:
    raise CatalogBusy("catalog: another run is writing to it", "try again")


def test_a_cartridge_of_another_site_is_not_taken_in(run: Run, site: Path, saved: str, source: Path) -> None:
    assert run("backup", saved, source).code == 0
    configured = (site / "tapekit.toml").read_text()
    (site / "tapekit.toml").write_text(configured.replace('"here"', '"there"'))
    ran = run("verify", saved)
    assert ran.code == 0
    assert "cartridge WED-1: it belongs to site 'here', this is 'there'" in ran.err
    assert "tapekit catalog rebuild --adopt DRIVE" in ran.err
    assert run("cartridges", "list", "--json").answer == {"cartridges": []}
