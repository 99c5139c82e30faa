"""What drivers/base.py promises, of every driver."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drivers.base import Content, Drive, Mark, Position
from drivers.errors import BlankMedium, EndOfData, EndOfMedium, ForeignMedium, MediumTooSmall, NoMedium, WriteProtected
from fixtures import drives
from fixtures.drives import Bench, CannotRun, MakeBench
from fixtures.rig import benches as rig
from formats.block import MAGIC
from formats.gpt import LOG_START

BENCHES = (*drives.BENCHES, *rig.BENCHES)
DISK_BENCHES = (*drives.DISK_BENCHES, *rig.DISK_BENCHES)
FRONT = {"README.txt": b"a cartridge\n", "label.json": b"{}"}
SIZES = (1, 4031, 4032, 4033, 8128, 10_240, 65_536, 262_144)


def some_block(number: int, size: int = 5000) -> bytes:
    """Begins as tapekit's own do: a tape has nothing else to tell them by."""
    return (MAGIC + random.Random(number).randbytes(size))[:size]


@pytest.fixture(scope="module")
def shared_bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Loop devices take long to set up: one for all tests."""
    make: MakeBench = request.param
    try:
        with make(tmp_path_factory.mktemp("bench")) as made:
            yield made
    except CannotRun as reason:
        pytest.skip(str(reason))


def _needs(bench: Bench, request: pytest.FixtureRequest) -> None:
    why = bench.lacks.get(request.function.__name__)
    if why is not None:
        pytest.skip(why)


def _of(benches: tuple[tuple[str, MakeBench], ...]) -> pytest.MarkDecorator:
    makers, names = [make for _, make in benches], [name for name, _ in benches]
    return pytest.mark.parametrize("shared_bench", makers, ids=names, indirect=True, scope="module")


@pytest.fixture
def bench(shared_bench: Bench, request: pytest.FixtureRequest) -> Iterator[Bench]:
    _needs(shared_bench, request)
    shared_bench.blank()
    yield shared_bench
    shared_bench.close()


@pytest.fixture(params=[make for _, make in BENCHES], ids=[name for name, _ in BENCHES])
def make_bench(request: pytest.FixtureRequest) -> MakeBench:
    make: MakeBench = request.param
    return make


@pytest.fixture(params=[make for _, make in DISK_BENCHES], ids=[name for name, _ in DISK_BENCHES])
def make_disk_bench(request: pytest.FixtureRequest) -> MakeBench:
    make: MakeBench = request.param
    return make


on_all = _of(BENCHES)
on_disks = _of(DISK_BENCHES)
"""What a disk does and a tape cannot: it keeps that it was formatted, and is made of bytes."""


def formatted(bench: Bench) -> Drive:
    drive = bench.open()
    drive.format(FRONT)
    return drive


def write_files(drive: Drive, files: list[list[bytes]]) -> None:
    for blocks in files:
        for block in blocks:
            drive.write_block(block)
        drive.write_filemark()


def read_all(drive: Drive) -> list[list[bytes]]:
    """Every file; the last is the incomplete one, where it has blocks."""
    drive.rewind()
    files: list[list[bytes]] = [[]]
    while (found := drive.read_block()) is not Mark.END_OF_DATA:
        if isinstance(found, bytes):
            files[-1].append(found)
        else:
            files.append([])
    return files if files[-1] else files[:-1]


def fill(drive: Drive, blocks: list[bytes]) -> list[bool]:
    """Write until the medium is full: what each write answered."""
    answers = []
    for block in blocks:
        try:
            answers.append(drive.write_block(block))
        except EndOfMedium:
            return answers
    raise AssertionError("the medium did not become full")


THREE_FILES = [[some_block(1)], [some_block(n) for n in range(2, 6)], [some_block(n, 300) for n in range(6, 9)]]


@on_all
def test_a_blank_medium_says_so(bench: Bench) -> None:
    drive = bench.open()
    medium = drive.medium()
    assert (medium.present, medium.content, medium.found) == (True, Content.BLANK, "")
    assert medium.capacity_bytes > 0
    operations: tuple[Callable[[], object], ...] = (
        drive.rewind, drive.read_block, drive.to_end_of_data, drive.position, drive.write_filemark,
    )  # fmt: skip
    for operation in operations:
        with pytest.raises(BlankMedium):
            operation()
    with pytest.raises(BlankMedium):
        drive.write_block(b"block")


@on_disks
def test_a_formatted_medium_is_an_empty_cartridge(bench: Bench) -> None:
    drive = formatted(bench)
    for _ in range(2):
        assert drive.medium().content is Content.CARTRIDGE
        assert drive.position() == Position(0, 0)
        assert drive.read_block() is Mark.END_OF_DATA
        assert read_all(drive) == []
        drive = bench.open()


@on_all
def test_blocks_of_all_sizes_come_back(bench: Bench) -> None:
    drive = formatted(bench)
    blocks = [some_block(size, size) for size in SIZES]
    write_files(drive, [blocks])
    assert read_all(drive) == [blocks]
    assert read_all(bench.open(writable=False)) == [blocks]


@on_all
@pytest.mark.parametrize("kind", (bytes, bytearray, memoryview))
def test_takes_whatever_holds_bytes(bench: Bench, kind: "Callable[[bytes], bytes | bytearray | memoryview]") -> None:
    drive = formatted(bench)
    drive.write_block(kind(some_block(1)))
    drive.write_filemark()
    assert read_all(drive) == [[some_block(1)]]


@on_all
@pytest.mark.parametrize("size", (0, 16_773_121))
def test_refuses_a_block_of_no_or_too_many_bytes(bench: Bench, size: int) -> None:
    drive = formatted(bench)
    with pytest.raises(ValueError, match=f"{size} bytes"):
        drive.write_block(bytes(size))
    assert read_all(drive) == []


@on_all
def test_stands_behind_what_it_wrote_and_read(bench: Bench) -> None:
    drive = formatted(bench)
    drive.write_block(some_block(1))
    assert drive.position() == Position(0, 1)
    drive.write_filemark()
    assert drive.position() == Position(1, 0)
    drive.rewind()
    assert drive.read_block() == some_block(1)
    assert drive.position() == Position(0, 1)
    assert drive.read_block() is Mark.FILEMARK
    assert drive.position() == Position(1, 0)
    assert drive.read_block() is Mark.END_OF_DATA
    assert drive.read_block() is Mark.END_OF_DATA
    assert drive.position() == Position(1, 0)


@on_all
def test_locates_every_block_from_the_front_and_from_the_end(bench: Bench) -> None:
    write_files(formatted(bench), THREE_FILES)
    drive = bench.open()
    for file, blocks in reversed(list(enumerate(THREE_FILES))):
        for number, block in enumerate(blocks):
            for wanted in (number, number - len(blocks)):
                drive.locate(file, wanted)
                assert drive.position() == Position(file, number)
                assert drive.read_block() == block
        drive.locate(file, len(blocks))
        assert drive.read_block() is Mark.FILEMARK


@on_all
@pytest.mark.parametrize(("file", "block"), ((0, 2), (1, -5), (3, 1), (3, -1), (4, 0), (-1, 0)))
def test_there_is_no_place_behind_the_end_of_data(bench: Bench, file: int, block: int) -> None:
    drive = formatted(bench)
    write_files(drive, THREE_FILES)
    drive.locate(1, 2)
    with pytest.raises(EndOfData):
        drive.locate(file, block)
    assert drive.position() == Position(1, 2)


@on_all
def test_adds_at_the_end_of_data(bench: Bench) -> None:
    write_files(formatted(bench), THREE_FILES[:2])
    drive = bench.open()
    drive.to_end_of_data()
    assert drive.position() == Position(2, 0)
    write_files(drive, THREE_FILES[2:])
    assert read_all(drive) == THREE_FILES
    assert read_all(bench.open()) == THREE_FILES


@on_all
@pytest.mark.parametrize(("file", "block"), ((0, 0), (1, 0), (1, 2), (1, 4), (2, 0), (2, 3)))
@pytest.mark.parametrize("is_reopened", (False, True))
def test_writing_forgets_what_was_behind(bench: Bench, file: int, block: int, is_reopened: bool) -> None:  # noqa: FBT001
    drive = formatted(bench)
    write_files(drive, THREE_FILES)
    if is_reopened:
        drive = bench.open()
    drive.locate(file, block)
    drive.write_block(some_block(100))
    kept = [*THREE_FILES[:file], [*THREE_FILES[file][:block], some_block(100)]]
    drive.to_end_of_data()
    assert drive.position() == Position(file, block + 1)
    assert read_all(drive) == kept
    assert read_all(bench.open()) == kept
    drive = bench.open()
    drive.to_end_of_data()
    drive.write_filemark()
    assert read_all(bench.open()) == kept


@on_all
def test_a_filemark_forgets_what_was_behind(bench: Bench) -> None:
    drive = formatted(bench)
    write_files(drive, THREE_FILES)
    drive.locate(1, 2)
    drive.write_filemark()
    assert read_all(drive) == [THREE_FILES[0], THREE_FILES[1][:2]]
    assert read_all(bench.open()) == [THREE_FILES[0], THREE_FILES[1][:2]]


@on_all
def test_files_may_be_empty(bench: Bench) -> None:
    drive = formatted(bench)
    files: list[list[bytes]] = [[], [], [some_block(1)], []]
    write_files(drive, files)
    drive = bench.open()
    assert read_all(drive) == files
    drive.locate(2)
    assert drive.read_block() == some_block(1)
    drive.to_end_of_data()
    assert drive.position() == Position(4, 0)


@on_all
def test_an_incomplete_file_is_readable_and_can_be_closed(bench: Bench) -> None:
    drive = formatted(bench)
    write_files(drive, THREE_FILES[:1])
    for block in THREE_FILES[1]:
        drive.write_block(block)
    drive = bench.open()
    assert read_all(drive) == THREE_FILES[:2]
    drive.locate(1, -1)
    assert drive.read_block() == THREE_FILES[1][-1]
    assert drive.read_block() is Mark.END_OF_DATA
    drive.to_end_of_data()
    assert drive.position() == Position(1, len(THREE_FILES[1]))
    drive.write_filemark()
    write_files(drive, THREE_FILES[2:])
    assert read_all(drive) == THREE_FILES
    assert read_all(bench.open()) == THREE_FILES


@on_all
def test_an_incomplete_file_can_be_added_to(bench: Bench) -> None:
    drive = formatted(bench)
    for block in THREE_FILES[1][:2]:
        drive.write_block(block)
    for block in THREE_FILES[1][2:]:
        drive = bench.open()
        drive.to_end_of_data()
        drive.write_block(block)
    drive.write_filemark()
    assert read_all(bench.open()) == [THREE_FILES[1]]


@on_all
def test_full_comes_after_early_warning_and_changes_nothing(bench: Bench) -> None:
    drive = formatted(bench)
    blocks = [some_block(number, 50_000) for number in range(60)]
    answers = fill(drive, blocks)
    assert answers == sorted(answers)  # once given, the warning stays
    assert answers[0] is False
    assert answers[-1] is True
    written = blocks[: len(answers)]
    assert drive.position() == Position(0, len(written))
    assert drive.medium().remaining_bytes < 53_248
    drive.write_filemark()  # always fits
    assert read_all(drive) == [written]
    assert read_all(bench.open()) == [written]


@on_disks
def test_early_warning_comes_also_with_blocks_that_fill_a_quarter(bench: Bench) -> None:
    drive = formatted(bench)
    size = drive.medium().capacity_bytes // 4
    assert fill(drive, [bytes(size)] * 4) == [False, False, True]


@on_disks
def test_full_does_not_forget_what_was_to_be_overwritten(bench: Bench) -> None:
    drive = formatted(bench)
    write_files(drive, THREE_FILES)
    drive.locate(1, 1)
    with pytest.raises(EndOfMedium):
        drive.write_block(bytes(drive.medium().capacity_bytes))
    assert drive.position() == Position(1, 1)
    assert read_all(drive) == THREE_FILES
    assert read_all(bench.open()) == THREE_FILES


@on_disks
def test_what_remains_and_what_was_written_make_up_the_whole(bench: Bench) -> None:
    drive = formatted(bench)
    capacity = drive.medium().capacity_bytes
    assert drive.medium().remaining_bytes == capacity - 4096  # for a filemark
    for number, size in enumerate(SIZES, start=1):
        before = drive.medium().remaining_bytes
        drive.write_block(bytes(size))
        assert drive.medium().remaining_bytes == before - -(-(size + 64) // 4096) * 4096, number
    before = drive.medium().remaining_bytes
    drive.write_filemark()
    assert drive.medium().remaining_bytes == before - 4096
    assert bench.open().medium().remaining_bytes == before - 4096
    assert bench.open().medium().capacity_bytes == capacity


@on_disks
def test_what_remains_is_what_fits(bench: Bench) -> None:
    drive = formatted(bench)
    write_files(drive, THREE_FILES)
    remaining = drive.medium().remaining_bytes
    with pytest.raises(EndOfMedium):
        drive.write_block(bytes(remaining - 63))
    drive.write_block(bytes(remaining - 64))
    drive.write_filemark()
    assert drive.medium().remaining_bytes == 0
    with pytest.raises(EndOfMedium):
        drive.write_filemark()
    assert read_all(bench.open()) == [*THREE_FILES, [bytes(remaining - 64)]]


def test_a_protected_medium_is_read_and_not_written(
    make_bench: MakeBench, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    try:
        with make_bench(tmp_path) as bench:
            _needs(bench, request)
            write_files(formatted(bench), THREE_FILES)
            bench.close()
            bench.protect()
            refuses_all_writes(bench.open())
            assert read_all(bench.open(writable=False)) == THREE_FILES
    except CannotRun as reason:
        pytest.skip(str(reason))


def refuses_all_writes(drive: Drive) -> None:
    assert drive.medium().write_protected
    assert read_all(drive) == THREE_FILES
    drive.to_end_of_data()
    for operation in (drive.write_filemark, drive.erase):
        with pytest.raises(WriteProtected):
            operation()
    with pytest.raises(WriteProtected):
        drive.write_block(b"block")
    with pytest.raises(WriteProtected):
        drive.format(FRONT)


@on_all
def test_opened_for_reading_nothing_is_written(bench: Bench) -> None:
    write_files(formatted(bench), THREE_FILES)
    drive = bench.open(writable=False)
    drive.to_end_of_data()
    with pytest.raises(WriteProtected):
        drive.write_block(b"block")
    assert read_all(drive) == THREE_FILES


@on_all
def test_an_ejected_cartridge_is_gone_and_whole(bench: Bench) -> None:
    drive = formatted(bench)
    write_files(drive, THREE_FILES[:2])
    drive.write_block(THREE_FILES[2][0])
    drive.lock(locked=False)
    drive.eject()
    assert not drive.medium().present
    operations: list[Callable[[], object]] = [drive.read_block, drive.rewind, drive.write_filemark, drive.erase]
    if not drive.url.startswith(("virtual:", "tape:")):  # a tape drive draws it in again
        operations.append(drive.load)
    for operation in operations:
        with pytest.raises(NoMedium):
            operation()
    drive.eject()  # nothing to do
    drive.close()
    drive.close()
    assert read_all(bench.open()) == [*THREE_FILES[:2], THREE_FILES[2][:1]]


@on_all
def test_an_erased_medium_is_blank(bench: Bench) -> None:
    drive = formatted(bench)
    write_files(drive, [*THREE_FILES, [some_block(n, 100_000) for n in range(15)]])
    drive.erase()
    for _ in range(2):
        assert drive.medium().content is Content.BLANK
        with pytest.raises(BlankMedium):
            drive.read_block()
        drive = bench.open()
    drive = formatted(bench)
    assert read_all(drive) == []


@on_disks
def test_formatting_again_forgets_everything(bench: Bench) -> None:
    drive = formatted(bench)
    write_files(drive, [[some_block(n, 100_000) for n in range(15)], *THREE_FILES])
    drive.format(FRONT)
    assert drive.position() == Position(0, 0)
    assert read_all(drive) == []
    assert read_all(bench.open()) == []
    bench.write(LOG_START, bytes(8192))  # both superblocks: nothing old comes up in their place
    assert read_all(bench.open()) == []


@on_disks
def test_a_formatted_log_does_not_go_on_into_the_old_one(bench: Bench) -> None:
    drive = formatted(bench)
    write_files(drive, [[some_block(n)] for n in range(6)])
    drive.format(FRONT)
    write_files(drive, [[some_block(100)]])
    assert read_all(drive) == [[some_block(100)]]
    assert read_all(bench.open()) == [[some_block(100)]]


@on_disks
def test_foreign_content_is_named_and_not_touched(bench: Bench) -> None:
    bench.write(0, b"\xfd7zXZ\0 something of somebody")
    drive = bench.open()
    medium = drive.medium()
    assert (medium.content, medium.found, medium.remaining_bytes) == (Content.FOREIGN, "xz", 0)
    assert medium.description
    operations: tuple[Callable[[], object], ...] = (drive.rewind, drive.read_block, drive.write_filemark)
    for operation in operations:
        with pytest.raises(ForeignMedium, match="xz") as refusal:
            operation()
        assert refusal.value.found == "xz"
    assert bench.read(0, 6) == b"\xfd7zXZ\0"
    drive = bench.open()
    drive.erase()
    assert drive.medium().content is Content.BLANK


@on_disks
def test_what_was_made_over_a_cartridge_counts(bench: Bench) -> None:
    """The old log and the backup partition table are still there; they must not hide the new owner."""
    write_files(formatted(bench), THREE_FILES)
    bench.write(0, bytes(1 << 20))
    bench.write(0, b"\xfd7zXZ\0 something of somebody")
    medium = bench.open().medium()
    assert (medium.content, medium.found) == (Content.FOREIGN, "xz")


@on_all
def test_says_who_it_is(bench: Bench) -> None:
    drive = bench.open()
    assert drive.identify().node
    assert drive.url.partition(":")[0] in ("image", "disk", "rdx", "memory", "virtual", "tape")
    assert drive.medium().largest_block_bytes >= 8 << 20


@on_all
def test_counts_what_it_does(bench: Bench) -> None:
    drive = formatted(bench)
    write_files(drive, [[some_block(1), some_block(2)]])
    read_all(drive)
    counters = drive.health().counters
    assert counters["blocks written"] == 2
    assert counters["blocks read"] == 2
    assert counters["read errors"] == counters["write errors"] == 0


def test_the_largest_block_comes_back(make_bench: MakeBench, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    try:
        with make_bench(tmp_path, 48 << 20) as bench:
            _needs(bench, request)
            drive = formatted(bench)
            largest = random.Random(1).randbytes(min(drive.medium().largest_block_bytes, bench.carried_bytes))
            write_files(drive, [[largest], [largest[::-1]]])
            assert read_all(bench.open()) == [[largest], [largest[::-1]]]
    except CannotRun as reason:
        pytest.skip(str(reason))


def test_a_medium_that_is_too_small_is_refused(make_disk_bench: MakeBench, tmp_path: Path) -> None:
    try:
        with make_disk_bench(tmp_path, 4 << 20) as bench:
            drive = bench.open()
            with pytest.raises(MediumTooSmall, match="too small"):
                drive.format(FRONT)
            assert drive.medium().content is Content.BLANK
    except CannotRun as reason:
        pytest.skip(str(reason))
