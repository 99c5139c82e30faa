"""The suite `archive`: one night's backup of a large file, and of many small ones, by tapekit and by others.

Data and targets lie in the same directory, in memory where there is room, so that programs are measured and not disks.
All data was read just before: it is in the page cache for everyone. Making a repository or labelling a cartridge is
not measured.
"""

from tools.benchmarks.contenders import (
    CONTENDERS,
    PLAIN_RIVALS,
    SHA256,
    TAPEKIT,
    TAPEKIT_ENCRYPTED,
    TAPEKIT_PLAIN,
    TAR,
    ZSTD_RIVALS,
    Contender,
    image,
    sha256,
    tapekit,
    untar,
)
from tools.benchmarks.data import DataSet, large_file, small_files
from tools.benchmarks.report import MB, MIB, Result, Target
from tools.benchmarks.settings import Settings, say
from tools.benchmarks.turns import QUICK_NOTE, RESTORE, Turns, able, in_turn, make_empty

LARGE_BYTES, QUICK_LARGE_BYTES = 2 * 1024 * MIB, 256 * MIB
SMALL_FILES, QUICK_SMALL_FILES = 40_000, 4_000
SMALL_FILE_BYTES = 12 * 1024  # on average, rounded up

OURS = (TAPEKIT, TAPEKIT_PLAIN)
"""Verified and restored too."""

OF_SHA256_BACKUP, OF_SHA256_VERIFY = 0.5, 0.6
OF_PLAIN_ENCRYPTED = 0.8
TIMES_TAR = 4.0
IDLE_SHARE = 0.95  # what a program that only computes gets of a core on an idle machine, at least
PEAK_BYTES = 200 * MIB


def room_bytes(*, quick: bool) -> int:
    """Return what the suite needs: all data, and for the larger set a backup, a restored copy and some slack."""
    large, files = (QUICK_LARGE_BYTES, QUICK_SMALL_FILES) if quick else (LARGE_BYTES, SMALL_FILES)
    small = files * SMALL_FILE_BYTES
    return large + small + 5 * max(large, small) // 2


def run(settings: Settings) -> Result:
    """Run all contenders in turn, in an order that moves on by one with each round, and the hash in each round too."""
    result = Result("archive", TAR)
    say("making or checking the data")
    result.data = [
        large_file(settings.directory, QUICK_LARGE_BYTES if settings.quick else LARGE_BYTES),
        small_files(settings.directory, QUICK_SMALL_FILES if settings.quick else SMALL_FILES),
    ]
    for data in result.data:
        say(f"{data.name}: {data.files} files, {data.size_bytes / MB:,.0f} MB in {data.path}")
    contenders = able(result, CONTENDERS, OURS)
    for data in result.data:
        for number in range(settings.rounds):
            turns = _Round(settings, result, data, OURS, check=number == 0)
            say(f"{data.name}: round {number + 1} of {settings.rounds}")
            turns.measure(SHA256, "hash", sha256(data.path))
            for contender in in_turn(contenders, number):
                turns.run(contender, data)
    result.targets = _targets(result)
    share = result.cpu_share(SHA256)
    if share is not None and share < IDLE_SHARE:
        result.notes.append(f"{SHA256}: got {share:.0%} of a core: other programs ran, and the times say little")
    if settings.quick:
        result.notes.append(QUICK_NOTE)
    return result


class _Round(Turns):
    """The contenders' turns with one data set."""

    def run(self, contender: Contender, data: DataSet) -> None:
        """Give a contender its turn."""
        make_empty(self.target)
        make_empty(self.restored)
        try:
            self._back_up(contender, data)
        finally:
            self.clear()

    def _back_up(self, contender: Contender, data: DataSet) -> None:
        size_bytes = (data.size_bytes + data.files * 4096 + 256 * MIB) // MIB * MIB
        if contender.prepare is not None and not self.prepare(
            contender.name, contender.prepare(data.path, self.target, size_bytes)
        ):
            return
        if not self.measure(contender.name, "backup", contender.backup(data.path, self.target), self.target):
            return
        if contender.name == TAR:
            self.measure(TAR, RESTORE, untar(self.target, self.restored))
        if contender.name in OURS:
            self.measure(contender.name, "verify", tapekit("verify", image(self.target)))
            restore = tapekit("restore", image(self.target), "--to", str(self.restored))
            if self.measure(contender.name, RESTORE, restore):
                self.compare(contender.name)


def _targets(result: Result) -> list[Target]:
    large, small = result.data
    found = [
        _speed(result, large, TAPEKIT_PLAIN, "backup", OF_SHA256_BACKUP),
        _times(result, small, TAR, TIMES_TAR),
        *(_ahead(result, data, TAPEKIT_PLAIN, rival) for data in result.data for rival in PLAIN_RIVALS),
        *(_ahead(result, data, TAPEKIT, rival) for data in result.data for rival in ZSTD_RIVALS),
        _speed(result, large, TAPEKIT_PLAIN, "verify", OF_SHA256_VERIFY),
        *(_encrypted(result, data) for data in result.data),
    ]
    peak = result.peak_bytes(OURS)
    what = f"peak memory < {PEAK_BYTES // MIB} MiB"
    found.append(
        Target(what, None, met=False) if peak is None else Target(what, f"{peak / MIB:.0f} MiB", peak < PEAK_BYTES)
    )
    return found


def _speed(result: Result, data: DataSet, name: str, step: str, wanted: float) -> Target:
    what = f"{data.name}: {name}: {step} >= {wanted} of the speed of {SHA256}"
    ours, hashing = result.wall_s(data, name, step), result.wall_s(data, SHA256, "hash")
    if ours is None or hashing is None:
        return Target(what, None, met=False)
    return Target(what, f"{hashing / ours:.2f}", hashing / ours >= wanted)


def _encrypted(result: Result, data: DataSet) -> Target:
    what = f"{data.name}: {TAPEKIT_ENCRYPTED}: backup >= {OF_PLAIN_ENCRYPTED} of the speed without encryption"
    ours, plain = result.wall_s(data, TAPEKIT_ENCRYPTED), result.wall_s(data, TAPEKIT_PLAIN)
    if ours is None or plain is None:
        return Target(what, None, met=False)
    return Target(what, f"{plain / ours:.2f}", plain / ours >= OF_PLAIN_ENCRYPTED)


def _times(result: Result, data: DataSet, rival: str, wanted: float) -> Target:
    what = f"{data.name}: {TAPEKIT_PLAIN}: backup <= {wanted} times {rival}'s wall time"
    ours, theirs = result.wall_s(data, TAPEKIT_PLAIN), result.wall_s(data, rival)
    if ours is None or theirs is None:
        return Target(what, None, met=False)
    return Target(what, f"{ours / theirs:.2f}", ours / theirs <= wanted)


def _ahead(result: Result, data: DataSet, name: str, rival: str) -> Target:
    what = f"{data.name}: {name}: backup ahead of {rival}"
    ours, theirs = result.wall_s(data, name), result.wall_s(data, rival)
    if ours is None or theirs is None:
        return Target(what, None, met=False)
    return Target(what, f"{ours:.2f} s, {rival} {theirs:.2f} s", ours < theirs)
