from datetime import date

import pytest

from tapekit.rotation.words import Span, Words, date_words, joined, spans_words
from tests.rotation.made import night

TODAY = night("03-16")


@pytest.mark.parametrize(
    ("spans", "english", "french"),
    (
        ((), "", ""),
        (((night("03-01"), night("03-01")),), "1 March", "du 1er mars"),
        (((night("03-03"), night("03-09")),), "3 to 9 March", "du 3 au 9 mars"),
        (((night("02-27"), night("03-01")),), "27 February to 1 March", "du 27 février au 1er mars"),
        (((date(2025, 12, 29), night("01-02")),), "29 December 2025 to 2 January", "du 29 décembre 2025 au 2 janvier"),
        (((date(2025, 8, 3), date(2025, 8, 9)),), "3 to 9 August 2025", "du 3 au 9 août 2025"),
        (
            ((night("03-03"), night("03-09")), (night("03-12"), night("03-12")), (night("04-01"), night("04-02"))),
            "3 to 9 March, 12 March and 1 to 2 April",
            "du 3 au 9 mars, du 12 mars et du 1er au 2 avril",
        ),
    ),
)
def test_spans(spans: tuple[Span, ...], english: str, french: str) -> None:
    words = spans_words(spans, TODAY)
    assert (words.of("en"), words.of("fr"), str(words)) == (english, french, english)


def test_dates_and_several_words() -> None:
    assert date_words(night("03-01"), TODAY) == Words("1 March", "1er mars")
    assert date_words(date(2027, 3, 2), TODAY) == Words("2 March 2027", "2 mars 2027")
    assert joined((Words("a", "b"), Words("c", "d"))) == Words("a; c", "b ; d")


def test_french_punctuation_never_begins_a_line() -> None:
    assert Words("a; b: c?", "a ; b : « c » ?").of("fr") == "a\xa0; b\xa0: «\xa0c\xa0»\xa0?"
