"""Whatever is damaged, all else comes back, and what is lost is named."""

import random
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fixtures import loop
from tests.rescue import disk, packer, tables, writer
from tests.rescue.disk import LOG_START, MIB
from tests.rescue.kit import FAILED, FINE, LOSSES, Run, contents, overwrite, rescue, write_image

RANDOM = random.Random(1)
FILES = {f"d{number % 3}/file-{number:02}": RANDOM.randbytes(200 + 317 * number) for number in range(40)}
STREAM = tables.simple_stream(FILES)
ARCHIVE = writer.archive(STREAM)
HEADER_BLOCKS = 1


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return tmp_path / "image"


@pytest.fixture
def restored(image: Path, tmp_path: Path) -> Callable[[], tuple[Run, dict[str, bytes]]]:
    def restore() -> tuple[Run, dict[str, bytes]]:
        run = rescue("restore", image, "--to", tmp_path / "target")
        return run, contents(tmp_path / "target") if (tmp_path / "target").exists() else {}

    return restore


Restored = Callable[[], tuple[Run, dict[str, bytes]]]


def damage_block(image: Path, log: disk.Log, file: int, block: int) -> None:
    """Flip bytes in the payload of a block."""
    overwrite(image, LOG_START + log.places[file, block] + 64 + 128 + 40, b"\xff\0\xff\0")


def touching(first_data: int, last_data: int) -> set[str]:
    """The files of which a run of data blocks holds a byte, headers included."""
    start, stop = first_data * ARCHIVE.cut, (last_data + 1) * ARCHIVE.cut
    begins = [entry.offset for entry in ARCHIVE.entries]
    ends = [*begins[1:], len(STREAM) - 1024]
    return {
        entry.path.decode()
        for entry, begin, end in zip(ARCHIVE.entries, begins, ends, strict=True)
        if begin < stop and end > start
    }


@pytest.mark.parametrize(("first", "last"), ((0, 0), (7, 7), (20, 21), (30, 45)))
def test_damaged_blocks_cost_only_what_is_in_them(image: Path, restored: Restored, first: int, last: int) -> None:
    log = write_image(image, ARCHIVE)
    for number in range(first, last + 1):
        damage_block(image, log, 2, HEADER_BLOCKS + number)
    run, found = restored()
    hit = touching(first, last)
    whole = {name: content for name, content in found.items() if not name.endswith(".damaged")}
    assert run.code == LOSSES
    # A member whose last padding alone is hit is still whole.
    assert {**FILES, **whole} == FILES
    assert set(FILES) - set(whole) <= hit
    for name in set(FILES) - set(whole):
        assert f"lost: {name}\n" in run.err or f"damaged: {name}: " in run.err
    assert f"file 2, block {HEADER_BLOCKS + first}: its SHA-256 is wrong" in run.err


def test_what_is_left_of_a_damaged_file_is_kept_apart(image: Path, restored: Restored) -> None:
    content = bytes(range(1, 251)) * 100
    log = write_image(image, writer.archive(tables.simple_stream({"big": content, "next": b"x"})))
    damage_block(image, log, 2, HEADER_BLOCKS + 2)
    run, found = restored()
    assert run.code == LOSSES
    assert sorted(found) == ["big.damaged", "next"]
    start, stop = 2 * 3000 - 1536, 3 * 3000 - 1536  # header: 512 pax, 512 records, 512 ustar
    assert found["big.damaged"] == content[:start] + bytes(3000) + content[stop:]
    assert "big: 3000 of its 25000 bytes are lost" in run.err


def test_content_that_is_not_the_catalogs(image: Path, restored: Restored) -> None:
    """Nothing is damaged, but the catalog says otherwise: the file does not get its name."""
    entries = [replace(entry, sha256=b"\1" * 32) for entry in tables.entries_of(STREAM)[:1]]
    write_image(image, writer.Segment(STREAM, [*entries, *ARCHIVE.entries[1:]]))
    run, found = restored()
    assert run.code == LOSSES
    name = next(iter(FILES))
    assert found == {**{n: c for n, c in FILES.items() if n != name}, f"{name}.damaged": FILES[name]}
    assert "its SHA-256 is not the one in the catalog" in run.err


