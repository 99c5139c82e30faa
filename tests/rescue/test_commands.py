"""The commands, their output and their exit codes."""

import io
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from tests.rescue import disk, packer, tables, writer
from tests.rescue.disk import LOG_START
from tests.rescue.kit import FAILED, FINE, LOSSES, USAGE, contents, overwrite, rescue, write_image
from tests.rescue.writer import Segment

FILES = {"a": b"first\n", "d/b": b"second " * 2000, "e": bytes(range(256)) * 40}
STREAM = tables.simple_stream(FILES)
OTHER = {"other": b"of another day\n"}


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """Three archives: two whole, the last one torn."""
    first = writer.archive(STREAM, job="books", started="2026-11-22T21:30:00Z")
    second = writer.archive(tables.simple_stream(OTHER), archive=b"\2" * 16, job="photos")
    torn = Segment(STREAM[:9000], archive=b"\3" * 16, job="books", started="2026-11-24T21:30:00Z", trailer=False)
    write_image(tmp_path / "image", first, second, torn, closed=False)
    return tmp_path / "image"


LIST = """\
cartridge WED-1, labelled 2026-11-23T21:00:00Z by tests 1

archive 1   job books, 2026-11-22T21:30:00Z
  host server, site Apotheke Zürich, paths below /srv
  3 members, 24.2 kB
  complete
  id 101112131415161718191a1b1c1d1e1f, in file 2 of the cartridge

archive 2   job photos, 2026-11-23T21:30:00Z
  host server, site Apotheke Zürich, paths below /srv
  1 members, 15 B
  complete
  id 02020202020202020202020202020202, in file 3 of the cartridge

archive 3   job books, 2026-11-24T21:30:00Z
  host server, site Apotheke Zürich, paths below /srv
  incomplete: it was not written to its end
  id 03030303030303030303030303030303, in file 4 of the cartridge
"""


def test_list(image: Path) -> None:
    utf8 = {"PYTHONUTF8": "1"}
    for arguments in ([image], ["list", image]):
        run = rescue(*arguments, environment=utf8)
        assert (run.code, run.out) == (FINE, LIST), run.err


def test_files(image: Path) -> None:
    run = rescue("files", image, "--archive", 1)
    assert run.code == FINE
    assert run.out.splitlines() == [
        "-rw-r--r--            6 2023-11-14 22:13:20 a",
        "-rw-r--r--        14000 2023-11-14 22:13:20 d/b",
        "-rw-r--r--        10240 2023-11-14 22:13:20 e",
    ]
    assert rescue("files", image, "d", "--archive=1").out.splitlines() == run.out.splitlines()[1:2]


def test_files_without_a_catalog_are_those_of_the_stream(image: Path) -> None:
    run = rescue("files", image, "--archive", 3)
    assert run.code == LOSSES
    assert [line.split()[-1] for line in run.out.splitlines()] == ["a", "d/b"]
    assert "the catalog is not whole" in run.err


@pytest.mark.parametrize(
    ("wish", "found"),
    (("latest", OTHER), (None, OTHER), ("1", FILES), ("2", OTHER), ("10111213", FILES), ("0202020202", OTHER)),
)
def test_archives_are_chosen(image: Path, tmp_path: Path, wish: str | None, found: dict[str, bytes]) -> None:
    """The latest is the latest that is whole."""
    options = ["--archive", wish] if wish else []
    run = rescue("restore", image, "--to", tmp_path / "to", *options)
    assert (run.code, contents(tmp_path / "to")) == (FINE, found), run.err
    assert ("is later, and not whole: incomplete" in run.err) == (wish in {None, "latest"})


@pytest.mark.parametrize("wish", ("0", "4", "ffff", "x"))
def test_an_archive_that_is_not_there(image: Path, tmp_path: Path, wish: str) -> None:
    run = rescue("restore", image, "--to", tmp_path / "to", f"--archive={wish}")
    assert run.code == FAILED
    assert "not on this cartridge" in run.err


