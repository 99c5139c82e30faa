"""A tape drive is read through the Linux st driver: here through a drive that answers as that does."""

import errno
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from tests.rescue import tables, writer

FILES = {f"file-{number:02}": bytes([number]) * 700 * number for number in range(1, 30)}
STREAM = tables.simple_stream(FILES)
FSF, BSF, FSR, BSR, REWIND, SET_BLOCK_SIZE = 1, 2, 3, 4, 6, 20
FILEMARK = None


class FakeTape:
    """Answers as the st driver does in variable block mode (hardware: blocks and filemarks in a row).

    Args:
        bad: Places that cannot be read; the head stays before them.
        stuck: Whether spacing over a bad place fails too.
        largest: The largest read that the host adapter takes.
    """

    def __init__(
        self, items: list[bytes | None], *, bad: set[int], stuck: bool = False, largest: int = 1 << 20
    ) -> None:
        self.items, self.bad, self.stuck, self.largest = items, bad, stuck, largest
        self.at = 0
        self.end_of_data = False
        self.operations: list[tuple[int, int]] = []

    def read(self, size: int) -> bytes:
        if size > self.largest:
            raise OSError(errno.EINVAL, "Invalid argument")
        if self.at >= len(self.items):
            first, self.end_of_data = not self.end_of_data, True
            if first and self.items and self.items[-1] is FILEMARK:
                return b""
            raise OSError(errno.EIO, "Input/output error")
        if self.at in self.bad:
            raise OSError(errno.EIO, "Input/output error")
        item = self.items[self.at]
        self.at += 1
        if item is FILEMARK:
            return b""
        if len(item) > size:
            raise OSError(errno.ENOMEM, "Cannot allocate memory")
        return item

    def do(self, operation: int, count: int = 1) -> None:
        self.operations.append((operation, count))
        self.end_of_data = False
        if operation == REWIND:
            self.at = 0
        elif operation != SET_BLOCK_SIZE:
            for _ in range(count):
                {FSF: self._fsf, BSF: self._bsf, FSR: self._fsr, BSR: self._bsr}[operation]()

    def at_end_of_data(self) -> bool:
        return self.end_of_data

    def _fsf(self) -> None:
        while self.at < len(self.items):
            self.at += 1
            if self.items[self.at - 1] is FILEMARK:
                return
        self._fail(at_end=True)

    def _bsf(self) -> None:
        while self.at > 0:
            self.at -= 1
            if self.items[self.at] is FILEMARK:
                return
        self._fail()

    def _fsr(self) -> None:
        if self.at >= len(self.items) or (self.stuck and self.at in self.bad):
            self._fail(at_end=self.at >= len(self.items))
        self.at += 1
        if self.items[self.at - 1] is FILEMARK:
            self._fail()

    def _bsr(self) -> None:
        if self.at == 0:
            self._fail()
        self.at -= 1
        if self.items[self.at] is FILEMARK:
            self._fail()

    def _fail(self, *, at_end: bool = False) -> None:
        self.end_of_data = at_end
        raise OSError(errno.EIO, "Input/output error")


def tape_of(*archives: writer.Segment, closed: bool = True) -> list[bytes | None]:
    kit_blocks = writer.kit_file(bytes(20480))
    files = [writer.label_file(bytes(20480)), kit_blocks, *[archive.blocks() for archive in archives]]
    items: list[bytes | None] = []
    for blocks in files:
        items += [*blocks, FILEMARK]
    return items if closed else items[:-1]


ARCHIVE = writer.archive(STREAM)
SECOND = replace(ARCHIVE, archive=b"\2" * 16)
START = 1 + 1 + 2 + 1  # label, filemark, two blocks of kit, filemark


def check(kit: ModuleType, tape: FakeTape) -> tuple[Any, Any, list[dict[str, bytes]]]:
    """Read the whole tape: the report, the archives, and the content of each."""
    report = kit.Report()
    cartridge = kit.Cartridge(kit.Tape(tape), report)
    archives = kit.archives_of(cartridge.segments)
    return report, archives, [read(kit, archive, report) for archive in archives]


def read(kit: ModuleType, archive: object, report: object) -> dict[str, bytes]:
    found = {}
    for stream, member, entry in kit.read_archive(archive, report):
        content = bytearray(member.size)

        def write(offset: int, data: bytes, content: bytearray = content) -> None:
            content[offset : offset + len(data)] = data

        if not kit.read_content(stream, member, entry, write).trouble:
            found[member.name.decode()] = bytes(content)
    return found


