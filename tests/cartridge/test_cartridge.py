"""What a cartridge says of itself, and what is still known of it where it is damaged."""

import dataclasses
import io
import json
import tarfile
from collections.abc import Callable

import pytest

from drivers.base import Content, MediumState
from drivers.errors import BlankMedium, ForeignMedium, NoMedium
from formats import block, document, label, segment
from formats.block import BlockHead, Flags, Kind
from formats.errors import NewerFormat
from formats.segment import ABORTED, COMPLETE, CONTINUED, INCOMPLETE, DirectoryEntry
from tapekit.blocks.codec import ZstdCompressor
from tapekit.cartridge import kit
from tapekit.cartridge.cartridge import Cartridge, Segment, choose, label_block, open_cartridge
from tapekit.errors import NoSuchArchive
from tests.blocks.list_drive import ListDrive, ListFile, unreadable
from tests.cartridge.archives import BLOCK_BYTES, CARTRIDGE, LABEL, TIME, file, header_of, new_cartridge, write_archive

ONE, TWO, THREE = b"\1" * 16, b"\2" * 16, b"\1" + b"\3" * 15
MEMBERS = (file("a", b"x" * 9000), file("b", b"y"))


def sealed(payload: bytes, kind: int = Kind.LABEL, flags: int = Flags.LAST, archive: bytes = b"\xc0" * 16) -> bytes:
    head = BlockHead(kind, int(flags), len(payload), archive, 0, 0xFFFFFFFF, 0, 0, len(payload))
    return block.seal(block.authenticated(head), payload) + payload


def flipped(data: bytes | Exception, place: int) -> bytes:
    assert isinstance(data, bytes)
    return data[:place] + bytes((data[place] ^ 2,)) + data[place + 1 :]


# --- the label ------------------------------------------------------------------------------------------------------


def test_the_label() -> None:
    cartridge = open_cartridge(new_cartridge())
    assert cartridge.label == LABEL
    assert (cartridge.name, cartridge.label_problem) == ("WED-1", "")
    assert cartridge.segments() == []
    header = block.parse(label_block(LABEL))
    assert (header.kind, header.flags, header.archive.hex(), header.sequence) == (Kind.LABEL, Flags.LAST, CARTRIDGE, 0)


def test_a_cartridge_without_a_barcode_has_a_name() -> None:
    drive = ListDrive([label_block(dataclasses.replace(LABEL, barcode=None))])
    assert open_cartridge(drive).name == "c0c0c0c0"


GOOD = label_block(LABEL)
DOCUMENT = json.loads(label.build(LABEL))


def changed(**changes: object) -> bytes:
    return sealed(document.canonical(DOCUMENT | changes))


@pytest.mark.parametrize(
    ("first", "why"),
    (
        (b"", "shorter than a header"),
        (GOOD[:-1], "payload of"),
        (flipped(GOOD, 20), "header checksum"),
        (flipped(GOOD, 200), "digest"),
        (unreadable(0, 0), "unreadable"),
        (bytes(4096), "no block magic"),
        (sealed(b"{}", Kind.DATA), "another block is in its place"),
        (sealed(label.build(LABEL), archive=bytes(16)), "belongs to another cartridge"),
        (sealed(b"not json"), "not a document"),
        (sealed(b"{}"), "key 'format' is missing"),
        (sealed(label.build(LABEL), flags=Flags.ENCRYPTED | Flags.LAST), "never has"),
        (sealed(label.build(LABEL), flags=Flags.COMPRESSED | Flags.LAST), "never has"),
        (changed(block_size=5000), "block size: 5000"),
        (changed(labelled="?"), "label.labelled"),
        (changed(canary=[{}]), "key 'kind' is missing"),
    ),
)
def test_a_damaged_label_does_not_hide_the_archives(first: bytes | Exception, why: str) -> None:
    drive = new_cartridge()
    write_archive(drive, MEMBERS)
    drive.files[0].blocks[0] = first
    cartridge = open_cartridge(drive)
    assert (cartridge.label, cartridge.name) == (None, "(label unreadable)")
    assert cartridge.label_problem.startswith(("label", "block"))
    assert why in cartridge.label_problem
    (found,) = cartridge.segments()
    assert (found.archive, found.state, found.problem) == (ONE.hex(), COMPLETE, "")