def test_check_names_every_archive(image: Path) -> None:
    run = rescue("check", image)
    assert run.code == LOSSES  # the third is torn
    assert run.out.splitlines()[:2] == [
        "archive 1 (job books, 2026-11-22T21:30:00Z): 3 members: all is well",
        "archive 2 (job photos, 2026-11-23T21:30:00Z): 1 members: all is well",
    ]
    assert rescue("check", image, "--archive=2").code == FINE


def test_check_finds_a_damaged_kit(image: Path) -> None:
    whole = bytearray(image.read_bytes())
    at = whole.index(b"TKBLOCK1", whole.index(b"TKBLOCK1") + 1)  # the first archive's header: the kit is before it
    whole[at - 4096 - 5000] ^= 1
    image.write_bytes(whole)
    run = rescue("check", image, "--archive=1")
    assert run.code == LOSSES
    assert "file 1: the rescue kit on the cartridge is damaged" in run.err


def test_check_finds_blocks_of_another_segment(tmp_path: Path) -> None:
    """Each block is good, but the trailer speaks of others."""
    archive = writer.archive(STREAM)
    blocks = archive.blocks()
    blocks[3] = writer.block(
        writer.DATA, bytes(archive.cut), archive=archive.archive, sequence=3, offset=2 * archive.cut
    )
    write_blocks(tmp_path / "image", blocks)
    run = rescue("check", tmp_path / "image")
    assert run.code == LOSSES
    assert "file 2: its blocks are not the ones that its trailer speaks of" in run.err
    assert "damaged: d/b: its SHA-256 is not the one in the catalog" in run.err


@pytest.mark.parametrize(
    "changes", ({"sequence": 9}, {"archive": b"\7" * 16}, {"segment": 1}, {"offset": 3 * 3000}, {"offset": 1})
)
def test_misplaced_blocks_are_not_read(tmp_path: Path, changes: dict[str, object]) -> None:
    archive = writer.archive(STREAM)
    blocks = archive.blocks()
    right = {"archive": archive.archive, "sequence": 3, "offset": 2 * archive.cut}
    blocks[3] = writer.block(writer.DATA, bytes(archive.cut), **{**right, **changes})  # type: ignore[arg-type]
    write_blocks(tmp_path / "image", blocks)
    run = rescue("check", tmp_path / "image")
    assert run.code == LOSSES
    assert "file 2, block 3: a block that belongs elsewhere" in run.err


def write_blocks(path: Path, blocks: list[bytes]) -> None:
    files = [disk.LogFile(file) for file in (writer.label_file(), [], blocks)]
    path.write_bytes(disk.image(disk.Log(files).content))


def test_tar_is_the_stream(image: Path, tmp_path: Path) -> None:
    run = rescue("tar", image, "--archive", 1)
    assert run.code == FINE
    with tarfile.open(fileobj=io.BytesIO(run.raw)) as tar:
        assert {m.name: tar.extractfile(m).read() for m in tar} == FILES  # type: ignore[union-attr]
    (tmp_path / "to").mkdir()
    subprocess.run(["tar", "-x", "-C", tmp_path / "to"], input=run.raw, check=True)
    assert contents(tmp_path / "to") == FILES


@pytest.mark.parametrize("block", (1, 3, 6, 9))
def test_tar_goes_on_after_damage(tmp_path: Path, block: int) -> None:
    """Members whose headers are lost are left out, lost content is zeros: tar reads it without a complaint."""
    log = write_image(tmp_path / "image", writer.archive(STREAM))
    overwrite(tmp_path / "image", LOG_START + log.places[2, block] + 300, b"\xff\0\xff")
    run = rescue("tar", tmp_path / "image")
    assert run.code == LOSSES
    with tarfile.open(fileobj=io.BytesIO(run.raw)) as tar:
        found = {m.name: tar.extractfile(m).read() for m in tar}  # type: ignore[union-attr]
    assert found
    for name, content in found.items():
        assert len(content) == len(FILES[name])
        assert content == FILES[name] or f"damaged: {name}: " in run.err
    assert all(name in found or f"lost: {name}\n" in run.err for name in FILES)


