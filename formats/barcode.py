"""What a barcode scanner sends: where a scan ends, what stands around its text, and which texts are cartridge labels.

    [STX] [AIM identifier, `]cm`] [prefix] text [check character] tail

The tail is CR, LF, CR LF, ETX or EOT; with scanners that send none, a pause. Time is told by the caller, in seconds of
any clock that only goes forward. Sources: ISO/IEC 15424 (AIM identifiers), ISO/IEC 16388 (Code 39, its check
character), the makers' label specifications for LTO (six characters and the media id, no check character).
"""

import dataclasses
import enum
import re

from formats.errors import Damaged

STX, ETX, EOT, LF, CR = 0x02, 0x03, 0x04, 0x0A, 0x0D
TAILS = frozenset((CR, LF, ETX, EOT))
LONGEST = 128
"""Bytes between two tails; more is no label, and a port with the wrong speed."""
IDLE_S = 0.3
"""A pause that ends a scan, or cuts it off: a character takes 8 ms at 1200 baud, and nobody scans thrice a second."""
CODE_39 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-. $/+%"
"""By value (ISO/IEC 16388)."""

_AIM = re.compile(r"\][A-Za-z][0-9A-Za-z]")
_LTO = re.compile(r"([A-Z0-9]{6})(L[1-9]|LA|PA|M8|L[T-Z])")
_CLEANING = re.compile(r"(CLN[A-Z0-9]{3})(CU|L[1-9]|LA)")
_WORM = {"LT": 3, "LU": 4, "LV": 5, "LW": 6, "LX": 7, "LY": 8, "LZ": 9}
_GENERATION = {"LA": 10, "PA": 10, "M8": 8, **_WORM}


@dataclasses.dataclass(frozen=True)
class Framing:
    """How a scanner is set up."""

    prefix: str = ""
    """What it sends before each text; a scan without it has lost its beginning."""
    has_check: bool = False
    """The last character is Code 39's check character. LTO labels carry none."""
    ends_by_pause: bool = False
    """It sends no tail."""
    idle_s: float = IDLE_S


@dataclasses.dataclass(frozen=True)
class Scan:
    """One scan: its text, or why it is none."""

    text: str
    refused: str = ""
    """Why the text counts for nothing; empty where it counts."""


class Framer:
    """Cuts what comes from a scanner into scans. What lost its beginning or its end is refused whole, never mended."""

    def __init__(self, framing: Framing) -> None:
        """Begin with nothing received."""
        self._framing = framing
        self._received = bytearray()
        self._last_s = 0.0
        self._broken = ""

    def feed(self, data: bytes, now_s: float) -> list[Scan]:
        """Bytes that came at a time; the scans that end in them."""
        scans = self.wait(now_s)
        self._last_s = now_s
        for byte in data:
            if byte in TAILS:
                scans += self._end()
            elif byte == STX:
                if self._received:
                    self._broken = self._broken or "cut off: another scan began in it"
                    scans += self._end()
            elif len(self._received) < LONGEST:
                self._received.append(byte)
            else:
                self._broken = f"longer than {LONGEST} characters: is the speed of the port the scanner's?"
        return scans

    def wait(self, now_s: float) -> list[Scan]:
        """Nothing came until now: a scan without a tail has ended, one that should have a tail is broken."""
        if not self._received or now_s - self._last_s <= self._framing.idle_s:
            return []
        if self._framing.ends_by_pause:
            return self._end()
        self._broken = self._broken or "cut off: a pause in the middle"
        return []

    def close(self) -> list[Scan]:
        """Nothing comes any more."""
        if self._received and not self._framing.ends_by_pause:
            self._broken = self._broken or "cut off: it has no end"
        return self._end()

    def _end(self) -> list[Scan]:
        received, broken = bytes(self._received), self._broken
        self._received.clear()
        self._broken = ""
        if not received:  # the second byte of CR LF, or nothing but a tail
            return []
        return [Scan(_shown(received), broken) if broken else read(received, self._framing)]


def read(received: bytes, framing: Framing) -> Scan:
    """The text between two tails."""
    if not all(0x20 <= byte < 0x7F for byte in received):  # noqa: PLR2004 - printable ASCII
        return Scan(_shown(received), "noise: not all of it are characters")
    text = received.decode("ascii")
    if match := _AIM.match(text):
        text = text[match.end() :]
    if not text.startswith(framing.prefix):
        return Scan(text, f"cut off: it does not begin with {framing.prefix!r}")
    text = text[len(framing.prefix) :]
    if framing.has_check:
        if len(text) < 2 or set(text) - set(CODE_39) or code_39_check(text[:-1]) != text[-1]:  # noqa: PLR2004
            return Scan(text, "its check character is wrong")
        text = text[:-1]
    return Scan(text.strip(), "" if text.strip() else "nothing in it")


def code_39_check(text: str) -> str:
    """Code 39's check character: the sum of the values, modulo 43. Raises ValueError for a letter that it has not."""
    return CODE_39[sum(CODE_39.index(letter) for letter in text) % len(CODE_39)]


class Kind(enum.StrEnum):
    """What a cartridge with an LTO label is."""

    DATA = "data"
    WORM = "WORM"
    CLEANING = "cleaning"


@dataclasses.dataclass(frozen=True)
class LtoLabel:
    """A label of an LTO cartridge. `generation` is None where a cleaning cartridge is for all of them."""

    volume: str
    media: str
    kind: Kind
    generation: int | None

    def __str__(self) -> str:
        return self.volume + self.media


def parse_lto(text: str) -> LtoLabel:
    """An LTO label: six capital letters or digits, and the media id. Raises Damaged, with what is wrong with it."""
    if match := _CLEANING.fullmatch(text):
        return LtoLabel(match[1], match[2], Kind.CLEANING, _generation(match[2]))
    if match := _LTO.fullmatch(text):
        kind = Kind.WORM if match[2] in _WORM else Kind.DATA
        return LtoLabel(match[1], match[2], kind, _generation(match[2]))
    if text != text.upper():
        raise Damaged(f"label {text!r}: small letters: is caps lock on?")
    if len(text) != 8:  # noqa: PLR2004 - six and two
        raise Damaged(f"label {text!r}: {len(text)} characters, expected 6 and the media id")
    if not re.fullmatch("[A-Z0-9]{6}", text[:6]):
        raise Damaged(f"label {text!r}: expected capital letters and digits")
    raise Damaged(f"label {text!r}: there is no media id {text[6:]}")


def _generation(media: str) -> int | None:
    return _GENERATION.get(media) or (int(media[1]) if media[1].isdigit() else None)


def _shown(received: bytes) -> str:
    """Bytes for a message; what is no character is escaped."""
    return received.decode("ascii", "backslashreplace")
