"""The stream across blocks: packed, read from anywhere, and around holes."""

import dataclasses
import io
import tarfile
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats import block, pax
from formats.block import Kind
from formats.catalog import ABSENT, Entry
from formats.errors import Damaged
from formats.pax import Member
from tapekit.blocks.codec import NoCompressor, ZstdCompressor
from tapekit.blocks.read import BadBlock, GoodBlock, read_blocks
from tapekit.blocks.write import SegmentWriter
from tapekit.cartridge.cartridge import Cartridge, Segment, open_cartridge
from tapekit.errors import VerificationFailed
from tapekit.stream.pack import StreamPacker
from tapekit.stream.read import SKIP_BLOCKS, Hole, PlainStream, StreamLayout, find_layout
from tapekit.stream.unpack import FoundMember, LostMember, by_catalog, one_by_one
from tests.blocks.list_drive import ListDrive, unreadable
from tests.cartridge.archives import BLOCK_BYTES, CUT, Members, file, new_cartridge, noise, sparse_file, write_archive

ARCHIVE = b"\1" * 16
FILE = 2
MEMBERS: Members = (
    (Member(pax.DIRECTORY, b"d", 0o755), b""),
    file("d/small", b"small"),
    file("d/large", noise(9 * CUT)),
    (Member(pax.SYMLINK, b"d/link", link=b"t" * 150), b""),
    file("d/" + "n" * 200, noise(1000, 1)),
    (Member(pax.REGULAR, b"d/xattrs", size_bytes=1, xattrs=((b"user.big", noise(5000, 2)),)), b"x"),
    file("d/end", noise(3 * CUT, 3)),
)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


def opened(drive: ListDrive) -> Segment:
    return Cartridge(drive, drive.state, None).read_segment(FILE)


def new_stream(drive: ListDrive) -> PlainStream:
    return PlainStream(drive, find_layout(drive, opened(drive)))


def whole(drive: ListDrive) -> bytes:
    with new_stream(drive) as stream:
        layout = stream.layout
        assert layout.end is not None
        return stream.read(layout.end - layout.start)


def content(found: FoundMember | LostMember) -> bytes | None:
    """The stored content; None where it cannot be had."""
    if isinstance(found, LostMember):
        return None
    try:
        return found.prefix + b"".join(bytes(part) for part in found.content())
    except (Hole, Damaged):
        return None


# --- packing --------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.sampled_from(("write", "zeros", "room")), st.integers(0, 3 * CUT)), max_size=12))
def test_packed_is_read_again(steps: list[tuple[str, int]]) -> None:
    drive, expected = ListDrive(), bytearray()
    writer = SegmentWriter(drive, ARCHIVE, 0, 0, BLOCK_BYTES, NoCompressor())
    with writer.threads():
        packer = StreamPacker(writer)
        for seed, (step, size) in enumerate(steps):
            data = bytes(size) if step == "zeros" else noise(size, seed)
            expected += data
            if step == "write":
                packer.write(data)
            elif step == "zeros":
                packer.zeros(size)
            else:
                while data:
                    room = packer.room(len(data))
                    assert 0 < len(room) <= len(data)
                    room[:] = data[: len(room)]
                    data = data[len(room) :]
                    packer.advance(len(room))
            assert packer.offset == len(expected)
        packer.finish()
        writer.drain()
    blocks = drive.files[0].blocks if drive.files else []
    with read_blocks(drive, 0, 0, None) as items:
        good = [item for item in items if isinstance(item, GoodBlock)]
    assert b"".join(bytes(item.payload) for item in good) == expected
    assert [item.header.stream_offset for item in good] == [n * CUT for n in range(len(blocks))]
    assert {item.header.plain_bytes for item in good[:-1]} <= {CUT}
    assert all(item.header.kind == Kind.DATA for item in good)


# --- reading --------------------------------------------------------------------------------------------------------


@pytest.fixture(params=("plain", "compressed"))
def drive(request: pytest.FixtureRequest) -> ListDrive:
    made = new_cartridge()
    write_archive(made, MEMBERS, compressor=ZstdCompressor() if request.param == "compressed" else None)
    return made


