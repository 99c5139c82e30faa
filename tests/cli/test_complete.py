"""Tab: names of the configuration and the catalog; and whatever is wrong, never a word."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tapekit.catalog.store import Store
from tests.catalog import samples
from tests.jobs.nightly.site import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path)
    made.write_configuration()
    with Store.open(tmp_path / "state" / "catalog.sqlite", "test") as store:
        for name in ("MON-1", "TUE-1", "TUE-2"):
            store.record_label(samples.cartridge(name, f"{name:-<32}"))
    return made


def tab(root: Path, *words: str) -> list[str]:
    """What bash is told of the last word."""
    environment = {
        "PATH": os.environ["PATH"], "TAPEKIT_CONFIG": str(root / "tapekit.toml"), "TAPEKIT_STATE": str(root / "state"),
        "_TAPEKIT_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(("tapekit", *words)),
        "COMP_CWORD": str(len(words)),
    }  # fmt: skip
    ran = subprocess.run(
        [str(Path(sys.executable).with_name("tapekit"))], env=environment, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    return [line.partition(",")[2] for line in ran.stdout.splitlines() if line]


@pytest.mark.parametrize(
    ("words", "names"),
    (
        (("nightly", ""), ["office"]),
        (("status", "of"), ["office"]),
        (("capacity", ""), ["office"]),
        (("check-tonight", "o"), ["office"]),
        (("next", "x"), []),
        (("schedule", "show", ""), ["office"]),
        (("cartridges", "show", "TUE"), ["TUE-1", "TUE-2"]),
        (("cartridges", "move", "TUE-1", ""), ["drive", "shelf", "home", "off-site"]),
        (("inspect", ""), ["rdx", "image:", "disk:", "rdx:"]),
        (("catalog", "rebuild", "r"), ["rdx", "rdx:"]),
        (("che",), ["check-tonight"]),
    ),
)
def test_names(site: Site, words: tuple[str, ...], names: list[str]) -> None:
    assert tab(site.root, *words) == names


@pytest.mark.parametrize("damage", ("configuration", "nothing", "directory", "table", "catalog"))
def test_nothing_is_ever_said(site: Site, damage: str) -> None:
    file = site.root / "tapekit.toml"
    if damage == "catalog":
        for path in (site.root / "state").glob("catalog*"):
            path.unlink()
        (site.root / "state" / "catalog.sqlite").write_bytes(b"no database" * 999)
        assert tab(site.root, "cartridges", "show", "") == []
        return
    file.unlink()
    if damage == "directory":
        file.mkdir()
    elif damage != "nothing":
        file.write_text({"configuration": "[jobs", "table": "jobs = 7\ndrives = 7\nsite = 7"}[damage])
    for command in (("status", ""), ("inspect", "r"), ("cartridges", "show", "")):
        assert tab(site.root, *command) == []
