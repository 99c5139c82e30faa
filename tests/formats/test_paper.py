"""Paper keys: what a person mistypes is caught, and where it is is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats import paper
from formats.errors import Damaged, NewerFormat
from formats.paper import WORDS, PaperKey, WrongWords
from formats.publickey import ROLES

KEY = PaperKey("owner", bytes(range(32)))
KNOWN_WORDS = (
    "bahab babad bamag bibaj bimal boban bomar bubat bumaz dabid damig dibij dimil dobin domir dubit dumiz "
    "bobaf tatum zamut kobul"  # the checks
)
secrets = st.binary(min_size=32, max_size=32)
places = st.integers(0, WORDS - 1)
words = st.integers(0, 0xFFFF).map(paper._word)


@given(st.sampled_from(ROLES), secrets)
def test_round_trip(role: str, secret: bytes) -> None:
    found = paper.build(PaperKey(role, secret))
    assert len(found) == WORDS
    assert all(map(paper.is_word, found))
    assert paper.parse([word.upper() for word in found]) == PaperKey(role, secret)


def test_known_answer() -> None:
    """Words are proquints: 127.0.0.1 is lusab-babad, as its author has it. The whole code is fixed for ever."""
    assert [paper._word(0x7F00), paper._word(0x0001)] == ["lusab", "babad"]
    assert " ".join(paper.build(KEY)) == KNOWN_WORDS


@given(secrets, places, words)
def test_one_wrong_word_is_located_and_what_it_should_be_is_known(secret: bytes, place: int, wrong: str) -> None:
    typed = paper.build(PaperKey("owner", secret))
    right, typed[place] = typed[place], wrong
    if right == wrong:
        return
    with pytest.raises(WrongWords) as caught:
        paper.parse(typed)
    assert [(it.place, it.word, it.expected) for it in caught.value.words] == [(place, wrong, right)]


@given(secrets, places, places, words, words)
def test_two_wrong_words_are_located(secret: bytes, one: int, two: int, first: str, second: str) -> None:
    right = paper.build(PaperKey("recovery", secret))
    typed = list(right)
    typed[one], typed[two] = first, second
    wrong = [place for place in range(WORDS) if typed[place] != right[place]]
    if not wrong:
        return
    with pytest.raises(WrongWords) as caught:
        paper.parse(typed)
    assert [it.place for it in caught.value.words] == wrong
    assert [it.expected for it in caught.value.words] == [right[place] for place in wrong]


@given(secrets, st.lists(words, min_size=3, max_size=WORDS))
def test_more_are_refused(secret: bytes, wrong: list[str]) -> None:
    right = paper.build(PaperKey("owner", secret))
    typed = [*wrong, *right[len(wrong) :]]
    if sum(a != b for a, b in zip(typed, right, strict=True)) > 2:
        with pytest.raises(WrongWords):
            paper.parse(typed)


def test_words_that_changed_places_are_located() -> None:
    typed = paper.build(KEY)
    typed[4], typed[5] = typed[5], typed[4]
    with pytest.raises(WrongWords, match=r"word 2 of line 2 .*, word 3 of line 2 "):
        paper.parse(typed)


@pytest.mark.parametrize("wrong", ("babe", "bebab", "babab1", "b4bab", "", "babàb", "aaaaa"))
def test_what_no_word_can_be(wrong: str) -> None:
    typed = paper.build(KEY)
    typed[7] = wrong
    with pytest.raises(WrongWords) as caught:
        paper.parse(typed)
    assert [(it.line, it.place_in_line, it.expected) for it in caught.value.words] == [(3, 2, None)]


def test_too_few_words() -> None:
    with pytest.raises(Damaged, match="20 words, expected 21"):
        paper.parse(paper.build(KEY)[:-1])


@pytest.mark.parametrize(("head", "error"), ((0x0200, NewerFormat), (0x0000, Damaged), (0x0103, Damaged)))
def test_other_versions_and_roles(head: int, error: type[Exception]) -> None:
    numbers = [head, *[7] * 16]
    with pytest.raises(error):
        paper.parse([paper._word(number) for number in [*numbers, *paper._checks(numbers)]])