def test_the_stream_is_a_tar(drive: ListDrive) -> None:
    with tarfile.open(fileobj=io.BytesIO(whole(drive))) as tar:
        assert [info.name for info in tar] == [member.path.decode() for member, _ in MEMBERS]
        large = tar.extractfile("d/large")
        assert large is not None
        assert large.read() == MEMBERS[2][1]


@given(st.lists(st.tuples(st.integers(0, 20 * CUT), st.integers(0, 2 * CUT)), max_size=8))
def test_seeks(places: list[tuple[int, int]]) -> None:
    made = new_cartridge()
    write_archive(made, MEMBERS)
    data = whole(made)
    with new_stream(made) as stream:
        for offset, size in places:
            stream.seek(offset)
            if not size or offset + size <= len(data):
                assert stream.read(size) == data[offset : offset + size]
            else:
                with pytest.raises(Damaged, match="ends in the middle"):
                    stream.read(size)


def test_a_near_place_is_read_to_and_a_far_one_located() -> None:
    made = new_cartridge()
    write_archive(made, (file("large", noise(100 * CUT)),))
    with new_stream(made) as stream:
        stream.read(1)
        made.reads.clear()
        stream.seek((SKIP_BLOCKS - 1) * CUT)
        stream.read(1)
        assert [block for _, block in made.reads[:SKIP_BLOCKS]] == sorted(
            block for _, block in made.reads[:SKIP_BLOCKS]
        )
        stream.close()
        made.reads.clear()
        stream.seek(80 * CUT)
        stream.read(1)
        assert made.reads[0] == (FILE, 81)


def test_without_skips_every_block_is_seen_once(drive: ListDrive) -> None:
    seen: list[int] = []
    layout = find_layout(drive, opened(drive))
    with PlainStream(drive, layout, lambda item: seen.append(item.number), skips=False) as stream:
        stream.seek(7 * CUT)
        stream.read(3)
        stream.drain()
    assert seen == list(range(layout.first_block, layout.first_block + (layout.data_blocks or 0)))


def data_blocks(drive: ListDrive) -> range:
    layout = find_layout(drive, opened(drive))
    assert layout.data_blocks is not None
    return range(layout.first_block, layout.first_block + layout.data_blocks)


def damage(drive: ListDrive, *numbers: int) -> None:
    for number in numbers:
        drive.files[FILE].blocks[number] = unreadable(FILE, number)


def test_a_hole_at_every_block(drive: ListDrive) -> None:
    data = whole(drive)
    for number in data_blocks(drive):
        saved = drive.files[FILE].blocks[number]
        damage(drive, number)
        with new_stream(drive) as stream:
            start = (number - stream.layout.first_block) * CUT
            end = min(start + CUT, len(data))
            assert stream.read(start) == data[:start]
            for _ in range(2):  # it stays a hole
                with pytest.raises(Hole, match=f"block {number} of file 2: list: block") as caught:
                    stream.read(1)
                assert (caught.value.start, caught.value.end) == (start, end)
            stream.seek(start + 5)
            with pytest.raises(Hole) as caught:
                stream.read(1)
            assert (caught.value.start, caught.value.end) == (start + 5, end)
            stream.seek(end)
            assert stream.read(len(data) - end) == data[end:]
            assert [bad.number for bad in stream.bad_blocks] == [number]
        drive.files[FILE].blocks[number] = saved
    assert whole(drive) == data


@pytest.mark.parametrize("wrong", ("swapped", "other archive", "offset", "payload", "short"))
def test_a_block_that_does_not_belong_there_is_a_hole(wrong: str) -> None:
    made, other = new_cartridge(), new_cartridge()
    write_archive(made, MEMBERS)
    write_archive(other, MEMBERS, archive=b"\2" * 16)
    blocks = made.files[FILE].blocks
    if wrong == "swapped":
        blocks[4] = blocks[5]
    elif wrong == "offset":
        data = blocks[4]
        assert isinstance(data, bytes)
        payload = bytes(block.payload(data))
        head = dataclasses.replace(block.parse(data), stream_offset=5 * CUT)
        blocks[4] = block.seal(block.authenticated(head), payload) + payload
    elif wrong == "other archive":
        blocks[4] = other.files[FILE].blocks[4]
    else:
        data = blocks[4]
        assert isinstance(data, bytes)
        blocks[4] = data[:2000] + bytes((data[2000] ^ 1,)) + data[2001:] if wrong == "payload" else data[:-1]
    with new_stream(made) as stream:
        stream.read(3 * CUT)
        with pytest.raises(Hole) as caught:
            stream.read(1)
    assert caught.value.end == 4 * CUT


