import random

import pytest

from formats.catalog import DELTA, Entry
from tapekit.catalog import members
from tapekit.catalog.errors import NotInCatalog
from tapekit.catalog.store import Store
from tests.catalog.conftest import Open
from tests.catalog.samples import LABEL, cartridge, copy, many, member, tree

ONE, TWO, THREE = "1" * 32, "2" * 32, "3" * 32


@pytest.fixture
def labelled(store: Store) -> Store:
    store.record_label(cartridge())
    return store


def save(store: Store, archive: str, entries: list[Entry], day: int = 0) -> None:
    store.record_archive(LABEL, copy(archive, 2 + day, day, len(entries)), entries)


def test_an_archive_gives_back_its_catalog(labelled: Store, open_again: Open) -> None:
    save(labelled, ONE, tree())
    save(labelled, TWO, tree(b"changed"), 1)
    assert list(open_again().members(ONE)) == tree()
    assert list(open_again().members(TWO)) == tree(b"changed")


def test_offsets_that_move_cost_no_versions(labelled: Store) -> None:
    save(labelled, ONE, tree())
    moved = [e._replace(offset=e.offset + 512) if e.offset < 2**63 else e for e in tree()]
    moved = [e._replace(reference=e.reference + 512) if e.type == b"h" else e for e in moved]
    save(labelled, TWO, moved, 1)
    assert list(labelled.members(TWO)) == moved
    assert [len(v.holdings) for v in labelled.versions(b"srv/data/h")] == [2]
    assert [len(v.holdings) for v in labelled.versions(b"srv/data/Invoice-2024.pdf")] == [2]


def test_members_in_any_order_and_twice(labelled: Store) -> None:
    shuffled = tree() * 2
    random.Random(7).shuffle(shuffled)
    save(labelled, ONE, shuffled)
    assert list(labelled.members(ONE)) == shuffled
    assert labelled.check() == []


def test_batches_join(labelled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "BATCH", 7)
    monkeypatch.setattr(members, "MOST_CACHED", 3)
    save(labelled, ONE, list(many(100)))
    save(labelled, TWO, list(many(100, changed=range(30, 40), seed=1)), 1)
    assert list(labelled.members(ONE)) == list(many(100))
    assert list(labelled.members(TWO)) == list(many(100, changed=range(30, 40), seed=1))


def test_the_fullest_catalog_of_an_archive_counts(labelled: Store) -> None:
    whole = list(many(10))
    labelled.record_archive(LABEL, copy(ONE, members=10), whole[:4])
    labelled.record_archive(LABEL, copy(ONE, members=10), whole)
    labelled.record_archive(LABEL, copy(ONE, members=11), whole[:4])
    assert list(labelled.members(ONE)) == whole


def test_an_archive_without_members(labelled: Store) -> None:
    save(labelled, ONE, [])
    assert list(labelled.members(ONE)) == []


def test_find_by_a_part_of_the_name(labelled: Store) -> None:
    save(labelled, ONE, tree())
    found = labelled.find("Invoice")
    assert [(v.entry.path, v.entry.size) for v in found] == [(b"srv/data/Invoice-2024.pdf", 4)]
    assert [(h.archive, h.job, h.night, h.cartridges) for h in found[0].holdings] == [
        (ONE, "nightly", copy().night, ("MON-1",))
    ]


