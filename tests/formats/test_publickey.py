"""A public key as one line: what a mail program does to it is noticed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats import publickey
from formats.errors import Damaged, NewerFormat
from formats.publickey import PublicKeyLine

OWNER = PublicKeyLine("owner", bytes(range(256)) * 4 + bytes(192), "Marie Dupont")
SITE = PublicKeyLine("site", bytes(range(32)), "Pharmacie de la Gare")


@pytest.mark.parametrize("line", (OWNER, SITE), ids=lambda line: str(line.role))
def test_round_trip(line: PublicKeyLine) -> None:
    text = publickey.build(line)
    assert "\n" not in text
    assert publickey.parse(text) == line
    assert publickey.parse(f"# of the safe\r\n\n  {text}  \r\n") == line


def test_known_answer() -> None:
    assert publickey.build(SITE) == (
        "tapekit-key-1 site AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8= 559f15fd Pharmacie de la Gare"
    )
    assert SITE.fingerprint == "630d cd29 66c4 3366 9112 5448 bbb2 5b4f"


@given(st.data())
def test_any_changed_character_is_noticed(data: st.DataObject) -> None:
    text = publickey.build(OWNER)
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(codec="utf-8", exclude_characters=text[place]))
    with pytest.raises((Damaged, NewerFormat)):
        publickey.parse(text[:place] + other + text[place + 1 :])


@given(st.integers(0, len(publickey.build(OWNER)) - 1))
def test_a_line_that_was_cut_is_noticed(length: int) -> None:
    with pytest.raises(Damaged):
        publickey.parse(publickey.build(OWNER)[:length])


@pytest.mark.parametrize("text", ("", "# nothing", publickey.build(OWNER) * 2, "ssh-ed25519 AAAA marie"))
def test_no_key(text: str) -> None:
    with pytest.raises(Damaged):
        publickey.parse(text)


def test_two_keys_in_one_file() -> None:
    with pytest.raises(Damaged, match="expected one line"):
        publickey.parse(f"{publickey.build(OWNER)}\n{publickey.build(SITE)}")


def test_a_newer_version_is_said() -> None:
    with pytest.raises(NewerFormat):
        publickey.parse("tapekit-key-2 something else")


@pytest.mark.parametrize("name", ("", " a", "a  b", "a\tb", "a\x1b[31m", "x" * 65))
def test_names_that_cannot_stand_in_a_line(name: str) -> None:
    with pytest.raises(Damaged):
        publickey.build(PublicKeyLine("site", bytes(32), name))
