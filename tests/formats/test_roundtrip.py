"""Whatever is built is parsed as what it was, and parsed again gives the same bytes."""

import array
import dataclasses
import json
import re
import string
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats import block, catalog, delta, document, label, parity, pax, recordlog, segment
from formats.block import BlockHead, Kind
from formats.delta import Extent, ExtentKind
from formats.errors import Damaged, FormatError, TooLarge
from formats.keyslot import KINDS, Commitment, KeySlot, Signature
from formats.parity import ParityBlock, Shape

U8, U32, U64 = st.integers(0, 0xFF), st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
I64 = st.integers(-(2**63), 2**63 - 1)
IDS = st.binary(min_size=16, max_size=16).map(bytes.hex)
DIGESTS = st.binary(min_size=32, max_size=32).map(bytes.hex)
TIMES = st.datetimes().map(lambda time: f"{time:%Y-%m-%dT%H:%M:%SZ}".rjust(20, "0"))
TEXTS = st.text(max_size=20)
NAME_BYTES = st.binary(min_size=1, max_size=300).filter(lambda name: b"\0" not in name and name.strip(b"/"))


@given(st.builds(
    BlockHead, kind=st.sampled_from(Kind), flags=st.integers(0, 7), payload_bytes=st.just(0),
    archive=st.binary(min_size=16, max_size=16), segment=U32, parity_group=U32, sequence=U64, stream_offset=U64,
    plain_bytes=st.integers(0, 16 << 20),
), st.binary(max_size=500))  # fmt: skip
def test_block(head: BlockHead, payload: bytes) -> None:
    head = dataclasses.replace(head, payload_bytes=len(payload))
    data = block.seal(block.authenticated(head), payload) + payload
    parsed = block.parse(data)
    assert {f.name: getattr(parsed, f.name) for f in dataclasses.fields(head)} == dataclasses.asdict(head)
    assert block.payload(data) == payload
    assert block.digest(data) == parsed.digest
    assert (parsed.is_compressed, parsed.is_encrypted, parsed.is_last) == tuple(bool(head.flags & b) for b in (1, 2, 4))


@given(st.builds(recordlog.RecordHeader, kind=st.sampled_from((1, 2)), number=U64, position=U64, epoch=U32, file=U32,
                 block=U32, length=U32, log_id=st.binary(min_size=16, max_size=16)))  # fmt: skip
def test_record_header(header: recordlog.RecordHeader) -> None:
    data = recordlog.build_record_header(header)
    assert len(data) == recordlog.HEADER_BYTES
    assert recordlog.parse_record_header(data + b"payload") == header


@given(U32, st.integers(2, 2**40), st.data())
def test_superblock(epoch: int, units: int, data: st.DataObject) -> None:
    end = data.draw(st.integers(2, units))
    last = data.draw(st.one_of(st.just(0), st.integers(2, end - 1))) if end > 2 else 0
    records = data.draw(st.integers(0, end - 2))
    superblock = recordlog.Superblock(
        epoch=epoch, log_id=data.draw(st.binary(min_size=16, max_size=16)), generation=data.draw(U64),
        size_bytes=units * 4096, end=end * 4096, records=records,
        files=data.draw(st.integers(0, min(records, recordlog.MOST_FILES))), last_filemark=last * 4096,
    )  # fmt: skip
    unit = recordlog.build_superblock(superblock)
    assert len(unit) == recordlog.UNIT_BYTES
    assert recordlog.parse_superblock(unit) == superblock


@given(U64, U64, st.sets(U32, max_size=300))
def test_filemark_table(start: int, previous: int, distances: set[int]) -> None:
    table = recordlog.FilemarkTable(start, previous, array.array("I", sorted(distances)))
    assert recordlog.parse_filemark_table(recordlog.build_filemark_table(table)) == table


