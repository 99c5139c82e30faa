"""Encryption as its users meet it: who has the key, who has another, who has none."""

from collections.abc import Callable
from pathlib import Path

import pytest

from formats import publickey
from tapekit.keys import ring
from tapekit.keys.pair import Pair
from tests.cli.conftest import Run
from tests.keys.people import PASSPHRASE, pair, write_key

LABEL = ("--size", "16M", "--block-size", "64K", "--barcode", "WED-1")


def private(folder: Path, text: str) -> Path:
    path = folder / "passphrase"
    path.write_text(text)
    path.chmod(0o600)
    return path


@pytest.fixture
def key(tmp_path: Path) -> tuple[str, ...]:
    """The options that open what `url` holds."""
    return (
        "--key",
        str(write_key(tmp_path / "marie.key")),
        "--passphrase-from",
        f"file:{private(tmp_path, PASSPHRASE)}",
    )


@pytest.fixture
def url(run: Run, source: Path, tmp_path: Path) -> str:
    """A cartridge with one archive, encrypted for the site's key."""
    url = f"image:{tmp_path}/c.tkc"
    ring.add(tmp_path / "keys", pair().public_line)
    assert run("label", url, *LABEL).code == 0
    ran = run("backup", url, source)
    assert ran.code == 0
    assert "opens with the key of: Marie (owner)" in ran.out
    return url


def test_with_the_key(run: Run, url: str, key: tuple[str, ...], tmp_path: Path, source: Path) -> None:
    assert run("restore", url, "--to", tmp_path / "to", *key).code == 0
    assert (tmp_path / "to" / str(source)[1:] / "one").read_text() == "one"
    assert "source/one" in run("list", url, *key).out
    assert "source/one" in run("export", url, *key).out
    verified = run("verify", url, "--source", *key)
    assert verified.code == 0
    assert "2 the same" in verified.out
    assert run("keys", "test", url, *key).code == 0


def test_by_the_variable(run: Run, url: str, key: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPEKIT_KEY_FILE", key[1])
    assert run("list", url, *key[2:]).code == 0


def test_archives_that_the_key_opens_are_listed_beside_others(run: Run, url: str, source: Path, tmp_path: Path) -> None:
    (source / "later").write_text("for everybody")
    assert run("backup", url, source, "--encryption", "none").code == 0
    ran = run("list", url, "--archive", "all")
    assert "source/later" in ran.out
    assert ran.code == 7
    assert "encrypted for Marie (owner): no key was given" in ran.err


@pytest.mark.parametrize("command", ("restore", "list", "export"))
def test_without_a_key(run: Run, url: str, tmp_path: Path, command: str) -> None:
    ran = run(command, url, *(("--to", tmp_path / "to") if command == "restore" else ()))
    assert ran.code == 7
    assert "encrypted for Marie (owner): no key was given" in ran.err
    assert "--key FILE" in ran.err


def test_verify_without_a_key(run: Run, url: str) -> None:
    ran = run("verify", url)
    assert ran.code == 0
    assert "not decoded: archive" in ran.out
    assert run("verify", url, "--source").code == 7
    answer = run("verify", url, "--json").answer
    assert answer["archives"][0]["not_decoded"].endswith("no key was given")
    assert answer["archives"][0]["signed_by"] == "this site"


def test_wrong_passphrase(run: Run, url: str, key: tuple[str, ...], tmp_path: Path) -> None:
    private(tmp_path, "four other words here")
    ran = run("list", url, *key)
    assert ran.code == 7
    assert "the passphrase is wrong" in ran.err


def _newer(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"format": 1', b'"format": 2'))


@pytest.mark.parametrize(
    ("change", "words"),
    (
        (lambda path: path.write_bytes(path.read_bytes()[:-30]), "key file"),
        (lambda path: path.chmod(0o644), "others can read it (mode 0644)"),
        (lambda path: path.unlink(), "no such file"),
        (_newer, "newer version"),
    ),
    ids=("damaged", "world-readable", "missing", "newer"),
)
def test_bad_key_files(run: Run, url: str, key: tuple[str, ...], change: Callable[[Path], None], words: str) -> None:
    change(Path(key[1]))
    ran = run("list", url, *key)
    assert ran.code == 7
    assert words in ran.err


def test_a_strangers_key(run: Run, url: str, key: tuple[str, ...], tmp_path: Path) -> None:
    other = write_key(tmp_path / "eve.key", Pair.new("owner", "Eve"))
    ran = run("list", url, "--key", other, *key[2:])
    assert ran.code == 7
    assert "encrypted for Marie (owner), not for the owner key of Eve" in ran.err
    assert run("verify", url, "--key", other, *key[2:]).code == 7


def test_only_for_whom_it_is_said(run: Run, url: str, source: Path, key: tuple[str, ...], tmp_path: Path) -> None:
    public = Pair.new("recovery", "safe").public_line
    (tmp_path / "safe.pub").write_text(publickey.build(public))
    ran = run("backup", url, source, "--to-key", tmp_path / "safe.pub", "--json")
    assert ran.answer["encrypted_for"] == ["safe (recovery)"]
    assert run("list", url, *key).code == 7
    assert run("backup", url, source, "--to-key", "nobody").code == 7
    assert run("backup", url, source, "--encryption", "none", "--json").answer["encrypted_for"] == []
    assert run("list", url).code == 0
    assert run("backup", url, source, "--encryption", "none", "--to-key", "Marie").code == 2


def test_technicians_alone_are_not_enough(run: Run, url: str, source: Path, tmp_path: Path) -> None:
    public = Pair.new("technician", "Tom").public_line
    (tmp_path / "tom.pub").write_text(publickey.build(public))
    ran = run("backup", url, source, "--to-key", tmp_path / "tom.pub")
    assert ran.code == 7
    assert "nobody would get the data back" in ran.err


def test_a_key_that_cannot_be_read_is_told(run: Run, url: str, source: Path, tmp_path: Path) -> None:
    (tmp_path / "keys" / "paul.pub").write_text("tapekit-key-1 owner AAAA")
    ran = run("backup", url, source)
    assert ran.code == 0
    assert "a key that cannot be used: public key: " in ran.err


def test_a_passphrase_alone(run: Run, source: Path, tmp_path: Path) -> None:
    url = f"image:{tmp_path}/c.tkc"
    assert run("label", url, *LABEL).code == 0
    said = ("--passphrase-from", f"file:{private(tmp_path, 'a horse that can count')}")
    assert run("backup", url, source, *said).code == 0
    assert "source/one" in run("list", url, "--key", "passphrase", *said).out
    private(tmp_path, "a horse that cannot")
    assert "the passphrase does not open it" in run("list", url, "--key", "passphrase", *said).err


def test_inspect_names_who_opens_it(run: Run, url: str) -> None:
    assert "file 2: opens with the key of: Marie (owner)" in run("inspect", url).out
