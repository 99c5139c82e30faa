"""Hostile streams in real segments: nothing outside the target is touched, and every restore comes to its end."""

import contextlib
import hashlib
import io
import os
import resource
import stat
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from drivers.errors import DriveError
from fixtures import raw_tar
from fixtures.hostile import HOSTILE, Hostile, make_outside, outside_state
from formats import catalog, segment
from formats.block import Kind
from formats.catalog import Entry, TableBuilder
from formats.errors import FormatError
from formats.segment import COMPLETE, SegmentHeader, Trailer
from tapekit.blocks.codec import compressor
from tapekit.blocks.write import SegmentWriter
from tapekit.errors import TapekitError
from tapekit.jobs import export, restore
from tapekit.progress import Silent
from tapekit.stream.pack import StreamPacker
from tests.jobs.cartridges import Image, new_image

ARCHIVE = "0123456789abcdef" * 2
TIME = "2026-11-23T21:30:00Z"
LARGE = frozenset({"pax-of-1-gib", "pax-65536-times", "path-of-100000-levels"})
BLOCK_BYTES = 64 << 10


def write_segment(image: Image, stream: Iterable[bytes], entries: Iterable[Entry] = (), *, closed: bool = True) -> None:
    """Put a stream, and a catalog that may lie about it, on a cartridge; not `closed`: without a trailer."""
    with image.drive(writable=True) as drive:
        drive.locate(2)  # what another test wrote there ceases to exist
        cut = BLOCK_BYTES - 144
        header = SegmentHeader(
            format=1, archive=ARCHIVE, segment=0, job="hostile", site="", host="nowhere", started=TIME, tool="a test",
            root="/", block_size=BLOCK_BYTES, cut=cut, stream_start=0, sequence_start=0, compression="zstd",
        )  # fmt: skip
        writer = SegmentWriter(drive, bytes.fromhex(ARCHIVE), 0, 0, BLOCK_BYTES, compressor("zstd"))
        with writer.threads():
            writer.write_document(Kind.HEADER, segment.build_header(header))
            packer = StreamPacker(writer)
            for piece in stream:
                packer.write(piece)
            packer.finish()
            table = TableBuilder(0, cut)
            for entry in entries:
                assert table.add(entry)
            if len(table):
                plain = table.build()
                writer.write_table(plain, len(plain), 0, last=True)
            writer.drain()
            if closed:
                counts, digest = writer.sums()
                trailer = Trailer(
                    archive=ARCHIVE, segment=0, job="hostile", started=TIME, state=COMPLETE, finished=TIME,
                    members=len(table), problems=0, source_bytes=0, stream_bytes=packer.offset,
                    stored_bytes=writer.stored_bytes, blocks=counts, blocks_sha256=digest,
                    catalog_block=counts.header + counts.data + counts.parity, directory=(),
                )  # fmt: skip
                writer.write_document(Kind.TRAILER, segment.build_trailer(trailer, 1 << 20))
            writer.drain()
        drive.write_filemark()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """Where `target` and `outside` stand; some targets are too deep for pytest to remove."""
    (tmp_path / "place").mkdir()
    yield tmp_path / "place"
    subprocess.run(["chmod", "-R", "u+rwX", tmp_path / "place"], check=True)
    subprocess.run(["rm", "-rf", tmp_path / "place"], check=True)


