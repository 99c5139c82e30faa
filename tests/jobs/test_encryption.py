"""Encrypted archives: written for some, opened by them alone, and by everybody else checked as they are stored."""

import dataclasses
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from formats import block
from formats.block import Kind
from tapekit.catalog.store import Store
from tapekit.errors import KeyNeeded, VerificationFailed
from tapekit.jobs import backup, duplicate, export, listing, rebuild, restore, verify
from tapekit.keys.opener import NO_KEY, InHand, Known, Opener
from tapekit.keys.pair import Pair
from tapekit.keys.seal import Recipients
from tapekit.keys.site import site_key
from tapekit.keys.slot import PrivateKey
from tapekit.patterns import Patterns
from tapekit.progress import Silent
from tests.jobs.cartridges import Image, evidences, new_image, places, request, restored

OWNER, RECOVERY, TECHNICIAN, STRANGER = (
    Pair.new(role, name)
    for role, name in (("owner", "Anna"), ("recovery", "safe"), ("technician", "Tom"), ("owner", "Eve"))
)
RECIPIENTS = Recipients(tuple(pair.public_line for pair in (OWNER, RECOVERY, TECHNICIAN)))
READERS = ("restore", "export", "list", "verify with the source")


def opener(pair: Pair) -> Opener:
    return InHand(PrivateKey(pair))


def write(cartridge: Image, source: Path, compression: str = "none", state: Path | None = None) -> backup.Result:
    wanted = dataclasses.replace(request(source, compression=compression), recipients=RECIPIENTS)
    if state is not None:
        wanted = dataclasses.replace(wanted, site_key=site_key(state))
    with cartridge.drive(writable=True) as drive:
        return backup.run(drive, wanted, Silent(), evidences())


def verified(cartridge: Image, by: Opener = NO_KEY, *, with_source: bool = False) -> verify.Result:
    with cartridge.drive() as drive:
        return verify.run(drive, "all", Silent(), evidences(), with_source=with_source, trust=verify.Trust(by))


def read(cartridge: Image, how: str, by: Opener, to: Path) -> bytes:
    """What a command gives away: content, or names."""
    given = bytearray()
    with cartridge.drive() as drive:
        if how == "restore":
            restore.run(drive, restore.Request(str(to), opener=by), Silent())
            given += b"".join(path.read_bytes() for path in to.rglob("*") if path.is_file())
        elif how == "export":
            export.run(drive, "latest", given.extend, Silent(), by)
        elif how == "list":
            given += b"".join(item.entry.path for item in listing.run(drive, "latest", Patterns(()), [], by))
    return bytes(given)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "X-ray secrets"
    folder.mkdir()
    (folder / "patients").write_bytes(b"name and illness\n" * 5000)
    (folder / "noise").write_bytes(bytes(range(256)) * 50)
    return folder


@pytest.mark.parametrize("compression", ("none", "zstd"))
@pytest.mark.parametrize("pair", (OWNER, RECOVERY), ids=lambda pair: pair.role)
def test_who_may_gets_it_back(cartridge: Image, source: Path, tmp_path: Path, compression: str, pair: Pair) -> None:
    done = write(cartridge, source, compression)
    assert done.encrypted_for == ("Anna (owner)", "safe (recovery)", "Tom (technician)")
    whole = cartridge.path.read_bytes()
    assert not re.search(rb"illness|patients|X-ray", whole)
    with cartridge.drive() as drive:
        back = restore.run(drive, restore.Request(str(tmp_path / "to"), opener=opener(pair)), Silent())
    assert (back.damaged, back.problems) == ([], [])
    assert _contents(restored(tmp_path / "to", source)) == _contents(source)
    assert b"illness" in read(cartridge, "export", opener(pair), tmp_path)
    found = verified(cartridge, opener(pair), with_source=True)
    assert found.ok
    assert found.segments[0].closed == ""
    assert found.segments[0].comparison is not None
    assert found.segments[0].comparison.same == 2


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("by", (NO_KEY, opener(STRANGER)), ids=("nothing", "another key"))
@pytest.mark.parametrize("how", ("restore", "export", "list"))
def test_nobody_else_gets_a_byte(cartridge: Image, source: Path, tmp_path: Path, how: str, by: Opener) -> None:
    write(cartridge, source)
    with pytest.raises(KeyNeeded, match=r"encrypted for Anna \(owner\), safe \(recovery\), Tom \(technician\)"):
        read(cartridge, how, by, tmp_path / "to")
    assert not (tmp_path / "to").exists()


def test_a_technician_sees_names_and_never_a_byte_of_data(cartridge: Image, source: Path, tmp_path: Path) -> None:
    write(cartridge, source)
    assert b"patients" in read(cartridge, "list", opener(TECHNICIAN), tmp_path)
    for how in ("restore", "export"):
        with pytest.raises(KeyNeeded, match="opens the list of files only"):
            read(cartridge, how, opener(TECHNICIAN), tmp_path / "to")
    assert not (tmp_path / "to").exists()
    found = verified(cartridge, opener(TECHNICIAN), with_source=True)
    assert found.ok
    assert found.segments[0].members == 3
    assert "list of files only" in found.segments[0].closed
    assert found.segments[0].comparison is None


