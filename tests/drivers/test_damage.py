"""Damage, one place at a time: everything else is still read, and the bad place is named."""

import dataclasses
import itertools
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from drivers.base import Content, Identity, Mark, Position
from drivers.errors import DeviceFailure, EndOfMedium, MediumError
from drivers.recordlog.drive import RecordLogDrive
from fixtures.storage import MemoryStorage
from formats.gpt import LOG_START
from formats.recordlog import (
    FIRST_RECORD,
    UNIT_BYTES,
    RecordKind,
    build_record_header,
    build_superblock,
    parse_record_header,
    parse_superblock,
    record_bytes,
)

SIZE_BYTES = (6 << 20) + (64 << 10)
FILES = [
    [b"label" * 100],
    [b"kit %d " % number * 1200 for number in range(3)],
    [b"two %d " % number * 900 for number in range(4)],
    [],
    [b"four %d " % number * 200 for number in range(5)],
]
BAD = "bad"
Read = list[list[bytes | str]]


def open_drive(content: bytearray, bad: Iterable[int] = ()) -> RecordLogDrive:
    return RecordLogDrive("memory:", Identity("memory"), MemoryStorage(content, bad=set(bad)))


def made() -> bytes:
    content = bytearray(SIZE_BYTES)
    drive = open_drive(content)
    drive.format({"README.txt": b"a cartridge"})
    for file in FILES:
        for block in file:
            drive.write_block(block)
        drive.write_filemark()
    return bytes(content)


WHOLE = made()


def records() -> list[tuple[int, RecordKind, Position]]:
    """Offset, kind and place of every record."""
    found = []
    position = FIRST_RECORD
    while WHOLE[LOG_START + position] != 0:
        header = parse_record_header(WHOLE[LOG_START + position : LOG_START + position + 64])
        found.append((LOG_START + position, RecordKind(header.kind), Position(header.file, header.block)))
        position += record_bytes(header.length)
    return found


RECORDS = records()
BLOCKS = [(offset, place) for offset, kind, place in RECORDS if kind is RecordKind.BLOCK]
END_OF_RECORDS = RECORDS[-1][0] + UNIT_BYTES
FILEMARKS = [offset for offset, kind, _ in RECORDS if kind is RecordKind.FILEMARK]


def read_all(drive: RecordLogDrive) -> Read:
    """Every file to the end of data; a bad block is BAD, and its error must name it."""
    drive.rewind()
    files: Read = [[]]
    while True:
        at = drive.position()
        try:
            found = drive.read_block()
        except MediumError as error:
            named = (error.file, error.block, f"block {at.block} of file {at.file}" in str(error))
            assert named == (at.file, at.block, True)
            assert drive.position() == Position(at.file, at.block + 1)
            files[-1].append(BAD)
            continue
        if found is Mark.END_OF_DATA:
            return files if files[-1] else files[:-1]
        if isinstance(found, bytes):
            files[-1].append(found)
        else:
            files.append([])


def with_bad(*places: Position) -> Read:
    """FILES, with BAD in some places."""
    return [
        [BAD if Position(number, block) in places else data for block, data in enumerate(file)]
        for number, file in enumerate(FILES)
    ]


def zeroed(*places: tuple[int, int]) -> bytearray:
    content = bytearray(WHOLE)
    for offset, size in places:
        content[offset : offset + size] = bytes(size)
    return content


def flipped(offset: int) -> bytearray:
    content = bytearray(WHOLE)
    content[offset] ^= 0x10
    return content


def takes_a_file(content: bytearray, expected: Read) -> None:
    """Appending is safe: the new file reads back, and all that was read before still does."""
    drive = open_drive(content)
    drive.to_end_of_data()
    if drive.position().block:
        drive.write_filemark()
    file = drive.position().file
    drive.write_block(b"new")
    drive.write_filemark()
    again = open_drive(content)
    after = read_all(again)
    assert after[: len(expected)] == expected
    assert after[file:] == [[b"new"]]
    again.locate(file)
    assert again.read_block() == b"new"


def test_undamaged() -> None:
    assert read_all(open_drive(bytearray(WHOLE))) == FILES
    assert len(BLOCKS) == 13
    assert len(FILEMARKS) == 5


def test_superblocks_are_written_in_turn() -> None:
    generations = [
        parse_superblock(WHOLE[LOG_START + slot * UNIT_BYTES : LOG_START + (slot + 1) * UNIT_BYTES]).generation
        for slot in (0, 1)
    ]
    assert [generation % 2 for generation in generations] == [0, 1]
    assert abs(generations[0] - generations[1]) == 1


