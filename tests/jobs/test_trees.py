"""A tree of every kind of thing comes back the same: by restore, by export and GNU tar, by the rescue kit."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.compare import rsync_differences, tree_differences
from fixtures.judges import need
from fixtures.trees import Tree, make_deep_tree, make_tree
from tests.jobs.cartridges import Image, new_image, restored

PRIVILEGED = os.geteuid() == 0
REPOSITORY = Path(__file__).parents[2]
RESCUE = REPOSITORY / "tapekit" / "rescue" / "rescue.py"
GNU_TAR = (
    "tar",
    "--extract",
    "-p",
    "--xattrs",
    "--xattrs-include=*",
    "--acls",
    "--numeric-owner",
    "--warning=no-timestamp",
)
ORDINARY_UID = 54_321
LOSSES = 6


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    root = tmp_path / "source"
    root.mkdir()
    return make_tree(root, privileged=PRIVILEGED)


@pytest.fixture
def saved(tree: Tree, tmp_path: Path) -> Image:
    image = new_image(tmp_path / "tree.tkc", 32 << 20, 64 << 10)
    result = image.back_up(tree.root, compression="auto")
    unreadable = {path for path in tree.not_kept if path != b"special/socket"}
    stored = os.fsencode(str(tree.root).lstrip("/"))
    assert {warned.path for warned in result.warnings} == {stored + b"/" + path for path in unreadable}
    assert [note for note in result.notes if "special/socket" in note]
    return image


def test_restore_brings_everything_back(tree: Tree, saved: Image, tmp_path: Path) -> None:
    to = tmp_path / "to"
    result = saved.restore(to, devices=True)
    assert (result.damaged, result.refused, result.problems) == ([], [], [])
    stored = os.fsencode(str(tree.root).lstrip("/"))
    assert {path.removeprefix(stored + b"/") for path, _ in result.warnings} <= set(tree.not_kept)
    assert tree_differences(tree.root, restored(to, tree.root), ignore=tree.not_kept) == []
    assert rsync_differences(tree.root, restored(to, tree.root), ignore=tree.not_kept) == []


def test_verify_finds_the_tree_as_its_source_is(saved: Image) -> None:
    result = saved.verify(with_source=True)
    assert result.ok
    comparison = result.segments[0].comparison
    assert comparison is not None
    assert comparison.same > 300
    assert (comparison.changed, comparison.gone, comparison.differing, comparison.unreadable) == (0, 0, [], [])


def test_a_socket_is_only_noted(saved: Image) -> None:
    (found,) = (item.entry for path, item in saved.listed().items() if path.endswith(b"special/socket"))
    assert found.is_absent
    assert b"socket" in found.note


def test_export_goes_through_gnu_tar(tree: Tree, saved: Image, tmp_path: Path) -> None:
    to = tmp_path / "to"
    to.mkdir()
    with subprocess.Popen(
        [sys.executable, "-m", "tapekit", "export", saved.url], stdout=subprocess.PIPE, cwd=REPOSITORY
    ) as export:
        subprocess.run([*GNU_TAR, "-C", to], stdin=export.stdout, check=True)
    assert export.returncode == 0
    assert tree_differences(tree.root, restored(to, tree.root), ignore=tree.not_kept) == []


def test_rescue_kit_brings_everything_back(tree: Tree, saved: Image, tmp_path: Path) -> None:
    to = tmp_path / "to"
    done = subprocess.run(
        [sys.executable, "-I", "-S", RESCUE, "restore", saved.path, "--to", to, "--devices"],
        capture_output=True, check=False, text=True, env={},
    )  # fmt: skip
    assert done.returncode == (0 if PRIVILEGED else LOSSES), done.stderr  # an ordinary user's tree has unreadable files
    assert tree_differences(tree.root, restored(to, tree.root), ignore=tree.not_kept) == []


def test_paths_longer_than_the_system_takes(tmp_path: Path, cartridge: Image) -> None:
    root, to = tmp_path / "deep", tmp_path / "to"
    root.mkdir()
    tree = make_deep_tree(root)
    assert max(map(len, tree.made)) > 4096
    cartridge = new_image(tmp_path / "deep.tkc", 16 << 20, 64 << 10)
    assert cartridge.back_up(root).warnings == ()
    result = cartridge.restore(to)
    assert (result.damaged, result.refused, result.warnings) == ([], [], [])
    assert tree_differences(root, restored(to, root)) == []
    comparison = cartridge.verify(with_source=True).segments[0].comparison
    assert comparison is not None
    assert (comparison.same, comparison.unreadable) == (2, [])


def test_a_path_too_long_for_the_block_is_not_saved_and_said(tmp_path: Path, cartridge: Image) -> None:
    root = tmp_path / "deep"
    root.mkdir()
    make_deep_tree(root)
    result = cartridge.back_up(root)
    assert result.warnings
    assert all("a block has room for" in warned.why for warned in result.warnings)
    assert cartridge.verify().ok
    assert cartridge.restore(tmp_path / "to").damaged == []


ORDINARY = """
import os, sys
sys.path[:0] = [{repository!r}]
from pathlib import Path
from fixtures.trees import make_tree
from fixtures.compare import rsync_differences, tree_differences
from tests.jobs.cartridges import new_image, restored
os.environ["TAPEKIT_STATE"] = {folder!r} + "/state"
os.chdir({folder!r})
everything_imported = new_image(Path("warm.tkc"))
everything_imported.back_up({repository!r} + "/LICENSE")
everything_imported.restore(Path("warm"))
os.chown("state", {uid}, {uid}); os.chown("state/evidence.jsonl", {uid}, {uid})
os.setgroups([]); os.setgid({uid}); os.setuid({uid})
folder = Path({folder!r})
(folder / "source").mkdir()
tree = make_tree(folder / "source", privileged=False)
image = new_image(folder / "tree.tkc", 32 << 20, 64 << 10)
saved = image.back_up(tree.root, compression="auto")
print(sorted(w.path.rsplit(b"/", 1)[1] for w in saved.warnings), len(saved.notes))
result = image.restore(folder / "to")
print(result.damaged, result.refused, result.problems, len(result.skipped))
print([(path.rsplit(b"/", 1)[1], why) for path, why in result.warnings])
print(tree_differences(tree.root, restored(folder / "to", tree.root), ignore=tree.not_kept))
print(rsync_differences(tree.root, restored(folder / "to", tree.root), ignore=tree.not_kept))
print(image.verify().ok)
"""


@pytest.mark.skipif(not PRIVILEGED, reason="needs root, to become an ordinary user")
def test_an_ordinary_user_gets_everything_back(tmp_path: Path) -> None:
    """In a process of its own: who has given up being root does not become it again, nor imports what only root may."""
    need("rsync")
    if not all(parent.stat().st_mode & 0o001 for parent in REPOSITORY.parents):
        pytest.skip(f"{REPOSITORY} is in a directory that an ordinary user may not enter")
    folder = Path("/tmp") / f"tapekit-ordinary-{os.getpid()}"
    folder.mkdir(mode=0o700)
    os.chown(folder, ORDINARY_UID, ORDINARY_UID)
    try:
        program = ORDINARY.format(uid=ORDINARY_UID, folder=str(folder), repository=str(REPOSITORY))
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False, text=True)
    finally:
        subprocess.run(["rm", "-rf", folder], check=True)
    assert done.stderr == ""
    unreadable, not_listed = (
        [b"0000", b"0200", b"4000", b"directory-0000"],
        (b"directory-0000", "as it was saved: permission denied"),
    )
    assert done.stdout.splitlines() == [f"{unreadable} 1", "[] [] [] 3", f"[{not_listed}]", "[]", "[]", "True"]
