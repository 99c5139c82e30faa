"""What every test of the jobs needs."""

from pathlib import Path

import pytest

from tests.jobs.cartridges import Image, new_image


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The application's state in a directory of the test's own."""
    monkeypatch.setenv("TAPEKIT_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def cartridge(tmp_path: Path) -> Image:
    """A labelled cartridge of 16 MiB with small blocks."""
    return new_image(tmp_path / "cartridge.tkc")
