"""A job of the configuration as a run needs it."""

from pathlib import Path

import pytest

from tapekit.catalog.store import Store
from tests.jobs.nightly.site import Site


def test_the_catalog_is_opened_with_the_password_of_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []

    def open_catalog(place: object, site: str, *, is_read_only: bool) -> None:
        opened.append((place, site, is_read_only))

    monkeypatch.setattr(Store, "open", open_catalog)
    (tmp_path / "password").write_text("a b@c\n")
    (tmp_path / "password").chmod(0o600)
    site = Site(tmp_path, site={
        "catalog": "postgresql://tapekit@server/catalog", "catalog_password_file": str(tmp_path / "password")
    })  # fmt: skip
    site.setting().open_catalog(is_read_only=True)
    Site(tmp_path).setting().open_catalog()
    assert opened == [
        ("postgresql://tapekit:a b%40c@server/catalog", "test", True),
        (tmp_path / "state" / "catalog.sqlite", "test", False),
    ]
