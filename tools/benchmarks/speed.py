"""The suite `speed`: is the drive the bottleneck, or tapekit? One row for each target, with pass or short.

Everything is encrypted, every block and every file is hashed. All contenders have their turn in each round, in an order
that moves on by one, and what they are compared with, the hash, `find` and a pipe of tar, has its own in the same
round. Sources and targets lie in memory; where a target is a ratio, it is that of the medians.
"""

import os
from collections.abc import Sequence

from tools.benchmarks import speed_apart
from tools.benchmarks.contenders import SHA256, TAPEKIT, sha256
from tools.benchmarks.data import DataSet, large_file, small_files
from tools.benchmarks.report import MB, MIB, Result, Target
from tools.benchmarks.settings import Settings, say
from tools.benchmarks.speed_contenders import (
    AGAIN,
    BACKUP,
    FIND,
    OURS,
    OURS_AS_IS,
    OURS_NIGHT,
    OURS_ZSTD,
    PIPE,
    PIPE_SUMMED,
    RIVALS,
    VERIFY,
    WAYS,
    Way,
    find_all,
    make_key,
)
from tools.benchmarks.turns import QUICK_NOTE, RESTORE, Turns, able, in_turn, make_empty

LARGE_BYTES, QUICK_LARGE_BYTES = 2048 * MIB, 64 * MIB
SMALL_FILES, QUICK_SMALL_FILES = 40_000, 1_000
SMALL_FILE_BYTES = 12 * 1024
ON_LARGE = {
    OURS_AS_IS: (VERIFY, RESTORE), OURS_NIGHT: (), OURS_ZSTD: (RESTORE,), PIPE_SUMMED: (),
    **dict.fromkeys(RIVALS, (RESTORE,)),
}  # fmt: skip
ON_SMALL = {OURS_ZSTD: (AGAIN, RESTORE), PIPE: (RESTORE,), **dict.fromkeys(RIVALS, (AGAIN, RESTORE))}
"""The contenders of a data set, and what they do behind their backup."""

OF_SHA256, OF_SHA256_VERIFY = 0.75, 0.95
OF_PIPE_SUMMED, OF_PIPE, OF_RIVAL = 0.5, 1.2, 0.25
OF_FIND, FIND_MORE_S = 1.5, 1.0
PEAK_BYTES = 200 * MIB


def room_bytes(*, quick: bool) -> int:
    """Return what the suite needs: all data, a backup of the larger set, and a restored copy."""
    large, files = (QUICK_LARGE_BYTES, QUICK_SMALL_FILES) if quick else (LARGE_BYTES, SMALL_FILES)
    return 3 * large + files * SMALL_FILE_BYTES + 256 * MIB


def run(settings: Settings) -> Result:
    """Run all contenders in turn, then what needs a place of its own."""
    result = Result("speed", SHA256, baseline_step="hash")
    result.notes.append(f"load when it began: {os.getloadavg()[0]:.1f}")
    make_key(settings.directory)
    large = large_file(settings.directory, QUICK_LARGE_BYTES if settings.quick else LARGE_BYTES)
    small = small_files(settings.directory, QUICK_SMALL_FILES if settings.quick else SMALL_FILES)
    result.data = [large, small]
    able_ways = able(result, WAYS, OURS)
    for data, plan in ((large, ON_LARGE), (small, ON_SMALL)):
        ways = [way for way in able_ways if way.name in plan]
        for number in range(settings.rounds):
            say(f"{data.name}: round {number + 1} of {settings.rounds}")
            turns = _Round(settings, result, data, OURS, check=number == 0)
            turns.measure(SHA256, "hash", sha256(data.path))
            if data is small:
                turns.measure(FIND, AGAIN, find_all(data.path))
            for way in in_turn(ways, number):
                turns.run(way, data, plan[way.name])
    result.targets = [*_of_large(result, large), *_of_small(result, large, small), _peak(result)]
    speed_apart.run(settings, result)
    result.notes.append(f"load when it ended: {os.getloadavg()[0]:.1f}")
    if settings.quick:
        result.notes.append(QUICK_NOTE)
    return result