@pytest.mark.parametrize("tables", ((0,), (3,), (7,), (2, 3, 4), tuple(range(8))))
def test_a_damaged_catalog_costs_no_file(image: Path, restored: Restored, tables: tuple[int, ...]) -> None:
    log = write_image(image, ARCHIVE)
    blocks = len(ARCHIVE.blocks())
    for number in tables:
        damage_block(image, log, 2, blocks - 1 - 8 + number)
    run, found = restored()
    assert (run.code, found) == (LOSSES, FILES)
    assert "file 2: a part of its catalog is damaged or missing" in run.err


@pytest.mark.parametrize("table", (0, 3))
def test_a_damaged_catalog_and_a_damaged_block_where_it_is_missing(image: Path, restored: Restored, table: int) -> None:
    """Without the catalog it goes on at what looks like a tar header."""
    log = write_image(image, ARCHIVE)
    damage_block(image, log, 2, len(ARCHIVE.blocks()) - 1 - 8 + table)
    data_block = ARCHIVE.entries[table * 5 + 2].offset // ARCHIVE.cut
    damage_block(image, log, 2, HEADER_BLOCKS + data_block)
    run, found = restored()
    assert run.code == LOSSES
    assert set(FILES) - set(found) <= touching(data_block, data_block)
    assert {**FILES, **{n: c for n, c in found.items() if n in FILES}} == FILES


def test_a_damaged_trailer(image: Path, restored: Restored) -> None:
    log = write_image(image, ARCHIVE)
    damage_block(image, log, 2, len(ARCHIVE.blocks()) - 1)
    run, found = restored()
    assert (run.code, found) == (LOSSES, FILES)
    assert "incomplete: its end is damaged" in run.err


def test_a_damaged_header(image: Path, restored: Restored) -> None:
    log = write_image(image, ARCHIVE)
    damage_block(image, log, 2, 0)
    run, found = restored()
    assert (run.code, found) == (LOSSES, FILES)
    assert "file 2: its header is damaged" in run.err


def test_a_damaged_label(image: Path, restored: Restored) -> None:
    log = write_image(image, ARCHIVE)
    damage_block(image, log, 0, 0)
    run, found = restored()
    assert (run.code, found) == (LOSSES, FILES)
    assert "the label (file 0) is damaged: its SHA-256 is wrong" in run.err


SUPERBLOCKS = {"A": [0], "B": [1], "both": [0, 1]}


@pytest.mark.parametrize("damaged", list(SUPERBLOCKS))
def test_damaged_superblocks(image: Path, restored: Restored, damaged: str) -> None:
    write_image(image, ARCHIVE, ARCHIVE)
    for unit in SUPERBLOCKS[damaged]:
        overwrite(image, LOG_START + unit * 4096 + 100, b"\xff")
    run, found = restored()
    assert (run.code, found) == (LOSSES, FILES)
    assert ("both" if damaged == "both" else "one of the two") + " superblocks of the cartridge" in run.err


@pytest.mark.parametrize("damaged", list(SUPERBLOCKS))
@pytest.mark.parametrize("block", (0, 1, 17, -1))
def test_a_damaged_record_header(image: Path, restored: Restored, damaged: str, block: int) -> None:
    """With all superblocks, with one, and with none; -1: the filemark's."""
    log = write_image(image, ARCHIVE, replace(ARCHIVE, archive=b"\7" * 16))
    if damaged != "A":
        overwrite(image, LOG_START + 4096 + 100, b"\xff")
    if damaged == "both":
        overwrite(image, LOG_START + 100, b"\xff")
    overwrite(image, LOG_START + log.places[2, block] + 20, b"\xff\xff")
    for archive in (1, 2):
        target = image.parent / f"target-{archive}"
        rescue("restore", image, "--to", target, "--archive", archive)
        found = contents(target)
        if archive == 2 or block in (0, -1):
            assert found == FILES
        else:
            assert {**FILES, **{n: c for n, c in found.items() if n in FILES}} == FILES
            assert set(FILES) - set(found) <= touching(block - 1, block - 1)
    assert ("file 2, block 17: cannot be read" in rescue("check", image).err) == (block == 17)


