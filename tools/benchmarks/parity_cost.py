"""What parity costs in time and bytes: the same backup with it and without, in turns."""

import shutil
from pathlib import Path
from statistics import median

from tools.benchmarks import data
from tools.benchmarks.contenders import image, tapekit
from tools.benchmarks.measure import Cost, measure, run_unmeasured
from tools.benchmarks.report import MB, MIB, Grid, Result, Target
from tools.benchmarks.settings import Settings, say

BYTES, QUICK_BYTES = 1024 * MIB, 256 * MIB
MOST_COST = 1.15
WITH, WITHOUT = "--parity", "--no-parity"


def room_bytes(*, quick: bool) -> int:
    """Return how much room it takes."""
    return (QUICK_BYTES if quick else BYTES) * 4


def run(settings: Settings, result: Result) -> None:
    """Back up a file of database pages, compressed and as it is, in turns with parity and without."""
    source = data.large_file(settings.directory, QUICK_BYTES if settings.quick else BYTES)
    rows: list[tuple[str, ...]] = []
    for compression in ("none", "auto"):
        costs: dict[str, list[Cost]] = {WITH: [], WITHOUT: []}
        stored: dict[str, int] = {}
        for number in range(settings.rounds):
            turn = (WITH, WITHOUT) if number % 2 else (WITHOUT, WITH)  # neither is always the first
            for option in turn:
                cost, stored[option] = _back_up(settings.directory / "parity", source, compression, option)
                costs[option].append(cost)
        rows += _rows(compression, costs, stored, result)
    columns = ("backup", "wall s", "CPU s", "stored MB", "peak MiB")
    result.grids.append(Grid(f"{source.name}, {settings.rounds} times each in turns, medians", columns, tuple(rows)))


def _back_up(target: Path, source: data.DataSet, compression: str, option: str) -> tuple[Cost, int]:
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    size = str(source.size_bytes * 5 // 4 + 64 * MIB)
    if problem := run_unmeasured(tapekit("label", image(target), "--size", size, "--barcode", "P-1")):
        raise SystemExit(f"benchmark: {problem}")
    before = _stored_bytes(target)
    cost = measure(tapekit("backup", image(target), str(source.path), "--compression", compression, option))
    stored = _stored_bytes(target) - before
    shutil.rmtree(target)
    say(f"compression {compression}, {option}: {cost.wall_s:.2f} s, {cost.cpu_s:.2f} s of processor time")
    return cost, stored


def _stored_bytes(target: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in target.iterdir())


def _rows(
    compression: str, costs: dict[str, list[Cost]], stored: dict[str, int], result: Result
) -> list[tuple[str, ...]]:  # fmt: skip
    walls = {option: median(cost.wall_s for cost in spent) for option, spent in costs.items()}
    cpus = {option: median(cost.cpu_s for cost in spent) for option, spent in costs.items()}
    for what, times in (("time", walls), ("processor time", cpus)):
        ratio = times[WITH] / times[WITHOUT]
        wanted = f"compression {compression}: parity takes at most {MOST_COST:.2f} times the {what} without"
        result.targets.append(Target(wanted, f"{ratio:.2f}", ratio <= MOST_COST))
    rows = [
        (
            f"compression {compression}, {option}", f"{walls[option]:.2f}", f"{cpus[option]:.2f}",
            f"{stored[option] / MB:.0f}", f"{max(cost.peak_bytes for cost in spent) / MIB:.0f}",
        )
        for option, spent in costs.items()
    ]  # fmt: skip
    shares = (times[WITH] / times[WITHOUT] - 1 for times in (walls, cpus, stored))
    return [*rows, ("  parity", *(f"{share * 100:+.1f} %" for share in shares), "")]