@pytest.fixture(autouse=True)
def few_descriptors() -> Iterator[None]:
    """A path of 100,000 levels would open 65,536 directories; this many show the same."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 1024), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return new_image(tmp_path_factory.mktemp("hostile") / "hostile.tkc", 256 << 20, BLOCK_BYTES)


def restore_all(image: Image, place: Path, *, overwrite: str = "never", devices: bool = False) -> restore.Result | None:
    """Restore into `target`; None where it was refused with a typed error."""
    with contextlib.suppress(TapekitError, DriveError, FormatError):
        return image.restore(place / "target", archive=ARCHIVE, overwrite=overwrite, devices=devices)
    return None


@pytest.mark.parametrize("hostile", [pytest.param(h, id=h.name) for h in HOSTILE if h.name not in LARGE])
def test_restore_touches_nothing_outside(image: Image, place: Path, hostile: Hostile) -> None:
    check(image, place, hostile, "always")


@pytest.mark.long
@pytest.mark.parametrize("overwrite", ("never", "older"))
@pytest.mark.parametrize("hostile", [pytest.param(h, id=h.name) for h in HOSTILE if h.name not in LARGE])
def test_restore_that_overwrites_less(image: Image, place: Path, hostile: Hostile, overwrite: str) -> None:
    check(image, place, hostile, overwrite)


@pytest.mark.long
@pytest.mark.parametrize("hostile", [pytest.param(h, id=h.name) for h in HOSTILE if h.name in LARGE])
def test_restore_of_the_large_ones_comes_to_its_end(image: Image, place: Path, hostile: Hostile) -> None:
    check(image, place, hostile, "always")


def check(image: Image, place: Path, hostile: Hostile, overwrite: str) -> None:
    (place / "target").mkdir()
    outside = make_outside(place)
    write_segment(image, hostile.pieces(outside), closed=False)
    before = outside_state(outside)
    result = restore_all(image, place, overwrite=overwrite)
    assert outside_state(outside) == before
    check_export(image)
    assert not any(stat.S_ISBLK(mode) or stat.S_ISCHR(mode) for mode in modes(place / "target"))
    assert result is None or result.problems  # the segment is incomplete, and that is said


def modes(target: Path) -> Iterator[int]:
    for _, _, files, descriptor in os.fwalk(target):
        if descriptor > 900:
            return
        for name in files:
            yield os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode


def check_export(image: Image) -> None:
    """An export comes to its end too, and is not much longer than what is there."""
    written = io.BytesIO()
    with contextlib.suppress(TapekitError, DriveError, FormatError), image.drive() as drive:
        export.run(drive, ARCHIVE, written.write, Silent())
    assert len(written.getvalue()) < 8 << 20


# --- catalogs that lie ---------------------------------------------------------------------------------------------

NO_MEMBER = Entry(
    type=catalog.REGULAR, flags=0, mode=0o644, uid=0, gid=0, owner=b"", group=b"", note=b"", base=0, reference=0,
    inode=1, size=4, valid=4, mtime_ns=0, ctime_ns=0, offset=0, sha256=bytes(32), path=b"f", link=b"",
)  # fmt: skip
FILE = raw_tar.file(b"f", b"good")
GOOD = NO_MEMBER._replace(sha256=hashlib.sha256(b"good").digest())


@pytest.mark.parametrize(
    "entry",
    (
        pytest.param(GOOD._replace(path=b"../outside/escaped"), id="path-climbs"),
        pytest.param(GOOD._replace(path=b"/f"), id="path-absolute"),
        pytest.param(GOOD._replace(path=b"g"), id="path-of-another"),
        pytest.param(GOOD._replace(path=b""), id="path-empty"),
        pytest.param(GOOD._replace(offset=512), id="offset-of-content"),
        pytest.param(GOOD._replace(offset=1 << 62), id="offset-far"),
        pytest.param(GOOD._replace(offset=7), id="offset-odd"),
        pytest.param(NO_MEMBER, id="digest-wrong"),
        pytest.param(GOOD._replace(type=catalog.HARD_LINK, path=b"h", reference=1 << 62, link=b"f"), id="link-far"),
        pytest.param(GOOD._replace(type=catalog.HARD_LINK, path=b"../h", reference=0), id="link-climbs"),
    ),
)
def test_a_catalog_that_lies_harms_nothing(image: Image, place: Path, entry: Entry) -> None:
    (place / "target").mkdir()
    outside = make_outside(place)
    write_segment(image, (FILE, raw_tar.END), [entry])
    before = outside_state(outside)
    result = restore_all(image, place)
    assert outside_state(outside) == before
    assert os.listdir(place / "target") == []
    assert result is None or result.damaged or result.refused
    assert not image.verify().ok


def test_a_catalog_that_tells_the_truth(image: Image, place: Path) -> None:
    write_segment(image, (FILE, raw_tar.END), [GOOD])
    assert image.verify().ok
    restore_all(image, place)
    assert (place / "target" / "f").read_bytes() == b"good"


@pytest.mark.parametrize(("size", "valid"), ((1 << 62, 1 << 62), (4, 1 << 62), (4, 1), (0, 0)))
def test_sizes_in_the_catalog_are_only_said(image: Image, place: Path, size: int, valid: int) -> None:
    """The stream has the true size; the catalog's can make a file no longer than that."""
    write_segment(image, (FILE, raw_tar.END), [GOOD._replace(size=size, valid=valid, flags=catalog.SHORT, note=b"x")])
    restore_all(image, place)
    assert (place / "target" / "f").read_bytes() == b"good"[: min(4, valid)]


# --- what waits in the target --------------------------------------------------------------------------------------


@pytest.mark.parametrize("overwrite", ("never", "older", "always"))
@pytest.mark.parametrize("planted", ("directory", "file", "hard-link"))
def test_links_planted_in_the_target_are_not_followed(image: Image, place: Path, planted: str, overwrite: str) -> None:
    (place / "target").mkdir()
    outside = make_outside(place)
    if planted == "directory":
        (place / "target" / "d").symlink_to(outside)
    elif planted == "file":
        (place / "target" / "d").mkdir()
        (place / "target" / "d" / "victim").symlink_to(outside / "victim")
    else:
        (place / "target" / "d").mkdir()
        os.link(outside / "victim", place / "target" / "d" / "victim")
    before = outside_state(outside)
    write_segment(image, (raw_tar.stream(raw_tar.directory(b"d/", 0o777), raw_tar.file(b"d/victim")),), closed=False)
    assert restore_all(image, place, overwrite=overwrite) is not None
    after = outside_state(outside)
    if planted == "hard-link" and overwrite == "always":  # the name in the target is another file's now
        before["outside/victim"] = (*before["outside/victim"][:4], 1, *before["outside/victim"][5:])
    assert after == before