@st.composite
def parity_blocks(draw: st.DrawFn) -> ParityBlock:
    shape = Shape(draw(st.integers(1, 40)), draw(st.integers(1, 3)), draw(st.integers(64, 70)))
    members = draw(st.integers(1, shape.lanes * 40))
    return ParityBlock(
        shape, draw(st.integers(0, shape.m - 1)), draw(st.integers(0, shape.lanes - 1)), draw(U64), members,
        draw(st.integers(members * 128, shape.most_bytes)),
        draw(st.binary(min_size=shape.shard_bytes, max_size=shape.shard_bytes)),
    )  # fmt: skip


@settings(max_examples=40)
@given(parity_blocks())
def test_parity(value: ParityBlock) -> None:
    assert parity.parse(parity.build(value)) == value


EXTENTS = st.one_of(
    st.builds(Extent, st.just(int(ExtentKind.BASE)), U64, U64),
    st.builds(Extent, st.sampled_from((int(ExtentKind.LITERAL), int(ExtentKind.ZEROS))), U64),
)


@given(st.lists(EXTENTS, max_size=20).map(tuple), st.binary(max_size=20))
def test_delta(extents: tuple[Extent, ...], literals: bytes) -> None:
    data = delta.build(extents)
    assert len(data) == delta.map_bytes(len(extents))
    assert delta.parse(data + literals, sum(extent.length for extent in extents)) == extents


def test_delta_too_large() -> None:
    with pytest.raises(TooLarge, match="delta map"):
        delta.build((Extent(0, 1 << 64),))


STRINGS = st.binary(max_size=12)
ENTRIES = st.builds(
    catalog.Entry, type=st.sampled_from(sorted(catalog.TYPES)), flags=st.integers(0, 31), mode=U32, uid=U32, gid=U32,
    owner=STRINGS, group=STRINGS, note=STRINGS, base=st.integers(0, 0xFFFF), reference=U64, inode=U64, size=U64,
    valid=U64, mtime_ns=I64, ctime_ns=I64, offset=U64, sha256=st.binary(min_size=32, max_size=32),
    path=st.binary(max_size=50), link=st.binary(max_size=50),
)  # fmt: skip


@settings(max_examples=40)
@given(U64, st.lists(ENTRIES, min_size=1, max_size=20))
def test_catalog_table(first: int, entries: list[catalog.Entry]) -> None:
    builder = catalog.TableBuilder(first, 1 << 20)
    assert all(builder.add(entry) for entry in entries)
    data = builder.build()
    assert catalog.parse_table(data) == (first, entries)
    assert len(builder) == len(entries)


@settings(max_examples=40)
@given(st.lists(ENTRIES, min_size=1, max_size=20), st.integers(400, 2000))
def test_catalog_tables_keep_their_limit(entries: list[catalog.Entry], limit: int) -> None:
    builder, found = catalog.TableBuilder(0, limit), []
    for entry in entries:
        if not builder.add(entry):
            assert len(builder.build()) <= limit
            found += catalog.parse_table(builder.build())[1]
            builder = catalog.TableBuilder(len(found), limit)
            assert builder.add(entry)
    data = builder.build()
    assert len(data) <= limit
    assert found + catalog.parse_table(data)[1] == entries


EMPTY_ENTRY = catalog.Entry(b"f", 0, 0, 0, 0, b"", b"", b"", 0, 0, 0, 0, 0, 0, 0, 0, bytes(32), b"", b"")


def test_catalog_limit_is_exact() -> None:
    size = len(_built(EMPTY_ENTRY._replace(path=b"p" * 50, link=b"l" * 7, note=b"n" * 3)))
    entry = EMPTY_ENTRY._replace(path=b"p" * 50, link=b"l" * 7, note=b"n" * 3)
    assert catalog.TableBuilder(0, size).add(entry)
    with pytest.raises(TooLarge, match="room for"):
        catalog.TableBuilder(0, size - 1).add(entry)