@pytest.mark.parametrize(
    "first",
    (
        GOOD.replace(b"TKBLOCK1", b"TKBLOCK2"),
        b"TKBLOCK9" + bytes(500),
        changed(format=2),
        sealed(b'{"format":7,"what":["was","never","seen"]}'),
    ),
)
def test_a_newer_label_is_said_to_be_one(first: bytes) -> None:
    drive = new_cartridge()
    drive.files[0].blocks[0] = first
    with pytest.raises(NewerFormat, match="reads"):
        open_cartridge(drive)


def test_no_cartridge_blank_or_foreign() -> None:
    drive = new_cartridge()
    drive.state = MediumState(present=False)
    with pytest.raises(NoMedium, match="no cartridge in the drive"):
        open_cartridge(drive)
    with pytest.raises(BlankMedium):
        open_cartridge(ListDrive(content=Content.BLANK))
    with pytest.raises(BlankMedium):
        open_cartridge(ListDrive())
    drive.state = MediumState(present=True, content=Content.FOREIGN, found="ntfs", description="an NTFS volume")
    with pytest.raises(ForeignMedium, match="it holds an NTFS volume") as caught:
        open_cartridge(drive)
    assert caught.value.found == "ntfs"
    assert "--destroy ntfs" in (caught.value.hint or "")


# --- segments -------------------------------------------------------------------------------------------------------


@pytest.fixture
def drive() -> ListDrive:
    made = new_cartridge()
    write_archive(made, MEMBERS, ONE)
    write_archive(made, MEMBERS, TWO, ZstdCompressor(), host="h" * 9000)
    return made


def read(drive: ListDrive, number: int = 2) -> Segment:
    return Cartridge(drive, drive.state, None).read_segment(number)


def test_segments(drive: ListDrive) -> None:
    one, two = open_cartridge(drive).segments()
    assert (one.file, one.archive, one.state, one.job, one.started, one.problem) == (
        2, ONE.hex(), COMPLETE, "nightly", TIME, "")  # fmt: skip
    assert (two.file, two.archive, two.header_blocks, two.problem) == (3, TWO.hex(), 3, "")
    last = drive.files[2].blocks[-1]
    assert isinstance(last, bytes)
    assert one.trailer_sha256 == block.parse(last).digest.hex()
    expected = two.expected()
    assert expected is not None
    assert (expected.archive, expected.segment, expected.sequence_start) == (TWO, 0, 0)


def newer_header(archive: bytes) -> bytes:
    return sealed(
        segment.build_header(header_of(archive)).replace(b'"format":1', b'"format":2'), Kind.HEADER, archive=archive
    )


@pytest.mark.parametrize(
    ("instead", "why"),
    (
        (lambda data: unreadable(2, 0), "unreadable"),
        (lambda data: flipped(data, 7), "format version"),
        (lambda data: flipped(data, 130), "digest"),
        (lambda data: sealed(b"{}", Kind.HEADER, archive=ONE), "'format' is missing"),
        (lambda data: newer_header(ONE), "format version 2"),
        (
            lambda data: sealed(segment.build_header(header_of(TWO)), Kind.HEADER, archive=ONE),
            "belongs to another archive",
        ),
        (lambda data: sealed(b"x", Kind.DATA, archive=ONE), "is no part of it"),
        (lambda data: sealed(b"x", Kind.HEADER, Flags.ENCRYPTED | Flags.LAST, archive=ONE), "never has"),
    ),
)
def test_a_damaged_header(drive: ListDrive, instead: Callable[[bytes], bytes | Exception], why: str) -> None:
    """The trailer still tells what the segment is; the other segment is not touched by it."""
    first = drive.files[2].blocks[0]
    assert isinstance(first, bytes)
    drive.files[2].blocks[0] = instead(first)
    one, two = open_cartridge(drive).segments()
    assert (one.header, one.header_blocks, one.expected()) == (None, 0, None)
    assert why in one.problem
    assert (one.archive, one.state, one.job, one.started) == (ONE.hex(), COMPLETE, "nightly", TIME)
    assert two.problem == ""


