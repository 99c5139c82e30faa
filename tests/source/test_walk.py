"""Which paths are saved, under which names, and what is left out."""

import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tapekit.errors import TapekitError, UsageError
from tapekit.source.exclude import Excludes
from tapekit.source.walk import OWN_FILE, Options, Sources, Thing, check_sources, given_links, plan_sources, walk

CACHE_TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# made by a test\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current directory with two directories, a file in each, and a link to one."""
    for name in ("one", "two"):
        (tmp_path / "here" / name / "inner").mkdir(parents=True)
        (tmp_path / "here" / name / "inner" / "file").write_text(name)
    (tmp_path / "here" / "link").symlink_to("one/inner")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.fixture
def ordinary() -> Iterator[None]:
    """No privileges: root becomes another user for the time of a test."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(54_321)
    try:
        yield
    finally:
        os.seteuid(0)


def found(*paths: str | Path, exclude: tuple[str, ...] = (), **options: Any) -> list[Thing]:  # noqa: ANN401
    return list(walk(plan_sources([str(path) for path in paths]), Options(Excludes(exclude), **options)))


def names(things: list[Thing], below: Path | None = None) -> list[str]:
    prefix = str(below).lstrip("/") + "/" if below else ""
    return [os.fsdecode(thing.path).removeprefix(prefix) for thing in things]


# --- paths as they are given ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ("one", "one/", "./one", "one/.", "one//", "two/../one", "link/../../one"))
def test_relative_paths_are_stored_relative_to_here(here: Path, given: str) -> None:
    if given.startswith("link"):  # one/inner/../../one: leads to the same by another way, so it is stored as absolute
        assert plan_sources([given]) == Sources("/", (str(here / "one"),))
    else:
        assert plan_sources([given]) == Sources(str(here), ("one",))
        assert names(found(given)) == ["one", "one/inner", "one/inner/file"]


@pytest.mark.parametrize("given", (".", "./", "../here", "..//here/."))
def test_here_itself_is_stored_by_its_absolute_path(here: Path, given: str) -> None:
    assert plan_sources([given]) == Sources("/", (str(here),))


def test_absolute_paths_lose_their_slash(here: Path) -> None:
    assert names(found(here / "two")) == [f"{here}/two"[1:], f"{here}/two/inner"[1:], f"{here}/two/inner/file"[1:]]


def test_one_absolute_path_makes_all_absolute(here: Path) -> None:
    assert plan_sources(["two", str(here / "one")]) == Sources("/", (f"{here}/one", f"{here}/two"))


def test_parent_of_a_link_is_where_the_link_leads(here: Path) -> None:
    """`link/..` is `one`, not here."""
    assert plan_sources(["link/.."]) == Sources("/", (f"{here}/one",))


@pytest.mark.parametrize("given", (("one", "one"), ("one", "one/inner"), ("one/inner/file", "one", "./one/inner")))
def test_overlapping_paths_are_saved_once(here: Path, given: tuple[str, ...]) -> None:
    assert names(found(*given)) == ["one", "one/inner", "one/inner/file"]


def test_names_that_only_begin_alike_do_not_overlap(here: Path) -> None:
    (here / "one-more").touch()
    assert names(found("one-more", "one/inner/file")) == ["one/inner/file", "one-more"]


def test_root_has_no_name_in_a_stream(here: Path) -> None:
    things = walk(Sources("/", ("/",)), Options(Excludes(["/*"])))
    assert [thing.path for thing in things] == []


def test_an_empty_path_is_refused() -> None:
    with pytest.raises(UsageError, match="empty"):
        plan_sources(["one", ""])


def test_a_missing_path_is_told_and_the_rest_is_walked(here: Path) -> None:
    sources = plan_sources(["missing", "one/inner"])
    check_sources(sources)
    things = found("missing", "one/inner")
    assert names(things) == ["missing", "one/inner", "one/inner/file"]
    assert (things[0].stat, things[0].problem) == (None, "does not exist")


def test_a_missing_path_below_another_is_told(here: Path) -> None:
    assert plan_sources(["one", "one/missing", "one/inner"]).paths == ("one", "one/missing")
    missing = [thing for thing in found("one", "one/missing") if thing.path == b"one/missing"]
    assert [thing.problem for thing in missing] == ["does not exist"]


def test_a_path_behind_a_given_link_is_kept(here: Path) -> None:
    assert plan_sources(["link", "link/file"]).paths == ("link", "link/file")


def test_a_path_on_another_file_system_is_kept_where_the_walk_would_not_go_there() -> None:
    assert plan_sources(["/", "/proc", "/etc"], one_file_system=True).paths == ("/", "/proc")
    assert plan_sources(["/", "/proc", "/etc"]).paths == ("/",)


def test_no_path_at_all_is_an_error(here: Path) -> None:
    with pytest.raises(TapekitError, match="missing: no such file or directory; other: no such"):
        check_sources(plan_sources(["missing", "other"]))


def test_a_given_link_is_walked_as_a_link_and_known_as_given(here: Path) -> None:
    (thing,) = found("link")
    assert thing.link == b"one/inner"
    assert given_links(plan_sources(["link", "one"])) == [b"link"]
    assert given_links(plan_sources(["link/file", "one"])) == []


def test_a_file_as_path(here: Path) -> None:
    assert names(found("one/inner/file")) == ["one/inner/file"]


def test_a_parent_that_may_be_passed_but_not_listed(ordinary: None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "closed" / "mine").mkdir(parents=True)
        (Path(folder) / "closed").chmod(0o311)
        assert names(found(f"{folder}/closed/mine"), Path(folder)) == ["closed/mine"]
        (Path(folder) / "closed").chmod(0o700)


def test_what_may_not_be_read_is_told(ordinary: None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "closed").mkdir(0o300)
        (Path(folder) / "file").touch(0o200)
        things = found(folder)
        assert [(thing.problem, thing.stat is not None) for thing in things[1:]] == [("permission denied", True)] * 2


# --- what is left out ----------------------------------------------------------------------------------------------

TREE = ("a.log", "a.txt", "build/x.o", "build/keep/y", "logs/b.log", "logs/important.log", "sub/build/z", "sub/c.log")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in TREE:
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "tree"


@pytest.mark.parametrize(
    ("patterns", "left"),
    (
        (("*.log",), {"a.txt", "build/x.o", "build/keep/y", "sub/build/z"}),
        (("*.log", "!important.log"), {"a.txt", "build/x.o", "build/keep/y", "sub/build/z", "logs/important.log"}),
        (("!important.log", "*.log"), {"a.txt", "build/x.o", "build/keep/y", "sub/build/z"}),
        (("/*.log",), {*TREE} - {"a.log"}),
        (("build",), {*TREE} - {"build/x.o", "build/keep/y", "sub/build/z"}),
        (("/build/",), {*TREE} - {"build/x.o", "build/keep/y"}),
        (("build/", "!build/keep/y"), {*TREE} - {"build/x.o", "build/keep/y", "sub/build/z"}),
        (("/build/*", "!/build/keep/"), {*TREE} - {"build/x.o"}),
        (("a.txt/",), {*TREE}),
        (("**/b*",), {*TREE} - {"build/x.o", "build/keep/y", "logs/b.log", "sub/build/z"}),
        (("logs/**",), {*TREE} - {"logs/b.log", "logs/important.log"}),
        (("# a comment", "", "  "), {*TREE}),
        ((r"\#none", "[ab].*"), {*TREE} - {"a.log", "a.txt", "logs/b.log"}),
    ),
)
def test_exclude_as_gitignore_does(tree: Path, patterns: tuple[str, ...], left: set[str]) -> None:
    files = [thing for thing in found(tree, exclude=patterns) if thing.fd is not None]
    assert set(names(files, tree)) == left


def test_exclude_agrees_with_git(tree: Path) -> None:
    patterns = ("*.log", "!logs/important.log", "/build/*", "!/build/keep", "sub/*/")
    (tree / ".gitignore").write_text("\n".join(patterns))
    subprocess.run(["git", "init", "-q", tree], check=True)
    listed = subprocess.run(
        ["git", "-C", tree, "ls-files", "--others", "--exclude-standard"], check=True, capture_output=True, text=True
    )
    files = [thing for thing in found(tree, exclude=(*patterns, ".git/")) if thing.fd is not None]
    assert sorted(names(files, tree)) == sorted(listed.stdout.split())


def test_excludes_are_relative_to_each_path(tree: Path) -> None:
    kept = names(found(tree / "logs", tree / "sub", exclude=("/c.log", "/b.log")), tree)
    assert kept == ["logs", "logs/important.log", "sub", "sub/build", "sub/build/z"]


def test_a_path_that_is_given_is_never_excluded(tree: Path) -> None:
    assert names(found(tree / "a.log", exclude=("*",)), tree) == ["a.log"]


def test_an_excluded_socket_or_link_is_left_out(tree: Path) -> None:
    (tree / "link.log").symlink_to("a.txt")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tree / "s.log"))
    assert not {"link.log", "s.log"} & set(names(found(tree, exclude=("*.log",)), tree))


def test_a_cache_keeps_its_tag_only_when_asked(tree: Path) -> None:
    (tree / "build" / "CACHEDIR.TAG").write_text(CACHE_TAG)
    (tree / "sub" / "CACHEDIR.TAG").write_text("Signature: of something else\n")
    everything = set(names(found(tree), tree))
    assert {"build/x.o", "build/keep/y", "build/CACHEDIR.TAG"} <= everything
    kept = set(names(found(tree, exclude_caches=True), tree))
    assert everything - kept == {"build/x.o", "build/keep", "build/keep/y"}


def test_own_file_is_left_out_and_said(tree: Path) -> None:
    about = (tree / "a.txt").stat()
    os.link(tree / "a.txt", tree / "sub" / "second-name")
    things = found(tree, own_files=((about.st_dev, about.st_ino),))
    assert [t.problem for t in things if t.path.endswith((b"a.txt", b"second-name"))] == [OWN_FILE, OWN_FILE]


@pytest.fixture
def mounted(tree: Path) -> Iterator[Path]:
    """Another file system below the tree."""
    place = tree / "sub" / "mounted"
    place.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "none", place], check=False).returncode:
        pytest.skip("needs root, to mount a file system")
    try:
        (place / "inside").write_text("of another file system")
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


def test_one_file_system_stops_at_a_mount_point(tree: Path, mounted: Path) -> None:
    both = set(names(found(tree), tree))
    one = set(names(found(tree, one_file_system=True), tree))
    assert both - one == {"sub/mounted/inside"}
    assert "sub/mounted" in one


def test_one_file_system_of_each_path(tree: Path, mounted: Path) -> None:
    assert names(found(mounted, one_file_system=True), tree) == ["sub/mounted", "sub/mounted/inside"]