class _Round(Turns):
    """The contenders' turns with one data set."""

    def run(self, way: Way, data: DataSet, steps: Sequence[str]) -> None:
        """Give a contender its turn."""
        size_bytes = (data.size_bytes * 5 // 4 + data.files * 4096 + 256 * MIB) // MIB * MIB
        make_empty(self.target)
        try:
            if way.prepare is not None and not self.prepare(way.name, way.prepare(data.path, self.target, size_bytes)):
                return
            if not self.measure(way.name, BACKUP, way.backup(data.path, self.target)):
                return
            for step in steps:
                make_empty(self.restored)
                done = self.measure(way.name, step, way.steps[step](data.path, self.target, self.restored))
                if done and step == RESTORE:
                    self.compare(way.name)
        finally:
            self.clear()


def _of_large(result: Result, large: DataSet) -> list[Target]:
    name = large.name
    found = []
    for ours, step, wanted in ((OURS_AS_IS, BACKUP, OF_SHA256), (OURS_AS_IS, VERIFY, OF_SHA256_VERIFY)):
        seconds, hashing = result.wall_s(large, ours, step), result.wall_s(large, SHA256, "hash")
        what = f"{name}: {ours}: {step} >= {wanted} of the speed of {SHA256}"
        found.append(_target(what, None if not (seconds and hashing) else hashing / seconds, wanted, is_least=True))
    night, plain = result.wall_s(large, OURS_NIGHT), result.wall_s(large, OURS_AS_IS)
    if night and plain:
        result.notes.append(f"{OURS_NIGHT}: with parity and what the next night builds upon: {night / plain:.2f} times")
    found.append(_times(result, large, OURS_ZSTD, BACKUP, PIPE_SUMMED, OF_PIPE_SUMMED))
    found += [_times(result, large, OURS_ZSTD, BACKUP, rival, OF_RIVAL) for rival in RIVALS]
    found += [_times(result, large, OURS_ZSTD, RESTORE, rival, 1.0) for rival in RIVALS]
    return found


def _of_small(result: Result, large: DataSet, small: DataSet) -> list[Target]:
    found = [_times(result, small, OURS_ZSTD, BACKUP, PIPE, OF_PIPE)]
    found += [_times(result, small, OURS_ZSTD, BACKUP, rival, OF_RIVAL) for rival in RIVALS]
    seconds, looking = result.wall_s(small, OURS_ZSTD, AGAIN), result.wall_s(small, FIND, AGAIN)
    what = f"{small.name}: {OURS_ZSTD}: {AGAIN} <= {OF_FIND} times {FIND} and {FIND_MORE_S:.0f} s"
    share = None if not (seconds and looking) else seconds / (OF_FIND * looking + FIND_MORE_S)
    found.append(_target(what, share, 1.0, is_least=False, unit=" of that"))
    found += [_times(result, small, OURS_ZSTD, AGAIN, rival, 1.0) for rival in RIVALS if rival != "dar, zstd 1"]
    found += [_times(result, small, OURS_ZSTD, RESTORE, rival, 1.0) for rival in (PIPE, *RIVALS)]
    seconds = result.wall_s(large, OURS_AS_IS)
    if seconds:
        result.notes.append(f"{large.name}: {TAPEKIT}: {large.size_bytes / MB / seconds:,.0f} MB/s")
    return found


def _times(result: Result, data: DataSet, ours: str, step: str, other: str, wanted: float) -> Target:
    seconds, theirs = result.wall_s(data, ours, step), result.wall_s(data, other, step)
    what = f"{data.name}: {ours}: {step} <= {wanted} times {other}"
    return _target(what, None if not (seconds and theirs) else seconds / theirs, wanted, is_least=False)


def _target(what: str, got: float | None, wanted: float, *, is_least: bool, unit: str = "") -> Target:
    """`reached`: 1.0 where it is just met, more where it is more than met."""
    if got is None:
        return Target(what, None, met=False)
    return Target(what, f"{got:.2f}{unit}", got >= wanted if is_least else got <= wanted,
                  got / wanted if is_least else wanted / got)  # fmt: skip


def _peak(result: Result) -> Target:
    peak = result.peak_bytes(OURS)
    what = f"peak memory of every step <= {PEAK_BYTES // MIB} MiB"
    if peak is None:
        return Target(what, None, met=False)
    return Target(what, f"{peak / MIB:.0f} MiB", peak <= PEAK_BYTES, PEAK_BYTES / peak)