def test_catalog_string_over_64_kib_is_refused_at_once() -> None:
    builder = catalog.TableBuilder(0, 1 << 20)
    assert builder.add(EMPTY_ENTRY)
    with pytest.raises(TooLarge, match="note"):
        builder.add(EMPTY_ENTRY._replace(note=b"n" * 65536))
    assert builder.add(EMPTY_ENTRY._replace(note=b"n" * 65535))
    assert len(catalog.parse_table(builder.build())[1]) == 2


def test_catalog_number_that_does_not_fit() -> None:
    with pytest.raises(TooLarge, match="catalog table"):
        _built(EMPTY_ENTRY._replace(uid=1 << 32))


def test_catalog_holds_65535_strings() -> None:
    builder = catalog.TableBuilder(0, 1 << 24)
    entries = (
        EMPTY_ENTRY._replace(owner=b"o%d" % number, group=b"g%d" % number, note=b"%d" % number)
        for number in range(30_000)
    )
    taken = sum(map(builder.add, entries))
    assert taken == 21_844  # three each: with the empty string, 65,533; and no room for three more
    assert catalog.parse_table(builder.build())[1][-1].note == b"21843"


def _built(entry: catalog.Entry) -> bytes:
    builder = catalog.TableBuilder(0, 1 << 20)
    assert builder.add(entry)
    return builder.build()


SLOTS = st.builds(
    KeySlot, kind=st.sampled_from(sorted(KINDS)), role=TEXTS, name=TEXTS, wrapped=TEXTS,
    salt=st.none() | TEXTS, log2_n=st.none() | U8,
    r=st.none() | U8, p=st.none() | U8, key=st.none() | TEXTS, enc=st.none() | TEXTS, sha256=st.none() | DIGESTS,
)  # fmt: skip
LABELS = st.builds(
    label.Label, format=st.just(1), cartridge=IDS, barcode=st.none() | TEXTS, pool=st.none() | TEXTS, labelled=TIMES,
    tool=TEXTS, block_size=st.integers(1, 4095).map(lambda n: n * 4096), kit_sha256=DIGESTS,
    canary=st.lists(SLOTS, max_size=3).map(tuple),
)  # fmt: skip


@settings(max_examples=40)
@given(LABELS)
def test_label(value: label.Label) -> None:
    assert label.parse(label.build(value)) == value
    assert value.name == (value.barcode or value.cartridge[:8])


PREVIOUS = st.builds(segment.PreviousSegment, IDS, TEXTS, st.none() | DIGESTS, U64, U64)


@settings(max_examples=40)
@given(IDS, st.integers(1, 4095), TIMES, st.data())
def test_header(archive: str, units: int, started: str, data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, units * 4096 - 144))
    previous = data.draw(st.lists(PREVIOUS, max_size=3))
    value = segment.SegmentHeader(
        format=1, archive=archive, segment=len(previous), job=data.draw(TEXTS), site=data.draw(TEXTS),
        host=data.draw(TEXTS), started=started, tool="t", root=data.draw(TEXTS), block_size=units * 4096, cut=cut,
        stream_start=cut * data.draw(st.integers(0, 2**20)), sequence_start=data.draw(U64), compression="zstd",
        cipher=data.draw(st.none() | TEXTS), slots=tuple(data.draw(st.lists(SLOTS, max_size=3))),
        commitment=data.draw(st.none() | st.builds(Commitment, TEXTS, TEXTS)),
        parity=data.draw(st.none() | st.just(segment.ParityScheme("rs8", 64, 2, 18, 3936))),
        bases=tuple(data.draw(st.lists(IDS, max_size=3))),
        previous=tuple(previous),
    )  # fmt: skip
    assert segment.parse_header(segment.build_header(value)) == value