def test_drain_goes_over_holes(drive: ListDrive) -> None:
    numbers = data_blocks(drive)
    damage(drive, numbers[0], numbers[3], numbers[4], numbers[-1])
    seen: list[GoodBlock | BadBlock] = []
    with PlainStream(drive, find_layout(drive, opened(drive)), seen.append, skips=False) as stream:
        stream.drain()
        assert [bad.number for bad in stream.bad_blocks] == [numbers[0], numbers[3], numbers[4], numbers[-1]]
    assert [item.number for item in seen] == list(numbers)


# --- layouts --------------------------------------------------------------------------------------------------------


def test_the_layout_without_header_or_trailer() -> None:
    made = new_cartridge()
    write_archive(made, MEMBERS, host="h" * 9000)  # a header of three blocks
    complete = find_layout(made, opened(made))
    assert complete.first_block == 3
    blocks = made.files[FILE].blocks
    for lost in ((0,), (1,), (0, 1, 2), (0, 3), (0, 3, 4, 5)):
        saved = list(blocks)
        damage(made, *lost)
        assert find_layout(made, opened(made)) == complete
        damage(made, len(blocks) - 1)
        layout = find_layout(made, opened(made))
        assert (layout.cut, layout.expected, layout.end, layout.data_blocks) == (CUT, complete.expected, None, None)
        assert (layout.start, layout.first_block) == (0, 3)
        blocks[:] = saved


def test_no_data_block_at_all() -> None:
    made = new_cartridge()
    write_archive(made, MEMBERS)
    damage(made, *range(len(made.files[FILE].blocks)))
    with pytest.raises(VerificationFailed, match="neither its header nor any data block"):
        find_layout(made, opened(made))


def test_a_second_segment_without_header_and_trailer() -> None:
    """Its stream does not begin at 0, nor does its sequence; nothing tells how long its header was."""
    made = new_cartridge()
    made.to_end_of_data()
    writer = SegmentWriter(made, ARCHIVE, 1, 50, BLOCK_BYTES, NoCompressor())
    with writer.threads():
        writer.write_document(Kind.HEADER, b"not a header")
        packer = StreamPacker(writer, 40 * CUT)
        packer.write(noise(3 * CUT))
        packer.finish()
        writer.drain()
    segment = opened(made)
    assert (segment.header, segment.trailer) == (None, None)
    with PlainStream(made, find_layout(made, segment)) as stream:
        assert stream.layout.start == 40 * CUT
        assert stream.layout.expected.sequence_start == 50
        assert stream.read(3 * CUT) == noise(3 * CUT)


def test_an_empty_data_block_is_no_measure() -> None:
    made = new_cartridge()
    made.to_end_of_data()
    writer = SegmentWriter(made, ARCHIVE, 0, 0, BLOCK_BYTES, NoCompressor())
    with writer.threads():
        for number in range(3):
            writer.write_data(writer.buffer(), 0, number)
        writer.drain()
    with pytest.raises(VerificationFailed):
        find_layout(made, opened(made))


# --- unpacking ------------------------------------------------------------------------------------------------------


def entries_of(drive: ListDrive) -> list[Entry]:
    with tarfile.open(fileobj=io.BytesIO(whole(drive))) as tar:
        assert len(tar.getmembers()) == len(MEMBERS)
    return write_archive(new_cartridge(), MEMBERS)


def test_everything_both_ways(drive: ListDrive) -> None:
    entries = entries_of(drive)
    expected = [(member, data) for member, data in MEMBERS]
    with new_stream(drive) as stream:
        found = [(item.member, content(item)) for item in by_catalog(stream, entries) if isinstance(item, FoundMember)]
        assert found == expected
    with new_stream(drive) as stream:
        found = [(item.member, content(item)) for item in one_by_one(stream) if isinstance(item, FoundMember)]
        assert found == expected


def test_content_that_nobody_reads_is_passed_over(drive: ListDrive) -> None:
    for walk in (lambda stream: by_catalog(stream, entries_of(drive)), one_by_one):
        with new_stream(drive) as stream:
            paths = [item.member.path for item in walk(stream) if isinstance(item, FoundMember)]
        assert paths == [member.path for member, _ in MEMBERS]


