"""One archive that builds upon earlier ones: what is unchanged, what changed, and what is remembered afterwards."""

import collections
import contextlib
import dataclasses
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from formats import delta
from formats.catalog import SHORT, Entry
from formats.errors import Damaged
from tapekit import clock
from tapekit.cartridge.cartridge import Cartridge, Segment
from tapekit.deltas.cut import CHUNKS, PAGE_BYTES, PAGES, Cutter, kinds
from tapekit.deltas.differ import PART_LITERAL_BYTES, Differ, Flush
from tapekit.deltas.maps import BEFORE, MapMaker, MapWriter, digests_of
from tapekit.deltas.proof import Proof
from tapekit.deltas.secret import SiteSecret, site_secret
from tapekit.deltas.state import NOWHERE, Base, Known, Remembered, Remembering, folder_of, sort_key
from tapekit.source.compare import catalog_time_ns

SMALLEST_BYTES = 64 << 10
"""Below that a file that changed is saved as a whole: a delta takes up to 2 KiB itself."""
RACY_NS = 60_000_000_000
"""What was written within it may have the same times.

A tick of the coarsest file system, FAT, is 2 s. But through a memory map only the first write to a page sets the time,
until the kernel has written that page out: up to 35 s later (vm.dirty_expire_centisecs, vm.dirty_writeback_centisecs).
"""
KEPT_EXTENTS = 1 << 10
SOUR_SHARE = 0.5
PROBES = 64
LAST_PROBES = 8
MOST_WAITING = 8
READ_AHEAD = 4
"""Pieces of a file that are hashed later than they are compared, at most."""
SMALLEST_BESIDE_BYTES = 1 << 20
"""The maps of a smaller file are made sooner than another thread has done so and said it."""
PERCENT = 100


@dataclasses.dataclass(frozen=True)
class Incremental:
    """How a job's archives build upon each other. `rehash` percent of the unchanged files are read all the same."""

    state: Path
    full_every: int = 7
    is_full: bool = False
    rehash: int = 0


