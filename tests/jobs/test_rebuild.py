"""The catalog, deleted and rebuilt from the cartridges alone, is what it was."""

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from formats.catalog import Entry
from tapekit.catalog.store import Store
from tapekit.errors import CartridgeError
from tapekit.evidence import Evidences
from tapekit.jobs import backup, label, rebuild
from tapekit.model import Place, Rung
from tapekit.progress import Silent
from tests.jobs.cartridges import Image, evidences, new_image, request

NOW = datetime(2026, 3, 2, 22, 0, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "catalog.sqlite", "here") as opened:
        yield opened


@pytest.fixture
def source(tmp_path: Path) -> Path:
    root = tmp_path / "source"
    (root / "below").mkdir(parents=True)
    for number in range(50):
        (root / f"file-{number}").write_text(f"{number}" * number)
    (root / "below" / "link").symlink_to("../file-1")
    (root / "hard").hardlink_to(root / "file-7")
    (root / "caf\udcff").write_text("not UTF-8")
    return root


def labelled(path: Path, name: str) -> Image:
    made = new_image(path)
    with made.drive(writable=True) as drive:
        label.run(drive, barcode=name, pool="daily", block_bytes=4096, destroy="WED-1")
    return made


def save(cartridge: Image, source: Path, site: str = "here") -> str:
    wanted = dataclasses.replace(request(source, job="nightly"), site=site)
    with cartridge.drive(writable=True) as drive:
        return backup.run(drive, wanted, Silent(), evidences()).archive


def learn(cartridge: Image, store: Store, journal: Evidences | None = None, *, adopt: bool = False) -> rebuild.Result:
    with cartridge.drive() as drive:
        return rebuild.run(drive, store, journal or evidences(), NOW, adopt=adopt)


def listed(cartridge: Image, archive: str) -> list[Entry]:
    return [item.entry for item in cartridge.listed(archive).values()]


def test_deleted_and_rebuilt_it_is_equal(tmp_path: Path, store: Store, source: Path) -> None:
    cartridges = [labelled(tmp_path / f"{name}.tkc", name) for name in ("MON-1", "TUE-1")]
    archives: dict[str, Image] = {}
    for night in range(4):
        (source / f"file-{night}").write_text(f"changed {night}")
        archives[save(cartridges[night % 2], source)] = cartridges[night % 2]
    for cartridge in cartridges:
        cartridge.verify()
        learn(cartridge, store)
    with Store.open(tmp_path / "again.sqlite", "here") as again:
        for cartridge in reversed(cartridges):
            assert learn(cartridge, again).problems == ()
        assert again.stock() == store.stock()
        for archive, cartridge in archives.items():
            assert list(again.members(archive)) == list(store.members(archive)) == listed(cartridge, archive)
        assert again.check() == []
        assert len(again.versions(f"{source}/file-0".encode())) == 1
    assert all(copy.is_verified for each in store.stock().cartridges for copy in each.copies)


def test_without_the_journal_the_trailers_tell(tmp_path: Path, store: Store, source: Path) -> None:
    cartridge = labelled(tmp_path / "c.tkc", "MON-1")
    save(cartridge, source)
    cartridge.verify()
    save(cartridge, source)
    learn(cartridge, store, Evidences(tmp_path / "empty"))
    first, second = store.stock().cartridges[0].copies
    assert first.highest is not None
    assert first.highest[0] == Rung.READ_BACK
    assert second.highest is not None
    assert second.highest[0] == Rung.FLUSHED


def test_twice_changes_nothing_and_keeps_what_only_the_catalog_knows(
    tmp_path: Path, store: Store, source: Path
) -> None:
    cartridge = labelled(tmp_path / "c.tkc", "MON-1")
    save(cartridge, source)
    learn(cartridge, store)
    store.move("MON-1", Place.HOME, NOW)
    once = store.stock()
    learn(cartridge, store)
    assert store.stock() == once


def test_a_cartridge_of_another_site_must_be_adopted(tmp_path: Path, store: Store, source: Path) -> None:
    cartridge = labelled(tmp_path / "c.tkc", "MON-1")
    save(cartridge, source, site="there")
    with pytest.raises(CartridgeError, match="belongs to site 'there'") as raised:
        learn(cartridge, store)
    assert raised.value.hint == "to take it over, say so: tapekit catalog rebuild --adopt DRIVE"
    assert store.stock().cartridges == ()
    assert len(learn(cartridge, store, adopt=True).archives) == 1
    learn(cartridge, store)


def test_a_name_that_another_cartridge_has_is_refused(tmp_path: Path, store: Store, source: Path) -> None:
    cartridge = labelled(tmp_path / "c.tkc", "MON-1")
    save(cartridge, source)
    learn(cartridge, store)
    other = labelled(tmp_path / "d.tkc", "MON-1")
    save(other, source, site="there")
    with pytest.raises(CartridgeError, match="knows another cartridge of that name"):
        learn(other, store, adopt=True)
    assert len(store.stock().cartridges[0].copies) == 1


def test_what_is_not_on_the_cartridge_any_more_is_said(tmp_path: Path, store: Store, source: Path) -> None:
    cartridge = labelled(tmp_path / "c.tkc", "MON-1")
    before = cartridge.path.read_bytes()
    gone = [save(cartridge, source) for _ in range(2)]
    learn(cartridge, store)
    cartridge.path.write_bytes(before)
    kept = save(cartridge, source)
    assert learn(cartridge, store).vanished == tuple(sorted(gone))
    assert [copy.archive for copy in store.stock().cartridges[0].copies] == [kept]


def test_an_archive_cut_short_is_known_without_members(tmp_path: Path, store: Store, source: Path) -> None:
    cartridge = labelled(tmp_path / "c.tkc", "MON-1")
    whole = save(cartridge, source)
    cut = save(cartridge, source)
    with cartridge.path.open("r+b") as file:
        content = cartridge.path.read_bytes()
        at = content.rfind(bytes.fromhex(cut))
        file.seek(at - 8)
        file.write(bytes(64))
    result = learn(cartridge, store)
    assert any("incomplete" in problem for problem in result.problems)
    assert [copy.state for copy in store.stock().cartridges[0].copies] == ["complete", "incomplete"]
    assert list(store.members(cut)) == []
    assert len(list(store.members(whole))) > 50
