"""Parity blocks among the data blocks: the stream is read as if they were not there."""

import pytest

from formats import block
from formats.block import BlockHead, Kind
from tapekit.blocks.read import Expected
from tapekit.stream.read import Hole, PlainStream, StreamLayout
from tests.blocks.list_drive import ListDrive, unreadable

ARCHIVE, CUT, HEADERS = b"\1" * 16, 10, 2
DATA = bytes(range(250)) * 4
KINDS = {
    "none": "d" * 100,
    "every other": "dp" * 100,
    "groups": ("d" * 16 + "p" * 4) * 6 + "d" * 4,
    "many at once": "d" * 3 + "p" * 60 + "d" * 97 + "p" * 20,
    "in front": "p" * 7 + "d" * 100,
}


def made(kinds: str) -> ListDrive:
    blocks: list[bytes | Exception] = []
    place = 0
    for number, letter in enumerate("h" * HEADERS + kinds + "c"):
        payload = DATA[place : place + CUT] if letter == "d" else b"p" * CUT
        kind = {"h": Kind.HEADER, "d": Kind.DATA, "p": Kind.PARITY, "c": Kind.CATALOG}[letter]
        offset = place if letter == "d" else 0
        head = BlockHead(int(kind), 0, len(payload), ARCHIVE, 0, 0, number, offset, len(payload))
        blocks.append(block.seal(block.authenticated(head), payload) + payload)
        place += CUT * (letter == "d")
    return ListDrive(blocks)


def stream_of(drive: ListDrive, *, skips: bool = True) -> PlainStream:
    layout = StreamLayout(0, HEADERS, None, CUT, 0, len(DATA), Expected(ARCHIVE, 0, 0), has_parity=True)
    return PlainStream(drive, layout, skips=skips)


@pytest.mark.parametrize("kinds", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("skips", (True, False))
def test_whole_and_from_every_place(kinds: str, skips: bool) -> None:  # noqa: FBT001 - a parameter
    with stream_of(made(kinds), skips=skips) as stream:
        assert stream.read(len(DATA)) == DATA
        for offset in (*range(0, len(DATA), 37), 5, 995, 0, 500):
            stream.seek(offset)
            assert stream.read(min(5, len(DATA) - offset)) == DATA[offset : offset + 5]


@pytest.mark.parametrize("kinds", KINDS.values(), ids=KINDS)
def test_a_damaged_block_is_a_hole_of_its_own_size(kinds: str) -> None:
    for number in (*range(0, len(kinds), 11), len(kinds) - 1):
        letter = kinds[number]
        drive = made(kinds)
        drive.files[0].blocks[HEADERS + number] = unreadable(0, HEADERS + number)
        lost = kinds[:number].count("d") * CUT if letter == "d" else None
        with stream_of(drive) as stream:
            for offset in range(0, len(DATA), CUT):
                stream.seek(offset)
                if offset == lost:
                    with pytest.raises(Hole) as caught:
                        stream.read(CUT)
                    assert caught.value.end == offset + CUT
                else:
                    assert stream.read(CUT) == DATA[offset : offset + CUT]
