"""Patterns that name members: shell patterns against the whole path, or a directory and all below it."""

import fnmatch
import os
import re
from collections.abc import Sequence


class Patterns:
    """Matches paths; no patterns match everything.

    `*` matches across `/`, as in tar. A pattern without wildcards names a member and all below it; a leading `/` is
    ignored, because stored paths have none.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        """Compile them once."""
        self._patterns = list(patterns)
        self._compiled = [self._compile(pattern) for pattern in patterns]
        self._matched = [False] * len(self._patterns)
        self._literal = {
            os.fsencode(pattern.strip("/")) for pattern in patterns if not any(letter in pattern for letter in "*?[")
        }
        self._found: set[bytes] = set()

    def match(self, path: bytes) -> bool:
        """Whether any pattern names the path."""
        if not self._compiled:
            return True
        text, found = os.fsdecode(path), False
        for number, expression in enumerate(self._compiled):
            if expression.match(text):
                self._matched[number] = found = True
        return found

    def unmatched(self) -> list[str]:
        """The patterns that nothing has matched yet."""
        return [p for p, matched in zip(self._patterns, self._matched, strict=True) if not matched]

    def found(self, path: bytes) -> None:
        """A member of that path, below which there is nothing, was found."""
        if path in self._literal:
            self._found.add(path)

    @property
    def is_settled(self) -> bool:
        """Whether nothing else can match: every pattern names one file, and that was found."""
        return bool(self._patterns) and len(self._found) == len({*self._patterns})

    @staticmethod
    def _compile(pattern: str) -> re.Pattern[str]:
        pattern = pattern.lstrip("/").rstrip("/")
        if not any(letter in pattern for letter in "*?["):
            return re.compile(re.escape(pattern) + r"(?:/.*)?\Z", re.DOTALL)
        expression = fnmatch.translate(pattern)
        return re.compile(expression.removesuffix(r"\Z") + r"(?:/.*)?\Z", re.DOTALL)
