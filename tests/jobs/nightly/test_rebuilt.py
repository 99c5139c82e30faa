"""The catalog of a season of nights, deleted, and rebuilt from the cartridges by the command, is what it was."""

import dataclasses
import sys
from pathlib import Path

import pytest

from formats.catalog import Entry
from tapekit.catalog.store import Store
from tapekit.cli import main
from tapekit.model import Cartridge, Copy, Place, Rung, Stock
from tests.jobs.nightly.site import Site

WEEK = ("MON-1", "TUE-1", "WED-1", "THU-1", "FRI-1")
NIGHTS = 12


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Twelve nights on five cartridges; some are overwritten on the way, on others several nights stand."""
    made = Site(tmp_path, calendar={"closed": ["sat", "sun"]}, options={"sample_restore": 0, "spool": None})
    for number in range(40):
        (made.source / f"file-{number}").write_text(f"{number}" * number)
    (made.source / "link").symlink_to("file-1")
    (made.source / "hard").hardlink_to(made.source / "file-7")
    (made.source / "caf\udcff").write_text("not UTF-8")
    for night in range(NIGHTS):
        made.put_in(WEEK[night % 5])
        assert made.run().exit_code == 0, night
        made.next_day(3 if night % 5 == len(WEEK) - 1 else 1)
        (made.source / f"file-{night}").write_text(f"changed {night}")
    return made


def tapekit(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["tapekit", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert not ended.value.code


def known(site: Site) -> tuple[Stock, dict[str, list[Entry]]]:
    """All cartridges, and the members of every archive."""
    with Store.open(site.root / "state" / "catalog.sqlite", "test") as store:
        assert store.check() == []
        stock = store.stock()
        copies = [copy for cartridge in stock.cartridges for copy in cartridge.copies]
        return stock, {copy.archive: list(store.members(copy.archive)) for copy in copies}


@pytest.mark.parametrize("is_journal_kept", (True, False))
def test_deleted_and_rebuilt_it_is_equal(site: Site, monkeypatch: pytest.MonkeyPatch, *, is_journal_kept: bool) -> None:
    before, members_before = known(site)
    assert sorted(len(cartridge.copies) for cartridge in before.cartridges) == [2, 2, 2, 3, 3]
    assert min(map(len, members_before.values())) > 40
    (site.root / "state" / "catalog.sqlite").unlink()
    if not is_journal_kept:
        site.forget()
    monkeypatch.setenv("TAPEKIT_CONFIG", str(site.write_configuration()))
    for name in reversed(WEEK):
        tapekit(monkeypatch, "catalog", "rebuild", f"image:{site.cartridge(name)}")
    after, members_after = known(site)
    assert members_after == members_before
    told = Stock(tuple(_as_cartridges_tell(each, is_journal_kept=is_journal_kept) for each in before.cartridges))
    assert after == told


def _as_cartridges_tell(cartridge: Cartridge, *, is_journal_kept: bool) -> Cartridge:
    """Without what only the catalog knew: where it is, how often it was loaded, what was read and written on it."""
    copies = list(cartridge.copies)
    if not is_journal_kept:
        copies = [_highest_alone(copy) for copy in copies]  # and of the last archive no later one tells
        finished = copies[-1].finished
        assert finished is not None
        evidence = ((Rung.WRITTEN, finished), (Rung.FLUSHED, finished))
        copies[-1] = dataclasses.replace(copies[-1], evidence=evidence)
    return dataclasses.replace(
        cartridge, copies=tuple(copies), place=Place.SHELF, loads=0, written_bytes=0, read_bytes=0, errors=0
    )


def _highest_alone(copy: Copy) -> Copy:
    """Its highest rung with the time, and that it was written and flushed when it was finished."""
    assert copy.finished is not None
    assert copy.highest is not None
    proven = {Rung.WRITTEN: copy.finished, Rung.FLUSHED: copy.finished} | dict([copy.highest])
    return dataclasses.replace(copy, evidence=tuple(sorted(proven.items())))