DIRECTORY_ENTRIES = st.builds(
    segment.DirectoryEntry, file=U32, archive=IDS, segment=U32, job=TEXTS, started=TIMES, finished=TIMES,
    state=st.sampled_from(("complete", "continued", "aborted", "incomplete")), members=U64, problems=U64,
    source_bytes=U64, stored_bytes=U64, trailer_sha256=st.none() | DIGESTS,
    evidence=st.none() | st.builds(segment.Evidence, TEXTS, TIMES),
)  # fmt: skip
TRAILERS = st.builds(
    segment.Trailer, archive=IDS, segment=U32, job=TEXTS, started=TIMES,
    state=st.sampled_from(("complete", "continued", "aborted")), finished=TIMES, members=U64, problems=U64,
    source_bytes=U64, stream_bytes=U64, stored_bytes=U64, blocks=st.just(segment.BlockCounts(1, 2, 3, 4)),
    blocks_sha256=DIGESTS, catalog_block=st.just(6), directory=st.lists(DIRECTORY_ENTRIES, max_size=4).map(tuple),
    directory_omitted=U32, first_member=U64, audit=st.none() | st.builds(segment.AuditHead, U64, DIGESTS),
    signature=st.none() | st.builds(Signature, TEXTS, TEXTS, TEXTS),
)  # fmt: skip


@settings(max_examples=40)
@given(TRAILERS)
def test_trailer(value: segment.Trailer) -> None:
    assert segment.parse_trailer(segment.build_trailer(value)) == value
    assert value.blocks.total == 10


@settings(max_examples=40)
@given(TRAILERS, st.integers(1200, 4000))
def test_trailer_within_a_limit_drops_the_oldest(value: segment.Trailer, limit: int) -> None:
    try:
        data = segment.build_trailer(value, limit)
    except TooLarge:
        assert len(segment.build_trailer(dataclasses.replace(value, directory=()))) > limit - 30
        return
    assert len(data) <= limit
    parsed = segment.parse_trailer(data)
    kept = len(parsed.directory)
    assert parsed.directory == value.directory[len(value.directory) - kept :]
    assert parsed.directory_omitted == value.directory_omitted + len(value.directory) - kept


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(max_examples=40)
@given(JSON)
def test_canonical_json(value: Any) -> None:  # noqa: ANN401 - any JSON value
    data = document.canonical(value)
    assert json.loads(data) == value
    assert document.canonical(json.loads(data)) == data
    outside_strings = re.sub(r'"(\\.|[^"\\])*"', "", data.decode())
    assert not set(outside_strings) & set(string.whitespace)


MEMBERS = st.builds(
    pax.Member, type=st.sampled_from(sorted(pax.TYPES)), path=NAME_BYTES.map(lambda path: path.rstrip(b"/")),
    mode=st.integers(0, 0o7777), uid=U32, gid=U32, owner=st.binary(max_size=40).filter(lambda o: b"\0" not in o),
    group=st.binary(max_size=40).filter(lambda o: b"\0" not in o), size_bytes=st.just(0), sparse=st.none(),
    mtime_ns=st.integers(-(2**70), 2**70), atime_ns=st.none() | I64,
    link=st.binary(max_size=150).filter(lambda link: b"\0" not in link),
    device=st.tuples(st.integers(0, 0o7777777), st.integers(0, 0o7777777)),
    xattrs=st.dictionaries(NAME_BYTES, st.binary(max_size=50), max_size=3).map(lambda d: tuple(d.items())),
    acl_access=st.none() | st.binary(max_size=50), acl_default=st.none() | st.binary(max_size=50),
    extra=st.dictionaries(st.sampled_from((b"TAPEKIT.a", b"TAPEKIT.b")), st.binary(max_size=20)).map(
        lambda d: tuple(d.items())),
)  # fmt: skip


@settings(max_examples=40)
@given(MEMBERS, st.integers(0, 2**63 - 1))
def test_member(member: pax.Member, size: int) -> None:
    if member.type == pax.REGULAR:
        member = member._replace(size_bytes=size)
    data = pax.build_headers(member)
    assert len(data) % 512 == 0
    header, records = pax.parse_header(data[:512]), {}
    if header.type == pax.PAX_HEADER:
        records = pax.parse_pax_records(data[512 : 512 + header.size_bytes])
        header = pax.parse_header(data[-512:])
    assert pax.combine(header, records) == (member, member.size_bytes)


