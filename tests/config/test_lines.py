"""Every key has its line, however TOML lets it be written."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapekit.config.lines import line_of, lines
from tapekit.config.show import to_toml


@pytest.mark.parametrize(
    ("text", "path", "line"),
    (
        ("a = 1\nb = 2", ("b",), 2),
        ("# a = 1\n\n[t] # x = [\na = 1", ("t", "a"), 4),
        ("[a.b.c]\nd = 1", ("a", "b", "c", "d"), 2),
        ("[a.b.c]\nd = 1", ("a", "b"), 1),
        ("\na.b . c = 1", ("a", "b", "c"), 2),
        ("x = 1\n\"a.b\".'c d' = 1", ("a.b", "c d"), 2),
        ('"\\u00e9" = 1', ("é",), 1),
        ('[ "a b" . c ]\nd = 1', ("a b", "c", "d"), 2),
        ("[[t]]\na = 1\n[[t]]\na = 2", ("t", 1, "a"), 4),
        ("[[t]]\n[t.u]\na = 1\n[[t]]\n[t.u]\na = 2", ("t", 1, "u", "a"), 6),
        ("[[t]]\n[[t.u]]\n[[t.u]]\na = 1\n[[t]]\n[[t.u]]\na = 2", ("t", 1, "u", 0, "a"), 7),
        ("t = { a = 1, b = { c = 2 } }", ("t", "b", "c"), 1),
        ("t = [\n  { a = 1 }, # one\n  { a = 2 },\n]\nz = 1", ("t", 1, "a"), 3),
        ("t = [\n  [1, 2],\n  [\n3 ] ]\nz = 1", ("z",), 5),
        ('a = """\nb = 1\n"""""\nb = 2', ("b",), 4),
        ("a = '''\nb = '' 1\n'''\nb = 2", ("b",), 4),
        ('a = "\\"\\\\"\nb = \'\\\'\nc = ""\nd = 1', ("d",), 4),
        ("a = 2026-12-25 21:30:00 # x\nb = 1", ("b",), 2),
        ("a = [ 1, # ]\n ]\nb = 1", ("b",), 3),
    ),
)
def test_a_key_is_on_its_line(text: str, path: tuple[str | int, ...], line: int) -> None:
    tomllib.loads(text)
    assert lines(text)[path] == line


def test_what_is_not_there_is_where_it_would_be() -> None:
    found = lines("x = 1\n[t]\na = 1")
    assert line_of(found, ("t", "b", 3, "c")) == 2
    assert line_of(found, ("u",)) is None


_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=12)
_SCALARS = st.one_of(_TEXT, st.integers(-9, 9), st.booleans())
_VALUES = st.recursive(_SCALARS, lambda inner: st.lists(inner, max_size=3), max_leaves=4)
_TABLES = st.recursive(
    st.dictionaries(_TEXT, _VALUES, max_size=3),
    lambda inner: st.dictionaries(_TEXT, st.one_of(_VALUES, inner, st.lists(inner, max_size=2)), max_size=4),
    max_leaves=8,
)


@given(_TABLES)
def test_every_key_that_toml_finds_has_a_line(table: dict[str, Any]) -> None:
    text = to_toml(table)
    assert tomllib.loads(text) == table
    found = lines(text)
    for path in _paths(table, ()):
        assert 1 <= found[path] <= text.count("\n")
        last = path[-1]
        assert isinstance(last, int) or not last.isalnum() or last in text.split("\n")[found[path] - 1]


def _paths(value: Any, path: tuple[str | int, ...]) -> list[tuple[str | int, ...]]:  # noqa: ANN401
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    here = [path] if path and not (isinstance(value, dict) and not isinstance(path[-1], int)) else []
    return here + [found for key, item in inner for found in _paths(item, (*path, key))]