@pytest.mark.parametrize("lost", (0, 1, 2))
def test_a_header_of_three_blocks_with_one_lost(drive: ListDrive, lost: int) -> None:
    drive.files[3].blocks[lost] = unreadable(3, lost)
    assert read(drive, 3).header is None
    assert read(drive, 3).trailer is not None


def trailer_of(drive: ListDrive, number: int, **changes: object) -> bytes:
    trailer = read(drive, number).trailer
    assert trailer is not None
    return segment.build_trailer(dataclasses.replace(trailer, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "why"),
    (
        (lambda drive, file: file.blocks.__setitem__(-1, unreadable(2, 9)), "unreadable"),
        (lambda drive, file: file.blocks.__setitem__(-1, flipped(file.blocks[-1], 7)), "format version"),
        (lambda drive, file: file.blocks.__setitem__(-1, flipped(file.blocks[-1], 150)), "digest"),
        (lambda drive, file: file.blocks.pop(), "the last block is none"),
        (lambda drive, file: file.blocks.pop(0), "blocks, "),
        (lambda drive, file: file.blocks.append(b"more"), "shorter than a header"),
        (lambda drive, file: file.blocks.__setitem__(
            -1, sealed(trailer_of(drive, 2, archive=TWO.hex()), Kind.TRAILER, archive=ONE)), "speaks of"),
        (lambda drive, file: file.blocks.__setitem__(-1, sealed(b"{}", Kind.TRAILER, archive=ONE)), "is missing"),
        (lambda drive, file: file.blocks.__setitem__(
            -1, sealed(trailer_of(drive, 2, segment=1), Kind.TRAILER, archive=ONE)), "different archives"),
    ),
)  # fmt: skip
def test_a_damaged_trailer(drive: ListDrive, change: Callable[[ListDrive, ListFile], object], why: str) -> None:
    change(drive, drive.files[2])
    one, two = open_cartridge(drive).segments()
    assert (one.trailer, one.state, one.is_complete) == (None, INCOMPLETE, False)
    assert why in one.problem
    assert two.problem == ""


def test_a_segment_without_its_filemark() -> None:
    made = new_cartridge()
    write_archive(made, MEMBERS)
    made.files[2].has_filemark = False
    (one,) = open_cartridge(made).segments()
    assert (one.archive, one.state) == (ONE.hex(), INCOMPLETE)
    assert "no filemark behind it" in one.problem


def test_nothing_readable_at_all(drive: ListDrive) -> None:
    drive.files[2].blocks = [unreadable(2, number) for number in range(5)]
    drive.files[3].blocks = []
    one, two = open_cartridge(drive).segments()
    assert (one.archive, one.job, one.started, one.state) == ("", "?", "?", INCOMPLETE)
    assert (two.archive, two.job, two.started, two.state) == ("", "?", "?", INCOMPLETE)


ENTRY = DirectoryEntry(2, ONE.hex(), 0, "nightly" * 20, TIME, TIME, COMPLETE, 1, 0, 1, 1)


def test_a_trailer_of_several_blocks() -> None:
    """Each of its blocks can be the one that is lost; the walk to its first block ends where another kind stands."""
    made = new_cartridge()
    write_archive(made, MEMBERS, ONE, directory=(ENTRY,) * 40)
    blocks = made.files[2].blocks
    kinds = [block.parse(data).kind for data in blocks if isinstance(data, bytes)]
    several = kinds.count(Kind.TRAILER)
    assert several > 2
    found = read(made)
    assert found.trailer is not None
    assert len(found.trailer.directory) == 40
    for back in range(1, several + 1):
        saved = blocks[-back]
        blocks[-back] = unreadable(2, 0)
        assert read(made).state == INCOMPLETE
        blocks[-back] = saved
    del blocks[-2]
    assert read(made).state == INCOMPLETE
    del blocks[-2:-1]
    made.reads.clear()
    assert read(made).state == INCOMPLETE