@pytest.mark.parametrize(
    ("pattern", "ignore_case", "names"),
    (
        ("invoice", False, []),
        ("invoice", True, [b"Invoice-2024.pdf"]),
        ("*.pdf", False, [b"Invoice-2024.pdf"]),
        ("Inv*2?2[0-9].pdf", False, [b"Invoice-2024.pdf"]),
        ("Inv", False, [b"Invoice-2024.pdf"]),
        ("I", False, [b"Invoice-2024.pdf"]),
        ("café", False, ["café.txt".encode()]),
        ("CAFÉ", True, ["café.txt".encode()]),
        ("fé", False, ["café.txt".encode()]),
        ("utf8-", False, [b"not-utf8-\xff\xfe.dat"]),
        ("not-utf8-\udcff*", False, [b"not-utf8-\xff\xfe.dat"]),
        ("data/*.txt", False, ["café.txt".encode()]),
        ("srv/*.txt", False, [b"data.txt"]),
        ("/srv/data/sh", False, [b"short"]),
        ("/data/sh", False, []),
        ("/srv/*/sh*", False, [b"short"]),
        ('"', False, []),
        ('x"AND', False, []),
        ("%", False, []),
        ("_nvoice", False, []),
    ),
)
def test_patterns(labelled: Store, pattern: str, names: list[bytes], *, ignore_case: bool) -> None:
    save(labelled, ONE, tree())
    found = labelled.find(pattern, ignore_case=ignore_case)
    assert [v.entry.path.rsplit(b"/", 1)[-1] for v in found] == names


def test_find_ends_at_its_limit(labelled: Store) -> None:
    save(labelled, ONE, list(many(50)))
    assert len(labelled.find("file-", limit=7)) == 7


def test_versions_of_a_file(labelled: Store) -> None:
    save(labelled, ONE, tree())
    save(labelled, TWO, tree(b"changed"), 1)
    save(labelled, THREE, tree(b"changed"), 2)
    found = labelled.versions(b"/srv/data/Invoice-2024.pdf")
    assert [(v.entry.size, [h.archive for h in v.holdings]) for v in found] == [(7, [THREE, TWO]), (4, [ONE])]
    assert labelled.versions(b"srv/data/nothing") == []


def test_what_later_archives_build_upon_is_one_version(labelled: Store) -> None:
    save(labelled, ONE, tree())
    save(labelled, TWO, [e._replace(base=1) for e in tree()], 1)
    save(labelled, THREE, [e._replace(base=2, flags=e.flags | DELTA) for e in tree()], 2)
    (found,) = labelled.versions(b"srv/data/Invoice-2024.pdf")
    assert [holding.archive for holding in found.holdings] == [THREE, TWO, ONE]
    assert (found.entry.base, found.entry.flags & DELTA) == (0, 0)


def test_compare(labelled: Store) -> None:
    extra = member(b"srv/new", 40960, b"new")
    touched = [e._replace(ctime_ns=5, inode=6) for e in tree(b"changed")[:-1]]
    save(labelled, ONE, tree())
    save(labelled, TWO, [*touched, extra], 1)
    found = labelled.compare(ONE[:4], "latest")
    assert [e.path for e in found.added] == [b"srv/new"]
    assert [e.path for e in found.removed] == [b"srv/huge"]
    assert [(a.path, a.size, b.size) for a, b in found.changed] == [(b"srv/data/Invoice-2024.pdf", 4, 7)]
    assert labelled.compare(ONE, ONE).changed == ()
    with pytest.raises(NotInCatalog, match="archive 9: not in the catalog"):
        labelled.compare("9", TWO)


def test_what_no_archive_holds_is_forgotten(labelled: Store) -> None:
    save(labelled, ONE, tree())
    save(labelled, TWO, list(many(20)), 1)
    labelled.record_archive(LABEL, copy(THREE, 2, 5, 10), tree(b"changed"))
    assert labelled.find("huge")[0].holdings[0].archive == THREE
    assert labelled.compact() == 1
    assert labelled.check() == []
    assert list(labelled.members(THREE)) == tree(b"changed")
    assert list(labelled.members(TWO)) == list(many(20))
    assert len(labelled.find("file-")) == 20


def test_forgotten_names_are_found_no_more(labelled: Store) -> None:
    save(labelled, ONE, tree())
    labelled.record_archive(LABEL, copy(TWO, 2, 5, 3), list(many(3)))
    assert labelled.find("Invoice") == []
    assert labelled.compact() == len(tree())
    assert labelled.check() == []
    assert labelled.find("Invoice") == []
    save(labelled, THREE, tree(), 3)
    assert len(labelled.find("Invoice")) == 1