@given(NAME_BYTES, st.booleans())
def test_path_record_only_where_the_fields_do_not_hold_it(path: bytes, is_directory: bool) -> None:  # noqa: FBT001
    path = path.strip(b"/")
    stored = path + b"/" if is_directory else path
    data = pax.build_headers(pax.Member(pax.DIRECTORY if is_directory else pax.REGULAR, path))
    cuts = [at for at in range(1, len(stored)) if stored[at : at + 1] == b"/"]
    fits = len(stored) <= 100 or any(at <= 155 and 1 <= len(stored) - at - 1 <= 100 for at in cuts)
    assert fits == (len(data) == 512)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), max_size=50))
def test_sparse_map(gaps: list[tuple[int, int]]) -> None:
    extents, place = [], 0
    for gap, size in gaps:
        extents.append((place + gap, size))
        place += gap + size
    data = pax.sparse_map(extents)
    assert pax.parse_sparse_map(data + b"data", place) == (tuple(extents), len(data))
    assert pax.parse_sparse_map(data[:1], place) is None or len(data) == 1


def test_what_no_header_holds() -> None:
    with pytest.raises(TooLarge, match="limit 1048576"):
        pax.build_headers(pax.Member(pax.REGULAR, b"f", xattrs=((b"user.a", bytes(1 << 20)),)))
    with pytest.raises(TooLarge, match="device"):
        pax.build_headers(pax.Member(pax.BLOCK_DEVICE, b"f", device=(0, 1 << 21)))
    with pytest.raises(TooLarge, match="extents"):
        pax.build_headers(pax.Member(pax.REGULAR, b"f", sparse=((0, 0),) * ((1 << 20) + 1)))


def test_distance_over_16_tib() -> None:
    assert recordlog.distance(8192, 8192 + (2**32 - 1) * 4096) == 2**32 - 1
    with pytest.raises(TooLarge):
        recordlog.distance(8192, 8192 + 2**32 * 4096)


@pytest.mark.parametrize(("length", "expected"), ((0, 4096), (4032, 4096), (4033, 8192), (1 << 20, (1 << 20) + 4096)))
def test_record_bytes(length: int, expected: int) -> None:
    assert recordlog.record_bytes(length) == expected


def test_document_over_16_mib() -> None:
    @dataclasses.dataclass(frozen=True)
    class Large:
        text: str

    limit = document.LARGEST_DOCUMENT_BYTES
    whole = document.build(Large("x" * (limit - len('{"text":""}'))))
    assert len(document.parse("large", Large, whole).text) == limit - 11
    with pytest.raises(TooLarge, match="limit"):
        document.build(Large("x" * limit))
    with pytest.raises(Damaged, match="limit"):
        document.parse("large", Large, whole + b" ")


@given(st.binary(max_size=300))
def test_random_bytes_are_a_format_error(data: bytes) -> None:
    for parse in (
        block.parse, label.parse, segment.parse_header, segment.parse_trailer, catalog.parse_table, parity.parse,
        recordlog.parse_superblock, recordlog.parse_record_header, recordlog.parse_filemark_table, pax.parse_header,
    ):  # fmt: skip
        with pytest.raises(FormatError):
            parse(data)
    with pytest.raises(FormatError):
        delta.parse(data, 100)
    assert not pax.looks_like_header(data)


@pytest.mark.parametrize("bad", ("\ud800", "a\udc80b"))
def test_names_that_are_no_unicode_survive(bad: str) -> None:
    """What Python makes of a host name or directory that is not UTF-8."""
    value = dataclasses.replace(_LABEL, pool=bad)
    assert label.parse(label.build(value)) == value


_LABEL = label.Label(1, "00" * 16, None, None, "2026-11-23T21:30:00Z", "t", 4096, "00" * 32)
