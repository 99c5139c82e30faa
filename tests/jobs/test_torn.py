"""A medium that takes no more before its segment is closed: nothing is lost, and nothing is asked for in vain."""

import os
from pathlib import Path
from typing import Any

import pytest

from drivers import image
from drivers.errors import DeviceFailure, DriveError
from tapekit.blocks import write
from tapekit.cartridge.cartridge import open_cartridge
from tapekit.jobs import backup, restore
from tapekit.keys.opener import InHand, Known
from tapekit.keys.pair import Pair
from tapekit.keys.seal import Recipients
from tapekit.keys.slot import PrivateKey
from tapekit.progress import Silent
from tests.jobs.cartridges import Image, evidences, request, restored
from tests.jobs.spanned import Ending, Losing, asking, new_images, noise_tree, restore_from
from tests.jobs.test_spanning import also, same
from tests.rescue.kit import FINE, rescue


@pytest.fixture
def source(tmp_path: Path) -> Path:
    made = noise_tree(tmp_path / "source", [5_000, 0, 17, *[700] * 20, 9_000])
    long = made / ("d" * 200) / ("e" * 100)
    long.mkdir(parents=True)
    (long / "f").write_bytes(b"deep")
    with (made / "sparse").open("wb") as file:
        for place in (0, 100_000, 300_000):
            os.pwrite(file.fileno(), b"data" * 300, place)
    (made / "zz").hardlink_to(made / "0000")
    return made


@pytest.fixture
def blocks(tmp_path: Path, source: Path) -> int:
    """How many the archive takes on one cartridge."""
    (tmp_path / "one").mkdir()
    (one,) = new_images(tmp_path / "one", 1)
    one.back_up(source)
    with one.drive() as drive:
        (segment,) = open_cartridge(drive).segments()
    assert segment.trailer is not None
    return segment.trailer.blocks.total + 1


def check_full_at(takes: int, folder: Path, source: Path, *, takes_filemark: bool) -> int:
    """Back up onto a medium that takes so many blocks, and another one; how many cartridges that was."""
    folder.mkdir()
    images = new_images(folder, 2)
    with images[0].drive(writable=True) as drive, asking(images[1:], writable=True) as further:
        ending: Any = Ending(drive, takes, takes_filemark=takes_filemark)
        done = backup.run(ending, request(source), Silent(), evidences(), further)
    used = images[: len(done.parts)]
    result = restore_from(used[::-1], folder / "to")
    assert (result.damaged, result.problems, result.refused) == ([], [], []), takes
    assert same(folder / "to", source), takes
    run = rescue("restore", used[-1].path, "--to", folder / "kit", *also(used[:-1]))
    assert run.code == FINE, (takes, run.err)
    assert same(folder / "kit", source), takes
    return len(used)


