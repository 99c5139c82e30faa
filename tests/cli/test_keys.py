"""`tapekit keys` and `audit`, as a person uses them, with what goes wrong."""

import contextlib
import dataclasses
import io
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pypdfium2  # type: ignore[import-untyped]
import pytest

from drivers.base import Drive
from formats import paper, publickey
from formats.paper import PaperKey
from tapekit.drives import open_drive
from tapekit.jobs import backup, label
from tapekit.keys import keyfile, ring
from tapekit.keys.pair import Pair
from tapekit.keys.seal import Recipients
from tapekit.progress import Silent
from tests.cli.conftest import Ran, Run
from tests.jobs.cartridges import evidences, request
from tests.keys.people import PASSPHRASE, write_key


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyfile.seal, "__defaults__", (15,))


@pytest.fixture
def passphrase(tmp_path: Path) -> str:
    """Where it stands."""
    path = tmp_path / "passphrase"
    path.write_text(PASSPHRASE + "\n")
    path.chmod(0o600)
    return f"file:{path}"


def words(sheet: str) -> list[str]:
    """The seven lines of words on a sheet."""
    return re.findall(r"^ {4}[1-7]   (\w+   \w+   \w+)$", sheet, re.MULTILINE)


def typing(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(line + "\n" for line in lines)))


def test_a_new_key(run: Run, tmp_path: Path, passphrase: str) -> None:
    done = run("keys", "new", "owner", "Marie Dupont", "--file", tmp_path / "m.key", "--passphrase-from", passphrase)
    assert done.code == 0, done.err
    assert (tmp_path / "m.key").stat().st_mode & 0o777 == 0o600
    shown = run("keys", "list", "--json").answer
    (key,) = shown["keys"]
    assert (key["name"], key["role"], key["proven"]) == ("Marie Dupont", "owner", None)
    line = publickey.parse(run("keys", "export", "Marie Dupont").out)
    assert line.key_id.hex() == key["key"]
    assert line.fingerprint in done.out
    assert PASSPHRASE not in done.out + done.err


def test_nothing_secret_stays_on_the_site(run: Run, tmp_path: Path) -> None:
    """Printed: everything that is left on the machine is searched for the words and for what they stand for."""
    sheet = run("keys", "new", "recovery", "Safe", "--paper", "-").out
    lines = words(sheet)
    assert len(lines) == 7
    left = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"Safe" in left
    assert not [word for line in lines for word in line.split()[1:] if word.encode() in left]