def test_reads_all(kit: ModuleType) -> None:
    report, archives, found = check(kit, FakeTape(tape_of(ARCHIVE, SECOND), bad=set()))
    assert (report.damages, [archive.state() for archive in archives]) == (0, ["complete"] * 2)
    assert found == [FILES, FILES]


def test_takes_the_largest_read_that_works(kit: ModuleType) -> None:
    tape = FakeTape(tape_of(ARCHIVE), bad=set(), largest=65536)
    assert check(kit, tape)[2] == [FILES]
    tape = FakeTape(tape_of(ARCHIVE), bad=set(), largest=1000)
    with pytest.raises(kit.Problem, match="accepts no read of any size"):
        check(kit, tape)


def test_a_block_too_large_for_this_computer(kit: ModuleType) -> None:
    large = writer.archive(STREAM, cut=80_000)
    assert len(STREAM) > 80_000
    with pytest.raises(kit.Problem, match="larger than this computer can read"):
        check(kit, FakeTape(tape_of(large), bad=set(), largest=65536))


def test_is_set_to_blocks_of_any_size(kit: ModuleType) -> None:
    tape = FakeTape(tape_of(ARCHIVE), bad=set())
    check(kit, tape)
    assert (SET_BLOCK_SIZE, 0) in tape.operations


@pytest.mark.parametrize("stuck", (False, True))
@pytest.mark.parametrize("block", (0, 1, 9, 30))
def test_a_bad_place(kit: ModuleType, block: int, *, stuck: bool) -> None:
    """One block is lost; where even spacing over it fails, the rest of that file, but no other."""
    tape = FakeTape(tape_of(ARCHIVE, SECOND), bad={START + block}, stuck=stuck)
    report, _, found = check(kit, tape)
    assert report.damages > 0
    assert found[-1] == FILES
    if not stuck:
        begins = [entry.offset for entry in ARCHIVE.entries]
        ends = [*begins[1:], len(STREAM)]
        hit = {
            entry.path.decode()
            for entry, begin, end in zip(ARCHIVE.entries, begins, ends, strict=True)
            if block > 0 and begin < block * ARCHIVE.cut and end > (block - 1) * ARCHIVE.cut
        }
        assert set(FILES) - set(found[0]) <= hit


def test_a_power_cut(kit: ModuleType) -> None:
    torn = replace(SECOND, stream=STREAM[:60_000], trailer=False)
    _report, archives, found = check(kit, FakeTape(tape_of(ARCHIVE, torn, closed=False), bad=set()))
    assert archives[1].state() == "incomplete: it was not written to its end"
    assert found[0] == FILES
    assert {**FILES, **found[1]} == FILES
    assert len(found[1]) > 5


def test_a_tape_after_a_power_cut_and_another_archive(kit: ModuleType) -> None:
    torn = replace(SECOND, stream=STREAM[:60_000], trailer=False)
    _report, archives, found = check(kit, FakeTape(tape_of(torn, ARCHIVE), bad=set()))
    assert [archive.state() for archive in archives] == ["incomplete: its end is damaged", "complete"]
    assert found[1] == FILES


def test_one_file_is_found_by_spacing(kit: ModuleType) -> None:
    tape = FakeTape(tape_of(ARCHIVE), bad={START + 20})
    report = kit.Report()
    (archive,) = kit.archives_of(kit.Cartridge(kit.Tape(tape), report).segments)
    names = [member.name for _, member, _ in kit.read_archive(archive, report, kit.Wanted(["file-29"]))]
    assert (names, report.damages) == ([b"file-29"], 0)


def test_a_trailer_over_several_blocks(kit: ModuleType) -> None:
    report, archives, found = check(kit, FakeTape(tape_of(replace(ARCHIVE, document_cut=100)), bad=set()))
    assert (report.damages, archives[0].state(), found) == (0, "complete", [FILES])


def test_a_damaged_trailer(kit: ModuleType) -> None:
    """The catalog is found from the end back."""
    items = tape_of(ARCHIVE)
    items[-2] = b"no trailer"
    report, archives, found = check(kit, FakeTape(items, bad=set()))
    assert (archives[0].state(), found) == ("incomplete: its end is damaged", [FILES])
    assert report.damages == 0


def test_a_drive_that_does_not_rewind(kit: ModuleType) -> None:
    class Dead(FakeTape):
        def do(self, operation: int, count: int = 1) -> None:
            raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(kit.Problem, match="cannot be rewound"):
        kit.Tape(Dead([], bad=set()))


def test_a_blank_tape(kit: ModuleType) -> None:
    report = kit.Report()
    cartridge = kit.Cartridge(kit.Tape(FakeTape([], bad=set())), report)
    assert (cartridge.label, cartridge.segments) == ({}, [])