@pytest.mark.parametrize("slot", (0, 1))
def test_one_superblock(slot: int) -> None:
    content = zeroed((LOG_START + slot * UNIT_BYTES, UNIT_BYTES))
    assert read_all(open_drive(content)) == FILES
    takes_a_file(content, with_bad())
    assert read_all(open_drive(bytearray(WHOLE), bad=[LOG_START + slot * UNIT_BYTES])) == FILES


def test_both_superblocks_are_read_without_and_not_written() -> None:
    content = zeroed((LOG_START, 2 * UNIT_BYTES))
    drive = open_drive(content)
    assert read_all(drive) == FILES
    before = bytes(content)
    drive.to_end_of_data()
    with pytest.raises(DeviceFailure, match="both superblocks"):
        drive.write_block(b"new")
    with pytest.raises(DeviceFailure, match="both superblocks"):
        drive.write_filemark()
    assert bytes(content) == before


@pytest.mark.parametrize("bad", (LOG_START, LOG_START + UNIT_BYTES, END_OF_RECORDS))
def test_an_error_of_writing_names_the_block(bad: int) -> None:
    storage = MemoryStorage(bytearray(WHOLE), bad_to_write={bad})
    drive = RecordLogDrive("memory:", Identity("memory"), storage)
    drive.to_end_of_data()
    with pytest.raises(MediumError, match=r"block \d of file 5 cannot be written") as error:
        write_two_blocks_and_a_filemark(drive)
    assert (error.value.file, error.value.block) == (5, drive.position().block)


def write_two_blocks_and_a_filemark(drive: RecordLogDrive) -> None:
    drive.write_block(b"new")
    drive.write_block(b"newer")
    drive.write_filemark()


@pytest.mark.parametrize(("offset", "place"), BLOCKS)
@pytest.mark.parametrize("superblocks", ("there", "lost"))
def test_a_record_header(offset: int, place: Position, superblocks: str) -> None:
    lost = [(LOG_START, 2 * UNIT_BYTES)] if superblocks == "lost" else []
    expected = with_bad(place)
    content = zeroed((offset, 64), *lost)
    assert read_all(open_drive(content)) == expected
    assert read_all(open_drive(zeroed(*lost), bad=[offset])) == expected
    if not lost:
        takes_a_file(content, expected)
        assert read_all(open_drive(flipped(offset + 30))) == expected


@pytest.mark.parametrize("change", ({"number": 8}, {"position": FIRST_RECORD}, {"log_id": bytes(16)}, {"epoch": 99}))
def test_a_valid_record_of_another_place_is_no_block(change: dict[str, Any]) -> None:
    """As a drive leaves it that writes to the wrong sector, or does not write at all."""
    offset, place = next((offset, place) for offset, place in BLOCKS if place == Position(2, 1))
    header = parse_record_header(WHOLE[offset : offset + 64])
    content = bytearray(WHOLE)
    content[offset : offset + 64] = build_record_header(dataclasses.replace(header, **change))
    assert read_all(open_drive(content)) == with_bad(place)


def test_a_damaged_block_is_located_from_both_ends() -> None:
    for offset, place in BLOCKS:
        drive = open_drive(zeroed((offset, 64)))
        for block in (place.block, place.block - len(FILES[place.file])):
            drive.locate(place.file, block)
            with pytest.raises(MediumError):
                drive.read_block()


@pytest.mark.parametrize("offset", FILEMARKS)
@pytest.mark.parametrize("superblocks", ("there", "lost"))
def test_a_filemark(offset: int, superblocks: str) -> None:
    lost = [(LOG_START, 2 * UNIT_BYTES)] if superblocks == "lost" else []
    content = zeroed((offset, UNIT_BYTES), *lost)
    expected = with_bad()
    assert read_all(open_drive(content)) == expected
    assert read_all(open_drive(zeroed(*lost), bad=[offset])) == expected
    if not lost:
        takes_a_file(content, expected)
        assert read_all(open_drive(flipped(offset + 70))) == expected  # its table alone


@pytest.mark.parametrize("first", FILEMARKS)
def test_two_filemarks(first: int) -> None:
    for second in FILEMARKS:
        content = zeroed((first, UNIT_BYTES), (second, UNIT_BYTES))
        assert [block for file in read_all(open_drive(content)) for block in file] == [b for f in FILES for b in f]


def test_a_filemark_and_the_header_behind_it() -> None:
    for mark, behind in itertools.pairwise(offset for offset, _, _ in RECORDS):
        if mark not in FILEMARKS or behind in FILEMARKS:
            continue
        place = next(place for offset, place in BLOCKS if offset == behind)
        expected = with_bad(place)
        found = read_all(open_drive(zeroed((mark, UNIT_BYTES), (behind, 64))))
        assert found == expected, place


