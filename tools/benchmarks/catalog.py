"""The catalog: many nights of nearly the same files, and as many files that were never seen before."""

import datetime
import hashlib
import random
import shutil
import time
from collections.abc import Iterator

from formats.catalog import REGULAR, Entry
from tapekit.catalog.store import Store
from tapekit.model import Cartridge, Copy
from tools.benchmarks.report import Result, Target
from tools.benchmarks.settings import Settings, say

NIGHTS, FILES, CHANGED = 250, 40_000, 0.02
QUICK_NIGHTS, QUICK_FILES = 5, 2_000
FILES_OF_DIRECTORY = 200
BYTES_OF_ENTRY = 400
SEARCH_S, NIGHT_S = 0.1, 10
BEGIN = datetime.datetime(2026, 1, 5, 21, 30, tzinfo=datetime.UTC)
LABEL = "ab" * 16
WORDS = ("invoice", "report", "patient", "scan", "letter", "order", "stock", "label", "photo", "backup")


def room_bytes(*, quick: bool) -> int:
    """Return how much room the suite takes."""
    return (QUICK_NIGHTS * QUICK_FILES if quick else NIGHTS * FILES) * BYTES_OF_ENTRY


def run(settings: Settings) -> Result:
    """Measure how fast nights come in, what they cost on disk, and how long a search takes."""
    nights, files = (QUICK_NIGHTS, QUICK_FILES) if settings.quick else (NIGHTS, FILES)
    result = Result("catalog", "")
    _measure(settings, result, f"{nights} nights of {files} files, 2 % changed", _same(nights, files))
    _measure(settings, result, f"{nights * files} files, each once", _distinct(nights, files))
    return result


def _measure(settings: Settings, result: Result, what: str, nights: Iterator[list[Entry]]) -> None:
    directory = settings.directory / "catalog"
    shutil.rmtree(directory, ignore_errors=True)
    slowest = spent = 0.0
    count = 0
    first: list[Entry] = []
    with Store.open(directory / "catalog.sqlite", "benchmark") as store:
        store.record_label(Cartridge("MON-1", LABEL, labelled=BEGIN))
        for night, members in enumerate(nights):
            first = first or members
            began = time.monotonic()
            store.record_archive(LABEL, _copy(night, len(members)), members)
            took = time.monotonic() - began
            spent, slowest, count = spent + took, max(slowest, took), count + len(members)
            if night % 25 == 0:
                say(f"catalog: {what}: night {night}, {took:.1f} s")
    with Store.open(directory / "catalog.sqlite", "benchmark") as store:
        size = sum(path.stat().st_size for path in directory.iterdir())
        note = result.notes.append
        note(f"{what}: {count / spent:.0f} entries per second, {size / count:.1f} bytes per entry, {size >> 20} MiB")
        slow = f"{slowest:.1f} s at most"
        result.targets.append(Target(f"{what}: a night comes in within {NIGHT_S} s", slow, slowest < NIGHT_S))
        _search(store, result, what)
        if list(store.members(_copy(0, 0).archive)) != first:
            result.wrong.append(f"{what}: the first archive is given back differently")
    shutil.rmtree(directory)


def _search(store: Store, result: Result, what: str) -> None:
    """A rare name, a frequent one, one that nothing has although all its parts are frequent, in either case."""
    name = _name(4711).rsplit(b"/", 1)[-1].decode()
    for pattern, ignore_case in (
        (name, False), (name.upper(), True), ("invoice", False), ("invoice-00004711-invoice-x", False),
        ("*4711*.pdf", False), ("zebra", False),
    ):  # fmt: skip
        times = []
        found: list[object] = []
        for _ in range(3):
            began = time.monotonic()
            found = list(store.find(pattern, ignore_case=ignore_case))
            times.append(time.monotonic() - began)
        got = f"{times[0] * 1000:.0f} ms first, then {min(times) * 1000:.1f} ms, {len(found)} versions"
        result.targets.append(Target(f"{what}: search for {pattern} under {SEARCH_S} s", got, times[0] < SEARCH_S))


def _same(nights: int, files: int) -> Iterator[list[Entry]]:
    """Every night the same files; a fiftieth of them, any, have changed."""
    chance = random.Random(1)  # noqa: S311 - the same every time
    state = [0] * files
    for night in range(nights):
        if night:
            for number in chance.sample(range(files), int(files * CHANGED)):
                state[number] = night
        yield _night(range(files), state)


def _distinct(nights: int, files: int) -> Iterator[list[Entry]]:
    """Every night other files."""
    for night in range(nights):
        yield _night(range(night * files, (night + 1) * files), [0] * files)


def _night(numbers: range, state: list[int]) -> list[Entry]:
    offset, entries = 0, []
    for number, version in zip(numbers, state, strict=True):
        entries.append(_entry(number, version, offset))
        offset += 1024 + entries[-1].size // 512 * 512
    return entries


def _entry(number: int, version: int, offset: int) -> Entry:
    digest = hashlib.sha256(b"%d %d" % (number, version)).digest()
    size = int.from_bytes(digest[:2], "big") * 7
    time_ns = 1_700_000_000 * 10**9 + int.from_bytes(digest[:6], "big") + version * 86_400 * 10**9
    return Entry(
        type=REGULAR, flags=0, mode=0o644, uid=1000, gid=1000, owner=b"anne", group=b"staff", note=b"", base=0,
        reference=0, inode=1_000_000 + number, size=size, valid=size, mtime_ns=time_ns, ctime_ns=time_ns + 4_000_000,
        offset=offset, sha256=digest, path=_name(number), link=b"",
    )  # fmt: skip


def _name(number: int) -> bytes:
    first, second = WORDS[number % 10], WORDS[number // 7 % 10]
    directory = number // FILES_OF_DIRECTORY
    place = f"srv/pharmacy/{directory // 50:04}/{directory:06}"
    return f"{place}/{number % FILES_OF_DIRECTORY:03}-{first}-{number:08}-{second}.pdf".encode()


def _copy(night: int, members: int) -> Copy:
    started = BEGIN + datetime.timedelta(days=night)
    archive = hashlib.sha256(b"%d" % night).hexdigest()[:32]
    return Copy(archive, "nightly", started.date(), started, started, night + 2, "complete", members)
