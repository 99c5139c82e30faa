"""Rows of the suite `speed` with a place of their own: start, growth, one file of many, a device past the cache."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from tools.benchmarks.contenders import image
from tools.benchmarks.measure import Command, Cost, measure, run_unmeasured
from tools.benchmarks.report import MB, MIB, Grid, Result, Target
from tools.benchmarks.settings import Settings, say
from tools.benchmarks.speed_contenders import ours, restore_one

VERSION_S, STATUS_S = 0.15, 0.4
ALARM = 4
FLAT = 1.1
"""Time per byte and per member grow no more than that."""
MEMBERS, QUICK_MEMBERS = (10_000, 10_000_000), (500, 5_000)
MEMBERS_PEAK_BYTES = 400 * MIB
FILES, FILE_BYTES, QUICK_FILES, QUICK_FILE_BYTES = 16, 1024 * MIB, 4, 16 * MIB
OF_DD = 0.95
DEVICE_BYTES, QUICK_DEVICE_BYTES = 1024 * MIB, 64 * MIB


def run(settings: Settings, result: Result) -> None:
    """All of them, one behind the other."""
    directory = settings.directory / "apart"
    for what in (_start, _members, _places, _device):
        say(f"speed:{what.__name__.replace('_', ' ')}")
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        try:
            what(settings, result, directory)
        finally:
            shutil.rmtree(directory, ignore_errors=True)


def _start(settings: Settings, result: Result, directory: Path) -> None:
    """`--version`, and `status` of a site that had a night."""
    site, source = directory / "site.toml", directory / "source"
    source.mkdir()
    (source / "file").write_bytes(b"content")
    with (directory / "drive.img").open("wb") as file:
        file.truncate(64 * MIB)

    def command(*arguments: str) -> Command:
        return ours(directory, "--config", str(site), *arguments)

    drive = f"image:{directory / 'drive.img'}"
    init = command(
        "init", "--yes", "--drive", drive, "--source", str(source), "--scheme", "round-robin", "--time", "21:30"
    )
    for prepared in (init, command("nightly", "nightly", "--json")):
        problem = run_unmeasured(prepared)
        if problem is not None and "exit code 3" not in problem:
            result.wrong.append(f"start: {prepared.arguments[3]}: {problem}")
            return
    for what, wanted_s, arguments in (("--version", VERSION_S, ["--version"]), ("status", STATUS_S, ["status"])):
        costs = [measure(command(*arguments)) for _ in range(max(5, settings.rounds))]
        if any(cost.exit_code not in (0, 3, ALARM) for cost in costs):
            result.wrong.append(f"start: {what}: {costs[0].message}")
            continue
        wall, cpu = median(cost.wall_s for cost in costs), median(cost.cpu_s for cost in costs)
        got = f"{wall:.2f} s, of which it computes {cpu:.2f} s"
        result.targets.append(Target(f"tapekit {what} <= {wanted_s} s", got, wall <= wanted_s, wanted_s / wall))


def _members(settings: Settings, result: Result, _directory: Path) -> None:
    """What a member costs among few and among very many, and the memory for them."""
    few, many = QUICK_MEMBERS if settings.quick else MEMBERS
    script = [sys.executable, str(Path(__file__).with_name("growth.py"))]
    found: dict[int, list[dict[str, float]]] = {few: [], many: []}
    for count, times in ((few, 5), (many, 1), (few, 5)):
        for _turn in range(times):
            run = subprocess.run([*script, str(count)], capture_output=True, check=False, env=_importing())
            if run.returncode:
                result.wrong.append(f"growth: {run.stderr.decode(errors='replace')[-300:]}")
                return
            found[count].append(json.loads(run.stdout))
    each = {count: median(one["cpu_s"] for one in all_) / count * 1e6 for count, all_ in found.items()}
    ratio, peak = each[many] / each[few], found[many][0]["peak_bytes"]
    got = f"{ratio:.2f}: {each[few]:.1f} and {each[many]:.1f} us of computing"
    what = f"a member among {many:,} takes <= {FLAT} times what it takes among {few:,}"
    result.targets.append(Target(what, got, ratio <= FLAT, FLAT / ratio))
    what = f"peak memory of {many:,} members <= {MEMBERS_PEAK_BYTES // MIB} MiB"
    got = f"{peak / MIB:.0f} MiB"
    result.targets.append(Target(what, got, peak <= MEMBERS_PEAK_BYTES, MEMBERS_PEAK_BYTES / peak))


def _places(settings: Settings, result: Result, directory: Path) -> None:
    """Time per byte of a small archive and a large one; and one file of the large one, from wherever it stands.

    The files are of zeros that a file system keeps as allocated and unwritten: they are read, hashed and compressed as
    any, and take no writing before.
    """
    count, size = (QUICK_FILES, QUICK_FILE_BYTES) if settings.quick else (FILES, FILE_BYTES)
    with tempfile.TemporaryDirectory(prefix="tapekit-benchmark") as made:
        source = Path(made) / "source"
        for number in range(count):
            folder = source / f"{number:03}"
            folder.mkdir(parents=True)
            (folder / "wanted").write_bytes(b"%d" % number * 1000)
            try:
                _allocate(folder / "zeros", size)
            except OSError as error:
                result.notes.append(f"one file of many: {made}: {error.strerror}")
                return
        costs: dict[int, list[Cost]] = {1: [], count: []}
        for files in (1, count) * max(1, settings.rounds // 2):
            shutil.rmtree(directory / "target", ignore_errors=True)
            (directory / "target").mkdir()
            costs[files].append(_back_up(source / "000" if files == 1 else source, directory / "target", result))
        each = {files: min(cost.cpu_s for cost in all_) / files / size * 1e9 for files, all_ in costs.items()}
        ratio = each[count] / each[1]
        what = f"a byte of {count * size / MB:,.0f} MB takes <= {FLAT} times what it takes of {size / MB:,.0f} MB"
        got = f"{ratio:.2f}: {each[1]:.2f} and {each[count]:.2f} ns of computing"
        result.targets.append(Target(what, got, ratio <= FLAT, FLAT / ratio))
        _one_of_many(settings, result, directory, source, count)


def _back_up(source: Path, target: Path, result: Result) -> Cost:
    run_unmeasured(ours(target, "label", image(target), "--size", str(512 * MIB), "--barcode", "BENCH-1"))
    cost = measure(ours(target, "backup", image(target), str(source), "--compression", "zstd:1", "--no-incremental"))
    if cost.exit_code:
        result.wrong.append(f"one file of many: backup: {cost.message}")
    return cost


def _one_of_many(settings: Settings, result: Result, directory: Path, source: Path, count: int) -> None:
    places = {"first": 0, "middle": count // 2, "last": count - 1}
    walls: dict[str, list[float]] = {place: [] for place in places}
    for _ in range(max(5, settings.rounds)):
        for place, number in places.items():
            restored = directory / "restored"
            shutil.rmtree(restored, ignore_errors=True)
            restored.mkdir()
            member = f"{str(source)[1:]}/{number:03}/wanted"
            cost = measure(restore_one(directory / "target", restored, member))
            walls[place].append(cost.wall_s)
            back = restored / member
            if cost.exit_code or not back.exists() or back.read_bytes() != b"%d" % number * 1000:
                result.wrong.append(f"one file of many: the {place}: not as it was: {cost.message}")
    got = {place: median(seconds) for place, seconds in walls.items()}
    rows = tuple((place, f"{seconds:.2f}", f"{min(walls[place]):.2f}") for place, seconds in got.items())
    result.grids.append(Grid(f"restore of one file out of {count}", ("which", "wall s", "least"), rows))
    ratio = max(min(seconds) for seconds in walls.values()) / min(min(seconds) for seconds in walls.values())
    result.targets.append(
        Target(f"one file: any place <= {FLAT} times the time of another", f"{ratio:.2f}", ratio <= FLAT, FLAT / ratio)
    )


def _device(settings: Settings, result: Result, directory: Path) -> None:
    """The same bytes by tapekit and by dd, past the cache, onto a loop device that lies on a disk."""
    if os.geteuid() != 0 or shutil.which("losetup") is None:
        result.notes.append("loop device: needs root and losetup")
        return
    size = QUICK_DEVICE_BYTES if settings.quick else DEVICE_BYTES
    content = directory / "source"
    content.mkdir()
    (content / "noise").write_bytes(os.urandom(size))
    with (
        tempfile.TemporaryDirectory(prefix="tapekit-benchmark") as made,
        _loop(Path(made) / "disk", size * 5 // 4 + 16 * MIB) as node,
    ):
        if node is None:
            result.notes.append("loop device: none is to be had here")
            return
        dd = Command(
            ["dd", f"if={content / 'noise'}", f"of={node}", "bs=1M", "oflag=direct", "conv=fsync", "status=none"]
        )
        prepared = ours(directory, "label", f"disk:{node}", "--barcode", "BENCH-1", "--destroy", "data")
        options = ("--compression", "none", "--no-parity", "--no-incremental")
        backup = ours(directory, "backup", f"disk:{node}", str(content), *options)
        seconds: dict[str, list[float]] = {"dd": [], "tapekit": []}
        for _ in range(settings.rounds):
            for name, before, command in (("dd", None, dd), ("tapekit", prepared, backup)):
                problem = run_unmeasured(before) if before else None
                cost = measure(command)
                if problem or cost.exit_code:
                    result.wrong.append(f"loop device: {name}: {problem or cost.message}")
                    return
                seconds[name].append(cost.wall_s)
    ratio = median(seconds["dd"]) / median(seconds["tapekit"])
    speed = size / MB / median(seconds["dd"])
    what = f"a loop device past the cache: >= {OF_DD} of the speed of dd, where the device is the slower part"
    result.targets.append(Target(what, f"{ratio:.2f}; dd: {speed:,.0f} MB/s", ratio >= OF_DD, ratio / OF_DD))


@contextmanager
def _loop(file: Path, size_bytes: int) -> Iterator[str | None]:
    """A loop device over a new file; None where there is none to be had."""
    _allocate(file, size_bytes)
    made = subprocess.run(
        ["losetup", "--find", "--show", "--direct-io=on", str(file)], capture_output=True, check=False, text=True
    )  # fmt: skip
    node = made.stdout.strip()
    try:
        yield node if made.returncode == 0 else None
    finally:
        if made.returncode == 0:
            subprocess.run(["losetup", "--detach", node], check=False)


def _allocate(path: Path, size_bytes: int) -> None:
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size_bytes)


def _importing() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