def covered(entries: list[Entry], number: int, end: int) -> list[bool]:
    """Which members a data block holds something of: headers, content, not the padding behind."""
    behind = [entry.offset for entry in entries[1:]] + [end - 1024]
    return [
        entry.offset < (number + 1) * CUT and number * CUT < stop for entry, stop in zip(entries, behind, strict=True)
    ]


def test_each_block_lost_takes_only_the_members_in_it(drive: ListDrive) -> None:
    entries, end = entries_of(drive), len(whole(drive))
    for index, number in enumerate(data_blocks(drive)):
        saved = drive.files[FILE].blocks[number]
        damage(drive, number)
        hit = covered(entries, index, end)
        with new_stream(drive) as stream:
            got = {}
            for item, entry in zip(by_catalog(stream, entries), entries, strict=True):
                assert (item.path if isinstance(item, LostMember) else item.member.path) == entry.path
                got[entry.path] = content(item)
        for (member, data), is_hit in zip(MEMBERS, hit, strict=True):
            if not is_hit:
                assert got[member.path] == data, f"block {number}: {member.path!r}"
            elif got[member.path] is not None:
                assert got[member.path] == data  # only its padding was lost
        assert None in got.values() or not any(hit)
        with new_stream(drive) as stream:
            found = {i.member.path: content(i) for i in one_by_one(stream) if isinstance(i, FoundMember)}
        for (member, data), is_hit in zip(MEMBERS, hit, strict=True):
            if not is_hit:
                assert found[member.path] == data, f"block {number}: {member.path!r}"
            elif found.get(member.path) is not None:
                assert found[member.path] == data
        drive.files[FILE].blocks[number] = saved


def inner_tar() -> bytes:
    return b"".join(
        pax.build_headers(Member(pax.REGULAR, b"inner%d" % n, size_bytes=CUT)) + noise(CUT, n) + bytes(pax.padding(CUT))
        for n in range(8)
    )


def test_a_tar_within_is_not_mistaken_where_the_catalog_is_there() -> None:
    members = (file("before", b"1"), file("backup.tar", inner_tar()), file("behind", b"2"))
    made = new_cartridge()
    entries = write_archive(made, members)
    for number in list(data_blocks(made))[1:4]:
        damage(made, number)
    with new_stream(made) as stream:
        found = [
            (i.path if isinstance(i, LostMember) else i.member.path, content(i)) for i in by_catalog(stream, entries)
        ]
    assert found == [(b"before", b"1"), (b"backup.tar", None), (b"behind", b"2")]


def test_behind_damage_a_tar_within_is_taken_for_members_where_there_is_no_catalog() -> None:
    """The price of going on without a catalog: what looks like a header counts as one. Nothing else is lost."""
    members = (file("before", b"1"), file("backup.tar", inner_tar()), file("behind", b"2"))
    made = new_cartridge()
    write_archive(made, members)
    with new_stream(made) as stream:
        assert [i.member.path for i in one_by_one(stream) if isinstance(i, FoundMember)] == [
            b"before", b"backup.tar", b"behind"]  # fmt: skip
    damage(made, data_blocks(made)[0])
    with new_stream(made) as stream:
        lost, *found = one_by_one(stream)
    assert isinstance(lost, LostMember)
    paths = [item.member.path for item in found if isinstance(item, FoundMember)]
    assert paths[-1] == b"behind"
    assert b"inner4" in paths


def test_a_catalog_that_lies_about_a_place(drive: ListDrive) -> None:
    entries = entries_of(drive)
    wrong = [
        entries[1]._replace(offset=entries[2].offset),
        entries[1]._replace(offset=entries[1].offset + 512),
        entries[1]._replace(offset=1 << 60),
        entries[1]._replace(offset=entries[1].offset + 1),
        entries[1]._replace(flags=ABSENT),
        entries[1],
    ]
    with new_stream(drive) as stream:
        found = list(by_catalog(stream, wrong))
        assert [type(item) for item in found] == [LostMember] * 4 + [FoundMember]
    assert [item.why for item in found if isinstance(item, LostMember)] == [
        "another member is in its place: b'd/large'",
        "tar header: no ustar header, or its checksum does not match",
        "stream: it ends in the middle of a member",
        "tar header: no ustar header, or its checksum does not match",
    ]


