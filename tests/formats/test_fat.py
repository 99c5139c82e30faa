"""The FAT volume against the text of its specification, and against fsck.fat, mtools and the kernel."""

import contextlib
import datetime as dt
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats import fat
from formats.errors import TooLarge

MIB = 1 << 20
WHEN = dt.datetime(2026, 11, 23, 21, 30, 31, 250_000, tzinfo=dt.UTC)
FILES = (
    fat.FatFile("README.txt", b"Saved, read back, compared.\r\n" * 300, WHEN),
    fat.FatFile("rescue.py", bytes(range(256)) * 400, WHEN),
    fat.FatFile("label.json", b"{}", WHEN),
    fat.FatFile("EMPTY.TXT", b"", WHEN),
)
both_sectors = pytest.mark.parametrize("sector_bytes", (512, 4096))


def volume(
    files: tuple[fat.FatFile, ...] = FILES,
    *,
    size_bytes: int = 4 * MIB,
    sector_bytes: int = 512,
    label: str = "TAPEKIT",
) -> bytes:
    return fat.build_volume(size_bytes, sector_bytes, label, 0x1234ABCD, MIB // sector_bytes, files)


def named(*names: str) -> tuple[fat.FatFile, ...]:
    return tuple(fat.FatFile(name, name.encode("utf-8", "replace"), WHEN) for name in names)


def root_entries(data: bytes) -> list[bytes]:
    """The directory entries of a volume with sectors of 512 bytes."""
    start = 512 * (1 + 2 * int.from_bytes(data[22:24], "little"))
    entries = [data[at : at + 32] for at in range(start, start + 512 * 32, 32)]
    return [entry for entry in entries if entry[0]]


def short_names(*names: str) -> list[str]:
    entries = root_entries(volume(named(*names)))
    return [entry[:11].decode("ascii") for entry in entries if entry[11] == 0x20]


def run(*command: str | Path, **environment: str) -> str:
    if shutil.which(str(command[0])) is None:
        pytest.skip(f"{command[0]} is not installed")
    result = subprocess.run(
        command, check=False, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C.UTF-8", **environment}
    )
    assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
    return result.stdout


def test_the_boot_sector_is_what_the_specification_says() -> None:
    data = volume()
    assert len(data) == 4 * MIB
    assert data[:11] == b"\xeb\x3c\x90MSWIN4.1"
    fields = {"bytes": (11, 2), "cluster": (13, 1), "reserved": (14, 2), "fats": (16, 1), "root": (17, 2)}
    fields |= {"sectors": (19, 2), "media": (21, 1), "fat": (22, 2), "hidden": (28, 4), "sectors_32": (32, 4)}
    assert {name: int.from_bytes(data[at : at + size], "little") for name, (at, size) in fields.items()} == {
        "bytes": 512,
        "cluster": 8,
        "reserved": 1,
        "fats": 2,
        "root": 512,
        "sectors": 8192,
        "media": 0xF8,
        "fat": 3,
        "hidden": 2048,
        "sectors_32": 0,
    }
    assert data[38] == 0x29
    assert data[39:62] == bytes.fromhex("cdab3412") + b"TAPEKIT    FAT12   "
    assert data[510:512] == b"\x55\xaa"


def test_the_chains_of_clusters() -> None:
    data = volume(
        (fat.FatFile("A", bytes(8193), WHEN), fat.FatFile("B", b"", WHEN), fat.FatFile("C", bytes(4096), WHEN))
    )
    assert data[512:521] == bytes.fromhex("f8ffff 034000 ffffff")
    assert data[512 : 512 * 4] == data[512 * 4 : 512 * 7]
    entries = root_entries(data)[1:]
    assert [int.from_bytes(entry[26:28], "little") for entry in entries] == [2, 0, 5]
    assert [int.from_bytes(entry[28:32], "little") for entry in entries] == [8193, 0, 4096]


def test_a_volume_with_more_sectors_than_16_bits_count() -> None:
    data = volume(size_bytes=15 << 20, sector_bytes=512)
    assert int.from_bytes(data[19:21], "little") == 30720
    with pytest.raises(TooLarge, match="4088 clusters, expected 1 to 4069"):
        volume(size_bytes=16 << 20)


def test_the_time_of_a_file() -> None:
    entry = root_entries(volume((fat.FatFile("A", b"", WHEN),)))[1]
    date, time = 46 << 9 | 11 << 5 | 23, 21 << 11 | 30 << 5 | 15
    assert entry[13] == 125  # 1.25 s after the even second
    assert [int.from_bytes(entry[at : at + 2], "little") for at in (14, 16, 18, 22, 24)] == [
        time,
        date,
        date,
        time,
        date,
    ]


@pytest.mark.parametrize(
    ("when", "date", "time"),
    (
        (dt.datetime(1970, 1, 1, tzinfo=dt.UTC), 1 << 5 | 1, 0),
        (dt.datetime(2200, 5, 5, tzinfo=dt.UTC), 127 << 9 | 12 << 5 | 31, 23 << 11 | 59 << 5 | 29),
        (
            dt.datetime(2026, 1, 2, 3, 4, tzinfo=dt.timezone(dt.timedelta(hours=2))),
            46 << 9 | 1 << 5 | 2,
            3 << 11 | 4 << 5,
        ),
    ),
)
def test_a_time_that_fat_cannot_say_becomes_the_nearest(when: dt.datetime, date: int, time: int) -> None:
    entry = root_entries(volume((fat.FatFile("A", b"", when),)))[1]
    assert (int.from_bytes(entry[24:26], "little"), int.from_bytes(entry[22:24], "little")) == (date, time)


def test_a_name_that_fits_has_no_long_entry() -> None:
    assert [entry[11] for entry in root_entries(volume(named("README.TXT")))] == [0x08, 0x20]


def test_a_long_name_stands_before_its_entry() -> None:
    _, last, first, entry = root_entries(volume(named("fourteen.chars")))
    assert (last[0], first[0]) == (0x42, 0x01)
    assert (last[11], first[11]) == (0x0F, 0x0F)
    assert (first[1:11] + first[14:26] + first[28:]).decode("utf-16-le") == "fourteen.char"
    assert last[1:11] + last[14:26] + last[28:] == b"s\0\0\0" + b"\xff" * 22
    assert entry[:11] == b"FOURTE~1CHA"
    checksum = 0
    for byte in b"FOURTE~1CHA":
        checksum = ((checksum << 7 | checksum >> 1) & 0xFF) + byte & 0xFF
    assert last[13] == first[13] == checksum


def test_a_long_name_of_13_units_has_no_end_mark() -> None:
    _, long, _ = root_entries(volume(named("thirteen.char")))
    assert long[0] == 0x41
    assert (long[1:11] + long[14:26] + long[28:]).decode("utf-16-le") == "thirteen.char"


@pytest.mark.parametrize(
    ("name", "short_name"),
    (
        ("README.txt", "README  TXT"),
        ("rescue.py", "RESCUE  PY "),
        ("label.json", "LABEL~1 JSO"),
        ("two words.txt", "TWOWOR~1TXT"),
        ("été.txt", "_T_~1   TXT"),
        ("a+b", "A_B~1      "),
        (".profile", "PROFIL~1   "),
        ("archive.tar.gz", "ARCHIV~1GZ "),
        ("noextension", "NOEXTE~1   "),
    ),
)
def test_short_names(name: str, short_name: str) -> None:
    assert short_names(name) == [short_name]


def test_short_names_are_all_different() -> None:
    found = short_names(*(f"the same beginning {i}.txt" for i in range(12)))
    assert found[:2] == ["THESAM~1TXT", "THESAM~2TXT"]
    assert found[9] == "THESA~10TXT"
    assert len(set(found)) == 12
    assert short_names("label.json", "LABEL~1.JSO") == ["LABEL~1 JSO", "LABEL~~1JSO"]


@pytest.mark.parametrize("name", ("", ".", "..", "a.", "a ", "a/b", "a\\b", "a:b", "a\0b", "a\nb", "a*", "a?", 'a"'))
def test_a_name_that_cannot_be(name: str) -> None:
    with pytest.raises(TooLarge, match="cannot be the name"):
        volume(named(name))


def test_a_name_that_is_too_long_or_there_twice() -> None:
    assert len(short_names("x" * 255)) == 1
    with pytest.raises(TooLarge, match="longer than 255"):
        volume(named("x" * 256))
    with pytest.raises(TooLarge, match="twice"):
        volume(named("readme.txt", "README.TXT"))


@pytest.mark.parametrize("label", ("", "twelve chars", "TWELVE CHARS", "tapekit", "A.B", " A", "É"))
def test_a_label_that_cannot_be(label: str) -> None:
    with pytest.raises(TooLarge, match="FAT label"):
        volume(label=label)


@both_sectors
def test_files_that_just_fit_and_just_do_not(sector_bytes: int) -> None:
    clusters = {512: (8192 - 1 - 6 - 32) // 8, 4096: 1024 - 1 - 2 - 4}[sector_bytes]
    data = volume((fat.FatFile("A", b"\x55" * (clusters * 4096), WHEN),), sector_bytes=sector_bytes)
    assert data.count(0x55, 64 * 1024) > (clusters - 16) * 4096
    assert len(data) == 4 * MIB
    with pytest.raises(TooLarge, match=f"files of {clusters + 1} clusters, there are {clusters}"):
        volume((fat.FatFile("A", bytes(clusters * 4096), WHEN), *named("B")), sector_bytes=sector_bytes)


def test_more_names_than_the_root_directory_holds() -> None:
    volume(named(*(f"F{i}" for i in range(511))))
    with pytest.raises(TooLarge, match="513 directory entries, limit 512"):
        volume(named(*(f"F{i}" for i in range(512))))


@pytest.mark.parametrize(("size_bytes", "sector_bytes"), ((0, 512), (4096, 512), (4 * MIB, 513), (4 * MIB, 8192)))
def test_a_size_that_cannot_be(size_bytes: int, sector_bytes: int) -> None:
    with pytest.raises(TooLarge, match="FAT volume"):
        volume((), size_bytes=size_bytes, sector_bytes=sector_bytes)


@pytest.mark.parametrize("sector_bytes", (512, 1024, 2048, 4096))
@pytest.mark.parametrize("size_bytes", (64 * 1024, 4 * MIB, 4 * MIB + 5000, 15 * MIB))
def test_fsck_finds_nothing_wrong(tmp_path: Path, size_bytes: int, sector_bytes: int) -> None:
    path = tmp_path / "volume"
    files = FILES if size_bytes > MIB else FILES[2:]
    path.write_bytes(volume(files, size_bytes=size_bytes, sector_bytes=sector_bytes))
    version, summary = run("fsck.fat", "-n", path).splitlines()  # a complaint would be a third line
    assert version.startswith("fsck.fat")
    assert summary.startswith(f"{path}: {len(files) + 1} files, ")  # fsck.fat counts the label


@both_sectors
def test_mtools_reads_the_files_back(tmp_path: Path, sector_bytes: int) -> None:
    path = tmp_path / "volume"
    path.write_bytes(volume(sector_bytes=sector_bytes))
    listing = run("mdir", "-i", path, "::")
    assert "Volume in drive : is TAPEKIT" in listing
    assert "Volume Serial Number is 1234-ABCD" in listing
    assert "2026-11-23  21:30  README.txt" in listing
    run("mcopy", "-i", path, "::*", tmp_path)
    assert {file.name: (tmp_path / file.name).read_bytes() for file in FILES} == {
        file.name: file.data for file in FILES
    }


@settings(max_examples=25, deadline=None)
@given(
    st.dictionaries(
        st.text("abcXYZ019 ._-+~éñ漢", min_size=1, max_size=40).filter(
            lambda name: name[-1] not in ". " and name[0] != " "
        ),
        st.binary(max_size=9000),
        max_size=12,
    ),
    st.sampled_from((512, 4096)),
)
def test_any_files_are_clean_and_come_back(
    tmp_path_factory: pytest.TempPathFactory, contents: dict[str, bytes], sector_bytes: int
) -> None:
    by_upper = {name.upper(): fat.FatFile(name, data, WHEN) for name, data in contents.items()}
    folder = tmp_path_factory.mktemp("fat")
    path, target = folder / "volume", folder / "out"
    target.mkdir()
    path.write_bytes(volume(tuple(by_upper.values()), sector_bytes=sector_bytes))
    run("fsck.fat", "-n", path)
    if by_upper:
        run("mcopy", "-i", path, "::*", target)
    assert {found.name: found.read_bytes() for found in target.iterdir()} == {
        file.name: file.data for file in by_upper.values()
    }


@contextlib.contextmanager
def mounted(path: Path, sector_bytes: int) -> Iterator[Path]:
    if os.geteuid() != 0 or not Path("/dev/loop-control").exists():
        pytest.skip("needs root and loop devices")
    if "\tvfat\n" not in Path("/proc/filesystems").read_text():
        pytest.skip("this kernel has no vfat")
    folder = path.with_name("mounted")
    folder.mkdir()
    device = run("losetup", "--find", "--show", "--sector-size", str(sector_bytes), path).strip()
    try:
        run("mount", "-t", "vfat", "-o", "iocharset=utf8,tz=UTC", device, folder)
        try:
            yield folder
        finally:
            run("umount", folder)
    finally:
        run("losetup", "--detach", device)


@both_sectors
def test_the_kernel_mounts_it_and_may_write_to_it(tmp_path: Path, sector_bytes: int) -> None:
    path = tmp_path / "volume"
    path.write_bytes(volume(sector_bytes=sector_bytes))
    with mounted(path, sector_bytes) as folder:
        assert {found.name: found.read_bytes() for found in folder.iterdir()} == {
            file.name: file.data for file in FILES
        }
        assert (folder / "README.txt").stat().st_mtime == int(WHEN.timestamp()) // 2 * 2
        (folder / "a note.txt").write_bytes(b"x" * 5000)
    run("fsck.fat", "-n", path)
