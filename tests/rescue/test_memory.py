"""A cartridge that wants to fill the memory of who restores it: 64 MiB more than usual must be enough."""

import os
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from backports import zstd

from tests.rescue import disk, packer, tables, writer
from tests.rescue.kit import BARE, FULL, rescue, write_image

MIB = 1 << 20
MOST_MORE_KIB = 64 * 1024
LARGEST_PLAIN = 16 * MIB

# The peak of this process alone: ru_maxrss would count what stood in memory before the interpreter was started.
PROBE = """
import atexit, runpy, sys
def peak():
    with open("/proc/self/status") as status:
        print(next(line for line in status if line.startswith("VmHWM")), file=sys.stderr)
atexit.register(peak)
sys.argv.pop(0)
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def peak_kib(*arguments: object, python: Sequence[str] = BARE, environment: dict[str, str] | None = None) -> int:
    """Run the kit, and tell how much memory it held at most."""
    probe = (*python, "-c", PROBE)
    run = rescue(*arguments, python=probe, environment=environment)
    assert run.code in (0, 4, 6), run.err
    lines = [line for line in run.err.splitlines() if line.startswith("VmHWM")]
    return int(lines[-1].split()[1])


def more_kib(image: Path, tmp_path: Path, *, python: Sequence[str] = BARE, options: Sequence[object] = ()) -> int:
    """How much more memory than for a small archive it takes to restore from an image."""
    usual = tmp_path / "usual"
    write_image(usual, writer.archive(tables.simple_stream({"a": b"x" * 5000}), compress=True))
    base = peak_kib("restore", usual, "--to", tmp_path / "usual-files", python=python)
    return peak_kib("restore", image, "--to", tmp_path / "files", *options, python=python) - base


def small() -> writer.Segment:
    return writer.archive(tables.simple_stream({"a": b"x"}))


def write_blocks(path: Path, blocks: Sequence[bytes]) -> None:
    files = [disk.LogFile(file) for file in (writer.label_file(), [], blocks)]
    path.write_bytes(disk.image(disk.Log(files).content))


def with_block(path: Path, number: int, kind: int, plain: bytes, offset: int = 0, flags: int = writer.LAST) -> None:
    """A small archive with another block, compressed, in one's place."""
    archive = small()
    blocks = archive.blocks()
    number %= len(blocks)
    payload, flags = (plain, flags) if kind == writer.HEADER else (zstd.compress(plain), flags | writer.COMPRESSED)
    blocks[number] = writer.block(
        kind,
        payload,
        archive=archive.archive,
        sequence=number,
        offset=offset,
        flags=flags,
        plain_bytes=min(len(plain), LARGEST_PLAIN),
    )
    write_blocks(path, blocks)


