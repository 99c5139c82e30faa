import string
from datetime import date

import pytest

from tapekit.errors import CartridgeError
from tapekit.model import Rung
from tapekit.report.night import Nights, Note, Outcome, SourceSize, Step, Verdict
from tapekit.report.notes import NOTES, note, of_error, of_size, placeholders, worded
from tapekit.report.words import WORDS, Language, Words, printable

ENGLISH, FRENCH = Words("en"), Words("fr")
ALIKE = {
    "line.clean", "mark.clean", "archive", "speed", "next.value", "nights.job", "letter.3", "letter.4",
    "letter.5", "letter.failed", "letter.missed", "letter.closed",
}  # fmt: skip
"""What both languages write the same way."""


def names(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def test_both_languages_are_complete() -> None:
    for key, (english, french) in WORDS.items():
        assert english, key
        assert french, key
        assert names(english) == names(french), key
        assert (english == french) == (key in ALIKE), key


def test_every_note_is_worded_in_both_languages() -> None:
    for kind, wording in NOTES.items():
        for english, french in wording:
            assert bool(english) == bool(french), kind
            assert names(english) == names(french), kind
            assert english != french or not english or kind == "other", kind
        assert wording.what[0], kind
        assert wording.to_do[0], kind


def test_every_value_has_words() -> None:
    for words in (ENGLISH, FRENCH):
        assert all(words.outcome(outcome) for outcome in Outcome)
        assert all(words.rung(rung) for rung in Rung)
        assert all(words.step(step) for step in Step)
        assert all(words.verdict(verdict) for verdict in Verdict)
        assert all(words(f"mark.{outcome}") for outcome in Outcome)
        assert all(words(f"letter.{rung.value}") for rung in Rung)
    assert len(Language) == len(WORDS["saved"])


def test_letters_tell_rungs_apart() -> None:
    letters = [key for key in WORDS if key.startswith("letter.")]
    for words in (ENGLISH, FRENCH):
        assert len({words(key) for key in letters}) == len(letters)


def test_a_note_is_checked_where_it_is_made() -> None:
    with pytest.raises(KeyError):
        note("no-such-kind")
    with pytest.raises(KeyError, match="wrong-cartridge: found"):
        note("wrong-cartridge", due="TUE-1")
    for kind, wording in NOTES.items():
        said = worded(note(kind, "detail", **{name: f"<{name}>" for name in placeholders(wording)}), FRENCH)
        assert said.what
        assert said.to_do
        assert "detail" in said.why


@pytest.mark.parametrize(
    ("verdict", "english"),
    (
        (Verdict.NEW, None),
        (Verdict.STEADY, None),
        (Verdict.EMPTY, ("sales is empty", "its usual size is 2.0 GB")),
        (Verdict.DROP, ("sales is much smaller than usual", "1.5 kB instead of 2.0 GB")),
        (Verdict.JUMP, ("sales is much larger than usual", "1.5 kB instead of 2.0 GB")),
    ),
)
def test_a_size_that_is_odd_is_told(verdict: Verdict, english: tuple[str, str] | None) -> None:
    found = of_size(SourceSize("sales", 1500, 2 * 10**9, None, verdict))
    said = found and worded(found, ENGLISH)
    assert (said and tuple(part.replace("\xa0", " ") for part in said[:2])) == english
    if found:
        assert "2,0\xa0Go" in worded(found, FRENCH).why


def test_a_note_of_another_version_is_still_told() -> None:
    assert worded(Note("new-kind", {}, "why"), ENGLISH) == ("new-kind", "why", "")
    assert worded(Note("wrong-cartridge", {"due": "A"}), ENGLISH).what == "? was in; A was due"


def test_an_error_is_told_as_it_came() -> None:
    said = worded(of_error(CartridgeError("drive: no {cartridge}: why", "put one in")), FRENCH)
    assert said == ("drive: no {cartridge}: why", "", "put one in")


@pytest.mark.parametrize(
    ("size_bytes", "english", "french"),
    (
        (0, "0 B", "0 o"),
        (999, "999 B", "999 o"),
        (1500, "1.5 kB", "1,5 ko"),
        (-1500, "-1.5 kB", "-1,5 ko"),
        (38 * 10**9, "38.0 GB", "38,0 Go"),
        (12345 * 10**15, "12,345.0 PB", "12 345,0 Po"),
    ),
)
def test_sizes(size_bytes: int, english: str, french: str) -> None:
    assert ENGLISH.size(size_bytes).replace("\xa0", " ") == english
    assert FRENCH.size(size_bytes).replace("\xa0", " ") == french


@pytest.mark.parametrize(
    ("seconds", "text"), ((0.2, "0 s"), (59, "59 s"), (75, "1 min"), (47 * 60, "47 min"), (11100, "3 h 05 min"))
)
def test_durations(seconds: float, text: str) -> None:
    assert ENGLISH.duration(seconds).replace("\xa0", " ") == text


def test_dates() -> None:
    assert ENGLISH.date(date(2026, 11, 1), with_weekday=True) == "Sunday 1 November 2026"
    assert FRENCH.date(date(2026, 11, 1), with_weekday=True) == "dimanche 1er novembre 2026"


def test_ranges_of_nights() -> None:
    ranges = (
        Nights("a", date(2026, 3, 3), date(2026, 3, 9)),
        Nights("a", date(2026, 3, 12), date(2026, 4, 1)),
        Nights("b", date(2025, 12, 30), date(2026, 1, 2)),
        Nights("b", date(2026, 2, 1), date(2026, 2, 1)),
    )
    assert ENGLISH.nights(ranges) == (
        "3 to 9 March 2026 and 12 March to 1 April 2026 (a) and "
        "30 December 2025 to 2 January 2026 and 1 February 2026 (b)"
    )
    assert FRENCH.nights(ranges[:1]) == "les nuits du 3 au 9 mars 2026 (a)"


def test_forecasts() -> None:
    assert "no longer" in ENGLISH.forecast(0)
    assert "in 12 nights" in ENGLISH.forecast(12)
    assert "400 more" in ENGLISH.forecast(400)
    assert "not grow" in ENGLISH.forecast(None)
    assert "not enough" in ENGLISH.forecast(None, is_known=False)


@pytest.mark.parametrize("text", ("a\nb", "\x1b[2J", "\u202eabc", "\udce9", "\u2028", "\x9b1m", "\x00"))
def test_nothing_moves_a_cursor(text: str) -> None:
    assert printable(text).isprintable()


def test_names_stay_as_they_are() -> None:
    assert printable("Pharmacie été 日本 <b>&") == "Pharmacie été 日本 <b>&"
