"""A paper key typed back by a person, line by line; each mistake is named as soon as it can be."""

from collections.abc import Callable

from formats import paper
from formats.errors import Damaged, NewerFormat
from formats.paper import LINES, WORDS, WORDS_PER_LINE, PaperKey, WrongWord, WrongWords
from tapekit.errors import KeyRefused

MOST_TRIES = 20
"""Then it is not the sheet that it should be, or nobody is typing."""
QR_MAGIC = "tapekit-paper-1"
AskLine = Callable[[int], str]
"""Asks for a line by its number, from 1."""
Tell = Callable[[str], None]


def ask_words(ask: AskLine, tell: Tell) -> PaperKey:
    """The key that a person types; what the QR code holds may be pasted as the first line.

    Raises KeyRefused where it does not become right.
    """
    lines: dict[int, list[str]] = {}
    wanted = list(range(1, LINES + 1))
    for _ in range(MOST_TRIES):
        for number in wanted:
            words = _ask_line(number, ask, tell)
            if len(words) == WORDS:
                lines = {n: words[(n - 1) * WORDS_PER_LINE : n * WORDS_PER_LINE] for n in range(1, LINES + 1)}
                break
            lines[number] = words
        try:
            return paper.parse([word for number in sorted(lines) for word in lines[number]])
        except WrongWords as error:
            for wrong in error.words:
                tell(_told(wrong))
            if not error.words:
                tell("more than two words are wrong: type all lines again")
            wanted = sorted({wrong.line for wrong in error.words}) or list(range(1, LINES + 1))
        except (Damaged, NewerFormat) as error:
            raise KeyRefused(str(error)) from error
    raise KeyRefused("paper key: it is still wrong", "is it the right sheet?")


def _ask_line(number: int, ask: AskLine, tell: Tell) -> list[str]:
    """The words of one line, each of which could be one."""
    for _ in range(MOST_TRIES):
        words = ask(number).lower().split()
        if words and words[0] == QR_MAGIC:
            del words[0]
        if len(words) not in {WORDS_PER_LINE, WORDS}:
            tell(f"line {number}: {len(words)} words, expected {WORDS_PER_LINE}")
        elif wrong := [(place, word) for place, word in enumerate(words, 1) if not paper.is_word(word)]:
            for place, word in wrong:
                tell(f"line {number}: word {place} ({word}) cannot be right: five letters such as babad, never an e")
        else:
            return words
    raise KeyRefused(f"paper key: line {number} is still wrong", "is it the right sheet?")


def _told(wrong: WrongWord) -> str:
    guess = f": look whether the sheet says {wrong.expected}" if wrong.expected else ""
    return f"line {wrong.line}: word {wrong.place_in_line} ({wrong.word}) is wrong{guess}"
