"""Chains of deltas that somebody made up: tapekit and the kit refuse each in words, and the rest comes back."""

import contextlib
import hashlib
import struct
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from formats import delta
from tapekit.stream import joined
from tests.jobs.cartridges import Image
from tests.rescue import packer, tables, writer
from tests.rescue.kit import LOSSES, contents, rescue, write_image

PATH = b"db"
CONTENT = b"the database as it was" * 100
LITERAL, BASE, ZEROS = delta.ExtentKind
ELSEWHERE = b"\xee" * 16

Extents = list[tuple[int, int, int]]


def archive_id(number: int) -> bytes:
    return bytes([number]) * 16


def part(
    base: bytes, offset: int, extents: Extents, literals: bytes = b"", *, count: int | None = None,
    number: int = 1, at: int = 0, sha256: bytes | None = bytes(32), cut: int | None = None,
) -> bytes:  # fmt: skip
    """A part of a delta; `count` is what its map claims, `cut` how much of it is there."""
    records = {
        b"TAPEKIT.path": PATH, b"TAPEKIT.delta": b"%d" % number, b"TAPEKIT.base": base.hex().encode(),
        b"TAPEKIT.base_offset": b"%d" % offset, b"TAPEKIT.at": b"%d" % at,
    }  # fmt: skip
    if sha256 is not None:
        records |= {b"TAPEKIT.last": b"1", b"TAPEKIT.sha256": sha256.hex().encode()}
    mapped = struct.pack(">4sI", b"TKD1", len(extents) if count is None else count)
    content = (mapped + b"".join(struct.pack(">BQQ", *extent) for extent in extents) + literals)[:cut]
    name = PATH + b".tkdelta.%08d" % number
    return packer.header(name, b"0", size=len(content), records=records) + packer.padded(content)


@dataclass
class Site:
    """Archives one behind the other; each is the stream of `db` in it, and what its header names as bases."""

    archives: list[writer.Segment]

    def full(self, content: bytes = CONTENT) -> None:
        self._add(packer.header(PATH, b"0", size=len(content)) + packer.padded(content), content, 0)

    def delta(
        self, stream: bytes, size: int = len(CONTENT), sha256: bytes = b"", bases: tuple[bytes, ...] = ()
    ) -> None:
        digest = sha256 or hashlib.sha256(CONTENT).digest()
        known = tuple(other.archive for other in self.archives)
        self._add(stream, None, size, digest, bases or known)

    def _add(
        self, stream: bytes, content: bytes | None, size: int, sha256: bytes = b"", bases: tuple[bytes, ...] = ()
    ) -> None:
        flags = 0 if content is not None else tables.DELTA
        size, sha256 = (len(content), hashlib.sha256(content).digest()) if content is not None else (size, sha256)
        entry = tables.Entry(PATH, flags=flags, size=size, offset=0, sha256=sha256)
        rest = tables.simple_stream({"other": b"is here"})
        (other,) = tables.entries_of(rest)
        self.archives.append(writer.Segment(
            stream + rest, [entry, replace(other, offset=len(stream) + other.offset)],
            archive=archive_id(len(self.archives) + 1), bases=tuple(base.hex() for base in bases), cut=60_000,
            header_changes={"previous": []},
        ))  # fmt: skip


def _beyond_the_base(site: Site) -> None:
    site.delta(part(archive_id(1), 0, [(BASE, len(CONTENT), 1)]))


def _far_beyond_the_base(site: Site) -> None:
    site.delta(part(archive_id(1), 0, [(BASE, len(CONTENT), (1 << 64) - 1)]))


def _itself(site: Site) -> None:
    site.delta(part(archive_id(2), 0, [(BASE, len(CONTENT), 0)]), bases=(archive_id(1), archive_id(2)))


def _a_later_one(site: Site) -> None:
    site.archives.insert(0, replace(site.archives.pop(), archive=archive_id(9)))
    site.delta(part(archive_id(3), 0, [(BASE, len(CONTENT), 0)]), bases=(archive_id(3),))
    site.full()


def _a_circle(site: Site) -> None:
    """The second builds upon the third, and that upon the second."""
    site.delta(part(archive_id(3), 0, [(BASE, len(CONTENT), 0)]), bases=(archive_id(3),))
    site.delta(part(archive_id(2), 0, [(BASE, len(CONTENT), 0)]), bases=(archive_id(2),))


def _a_base_that_is_not_named(site: Site) -> None:
    site.delta(part(archive_id(1), 0, [(BASE, len(CONTENT), 0)]), bases=(ELSEWHERE,))


def _a_base_that_is_missing(site: Site) -> None:
    site.delta(part(ELSEWHERE, 0, [(BASE, len(CONTENT), 0)]), bases=(ELSEWHERE,))


def _another_member(site: Site) -> None:
    site.delta(part(archive_id(1), site.archives[0].entries[1].offset, [(BASE, 7, 0)]), size=7)


