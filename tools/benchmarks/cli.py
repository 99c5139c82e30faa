"""The command line of tools/benchmark."""

import argparse
import fcntl
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from tools.benchmarks import archive, catalog, damage, deltas, picture, speed
from tools.benchmarks.report import MIB, Result, print_result
from tools.benchmarks.settings import Settings, say

SUITES: dict[str, tuple[Callable[[Settings], Result], Callable[..., int]]] = {
    "archive": (archive.run, archive.room_bytes),
    "catalog": (catalog.run, catalog.room_bytes),
    "damage": (damage.run, damage.room_bytes),
    "deltas": (deltas.run, deltas.room_bytes),
    "speed": (speed.run, speed.room_bytes),
}

ROUNDS, QUICK_ROUNDS = 5, 3
MEMORY = Path("/dev/shm")  # noqa: S108 (a file system in memory, not a temporary file)
SLACK_BYTES = 1024 * MIB  # for the programs themselves
COLUMNS = 140


def main(arguments: Sequence[str] | None = None) -> int:
    """Run suites; return 1 where a result of tapekit's is wrong, else 0."""
    options = _parse(arguments)
    names = options.suites or list(SUITES)
    needed_bytes = max(SUITES[name][1](quick=options.quick) for name in names)
    directory = options.dir or _place(needed_bytes)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        held = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say(f"{directory}: another run is using it")
        return 2
    except OSError as error:
        say(f"{directory}: cannot be used: {error.strerror}")
        return 2
    try:
        return _run(names, directory.resolve(), needed_bytes, options)
    finally:
        os.close(held)


def _run(names: Sequence[str], directory: Path, needed_bytes: int, options: argparse.Namespace) -> int:
    rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    settings = Settings(directory, rounds, options.quick)
    if directory.is_relative_to(MEMORY):
        _touch_memory(directory, needed_bytes)
    results = [SUITES[name][0](settings) for name in names]
    console = Console(width=None if sys.stdout.isatty() else COLUMNS, highlight=False, markup=False)
    machine = _machine(settings)
    console.print(", ".join(f"{key} {value}" for key, value in machine.items()))
    for result in results:
        print_result(result, console)
    if options.json:
        found = {"machine": machine, "rounds": rounds, "suites": [asdict(result) for result in results]}
        options.json.write_text(json.dumps(found, indent=1, default=str) + "\n")
    if options.picture:
        targets = [target for result in results for target in result.targets]
        options.picture.write_text(picture.draw(f"tapekit: {', '.join(names)}", targets), encoding="utf-8")
    say(f"data is kept in {directory} for the next run; remove it when you need the room")
    return 1 if any(result.wrong for result in results) else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools/benchmark", description="measure tapekit, and others on the same data")
    parser.add_argument("suites", metavar="SUITE", nargs="*", help=f"{', '.join(SUITES)}; all of them if none")
    parser.add_argument("--quick", action="store_true", help="small data, fewer rounds")
    parser.add_argument(
        "--rounds", type=int, metavar="N", help=f"runs of each command ({ROUNDS}; --quick: {QUICK_ROUNDS})"
    )
    parser.add_argument("--dir", type=Path, help="where data is kept and written (in memory, if there is room)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all measurements here")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="also draw there, as SVG, which targets are met")
    options = parser.parse_args(arguments)
    for name in options.suites:
        if name not in SUITES:
            parser.error(f"{name}: no such suite: {', '.join(SUITES)}")
    return options


def _place(needed_bytes: int) -> Path:
    """Return a directory in memory when both it and the machine have the room, else one on disk."""
    if MEMORY.is_dir() and min(shutil.disk_usage(MEMORY).free, _free_memory_bytes()) > needed_bytes + SLACK_BYTES:
        return MEMORY / "tapekit-benchmark"
    return Path(tempfile.gettempdir()) / "tapekit-benchmark"


def _touch_memory(directory: Path, size_bytes: int) -> None:
    """Use the memory once, so that a virtual machine gets it from its host now, and not in someone's turn.

    A backup to memory that no one had used took four times as long as the next one.
    """
    say(f"using {size_bytes // MIB} MiB of memory once")
    path = directory / "touched"
    zeros = bytes(MIB)
    try:
        with path.open("wb", buffering=0) as file:
            for _ in range(size_bytes // MIB):
                file.write(zeros)
    finally:
        path.unlink(missing_ok=True)


def _free_memory_bytes() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def _machine(settings: Settings) -> dict[str, str]:
    models = [line.split(":", 1)[1] for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    return {
        "processor": models[0].strip() if models else platform.machine(),
        "cores": str(len(os.sched_getaffinity(0))),
        "Linux": platform.release(),
        "Python": platform.python_version(),
        "directory": str(settings.directory),
        "sources": "in the page cache",
    }
