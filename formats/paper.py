"""A private key as words on paper (SPEC.md section 18.2).

21 words of 16 bits: one for version and role, 16 for the secret, 4 that check: a Reed–Solomon code over GF(2¹⁶), which
finds where up to two words are wrong and what they should be. Each word is five letters, consonant and vowel in turn
(a proquint: D. S. Wilkerson, "A Proposal for Proquints", arXiv:0901.4016): of no language,
without accents, with no list to keep.
"""

import dataclasses
import itertools
from collections.abc import Sequence

from formats.errors import Damaged, NewerFormat
from formats.publickey import ROLES

SECRET_BYTES = 32
CHECK_WORDS = 4
WORDS = 1 + SECRET_BYTES // 2 + CHECK_WORDS
WORDS_PER_LINE = 3
LINES = WORDS // WORDS_PER_LINE
PAPER_VERSION = 1

_CONSONANTS, _VOWELS = "bdfghjklmnprstvz", "aiou"
_POLYNOMIAL = 0x1100B
"""x¹⁶ + x¹² + x³ + x + 1: primitive, so 2 generates the field."""


@dataclasses.dataclass(frozen=True)
class PaperKey:
    """What the words say."""

    role: str
    secret: bytes


@dataclasses.dataclass(frozen=True)
class WrongWord:
    """A word that cannot be right: its place from 0, and what the check words say it should be (None: not known)."""

    place: int
    word: str
    expected: str | None = None

    @property
    def line(self) -> int:
        """Number of its line on the paper, from 1."""
        return self.place // WORDS_PER_LINE + 1

    @property
    def place_in_line(self) -> int:
        """From 1."""
        return self.place % WORDS_PER_LINE + 1


class WrongWords(Damaged):
    """Words are wrong; `words` says which, and is empty where there are too many to tell."""

    def __init__(self, words: Sequence[WrongWord]) -> None:
        """Word it."""
        self.words = tuple(words)
        told = ", ".join(f"word {w.place_in_line} of line {w.line} ({w.word})" for w in words)
        super().__init__(f"paper key: wrong: {told}" if told else "paper key: more than two words are wrong")


def build(key: PaperKey) -> list[str]:
    """The words."""
    head = PAPER_VERSION << 8 | ROLES.index(key.role)
    numbers = [head, *(int.from_bytes(key.secret[at : at + 2], "big") for at in range(0, SECRET_BYTES, 2))]
    return [_word(number) for number in [*numbers, *_checks(numbers)]]


def parse(words: Sequence[str]) -> PaperKey:
    """What the words say; capital letters count as small ones. Raises WrongWords, Damaged and NewerFormat."""
    words = [word.lower() for word in words]
    if len(words) != WORDS:
        raise Damaged(f"paper key: {len(words)} words, expected {WORDS}")
    impossible = [WrongWord(place, word) for place, word in enumerate(words) if not is_word(word)]
    if impossible:
        raise WrongWords(impossible)
    numbers = [_number(word) for word in words]
    syndromes = _syndromes(numbers)
    if any(syndromes):
        wrong = _locate(syndromes)
        raise WrongWords([WrongWord(at, words[at], _word(numbers[at] ^ error)) for at, error in wrong])
    version, role = numbers[0] >> 8, numbers[0] & 0xFF
    if version > PAPER_VERSION:
        raise NewerFormat(f"paper key: of version {version}, this program reads up to {PAPER_VERSION}")
    if version != PAPER_VERSION or role >= len(ROLES):
        raise Damaged("paper key: neither version nor role is known")
    secret = b"".join(number.to_bytes(2, "big") for number in numbers[1 : 1 + SECRET_BYTES // 2])
    return PaperKey(ROLES[role], secret)


def is_word(word: str) -> bool:
    """Whether it is five letters of the kinds that a word has."""
    return len(word) == 5 and all(  # noqa: PLR2004
        letter in (_VOWELS if place % 2 else _CONSONANTS) for place, letter in enumerate(word)
    )


def _word(number: int) -> str:
    shifts = ((12, _CONSONANTS), (10, _VOWELS), (6, _CONSONANTS), (4, _VOWELS), (0, _CONSONANTS))
    return "".join(letters[number >> shift & len(letters) - 1] for shift, letters in shifts)


def _number(word: str) -> int:
    number = 0
    for place, letter in enumerate(word):
        letters = _VOWELS if place % 2 else _CONSONANTS
        number = number * len(letters) + letters.index(letter)
    return number


# --- Reed–Solomon: the words are coefficients of a polynomial, the first the highest, that 2¹ … 2⁴ are roots of ----


def _times(left: int, right: int) -> int:
    product = 0
    while right:
        if right & 1:
            product ^= left
        left <<= 1
        if left >> 16:
            left ^= _POLYNOMIAL
        right >>= 1
    return product


def _power(base: int, exponent: int) -> int:
    result = 1
    for _ in range(exponent):
        result = _times(result, base)
    return result


def _divided(left: int, right: int) -> int:
    """Right to the power 2¹⁶ - 2 is its inverse."""
    for _ in range(15):
        right = _times(right, right)
        left = _times(left, right)
    return left


def _checks(numbers: Sequence[int]) -> list[int]:
    """The remainder, divided by (x - 2¹) … (x - 2⁴)."""
    generator = [1]
    for exponent in range(1, CHECK_WORDS + 1):
        root = _power(2, exponent)
        generator = [a ^ _times(b, root) for a, b in zip([*generator, 0], [0, *generator], strict=True)]
    rest = [*numbers, *[0] * CHECK_WORDS]
    for at in range(len(numbers)):
        for place, coefficient in enumerate(generator[1:], at + 1):
            rest[place] ^= _times(rest[at], coefficient)
    return rest[len(numbers) :]


def _syndromes(numbers: Sequence[int]) -> list[int]:
    """The polynomial's values at the roots: all 0 where nothing is wrong."""
    found = []
    for exponent in range(1, CHECK_WORDS + 1):
        root, value = _power(2, exponent), 0
        for number in numbers:
            value = _times(value, root) ^ number
        found.append(value)
    return found


def _locate(syndromes: Sequence[int]) -> list[tuple[int, int]]:
    """Places and errors that explain the syndromes: of one word, or else of two; empty where neither does."""
    one, two, three, four = syndromes
    powers = [_power(2, WORDS - 1 - place) for place in range(WORDS)]
    for place, x in enumerate(powers):
        error = _divided(one, x)
        if [_times(_times(error, x), _power(x, n)) for n in (1, 2, 3)] == [two, three, four]:
            return [(place, error)]
    for (first, x), (second, y) in itertools.combinations(enumerate(powers), 2):
        # one = ex + fy, two = exx + fyy
        f = _divided(_times(one, x) ^ two, _times(y, x ^ y))
        e = _divided(one ^ _times(f, y), x)
        if all(_times(e, _power(x, n)) ^ _times(f, _power(y, n)) == wanted for n, wanted in ((3, three), (4, four))):
            return [(first, e), (second, f)]
    return []
