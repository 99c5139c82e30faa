"""What tapekit and the kit hold of files of any size, in a process of its own: see test_memory.py."""

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from formats import delta
from formats.delta import Extent
from formats.pax import Member
from tapekit.deltas.cut import PAGE_BYTES, PAGES
from tapekit.deltas.differ import Differ
from tapekit.deltas.frames import FrameWriter, frames
from tapekit.deltas.maps import MapWriter, PagesBefore, tables
from tapekit.deltas.secret import DIGEST_BYTES, SiteSecret
from tapekit.rescue import rescue
from tapekit.stream.chain import Layer, Wanted

BATCH = 128
CONTENT = memoryview(bytes(range(1, 129)) * (BATCH * PAGE_BYTES // 128))
ENDS = range(PAGE_BYTES, BATCH * PAGE_BYTES + 1, PAGE_BYTES)


def compare(folder: str, pages: int) -> int:
    """A file of so many pages is compared with a map of as many: one page in a hundred changed. How many are new."""
    secret, path, new = (
        SiteSecret(bytes(32)),
        Path(folder) / "old",
        FrameWriter(Path(folder) / "new", "", SiteSecret(bytes(32))),
    )
    old = FrameWriter(path, "", secret)
    made = MapWriter(old, PAGES)
    for digests in _digests(pages):
        made.add(ENDS, digests)
    made.finish()
    old.finish()
    flushed = 0

    def flush(_at: int, extents: tuple[Extent, ...], literals: bytearray) -> None:
        nonlocal flushed
        flushed += len(delta.build(extents)) + len(literals)

    differ = Differ(PagesBefore(tables(frames(path, "", secret), PAGES), pages * PAGE_BYTES), 1 << 23, flush)
    made, rng = MapWriter(new, PAGES), random.Random(2)
    for digests in _digests(pages):
        changed = bytearray(digests)
        for _ in range(BATCH // 100 + (rng.random() < BATCH / 100 % 1)):
            changed[rng.randrange(BATCH) * DIGEST_BYTES] ^= 1
        made.add(ENDS, bytes(changed))
        differ.add(CONTENT, ENDS, bytes(changed))
    differ.end_part()
    made.finish()
    new.finish()
    assert flushed > differ.literal_bytes
    return differ.literal_bytes // PAGE_BYTES


def _digests(pages: int) -> Iterator[bytes]:
    rng = random.Random(1)
    for _ in range(0, pages, BATCH):
        yield rng.randbytes(BATCH * DIGEST_BYTES)


def resolve(deltas: int, extents: int) -> int:
    """A chain of deltas over a full file, each of so many extents; how many pieces it comes to."""
    size, count = extents * PAGE_BYTES, 0
    wanted = Wanted(size, tempfile.gettempdir())
    for number in range(deltas):
        layer = Layer(str(number), _MEMBER)
        for kind, length, offset in _extents(number, extents):
            layer.add(kind, length, offset)
        count += sum(1 for _ in wanted.found(layer))
    base = Layer("base", _MEMBER)
    base.add(delta.ExtentKind.LITERAL, size, 0)
    count += sum(1 for _ in wanted.found(base))
    assert wanted.is_found
    return count


def resolve_by_the_kit(deltas: int, extents: int) -> int:
    """The same by the kit."""
    size, count = extents * PAGE_BYTES, 0
    wanted = rescue.Missing(size)
    for number in range(deltas + 1):
        layer = rescue.Layer(_ANYTHING, _ANYTHING)  # only its extents are asked for
        for kind, length, offset in _extents(number, extents) if number < deltas else ((rescue.LITERAL, size, 0),):
            layer.add(kind, length, offset)
        count += sum(1 for _ in wanted.found(layer))
    assert wanted.is_found
    return count


def _extents(number: int, count: int) -> Iterator[tuple[int, int, int]]:
    """Pages in turn from below and new, at other places in each delta."""
    for index in range(count):
        if (index + number) % 2:
            yield delta.ExtentKind.LITERAL, PAGE_BYTES, index * PAGE_BYTES
        else:
            yield delta.ExtentKind.BASE, PAGE_BYTES, index * PAGE_BYTES


_ANYTHING: Any = None
_MEMBER = Member(b"0", b"db", 0o644, 0, 0, b"", b"", 0, 0)
