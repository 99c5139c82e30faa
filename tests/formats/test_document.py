"""Documents: JSON read strictly, written canonically (SPEC.md section 3.4)."""

import dataclasses
import math

import pytest

from formats import document
from formats.errors import Damaged, NewerFormat


@dataclasses.dataclass(frozen=True)
class Inner:
    number: int
    note: str | None = None


@dataclasses.dataclass(frozen=True)
class Outer:
    name: str
    inner: Inner
    items: tuple[Inner, ...] = ()
    ids: tuple[str, ...] = ()
    maybe: Inner | None = None


MINIMAL = b'{"inner":{"number":1},"name":"n"}'


def parse(data: bytes) -> Outer:
    return document.parse("outer", Outer, data)


def test_minimal() -> None:
    assert parse(MINIMAL) == Outer("n", Inner(1))


def test_built_is_canonical() -> None:
    value = Outer('ä\n"\\', Inner(-1, "\U0001f4be"), (Inner(2),), ("b", "a"))
    assert document.build(value) == (
        '{"ids":["b","a"],"inner":{"note":"\U0001f4be","number":-1},"items":[{"note":null,"number":2}],'
        '"maybe":null,"name":"ä\\n\\"\\\\"}'
    ).encode()  # fmt: skip
    assert parse(document.build(value)) == value


def test_keys_are_sorted_by_code_point() -> None:
    """Not by UTF-16 code unit, as some do: U+FF5E comes before U+1F4BE."""
    assert (
        document.canonical({"\U0001f4be": 1, "\uff5e": 2, "b": 3, "B": 4})
        == '{"B":4,"b":3,"\uff5e":2,"\U0001f4be":1}'.encode()
    )


@pytest.mark.parametrize("value", (math.nan, math.inf, -math.inf))
def test_no_number_that_json_has_not(value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        document.canonical({"a": value})


def test_unknown_keys_are_ignored_at_every_level() -> None:
    data = b'{"x":[1,{"y":null}],"inner":{"number":1,"x":true},"items":[{"number":2,"x":{}}],"name":"n"}'
    assert parse(data) == Outer("n", Inner(1), (Inner(2),))


def test_memoryview() -> None:
    assert document.parse("outer", Outer, memoryview(MINIMAL)) == parse(MINIMAL)


@pytest.mark.parametrize(
    ("data", "why"),
    (
        (b"", "outer: not a document"),
        (b"nul", "outer: not a document"),
        (b"\xff", "outer: not a document"),
        (MINIMAL + b"x", "outer: not a document"),
        (b"{'name':'n'}", "outer: not a document"),
        (b'{"name":"n",}', "outer: not a document"),
        (b'{"name":"a\nb"}', "outer: not a document"),
        (b"[]", "outer: expected an object, got a list"),
        (b"1", "outer: expected an object, got an integer"),
        (b'"x"', "outer: expected an object, got a string"),
        (b"null", "outer: expected an object, got null"),
        (b"{}", "outer: key 'name' is missing"),
        (b'{"name":"n"}', "outer: key 'inner' is missing"),
        (b'{"name":null,"inner":{"number":1}}', "outer.name: expected a string, got null"),
        (b'{"name":["n"],"inner":{"number":1}}', "outer.name: expected a string, got a list"),
        (b'{"name":"n","inner":{"number":"1"}}', "outer.inner.number: expected an integer, got a string"),
        (b'{"name":"n","inner":{"number":true}}', "outer.inner.number: expected an integer, got a boolean"),
        (b'{"name":"n","inner":{"number":1.0}}', "number 1.0 is not an integer"),
        (b'{"name":"n","inner":{"number":1e0}}', "number 1e0 is not an integer"),
        (b'{"name":"n","inner":{"number":NaN}}', "NaN is not allowed"),
        (b'{"name":"n","inner":{"number":-Infinity}}', "-Infinity is not allowed"),
        (b'{"name":"n","inner":{"number":1},"x":1.5}', "number 1.5 is not an integer"),
        (b'{"name":"n","inner":{"number":1},"items":{}}', "outer.items: expected a list, got an object"),
        (b'{"name":"n","inner":{"number":1},"items":[{}]}', r"outer.items\[0\]: key 'number' is missing"),
        (b'{"name":"n","inner":{"number":1},"ids":["a",1]}', r"outer.ids\[1\]: expected a string, got an integer"),
        (b'{"name":"n","inner":{"number":1},"maybe":1}', "outer.maybe: expected an object, got an integer"),
        (b'{"name":"n","name":"n","inner":{"number":1}}', "key 'name' twice"),
        (b'{"name":"n","inner":{"number":1,"number":1}}', "key 'number' twice"),
        (b'{"name":"n","inner":{"number":1},"x":{"a":1,"a":2}}', "key 'a' twice"),
    ),
)
def test_refused(data: bytes, why: str) -> None:
    with pytest.raises(Damaged, match=why):
        parse(data)


@dataclasses.dataclass(frozen=True)
class Versioned:
    format: int
    new: str


@pytest.mark.parametrize("data", (b'{"format":2}', b'{"format":2,"new":1}', b'{"format":3,"x":[]}'))
def test_newer_format_whatever_else_it_holds(data: bytes) -> None:
    with pytest.raises(NewerFormat, match="reads up to 1"):
        document.parse("versioned", Versioned, data, newest_format=1)


@pytest.mark.parametrize("data", (b'{"format":0,"new":""}', b'{"format":-1,"new":""}', b'{"format":true,"new":""}',
                                  b'{"format":"2","new":""}', b'{"new":""}', b'{"format":null}'))  # fmt: skip
def test_no_format_at_all(data: bytes) -> None:
    with pytest.raises(Damaged):
        document.parse("versioned", Versioned, data, newest_format=1)


@pytest.mark.parametrize("good", ("0" * 32, "0123456789abcdef" * 2))
def test_id(good: str) -> None:
    document.check_id("x", good)
    document.check_digest("x", good * 2)
    for bad in (good[1:], good + "0", good[:-1] + "G", good[:-1] + "A", good[:-1] + "\n", "", "\uff10" * 32):
        with pytest.raises(Damaged, match="x: not an id"):
            document.check_id("x", bad)
        with pytest.raises(Damaged, match="x: not a digest"):
            document.check_digest("x", bad)


def test_time() -> None:
    document.check_time("x", "2026-11-23T21:30:00Z")
    for bad in ("2026-11-23T21:30:00", "2026-11-23 21:30:00Z", "2026-11-23T21:30:00+00:00", "?", "",
                "2026-11-23T21:30:00Z\n", "\uff12\uff10\uff12\uff16-11-23T21:30:00Z", "\x1b[2J"):  # fmt: skip
        with pytest.raises(Damaged, match="x: not a time"):
            document.check_time("x", bad)


def test_count() -> None:
    document.check_count("x", 0, 2**64 - 1)
    for bad in (-1, 2**64, 10**4000):
        with pytest.raises(Damaged, match="x: number out of range"):
            document.check_count("x", 1, bad)