@pytest.mark.parametrize("block", (0, 5))
def test_a_damaged_filemark_table(image: Path, restored: Restored, block: int) -> None:
    log = write_image(image, ARCHIVE)
    overwrite(image, LOG_START + log.places[2, -1] + 64 + 20 + 4 * block, b"\xff\xff\xff\xff")
    run, found = restored()
    assert (run.code, found) == (LOSSES, FILES)
    assert "a filemark on the cartridge is damaged" in run.err


@pytest.mark.parametrize("sector", (512, 4096))
@pytest.mark.parametrize("damaged", ((), ("front",), ("back",), ("front", "back")))
def test_partition_tables(image: Path, sector: int, damaged: tuple[str, ...]) -> None:
    log = disk.Log([disk.LogFile(writer.label_file()), disk.LogFile([]), disk.LogFile(ARCHIVE.blocks())])
    whole = disk.image(log.content, sector=sector)
    if "front" in damaged:
        whole[: 10 * sector] = bytes(10 * sector)
    if "back" in damaged:
        whole[-sector:] = bytes(sector)
    image.write_bytes(whole)
    assert rescue("check", image).code == FINE


def test_a_log_elsewhere_is_found_by_its_type(image: Path) -> None:
    log = disk.Log([disk.LogFile(writer.label_file()), disk.LogFile([]), disk.LogFile(ARCHIVE.blocks())])
    whole = disk.image(log.content, start=9 * MIB)
    image.write_bytes(whole)
    assert rescue("check", image).code == FINE
    image.write_bytes(bytes(MIB) + whole[MIB:])  # the backup alone
    assert rescue("check", image).code == FINE


def test_a_bare_partition(image: Path) -> None:
    log = disk.Log([disk.LogFile(writer.label_file()), disk.LogFile([]), disk.LogFile(ARCHIVE.blocks())])
    image.write_bytes(log.content)
    assert rescue("check", image).code == FINE
    log.content[:8192] = bytes(8192)
    image.write_bytes(log.content)
    run = rescue("check", image)
    assert run.code == LOSSES
    assert "40 members" in run.out


@pytest.mark.skipif(not loop.available(), reason="needs loop devices")
def test_a_disk_of_4096_byte_sectors(image: Path) -> None:
    log = disk.Log([disk.LogFile(writer.label_file()), disk.LogFile([]), disk.LogFile(ARCHIVE.blocks())])
    image.write_bytes(disk.image(log.content, sector=4096))
    with loop.loop_device(image, 4096) as device:
        assert rescue("check", device).code == FINE


def test_the_first_megabytes_are_gone(image: Path, restored: Restored) -> None:
    """Somebody began to format the disk: tables, superblocks, label, kit and the archive's header."""
    log = write_image(image, ARCHIVE)
    overwrite(image, 0, b"\xf6" * (LOG_START + log.places[2, 1]))
    run, found = restored()
    assert (run.code, found) == (LOSSES, FILES)


def test_a_power_cut(image: Path, restored: Restored) -> None:
    """The last file has no filemark and no end: what it holds is restored, and it is said."""
    stream = STREAM[: -1024 - 5000]
    write_image(image, writer.Segment(stream, trailer=False), closed=False)
    run, found = restored()
    assert run.code == LOSSES
    assert "incomplete: it was not written to its end" in run.err
    whole = {name: content for name, content in found.items() if not name.endswith(".damaged")}
    assert {**FILES, **whole} == FILES
    assert len(whole) >= len(FILES) - 2


@pytest.mark.parametrize("torn", (False, True))
def test_a_power_cut_at_the_filemark(image: Path, *, torn: bool) -> None:
    """The superblocks do not know the last file yet. Its filemark ends it only where the whole of it is there."""
    log = write_image(image, ARCHIVE)
    end = log.places[2, 0]
    known = {"epoch": 1, "end": end, "records": 5, "files": 2, "last_filemark": log.places[1, -1]}
    for generation in (4, 5):
        block = disk.superblock(generation=generation, **known)
        overwrite(image, LOG_START + 4096 * (generation % 2), block)
    if torn:
        overwrite(image, LOG_START + log.places[2, -1] + 64 + 40, b"\xff\xff")
    run = rescue("list", image)
    assert run.code == FINE, run.err
    assert ("  complete, but no filemark ends it\n" if torn else "  complete\n") in run.out


