"""Sources that change while they are saved: told in the report and the catalog, and never saved wrong in silence."""

import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tapekit.errors import TapekitError
from tapekit.jobs import backup
from tapekit.source import walk
from tapekit.source.walk import Options, Sources, Thing
from tests.jobs.cartridges import Image, restored

CONTENT = bytes(range(256)) * 100
Action = Callable[[Path], None]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A directory with three files; the one in the middle will move."""
    (tmp_path / "source").mkdir()
    for name in ("a-before", "moving", "z-after"):
        (tmp_path / "source" / name).write_bytes(CONTENT)
    return tmp_path / "source"


def act_at(monkeypatch: pytest.MonkeyPatch, name: str, act: Callable[[], None]) -> None:
    """Have `act` called when the walk has come to `name`: a file is open by then, and not yet read."""
    original = walk.walk

    def acting(sources: Sources, options: Options) -> Iterator[Thing]:
        for thing in original(sources, options):
            if thing.path.endswith(name.encode()):
                act()
            yield thing

    monkeypatch.setattr(backup, "walk", acting)


def warned(result: backup.Result) -> dict[str, str]:
    return {os.fsdecode(warning.path).rsplit("/", 1)[1]: warning.why for warning in result.warnings}


def saved_note(cartridge: Image) -> str:
    (entry,) = (item.entry for path, item in cartridge.listed().items() if path.endswith(b"/moving"))
    return entry.note.decode()


def shrink(path: Path) -> None:
    os.truncate(path, 10_000)


def shrink_to_nothing(path: Path) -> None:
    os.truncate(path, 0)


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def rewrite(path: Path) -> None:
    path.write_bytes(CONTENT[::-1])
    os.utime(path, ns=(1, 1))


# --- after it was listed, before it was opened -----------------------------------------------------------------------


def replace_by_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("a-before")


def replace_by_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def replace_by_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "inside").write_text("of the directory")


@pytest.mark.parametrize(
    ("act", "is_now"),
    ((replace_by_link, stat.S_ISLNK), (replace_by_fifo, stat.S_ISFIFO), (replace_by_directory, stat.S_ISDIR)),
)
def test_what_takes_the_place_of_a_file_is_saved_as_what_it_is(
    source: Path, cartridge: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: Action,
    is_now: Callable[[int], bool],
) -> None:  # fmt: skip
    act_at(monkeypatch, "source", lambda: act(source / "moving"))
    assert cartridge.back_up(source).warnings == ()
    cartridge.restore(tmp_path / "to")
    assert is_now((restored(tmp_path / "to", source) / "moving").lstat().st_mode)


def test_vanished_before_it_was_opened(
    source: Path, cartridge: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    act_at(monkeypatch, "source", (source / "moving").unlink)
    assert warned(cartridge.back_up(source)) == {"moving": "vanished"}
    assert saved_note(cartridge) == "vanished"
    assert cartridge.verify().ok
    result = cartridge.restore(tmp_path / "to")
    assert [why for _, why in result.skipped] == ["was not saved: vanished"]
    assert sorted(os.listdir(restored(tmp_path / "to", source))) == ["a-before", "z-after"]


def test_a_directory_that_vanishes(
    source: Path, cartridge: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source / "m-directory").mkdir()
    act_at(monkeypatch, "a-before", (source / "m-directory").rmdir)
    assert warned(cartridge.back_up(source)) == {"m-directory": "vanished"}


def test_a_directory_that_becomes_a_link_is_not_followed(
    source: Path, cartridge: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret").write_text("not of the source")
    (source / "m-directory").mkdir()

    def act() -> None:
        (source / "m-directory").rmdir()
        (source / "m-directory").symlink_to(tmp_path / "elsewhere")

    act_at(monkeypatch, "a-before", act)
    cartridge.back_up(source)
    assert not [path for path in cartridge.listed() if path.endswith(b"secret")]


# --- after it was opened ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("act", "why", "content"),
    (
        (shrink, "became shorter while it was read: 10000 bytes", CONTENT[:10_000]),
        (shrink_to_nothing, "became shorter while it was read: 0 bytes", b""),
        (grow, f"changed while it was read: grew to {len(CONTENT) + 4} bytes", CONTENT),
        (rewrite, "changed while it was read", CONTENT[::-1]),
        (Path.unlink, "changed while it was read", CONTENT),
    ),
)
def test_a_file_that_moves_is_told_and_what_is_real_comes_back(
    source: Path, cartridge: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: Action, why: str,
    content: bytes,
) -> None:  # fmt: skip
    act_at(monkeypatch, "moving", lambda: act(source / "moving"))
    assert warned(cartridge.back_up(source)) == {"moving": why}
    assert saved_note(cartridge) == why
    assert cartridge.verify().ok
    result = cartridge.restore(tmp_path / "to")
    assert [reason for _, reason in result.warnings] == [f"as it was saved: {why}"]
    assert result.damaged == []
    below = restored(tmp_path / "to", source)
    assert (below / "moving").read_bytes() == content
    assert (below / "a-before").read_bytes() == (below / "z-after").read_bytes() == CONTENT


def test_a_second_name_of_what_became_shorter_is_as_short_and_told(
    source: Path, cartridge: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.link(source / "moving", source / "name-two")
    act_at(monkeypatch, "moving", lambda: shrink(source / "moving"))
    cartridge.back_up(source)
    result = cartridge.restore(tmp_path / "to", str(source / "name-two"))
    assert (restored(tmp_path / "to", source) / "name-two").read_bytes() == CONTENT[:10_000]
    assert [why for _, why in result.warnings] == ["as it was saved: became shorter while it was read: 10000 bytes"]


def test_a_sparse_file_that_becomes_shorter(
    source: Path, cartridge: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (source / "moving").open("wb") as file:
        file.truncate(1 << 20)
        for place in (0, 256 << 10, 512 << 10):
            file.seek(place)
            file.write(CONTENT)
    act_at(monkeypatch, "moving", lambda: os.truncate(source / "moving", (256 << 10) + 1000))
    assert "became shorter" in warned(cartridge.back_up(source))["moving"]
    assert cartridge.verify().ok
    cartridge.restore(tmp_path / "to")
    expected = CONTENT + bytes((256 << 10) - len(CONTENT)) + CONTENT[:1000]
    assert (restored(tmp_path / "to", source) / "moving").read_bytes() == expected


def test_a_file_that_cannot_be_read_to_its_end(
    source: Path, cartridge: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inode, original = (source / "moving").stat().st_ino, os.preadv

    def failing(fd: int, buffers: Sequence[Any], offset: int) -> int:
        if os.fstat(fd).st_ino == inode and offset + len(buffers[0]) > 10_000:
            if offset >= 10_000:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            buffers = [buffers[0][: 10_000 - offset]]
        return original(fd, buffers, offset)

    monkeypatch.setattr(os, "preadv", failing)
    why = "cannot be read at byte 10000: input/output error"
    assert warned(cartridge.back_up(source)) == {"moving": why}
    monkeypatch.undo()
    assert saved_note(cartridge) == why
    assert cartridge.verify().ok
    cartridge.restore(tmp_path / "to")
    below = restored(tmp_path / "to", source)
    assert (below / "moving").read_bytes() == CONTENT[:10_000]
    assert (below / "z-after").read_bytes() == CONTENT


def test_a_directory_that_cannot_be_listed_to_its_end(
    source: Path, cartridge: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source / "m-directory").mkdir()
    inode, original = (source / "m-directory").stat().st_ino, os.scandir

    def failing(fd: int) -> Any:  # noqa: ANN401 - what os.scandir gives
        if os.fstat(fd).st_ino == inode:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return original(fd)

    monkeypatch.setattr(os, "scandir", failing)
    assert warned(cartridge.back_up(source)) == {"m-directory": "cannot be listed: input/output error"}


# --- the source and the cartridge ------------------------------------------------------------------------------------


def test_the_cartridge_is_not_saved_into_itself(cartridge: Image, source: Path, tmp_path: Path) -> None:
    result = cartridge.back_up(tmp_path)
    assert warned(result) == {cartridge.path.name: walk.OWN_FILE}
    assert cartridge.verify(with_source=True).ok
    assert not cartridge.listed()[os.fsencode(str(cartridge.path)[1:])].entry.sha256.strip(b"\0")


def test_a_link_that_is_given_is_saved_and_warned_of(cartridge: Image, source: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(source)
    result = cartridge.back_up(tmp_path / "link", source)
    assert warned(result) == {"link": backup.LINK_GIVEN}
    assert os.fsencode(str(source / "moving")[1:]) in cartridge.listed()


def test_one_missing_path_is_warned_of(cartridge: Image, source: Path, tmp_path: Path) -> None:
    assert warned(cartridge.back_up(source, tmp_path / "missing")) == {"missing": "does not exist"}


def test_nothing_is_written_where_no_path_exists(cartridge: Image, tmp_path: Path) -> None:
    before = cartridge.path.read_bytes()
    with pytest.raises(TapekitError, match="nothing to save"):
        cartridge.back_up(tmp_path / "missing")
    assert cartridge.path.read_bytes() == before


# --- verify --source -------------------------------------------------------------------------------------------------


def keep_times(path: Path, act: Action) -> None:
    about = path.stat()
    act(path)
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))


def flip(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(5000)
        file.write(bytes([CONTENT[5000] ^ 1]))


def test_verify_source_tells_the_same_changed_gone_and_damaged_apart(
    source: Path, cartridge: Image, tmp_path: Path
) -> None:
    for name in ("damaged", "replaced", "chmod"):
        (source / name).write_bytes(CONTENT)
    cartridge.back_up(source)
    rewrite(source / "moving")
    (source / "z-after").unlink()
    (source / "replaced").unlink()
    (source / "replaced").symlink_to("a-before")
    (source / "chmod").chmod(0o600)
    keep_times(source / "damaged", flip)
    result = cartridge.verify(with_source=True)
    comparison = result.segments[0].comparison
    assert comparison is not None
    assert (comparison.same, comparison.changed, comparison.gone) == (2, 2, 1)
    assert [os.path.basename(path) for path in comparison.differing] == [b"damaged"]
    assert not result.ok
    assert cartridge.verify().ok


def test_verify_source_sees_a_bit_in_a_sparse_file(source: Path, cartridge: Image) -> None:
    os.truncate(source / "moving", 1 << 20)
    cartridge.back_up(source)
    assert cartridge.verify(with_source=True).ok
    keep_times(source / "moving", flip)
    assert not cartridge.verify(with_source=True).ok
