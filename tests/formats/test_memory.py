"""Real data as large as the format allows, in every shape that costs most: no parser takes more than 64 MiB for it."""

import array
import itertools
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from formats import block, catalog, delta, document, pax, recordlog, segment
from formats.errors import Damaged, TooLarge
from tapekit.blocks.codec import ZstdCompressor
from tests.peak import MOST_MIB, peak_mib

MIB = 1 << 20
ID, DIGEST, TIME = "ab" * 16, "cd" * 32, "2026-11-23T21:30:00Z"


def filled(text: bytes, piece: bytes, end: bytes) -> bytes:
    """A document of as many pieces as the limits allow."""
    parts = sum(map(piece.count, (b"[", b"{", b",")))
    count = min((document.LARGEST_DOCUMENT_BYTES - 200) // len(piece), (document.MOST_PARTS - 200) // max(1, parts))
    return text + piece * count + end


def wide(count: int) -> bytes:
    """Strings of four bytes a character, and objects of one key each, all different."""
    objects = b",".join(b'{"key %d":%d}' % (number, 10**12 + number) for number in range(count))
    text = "\U0001f4be".encode() * ((document.LARGEST_DOCUMENT_BYTES - len(objects) - 100) // 4)
    return b'{"z":[' + objects + b'],"y":"' + text + b'"}'


DOCUMENTS: dict[str, Callable[[], bytes]] = {
    "lists": lambda: filled(b'{"z":[', b"[],", b"0]}"),
    "nested lists": lambda: filled(b'{"z":[', b"[[[[[[[[]]]]]]]],", b"0]}"),
    "objects": lambda: filled(b'{"z":[', b'{"":0},', b"0]}"),
    "objects in objects": lambda: filled(b'{"z":[', b'{"":{"":{"":{}}}},', b"0]}"),
    "numbers": lambda: filled(b'{"z":[', b"1000,", b"0]}"),
    "strings": lambda: filled(b'{"z":[', b'"ab",', b"0]}"),
    "escaped": lambda: b'{"z":"' + b"\\u0416" * ((document.LARGEST_DOCUMENT_BYTES - 10) // 6) + b'"}',
    "wide": lambda: wide(document.MOST_PARTS // 2 - 10),
    "one string": lambda: b'{"z":"' + b"x" * (document.LARGEST_DOCUMENT_BYTES - 20) + "\U0001f4be".encode() + b'"}',
    "no limit on values": lambda: b'{"z":[' + b"[]," * 1_300_000 + b"0]}",
}


@pytest.mark.parametrize("make", DOCUMENTS.values(), ids=DOCUMENTS)
def test_documents(make: Callable[[], bytes], tmp_path: Path) -> None:
    path = tmp_path / "document"
    path.write_bytes(make())
    peak, _ = peak_mib(path, "label.parse(data)")
    assert peak < MOST_MIB


def trailer_with(entries: int) -> segment.Trailer:
    entry = segment.DirectoryEntry(
        2, ID, 0, "nightly", TIME, TIME, segment.COMPLETE, 10**6, 0, 10**12, 10**12, DIGEST,
        segment.Evidence("compared with the source", TIME),
    )  # fmt: skip
    return segment.Trailer(
        ID, 0, "nightly", TIME, segment.COMPLETE, TIME, 12, 0, 5000, 20480, 9000, segment.BlockCounts(1, 3, 0, 1),
        DIGEST, 4, directory=tuple(entry for _ in range(entries)),
    )  # fmt: skip


def test_trailer_with_as_many_archives_as_fit(tmp_path: Path) -> None:
    """The writer stops at the limits, with room for thousands; the reader takes what it wrote."""
    data = segment.build_trailer(trailer_with(10_000))
    found = segment.parse_trailer(data)
    assert len(found.directory) > 6000
    assert len(found.directory) + found.directory_omitted == 10_000
    path = tmp_path / "trailer"
    path.write_bytes(data)
    peak, outcome = peak_mib(path, "segment.parse_trailer(data)")
    assert (peak < MOST_MIB, outcome) == (True, "ok")


def test_a_document_of_too_many_values_is_neither_written_nor_read() -> None:
    header = segment.SegmentHeader(
        1, ID, 0, "j", "", "h", TIME, "t", "/", 4096, 3952, 0, 0, "none", bases=(ID,) * document.MOST_PARTS
    )
    with pytest.raises(TooLarge, match="limit"):
        segment.build_header(header)
    with pytest.raises(Damaged, match="lists, objects and commas"):
        segment.parse_header(document.canonical({"z": [0] * (document.MOST_PARTS + 1)}))


def test_sparse_map(tmp_path: Path) -> None:
    path = tmp_path / "map"
    path.write_bytes(pax.sparse_map((2**62 + 3000 * n, 1000 + n % 1000) for n in range(pax.MOST_SPARSE_EXTENTS)))
    peak, outcome = peak_mib(path, "pax.parse_sparse_map(data, (1 << 63) - 1)")
    assert (peak < MOST_MIB, outcome) == (True, "ok")


def test_pax_records(tmp_path: Path) -> None:
    lines = (b"11 %06x=\n"[: 9 + 2] % n for n in range(pax.LARGEST_PAX_HEADER_BYTES // 11))
    path = tmp_path / "pax"
    path.write_bytes(b"".join(lines)[: pax.LARGEST_PAX_HEADER_BYTES])
    peak, _ = peak_mib(path, "pax.parse_pax_records(data)")
    assert peak < MOST_MIB


def table(n: int, *, strings: int = 1, path_bytes: int = 0) -> bytes:
    """Members whose numbers are all large, and all different; the paths' bytes all with the first."""
    noise = os.urandom
    return b"".join((
        struct.pack(">4sIQHII", b"TKC1", n, 1 << 60, strings, path_bytes, 0), b"f" * n, bytes(n), noise(12 * n),
        bytes(8 * n), noise(56 * n), noise(32 * n), struct.pack(">I", path_bytes), bytes(8 * n - 4), b"p" * path_bytes,
        b"\0\0", b"\0\2ab" * (strings - 1),
    ))  # fmt: skip


TABLES: dict[str, Callable[[], bytes]] = {
    "members": lambda: table(catalog.MOST_MEMBERS),
    "members and path": lambda: table(catalog.MOST_MEMBERS, path_bytes=12 * MIB),
    "strings": lambda: table(1, strings=65535),
    "path": lambda: table(1, path_bytes=block.LARGEST_PLAIN_BYTES - 1000),
    "members over the limit": lambda: table((block.LARGEST_PLAIN_BYTES - 1000) // 118),
}


@pytest.mark.parametrize("make", TABLES.values(), ids=TABLES)
def test_catalog_tables(make: Callable[[], bytes], tmp_path: Path) -> None:
    path = tmp_path / "table"
    path.write_bytes(make())
    assert path.stat().st_size <= block.LARGEST_PLAIN_BYTES
    peak, _ = peak_mib(path, "catalog.parse_table(data)")
    assert peak < MOST_MIB


def test_a_table_of_too_many_members_is_neither_written_nor_read() -> None:
    entry = catalog.Entry(b"f", 0, 0, 0, 0, b"", b"", b"", 0, 0, 0, 0, 0, 0, 0, 0, bytes(32), b"", b"")
    builder = catalog.TableBuilder(0, block.LARGEST_PLAIN_BYTES)
    added = sum(1 for _ in itertools.takewhile(builder.add, itertools.repeat(entry)))
    assert added == catalog.MOST_MEMBERS
    assert len(catalog.parse_table(builder.build())[1]) == added
    with pytest.raises(Damaged, match="limit"):
        catalog.parse_table(table(added + 1))


def test_delta_map(tmp_path: Path) -> None:
    path = tmp_path / "delta"
    extents = tuple(delta.Extent(1, 1000 + n, (1 << 40) + n) for n in range(delta.MOST_EXTENTS))
    path.write_bytes(delta.build(extents))
    peak, outcome = peak_mib(path, f"delta.parse(data, {sum(extent.length for extent in extents)})")
    assert (peak < MOST_MIB, outcome) == (True, "ok")
    with pytest.raises(TooLarge, match="limit"):
        delta.build((*extents, extents[0]))


def test_filemark_table(tmp_path: Path) -> None:
    """From a file, in pieces, as a log is read."""
    distances = array.array("I", range(recordlog.MOST_BLOCKS))
    distances.byteswap()
    body = struct.pack(">QQI", 8192, 0, len(distances)) + distances.tobytes()
    path = tmp_path / "filemark"
    path.write_bytes(body + zlib.crc32(body).to_bytes(4, "big"))
    read = "(f := open(sys.argv[1], 'rb')) and (lambda offset, size: (f.seek(offset), f.read(size))[1])"
    size = path.stat().st_size
    peak, outcome = peak_mib(path, f"recordlog.read_filemark_table({size}, {read})", reads=False)
    assert (peak < MOST_MIB / 2, outcome) == (True, "ok")  # twice: of the blocks that were found, and of the filemark


def test_parity_block(tmp_path: Path) -> None:
    shard = block.LARGEST_BLOCK_BYTES - 1000
    path = tmp_path / "parity"
    path.write_bytes(struct.pack(">4sBBHHHIIIQ", b"TKP1", 1, 0, 1, 0, 0, shard, 128, 1, 1) + bytes(shard))
    peak, outcome = peak_mib(path, "parity.parse(data)")
    assert (peak < MOST_MIB, outcome) == (True, "ok")


def test_zstd_frame(tmp_path: Path) -> None:
    """A frame as large as what it yields, with the largest window."""
    plain = os.urandom(block.LARGEST_PLAIN_BYTES - MIB) + bytes(MIB)
    path = tmp_path / "frame"
    path.write_bytes(ZstdCompressor().compress(memoryview(plain)) or b"")
    peak, outcome = peak_mib(path, f"decompress(data, {len(plain)})")
    assert (peak < MOST_MIB, outcome) == (True, "ok")