def _no_member(site: Site) -> None:
    site.delta(part(archive_id(1), len(CONTENT) // 512 * 512, [(BASE, 7, 0)]), size=7)


def _behind_the_end(site: Site) -> None:
    site.delta(part(archive_id(1), 1 << 60, [(BASE, 7, 0)]), size=7)


def _four_billion_extents(site: Site) -> None:
    site.delta(part(archive_id(1), 0, [(BASE, len(CONTENT), 0)], count=0xFFFFFFFF))


def _more_extents_than_bytes(site: Site) -> None:
    site.delta(part(archive_id(1), 0, [(BASE, len(CONTENT), 0)], count=2))


def _a_map_cut_off(site: Site) -> None:
    site.delta(part(archive_id(1), 0, [(BASE, 5, 0)] * 10, cut=100))


def _literals_that_are_not_there(site: Site) -> None:
    site.delta(part(archive_id(1), 0, [(LITERAL, len(CONTENT), 0)], b"short"))


def _a_part_missing(site: Site) -> None:
    first = part(archive_id(1), 0, [(BASE, 10, 0)], sha256=None)
    site.delta(first + part(archive_id(1), 0, [(BASE, len(CONTENT) - 10, 10)], number=3, at=10))


def _no_last_part(site: Site) -> None:
    site.delta(part(archive_id(1), 0, [(BASE, len(CONTENT), 0)], sha256=None))


def _parts_of_two_bases(site: Site) -> None:
    first = part(archive_id(1), 0, [(BASE, 10, 0)], sha256=None)
    site.delta(first + part(archive_id(1), 512, [(BASE, len(CONTENT) - 10, 10)], number=2, at=10))


def _an_unknown_kind(site: Site) -> None:
    site.delta(part(archive_id(1), 0, [(3, len(CONTENT), 0)]))


def _another_size_than_the_catalog(site: Site) -> None:
    site.delta(part(archive_id(1), 0, [(BASE, 10, 0)]))


def _larger_than_any_file(site: Site) -> None:
    site.delta(part(archive_id(1), 0, [(ZEROS, 1 << 62, 0), (ZEROS, 1 << 62, 0)]), size=1 << 63)


def _larger_than_any_disk(site: Site) -> None:
    site.delta(part(archive_id(1), 0, [(ZEROS, (1 << 63) - 1, 0)]), size=(1 << 63) - 1)


def _another_content(site: Site) -> None:
    site.delta(part(archive_id(1), 0, [(ZEROS, len(CONTENT), 0)]))


HOSTILE: tuple[tuple[Callable[[Site], None], str, str], ...] = (
    (_beyond_the_base, "behind the end of its base", "behind the end of its base"),
    (_far_beyond_the_base, "behind the end of its base", "behind the end of its base"),
    (_itself, "no earlier archive", "no earlier one"),
    (_a_later_one, "not on the cartridge before it", "no earlier one"),
    (_a_circle, "not on the cartridge before it", "no earlier one"),
    (_a_base_that_is_not_named, "which the header does not name", "not on this cartridge"),
    (_a_base_that_is_missing, "not on the cartridge before it", "not on this cartridge"),
    (_another_member, "another member is in the place", "another member is in the place"),
    (_no_member, "header", "no tar header"),
    (_behind_the_end, "ends", "is lost"),
    (_four_billion_extents, "4294967295 extents, limit", "makes no sense"),
    (_more_extents_than_bytes, "longer than its part", "makes no sense"),
    (_a_map_cut_off, "longer than its part", "makes no sense"),
    (_literals_that_are_not_there, "do not add up", "does not add up"),
    (_a_part_missing, "part 2 of it is missing", "part 2 of what changed in it is missing"),
    (_no_last_part, "part 2 of it is missing", "missing"),
    (_parts_of_two_bases, "have different bases", "another one is in its place"),
    (_an_unknown_kind, "unknown extent kind 3", "makes no sense"),
    (_another_size_than_the_catalog, "the catalog says", "the catalog says"),
    (_larger_than_any_file, "more than", "more than any file has"),
    (_larger_than_any_disk, "more than", "not restored: db"),
    (_another_content, "digest that the catalog says", "its SHA-256 is not the one"),
)


def takes_any_size(folder: Path) -> bool:
    with tempfile.TemporaryFile(dir=folder) as file, contextlib.suppress(OSError):
        return file.truncate((1 << 63) - 1) > 0
    return False


@pytest.mark.parametrize(("make", "ours", "kits"), HOSTILE, ids=[make.__name__.lstrip("_") for make, _, _ in HOSTILE])
def test_a_hostile_chain_is_refused_in_words(
    tmp_path: Path, make: Callable[[Site], None], ours: str, kits: str
) -> None:
    if make is _larger_than_any_disk and (takes_any_size(tmp_path) or takes_any_size(Path(joined.DRAFTS))):
        pytest.skip("files of any size can be made here")
    site = Site([])
    site.full()
    make(site)
    newest = max(site.archives, key=lambda segment: tables.DELTA in [entry.flags for entry in segment.entries])
    write_image(tmp_path / "image", *site.archives)
    place = tmp_path / "place"
    result = Image(tmp_path / "image").restore(place / "tapekit", archive=newest.archive.hex())
    ((path, why),) = result.damaged
    assert path == PATH
    assert ours in why
    assert contents(place) == {"tapekit/other": b"is here"}
    run = rescue("restore", tmp_path / "image", "--to", place / "kit", "--archive", newest.archive.hex())
    assert run.code == LOSSES
    assert kits in run.err
    found = contents(place)
    found.pop("kit/db.damaged", None)
    assert found == {"tapekit/other": b"is here", "kit/other": b"is here"}
