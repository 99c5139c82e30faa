"""Chains that would come to more than any file has are refused on the way, not when they are held."""

import contextlib
from typing import Any

import pytest

from formats import delta
from formats.delta import ExtentKind
from formats.errors import Damaged
from formats.pax import Member
from tapekit.rescue import rescue
from tapekit.stream.chain import Layer, Piece, Wanted

MEMBER = Member(b"0", b"db", 0o644, 0, 0, b"", b"", 0, 0)
ANYTHING: Any = None
BASE_BYTES = 1000


def test_a_chain_of_too_many_pieces_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of a hundred extents takes all of a base that is cut a thousand times."""
    monkeypatch.setattr(delta, "MOST_PIECES", 50_000)
    top, base = Layer("top", MEMBER), Layer("base", MEMBER)
    for _ in range(100):
        top.add(ExtentKind.BASE, BASE_BYTES, 0)
    for offset in range(BASE_BYTES):
        base.add(ExtentKind.LITERAL, 1, offset)
    with contextlib.closing(Wanted(top.size_bytes)) as wanted:
        assert list(wanted.found(top)) == []
        with pytest.raises(Damaged, match="over 50000 pieces"):
            list(wanted.found(base))


def test_the_kit_refuses_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rescue, "MOST_PIECES", 50_000)
    top, base = rescue.Layer(ANYTHING, ANYTHING), rescue.Layer(ANYTHING, ANYTHING)
    for _ in range(100):
        top.add(rescue.FROM_BASE, BASE_BYTES, 0)
    for offset in range(BASE_BYTES):
        base.add(rescue.LITERAL, 1, offset)
    with contextlib.closing(rescue.Missing(top.size)) as wanted:
        assert list(wanted.found(top)) == []
        with pytest.raises(rescue.Damaged, match="too many pieces"):
            list(wanted.found(base))


def test_a_layer_of_too_many_extents_is_refused() -> None:
    layer = Layer("top", MEMBER, most=10)
    for offset in range(10):
        layer.add(ExtentKind.LITERAL, 1, offset)
    with pytest.raises(Damaged, match="more than any file has"):
        layer.add(ExtentKind.LITERAL, 1, 10)


def test_what_is_found_comes_in_the_order_of_the_stream() -> None:
    layer = Layer("top", MEMBER)
    layer.add(ExtentKind.LITERAL, 5, 300)
    layer.add(ExtentKind.ZEROS, 5, 0)
    layer.add(ExtentKind.LITERAL, 5, 100)
    with contextlib.closing(Wanted(layer.size_bytes)) as wanted:
        assert list(wanted.found(layer)) == [Piece(10, 5, 100), Piece(0, 5, 300)]
        assert wanted.is_found