def test_an_old_file_does_not_come_back_behind_a_damaged_filemark() -> None:
    """Overwritten by files of the same shape, the old ones still stand behind the end of data."""
    content = bytearray(WHOLE)
    drive = open_drive(content)
    drive.locate(1)
    for block in FILES[1]:
        drive.write_block(block)
    drive.write_filemark()
    assert read_all(open_drive(content)) == FILES[:2]
    mark = next(offset for offset, kind, place in RECORDS if kind is RecordKind.FILEMARK and place.file == 1)
    content[mark : mark + UNIT_BYTES] = bytes(UNIT_BYTES)
    assert read_all(open_drive(content)) == FILES[:2]


GPT = {
    "primary": [(512, 512)],
    "primary entries": [(1024, 16_384)],
    "backup": [(SIZE_BYTES - 512, 512)],
    "first MiB": [(0, 1 << 20)],
    "both": [(0, 1 << 20), (SIZE_BYTES - 32_768, 32_768)],
    "both headers": [(512, 512), (SIZE_BYTES - 512, 512)],
}


@pytest.mark.parametrize("name", GPT)
def test_a_partition_table(name: str) -> None:
    content = zeroed(*GPT[name])
    drive = open_drive(content)
    assert drive.medium().content is Content.CARTRIDGE
    assert read_all(drive) == FILES
    takes_a_file(content, with_bad())


def test_everything_but_the_records() -> None:
    drive = open_drive(zeroed(*GPT["both"], (LOG_START, 2 * UNIT_BYTES)))
    assert read_all(drive) == FILES


def cut_at(size: int) -> None:
    """What a medium that ends too early must do.

    Files whose filemark is there are as they were; of the others, as many blocks are lost as were cut off.
    """
    content = bytearray(WHOLE[:size])
    found = read_all(open_drive(content))
    closed = sum(mark + 64 + 24 <= size for mark in FILEMARKS)
    lost = {place for offset, place in BLOCKS if offset + 64 + len(FILES[place.file][place.block]) > size}
    assert found[:closed] == FILES[:closed], size
    assert [b for file in found for b in file] == [b for file in with_bad(*lost) for b in file], size
    drive = open_drive(content)
    drive.to_end_of_data()
    assert drive.position() == Position(len(FILES), 0)
    try:
        drive.write_block(b"new")
        drive.write_filemark()
    except EndOfMedium:
        assert content == WHOLE[:size]
        return
    assert read_all(open_drive(content)) == [*found, [b"new"]]


def test_cut_at_every_unit() -> None:
    for size in range(LOG_START + FIRST_RECORD, END_OF_RECORDS + 5 * UNIT_BYTES, UNIT_BYTES):
        cut_at(size)
    cut_at(SIZE_BYTES - 512)
    cut_at(SIZE_BYTES - (64 << 10))


@pytest.mark.long
def test_cut_at_every_sector_and_odd_bytes() -> None:
    for size in range(LOG_START + FIRST_RECORD, END_OF_RECORDS + UNIT_BYTES, 512):
        for odd in (0, 1, 63, 64, 511):
            cut_at(size + odd)


@pytest.mark.long
@pytest.mark.parametrize("damage", (flipped, lambda at: zeroed((at, 1))))
def test_any_byte_of_any_header(damage: Callable[[int], bytearray]) -> None:
    for offset, kind, place in RECORDS:
        for byte in range(64):
            found = read_all(open_drive(damage(offset + byte)))
            good = with_bad() if kind is RecordKind.FILEMARK else with_bad(place)
            assert found in (good, with_bad()), (place, byte)


def test_hostile_counts_ask_for_no_memory() -> None:
    """Numbers in valid structures are bounded by what there is room for: a reader believes no others."""
    superblock = parse_superblock(WHOLE[LOG_START : LOG_START + UNIT_BYTES])
    many = dataclasses.replace(superblock, files=0xFFFFFFFF, records=1 << 62, generation=1 << 40)
    content = bytearray(WHOLE)
    content[LOG_START : LOG_START + UNIT_BYTES] = build_superblock(many)
    assert read_all(open_drive(content)) == FILES
    offset = FILEMARKS[1]
    header = parse_record_header(WHOLE[offset : offset + 64])
    content = zeroed((LOG_START, 2 * UNIT_BYTES))
    content[offset : offset + 64] = build_record_header(
        dataclasses.replace(header, number=1 << 62, block=0xFFFFFFF0, length=4 * 0xFFFFFFF0 + 24 & 0xFFFFFFFF)
    )
    assert read_all(open_drive(content)) == FILES
