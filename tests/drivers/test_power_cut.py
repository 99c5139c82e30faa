"""A power cut, anywhere in a session: what was filemarked before it is there, and the cartridge takes the next file."""

import dataclasses
from collections.abc import Iterator

import pytest

from drivers.base import Identity, Mark
from drivers.recordlog.drive import RecordLogDrive
from fixtures.storage import Cut, Flush, MemoryStorage, Write, cuts_in_order, cuts_reordered
from formats.gpt import LOG_START

SIZE_BYTES = (6 << 20) + (64 << 10)
"""The smallest medium: 1 MiB of records."""


@dataclasses.dataclass(frozen=True)
class Session:
    """What one session did: the files that were filemarked, each with the journal's length when that returned."""

    before: bytes
    journal: list[Write | Flush]
    files_at: tuple[tuple[int, list[list[bytes]]], ...]
    may_remain: tuple[bytes, ...]
    """Blocks that a cut may leave behind the last filemark."""

    def promised(self, cut: Cut) -> list[list[bytes]]:
        """The files that must be there after a cut."""
        return [files for events, files in self.files_at if events <= cut.events][-1]


def block(letter: str, number: int, size: int = 5000) -> bytes:
    """A block that says whose it is, in every unit."""
    text = f"{letter}{number} ".encode()
    return (text * (size // len(text) + 1))[:size]


def open_drive(content: bytearray) -> tuple[RecordLogDrive, MemoryStorage]:
    storage = MemoryStorage(content)
    return RecordLogDrive("memory:", Identity("memory"), storage), storage


def read_all(drive: RecordLogDrive) -> list[list[bytes]]:
    drive.rewind()
    files: list[list[bytes]] = [[]]
    while (found := drive.read_block()) is not Mark.END_OF_DATA:
        if isinstance(found, bytes):
            files[-1].append(found)
        else:
            files.append([])
    return files


def labelled() -> bytearray:
    """A cartridge with two files."""
    content = bytearray(SIZE_BYTES)
    drive, _ = open_drive(content)
    drive.format({"README.txt": b"a cartridge"})
    for file in OLD_FILES:
        for data in file:
            drive.write_block(data)
        drive.write_filemark()
    return content


OLD_FILES = [[block("label", 0, 600)], [block("kit", number, 10_240) for number in range(3)]]


def run_session(content: bytearray, letter: str, new_files: list[list[bytes]], place: int | None = None) -> Session:
    """Append files, or overwrite from file `place` on; the last file gets no filemark."""
    before = bytes(content)
    drive, storage = open_drive(content)
    durable = read_all(drive)[:-1]
    files_at = [(0, durable)]
    if place is None:
        drive.to_end_of_data()
    else:
        drive.locate(place)
        durable = durable[:place]
        files_at = [(0, durable)]
    if drive.position().block:
        drive.write_filemark()
        durable = read_all(drive)[:-1]
        drive.to_end_of_data()
        files_at.append((len(storage.journal), durable))
    for number, file in enumerate(new_files):
        for data in file:
            drive.write_block(data)
        if number < len(new_files) - 1:
            drive.write_filemark()
            durable = [*durable, file]
            files_at.append((len(storage.journal), durable))
    return Session(before, list(storage.journal), tuple(files_at), tuple(data for file in new_files for data in file))


def new_files(letter: str, size: int = 5000) -> list[list[bytes]]:
    return [
        [block(letter, number, size) for number in range(3)],
        [],
        [block(letter, number, size) for number in range(10, 12)],
        [block(letter, number, size) for number in range(20, 23)],
    ]


def check_after(session: Session, cut: Cut) -> bytearray:
    """Everything promised is there; the next session's file is there too, and nothing else stands among them."""
    content = cut.content(session.before)
    drive, _ = open_drive(content)
    found = read_all(drive)
    promised = session.promised(cut)
    assert found[: len(promised)] == promised, cut.name
    drive.to_end_of_data()
    if drive.position().block:
        drive.write_filemark()
    closed = drive.position().file
    fresh = [block("next", number) for number in range(3)]
    for data in fresh:
        drive.write_block(data)
    drive.write_filemark()
    again, _ = open_drive(content)
    after = read_all(again)
    assert after[: len(promised)] == promised, cut.name
    assert after[closed:] == [fresh, []], cut.name
    return content


def sessions() -> Iterator[tuple[str, Session]]:
    yield "append", run_session(labelled(), "a", new_files("a"))
    yield "append small", run_session(labelled(), "a", new_files("a", 100))
    yield "overwrite", run_session(_with_files("old"), "a", new_files("a"), place=2)
    torn = _torn(run_session(labelled(), "torn", [[block("torn", number) for number in range(6)]]))
    yield "close what a cut left", run_session(torn, "a", new_files("a"))


def _with_files(letter: str) -> bytearray:
    """A cartridge whose files have the same shape as those that are written over them."""
    content = labelled()
    run_session(content, letter, new_files(letter))
    drive, _ = open_drive(content)
    drive.to_end_of_data()
    drive.write_filemark()
    return content


def _torn(session: Session) -> bytearray:
    """After a cut that lost one of the last writes, and none of those behind it."""
    writes = [event for event in session.journal if isinstance(event, Write)]
    return Cut("lost the third last", len(session.journal), (*writes[:-3], *writes[-2:])).content(session.before)


SESSIONS = dict(sessions())


@pytest.mark.parametrize("name", SESSIONS)
def test_cut_after_every_write_and_inside_it(name: str) -> None:
    session = SESSIONS[name]
    for cut in cuts_in_order(session.journal):
        check_after(session, cut)


@pytest.mark.parametrize("name", SESSIONS)
def test_cut_with_writes_reordered(name: str) -> None:
    session = SESSIONS[name]
    for cut in cuts_reordered(session.journal, seed=1, most=16):
        check_after(session, cut)


@pytest.mark.long
@pytest.mark.parametrize("name", SESSIONS)
def test_cut_with_writes_reordered_in_every_way(name: str) -> None:
    session = SESSIONS[name]
    for cut in cuts_reordered(session.journal, seed=2, most=4096):
        check_after(session, cut)


def is_run(session: Session, found: list[list[bytes]], letters: set[bytes]) -> bool:
    """Whether, behind the promised files, blocks of one session never follow blocks of a later one."""
    order = [b"label", b"kit", b"one", b"two"]
    seen = [next(i for i, name in enumerate(order) if data.startswith(name)) for file in found for data in file]
    return seen == sorted(seen)


@pytest.mark.parametrize("is_appended", (False, True))
def test_two_torn_sessions_in_a_row_do_not_mix(is_appended: bool) -> None:  # noqa: FBT001
    """The same file, of blocks of the same size, begun twice and cut twice: no block of the first stands behind one of
    the second, nor is one of the first taken for one of the second that was lost.
    """
    first = run_session(labelled(), "one", [[block("one", number) for number in range(5)]])
    for first_cut in list(cuts_reordered(first.journal, seed=3, most=24)):
        content = first_cut.content(first.before)
        kept = len(read_all(open_drive(content)[0])[-1])
        drive, storage = open_drive(content)
        before = bytes(content)
        if is_appended:
            drive.to_end_of_data()
        else:
            drive.locate(2)
            kept = 0
        for number in range(kept, 6):
            drive.write_block(block("two", number))
        for cut in cuts_reordered(storage.journal, seed=4, most=24):
            found = read_all(open_drive(cut.content(before))[0])
            assert found[:2] == OLD_FILES
            ones = [data for data in found[2] if not data.startswith(b"two")]
            if any(data.startswith(b"two") for data in found[2]):
                intact = [data for data in found[2] if data in {block("two", n) for n in range(6)}]
                assert len(ones) <= kept or not intact, (first_cut.name, cut.name, found[2])
            for number, data in enumerate(found[2]):
                assert data[:4] in (f"one{number}".encode(), f"two{number}".encode()), (first_cut.name, cut.name)


def test_a_cut_while_formatting_leaves_the_old_cartridge_or_an_empty_one() -> None:
    content = labelled()
    before = bytes(content)
    drive, storage = open_drive(content)
    drive.format({"README.txt": b"a new cartridge"})
    cuts = [*cuts_in_order(storage.journal[:12], odd_bytes=()), *cuts_reordered(storage.journal[:12], seed=5, most=64)]
    for cut in cuts:
        after, _ = open_drive(cut.content(before))
        try:
            found = read_all(after)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must be one of the two
            raise AssertionError(cut.name) from error
        assert found in ([*OLD_FILES, []], [[]]), cut.name


def test_what_the_journal_says_is_what_is_on_the_medium() -> None:
    """The sweep would prove nothing if the journal missed a write."""
    for name, session in SESSIONS.items():
        whole = list(cuts_in_order(session.journal))[-1]
        drive, _ = open_drive(whole.content(session.before))
        assert read_all(drive)[-1] == new_files("a", 100 if name == "append small" else 5000)[-1]
        assert LOG_START < min(event.offset for event in session.journal if isinstance(event, Write)) + 1
