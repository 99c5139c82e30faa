"""A power cut, anywhere in a session: what was filemarked before it is there, and the cartridge takes the next file."""

import dataclasses
from collections.abc import Iterator

import pytest

from drivers.base import Identity, Mark, Position
from drivers.recordlog.drive import RecordLogDrive
from drivers.recordlog.index import LogReader
from drivers.recordlog.log import RecordLog, create
from fixtures.storage import Cut, Flush, MemoryStorage, Write, cuts_in_order, cuts_reordered

SIZE_BYTES = 256 << 10
"""A log alone, and a small one: it is opened many thousand times."""


@dataclasses.dataclass(frozen=True)
class Session:
    """What one session did: the files that were filemarked, each with the journal's length when that returned."""

    before: bytes
    journal: list[Write | Flush]
    files_at: tuple[tuple[int, list[list[bytes]]], ...]
    whole: frozenset[tuple[bytes, ...]]
    """What a file with a filemark may hold, filemarked before the session or in it."""

    def promised(self, cut: Cut) -> list[list[bytes]]:
        """The files that must be there after a cut."""
        return [files for events, files in self.files_at if events <= cut.events][-1]


def block(letter: str, number: int, size: int = 5000) -> bytes:
    """A block that says whose it is, in every unit."""
    text = f"{letter}{number} ".encode()
    return (text * (size // len(text) + 1))[:size]


def open_log(content: bytearray) -> tuple[RecordLog, MemoryStorage]:
    storage = MemoryStorage(content)
    return RecordLog(LogReader(storage, 0, len(content)), "memory"), storage


def to_end_of_data(log: RecordLog) -> Position:
    end = log.end_of_data()
    log.locate(end.file, end.block)
    return end


def read_all(log: RecordLog) -> list[list[bytes]]:
    """Every file; the last one has no filemark."""
    log.locate(0, 0)
    files: list[list[bytes]] = [[]]
    while (found := log.read_block()) is not Mark.END_OF_DATA:
        if isinstance(found, bytes):
            files[-1].append(found)
        else:
            files.append([])
    return files


def write_files(log: RecordLog, files: list[list[bytes]]) -> None:
    for file in files:
        for data in file:
            log.write_block(data)
        log.write_filemark()


def labelled() -> bytearray:
    """A log with two files."""
    content = bytearray(SIZE_BYTES)
    create(MemoryStorage(content), 0, SIZE_BYTES, b"log id of 16 b..")
    write_files(open_log(content)[0], OLD_FILES)
    return content


OLD_FILES = [[block("label", 0, 600)], [block("kit", number, 10_240) for number in range(3)]]


def run_session(content: bytearray, new_files: list[list[bytes]], place: int | None = None) -> Session:
    """Append files, or overwrite from file `place` on; the last file gets no filemark."""
    before = bytes(content)
    log, storage = open_log(content)
    whole = read_all(log)[:-1]
    durable = whole[:place]
    files_at = [(0, durable)]
    if place is not None:
        log.locate(place, 0)
    elif to_end_of_data(log).block:
        log.write_filemark()
        durable = read_all(log)[:-1]
        files_at.append((len(storage.journal), durable))
        to_end_of_data(log)
    for number, file in enumerate(new_files):
        for data in file:
            log.write_block(data)
        if number < len(new_files) - 1:
            log.write_filemark()
            durable = [*durable, file]
            files_at.append((len(storage.journal), durable))
    whole += durable
    return Session(before, list(storage.journal), tuple(files_at), frozenset(map(tuple, whole)))


def new_files(letter: str, size: int = 5000) -> list[list[bytes]]:
    return [
        [block(letter, number, size) for number in range(3)],
        [],
        [block(letter, number, size) for number in range(10, 12)],
        [block(letter, number, size) for number in range(20, 23)],
    ]


def check_after(session: Session, cut: Cut) -> None:
    """Everything promised is there; the next session's file is there too, and nothing else stands behind it."""
    content = cut.content(session.before)
    log, _ = open_log(content)
    promised = session.promised(cut)
    found = read_all(log)
    assert found[: len(promised)] == promised, cut.name
    assert session.whole.issuperset(map(tuple, found[:-1])), cut.name
    if to_end_of_data(log).block:
        log.write_filemark()
    closed = log.position.file
    fresh = [block("next", number) for number in range(3)]
    write_files(log, [fresh])
    after = read_all(open_log(content)[0])
    assert after[: len(promised)] == promised, cut.name
    assert after[closed:] == [fresh, []], cut.name


def sessions() -> Iterator[tuple[str, Session]]:
    yield "append", run_session(labelled(), new_files("a"))
    yield "append small", run_session(labelled(), new_files("a", 100))
    yield "overwrite", run_session(_with_files("old"), new_files("a"), place=2)
    torn = run_session(labelled(), [[block("torn", number) for number in range(6)]])
    yield "close what a cut left", run_session(_torn(torn), new_files("a"))


def _with_files(letter: str) -> bytearray:
    """A log whose files have the same shape as those that are written over them."""
    content = labelled()
    log, _ = open_log(content)
    to_end_of_data(log)
    write_files(log, new_files(letter))
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
    for cut in cuts_reordered(session.journal, seed=1, most=256):
        check_after(session, cut)


@pytest.mark.long
@pytest.mark.parametrize("name", SESSIONS)
def test_cut_with_writes_reordered_in_every_way(name: str) -> None:
    session = SESSIONS[name]
    for cut in cuts_reordered(session.journal, seed=2, most=4096):
        check_after(session, cut)


@pytest.mark.parametrize("is_appended", (False, True))
def test_two_torn_sessions_in_a_row_do_not_mix(is_appended: bool) -> None:  # noqa: FBT001
    """The same file, of blocks of one size, begun twice and cut twice.

    What is found is blocks that the second session kept, then blocks of the second alone.
    """
    first = run_session(labelled(), [[block("one", number) for number in range(5)]])
    for first_cut in cuts_reordered(first.journal, seed=3, most=32):
        before = first_cut.content(first.before)
        left = read_all(open_log(before)[0])[2:]
        log, storage = open_log(bytearray(before))
        kept = len(left[0]) if is_appended else 0
        log.locate(2, kept)
        for number in range(kept, 6):
            log.write_block(block("two", number))
        for cut in cuts_reordered(storage.journal, seed=4, most=32):
            found = read_all(open_log(cut.content(before))[0])
            assert found[:2] == OLD_FILES
            whose = [data[:3] for data in found[2]]
            if b"two" in whose:
                assert whose.index(b"two") == kept, (first_cut.name, cut.name, whose)
                assert set(whose[kept:]) == {b"two"}, (first_cut.name, cut.name, whose)
            assert [data[3:4] for data in found[2]] == [str(n).encode() for n in range(len(whose))]


def test_a_cut_while_formatting_leaves_the_old_cartridge_or_an_empty_one() -> None:
    content = bytearray(8 << 20)
    drive = RecordLogDrive("memory:", Identity("memory"), MemoryStorage(content))
    drive.format({"README.txt": b"a cartridge"})
    drive.write_block(OLD_FILES[0][0])
    before = bytes(content)
    storage = MemoryStorage(content)
    RecordLogDrive("memory:", Identity("memory"), storage).format({"README.txt": b"a new cartridge"})
    cuts = list(cuts_by_write(storage.journal))
    assert len(cuts) > 5
    for cut in cuts:
        after = RecordLogDrive("memory:", Identity("memory"), MemoryStorage(cut.content(before)))
        after.rewind()
        assert after.read_block() in (OLD_FILES[0][0], Mark.END_OF_DATA), cut.name


def cuts_by_write(journal: list[Write | Flush]) -> Iterator[Cut]:
    """Any subset of the first writes, which are whole; then one after the other."""
    writes = [event for event in journal if isinstance(event, Write)]
    for subset in range(1 << 5):
        yield Cut(f"subset {subset:b}", 0, tuple(write for bit, write in enumerate(writes[:5]) if subset >> bit & 1))
    for number in range(len(writes) + 1):
        yield Cut(f"the first {number}", 0, tuple(writes[:number]))


def test_a_torn_filemark_ends_no_file() -> None:
    session = SESSIONS["append"]
    marks = [n for n, event in enumerate(session.journal) if isinstance(event, Write) and event.data[4:5] == b"\2"]
    for cut in cuts_in_order(session.journal, odd_bytes=(65,)):
        if cut.name == f"event {marks[0]} torn at 65":
            assert open_log(cut.content(session.before))[0].end_of_data() == Position(2, 3)
            return
    raise AssertionError("no such cut")


def test_the_journal_misses_nothing() -> None:
    """The sweep would prove nothing if it did."""
    for name, session in SESSIONS.items():
        *_, whole = cuts_in_order(session.journal)
        size = 100 if name == "append small" else 5000
        assert read_all(open_log(whole.content(session.before))[0])[-1] == new_files("a", size)[-1]
