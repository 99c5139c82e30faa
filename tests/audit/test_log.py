"""The audit log keeps what happened, whatever happens to it, and never stops anything."""

import base64
import json
import os
from pathlib import Path

import pytest

from formats import audit
from formats.audit import NO_LINE
from tapekit.audit import events
from tapekit.audit.events import About, Event
from tapekit.audit.log import AuditLog, who
from tapekit.keys.site import is_signed, site_key


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    return AuditLog(tmp_path / "state", "Lyon")


def lines(log: AuditLog) -> list[audit.AuditLine]:
    return [audit.parse(line) for line in log.path.read_bytes().splitlines()]


def test_nothing_yet(log: AuditLog) -> None:
    assert log.head() is None
    assert not log.path.exists()


def test_chained_and_signed(log: AuditLog, tmp_path: Path) -> None:
    log.note(Event.LABELLED, About(cartridge="MON-1"))
    log.note(Event.WROTE, About("MON-1", "ab" * 16, "cd" * 16, "nightly", result="complete"))
    log.note(Event.KEY_ADDED, About(subject="owner Élodie"))
    assert log.problem == ""
    found = lines(log)
    assert [(line.sequence, line.event, line.site, line.who) for line in found] == [
        (1, "labelled", "Lyon", who()), (2, "wrote", "Lyon", who()), (3, "key added", "Lyon", who()),
    ]  # fmt: skip
    raw = log.path.read_bytes().splitlines()
    assert [line.previous for line in found] == [NO_LINE, *(audit.digest(line) for line in raw[:-1])]
    public = site_key(tmp_path / "state").public
    for data, line in zip(raw, found, strict=True):
        assert base64.b64decode(line.key) == public
        assert is_signed(public, audit.signed(data), base64.b64decode(line.signature))
        assert data == audit.build(line), "canonical"
    head = log.head()
    assert head is not None
    assert (head.sequence, head.sha256) == (3, audit.digest(raw[-1]))


def test_goes_on_in_another_run(log: AuditLog, tmp_path: Path) -> None:
    log.note(Event.LABELLED, About())
    AuditLog(tmp_path / "state", "Lyon").note(Event.VERIFIED, About())
    assert [line.sequence for line in lines(log)] == [1, 2]


def test_for_its_owner_alone(log: AuditLog) -> None:
    log.note(Event.LABELLED, About())
    assert log.path.stat().st_mode & 0o777 == 0o600


def test_a_power_cut_in_the_middle_of_a_line(log: AuditLog) -> None:
    log.note(Event.LABELLED, About(cartridge="A"))
    whole = log.path.read_bytes()
    log.note(Event.LABELLED, About(cartridge="B"))
    torn = log.path.read_bytes()[:-40]
    log.path.write_bytes(torn)
    log.note(Event.LABELLED, About(cartridge="C"))
    content = log.path.read_bytes()
    assert content.startswith(torn + b"\n"), "only ever added to"
    last = audit.parse(content.splitlines()[-1])
    assert (last.sequence, last.cartridge, last.previous) == (2, "C", audit.digest(whole.rstrip(b"\n")))


def test_behind_a_line_that_is_none(log: AuditLog) -> None:
    log.note(Event.LABELLED, About(cartridge="A"))
    with log.path.open("ab") as file:
        file.write(b"x" * 100_000 + b"\n")
    log.note(Event.LABELLED, About(cartridge="B"))
    assert json.loads(log.path.read_bytes().splitlines()[-1])["sequence"] == 2


def test_long_and_strange_texts(log: AuditLog) -> None:
    log.note(Event.DESTROYED, About(subject="\udcff\n\x1b" + "x" * 10_000))
    (line,) = lines(log)
    assert line.subject.startswith("?\n\x1bxxx")
    assert len(line.subject) == 500


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_where_it_cannot_be_written(log: AuditLog, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o500)
    log.note(Event.LABELLED, About())
    assert "permission denied" in log.problem


def test_where_a_file_stands_in_its_way(log: AuditLog, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    log.note(Event.LABELLED, About())
    assert log.problem
    assert log.head() is None


def test_a_site_key_that_others_can_read_is_said(log: AuditLog, tmp_path: Path) -> None:
    log.note(Event.LABELLED, About())
    (tmp_path / "state" / "site.key").chmod(0o644)
    log.note(Event.LABELLED, About())
    assert "others can read it" in log.problem
    assert len(lines(log)) == 1


def test_noted_where_a_log_is_kept(log: AuditLog) -> None:
    events.note(Event.LABELLED, cartridge="nobody keeps it")
    assert events.head() is None
    with events.keeping(lambda: log) as kept:
        events.note(Event.LABELLED, cartridge="MON-1")
        head = events.head()
        assert head is not None
        assert head.sequence == 1
        assert (kept.problem, events.problem()) == ("", "")
    events.note(Event.LABELLED, cartridge="nobody keeps it")
    assert [line.cartridge for line in lines(log)] == ["MON-1"]


def test_opened_with_the_first_event_only() -> None:
    def opener() -> AuditLog:
        raise AssertionError

    with events.keeping(opener) as kept:
        assert kept.problem == ""


def test_who_is_behind_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "marie")
    assert who() == "marie (sudo)"
