"""A key file gives the key back to who has the passphrase, and says what is wrong to everybody else."""

import json
from pathlib import Path

import pytest

from formats import keyfile as form
from tapekit.errors import Exit, KeyNeeded, KeyRefused, TapekitError, UsageError, exit_code
from tapekit.keys import hand, keyfile
from tapekit.keys.secret import Secret
from tests.keys.people import FAST, PASSPHRASE, Answers, pair, write_key


def opened(path: Path, passphrase: str = PASSPHRASE) -> bytes:
    found = hand.take(str(path), "prompt", Answers([passphrase]).person)
    return bytes(found.secret.content)


def test_round_trip(tmp_path: Path) -> None:
    assert opened(write_key(tmp_path / "k")) == bytes(range(32))
    content = (tmp_path / "k").read_bytes()
    assert bytes(range(32)) not in content
    assert keyfile.seal(pair(), Secret(PASSPHRASE.encode()), FAST) != content, "each file has a salt of its own"


def test_composed_in_another_way(tmp_path: Path) -> None:
    """Keyboards differ in how they make an ö."""
    assert opened(write_key(tmp_path / "k"), PASSPHRASE.replace("ö", "o\u0308")) == bytes(range(32))


def refusal(path: Path, passphrase: str = PASSPHRASE) -> str:
    with pytest.raises(TapekitError) as caught:
        opened(path, passphrase)
    assert isinstance(caught.value, KeyRefused | KeyNeeded)
    assert exit_code(caught.value) is Exit.KEY
    return str(caught.value)


def test_wrong_passphrase(tmp_path: Path) -> None:
    assert refusal(write_key(tmp_path / "k"), "not the passphrase") == "key file of Marie: the passphrase is wrong"


def test_damaged(tmp_path: Path) -> None:
    path = write_key(tmp_path / "k")
    path.write_bytes(path.read_bytes().replace(b"Marie", b"Maria"))
    assert "its checksum does not match" in refusal(path)


def test_changed_by_somebody_who_mends_the_checksum(tmp_path: Path) -> None:
    """A technician's key file never becomes an owner's by a word."""
    path = write_key(tmp_path / "k", pair("technician"))
    value = json.loads(path.read_bytes())
    value["role"] = "owner"
    path.write_bytes(form.build(form.KeyFile(**value)))
    assert "the passphrase is wrong" in refusal(path)


def test_newer(tmp_path: Path) -> None:
    path = write_key(tmp_path / "k")
    path.write_bytes(path.read_bytes().replace(b'"format": 1', b'"format": 2'))
    assert "newer version" in refusal(path)


def test_others_can_read_it(tmp_path: Path) -> None:
    path = write_key(tmp_path / "k")
    path.chmod(0o644)
    assert "others can read it (mode 0644)" in refusal(path)


@pytest.mark.parametrize("content", (b"", b"{}", b"\0" * 99, b"tapekit-key-1 owner"))
def test_no_key_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "k"
    path.write_bytes(content)
    path.chmod(0o600)
    assert refusal(path).startswith(f"{path}: key file: ")


def test_none(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "k")


def test_a_passphrase_that_is_guessed_is_not_taken() -> None:
    with pytest.raises(UsageError, match="shorter than 12"):
        keyfile.seal(pair(), Secret("äöüäöüäöüäö".encode()))


def test_a_new_passphrase_is_typed_twice() -> None:
    person = Answers(["the same one", "the same one"])
    assert hand.new_passphrase("prompt", person.person).content == b"the same one"
    assert person.asked == ["new passphrase", "new passphrase, again"]
    with pytest.raises(KeyRefused, match="not the same"):
        hand.new_passphrase("prompt", Answers(["the same one", "another"]).person)


def test_a_file_of_the_first_version_opens_for_ever(tmp_path: Path) -> None:
    """It is never made again: people keep theirs for decades."""
    path = tmp_path / "k"
    path.write_bytes((Path(__file__).parents[2] / "fixtures/keys/version-1.key").read_bytes())
    path.chmod(0o600)
    assert opened(path) == bytes(range(32))
    assert keyfile.read(path).name == "Élodie"