def test_every_block_is_verified_without_a_key(cartridge: Image, source: Path) -> None:
    write(cartridge, source)
    found = verified(cartridge)
    assert found.ok
    assert "no key was given" in found.segments[0].closed
    assert found.segments[0].blocks == sum(1 for place in places(cartridge.path) if place.file == 2)
    data = [place for place in places(cartridge.path) if place.file == 2][5]
    _flip(cartridge.path, data.content + 200)
    found = verified(cartridge)
    assert not found.ok
    assert (found.segments[0].bad_blocks, found.segments[0].damage[0].block) == (1, 5)


def test_a_damaged_header_costs_nothing(cartridge: Image, source: Path, tmp_path: Path) -> None:
    """The slots stand in the trailer once more; that the header is damaged is told all the same."""
    write(cartridge, source)
    copy = new_image(tmp_path / "copy.tkc")
    with cartridge.drive() as drive, copy.drive(writable=True) as target:
        duplicate.run(drive, target, "latest", Silent(), evidences())
    for made in (cartridge, copy):
        _flip(made.path, next(place for place in places(made.path) if place.file == 2).content + 200)
        found = verified(made, opener(OWNER))
        assert not found.ok
        assert [item.block for item in found.segments[0].damage if item.block is not None] == [0]
        assert (found.segments[0].closed, found.segments[0].members, found.segments[0].bad_members) == ("", 3, 0)
        assert b"illness" in read(made, "export", opener(OWNER), tmp_path)
        with pytest.raises(KeyNeeded):
            read(made, "export", opener(STRANGER), tmp_path)


def test_without_header_and_trailer_nothing_opens_and_every_block_is_still_checked(
    cartridge: Image, source: Path
) -> None:
    write(cartridge, source)
    blocks = [place for place in places(cartridge.path) if place.file == 2]
    for place in (blocks[0], blocks[-1]):
        _flip(cartridge.path, place.content + 200)
    found = verified(cartridge, opener(OWNER))
    assert not found.ok
    assert "nothing opens it" in found.segments[0].closed
    assert found.segments[0].blocks > 5


def test_what_is_read_back_in_the_same_run_needs_no_private_key(cartridge: Image, source: Path) -> None:
    """The site has public keys alone: until the run forgets them, it has the archive's own."""
    done = write(cartridge, source)
    found = verified(cartridge, done.opener, with_source=True)
    assert found.segments[0].comparison is not None
    assert found.segments[0].comparison.same == 2
    done.forget()
    with pytest.raises(VerificationFailed), cartridge.drive() as drive:
        restore.run(drive, restore.Request("/nowhere", opener=done.opener), Silent())


def test_the_same_archive_twice_shares_no_key(cartridge: Image, source: Path) -> None:
    """Nor any stored byte of data."""
    keys, stored = set(), []
    for _ in range(10):
        done = write(cartridge, source)
        assert isinstance(done.opener, Known)
        assert done.opener.keys[0].data is not None
        keys |= {bytes(done.opener.keys[0].data.content), bytes(done.opener.keys[0].catalog.content)}
    whole = cartridge.path.read_bytes()
    for place in places(cartridge.path):
        data = whole[place.content : place.content + place.size_bytes]
        if place.file >= 2 and block.parse(data).kind in {Kind.DATA, Kind.CATALOG}:
            stored.append(data[128:])
    assert len(keys) == 20
    assert len(set(stored)) == len(stored) > 200


def test_a_copy_opens_with_the_same_keys(cartridge: Image, source: Path, tmp_path: Path) -> None:
    """And is made without any; its trailer is signed anew."""
    write(cartridge, source, state=tmp_path / "state")
    copy = new_image(tmp_path / "copy.tkc")
    with cartridge.drive() as drive, copy.drive(writable=True) as target:
        duplicate.run(drive, target, "latest", Silent(), evidences(), site_key(tmp_path / "state"))
    assert b"illness" in read(copy, "export", opener(OWNER), tmp_path)
    assert verified(copy).segments[0].signed_by == verified(cartridge).segments[0].signed_by is not None


def test_the_catalog_is_rebuilt_with_the_technicians_key(cartridge: Image, source: Path, tmp_path: Path) -> None:
    """And without one it knows the archive, and no name."""
    write(cartridge, source)
    now = datetime(2026, 3, 2, tzinfo=UTC)
    for by, members in ((NO_KEY, 0), (opener(TECHNICIAN), 3)):
        with Store.open(tmp_path / f"{members}.sqlite", "here") as store, cartridge.drive() as drive:
            told = rebuild.run(drive, store, evidences(), now, adopt=True, opener=by)
            found = store.find("patients")
        assert len(told.archives) == 1
        assert len(found) == (members > 0)
        assert any("its members are not known" in problem for problem in told.problems) == (members == 0)


def _flip(path: Path, place: int) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes((byte ^ 1,)))
