"""On which line each key of a TOML document stands; tomllib does not say.

The document has been parsed before, so that it is well-formed: the scanner knows just enough of TOML to find the keys
(headers of tables, dotted and quoted keys, arrays of tables, inline tables and arrays over several lines).
"""

import re
import tomllib
from collections.abc import Iterator

Path = tuple[str | int, ...]
"""Keys and indices, from the top."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_STRING = re.compile(
    r"""
      "{3} (?: \\. | [^\\] )*? "{3,5} | '{3} .*? '{3,5}   # over several lines
    | " (?: \\. | [^"\\\n] )* "       | ' [^'\n]* '      # on one
    """,
    re.DOTALL | re.VERBOSE,
)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}#\n]+")


def lines(text: str) -> dict[Path, int]:
    """The line of each key, table and item of an array, counted from 1; of a table that is opened often, the first."""
    return _Scanner(text).scan()


def line_of(found: dict[Path, int], path: Path) -> int | None:
    """The line of a key, or of the nearest thing around it that has one."""
    return next((found[path[:end]] for end in range(len(path), 0, -1) if path[:end] in found), None)


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line, self._counted_to = 1, 0
        self._found: dict[Path, int] = {}
        self._items: dict[Path, int] = {}
        """How many items each array of tables has so far."""

    def scan(self) -> dict[Path, int]:
        table: Path = ()
        while self._skip_blank():
            if self._text.startswith("[", self._at):
                table = self._header()
            else:
                self._key_and_value(table)
        return self._found

    def _header(self) -> Path:
        line = self._current_line()
        is_array = self._text.startswith("[[", self._at)
        self._at += 1 + is_array
        *parents, last = self._key()
        self._at += 1 + is_array
        path: Path = ()
        for key in parents:
            path = self._inside((*path, key))
            self._found.setdefault(path, line)
        path = (*path, last)
        self._found.setdefault(path, line)
        if is_array:
            self._items[path] = self._items.get(path, 0) + 1
            path = self._inside(path)
            self._found[path] = line
        return path

    def _inside(self, path: Path) -> Path:
        """The table that a header's name leads into: of an array of tables the last one."""
        return (*path, self._items[path] - 1) if path in self._items else path

    def _key_and_value(self, table: Path) -> None:
        line = self._current_line()
        path = table
        for key in self._key():
            path = (*path, key)
            self._found.setdefault(path, line)
        self._skip_blank()
        self._at += 1  # =
        self._value(path)

    def _key(self) -> list[str]:
        """The parts of a dotted key."""
        parts = []
        while True:
            self._skip_blank()
            if match := _STRING.match(self._text, self._at):
                part = tomllib.loads(f"k = {match[0]}")["k"]
            else:
                match = _BARE_KEY.match(self._text, self._at)
                if not match:
                    raise ValueError(f"line {self._current_line()}: expected a key")
                part = match[0]
            parts.append(part)
            self._at = match.end()
            self._skip_blank()
            if not self._text.startswith(".", self._at):
                return parts
            self._at += 1

    def _value(self, path: Path) -> None:
        self._skip_blank()
        opening = self._text[self._at]
        if opening == "[":
            for number, _ in enumerate(self._items_until("]")):
                self._found[*path, number] = self._current_line()
                self._value((*path, number))
        elif opening == "{":
            for _ in self._items_until("}"):
                self._key_and_value(path)
        else:
            match = _STRING.match(self._text, self._at) or _SCALAR.match(self._text, self._at)
            if not match:
                raise ValueError(f"line {self._current_line()}: expected a value")
            self._at = match.end()

    def _items_until(self, closing: str) -> Iterator[None]:
        """Stop at the beginning of each item; whoever asks reads it."""
        self._at += 1
        while self._skip_blank() and not self._text.startswith(closing, self._at):
            yield
            self._skip_blank()
            if self._text.startswith(",", self._at):
                self._at += 1
        self._at += 1

    def _skip_blank(self) -> bool:
        """Go on behind white space and comments; whether anything is left."""
        match = _BLANK.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return self._at < len(self._text)

    def _current_line(self) -> int:
        self._line += self._text.count("\n", self._counted_to, self._at)
        self._counted_to = self._at
        return self._line
