"""Key files: read strictly; what was changed, cut or comes from the future is told apart."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats import keyfile
from formats.errors import Damaged, NewerFormat
from formats.keyfile import KeyFile

FILE = KeyFile(
    keyfile.KIND, 1, "owner", "Élodie", "2026-11-25T04:00:00Z", "AAAA", "AAECAwQFBgcICQoLDA0ODw==", 15, 8, 1, "BBBB"
)


def changed(**changes: object) -> bytes:
    """With a checksum that is right all the same."""
    return keyfile.build(dataclasses.replace(FILE, **changes))  # type: ignore[arg-type]


def test_round_trip() -> None:
    parsed = keyfile.parse(keyfile.build(FILE))
    assert dataclasses.replace(parsed, sha256="") == FILE
    assert keyfile.parse(json.dumps(json.loads(keyfile.build(FILE))).encode()) == parsed, "white space does not count"


def test_the_encryption_covers_all_but_itself() -> None:
    text = (
        '{"created":"2026-11-25T04:00:00Z","format":1,"kind":"tapekit private key","log2_n":15,"name":"Élodie","p":1,'
        '"public":"AAAA","r":8,"role":"owner","salt":"AAECAwQFBgcICQoLDA0ODw=="}'
    )
    assert keyfile.associated(FILE) == b"tapekit key file 1\0" + text.encode()
    assert keyfile.associated(keyfile.parse(keyfile.build(FILE))) == keyfile.associated(FILE)


@given(st.integers(0, len(keyfile.build(FILE)) - 2), st.integers(1, 255))
def test_every_changed_byte_is_noticed(place: int, flip: int) -> None:
    data = bytearray(keyfile.build(FILE))
    data[place] ^= flip
    try:
        same = keyfile.parse(bytes(data))
    except (Damaged, NewerFormat):
        return
    assert same == keyfile.parse(keyfile.build(FILE)), "white space alone"


@given(st.integers(0, len(keyfile.build(FILE)) - 3))
def test_a_file_that_was_cut(length: int) -> None:
    with pytest.raises(Damaged):
        keyfile.parse(keyfile.build(FILE)[:length])


def test_a_newer_file_is_said() -> None:
    with pytest.raises(NewerFormat):
        keyfile.parse(b'{"format": 2, "kind": "of the future"}')


@pytest.mark.parametrize(
    "changes",
    (
        {"kind": "tapekit diary"}, {"role": "site"}, {"role": "king"}, {"name": "a\nb"}, {"name": ""}, {"created": ""},
        {"log2_n": 14}, {"log2_n": 21}, {"log2_n": 1 << 40}, {"r": 9}, {"p": 2}, {"format": 0},
    ),
    ids=str,
)  # fmt: skip
def test_what_no_file_says(changes: dict[str, object]) -> None:
    with pytest.raises(Damaged):
        keyfile.parse(changed(**changes))
