"""Structures of fixed fields are read and written by one struct format: as construct does it, bit by bit."""

import dataclasses
from typing import Any

import pytest

from formats import block, recordlog
from formats.errors import Damaged, TooLarge
from formats.layout import Layout

HEAD = block.BlockHead(
    kind=3, flags=2, payload_bytes=70_000, archive=bytes(range(16)), segment=1, parity_group=7, sequence=1 << 40,
    stream_offset=1 << 50, plain_bytes=65_536, parity_offset=9,
)  # fmt: skip
RECORD = recordlog.RecordHeader(
    kind=1, number=9, position=1 << 40, epoch=2, file=3, block=4, length=5, log_id=bytes(range(16))
)
LAYOUTS: tuple[tuple[Layout[Any], Any], ...] = (
    (block._HEAD, HEAD),
    (block._HEADER, block.BlockHeader(**vars(HEAD), digest=bytes(range(32)))),
    (recordlog._RECORD, RECORD),
)


def slow(layout: Layout[Any]) -> Layout[Any]:
    """The same by construct alone."""
    other: Layout[Any] = Layout(layout.name, layout.value_type, layout.struct)
    other._fixed = None
    return other


@pytest.mark.parametrize(("layout", "value"), LAYOUTS)
def test_every_bit_is_read_as_construct_reads_it(layout: Layout[Any], value: object) -> None:
    assert layout._fixed is not None
    if layout is block._HEADER:  # which nobody builds: its checksum comes behind
        data = block.seal(block.authenticated(HEAD), b"")
    else:
        data = layout.build(value)
        assert data == slow(layout).build(value)
        assert layout.parse(data) == value
    for bit in range(8 * len(data)):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        assert outcome(layout, bytes(changed)) == outcome(slow(layout), bytes(changed))
    for size in range(len(data)):
        assert outcome(layout, data[:size]) == outcome(slow(layout), data[:size])
    assert layout.parse(memoryview(data + b"more")) == slow(layout).parse(data)


@pytest.mark.parametrize("change", ({"segment": 1 << 32}, {"sequence": -1}, {"archive": b"short"}, {"kind": None}))
def test_what_does_not_fit_is_too_large_either_way(change: dict[str, Any]) -> None:
    value = dataclasses.replace(HEAD, **change)
    for layout in (block._HEAD, slow(block._HEAD)):
        with pytest.raises(TooLarge, match="block header: a value does not fit"):
            layout.build(value)


def outcome(layout: Layout[Any], data: bytes) -> object:
    """The value, or why there is none."""
    try:
        return layout.parse(data)
    except Damaged as error:
        return str(error)
