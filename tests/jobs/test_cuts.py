"""The border between two cartridges at every place of the stream where it can be, and twelve cartridges of 64 MiB."""

import os
import random
import shutil
from pathlib import Path

import pytest

from drivers.base import Drive, MediumState
from formats.segment import COMPLETE, CONTINUED
from tapekit.cartridge.cartridge import open_cartridge
from tapekit.jobs import backup
from tapekit.jobs.next_cartridge import Asked
from tapekit.progress import Silent
from tests.jobs.cartridges import Image, evidences, request, restored
from tests.jobs.spanned import Ending, asking, new_images, noise_tree, restore_from, span
from tests.jobs.test_spanning import also, same
from tests.rescue.kit import FINE, LOSSES, rescue


class Small(Ending):
    """A drive that says that there is room for so many blocks of data more, beside catalog and trailer."""

    def medium(self) -> MediumState:
        medium = self._drive.medium()
        left = max(0, self.takes * 8192 + 97_000)
        return type(medium)(**{**vars(medium), "remaining_bytes": min(left, medium.remaining_bytes)})

    def write_block(self, block: "bytes | bytearray | memoryview") -> bool:
        self.takes -= 1
        return self._drive.write_block(block)


def tree(folder: Path, seed: int) -> Path:
    """Names that need a pax header of their own, attributes, holes, links, empty files: headers of all sizes."""
    rng = random.Random(seed)
    made = noise_tree(folder, [rng.choice((0, 1, 511, 512, 513, 3_000)) for _ in range(60)], seed)
    for number in range(3):
        deep = made / ("x" * rng.randint(90, 250)) / ("y" * rng.randint(1, 250))
        deep.mkdir(parents=True)
        (deep / "file").write_bytes(rng.randbytes(rng.randint(0, 2_000)))
        (made / f"link{number}").symlink_to("z" * rng.randint(1, 250))
    with (made / "sparse").open("wb") as file:
        for _ in range(rng.randint(1, 60)):
            os.pwrite(file.fileno(), b"d" * 700, rng.randint(0, 200) * 8192)
    (made / "zz").hardlink_to(made / "0059")
    return made


def check(folder: Path, source: Path, takes: int) -> tuple[int, int]:
    """Over three cartridges, of which the first two hold so many blocks; where the borders are in the stream."""
    folder.mkdir()
    images = new_images(folder, 3)
    with images[0].drive(writable=True) as drive, asking(images[1:], writable=True) as further:

        class Smaller:
            def next(self, finished: Drive, asked: Asked) -> Drive | None:
                inner = getattr(finished, "_drive", finished)
                found = further.next(inner, asked)
                return found if found is None or asked.segment > 1 else Small(found, takes)

            def may_come(self, asked: Asked) -> bool:
                return further.may_come(asked)

            def close(self) -> None:
                pass

        done = backup.run(Small(drive, takes), request(source), Silent(), evidences(), Smaller())
    assert [part.state for part in done.parts] == [CONTINUED, CONTINUED, COMPLETE]
    result = restore_from(images, folder / "to")
    assert (result.damaged, result.problems, result.refused) == ([], [], []), takes
    assert same(folder / "to", source), takes
    starts = []
    for of in images[1:]:
        with of.drive() as drive:
            (segment,) = open_cartridge(drive).segments()
        assert segment.header is not None
        starts.append(segment.header.stream_start)
    run = rescue("restore", images[0].path, "--to", folder / "kit", *also(images[1:]))
    assert (run.code, same(folder / "kit", source)) == (FINE, True), (takes, run.err)
    return starts[0], starts[1]


def test_some_places(tmp_path: Path) -> None:
    borders = set()
    for takes in (1, 2, 3):
        borders |= set(check(tmp_path / str(takes), tree(tmp_path / f"tree{takes}", takes), takes))
    assert len(borders) > 3


@pytest.mark.long
def test_many_places(tmp_path: Path) -> None:
    places = set()
    for seed in range(10):
        first, second = check(tmp_path / str(seed), tree(tmp_path / f"tree{seed}", seed), 1 + seed % 4)
        places |= {first % 512, second % 512}
    assert len(places) > 3


# --- twelve --------------------------------------------------------------------------------------------------------


def with_one_missing(images: list[Image], source: Path, to: Path, step: int) -> None:
    files = {path.name: path for path in source.iterdir()}
    for missing in range(0, len(images), step):
        rest = [of for number, of in enumerate(images) if number != missing]
        result = restore_from(rest, to / f"{missing}")
        back = {path.name: path for path in restored(to / f"{missing}", source).iterdir()}
        assert all(path.read_bytes() == files[name].read_bytes() for name, path in back.items())
        assert len(back) >= len(files) * (len(images) - 2) // len(images) - 2
        assert any(f"part {missing + 1} of" in problem for problem in result.problems)
        shutil.rmtree(to / f"{missing}")
        if missing % 6:
            continue
        run = rescue("restore", rest[0].path, "--to", to / f"kit{missing}", *also(rest[1:]))
        assert run.code == LOSSES
        kit = restored(to / f"kit{missing}", source)
        by_kit = {path.name for path in kit.iterdir() if not path.name.endswith(".damaged")}
        assert by_kit == back.keys(), missing
        assert f"part {missing + 1}" in run.err or "goes on on another cartridge" in run.err
        shutil.rmtree(to / f"kit{missing}")


@pytest.mark.parametrize(
    ("parts", "size_bytes", "file_bytes", "step"),
    ((5, 8 << 20, 100_000, 2), pytest.param(12, 64 << 20, 1 << 20, 1, marks=pytest.mark.long)),
)
def test_a_set_with_each_one_missing(
    tmp_path: Path, parts: int, size_bytes: int, file_bytes: int, step: int
) -> None:  # fmt: skip
    block_bytes = 16384 if size_bytes < 64 << 20 else 256 << 10
    images = new_images(tmp_path, parts + 1, size_bytes, block_bytes)
    with images[0].drive() as drive:
        room = drive.medium().remaining_bytes
    count = int((parts - 0.5) * room * (0.97 if parts == 12 else 0.78) / file_bytes)
    source = noise_tree(tmp_path / "source", [file_bytes] * count)
    done = span(images, request(source))
    assert len(done.parts) == parts
    images = images[:parts]
    assert not restore_from(images, tmp_path / "all").problems
    assert same(tmp_path / "all", source)
    with_one_missing(images, source, tmp_path, step)