def test_a_trailer_whose_beginning_is_gone_is_not_searched_for_through_the_whole_file() -> None:
    made = new_cartridge()
    write_archive(made, (file("large", bytes(200 * BLOCK_BYTES)),), ONE, directory=(ENTRY,) * 20)
    blocks = made.files[2].blocks
    last_data = max(
        n for n, data in enumerate(blocks) if isinstance(data, bytes) and block.parse(data).kind == Kind.DATA
    )
    del blocks[last_data + 1 : -1]
    made.reads.clear()
    assert read(made).trailer is None
    assert len(made.reads) < 10


def test_directory_entries_come_back() -> None:
    made = new_cartridge()
    entries = (
        ENTRY,
        dataclasses.replace(ENTRY, file=3, archive="", state=INCOMPLETE, started="?", finished="", job="?"),
        dataclasses.replace(ENTRY, file=4, trailer_sha256="ab" * 32, evidence=segment.Evidence("read back", TIME)),
    )
    write_archive(made, MEMBERS, directory=entries)
    trailer = read(made).trailer
    assert trailer is not None
    assert trailer.directory == entries


# --- choosing -------------------------------------------------------------------------------------------------------


def made_segment(number: int, archive: bytes, state: str = COMPLETE, *, header: bool = True) -> Segment:
    blocks = segment.BlockCounts(1, 0, 0, 0)
    trailer = segment.Trailer(archive.hex(), 0, "j", TIME, state, TIME, 0, 0, 0, 0, 0, blocks, "", 1)
    return Segment(number, header_of(archive) if header else None, 1, None if state == INCOMPLETE else trailer)


def test_choose_latest() -> None:
    complete, aborted = made_segment(2, ONE), made_segment(3, TWO, ABORTED)
    incomplete, nothing = made_segment(4, THREE, INCOMPLETE), made_segment(5, THREE, INCOMPLETE, header=False)
    assert choose([complete, aborted, incomplete, nothing], "latest").file == 2
    assert choose([made_segment(2, TWO), made_segment(3, ONE)], "latest").file == 3
    assert choose([aborted, incomplete, nothing], "latest").file == 4
    assert choose([made_segment(2, ONE, CONTINUED)], "latest").file == 2
    for without in ([], [nothing]):
        with pytest.raises(NoSuchArchive, match="there is none"):
            choose(without, "latest")


@pytest.mark.parametrize(("wanted", "number"), (("0101", 2), ("02", 3), ("0103", 4), (THREE.hex().upper(), 4)))
def test_choose_by_id(wanted: str, number: int) -> None:
    assert choose([made_segment(2, ONE), made_segment(3, TWO), made_segment(4, THREE)], wanted).file == number


@pytest.mark.parametrize(("wanted", "why"), (("01", "more than one"), ("ff", "there is none"), ("", "more than one"),
                                             (ONE.hex() + "0", "there is none")))  # fmt: skip
def test_choose_nothing(wanted: str, why: str) -> None:
    segments = [made_segment(2, ONE), made_segment(3, THREE), made_segment(4, TWO, INCOMPLETE, header=False)]
    with pytest.raises(NoSuchArchive, match=why) as caught:
        choose(segments, wanted)
    assert caught.value.hint == "archives on this cartridge: 01010101, 01030303"


# --- the kit --------------------------------------------------------------------------------------------------------


def test_the_kit_is_a_tar_in_whole_records() -> None:
    data = kit.build(1_700_000_000_999_999_999)
    assert len(data) % kit.RECORD_BYTES == 0
    assert data == kit.build(1_700_000_000_000_000_000)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert [(info.name, info.mode, info.mtime) for info in tar] == [
            ("README.txt", 0o644, 1_700_000_000), ("rescue.py", 0o755, 1_700_000_000)]  # fmt: skip
        for name, content in kit.files().items():
            file = tar.extractfile(name)
            assert file is not None
            assert file.read() == content
