"""Reading blocks back: what is damaged, misplaced or cut off is told from what is good, and never mistaken for it."""

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Iterator

import pytest

from drivers.errors import DriveReset, EndOfData
from formats import block
from formats.block import BlockHead, Flags, Kind
from formats.errors import Damaged, NewerFormat
from tapekit.blocks import read
from tapekit.blocks.codec import ZstdCompressor
from tapekit.blocks.read import BadBlock, Expected, FileEnd, GoodBlock, decode, read_blocks, read_document, read_one
from tapekit.errors import KeyNeeded
from tests.blocks.list_drive import ListDrive, unreadable

ARCHIVE = bytes(range(16))
EXPECTED = Expected(ARCHIVE, 2, 10)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


def made(  # noqa: PLR0917 - as many as matter
    sequence: int = 10, payload: bytes = b"payload", kind: int = Kind.DATA, flags: int = 0, offset: int = 0,
    plain_bytes: int | None = None, archive: bytes = ARCHIVE, segment: int = 2,
) -> bytes:  # fmt: skip
    head = BlockHead(
        kind=kind, flags=flags, payload_bytes=len(payload), archive=archive, segment=segment, parity_group=0xFFFFFFFF,
        sequence=sequence, stream_offset=offset, plain_bytes=len(payload) if plain_bytes is None else plain_bytes,
    )  # fmt: skip
    return block.seal(block.authenticated(head), payload) + payload


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes((data[place] ^ 2,)) + data[place + 1 :]


def shown(items: "read.BlockRun | list[GoodBlock | BadBlock | FileEnd]") -> list[str]:
    texts = []
    for item in items:
        if isinstance(item, GoodBlock):
            texts.append(f"{item.number} good {bytes(item.payload).decode()}")
        elif isinstance(item, BadBlock):
            texts.append(f"{item.number} bad {item.why}")
        else:
            texts.append(f"{item.number} end {item.has_filemark}")
    return texts


def test_a_file_with_everything_in_it() -> None:
    good = made(18, b"last")
    newer = made(16).replace(b"TKBLOCK1", b"TKBLOCK2")
    drive = ListDrive(
        [made(10, b"first"), flipped(made(11), 128), unreadable(0, 2), b"", b"garbage " * 40,
         made(14, archive=bytes(16)), newer, made(17, segment=1), good, made(18), good]
    )  # fmt: skip
    with read_blocks(drive, 0, 0, EXPECTED) as items:
        assert shown(items) == [
            "0 good first",
            "1 bad block: digest does not match",
            "2 bad list: block 2 of file 0: unreadable",
            "3 bad block: 0 bytes, shorter than a header of 128",
            "4 bad block: no block magic",
            "5 bad block: belongs to archive 00000000000000000000000000000000, segment 2",
            "6 bad block: format version 2, this program reads version 1",
            f"7 bad block: belongs to archive {ARCHIVE.hex()}, segment 1",
            "8 good last",
            "9 bad block: has sequence 18, expected 19",
            "10 bad block: has sequence 18, expected 20",
            "11 end True",
        ]


def test_from_the_middle_and_without_expectation() -> None:
    drive = ListDrive([made(10)], [made(n, b"%d" % n) for n in (5, 99, 7)])
    with read_blocks(drive, 1, 1, None) as items:
        assert shown(items) == ["1 good 99", "2 good 7", "3 end True"]


def test_an_incomplete_file() -> None:
    drive = ListDrive([made(10)])
    drive.files[0].has_filemark = False
    with read_blocks(drive, 0, 0, EXPECTED) as items:
        assert shown(items) == ["0 good payload", "1 end False"]


def test_a_newer_format_where_nothing_is_known_of_the_place() -> None:
    """A label or header of a later version is not damage: the caller must hear of it."""
    drive = ListDrive([made(10).replace(b"TKBLOCK1", b"TKBLOCK2")])
    with pytest.raises(NewerFormat):
        read_one(drive, 0, None)
    with read_blocks(drive, 0, 0, None) as items, pytest.raises(NewerFormat):
        list(items)


@pytest.mark.parametrize("taken", (0, 1, 5))
def test_closing_early(taken: int) -> None:
    """The drive is free when `close` returns: nothing is read any more."""
    drive = ListDrive([made(10 + n) for n in range(500)])
    run = read_blocks(drive, 0, 0, EXPECTED)
    items = iter(run)
    for number in range(taken):
        item = next(items)
        assert item.number == number
    run.close()
    reads = len(drive.reads)
    waiting = read.READ_AHEAD_BYTES // read.SMALLEST_WAITING_BYTES
    assert reads <= taken + 2 * waiting + 4  # two queues, and one in the hands of each thread
    run.close()
    drive.locate(0, 300)
    assert isinstance(read_one(drive, 300, EXPECTED), GoodBlock)
    assert len(drive.reads) == reads + 1


def test_a_reader_that_fails_frees_the_drive() -> None:
    drive = ListDrive([made(10 + n) for n in range(500)])
    with contextlib.suppress(ZeroDivisionError), read_blocks(drive, 0, 0, EXPECTED) as items:
        next(iter(items))
        raise ZeroDivisionError
    reads = len(drive.reads)
    assert isinstance(read_one(drive, drive.position().block, EXPECTED), GoodBlock)
    assert len(drive.reads) == reads + 1


