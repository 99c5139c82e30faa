"""A cartridge that wants to harm who restores it: nothing outside the target is touched, and nothing hangs."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fixtures.hostile import HOSTILE, Hostile, make_outside, outside_state
from tests.rescue import disk, packer, tables, writer
from tests.rescue.kit import FAILED, FINE, LOSSES, contents, rescue, write_image

SMALL = [hostile for hostile in HOSTILE if hostile.name != "pax-of-1-gib"]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """The directory that holds `target` and, beside it, `outside`."""
    directory = tmp_path / "place"
    (directory / "target").mkdir(parents=True)
    make_outside(directory)
    yield directory
    remove(directory)


def remove(directory: Path) -> None:
    """Also what is deeper than Python's own way can go."""
    subprocess.run(["rm", "-rf", directory], check=True)


@pytest.mark.long
@pytest.mark.parametrize("hostile", SMALL, ids=[hostile.name for hostile in SMALL])
def test_nothing_outside_is_touched(hostile: Hostile, place: Path) -> None:
    """Archive 1 has no catalog: it looks for the next header after what it cannot read. 2 has one: it goes by that."""
    before = outside_state(place / "outside")
    stream = b"".join(hostile.pieces(place / "outside"))
    entries = [tables.Entry(b"f", offset=0), tables.Entry(b"g", offset=1024)]
    image, target = place.parent / "image", place / "target"
    bare = writer.Segment(stream, trailer=False, cut=60_000)
    write_image(image, bare, replace(bare, archive=b"\2" * 16, trailer=True, entries=entries), front=False)
    assert rescue("restore", image, "--to", target, "--devices", "--archive", 1).code in (FINE, FAILED, LOSSES)
    assert outside_state(place / "outside") == before
    remove(target)
    assert rescue("restore", image, "--to", target, "--devices", "--archive", 2).code in (FINE, FAILED, LOSSES)
    assert outside_state(place / "outside") == before
    assert rescue("check", image).code in (FINE, LOSSES)


@pytest.mark.parametrize(
    "name", ("size-giant", "size-giant-in-pax", "content-cut", "pax-claims-2^62", "sparse-data-missing")
)
def test_a_tar_ends(name: str, place: Path) -> None:
    hostile = next(hostile for hostile in HOSTILE if hostile.name == name)
    stream = b"".join(pieces(hostile, place))
    write_image(place.parent / "image", writer.Segment(stream, trailer=False, cut=60_000))
    run = rescue("tar", place.parent / "image")
    assert run.code in (FAILED, LOSSES)
    assert len(run.raw) < 100_000


def test_a_header_of_one_gib_is_not_read(place: Path) -> None:
    hostile = next(hostile for hostile in HOSTILE if hostile.name == "pax-of-1-gib")
    start = b"".join(piece for _, piece in zip(range(4), pieces(hostile, place), strict=False))
    write_image(place.parent / "image", writer.Segment(start[: 4 << 20], trailer=False, cut=1 << 20))
    run = rescue("restore", place.parent / "image", "--to", place / "target")
    assert run.code == LOSSES
    assert "a pax header of more than 1 MiB" in run.err


def pieces(hostile: Hostile, place: Path) -> Iterator[bytes]:
    yield from hostile.pieces(place / "outside")


def test_what_lies_in_the_target_already_is_no_way_out(place: Path) -> None:
    """Symbolic links that somebody planted before the restore."""
    target = place / "target"
    (target / "link").symlink_to("../outside")
    (target / "file").symlink_to("../outside/victim")
    before = outside_state(place / "outside")
    stream = b"".join(
        [
            packer.header(b"link/escaped", b"0"),
            packer.header(b"link/", b"5", mode=0o777),
            packer.header(b"file", b"0", mode=0o777),
            packer.header(b"name", b"1", link=b"link/victim"),
            packer.header(b"d/honest", b"0"),
            bytes(1024),
        ]
    )
    write_image(place.parent / "image", writer.archive(stream))
    run = rescue("restore", place.parent / "image", "--to", target)
    assert run.code == LOSSES
    assert outside_state(place / "outside") == before
    assert contents(target) == {"d/honest": b""}
    assert "not restored: link/escaped: link, which leads to it, is not a directory" in run.err
    assert "not restored: link/: link, which leads to it, is not a directory" in run.err
    assert "not restored: file: something of that name is there already" in run.err