def many(piece: bytes, size: int = LARGEST_PLAIN - 200_000) -> bytes:
    return b'{"a":[' + piece * (size // len(piece)) + b"0]}"


def record(kind: int, position: int, number: int, file: int, block: int, length: int) -> bytes:
    head = b"TKR1" + bytes([kind, 0, 0, 0]) + struct.pack(">QQIIII", number, position, 1, file, block, length)
    head += disk.LOG_ID + bytes(4)
    return head + struct.pack(">I", zlib.crc32(head))


def giant_filemark(path: Path) -> None:
    """The last filemark claims 4 GiB, and the image, which is sparse, has them."""
    mark = record(2, 8192, 2**30 - 7, 0, 2**30 - 7, 2**32 - 4)
    block = disk.superblock(epoch=1, generation=8, size=2**40, end=12288, records=2**30, files=1, last_filemark=8192)
    write_sparse(path, 5 << 30, {0: block, 4096: block, 8192: mark})


def giant_block(path: Path) -> None:
    """The same of a block, in a log without superblocks."""
    write_sparse(path, 5 << 30, {8192: record(1, 8192, 0, 0, 0, 2**32 - 1)})


def far_block(path: Path) -> None:
    """A record far behind says that six million blocks are lost before it."""
    units = (6 << 20) + 10
    place = 8192 + units * 4096
    parts = {8192: record(1, 8192, 0, 0, 0, 100), place: record(1, place, units, 0, (6 << 20) - 1, 100)}
    mark = record(2, place + 4096, units + 1, 0, 6 << 20, 24 + 4 * (6 << 20))
    end = place + 4096 + (25 << 20)
    block = disk.superblock(
        epoch=1, generation=8, size=2**40, end=end, records=units + 2, files=1, last_filemark=place + 4096
    )
    write_sparse(path, end + MIB, {**parts, 0: block, 4096: block, place + 4096: mark})


def write_sparse(path: Path, size: int, parts: dict[int, bytes]) -> None:
    with path.open("wb") as image:
        image.truncate(size)
        for position, part in parts.items():
            image.seek(position)
            image.write(part)


def listed_filemark(path: Path) -> None:
    """A sound filemark lists a million blocks, all at the same place."""
    n = 1 << 20
    payload = struct.pack(">QQI", 8192, 0, n) + bytes(4 * n)
    payload += struct.pack(">I", zlib.crc32(payload))
    place = 8192 + n * 4096
    mark = record(2, place, n, 0, n, len(payload))
    end = place + -(-(64 + len(payload)) // 4096) * 4096
    block = disk.superblock(epoch=1, generation=8, size=2**40, end=end, records=n + 1, files=1, last_filemark=place)
    write_sparse(path, end, {0: block, 4096: block, place: mark + payload})


def label_of_lists(path: Path) -> None:
    label = writer.block(writer.LABEL, many(b"[],"), archive=writer.CARTRIDGE_ID, flags=writer.LAST)
    files = [[label], [], small().blocks()]
    path.write_bytes(disk.image(disk.Log([disk.LogFile(file) for file in files]).content))


def header_in_pieces(path: Path) -> None:
    """A header document of 100 MiB."""
    archive, piece = small(), bytes(1 << 20)
    blocks = [
        writer.block(writer.HEADER, piece, archive=archive.archive, sequence=i, offset=i * len(piece))
        for i in range(100)
    ]
    write_blocks(path, blocks)


def many_members(path: Path) -> None:
    n = (LARGEST_PLAIN - 100) // 118
    table = b"TKC1" + struct.pack(">IQHII", n, 0, 1, 0, 0) + b"f" * n + bytes(117 * n) + bytes(2)
    with_block(path, -2, writer.CATALOG, table)


def sparse_member(path: Path, sparse_map: bytes) -> None:
    pax = {b"GNU.sparse.major": b"1", b"GNU.sparse.minor": b"0", b"GNU.sparse.name": b"s", b"GNU.sparse.realsize": b"9"}
    body = b"".join(packer.pax_record(key, value) for key, value in pax.items())
    head = packer.header(b"x", b"x", size=len(body)) + body + bytes(-len(body) % 512)
    head += packer.header(b"s", b"0", size=len(sparse_map))
    stream = head + sparse_map + bytes(1024)
    write_image(path, writer.Segment(stream, trailer=False, cut=MIB, compress=True))


def long_names(path: Path) -> None:
    """Names of nearly 1 MiB that must be shown, each character as ten."""
    stream = b""
    for i in range(20):
        name = b"%d" % i + "\U000e0001".encode() * 260_000
        body = packer.pax_record(b"path", name)
        stream += packer.header(b"x", b"x", size=len(body)) + body + bytes(-len(body) % 512) + packer.header(b"n", b"0")
    write_image(path, writer.Segment(stream + bytes(1024), trailer=False, cut=MIB, compress=True))


HOSTILE: dict[str, Callable[[Path], None]] = {
    "filemark of 4 GiB": giant_filemark,
    "block of 4 GiB": giant_block,
    "block far behind": far_block,
    "filemark that lists a million": listed_filemark,
    "label of lists": label_of_lists,
    "header of lists": lambda path: with_block(path, 0, writer.HEADER, many(b"[],")),
    "header in pieces": header_in_pieces,
    "trailer of objects": lambda path: with_block(path, -1, writer.TRAILER, many(b"{},")),
    "trailer of texts": lambda path: with_block(path, -1, writer.TRAILER, many(b'"ab",')),
    "trailer of one text": lambda path: with_block(path, -1, writer.TRAILER, many("\U0001f600".encode() + b"a" * 999)),
    "trailer at the limits": lambda path: with_block(path, -1, writer.TRAILER, many(b"{},", 190_000)),
    "trailer of text at the limits": lambda path: with_block(
        path, -1, writer.TRAILER, many("\U0001f600".encode() + b"a" * 999, (4 << 20) - 20)
    ),
    "table of many members": many_members,
    "map of many extents": lambda path: sparse_member(
        path, (b"1048576\n" + b"0000000000000000000\n" * 2097152)[: 40 * MIB]
    ),
    "map without an end": lambda path: sparse_member(path, b"1" * (100 * MIB)),
    "long names": long_names,
    "a bomb": lambda path: with_block(path, 1, writer.DATA, bytes(1 << 28)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile(name: str, tmp_path: Path) -> None:
    HOSTILE[name](tmp_path / "image")
    assert more_kib(tmp_path / "image", tmp_path) <= MOST_MORE_KIB


def test_blocks_as_large_as_they_may_be(tmp_path: Path) -> None:
    files = {f"f{i}": os.urandom(LARGEST_PLAIN - 300_000) + bytes(290_000) for i in range(3)}
    archive = writer.archive(tables.simple_stream(files), cut=LARGEST_PLAIN, compress=True)
    write_image(tmp_path / "image", replace(archive, passphrases={"owner": "words"}))
    (tmp_path / "words").write_text("words")
    options = ["--passphrase-file", tmp_path / "words"]
    plain = tmp_path / "plain"
    write_image(plain, archive)
    assert more_kib(plain, tmp_path) <= MOST_MORE_KIB
    locked = tmp_path / "locked"  # what scrypt and the package take is usual
    write_image(locked, replace(small(), passphrases={"owner": "words"}))
    base = peak_kib("restore", locked, "--to", tmp_path / "locked-files", *options, python=FULL)
    peak = peak_kib("restore", tmp_path / "image", "--to", tmp_path / "unlocked", *options, python=FULL)
    assert peak - base <= MOST_MORE_KIB