def test_an_error_of_the_drive_comes_out_in_its_place() -> None:
    reset = DriveReset("list: was reset")
    drive = ListDrive([made(10), made(11), reset, made(13)])
    with read_blocks(drive, 0, 0, EXPECTED) as items:
        found = iter(items)
        assert [next(found).number, next(found).number] == [0, 1]
        with pytest.raises(DriveReset) as caught:
            next(found)
        assert caught.value is reset


def test_no_such_place() -> None:
    with pytest.raises(EndOfData):
        read_blocks(ListDrive([made(10)]), 0, 5, EXPECTED)


def test_a_drive_that_answers_with_nothing_but_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "MOST_BAD_IN_A_ROW", 20)
    bad: list[bytes | Exception] = [unreadable(0, number) for number in range(15)]
    with read_blocks(ListDrive([*bad, made(25), *bad]), 0, 0, EXPECTED) as items:
        assert len(list(items)) == 32
    with (
        read_blocks(ListDrive([*bad, *bad]), 0, 0, EXPECTED) as items,
        pytest.raises(Exception, match="21 blocks in a row cannot be read"),
    ):
        list(items)


# --- decoding -------------------------------------------------------------------------------------------------------


def good(data: bytes) -> GoodBlock:
    return GoodBlock(4, block.parse(data), data)


def test_decode() -> None:
    assert decode(good(made(payload=b"plain"))) == b"plain"
    frame = ZstdCompressor().compress(memoryview(bytes(1000)))
    assert frame is not None
    assert decode(good(made(payload=frame, flags=Flags.COMPRESSED, plain_bytes=1000))) == bytes(1000)


def test_decode_what_needs_a_key() -> None:
    with pytest.raises(KeyNeeded, match="block 4"):
        decode(good(made(flags=Flags.ENCRYPTED)))
    with pytest.raises(Damaged, match="never has"):
        decode(good(made(flags=Flags.ENCRYPTED, kind=Kind.HEADER)))


# --- documents ------------------------------------------------------------------------------------------------------


def document(*parts: bytes, ends: bool = True) -> list[bytes | Exception]:
    offset, blocks = 0, []
    for number, part in enumerate(parts):
        flags = Flags.LAST if ends and number == len(parts) - 1 else Flags.NONE
        blocks.append(made(10 + number, part, Kind.HEADER, flags, offset))
        offset += len(part)
    return list(blocks)


def test_a_document_in_several_blocks() -> None:
    drive = ListDrive([b"x", *document(b"abc", b"de", b"f"), made(13)])
    text, parts = read_document(drive, 0, 1, Kind.HEADER, dataclasses.replace(EXPECTED, sequence_start=9))
    assert (text, [part.number for part in parts]) == (b"abcdef", [1, 2, 3])


def test_a_compressed_trailer_in_two_blocks() -> None:
    """Offsets count the plain bytes of the document, not what is stored."""
    frame = ZstdCompressor().compress(memoryview(b"t" * 2000))
    assert frame is not None
    drive = ListDrive([
        made(10, frame, Kind.TRAILER, Flags.COMPRESSED, 0, 2000),
        made(11, frame, Kind.TRAILER, Flags.COMPRESSED | Flags.LAST, 2000, 2000),
    ])  # fmt: skip
    assert read_document(drive, 0, 0, Kind.TRAILER, EXPECTED)[0] == b"t" * 4000


PARTS = (b"abc", b"de", b"f")


@pytest.mark.parametrize("hit", range(3))
@pytest.mark.parametrize(
    ("instead", "why"),
    (
        (lambda data: flipped(data, 128), "digest does not match"),
        (lambda _data: unreadable(0, 0), "unreadable"),
        (lambda data: flipped(data, 40), "header checksum"),
        (lambda data: made(block.parse(data).sequence, b"x", Kind.DATA), "is no part of it"),
        (lambda data: made(block.parse(data).sequence, b"x", Kind.HEADER, offset=77), "is no part of it"),
        (lambda data: made(99, b"x", Kind.HEADER), "has sequence 99"),
        (
            lambda data: made(block.parse(data).sequence, b"", Kind.HEADER, offset=block.parse(data).stream_offset),
            "empty",
        ),
    ),
)
def test_a_document_with_a_bad_block(hit: int, instead: Callable[[bytes], bytes | Exception], why: str) -> None:
    blocks = document(*PARTS)
    data = blocks[hit]
    assert isinstance(data, bytes)
    blocks[hit] = instead(data)
    with pytest.raises(Damaged, match=why) as caught:
        read_document(ListDrive(blocks), 0, 0, Kind.HEADER, EXPECTED)
    assert str(caught.value).startswith("header of file 0")


def test_a_document_that_never_ends() -> None:
    with pytest.raises(Damaged, match="the file ends"):
        read_document(ListDrive(document(*PARTS, ends=False)), 0, 0, Kind.HEADER, EXPECTED)


def test_a_document_over_16_mib_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "LARGEST_DOCUMENT_BYTES", 5)
    drive = ListDrive(document(*PARTS))
    with pytest.raises(Damaged, match="over 5 bytes"):
        read_document(drive, 0, 0, Kind.HEADER, EXPECTED)
    monkeypatch.setattr(read, "LARGEST_DOCUMENT_BYTES", 6)
    assert read_document(drive, 0, 0, Kind.HEADER, EXPECTED)[0] == b"abcdef"
