"""Writes cartridges with small archives on a ListDrive, through the stages that a backup goes through."""

import dataclasses
import hashlib
import random

from formats import catalog, pax, segment
from formats.block import Kind
from formats.catalog import Entry
from formats.label import Label
from formats.pax import Member
from tapekit.blocks.codec import Compressor, NoCompressor
from tapekit.blocks.write import SegmentWriter
from tapekit.cartridge.cartridge import label_block
from tapekit.cartridge.catalog import CatalogBuilder
from tapekit.stream.pack import StreamPacker
from tests.blocks.list_drive import ListDrive

BLOCK_BYTES = 4096
CUT = BLOCK_BYTES - 144
TIME = "2026-11-23T21:30:00Z"
CARTRIDGE = "c0" * 16
LABEL = Label(1, CARTRIDGE, "WED-1", None, TIME, "tapekit test", BLOCK_BYTES, "00" * 32)
TYPES = {pax.REGULAR: catalog.REGULAR, pax.DIRECTORY: catalog.DIRECTORY, pax.SYMLINK: catalog.SYMLINK}

Members = tuple[tuple[Member, bytes], ...]


def new_cartridge() -> ListDrive:
    """A labelled cartridge, its kit two blocks that are none."""
    return ListDrive([label_block(LABEL)], [bytes(10240), bytes(10240)])


def file(path: str, content: bytes) -> tuple[Member, bytes]:
    return Member(pax.REGULAR, path.encode(), size_bytes=len(content)), content


def sparse_file(path: str, size: int, extents: tuple[tuple[int, int], ...], data: bytes) -> tuple[Member, bytes]:
    member = Member(pax.REGULAR, path.encode(), size_bytes=size, sparse=extents)
    return member, pax.sparse_map(extents) + data


def noise(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


def header_of(archive: bytes, **changes: object) -> segment.SegmentHeader:
    header = segment.SegmentHeader(
        format=1, archive=archive.hex(), segment=0, job="nightly", site="", host="h", started=TIME, tool="t", root="/",
        block_size=BLOCK_BYTES, cut=CUT, stream_start=0, sequence_start=0, compression="none",
    )  # fmt: skip
    return dataclasses.replace(header, **changes)  # type: ignore[arg-type]


def write_archive(
    drive: ListDrive, members: Members, archive: bytes = b"\1" * 16, compressor: Compressor | None = None,
    state: str = segment.COMPLETE, host: str = "h", directory: tuple[segment.DirectoryEntry, ...] = (),
) -> list[Entry]:  # fmt: skip
    """One archive behind what is there; its catalog's entries."""
    drive.to_end_of_data()
    header = header_of(archive, host=host)
    writer = SegmentWriter(drive, archive, 0, 0, BLOCK_BYTES, compressor or NoCompressor())
    builder, entries = CatalogBuilder(CUT), []
    with builder, writer.threads():
        writer.write_document(Kind.HEADER, segment.build_header(header))
        packer = StreamPacker(writer)
        for member, content in members:
            entries.append(_entry(member, content, packer.offset))
            packer.write(pax.build_headers(member))
            packer.write(content)
            packer.zeros(pax.padding(len(content)))
            builder.add(entries[-1])
        packer.write(pax.END_OF_ARCHIVE)
        packer.finish()
        for table, is_last in builder.stored(builder.finish()):
            writer.write_table(table.stored, table.plain_bytes, table.first, last=is_last)
        writer.drain()
        counts, digest = writer.sums()
        trailer = segment.Trailer(
            archive=archive.hex(), segment=0, job="nightly", started=TIME, state=state, finished=TIME,
            members=len(entries), problems=0, source_bytes=0, stream_bytes=packer.offset,
            stored_bytes=writer.stored_bytes, blocks=counts, blocks_sha256=digest,
            catalog_block=counts.header + counts.data, directory=directory,
        )  # fmt: skip
        writer.write_document(Kind.TRAILER, segment.build_trailer(trailer))
        writer.drain()
    drive.write_filemark()
    return entries


def _entry(member: Member, content: bytes, offset: int) -> Entry:
    is_file = member.type == pax.REGULAR
    return Entry(
        TYPES[member.type], catalog.SPARSE if member.sparse is not None else 0, member.mode, 0, 0, b"", b"", b"", 0, 0,
        0, member.size_bytes, member.size_bytes, 0, 0, offset,
        hashlib.sha256(content).digest() if is_file else catalog.NO_DIGEST, member.path, member.link,
    )  # fmt: skip
