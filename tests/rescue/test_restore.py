"""A whole restore gives back every kind of thing, with nothing but Python."""

import os
import pwd
import stat
import struct
from dataclasses import replace
from pathlib import Path
from shutil import copy
from tempfile import TemporaryDirectory

import pytest

from fixtures.compare import rsync_differences, tree_differences
from fixtures.trees import Tree, make_deep_tree, make_tree
from tests.rescue import packer, tables, writer
from tests.rescue.kit import FAILED, FINE, LOSSES, RESCUE, contents, rescue, write_image

IS_ROOT = os.geteuid() == 0
NOBODY = 65534
SYSTEM_PYTHON = "/usr/bin/python3"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    root = tmp_path / "source"
    root.mkdir()
    return make_tree(root, privileged=IS_ROOT)


@pytest.mark.parametrize("compress", (False, True))
def test_every_kind_of_thing(tree: Tree, tmp_path: Path, *, compress: bool) -> None:
    stream, entries = packer.pack(tree.root, without=tree.not_kept)
    image, target = tmp_path / "image", tmp_path / "target"
    write_image(image, writer.Segment(stream, entries, compress=compress, cut=50_000, per_table=100))
    target.mkdir()
    run = rescue("restore", image, "--to", target, "--devices")
    assert (run.code, run.out) == (FINE, f"{len(entries)} restored to {target}\n"), run.err
    about = tree.root.stat()
    os.utime(target, ns=(about.st_atime_ns, about.st_mtime_ns))  # the root itself is no member
    assert tree_differences(tree.root, target, ignore=tree.not_kept) == []
    assert rsync_differences(tree.root, target, ignore=tree.not_kept) == []


LEFT_OUT = (".: mtime", "hardlinks: hard links", "hardlinks/fifo-a: hard links")


def test_what_gnu_tar_packed(tree: Tree, tmp_path: Path) -> None:
    """GNU tar forgets that names of a FIFO or a device are one, stores small holes, and names users in ACLs."""
    without = [*tree.not_kept, b"acls", b"devices", b"hardlinks/fifo-b", b"sparse/hole-of-5-bytes"]
    stream = tables.tree_stream(tree.root, without)
    image, target = tmp_path / "image", tmp_path / "target"
    write_image(image, writer.archive(stream, cut=50_000, per_table=100))
    run = rescue("restore", image, "--to", target)
    assert run.code == FINE, run.err
    differences = tree_differences(tree.root, target, ignore=without)
    assert [line for line in differences if not line.startswith(LEFT_OUT)] == []


