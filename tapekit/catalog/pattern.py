"""What `tapekit find` is given, as the databases and Python understand it."""

import fnmatch
import os
import re

_WILDCARDS = "*?["
_SHORTEST = 3
"""Letters in a row that the index needs."""


class NamePattern:
    """A part of a name, or a shell pattern for the whole of it.

    With a slash, what stands before the last one is a pattern for the end of the directory, or for all of it where it
    begins with a slash; `*` matches across slashes there.
    """

    def __init__(self, pattern: str, *, ignore_case: bool) -> None:
        """Take it apart."""
        slash = pattern.rfind("/") + 1
        directory, name = pattern[:slash], pattern[slash:]
        if not name:
            name = "*"
        elif not any(letter in pattern for letter in _WILDCARDS):
            name = f"*{name}*"
        flags = re.IGNORECASE if ignore_case else re.NOFLAG
        self._name = re.compile(fnmatch.translate(name), flags)
        self._directory: re.Pattern[str] | None = None
        anchored = directory.startswith("/")
        if directory:
            below = fnmatch.translate(directory.lstrip("/"))
            self._directory = re.compile(below if anchored else f"(?:.*/)?{below}", flags | re.DOTALL)
        self.like = _like(name)
        """For LIKE: finds all that match and more, whatever the case."""
        self.directory_like = _like(("" if anchored else "*") + directory.lstrip("/")) if directory else "%"
        self.trigrams = _trigrams(name)
        """Every three letters in a row that a name must have."""

    def match(self, directory: bytes, name: bytes) -> bool:
        """Whether it matches a member."""
        if self._directory is not None and not self._directory.match(os.fsdecode(directory)):
            return False
        return self._name.match(os.fsdecode(name)) is not None


def _pieces(pattern: str) -> list[str]:
    """The letters that a pattern says for sure; an empty piece stands for anything."""
    pieces, at = [], 0
    while at < len(pattern):
        letter = pattern[at]
        end = pattern.find("]", at + 2) if letter == "[" else -1
        is_sure = letter not in "*?" and end < 0 and letter.isprintable()
        pieces.append(letter if is_sure else "")
        at = max(at, end) + 1
    return pieces


def _like(pattern: str) -> str:
    """Neither case nor anything that a database may see otherwise is said for sure: `%` and `_` match it."""
    parts = []
    for letter in _pieces(pattern):
        if not letter or not letter.isascii() or letter == "\\":
            parts.append("%")
        else:
            parts.append("_" if letter in "%_" else letter)
    return re.sub("%+", "%", "".join(parts))


def _trigrams(pattern: str) -> list[str]:
    found: dict[str, None] = {}
    run = ""
    for letter in _pieces(pattern):
        run = run + letter if letter else ""
        if len(run) >= _SHORTEST:
            found[run[-_SHORTEST:]] = None
    return list(found)
