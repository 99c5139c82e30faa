"""A paper key typed back: each mistake is named, and only its line is asked for again."""

import pytest

from formats import paper
from formats.paper import PaperKey
from tapekit.errors import KeyRefused
from tapekit.keys import hand
from tapekit.report.paperkey import qr_text
from tests.keys.people import Answers

KEY = PaperKey("recovery", bytes(range(32)))
WORDS = paper.build(KEY)
LINES = [" ".join(WORDS[at : at + 3]) for at in range(0, 21, 3)]


def typed(*lines: str) -> Answers:
    person = Answers(lines=lines)
    found = hand.take("paper", "prompt", person.person)
    assert (found.role, bytes(found.secret.content)) == (KEY.role, KEY.secret)
    return person


def test_as_it_stands() -> None:
    person = typed(*LINES)
    assert (person.asked, person.told) == ([1, 2, 3, 4, 5, 6, 7], [])


def test_in_capitals_and_with_space() -> None:
    typed(*(f"  {line.upper().replace(' ', '   ')} " for line in LINES))


def test_what_the_camera_read() -> None:
    assert typed(qr_text(KEY)).asked == [1]


def test_a_word_that_could_be_one() -> None:
    right = WORDS[7]
    wrong = LINES[2].replace(right, "vuvuz")
    person = typed(*LINES[:2], wrong, *LINES[3:], LINES[2])
    assert person.told == [f"line 3: word 2 (vuvuz) is wrong: look whether the sheet says {right}"]
    assert person.asked == [1, 2, 3, 4, 5, 6, 7, 3], "the other lines are not typed again"


def test_a_word_that_is_none_is_said_at_once() -> None:
    person = typed(LINES[0].replace(WORDS[0], "table"), LINES[0], *LINES[1:])
    assert person.asked == [1, 1, 2, 3, 4, 5, 6, 7]
    assert person.told == ["line 1: word 1 (table) cannot be right: five letters such as babad, never an e"]


def test_a_word_too_few() -> None:
    person = typed(*LINES[:3], "babab", *LINES[3:])
    assert person.told == ["line 4: 1 words, expected 3"]


def test_two_lines_in_another_order() -> None:
    """Six words are wrong then: too many to say which."""
    person = typed(LINES[1], LINES[0], *LINES[2:], *LINES)
    assert person.told == ["more than two words are wrong: type all lines again"]


def test_another_sheet() -> None:
    with pytest.raises(KeyRefused, match="still wrong"):
        typed(*(["lusab babad vuvuz"] * 7 * 30))