def test_names_cannot_write_on_the_terminal(place: Path) -> None:
    """Neither in the list nor in messages."""
    name = b"evil\x1b[2J\r\n\xff\\".decode(errors="surrogateescape")
    stream = tables.simple_stream({name: b"x"})
    job = "job\x1b[2J\u202e"
    entries = [*tables.entries_of(stream), tables.Entry(os.fsencode(name) + b"2", flags=tables.ABSENT, note=b"\x1b")]
    image = place.parent / "image"
    write_image(image, writer.Segment(stream, entries, job=job))
    for command, *options in (["list"], ["files"], ["restore", "--to", place / "target"]):
        run = rescue(command, image, *options)
        assert "\x1b" not in run.out + run.err
        assert "\u202e" not in run.out + run.err
        assert "\r" not in run.out + run.err
    assert "evil\\x1b[2J\\r\\n\\xff\\\\" in rescue("files", image).out


@pytest.mark.parametrize(
    "document",
    (
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"format":' + b"9" * 10_000 + b"}",
        b'{"format":1,"format":1}',
        b'{"format":"1"}',
        b"\xff",
        b"[]",
        b"null",
    ),
    ids=lambda value: repr(value[:24]),
)
def test_documents_that_are_none(place: Path, document: bytes) -> None:
    archive = writer.archive(tables.simple_stream({"a": b"x"}))
    blocks = archive.blocks()
    label = [writer.block(writer.LABEL, document, archive=writer.CARTRIDGE_ID, flags=writer.LAST)]
    blocks[0] = writer.block(writer.HEADER, document, archive=archive.archive, flags=writer.LAST)
    files = [disk.LogFile(file) for file in (label, [], blocks)]
    (place.parent / "image").write_bytes(disk.image(disk.Log(files).content))
    run = rescue("restore", place.parent / "image", "--to", place / "target")
    assert (run.code, contents(place / "target")) == (LOSSES, {"a": b"x"})
    assert "the label (file 0) is damaged" in run.err
    assert "file 2: its header is damaged" in run.err


def test_positions_beyond_everything(place: Path) -> None:
    """A log whose checksums are right and whose numbers are not."""
    for end, last in ((2**64 - 4096, 2**64 - 8192), (8192, 2**63), (2**63, 8192), (4096 * 3, 4096)):
        block = disk.superblock(
            epoch=1, generation=8, size=2**63, end=end, records=9, files=2**32 - 1, last_filemark=last
        )
        (place.parent / "image").write_bytes(block + block + bytes(8192))
        assert rescue("check", place.parent / "image").code == FAILED


@pytest.mark.parametrize("field", ("n", "first", "strings", "paths", "links", "type", "flags", "note", "cut", "longer"))
def test_catalog_tables_that_lie(place: Path, field: str) -> None:
    stream = tables.simple_stream({"a": b"x", "b": b"y"})
    archive = writer.archive(stream)
    table = bytearray(tables.table(archive.entries, 0))
    places = {"n": 4, "first": 8, "strings": 16, "paths": 18, "links": 22, "type": 26, "flags": 28, "note": 26 + 4 + 32}
    if field in places:
        table[places[field]] = 0x7F
    table = table[:-1] if field == "cut" else table + b"\0" if field == "longer" else table
    blocks = archive.blocks()
    number = len(blocks) - 2
    blocks[number] = writer.block(
        writer.CATALOG, bytes(table), archive=archive.archive, sequence=number, flags=writer.LAST
    )
    files = [disk.LogFile(file) for file in (writer.label_file(), [], blocks)]
    (place.parent / "image").write_bytes(disk.image(disk.Log(files).content))
    run = rescue("restore", place.parent / "image", "--to", place / "target")
    assert (run.code, contents(place / "target")) == (LOSSES, {"a": b"x", "b": b"y"})
    assert "a part of its catalog is damaged or missing: a catalog table" in run.err