def test_a_spanned_archive(tmp_path: Path) -> None:
    """The border lies within a file: one cartridge has a part of it, both have all."""
    entries = tables.entries_of(STREAM)
    whole = Segment(STREAM)
    border = 3 * whole.cut
    first = replace(whole, stream_stop=border, state="continued")
    second = replace(whole, number=1, stream_start=border, sequence_start=len(first.blocks()))
    cut = next(i for i, entry in reversed(list(enumerate(entries))) if entry.offset < border)
    first = replace(first, entries=[*entries[:cut], replace(entries[cut], sha256=bytes(32))])
    second = replace(second, entries=entries[cut:], first_ordinal=cut, sequence_start=len(first.blocks()))
    write_image(tmp_path / "1", first)
    write_image(tmp_path / "2", second)
    for one, also in (("1", "2"), ("2", "1")):
        to = tmp_path / f"to-{one}"
        run = rescue("restore", tmp_path / one, "--also", tmp_path / also, "--to", to)
        assert (run.code, contents(to)) == (FINE, FILES), run.err
    run = rescue("restore", tmp_path / "1", "--to", tmp_path / "first")
    assert run.code == LOSSES
    assert "goes on on another cartridge" in run.err
    assert sorted(contents(tmp_path / "first")) == ["a", "d/b.damaged"]
    run = rescue("restore", tmp_path / "2", "--to", tmp_path / "second")
    assert run.code == LOSSES
    assert "part 1 of it is missing" in run.err
    assert "lost: d/b\n" in run.err
    assert contents(tmp_path / "second") == {"e": FILES["e"]}


def test_an_archive_that_went_on_after_a_power_cut(tmp_path: Path) -> None:
    """Two segments on one cartridge: what the torn one holds beyond the border was written again, and differently."""
    entries = tables.entries_of(STREAM)
    whole = Segment(STREAM)
    border = 4 * whole.cut
    torn = replace(whole, stream=STREAM[:border] + b"\xee" * 3000, trailer=False)
    second = replace(
        whole, number=1, stream_start=border, sequence_start=len(torn.blocks()), entries=entries[1:], first_ordinal=1
    )
    write_image(tmp_path / "image", torn, second)
    run = rescue("restore", tmp_path / "image", "--to", tmp_path / "to")
    assert contents(tmp_path / "to") == FILES, run.err


def test_parity_blocks_are_passed_over(tmp_path: Path) -> None:
    write_image(tmp_path / "image", writer.archive(STREAM, parity_every=2))
    run = rescue("restore", tmp_path / "image", "--to", tmp_path / "to", "e")
    assert (run.code, contents(tmp_path / "to")) == (FINE, {"e": FILES["e"]}), run.err
    assert rescue("check", tmp_path / "image").code == FINE


def test_documents_over_several_blocks(tmp_path: Path) -> None:
    write_image(tmp_path / "image", writer.archive(STREAM, document_cut=100, compress=True))
    run = rescue("restore", tmp_path / "image", "--to", tmp_path / "to")
    assert (run.code, contents(tmp_path / "to")) == (FINE, FILES), run.err


def test_an_empty_archive(tmp_path: Path) -> None:
    write_image(tmp_path / "image", Segment(bytes(1024)))
    run = rescue("check", tmp_path / "image")
    assert (run.code, run.err) == (FINE, "")
    assert "0 members: all is well" in run.out


def test_seeking_reads_no_more_than_it_must(tmp_path: Path) -> None:
    """One file of a large archive is found by the catalog: what is damaged elsewhere is not even met."""
    files = {f"f{number:02}": bytes([number]) * 100_000 for number in range(20)}
    for parity_every in (0, 3):
        archive = writer.archive(tables.simple_stream(files), parity_every=parity_every)
        log = write_image(tmp_path / "image", archive)
        overwrite(tmp_path / "image", LOG_START + log.places[2, 100] + 300, b"\xff\0\xff")
        run = rescue("restore", tmp_path / "image", "--to", tmp_path / f"to{parity_every}", "f12")
        assert run.code == FINE, run.err
        assert contents(tmp_path / f"to{parity_every}") == {"f12": files["f12"]}


