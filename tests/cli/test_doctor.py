"""tapekit doctor: the worst first, with the next step; its exit code; keys for programs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.virtual.changer import Plan, make
from tapekit import clock
from tapekit.jobs.doctor import machine
from tapekit.jobs.doctor.finding import Finding, Gravity
from tapekit.schedule import install
from tests.cli.conftest import Run
from tests.docs.test_json_keys import documented, keys
from tests.jobs.nightly.site import Site

GOOD = Finding(Gravity.GOOD, "clock", "now", "kept")


@pytest.fixture(autouse=True)
def examined(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was asked about the machine, which is sound."""
    asked: list[Any] = []

    def examine(*args: object) -> list[Finding]:
        asked.append(args)
        return [GOOD]

    monkeypatch.setattr(machine, "examine", examine)
    return asked


@pytest.fixture
def site(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    made = Site(tmp_path, calendar={"closed": ["sat", "sun"]}, notifications={"problems": ["json://127.0.0.1/"]})
    made.options["encryption"] = "none"
    made.spool.mkdir()
    monkeypatch.setattr(install, "installed", lambda _root, job: [Path(job)])
    made.put_in("MON-1")
    made.run()
    made.write_configuration()
    with clock.running(lambda: made.now):
        yield made


def test_all_is_well(run: Run, site: Site, examined: list[Any]) -> None:
    ran = run("doctor")
    assert (ran.code, ran.out) == (0, "5 checks good, 0 findings\n")
    _, wanted, now, last = examined[0]
    assert wanted == {str(site.cartridge("MON-1"))}
    assert last == now == site.now
    assert "✓ catalog: catalog: opens; cartridges: 1" in run("doctor", "--all").out


def test_what_may_spoil_a_night(run: Run, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "installed", lambda _root, job: [])
    ran = run("doctor")
    assert ran.code == 3
    assert ran.out.splitlines() == [
        "! schedule: office: nothing starts its nights (tapekit has installed neither timer nor line for cron)",
        "    → tapekit schedule install", "4 checks good, 1 finding",
    ]  # fmt: skip


def test_a_catalog_that_cannot_be_read_comes_first(run: Run, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "installed", lambda _root, job: [])
    (site.root / "state/catalog.sqlite").write_bytes(b"no database at all" * 100)
    ran = run("doctor")
    assert ran.code == 4
    assert ran.out.startswith("✗ catalog: ")


def test_keys_that_cannot_be_used(run: Run, site: Site) -> None:
    site.options["encryption"] = "auto"
    site.write_configuration()
    (site.root / "keys").mkdir()
    (site.root / "keys/owner.pub").write_text("torn")
    ran = run("doctor")
    assert (ran.code, "✗ keys: office: " in ran.out) == (4, True)


def test_a_configuration_that_is_wrong_or_missing(run: Run, tmp_path: Path) -> None:
    (tmp_path / "tapekit.toml").write_text("[site]\nname = 1\n")
    ran = run("doctor")
    assert ran.code == 4
    assert f"✗ configuration: {tmp_path}/tapekit.toml, line 2: site.name: expected text in quotes" in ran.out
    (tmp_path / "tapekit.toml").unlink()
    assert run("--config", tmp_path / "none.toml", "doctor").code == 4


def test_for_a_program(run: Run, site: Site) -> None:
    assert set(keys(run("doctor", "--json").answer)) == documented("doctor")


def test_findings_in_the_sites_language(run: Run, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs get what they always got."""
    monkeypatch.setattr(install, "installed", lambda _root, job: [])
    site.site["language"] = "fr"
    site.write_configuration()
    assert run("doctor").out.replace("\N{NO-BREAK SPACE}", " ").splitlines() == [
        "! planification: office: rien ne lance ses nuits (tapekit n’a installé ni minuterie ni ligne pour cron)",
        "    → tapekit schedule install", "contrôles bons : 4 ; constats : 1",
    ]  # fmt: skip
    told = [it["what"] for it in run("doctor", "--json").answer["findings"]]
    assert "nothing starts its nights" in told


@pytest.mark.parametrize(("number", "code"), ((0, 3), (1, 4)))  # 3: no job uses the drive
def test_a_changer_that_fills_another_drive(run: Run, site: Site, tmp_path: Path, number: int, code: int) -> None:
    folder = tmp_path / "changer"
    make(folder, Plan(drives=2, slots=2))
    path = site.write_configuration()
    lto = f'lto = {{url = "virtual:{folder}/drive-0", changer = "virtual-changer:{folder}", number = {number}}}'
    path.write_text(path.read_text().replace("drives = {", f"drives = {{{lto}, "))
    ran = run("doctor", "--all")
    assert (ran.code, "its drive 0 is virtual:" in ran.out) == (code, not number)
    assert ("number = 0 is the right one" in " ".join(ran.out.split())) == bool(number)
