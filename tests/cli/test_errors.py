"""What a command says, and how it ends, when it is asked for what cannot be."""

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from fixtures.judges import need
from formats import block, label
from tapekit.cartridge.cartridge import label_block
from tests.cli.conftest import Run
from tests.jobs.cartridges import places

READING = ("verify", "inspect", "list")


def test_version_and_help(run: Run) -> None:
    assert run("--version").out.startswith("tapekit ")
    shown = run("--help")
    assert shown.code == 0
    for command in ("label", "backup", "verify", "inspect", "list", "restore", "export"):
        assert command in shown.out
        assert run(command, "--help").out.startswith("Usage: ")


@pytest.mark.parametrize("command", READING)
@pytest.mark.parametrize(
    ("drive", "code", "message"),
    (
        ("image:/nowhere/c.tkc", 4, "no such device or file"),
        ("disk:/dev/nowhere", 4, "no such device or file"),
        ("image:{}", 4, "is a directory"),
        ("disk:{}/text", 4, "is no block device"),
        ("image:/dev/null", 4, "is no regular file"),
        ("virtual:{}/tape", 4, "no such file"),
        ("virtual:{}/tape?generation=2", 2, "generation 2: not known"),
        ("virtual:{}/tape?size=64M", 2, "size: not an option"),
        ("virtual:{}/tape?generation", 2, "generation: without a value"),
        ("virtual:{}/tape?generation=6&capacity=0", 2, "capacity 0: not a size"),
        ("virtual:{}/tape?generation=6&medium=L99", 2, "there are L1,"),
        ("virtual:{}/nowhere/tape?generation=6", 2, "nowhere: no such folder"),
        ("cellar", 2, "is no drive"),
        ("tapes:/dev/nst0", 2, "is no drive"),
        ("image:", 2, "must stand behind"),
        ("", 2, "is no drive"),
        ("image:{}/empty", 5, "blank"),
        ("image:{}/text", 5, "not a tapekit cartridge"),
    ),
)
def test_what_is_no_cartridge(run: Run, tmp_path: Path, command: str, drive: str, code: int, message: str) -> None:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_bytes(b"dear diary\n" * 1000)
    ran = run(command, drive.format(tmp_path))
    assert (ran.code, ran.out) == (code, "")
    assert message in ran.err
    assert ran.err.startswith("tapekit: ")
    assert len(ran.err.splitlines()) <= 2


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    (
        (("label", "image:{}/x", "--size", "much"), 2, "is not a size"),
        (("label", "image:{}/x", "--size", "-1M"), 2, ""),
        (("label", "image:{}/x", "--size", "64M", "--block-size", "5000"), 2, "block size"),
        (("label", "image:{}/x", "--size", "64M", "--block-size", "64M"), 2, "block size"),
        (("label", "image:{}/x", "--size", "100K"), 5, "at least"),
        (("label", "image:{}/x", "--size", "64M", "--barcode", "\u00e4"), 2, "barcode"),
        (("label", "disk:/dev/null", "--size", "64M"), 2, "only an image file"),
        (("label", "image:{}/nowhere/x", "--size", "64M"), 4, "no such"),
        (("backup", "image:{}/c.tkc"), 2, "PATH"),
        (("backup", "image:{}/c.tkc", ""), 2, "empty"),
        (("backup", "image:{}/c.tkc", "/nowhere"), 4, "nothing to save"),
        (("backup", "image:{}/c.tkc", "{}/source", "--compression", "lzma"), 2, "compression"),
        (("backup", "image:{}/c.tkc", "{}/source", "--compression", "zstd:99"), 2, "compression"),
        (("restore", "image:{}/c.tkc"), 2, "--to"),
        (("restore", "image:{}/c.tkc", "--to", "{}/to", "--archive", "fff"), 4, "there is none"),
        (("restore", "image:{}/c.tkc", "--to", "{}/to", "nothing-like-it"), 4, "nothing matches"),
        (("restore", "image:{}/c.tkc", "--to", "{}/source/one"), 4, "cannot be used as the target"),
        (("restore", "image:{}/c.tkc", "--to", "{}/to", "--overwrite", "perhaps"), 2, "perhaps"),
        (("list", "image:{}/c.tkc", "nothing-like-it"), 3, "nothing matches"),
        (("verify", "image:{}/c.tkc", "--archive", "fff"), 4, "there is none"),
        (("nonsense",), 2, "nonsense"),
        (("--config", "{}/none.toml", "inspect", "office"), 2, "none.toml"),
    ),
)
def test_what_cannot_be(
    run: Run, saved: str, tmp_path: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    before = hashlib.sha256((tmp_path / "c.tkc").read_bytes()).digest()
    ran = run(*(argument.format(tmp_path) for argument in arguments))
    assert ran.code == code, ran.err
    assert message in ran.err
    assert hashlib.sha256((tmp_path / "c.tkc").read_bytes()).digest() == before
    assert not (tmp_path / "x").exists()


def test_a_drive_by_its_name(run: Run, saved: str) -> None:
    assert run("inspect", "office").code == 0


@pytest.mark.parametrize("destroy", ((), ("--destroy", "THU-1"), ("--destroy", "wed-1"), ("--destroy", "")))
def test_nothing_is_destroyed_without_its_name(run: Run, saved: str, destroy: tuple[str, ...]) -> None:
    ran = run("label", saved, *destroy)
    assert ran.code == 5
    assert "holds 1 archive" in ran.err
    assert "--destroy WED-1" in ran.err
    assert run("verify", saved).code == 0
    assert run("label", saved, "--destroy", "WED-1").code == 0


def test_a_cartridge_from_the_future(run: Run, saved: str, tmp_path: Path) -> None:
    image = tmp_path / "c.tkc"
    first = next(places(image))
    with image.open("r+b") as file:
        file.seek(first.content)
        newer = label.parse(bytes(block.payload(file.read(first.size_bytes))))
        object.__setattr__(newer, "format", 2)  # what no builder of this version makes
        file.seek(first.content)
        file.write(label_block(newer))
    for command in (*READING, "backup", "label"):
        ran = run(command, saved, *([tmp_path / "source"] if command == "backup" else []))
        assert ran.code == 5, command
        assert f"tapekit: {saved}: label: format version 2, this program reads up to 1" in ran.err
        assert "hint: a newer tapekit wrote it" in ran.err


def test_a_medium_that_takes_no_writes(run: Run, saved: str, source: Path, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        need("chattr")
    if os.geteuid() != 0:
        (tmp_path / "c.tkc").chmod(0o400)
    elif subprocess.run(["chattr", "+i", tmp_path / "c.tkc"], check=False, capture_output=True).returncode:
        pytest.skip("needs a file system with immutable files")
    try:
        for arguments in (("backup", saved, source), ("label", saved, "--destroy", "WED-1")):
            ran = run(*arguments)
            assert ran.code == 5
            assert "write-protected" in ran.err
        assert run("verify", saved).code == 0
    finally:
        if os.geteuid() == 0:
            subprocess.run(["chattr", "-i", tmp_path / "c.tkc"], check=True)


def test_damage_is_told_with_its_members(run: Run, saved: str, source: Path, tmp_path: Path) -> None:
    data = next(place for place in places(tmp_path / "c.tkc") if (place.file, place.block) == (2, 1))
    with (tmp_path / "c.tkc").open("r+b") as image:
        image.seek(data.content + 200)
        image.write(b"damage")
    ran = run("verify", saved)
    assert ran.code == 6
    assert "DAMAGED" in ran.out
    assert "source/one" in ran.err
    ran = run("restore", saved, "--to", tmp_path / "to")
    assert ran.code == 6
    assert "source/one" in ran.err


def test_a_path_named_export_changes_nothing(run: Run) -> None:
    ran = run("backup", "image:missing.img", "export", "--json")
    assert ran.answer["exit_code"] == ran.code != 0
    assert "missing.img" in ran.answer["error"]
