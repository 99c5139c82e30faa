"""An archive on several cartridges in the catalog: its parts come in any order, and are one archive."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tapekit.catalog.store import Store
from tapekit.jobs import rebuild
from tapekit.jobs.backup import Result
from tapekit.jobs.foresee import last_complete
from tests.jobs.cartridges import Image, evidences, request
from tests.jobs.spanned import new_images, noise_tree, span

NOW = datetime(2026, 3, 3, tzinfo=UTC)


@pytest.fixture
def spanned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Image], Result, Path]:
    monkeypatch.setenv("TAPEKIT_STATE", str(tmp_path / "state"))
    source = noise_tree(tmp_path / "source", [900_000, 900_000, *[10] * 50, 900_000])
    images = new_images(tmp_path, 5)
    done = span(images, request(source))
    return images[: len(done.parts)], done, source


def test_rebuilt_in_any_order(spanned: tuple[list[Image], Result, Path], tmp_path: Path) -> None:
    images, done, source = spanned
    last = len(images) - 1
    assert last > 1
    answers = []
    for number, order in enumerate((images, images[::-1], [*images[1:], images[0]])):
        with Store.open(tmp_path / f"{number}.sqlite") as store:
            for of in order:
                with of.drive() as drive:
                    rebuild.run(drive, store, evidences(), NOW, adopt=False)
            found = list(store.members(done.archive))
            assert len(found) == done.members
            assert all(any(entry.sha256) for entry in found if entry.type == b"f")
            versions = store.versions(str(source / "0001").encode())
            assert [holding.archive for version in versions for holding in version.holdings] == [done.archive]
            parts = [(c.name, copy.segment, copy.state) for c in store.stock().cartridges for copy in c.copies]
            usual = last_complete(store.stock(), "backup")
            assert usual is not None
            assert usual.stored_bytes == done.stored_bytes
            assert store.check() == []
            first = store.parts_with(done.archive, lambda path: path.endswith(b"0000"))
            assert first is not None
            assert 0 in first
            assert last not in first
            assert store.parts_with(done.archive, lambda path: path.endswith(b"0052")) >= {last}  # type: ignore[operator]
            assert store.parts_with("00", lambda _path: True) is None
            answers.append((found, parts))
    assert all(answer == answers[0] for answer in answers)
    assert answers[0][1] == [(f"S-{n + 1}", n, "complete" if n == last else "continued") for n in range(last + 1)]


def test_compared_with_the_same_on_one_cartridge(spanned: tuple[list[Image], Result, Path], tmp_path: Path) -> None:
    images, done, source = spanned
    (large,) = new_images(tmp_path, 1, 32 << 20, name="L")
    again = span([large], request(source))
    with Store.open(tmp_path / "c.sqlite") as store:
        for of in (*images, large):
            with of.drive() as drive:
                rebuild.run(drive, store, evidences(), NOW, adopt=False)
        differences = store.compare(done.archive, again.archive)
        assert (differences.added, differences.removed, differences.changed) == ((), (), ())
        differences = store.compare(again.archive, done.archive)
        assert (differences.added, differences.removed, differences.changed) == ((), (), ())
        versions = store.versions(str(source / "0001").encode())
        assert sorted(holding.archive for version in versions for holding in version.holdings) == sorted(
            (done.archive, again.archive)
        )