@pytest.mark.parametrize("language", ("en", "fr"))
def test_a_paper_key_comes_back(
    run: Run, tmp_path: Path, passphrase: str, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    made = run(
        "keys", "new", "recovery", "Safe", "--paper", tmp_path / "s.txt", "--language", language, "--json"
    ).answer
    typing(monkeypatch, *words((tmp_path / "s.txt").read_text()))
    done = run(
        "keys", "import", "--key", "paper", "--file", tmp_path / "s.key", "--new-passphrase-from", passphrase, "--json"
    )
    assert done.code == 0, done.err
    assert done.answer == {**made, "file": None}, "the name is known from the site's keys"


def test_a_wrong_word_is_said_and_asked_for_again(
    run: Run, tmp_path: Path, passphrase: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("keys", "new", "owner", "Marie", "--paper", tmp_path / "m.txt")
    lines = words((tmp_path / "m.txt").read_text())
    right = lines[4].split()[1]
    typing(monkeypatch, *lines[:4], lines[4].replace(right, "vuvuz"), *lines[5:], lines[4])
    arguments = ("keys", "import", "--key", "paper", "--new-passphrase-from", passphrase)
    done = run(*arguments, "--file", tmp_path / "m.key")
    assert done.code == 0, done.err
    assert f"line 5: word 2 (vuvuz) is wrong: look whether the sheet says {right}" in done.err


def test_a_pdf(run: Run, tmp_path: Path) -> None:
    assert run("keys", "new", "owner", "Marie", "--paper", tmp_path / "m.pdf").code == 0
    assert (tmp_path / "m.pdf").stat().st_mode & 0o777 == 0o600
    text = pypdfium2.PdfDocument(tmp_path / "m.pdf")[0].get_textpage().get_text_range()
    assert "Marie" in text


def test_for_another_site(run: Run, tmp_path: Path) -> None:
    public = tmp_path / "jean.pub"
    assert run("keys", "new", "technician", "Jean", "--paper", tmp_path / "j.txt", "--public", public).code == 0
    assert run("keys", "list", "--json").answer["keys"] == []
    assert run("keys", "add", public).code == 0
    assert [key["name"] for key in run("keys", "list", "--json").answer["keys"]] == ["Jean"]
    again = run("keys", "add", public)
    assert (again.code, "there already" in again.err) == (7, True)


def test_rotated_and_removed(run: Run, tmp_path: Path) -> None:
    run("keys", "new", "owner", "Marie", "--paper", tmp_path / "1.txt")
    old = run("keys", "show", "Marie", "--json").answer["key"]
    done = run("keys", "rotate", "Marie", "--paper", tmp_path / "2.txt")
    assert done.code == 0
    assert "opens with the old key only" in done.err
    new = run("keys", "show", "Marie", "--json").answer["key"]
    assert new != old
    assert run("keys", "show", old).code == 7
    assert run("keys", "show", new[:8].upper()).code == 0
    assert run("keys", "remove", "Marie").code == 0
    assert run("keys", "list", "--json").answer["keys"] == []
    assert len(list((tmp_path / "keys" / "retired").iterdir())) == 2


def test_the_last_key_that_opens_data(run: Run, tmp_path: Path) -> None:
    run("keys", "new", "owner", "Marie", "--paper", tmp_path / "1.txt")
    run("keys", "new", "technician", "Jean", "--paper", tmp_path / "2.txt")
    done = run("keys", "remove", "Marie")
    assert (done.code, "the last key that opens data" in done.err) == (7, True)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    (
        (("owner", "Marie"), 2, "the private half has to go somewhere"),
        (("owner", "", "--paper", "-"), 2, "expected 1 to 64 printable characters"),
        (("owner", "a\x1b[31m", "--paper", "-"), 2, "expected 1 to 64 printable characters"),
        (("king", "Marie", "--paper", "-"), 2, "'king' is not one of"),
        (("owner", "Marie", "--file", "m.key", "--passphrase-from", "my own secret"), 2, "expected one of file:PATH"),
        (("owner", "Marie", "--file", "m.key", "--passphrase-from", "env:NONE"), 7, "NONE is not set"),
        (("owner", "Marie", "--file", "m.key"), 7, "there is no terminal to ask for it on"),
        (("owner", "Marie", "--file", "no/m.key", "--passphrase-from", "env:WORD"), 7, "no such file or directory"),
        (("owner", "Marie", "--file", "m.key", "--passphrase-from", "env:SHORT"), 2, "shorter than 12 characters"),
        (("owner", "Marie", "--file", "there", "--passphrase-from", "env:WORD"), 7, "is there already"),
        (("owner", "Marie", "--paper", "there"), 7, "is there already"),
    ),
)
def test_wrong_input(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], code: int, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORD", PASSPHRASE)
    monkeypatch.setenv("SHORT", "short")
    typing(monkeypatch)
    (tmp_path / "there").write_text("as it was")
    done = run("keys", "new", *arguments)
    assert (done.code, said in done.err) == (code, True), done.err
    assert "my own secret" not in done.err
    assert (tmp_path / "there").read_text() == "as it was"
    assert not (tmp_path / "keys").exists(), "no key is there that nobody has the other half of"


def test_what_fails_leaves_no_half_behind(run: Run, tmp_path: Path, passphrase: str) -> None:
    """A key file whose public half is nowhere opens nothing, and a person would keep it for one that does."""
    (tmp_path / "keys").write_text("a file in the way")
    both = ("--file", tmp_path / "m.key", "--paper", tmp_path / "m.txt", "--passphrase-from", passphrase)
    done = run("keys", "new", "owner", "Marie", *both)
    assert (done.code, f"{tmp_path}/keys" in done.err) == (7, True)
    assert not [name for name in ("m.key", "m.txt") if (tmp_path / name).exists()]
    done = run("keys", "new", "owner", "Marie", *both, "--public", tmp_path / "no" / "m.pub")
    assert (done.code, (tmp_path / "m.key").exists()) == (7, False)


def test_a_damaged_key_among_them_is_said(run: Run, tmp_path: Path) -> None:
    run("keys", "new", "owner", "Marie", "--paper", tmp_path / "1.txt")
    path = tmp_path / "keys" / "Marie.pub"
    path.write_text(path.read_text().replace("owner", "recovery"))
    done = run("keys", "list")
    assert (done.code, "checksum does not match" in done.err) == (3, True)


def test_the_sites_own_key(run: Run, tmp_path: Path) -> None:
    line = publickey.parse(run("keys", "export", "site").out)
    assert (line.role, publickey.parse(run("keys", "export", "site").out)) == ("site", line)
    (tmp_path / "lyon.pub").write_text(publickey.build(line).replace("this site", "this site"))
    assert run("keys", "add", tmp_path / "lyon.pub").code == 0
    assert run("keys", "rotate", "this site", "--paper", "-").code == 2


def test_everything_is_in_the_audit_log(run: Run, saved: str, source: Path, tmp_path: Path) -> None:
    run("keys", "new", "owner", "Marie", "--paper", tmp_path / "1.txt")
    run("verify", saved)
    run("restore", saved, "--to", tmp_path / "to")
    run("export", saved)
    run("label", saved, "--destroy", "WED-1", "--barcode", "WED-1")
    events = run("audit", "show", "--json").answer["events"]
    assert [event["event"] for event in events] == [
        "labelled", "wrote", "key made", "verified", "restored", "exported", "destroyed", "labelled",
    ]  # fmt: skip
    assert (events[1]["cartridge"], events[1]["result"]) == ("WED-1", "complete")
    assert (events[3]["result"], events[4]["result"]) == ("good", "3 members")
    assert str(source) not in json.dumps(events), "names of files may be secret"
    assert run("audit", "verify").code == 0


def test_the_log_against_the_cartridges(run: Run, saved: str, source: Path, tmp_path: Path) -> None:
    run("backup", saved, source)
    assert run("audit", "verify", saved, "--json").answer == {"ok": True, "events": 3, "heads": 2, "findings": []}
    log = tmp_path / "state" / "audit.jsonl"
    log.unlink()
    run("verify", saved)
    assert run("audit", "verify").code == 0, "whole in itself"
    done = run("audit", "verify", saved)
    assert done.code == 6
    assert "cartridge WED-1" in done.err
    assert "audit log: CHANGED: 1 event" in done.out


def test_a_line_that_was_changed(run: Run, saved: str, tmp_path: Path) -> None:
    log = tmp_path / "state" / "audit.jsonl"
    log.write_bytes(log.read_bytes().replace(b"complete", b"aborted!"))
    done = run("audit", "verify")
    assert (done.code, "line 2: event 2: its signature is wrong" in done.err) == (6, True)


@pytest.mark.parametrize("suffix", ("csv", "json", "pdf"))
def test_handed_over(run: Run, saved: str, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"audit.{suffix}"
    assert run("audit", "export", path).code == 0
    content = path.read_bytes()
    if suffix == "pdf":
        text = pypdfium2.PdfDocument(content)[0].get_textpage().get_text_range()
        assert "Checked: every event is signed" in text
    else:
        text = content.decode("utf-8-sig")
    assert "WED-1" in text
    assert "wrote" in text


def test_one_year_only(run: Run, saved: str, tmp_path: Path) -> None:
    assert run("audit", "show", "--year", "2001", "--json").answer == {"events": []}
    assert run("audit", "export", tmp_path / "a.csv", "--year", "2001").code == 0
    assert run("audit", "export", tmp_path / "a.doc").code == 2


def test_a_formula_in_a_note_stays_a_text(run: Run, saved: str, tmp_path: Path) -> None:
    run("catalog", "rebuild", saved)
    run("cartridges", "retire", "WED-1", "--note", "=cmd|'/c calc'!A1")
    run("audit", "export", tmp_path / "a.csv")
    assert "'=cmd|" in (tmp_path / "a.csv").read_text()


def test_a_log_that_cannot_be_kept_stops_nothing(run: Run, saved: str, source: Path, tmp_path: Path) -> None:
    (tmp_path / "state" / "site.key").chmod(0o644)
    done = run("backup", saved, source)
    assert done.code == 0
    assert "the audit log cannot be kept: site key: " in done.err


def encrypted(saved: str, source: Path, *pairs: Pair) -> None:
    """A further archive on the cartridge, for these."""
    lines = tuple(pair.public_line for pair in pairs)
    with opened(saved) as drive:
        wanted = dataclasses.replace(request(source), recipients=Recipients(lines))
        backup.run(drive, wanted, Silent(), evidences())


@contextlib.contextmanager
def opened(url: str) -> Iterator[Drive]:
    drive = open_drive(url, {}, writable=True)
    try:
        yield drive
    finally:
        drive.close()


def proof_of(run: Run, saved: str, key: Path, passphrase: str, *more: str) -> Ran:
    return run("keys", "test", saved, "--key", key, "--passphrase-from", passphrase, *more)


@pytest.fixture
def marie(tmp_path: Path) -> tuple[Pair, Path]:
    """An owner's pair, and its key file."""
    whose = Pair.new("owner", "Marie")
    ring.add(tmp_path / "keys", whose.public_line)
    return whose, write_key(tmp_path / "marie.key", whose)


def test_a_key_is_proven(run: Run, saved: str, source: Path, passphrase: str, marie: tuple[Pair, Path]) -> None:
    whose, file = marie
    encrypted(saved, source, whose)
    assert run("keys", "show", "Marie", "--json").answer["proven"] is None
    done = proof_of(run, saved, file, passphrase)
    assert done.code == 0, done.err
    assert re.fullmatch(r"the key of Marie opens WED-1: everything of archive .{8} \(\w+, .*Z\)\n", done.out)
    assert run("keys", "show", "Marie", "--json").answer["proven"]
    assert run("audit", "show", "--json").answer["events"][-1]["event"] == "key tested"


def test_the_words_are_proven(
    run: Run, saved: str, source: Path, marie: tuple[Pair, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    whose, _ = marie
    encrypted(saved, source, whose)
    words = paper.build(PaperKey("owner", bytes(whose.secret.content)))
    typing(monkeypatch, *(" ".join(words[at : at + 3]) for at in range(0, 21, 3)))
    done = run("keys", "test", saved, "--key", "paper", "--json")
    assert (done.code, done.answer["name"]) == (0, "Marie"), done.err


def test_a_technicians_key_is_proven_for_the_lists(
    run: Run, saved: str, source: Path, tmp_path: Path, passphrase: str, marie: tuple[Pair, Path]
) -> None:
    jean = Pair.new("technician", "Jean")
    encrypted(saved, source, marie[0], jean)
    done = proof_of(run, saved, write_key(tmp_path / "jean.key", jean), passphrase)
    assert done.out.startswith("the key of Jean opens WED-1: the list of files of archive "), done.err


def test_a_key_that_does_not_open_it_is_not_proven(
    run: Run, saved: str, source: Path, tmp_path: Path, passphrase: str, marie: tuple[Pair, Path]
) -> None:
    done = proof_of(run, saved, marie[1], passphrase)
    assert (done.code, "is not encrypted: anybody can read it" in done.err) == (7, True)
    encrypted(saved, source, Pair.new("owner", "Another"))
    done = proof_of(run, saved, marie[1], passphrase)
    assert (done.code, "encrypted for Another (owner), not for" in done.err) == (7, True), done.err
    assert run("keys", "show", "Marie", "--json").answer["proven"] is None
    assert run("keys", "test", saved).code == 2


def test_a_cartridge_that_holds_nothing_yet(
    run: Run, tmp_path: Path, passphrase: str, marie: tuple[Pair, Path]
) -> None:
    whose, file = marie
    url = f"image:{tmp_path}/new.tkc"
    assert run("label", url, "--size", "16M", "--barcode", "NEW-1").code == 0
    with opened(url) as drive:
        label.run(drive, barcode="NEW-1", pool=None, block_bytes=None, destroy="NEW-1", keys=(whose.public_line,))
    done = proof_of(run, url, file, passphrase)
    assert (done.code, done.out) == (0, "the key of Marie opens NEW-1: the cartridge\n"), done.err
    stranger = write_key(tmp_path / "eve.key", Pair.new("owner", "Eve"))
    assert proof_of(run, url, stranger, passphrase).code == 7