@pytest.mark.parametrize(
    "arguments",
    (
        [],
        ["restore"],
        ["restore", "image"],
        ["list"],
        ["check", "image", "pattern"],
        ["--nonsense"],
        ["list", "i", "j"],
    ),
    ids=" ".join,
)
def test_usage(arguments: list[str]) -> None:
    run = rescue(*arguments)
    assert run.code == USAGE
    assert "usage: rescue.py" in run.err


def test_help() -> None:
    run = rescue("--help")
    assert run.code == FINE
    assert "restore DEVICE --to DIR" in run.out


@pytest.mark.parametrize("size", (0, 100, 10_000, 6 << 20))
def test_what_is_no_cartridge(tmp_path: Path, size: int) -> None:
    (tmp_path / "file").write_bytes(b"\xa5" * size)
    run = rescue(tmp_path / "file")
    assert run.code == FAILED
    assert "this is not a tapekit cartridge" in run.err


@pytest.mark.parametrize(("path", "why"), (("missing", "No such file"), (".", "neither an image file nor a disk")))
def test_what_cannot_be_opened(tmp_path: Path, path: str, why: str) -> None:
    run = rescue("list", tmp_path / path)
    assert run.code == FAILED
    assert why in run.err


def test_a_newer_format(tmp_path: Path) -> None:
    label = writer.label_file(format=2)
    write = [disk.LogFile(file) for file in (label, [], writer.archive(STREAM).blocks())]
    (tmp_path / "label").write_bytes(disk.image(disk.Log(write).content))
    blocks = writer.archive(STREAM).blocks()
    newer = [writer.block(writer.LABEL, b"{}", archive=bytes(16), flags=writer.LAST, magic=b"TKBLOCK2")]
    (tmp_path / "magic").write_bytes(disk.image(disk.Log([disk.LogFile(f) for f in (newer, [], blocks)]).content))
    for name in ("label", "magic"):
        run = rescue("list", tmp_path / name)
        assert run.code == FAILED
        assert "written in a newer format than this program knows" in run.err


def test_a_target_that_is_no_directory(tmp_path: Path) -> None:
    write_image(tmp_path / "image", writer.archive(STREAM))
    (tmp_path / "to").write_bytes(b"a file")
    run = rescue("restore", tmp_path / "image", "--to", tmp_path / "to")
    assert run.code == FAILED
    assert "to: File exists" in run.err


def test_a_full_target(tmp_path: Path) -> None:
    """It stops at once, says so, and leaves no half file behind."""
    write_image(tmp_path / "image", writer.archive(tables.simple_stream({"a": b"x", "big": bytes(1 << 20), "z": b"z"})))
    (tmp_path / "to").mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tapekit", tmp_path / "to"], check=False)
    if mounted.returncode != 0:
        pytest.skip("needs a small file system: cannot mount one here")
    try:
        run = rescue("restore", tmp_path / "image", "--to", tmp_path / "to")
        left = contents(tmp_path / "to")
    finally:
        subprocess.run(["umount", tmp_path / "to"], check=True)
    assert run.code == FAILED
    assert "big: cannot be written: No space left on device" in run.err
    assert left == {"a": b"x"}


def test_the_list_of_a_link_and_a_device(tmp_path: Path) -> None:
    stream = b"".join(
        [
            packer.header(b"f", b"0", mode=0o4711),
            packer.header(b"l", b"2", mode=0o777, link=b"to/where"),
            packer.header(b"h", b"1", link=b"f"),
            packer.header(b"n", b"3", device=0x103),
            packer.header(b"d/", b"5", mode=0o1777, mtime_ns=-1),
            bytes(1024),
        ]
    )
    write_image(tmp_path / "image", writer.archive(stream))
    assert [line[:10] + line[43:] for line in rescue("files", tmp_path / "image").out.splitlines()] == [
        "-rws--x--x f",
        "lrwxrwxrwx l -> to/where",
        "-rw-r--r-- h = f",
        "crw-r--r-- n",
        "drwxrwxrwt d",
    ]
