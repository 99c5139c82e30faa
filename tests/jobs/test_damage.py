"""Every block of a cartridge damaged, one after the other: what is hit is named, all else comes back the same."""

import contextlib
import dataclasses
import itertools
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drivers.errors import DriveError
from formats.catalog import Entry
from formats.errors import FormatError
from tapekit.errors import Exit, TapekitError, exit_code
from tapekit.jobs import verify
from tests.jobs.cartridges import Image, Place, new_image, places, restored

Damage = Callable[[Path, Place], None]
Snapshot = dict[str, tuple[object, ...]]
NOISE = bytes((i * 7 + i // 251) % 256 for i in range(70_000))


def flip_bit(path: Path, place: Place) -> None:
    """One bit, in another byte of each block."""
    offset = place.content + (place.block * 977 + 41) % place.size_bytes
    with path.open("r+b") as image:
        image.seek(offset)
        byte = image.read(1)[0]
        image.seek(offset)
        image.write(bytes([byte ^ (1 << place.block % 8)]))


def zero_block(path: Path, place: Place) -> None:
    """Its bytes gone, its record's header still there."""
    with path.open("r+b") as image:
        image.seek(place.content)
        image.write(bytes(place.size_bytes))


def zero_record(path: Path, place: Place) -> None:
    """The record's header gone as well."""
    with path.open("r+b") as image:
        image.seek(place.record)
        image.write(bytes(place.content - place.record + place.size_bytes))


def cut_image(path: Path, place: Place) -> None:
    """The image ends where the record begins."""
    os.truncate(path, place.record)


KINDS: tuple[Damage, ...] = (flip_bit, zero_block, cut_image, zero_record)


@dataclasses.dataclass(frozen=True)
class Archive:
    """One of the two archives: where it came from, and its members in the order of the stream."""

    file: int
    name: str
    source: Path
    state: Snapshot
    entries: tuple[Entry, ...]
    cut: int
    blocks: int
    end: int

    def overlapping(self, start: int, end: int) -> tuple[set[str], set[str]]:
        """Members that stream bytes from `start` to `end` surely belong to, and those that they may belong to.

        The difference is padding behind the content.
        """
        behind = [entry.offset for entry in self.entries[1:]] + [self.end]
        surely, maybe = set(), set()
        for entry, next_offset in zip(self.entries, behind, strict=True):
            name = self.relative(entry.path)
            if entry.offset < end and next_offset - 511 > start:
                surely.add(name)
            if entry.offset < end and next_offset > start:
                maybe.add(name)
        return self._with_links(surely), self._with_links(maybe)

    def _with_links(self, lost: set[str]) -> set[str]:
        """A second name of what is lost is lost with it."""
        offsets = {entry.offset for entry in self.entries if self.relative(entry.path) in lost}
        return lost | {self.relative(e.path) for e in self.entries if e.type == b"h" and e.reference in offsets}

    def relative(self, path: bytes) -> str:
        return os.path.relpath("/" + os.fsdecode(path), self.source)


@dataclasses.dataclass(frozen=True)
class Pair:
    """A cartridge with two archives, and a copy of its image as it was."""

    image: Image
    whole: Path
    archives: tuple[Archive, Archive]
    places: tuple[Place, ...]

    @contextlib.contextmanager
    def damaged(self, damage: Damage, place: Place) -> Iterator[None]:
        damage(self.image.path, place)
        try:
            yield
        finally:
            shutil.copyfile(self.whole, self.image.path)


def make_source(root: Path, seed: int) -> Path:
    """Members small and large, several to a block and several blocks to one."""
    (root / "directory").mkdir(parents=True)
    for number in range(4):
        (root / "directory" / f"small-{number}").write_bytes(b"%d-%d\n" % (seed, number))
    (root / "large").write_bytes(NOISE[seed * 100 : seed * 100 + 9000])
    (root / "empty").touch()
    (root / "link").symlink_to("directory/small-0")
    os.link(root / "large", root / "second-name")
    with (root / "sparse").open("wb") as sparse:
        sparse.write(NOISE[:500])
        sparse.truncate(100_000)
        sparse.seek(65_536)
        sparse.write(NOISE[500:5000])
    (root / "z-last").write_bytes(NOISE[:3000])
    for number, path in enumerate((root, *sorted(root.rglob("*")))):
        time_ns = (1_600_000_000 + number + seed) * 10**9 + number
        os.utime(path, ns=(time_ns, time_ns), follow_symlinks=False)
    return root


def snapshot(root: Path) -> Snapshot:
    """Everything below a directory that a restore can get wrong."""
    found: Snapshot = {}
    for path in (root, *sorted(root.rglob("*"))) if root.exists() else ():
        about = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(about.st_mode) else b""
        link = os.readlink(path) if stat.S_ISLNK(about.st_mode) else ""
        found[os.path.relpath(path, root)] = (about.st_mode, about.st_mtime_ns, content, link)
    return found


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    folder = tmp_path_factory.mktemp("pair")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAPEKIT_STATE", str(folder / "state"))
        image = new_image(folder / "cartridge.tkc", 8 << 20)
        made = []
        for file, compression in ((2, "none"), (3, "zstd")):
            source = make_source(folder / f"source-{file}", file)
            made.append((image.back_up(source, compression=compression), source))
        archives = [_archive(image, result.archive, result.file, source) for result, source in made]
    whole = folder / "whole.tkc"
    shutil.copyfile(image.path, whole)
    return Pair(image, whole, (archives[0], archives[1]), tuple(places(image.path)))


def _archive(image: Image, name: str, file: int, source: Path) -> Archive:
    listed = image.listed(name)
    trailer = next(iter(listed.values())).segment.trailer
    assert trailer is not None
    entries = tuple(item.entry for item in listed.values())
    return Archive(
        file, name, source, snapshot(source), entries, 4096 - 128 - 16, trailer.blocks.data, trailer.stream_bytes - 1024
    )


def test_every_block_once(pair: Pair, tmp_path: Path) -> None:
    for number, (place, damage) in enumerate(zip(pair.places, itertools.cycle(KINDS), strict=False)):
        check(pair, place, damage, tmp_path / str(number))
    assert pair.image.path.read_bytes() == pair.whole.read_bytes()


@pytest.mark.long
@pytest.mark.parametrize("damage", KINDS)
def test_every_block_with_every_damage(pair: Pair, tmp_path: Path, damage: Damage) -> None:
    for number, place in enumerate(pair.places):
        check(pair, place, damage, tmp_path / str(number))


def same_bytes(pair: Pair, place: Place) -> bool:
    """Whether the damage left a block as it was."""
    size_bytes = place.content - place.record + place.size_bytes
    with pair.image.path.open("rb") as image, pair.whole.open("rb") as whole:
        image.seek(place.record)
        whole.seek(place.record)
        return image.read(size_bytes) == whole.read(size_bytes)


def check(pair: Pair, place: Place, damage: Damage, to: Path) -> None:
    """Damage one block; verify, and restore both archives."""
    case = f"{damage.__name__} of block {place.block} of file {place.file}"
    with pair.damaged(damage, place):
        if same_bytes(pair, place):  # the end of the kit's tar is zeros
            return
        hit, ok = verified(pair.image)
        assert not ok, case
        for archive in pair.archives:
            surely, maybe = lost(archive, place, damage)
            found = restore_state(pair.image, archive, to / str(archive.file))
            wrong = {name for name in found.keys() - maybe if found[name] != archive.state.get(name)}
            assert wrong == set(), case
            assert archive.state.keys() - found.keys() <= maybe, case
            assert (surely & found.keys()) - can_be_made_anew(archive) == set(), case
            if damage is not cut_image:
                named = {archive.relative(path) for path in hit if path.startswith(stored(archive))}
                assert surely <= named <= maybe, case


def stored(archive: Archive) -> bytes:
    return os.fsencode(str(archive.source).lstrip("/"))


def can_be_made_anew(archive: Archive) -> set[str]:
    """Directories come to be for what is in them, and the catalog alone tells what a hard link is."""
    return {archive.relative(entry.path) for entry in archive.entries if entry.type in (b"d", b"h")}


def lost(archive: Archive, place: Place, damage: Damage) -> tuple[set[str], set[str]]:
    """What cannot be restored of an archive: surely, and perhaps."""
    if damage is cut_image:
        if place.file < archive.file:
            return set(archive.state), set(archive.state)
        if place.file > archive.file or place.block > archive.blocks:
            return set(), set()
        return archive.overlapping(max(0, place.block - 1) * archive.cut, archive.end)
    if place.file != archive.file or not 1 <= place.block <= archive.blocks:
        return set(), set()
    start = (place.block - 1) * archive.cut
    return archive.overlapping(start, start + archive.cut)


def verified(image: Image) -> tuple[list[bytes], bool]:
    """The members that a verification names, and whether it found everything good."""
    try:
        result = image.verify()
    except (TapekitError, DriveError, FormatError) as error:
        if exit_code(error) != Exit.VERIFICATION:
            raise
        return [], False
    return list(verify.members_hit(result)), result.ok


def restore_state(image: Image, archive: Archive, to: Path) -> Snapshot:
    with contextlib.suppress(TapekitError, DriveError, FormatError):
        image.restore(to, archive=archive.name)
    return snapshot(restored(to, archive.source))
