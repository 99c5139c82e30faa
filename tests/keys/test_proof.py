"""A key that nobody has tried for too long is told."""

import datetime
from pathlib import Path

from formats.publickey import PublicKeyLine
from tapekit import clock
from tapekit.keys import proof
from tapekit.keys.ring import Entry

NOW = datetime.datetime(2026, 11, 25, 4, 0, tzinfo=datetime.UTC)
MONTH = datetime.timedelta(35)


def entry(role: str, name: str, letter: bytes, days_ago: int = 100) -> Entry:
    line = PublicKeyLine(role, letter * 1216, name)
    return Entry(Path(f"{name}.pub"), line, NOW - datetime.timedelta(days_ago))


OWNER, SAFE, TECHNICIAN = (
    entry("owner", "Marie", b"1"),
    entry("recovery", "Safe", b"2"),
    entry("technician", "Jean", b"3"),
)


def note(state: Path, key: Entry, days_ago: int) -> None:
    with clock.running(lambda: NOW - datetime.timedelta(days_ago)):
        proof.note(state, key.line.key_id.hex(), "MON-1")


def test_never(tmp_path: Path) -> None:
    found = proof.unproven((OWNER, SAFE, TECHNICIAN), tmp_path, MONTH, NOW)
    assert [(key.name, key.proven) for key in found] == [("Marie", None), ("Safe", None)]


def test_no_keys_are_not_unproven(tmp_path: Path) -> None:
    assert proof.unproven((), tmp_path, MONTH, NOW) == ()


def test_lately_and_long_ago(tmp_path: Path) -> None:
    note(tmp_path, OWNER, 40)
    (found, _) = proof.unproven((OWNER, SAFE), tmp_path, MONTH, NOW)
    assert found.proven == NOW - datetime.timedelta(40)
    note(tmp_path, OWNER, 35)
    assert proof.unproven((OWNER, SAFE), tmp_path, MONTH, NOW) == ()


def test_a_technicians_key_proves_nothing_of_data(tmp_path: Path) -> None:
    note(tmp_path, TECHNICIAN, 0)
    assert proof.unproven((OWNER, TECHNICIAN), tmp_path, MONTH, NOW) != ()


def test_another_key_of_the_same_name_proves_nothing(tmp_path: Path) -> None:
    note(tmp_path, entry("owner", "Marie", b"9"), 0)
    assert proof.unproven((OWNER,), tmp_path, MONTH, NOW) != ()


def test_a_torn_line(tmp_path: Path) -> None:
    (tmp_path / proof.FILE_NAME).write_text('{"at": "20\n')
    note(tmp_path, OWNER, 1)
    assert proof.unproven((OWNER,), tmp_path, MONTH, NOW) == ()


def test_a_new_key_is_not_told_at_once(tmp_path: Path) -> None:
    assert proof.unproven((entry("owner", "Marie", b"1", days_ago=35),), tmp_path, MONTH, NOW) == ()
    assert proof.unproven((entry("owner", "Marie", b"1", days_ago=36),), tmp_path, MONTH, NOW) != ()