def test_sparse_members() -> None:
    extents = ((0, 4096), (1 << 20, 100), (1 << 21, 0))
    data = noise(4196)
    many = tuple((place, 1) for place in range(0, 20_000, 2))
    members = (
        sparse_file("sparse", 1 << 21, extents, data),
        sparse_file("many", 20_000, many, noise(10_000)),
        file("behind", b"x"),
    )
    made = new_cartridge()
    entries = write_archive(made, members)
    for number in (None, *data_blocks(made)[:-1]):
        saved = list(made.files[FILE].blocks)
        if number is not None:
            damage(made, number)
        with new_stream(made) as stream:
            for item, (member, stored) in zip(by_catalog(stream, entries), members, strict=True):
                got = content(item)
                assert got in (None, stored)
                assert number is not None or got == stored
                if isinstance(item, FoundMember):
                    assert item.member == member
                    assert item.prefix == (b"" if member.sparse is None else pax.sparse_map(member.sparse))
        made.files[FILE].blocks[:] = saved


def raw_stream(data: bytes) -> ListDrive:
    """A cartridge with just these bytes as its stream."""
    made = new_cartridge()
    made.to_end_of_data()
    writer = SegmentWriter(made, ARCHIVE, 0, 0, BLOCK_BYTES, NoCompressor())
    with writer.threads():
        packer = StreamPacker(writer)
        packer.write(data)
        packer.finish()
        writer.drain()
    return made


GOOD = pax.build_headers(Member(pax.REGULAR, b"good", size_bytes=3)) + b"abc" + bytes(509)
GIANT_PAX = bytearray(pax.build_headers(Member(pax.REGULAR, b"g", atime_ns=0))[:512])
GIANT_PAX[124:136] = b"%011o\0" % ((1 << 20) + 1)
GIANT_PAX[148:156] = b"%06o\0 " % sum(GIANT_PAX[:148] + b" " * 8 + GIANT_PAX[156:])


@pytest.mark.parametrize(
    ("bad", "why"),
    (
        (b"garbage!" * 64, "no ustar header"),
        (bytes(GIANT_PAX), "limit 1048576"),
        (pax.build_headers(Member(pax.REGULAR, b"x", atime_ns=0))[:1024] * 2, "two in a row"),
        (pax.build_headers(Member(pax.REGULAR, b"x", size_bytes=9, sparse=((0, 9),))) + bytes(1024), "sparse map"),
        (pax.build_headers(Member(pax.REGULAR, b"x", size_bytes=9, sparse=((0, 9),))) + b"1\n0\n8\n".ljust(1024, b"\0"),
         "do not add up"),
    ),
)  # fmt: skip
def test_bad_headers_between_good_ones(bad: bytes, why: str) -> None:
    made = raw_stream(GOOD + bad + GOOD + GOOD + pax.END_OF_ARCHIVE)
    with PlainStream(made, _layout()) as stream:
        items = list(one_by_one(stream))
    lost = [item for item in items if isinstance(item, LostMember)]
    assert len(lost) == 1
    assert why in lost[0].why
    assert sum(isinstance(item, FoundMember) for item in items) >= 2


def _layout() -> StreamLayout:
    drive = raw_stream(GOOD)
    layout = find_layout(drive, opened(drive))
    return StreamLayout(FILE, 0, None, CUT, 0, None, layout.expected)


def test_a_stream_that_was_cut_short() -> None:
    """A crash: the members before it are whole, the one it hit says so, and that is all."""
    made = new_cartridge()
    write_archive(made, MEMBERS)
    del made.files[FILE].blocks[6:]
    made.files[FILE].has_filemark = False
    with new_stream(made) as stream:
        items = list(one_by_one(stream))
        paths = [item.member.path if isinstance(item, FoundMember) else None for item in items]
    assert paths[:3] == [b"d", b"d/small", b"d/large"]
    with new_stream(made) as stream:
        got = [content(item) for item in one_by_one(stream)]
    assert got[:3] == [b"", b"small", None]
    assert set(got[3:]) <= {None}


def test_open_cartridge_then_stream(drive: ListDrive) -> None:
    (segment,) = open_cartridge(drive).segments()
    assert segment.problem == ""
    assert segment.is_complete