def test_paths_longer_than_a_path(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    tree = make_deep_tree(tmp_path / "source")
    stream, entries = packer.pack(tree.root)
    image, target = tmp_path / "image", tmp_path / "target"
    write_image(image, writer.Segment(stream, entries, cut=20_000))
    target.mkdir()
    assert rescue("restore", image, "--to", target).code == FINE
    about = tree.root.stat()
    os.utime(target, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert tree_differences(tree.root, target) == []


FILES = {"a": b"first\n", "d/b": b"second " * 2000, "d/c": b"", "e": bytes(range(256)) * 40}


def test_only_what_is_named(tmp_path: Path) -> None:
    write_image(tmp_path / "image", writer.archive(tables.simple_stream(FILES)))

    def restored(name: str, *patterns: str) -> dict[str, bytes]:
        assert rescue("restore", tmp_path / "image", "--to", tmp_path / name, *patterns).code == FINE
        return contents(tmp_path / name)

    assert restored("one", "d/b") == {"d/b": FILES["d/b"]}
    assert restored("directory", "/d/") == {name: FILES[name] for name in ("d/b", "d/c")}
    assert restored("pattern", "*[ce]") == {name: FILES[name] for name in ("d/c", "e")}
    none = rescue("restore", tmp_path / "image", "--to", tmp_path / "none", "nothing-of-that-name")
    assert (none.code, contents(tmp_path / "none")) == (FAILED, {})


def test_nothing_that_is_there_is_replaced(tmp_path: Path) -> None:
    write_image(tmp_path / "image", writer.archive(tables.simple_stream(FILES)))
    target = tmp_path / "target"
    target.mkdir()
    (target / "a").write_bytes(b"mine\n")
    run = rescue("restore", tmp_path / "image", "--to", target)
    assert run.code == LOSSES
    assert "not restored: a: something of that name is there already" in run.err
    assert contents(target) == {**FILES, "a": b"mine\n"}


def test_parts_are_joined(tmp_path: Path) -> None:
    parts = [part(1, b"one "), part(2, b"two "), part(3, b"three", last=True)]
    stream = b"".join([*parts, packer.header(b"other", b"0"), bytes(1024)])
    write_image(tmp_path / "image", writer.archive(stream))
    run = rescue("restore", tmp_path / "image", "--to", tmp_path / "target")
    assert (run.code, contents(tmp_path / "target")) == (FINE, {"db/dump": b"one two three", "other": b""}), run.err
    assert rescue("restore", tmp_path / "image", "--to", tmp_path / "named", "db/dump").code == FINE
    assert contents(tmp_path / "named") == {"db/dump": b"one two three"}


@pytest.mark.parametrize(("kept", "why"), (((1, 3), "part 2 of it is missing"), ((1, 2), "its last part is missing")))
def test_a_missing_part_is_said(tmp_path: Path, kept: tuple[int, ...], why: str) -> None:
    stream = b"".join(part(number, b"%d" % number, last=number == 3) for number in kept) + bytes(1024)
    write_image(tmp_path / "image", writer.archive(stream))
    run = rescue("restore", tmp_path / "image", "--to", tmp_path / "target")
    assert run.code == LOSSES
    assert f"damaged: db/dump: {why}" in run.err
    assert list(contents(tmp_path / "target")) == ["db/dump.damaged"]


def part(number: int, content: bytes, *, last: bool = False) -> bytes:
    records = {b"TAPEKIT.part": b"%d" % number, b"TAPEKIT.path": b"db/dump"}
    records |= {b"TAPEKIT.last": b"1"} if last else {}
    name = b"db/dump.tkpart.%08d" % number
    return packer.header(name, b"0", size=len(content), records=records) + packer.padded(content)


def test_a_short_file_is_cut_and_said(tmp_path: Path) -> None:
    stream = tables.simple_stream({"log": b"real" + bytes(96), "other": b"x"})
    log, other = tables.entries_of(stream)
    entries = [
        replace(log, flags=tables.SHORT, valid=4, note=b"input/output error"),
        other,
        tables.Entry(b"gone", flags=tables.ABSENT, note=b"vanished"),
        tables.Entry(b"socket", type="s", flags=tables.ABSENT),
    ]
    write_image(tmp_path / "image", writer.Segment(stream, entries))
    run = rescue("restore", tmp_path / "image", "--to", tmp_path / "target")
    assert run.code == LOSSES
    assert contents(tmp_path / "target") == {"log": b"real", "other": b"x"}
    assert "log: only 4 of its 100 bytes were saved: input/output error" in run.err
    assert "never saved: gone: vanished" in run.err
    assert "socket" not in run.err


def test_what_needs_an_earlier_archive_is_said(tmp_path: Path) -> None:
    records = {
        b"TAPEKIT.path": b"db", b"TAPEKIT.delta": b"1", b"TAPEKIT.base": b"00" * 16, b"TAPEKIT.base_offset": b"0",
        b"TAPEKIT.at": b"0", b"TAPEKIT.last": b"1", b"TAPEKIT.sha256": b"00" * 32,
    }  # fmt: skip
    extent = b"TKD1" + struct.pack(">IBQQ", 1, 1, 8, 0)  # 8 bytes from the base
    delta = packer.header(b"db.tkdelta.00000001", b"0", size=25, records=records) + packer.padded(extent)
    stream = delta + tables.simple_stream({"other": b"x"})
    db, other = tables.entries_of(stream)
    entries = [replace(db, path=b"db", flags=tables.DELTA, size=8), tables.Entry(b"old", base=1, offset=0), other]
    write_image(tmp_path / "image", writer.Segment(stream, entries, bases=("00" * 16,)))
    run = rescue("restore", tmp_path / "image", "--to", tmp_path / "target")
    assert (run.code, contents(tmp_path / "target")) == (LOSSES, {"other": b"x"})
    assert "not restored: db: an archive that it builds upon is not on this cartridge" in run.err
    assert "not restored: old: the archive that it is in is not on this cartridge" in run.err


def test_a_hard_link_without_its_first_name_is_said(tmp_path: Path) -> None:
    stream = packer.header(b"a", b"0") + packer.header(b"b", b"1", link=b"a") + bytes(1024)
    write_image(tmp_path / "image", writer.archive(stream))
    run = rescue("restore", tmp_path / "image", "--to", tmp_path / "target", "b")
    assert run.code == LOSSES
    assert "not restored: b: it is another name of a, which was not restored" in run.err


@pytest.mark.skipif(not IS_ROOT, reason="needs root: becomes another user")
@pytest.mark.skipif(not os.access(SYSTEM_PYTHON, os.X_OK), reason=f"no {SYSTEM_PYTHON}, which another user could run")
def test_as_another_user() -> None:
    """Owners cannot be kept, and a program that was set-user-id of its owner must not become one of this user."""
    stream = packer.header(b"program", b"0", mode=0o4755, uid=12) + packer.header(b"null", b"3", device=0x103)
    with TemporaryDirectory() as name:
        place = Path(name)
        write_image(place / "image", writer.archive(stream + bytes(1024)))
        copy(RESCUE, place)
        os.chown(place, NOBODY, NOBODY)
        run = rescue("restore", place / "image", "--to", place / "target",
                     python=(SYSTEM_PYTHON, "-I", "-S"), kit=place / "rescue.py", user=NOBODY)  # fmt: skip
        assert run.code == FINE, run.err
        about = (place / "target" / "program").stat()
    assert (about.st_uid, stat.S_IMODE(about.st_mode)) == (NOBODY, 0o755)
    assert "left out: null: a device" in run.err


@pytest.mark.skipif(not IS_ROOT, reason="needs root: gives files to others")
def test_owners_by_number_or_by_name(tmp_path: Path) -> None:
    records = {b"uname": b"daemon", b"gname": b"nobody-of-that-name"}
    stream = packer.header(b"f", b"0", uid=12345, gid=23456, records=records) + bytes(1024)
    write_image(tmp_path / "image", writer.archive(stream))
    owners = {}
    for option in ("--devices", "--by-name"):
        assert rescue("restore", tmp_path / "image", "--to", tmp_path / option[2:], option).code == FINE
        about = (tmp_path / option[2:] / "f").stat()
        owners[option] = (about.st_uid, about.st_gid)
    assert owners == {"--devices": (12345, 23456), "--by-name": (pwd.getpwnam("daemon").pw_uid, 23456)}


def test_a_wrong_acl_is_said(tmp_path: Path) -> None:
    stream = packer.header(b"f", b"0", records={b"SCHILY.acl.access": b"user::rw-,user:someone:rwx"}) + bytes(1024)
    write_image(tmp_path / "image", writer.archive(stream))
    run = rescue("restore", tmp_path / "image", "--to", tmp_path / "target")
    assert (run.code, contents(tmp_path / "target")) == (LOSSES, {"f": b""})
    assert "f: its system.posix_acl_access could not be set" in run.err


def test_a_long_sparse_map(tmp_path: Path) -> None:
    """More extents than one tar block of map holds, over several data blocks."""
    extents = [(number * 8192, 512) for number in range(500)]
    content = b"".join(struct.pack(">I", number) * 128 for number in range(500))
    sparse_map = packer.padded(b"".join(b"%d\n" % n for n in [len(extents), *(n for pair in extents for n in pair)]))
    records = {b"GNU.sparse.major": b"1", b"GNU.sparse.minor": b"0", b"GNU.sparse.name": b"f"}
    records |= {b"GNU.sparse.realsize": b"%d" % (500 * 8192)}
    stored = sparse_map + content
    stream = packer.header(b"f", b"0", size=len(stored), records=records) + packer.padded(stored) + bytes(1024)
    write_image(tmp_path / "image", writer.archive(stream))
    run = rescue("restore", tmp_path / "image", "--to", tmp_path / "target")
    assert run.code == FINE, run.err
    whole = b"".join((struct.pack(">I", number) * 128).ljust(8192, b"\0") for number in range(500))
    assert (tmp_path / "target" / "f").read_bytes() == whole
