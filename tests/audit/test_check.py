"""Whoever changes the audit log is found out, and by the cartridges even with the site's key."""

import datetime
from collections.abc import Callable
from pathlib import Path

import pytest

from formats.segment import AuditHead
from tapekit import clock
from tapekit.audit import check
from tapekit.audit.check import Witness
from tapekit.audit.events import About, Event
from tapekit.audit.log import AuditLog
from tapekit.keys.site import site_key

Change = Callable[[list[bytes]], list[bytes]]
BEGIN = datetime.datetime(2026, 11, 25, tzinfo=datetime.UTC)


def log_of(state: Path, events: int = 6, begin: datetime.datetime = BEGIN) -> AuditLog:
    log = AuditLog(state, "Lyon")
    with clock.running(lambda: begin):
        for number in range(events):
            log.note(Event.VERIFIED, About(cartridge=f"MON-{number}", result="good"))
    return log


def findings(log: AuditLog, *heads: AuditHead, keys: tuple[bytes, ...] = ()) -> list[str]:
    witnesses = [Witness("WED-1", "ab" * 16, head) for head in heads]
    known = keys or (site_key(log.path.parent).public,)
    return [str(finding) for finding in check.check(check.read(log.path), known, witnesses)]


def head_of(log: AuditLog) -> AuditHead:
    head = log.head()
    assert head is not None
    return head


def test_as_it_was_written(tmp_path: Path) -> None:
    log = log_of(tmp_path, 2)
    early = head_of(log)
    log.note(Event.RESTORED, About())
    assert findings(log, early, head_of(log)) == []


def test_none_is_whole(tmp_path: Path) -> None:
    assert check.read(tmp_path / "audit.jsonl") == []


ORDER = "they were put in another order, or an old log was put back"


@pytest.mark.parametrize(
    ("change", "said"),
    (
        (lambda lines: lines[:2] + lines[3:], ["line 3: event 4 stands behind event 2: 1 were removed"]),
        (lambda lines: lines[1:], ["line 1: event 2 stands behind event 0: 1 were removed"]),
        (
            lambda lines: [lines[0], lines[2], lines[1], *lines[3:]],
            [
                "line 2: event 3 stands behind event 1: 1 were removed",
                f"line 3: event 2 stands behind event 3: {ORDER}",
                "line 4: event 4 stands behind event 2: 1 were removed",
            ],
        ),
        (
            lambda lines: [*lines[:3], lines[3].replace(b"good", b"evil"), *lines[4:]],
            [
                "line 4: event 4: its signature is wrong: it was changed",
                "line 5: event 5 does not continue the one before: one of them was changed",
            ],
        ),
        (lambda lines: [*lines, lines[-1]], [f"line 7: event 6 stands behind event 6: {ORDER}"]),
    ),
    ids=("removed", "beginning removed", "reordered", "changed", "repeated"),
)
def test_changed_lines(tmp_path: Path, change: Change, said: list[str]) -> None:
    log = log_of(tmp_path)
    log.path.write_bytes(b"".join(line + b"\n" for line in change(log.path.read_bytes().splitlines())))
    assert findings(log) == said


def test_every_byte_of_a_line(tmp_path: Path) -> None:
    log = log_of(tmp_path, 3)
    content = log.path.read_bytes()
    begin = content.index(b"\n") + 1
    for place in range(begin, content.index(b"\n", begin) + 1):
        log.path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        assert findings(log), content[place : place + 10]


def test_a_torn_line_is_said(tmp_path: Path) -> None:
    log = log_of(tmp_path, 2)
    log.path.write_bytes(log.path.read_bytes()[:-30])
    log.note(Event.VERIFIED, About())
    (said,) = findings(log)
    assert said.startswith("line 2: no event: ")


def test_the_end_cut_off_is_known_to_the_cartridges_alone(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    head = head_of(log)
    log.path.write_bytes(b"".join(line + b"\n" for line in log.path.read_bytes().splitlines()[:4]))
    assert findings(log) == []
    assert findings(log, head) == [
        "cartridge WED-1 (archive abababab) knows event 6, which is not in the log: it was removed"
    ]


def test_written_anew_with_the_sites_own_key(tmp_path: Path) -> None:
    """Somebody with all of the server makes a log that is whole in itself; a cartridge in a pocket knows better."""
    log = log_of(tmp_path)
    head = head_of(log)
    log.path.unlink()
    log = log_of(tmp_path, 7, BEGIN + datetime.timedelta(hours=1))
    assert findings(log) == []
    assert findings(log, head) == ["cartridge WED-1 (archive abababab) knows another event 6: the log was written anew"]


def test_signed_by_another_site(tmp_path: Path) -> None:
    log = log_of(tmp_path / "a", 1)
    other = site_key(tmp_path / "b").public
    assert findings(log, keys=(other,)) == ["line 1: event 1: signed by a key that is not known here"]
