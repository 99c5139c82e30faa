"""The directory of public keys: who can open what is written, and never nobody."""

import os
from pathlib import Path

import pytest

from formats import publickey
from formats.publickey import PublicKeyLine
from tapekit.errors import KeyNeeded, KeyRefused
from tapekit.keys import ring


def line(role: str, name: str, number: int = 0) -> PublicKeyLine:
    return PublicKeyLine(role, bytes([number]) * publickey.KEY_BYTES[role], name)


OWNER, TECHNICIAN, SITE = line("owner", "Marie Dupont", 1), line("technician", "Jean", 2), line("site", "Lyon", 3)


def test_no_directory_holds_no_keys(tmp_path: Path) -> None:
    found = ring.read(tmp_path / "keys")
    assert (found.recipients, found.is_encrypting, found.checked_recipients()) == ((), False, ())


def test_added_and_read(tmp_path: Path) -> None:
    for each in (OWNER, TECHNICIAN, SITE):
        ring.add(tmp_path / "keys", each)
    found = ring.read(tmp_path / "keys")
    assert set(found.checked_recipients()) == {OWNER, TECHNICIAN}
    assert found.sites == (SITE,)
    assert (tmp_path / "keys" / "Marie-Dupont.pub").stat().st_mode & 0o777 == 0o644


def test_copied_in_by_a_person(tmp_path: Path) -> None:
    (tmp_path / "from a mail.pub").write_text(f"# of the safe\n{publickey.build(OWNER)}\n")
    (tmp_path / "notes.txt").write_text("not a key")
    assert ring.read(tmp_path).recipients == (OWNER,)


def test_a_site_key_alone_encrypts_nothing(tmp_path: Path) -> None:
    ring.add(tmp_path, SITE)
    assert not ring.read(tmp_path).is_encrypting


def test_technicians_alone_are_refused(tmp_path: Path) -> None:
    """Nobody would ever get anything back."""
    ring.add(tmp_path, TECHNICIAN)
    with pytest.raises(KeyRefused, match="technicians' keys alone"):
        ring.read(tmp_path).checked_recipients()


def test_a_damaged_key_is_a_problem_and_never_no_key(tmp_path: Path) -> None:
    path = ring.add(tmp_path, OWNER)
    path.write_text(path.read_text().replace("Marie", "Maria"))
    found = ring.read(tmp_path)
    assert (found.recipients, found.is_encrypting) == ((), True)
    assert "its checksum does not match" in found.problems[0]
    with pytest.raises(KeyRefused, match="checksum"):
        found.checked_recipients()
    ring.add(tmp_path, line("recovery", "Safe", 9))
    assert [it.name for it in ring.read(tmp_path).checked_recipients()] == ["Safe"], "the others still count"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_directory_that_cannot_be_read_is_never_no_keys(tmp_path: Path) -> None:
    ring.add(tmp_path / "keys", OWNER)
    (tmp_path / "keys").chmod(0)
    with pytest.raises(KeyRefused, match="permission denied"):
        ring.read(tmp_path / "keys").checked_recipients()


def test_the_same_twice_is_refused(tmp_path: Path) -> None:
    ring.add(tmp_path, OWNER)
    with pytest.raises(KeyRefused, match="there already, as Marie Dupont"):
        ring.add(tmp_path, PublicKeyLine("owner", OWNER.key, "Another"))
    with pytest.raises(KeyRefused, match="there is a key of Marie Dupont"):
        ring.add(tmp_path, line("owner", "Marie Dupont", 7))


def test_names_that_make_one_file_name(tmp_path: Path) -> None:
    ring.add(tmp_path, line("owner", "A B", 1))
    ring.add(tmp_path, line("owner", "A/B", 2))
    ring.add(tmp_path, line("owner", "..", 3))
    assert len(ring.read(tmp_path).recipients) == 3
    assert all(path.parent == tmp_path for path in tmp_path.iterdir())


def test_taken_out_and_kept(tmp_path: Path) -> None:
    for each in (OWNER, TECHNICIAN):
        ring.add(tmp_path, each)
    found = ring.read(tmp_path)
    kept = ring.retire(found.named("Jean"), [found.named("Marie Dupont")])
    assert ring.read(tmp_path).recipients == (OWNER,)
    assert ring.read_line(kept) == TECHNICIAN


def test_the_last_that_opens_data_stays_while_a_technician_is_there(tmp_path: Path) -> None:
    for each in (OWNER, TECHNICIAN):
        ring.add(tmp_path, each)
    found = ring.read(tmp_path)
    with pytest.raises(KeyRefused, match="the last key that opens data"):
        ring.retire(found.named("Marie Dupont"), [found.named("Jean")])
    assert set(ring.read(tmp_path).recipients) == {OWNER, TECHNICIAN}


def test_replaced_and_kept(tmp_path: Path) -> None:
    ring.add(tmp_path, OWNER)
    new = line("owner", "Marie Dupont", 8)
    ring.replace(ring.read(tmp_path).named("Marie Dupont"), new)
    assert ring.read(tmp_path).recipients == (new,)
    assert [ring.read_line(path) for path in (tmp_path / "retired").iterdir()] == [OWNER]


def test_found_by_name_file_and_number(tmp_path: Path) -> None:
    for each in (OWNER, TECHNICIAN):
        ring.add(tmp_path, each)
    found = ring.read(tmp_path)
    for name in ("Marie Dupont", "Marie-Dupont", OWNER.fingerprint, OWNER.fingerprint[:9].upper()):
        assert found.named(name).line == OWNER
    for name in ("Nobody", ""):
        with pytest.raises(KeyNeeded):
            found.named(name)