CUTS = [LOG_START + 8192 + 4096 * 3 + 100, *range(LOG_START + 30_000, LOG_START + 360_000, 26_111)]


@pytest.mark.parametrize("size", CUTS)
def test_an_image_cut_anywhere(image: Path, restored: Restored, size: int) -> None:
    log = write_image(image, ARCHIVE)
    with image.open("r+b") as file:
        file.truncate(size)
    run, found = restored()
    if run.code == FAILED:
        assert "no archive is left" in run.err
        assert size < LOG_START + 50_000
        return
    assert run.code == LOSSES
    assert "the cartridge is cut off" in run.err
    whole = {name: content for name, content in found.items() if not name.endswith(".damaged")}
    assert {**FILES, **whole} == FILES
    data_blocks = sum(
        file == 2 and block >= HEADER_BLOCKS and LOG_START + at + 4096 <= size
        for (file, block), at in log.places.items()
    )
    begins = [entry.offset for entry in ARCHIVE.entries]
    assert len(whole) >= sum(begin <= data_blocks * ARCHIVE.cut for begin in begins[1:])


def test_stale_records_behind_the_end_are_no_files(image: Path) -> None:
    """A cartridge that was longer once: what the newer session has not overwritten must not come back."""
    old = disk.Log([disk.LogFile([b""] * 30), *[disk.LogFile(ARCHIVE.blocks())] * 3], epoch=1)
    new = disk.Log([disk.LogFile(writer.label_file()), disk.LogFile([]), disk.LogFile(ARCHIVE.blocks())], epoch=2)
    new.content += old.content[len(new.content) :]
    image.write_bytes(new.content)
    assert rescue("list", image).out.count("archive ") == 1
    new.content[:8192] = b"\xff" * 8192
    image.write_bytes(new.content)
    assert rescue("list", image).out.count("archive ") == 1


@pytest.mark.parametrize("seed", range(40))
def test_any_bytes_may_be_wrong(image: Path, restored: Restored, seed: int) -> None:
    """What comes back under its own name is right, whatever was hit."""
    write_image(image, ARCHIVE)
    chance = random.Random(seed)
    whole = bytearray(image.read_bytes())
    for _ in range(chance.choice([1, 5, 50])):
        at = chance.randrange(LOG_START - 2048 if chance.random() < 0.5 else 0, LOG_START + 400_000)
        whole[at : at + chance.choice([1, 16, 5000])] = chance.randbytes(16)
    image.write_bytes(whole)
    run, found = restored()
    assert run.code in (FINE, FAILED, LOSSES)
    if run.code == FINE:
        assert found == FILES
    for name, content in found.items():
        assert name not in FILES or content == FILES[name]


def test_a_tar_within_a_lost_file(image: Path, restored: Restored) -> None:
    """With the catalog, what looks like a header within a file that is lost is never taken for one."""
    inner = tables.simple_stream({"inner": b"x" * 20_000})
    log = write_image(image, writer.archive(tables.simple_stream({"a": b"a", "tar": inner, "z": b"z"})))
    damage_block(image, log, 2, HEADER_BLOCKS)  # the header of `tar`
    run, found = restored()
    assert run.code == LOSSES
    assert found == {"z": b"z"}


def test_a_lost_map_of_a_sparse_file(image: Path, restored: Restored) -> None:
    records = {b"GNU.sparse.major": b"1", b"GNU.sparse.minor": b"0", b"GNU.sparse.name": b"f"}
    records |= {b"GNU.sparse.realsize": b"9000", b"comment": b"c" * 2000}
    stored = packer.padded(b"1\n0\n4000\n") + b"d" * 4000
    stream = packer.header(b"f", b"0", size=len(stored), records=records) + packer.padded(stored)
    stream += packer.header(b"g", b"0") + bytes(1024)
    log = write_image(image, writer.archive(stream))
    assert struct.unpack_from("100s", stream, 3072)[0].rstrip(b"\0") == b"f"  # so the map begins in the second block
    damage_block(image, log, 2, HEADER_BLOCKS + 1)
    run, found = restored()
    assert (run.code, found["g"]) == (LOSSES, b"")
    assert "f" not in found
