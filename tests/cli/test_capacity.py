"""tapekit capacity: tables that fit a terminal, and keys that programs rely on."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tapekit import clock
from tapekit.cli.capacity import trend
from tapekit.jobs.nightly.sizes import STORED
from tests.cli.conftest import Run
from tests.docs.test_json_keys import documented, keys
from tests.jobs.nightly.site import FIRST_EVENING, Site
from tests.jobs.test_growth import GB, put_on_shelf, record


@pytest.fixture
def site(tmp_path: Path, run: Run) -> Iterator[Site]:
    made = Site(tmp_path, calendar={"closed": ["sat", "sun"]})
    made.options = {"databases": [{"kind": "sqlite", "path": f"/srv/{'long-name-' * 12}.db"}]}
    made.write_configuration()
    with clock.running(lambda: FIRST_EVENING + timedelta(26)):
        yield made


def test_tables_that_fit_a_terminal(run: Run, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tapekit.cli.tables.columns", lambda: 80)
    growing = [number * GB for number in range(20, 40)]
    record(site, {str(site.source): growing, STORED: growing, f"{'long-name-' * 12}.db": [5 * GB] * 19 + [0]})
    put_on_shelf(site, "MON-1", "TUE-1")
    ran = run("capacity")
    assert ran.code == 3
    assert max(map(len, ran.out.splitlines())) <= 80
    for words in ("on the cartridge", "empty", "39.0 GB", "█████████▁", "and still needed", "  5.0 GB"):
        assert words in ran.out


def test_for_a_program(run: Run, site: Site) -> None:
    record(site, {str(site.source): [0] * 20, STORED: [GB] * 20})
    put_on_shelf(site, "MON-1")
    ran = run("capacity", "office", "--json")
    assert ran.code == 3
    found = {key for key in keys(ran.answer) if not key.startswith(("jobs[].stored.", "jobs[].warnings[]."))}
    assert found == documented("capacity")
    assert ran.answer["jobs"][0]["stored"].keys() == ran.answer["jobs"][0]["sources"][0].keys()


def test_nothing_yet(run: Run, site: Site) -> None:
    record(site, {}, [])
    assert (run("capacity").code, "no night was recorded" in run("capacity").out) == (0, True)


@pytest.mark.parametrize(
    ("sizes", "bars"), (([], ""), ([3], ""), ([0, 0], "▁▁"), ([0, 7], "▁█"), (list(range(24)), "▁▂▃▃▄▄▅▆▆▇▇█"))
)
def test_trend(sizes: list[int], bars: str) -> None:
    assert trend(sizes) == bars