def test_full_at_some_blocks(tmp_path: Path, source: Path, blocks: int) -> None:
    """In the header, in the first data, in the midst, in the catalog, in the trailer, at the filemark, not at all."""
    for takes in (0, 1, 2, blocks // 2, *range(blocks - 3, blocks + 2)):
        used = check_full_at(takes, tmp_path / str(takes), source, takes_filemark=takes % 2 == 0)
        assert used == (1 if takes > blocks or (takes == blocks and takes % 2 == 0) else 2)


@pytest.mark.long
def test_full_at_each_block(tmp_path: Path, source: Path, blocks: int) -> None:
    for takes in range(blocks + 2):
        check_full_at(takes, tmp_path / str(takes), source, takes_filemark=takes % 2 == 1)


@pytest.mark.parametrize(("takes", "depth"), ((12, 0), (12, 5), (9, 30), (16, 1)))
def test_what_a_drive_had_taken_and_lost_is_written_again(
    tmp_path: Path, source: Path, takes: int, depth: int
) -> None:  # fmt: skip
    images = new_images(tmp_path, 2)
    with images[0].drive(writable=True) as drive, asking(images[1:], writable=True) as further:
        losing: Any = Losing(drive, takes, depth)
        done = backup.run(losing, request(source), Silent(), evidences(), further)
    assert [part.cartridge for part in done.parts] == ["S-1", "S-2"]
    result = restore_from(images[::-1], tmp_path / "to")
    assert (result.damaged, result.problems) == ([], [])
    assert same(tmp_path / "to", source)
    run = rescue("restore", images[1].path, "--to", tmp_path / "kit", *also(images[:1]))
    assert (run.code, same(tmp_path / "kit", source)) == (FINE, True), run.err


def test_what_was_lost_too_long_ago_ends_the_archive(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(write, "KEPT_BYTES", 3 * 4096)
    images = new_images(tmp_path, 2)
    with images[0].drive(writable=True) as drive, asking(images[1:], writable=True) as further:
        losing: Any = Losing(drive, 12, 8)
        with pytest.raises(DriveError, match="not on the tape") as raised:
            backup.run(losing, request(source), Silent(), evidences(), further)
    assert "is incomplete" in str(raised.value.hint)


def test_with_keys_each_part_has_its_own(tmp_path: Path, source: Path) -> None:
    owner = Pair.new("owner", "Marie")
    images = new_images(tmp_path, 2)
    wanted = backup.Request(**{**vars(request(source)), "recipients": Recipients((owner.public_line,))})
    with images[0].drive(writable=True) as drive, asking(images[1:], writable=True) as further:
        ending: Any = Ending(drive, 12)
        done = backup.run(ending, wanted, Silent(), evidences(), further)
    assert len(done.parts) == 2
    assert isinstance(done.opener, Known)
    assert len({bytes(keys.catalog.content) for keys in done.opener.keys.values()}) == 2
    for opener in (done.opener, InHand(PrivateKey(owner))):
        to = tmp_path / type(opener).__name__
        with images[0].drive() as drive, asking(images[1:]) as further:
            result = backup_restore(drive, to, opener, done.archive, further)
        assert (result.damaged, result.problems) == ([], [])
        assert same(to, source)


def backup_restore(drive: Any, to: Path, opener: Any, archive: str, further: Any) -> Any:  # noqa: ANN401
    return restore.run(
        drive, restore.Request(str(to), archive=archive, opener=opener), Silent(), next_cartridge=further
    )


@pytest.mark.parametrize("at", (0, 1, 9, 13))
def test_a_power_cut_behind_the_border(tmp_path: Path, source: Path, at: int) -> None:
    """The next cartridge's part is cut off: what lies on the first comes back, and a new archive is whole."""

    class Failing(Ending):
        def write_block(self, block: "bytes | bytearray | memoryview") -> bool:
            if self.takes <= 0:
                raise DeviceFailure("failing: gone")
            return super().write_block(block)

    images = new_images(tmp_path, 2)

    class Second:
        def next(self, finished: Any, _asked: Any) -> Any:  # noqa: ANN401
            finished.close()
            self.drive = next(iter([Failing(open_writable(images[1]), at)]))
            return self.drive

        def may_come(self, _asked: Any) -> bool:  # noqa: ANN401
            return False

        def close(self) -> None:
            self.drive.close()

    second = Second()
    with images[0].drive(writable=True) as drive:
        ending: Any = Ending(drive, 12)
        with pytest.raises(DriveError, match="gone"):
            backup.run(ending, request(source), Silent(), evidences(), second)
    second.close()
    with images[0].drive() as drive:
        archive = next(iter(segments_of(drive))).archive
    result = restore_from(images, tmp_path / "to", archive=archive)
    below = restored(tmp_path / "to", source)
    back = [path for path in below.rglob("*") if path.is_file()]
    assert len(back) > 5
    assert all(path.read_bytes() == (source / path.relative_to(below)).read_bytes() for path in back)
    assert result.problems
    images[1].back_up(source)
    images[1].restore(tmp_path / "again")
    assert same(tmp_path / "again", source)


def open_writable(of: Image) -> Any:  # noqa: ANN401 - a drive
    return image.open_drive(str(of.path), writable=True)


def segments_of(drive: Any) -> Any:  # noqa: ANN401
    return open_cartridge(drive).segments()