class Session:
    """Asked by the walk and by what saves, in the order of the walk."""

    def __init__(
        self, of: Incremental, cartridge: Cartridge, segments: Sequence[Segment], job: str, archive: str,
        is_damaged: Callable[[str], bool] = lambda _archive: False,
    ) -> None:  # fmt: skip
        """Look what there is to build upon; `is_damaged` is asked of each such archive.

        Raises OSError where nothing can be remembered.
        """
        assert cartridge.label is not None  # noqa: S101 - nothing is written on a cartridge without one
        label = cartridge.label.cartridge
        folder, name = folder_of(of.state, job, label), f"{job}\0{label}"
        self.bases: tuple[Base, ...] = ()
        self.why_full = ""
        self.changed_bytes = 0
        self._archive = archive
        self._is_damaged = is_damaged
        self._rehash = of.rehash
        self._turn = clock.now().date().toordinal()
        """Another share of the unchanged files is read again every day, whatever is written upon what."""
        self._secret: SiteSecret = site_secret(of.state / "deltas")
        self._seen: Remembered | None = None
        """What is known of the files; a full archive builds upon none of it."""
        self._before: Remembered | None = None
        try:
            self._seen = Remembered(folder, name, self._secret)
            if not of.is_full and len(self._seen.bases) < of.full_every:
                self._check_there(self._seen, segments)
                self._before = self._seen
        except Damaged as error:
            if any(s.job == job and s.is_complete for s in segments):
                self.why_full = str(error)
        if self._before is not None:
            self.bases = self._before.bases
        self._files: Iterator[Known] = self._seen.files() if self._seen else iter(())
        self._next = next(self._files, None)
        self._at: Known | None = None
        self._remembering = Remembering(folder, name, self._secret, archive)
        self._pool = ThreadPoolExecutor(1, "maps")
        self._proof: Proof | None = None
        if self._before is not None:
            archives = tuple(base.archive for base in self.bases)
            self._proof = Proof(self._secret, archives, self._before.map_at, self._remembering.map_at)

    def _check_there(self, before: Remembered, segments: Sequence[Segment]) -> None:
        """Raises Damaged where the cartridge does not hold all that is remembered, as it was."""
        there = {
            (s.archive, s.file, s.trailer_sha256)
            for s in segments if s.is_complete and s.number == 0 and s.trailer_sha256
        }  # fmt: skip
        for base in before.bases:
            if self._is_damaged(base.archive):
                raise Damaged(f"archive {base.archive[:8]}, which it would build upon, was found damaged")
            if (base.archive, base.file, base.trailer_sha256) not in there:
                raise Damaged(
                    f"archive {base.archive[:8]}, which it would build upon, is not on the cartridge as it was"
                )

    # --- what the walk and the saver ask ------------------------------------------------------------------------

    def is_known(self, path: bytes, status: os.stat_result) -> bool:
        """Whether a regular file is as it was by all that tells so, and need not be read."""
        known = self.known(path)
        return known is not None and not known.is_racy and is_same(known, status) and not self._is_due(path)

    def known(self, path: bytes) -> Known | None:
        """A file as it was saved last, to build upon."""
        return self.seen(path) if self._before is not None else None

    def seen(self, path: bytes) -> Known | None:
        """A file as it was saved last."""
        if self._at is not None and self._at.entry.path == path:
            return self._at
        key = sort_key(path)
        while self._next is not None and sort_key(self._next.entry.path) < key:
            self._next = next(self._files, None)
        if self._next is None or self._next.entry.path != path:
            return None
        self._at, self._next = self._next, next(self._files, None)
        return self._at

    def _is_due(self, path: bytes) -> bool:
        """Whether an unchanged file is read again this time."""
        share = (zlib.crc32(path) - self._turn * self._rehash) % PERCENT
        return share < self._rehash

    def best_kind(self, known: Known, fd: int) -> str | None:
        """How to cut a file that changed: as the last time, or by a look at a few pages; None: it is not worth it."""
        if known.is_sour or known.entry.flags & SHORT or known.entry.size < SMALLEST_BYTES:
            return None
        if self._most_extents(known, os.fstat(fd).st_size) <= 0:
            return None
        there = [kind for kind in known.kinds if kind in kinds()]
        if len(there) < len((PAGES, CHUNKS)):
            return there[0] if there else None
        return PAGES if self._fits_by_place(known, fd) else CHUNKS

    def _most_extents(self, known: Known, size_bytes: int) -> int:
        """How many extents may be looked for in a file: no chain has more of them, or pieces, than readers take.

        Each archive of a chain may cut each extent behind it once more; and each part has one, which is all literal.
        """
        most = min(delta.MOST_CHAIN_EXTENTS, delta.MOST_PIECES // (len(self.bases) + 2))
        return most - known.extents - size_bytes // PART_LITERAL_BYTES - KEPT_EXTENTS

    def _fits_by_place(self, known: Known, fd: int) -> bool:
        """Whether most pages stand where they stood, by a few of them all over the file, and some at its end do."""
        assert self._before is not None  # noqa: S101 - it is known from there
        pages = known.entry.size // PAGE_BYTES
        step = max(1, pages // PROBES)
        same = [self._stands(known, fd, number) for number in range(step // 2, pages, step)]
        return sum(same) * 2 > len(same) and any(same[-LAST_PROBES:])

    def _stands(self, known: Known, fd: int, number: int) -> bool:
        """Whether a page is as it was."""
        assert self._before is not None  # noqa: S101 - it is known from there
        with contextlib.suppress(Damaged, OSError):
            page = memoryview(os.pread(fd, PAGE_BYTES, number * PAGE_BYTES))
            return bool(page) and digests_of(self._secret, page, (len(page),)) == self._before.page(known, number)
        return False

    # --- maps ---------------------------------------------------------------------------------------------------

    def recorder(self, size_bytes: int, *, is_sparse: bool) -> "Recorder | None":
        """Makes the maps of a file that is saved as a whole; None for a small one."""
        if size_bytes < SMALLEST_BYTES:
            return None
        made = (PAGES,) if is_sparse else kinds()
        maker = MapMaker(self._secret, {kind: self._remembering.writer(kind) for kind in made})
        return Recorder(maker, self._pool if size_bytes > SMALLEST_BESIDE_BYTES else None)

    def comparing(self, known: Known, kind: str, size_bytes: int, flush: Flush) -> "Comparing":
        """Compares a file with what it was, cut in one way; the first time in both, to see which is better."""
        most = self._most_extents(known, size_bytes)
        ways = [self._way(known, kind, most, flush)]
        ways += [self._way(known, other, most, lambda *_part: None) for other in known.kinds if other != kind]
        return Comparing(ways, self._secret, self._pool)

    def _way(self, known: Known, kind: str, most_extents: int, flush: Flush) -> "Way":
        assert self._before is not None  # noqa: S101 - it is known from there
        before = BEFORE[kind](self._before.map(known, kind), known.entry.size)
        differ = Differ(before, most_extents, flush)
        return Way(kind, Cutter(kind), MapWriter(self._remembering.writer(kind), kind), differ)

    # --- what is remembered -------------------------------------------------------------------------------------

    def base_archive(self, known: Known) -> str:
        """The archive that a file is stored in."""
        return self.bases[known.entry.base - 1].archive

    def unchanged(self, known: Known, read_ns: int | None = None) -> Entry:
        """A file that is stored already; its line in the catalog. `read_ns`: when it was read, where it was."""
        is_racy = known.is_racy if read_ns is None else is_fresh(known.entry, read_ns)
        self._remembering.add(known if is_racy == known.is_racy else known._replace(is_racy=is_racy))
        return known.entry

    def saved(
        self, entry: Entry, device: int, read_ns: int, maps: dict[str, int], extents: int = 0, changed: int = 0
    ) -> None:
        """A regular file is stored in this archive; `changed` bytes of it are new, read from `read_ns` on."""
        self.changed_bytes += changed
        self._remembering.add(Known(
            entry._replace(base=len(self.bases) + 1), device, maps.get(PAGES, NOWHERE), maps.get(CHUNKS, NOWHERE),
            extents, is_fresh(entry, read_ns) or entry.has_problem, bool(extents) and changed > SOUR_SHARE * entry.size,
        ))  # fmt: skip

    def to_prove(self, entry: Entry, known: Known, comparing: "Comparing") -> None:
        """A delta was made, which is to be read back."""
        assert self._proof is not None  # noqa: S101 - there is something that it builds upon
        self._proof.add(entry.offset, comparing.kind, comparing.place, known)

    @staticmethod
    def now_ns() -> int:
        """The time, as files have it."""
        return clock.now_ns()

    def finish(self, file: int, trailer_sha256: str) -> "Pending":
        """The archive is whole. Raises OSError."""
        self._remembering.finish()
        self._pool.shutdown()
        bases = (*self.bases, Base(self._archive, file, trailer_sha256))
        remembering = self._remembering
        return Pending(lambda: remembering.commit(bases), remembering.discard, self._proof)

    def discard(self) -> None:
        """The archive came to nothing, or goes on on another cartridge: nothing builds upon it."""
        self._pool.shutdown(cancel_futures=True)
        self._remembering.discard()


@dataclasses.dataclass(frozen=True)
class Pending:
    """What is to be remembered once the archive is proven; `commit` raises OSError and Damaged."""

    commit: Callable[[], None]
    discard: Callable[[], None]
    proof: Proof | None = None
    """Of its deltas; None where it builds upon nothing."""


def is_same(known: Known, status: os.stat_result, *, on_any_device: bool = False) -> bool:
    """Whether all that tells of a change is as it was; a device's number may be another one after a restart."""
    entry = known.entry
    return (
        entry.size == status.st_size
        and entry.mtime_ns == catalog_time_ns(status.st_mtime_ns)
        and entry.ctime_ns == catalog_time_ns(status.st_ctime_ns)
        and entry.inode == status.st_ino
        and (on_any_device or known.device == status.st_dev)
    )


def is_fresh(entry: Entry, read_ns: int) -> bool:
    """Whether a file changed so shortly before it was read that another change may not show."""
    return max(entry.mtime_ns, entry.ctime_ns) > read_ns - RACY_NS


class Recorder:
    """Takes the content of a file while it is saved; the maps are made beside, where there is a `pool` for that."""

    def __init__(self, maker: MapMaker, pool: ThreadPoolExecutor | None) -> None:
        """Nothing was seen yet."""
        self._maker = maker
        self._pool = pool
        self._waiting: list[Future[None]] = []
        self.places = maker.places

    def add(self, piece: memoryview) -> None:
        """The next piece; nothing of it is needed afterwards."""
        if self._pool is None:
            self._maker.add(piece)
            return
        if len(self._waiting) >= MOST_WAITING:
            self._waiting.pop(0).result()
        self._waiting.append(self._pool.submit(self._maker.add, bytes(piece)))

    def zeros(self, size_bytes: int) -> None:
        """A hole."""
        while size_bytes:
            part = min(size_bytes, 1 << 20)
            self.add(memoryview(bytes(part)))
            size_bytes -= part

    def finish(self) -> None:
        """The content is at its end."""
        for future in self._waiting:
            future.result()
        self._maker.finish()


@dataclasses.dataclass(frozen=True)
class Way:
    """One way to cut a file: the map that is made of it, and what changed by that."""

    kind: str
    cutter: Cutter
    made: MapWriter
    differ: Differ

    @property
    def cost_bytes(self) -> int:
        """What is stored of the file."""
        return self.differ.literal_bytes + delta.map_bytes(self.differ.extents)


class Comparing:
    """Takes the content of a file, and finds what changed in it: by the first of the ways."""

    def __init__(self, ways: Sequence[Way], secret: SiteSecret, pool: ThreadPoolExecutor) -> None:
        """Nothing was seen yet."""
        self.differ, self.kind, self.place = ways[0].differ, ways[0].kind, ways[0].made.place
        """What changed, and where the map is that says so of all of the file."""
        self._ways = ways
        self._secret = secret
        self._pool = pool
        self._hashing: collections.deque[Future[None]] = collections.deque()

    def add(self, piece: memoryview, hashed: Callable[[memoryview], None], *, is_last: bool = False) -> None:
        """The next piece, which is `hashed` meanwhile, at the latest when READ_AHEAD more have come.

        Raises what the differ's flush raises.
        """
        self._hashing.append(self._pool.submit(hashed, piece))
        for way in self._ways:
            data, ends = way.cutter.feed(piece, is_last=is_last)
            digests = digests_of(self._secret, data, ends)
            way.made.add(ends, digests)
            way.differ.add(data, ends, digests)
        while len(self._hashing) > READ_AHEAD:
            self._hashing.popleft().result()

    def finish(self) -> dict[str, int]:
        """All was seen and hashed; the map of the way that is to be gone on with."""
        while self._hashing:
            self._hashing.popleft().result()
        for way in self._ways:
            way.made.finish()
        best = min(self._ways, key=lambda way: way.cost_bytes)
        return {best.kind: best.made.place}
