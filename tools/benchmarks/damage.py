"""Damage: the same wounds in backups of the same files, how many files come back, and what parity costs."""

import contextlib
import hashlib
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tools.benchmarks.contenders import image, tapekit
from tools.benchmarks.measure import Command, measure, run_unmeasured
from tools.benchmarks.report import MIB, Result, Target
from tools.benchmarks.settings import Settings, say

FILES, QUICK_FILES = 512, 96
FILE_BYTES = MIB
CARTRIDGE_BYTES = 1 << 30
MOST_COST = 1.15
PARITY, BARE, DAR, DAR_PAR2, BORG = "tapekit", "tapekit, no parity", "dar", "dar, par2 3 %", "borg"

Damage = Callable[[bytearray | memoryview, random.Random], None]


@dataclass(frozen=True)
class Archiver:
    """How one program backs up, and gives back after damage to its largest file, which it may mend first."""

    name: str
    programs: tuple[str, ...]
    backup: Callable[[Path, Path], tuple[Command, ...]]
    restore: Callable[[Path, Path], tuple[Command, ...]]


def _tapekit_backup(option: str) -> Callable[[Path, Path], tuple[Command, ...]]:
    return lambda source, target: (tapekit("backup", image(target), str(source), "--compression", "none", option),)


def _dar(source: Path, target: Path) -> tuple[Command, ...]:
    return (Command(["dar", "-c", str(target / "a"), "-R", str(source), "-Q", "-q"]),)


def _dar_par2(source: Path, target: Path) -> tuple[Command, ...]:
    return (*_dar(source, target), Command(["par2", "create", "-q", "-q", "-r3", str(target / "a.1.dar")]))


def _dar_restore(target: Path, to: Path) -> tuple[Command, ...]:
    return (Command(["dar", "-x", str(target / "a"), "-R", str(to), "-O", "-Q", "-q", "-wa"]),)


def _borg(*arguments: str, target: Path) -> Command:
    home = {"BORG_BASE_DIR": str(target / "home"), "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes"}
    return Command(["borg", *arguments], home | {"BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes"})


def _borg_backup(source: Path, target: Path) -> tuple[Command, ...]:
    repository = str(target / "repository")
    return (
        _borg("init", "-e", "none", repository, target=target),
        _borg("create", "-C", "none", f"{repository}::a", str(source), target=target),
    )


def _borg_restore(target: Path, to: Path) -> tuple[Command, ...]:
    extract = _borg("extract", f"{target / 'repository'}::a", target=target)
    return (Command(["env", "-C", str(to), *extract.arguments], extract.environment),)


ARCHIVERS = (
    Archiver(PARITY, ("tapekit",), _tapekit_backup("--parity"), lambda target, to: (
        tapekit("restore", image(target), "--to", str(to)),)),
    Archiver(BARE, ("tapekit",), _tapekit_backup("--no-parity"), lambda target, to: (
        tapekit("restore", image(target), "--to", str(to)),)),
    Archiver(DAR, ("dar",), _dar, _dar_restore),
    Archiver(DAR_PAR2, ("dar", "par2"), _dar_par2, lambda target, to: (
        Command(["par2", "repair", "-q", "-q", str(target / "a.1.dar.par2")]), *_dar_restore(target, to))),
    Archiver(BORG, ("borg",), _borg_backup, _borg_restore),
)  # fmt: skip


def _stretch(size_bytes: int) -> Damage:
    def wound(content: bytearray | memoryview, rng: random.Random) -> None:
        start = len(content) // 4 + rng.randrange(len(content) // 2)
        content[start : start + size_bytes] = rng.randbytes(min(size_bytes, len(content) - start))

    return wound


def _bit(content: bytearray | memoryview, rng: random.Random) -> None:
    content[len(content) // 4 + rng.randrange(len(content) // 2)] ^= 1


def _ten(content: bytearray | memoryview, rng: random.Random) -> None:
    for _ in range(10):
        _stretch(4096)(content, rng)


COVERED: tuple[tuple[str, Damage], ...] = (
    ("one bit", _bit), ("4 KiB", _stretch(4096)), ("1 MiB", _stretch(MIB)), ("8 MiB", _stretch(8 * MIB)),
)  # fmt: skip
"""What parity is made for."""
BEYOND: tuple[tuple[str, Damage], ...] = (("ten places of 4 KiB", _ten),)
CUT = "the last tenth cut off"


def room_bytes(*, quick: bool) -> int:
    """Return how much room the suite takes."""
    return (QUICK_FILES if quick else FILES) * FILE_BYTES * 5 + CARTRIDGE_BYTES


def run(settings: Settings) -> Result:
    """Back up, wound, restore, and compare, with each archiver."""
    result = Result("damage", "")
    directory = settings.directory / "damage"
    shutil.rmtree(directory, ignore_errors=True)
    source = directory / "source"
    source.mkdir(parents=True)
    rng, digests = random.Random(6), {}  # noqa: S311 - content, not a secret
    for number in range(QUICK_FILES if settings.quick else FILES):
        content = rng.randbytes(FILE_BYTES)
        (source / f"{number:04}").write_bytes(content)
        digests[f"{number:04}"] = hashlib.sha256(content).digest()
    times: dict[str, float] = {}
    for archiver in ARCHIVERS:
        missing = [program for program in archiver.programs if program != "tapekit" and not shutil.which(program)]
        if missing:
            result.notes.append(f"{archiver.name}: {', '.join(missing)}: not installed")
            continue
        _try(archiver, source, directory, digests, settings, result, times)
    if {PARITY, BARE} <= times.keys():
        cost = times[PARITY] / times[BARE]
        what = f"parity takes at most {MOST_COST:.2f} times the time without"
        result.targets.append(Target(what, f"{cost:.2f}", cost <= MOST_COST))
    shutil.rmtree(directory)
    return result


def _try(
    archiver: Archiver, source: Path, directory: Path, digests: dict[str, bytes], settings: Settings, result: Result,
    times: dict[str, float],
) -> None:  # fmt: skip
    whole, target, to = directory / "whole", directory / "target", directory / "to"
    spent, before = [], 0
    for _ in range(settings.rounds):
        shutil.rmtree(whole, ignore_errors=True)
        whole.mkdir()
        if archiver.programs == ("tapekit",):
            run_unmeasured(tapekit("label", image(whole), "--size", str(CARTRIDGE_BYTES), "--barcode", "D-1"))
        before = _stored_bytes(whole)
        spent.append(sum(measure(command).wall_s for command in archiver.backup(source, whole)))
    times[archiver.name] = median(spent)
    used_bytes = _end_of_data(_largest(whole)) // 10 * 9
    stored, source_bytes = _stored_bytes(whole) - before, len(digests) * FILE_BYTES
    result.notes.append(
        f"{archiver.name}: {times[archiver.name]:.1f} s, {(stored / source_bytes - 1) * 100:+.1f} % bytes stored"
    )
    for name, wound in (*COVERED, *BEYOND, (CUT, None)):
        shutil.rmtree(target, ignore_errors=True)
        shutil.rmtree(to, ignore_errors=True)
        run_unmeasured(Command(["cp", "-a", "--sparse=always", str(whole), str(target)]))
        to.mkdir()
        _wound(target / _largest(whole).relative_to(whole), used_bytes, wound, random.Random(name))  # noqa: S311 - the same for each archiver
        for command in archiver.restore(target, to):
            run_unmeasured(command)
        back, wrong = _compare(to, digests)
        result.notes.append(f"{archiver.name}: {name}: {back} of {len(digests)} files came back")
        say(result.notes[-1])
        if archiver.name in (PARITY, BARE) and wrong:
            result.wrong.append(f"{archiver.name}: {name}: {wrong} files came back with other content")
        if archiver.name == PARITY and name in dict(COVERED):
            result.targets.append(Target(f"{name}: nothing is lost", f"{back} of {len(digests)}", back == len(digests)))


def _largest(target: Path) -> Path:
    return max((path for path in target.rglob("*") if path.is_file()), key=lambda path: path.stat().st_blocks)


def _stored_bytes(target: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in target.rglob("*") if path.is_file())


def _end_of_data(path: Path) -> int:
    """Where the longest run of written bytes ends: what is behind it in an image was never written."""
    runs, place = [(0, 0)], 0
    with path.open("rb") as file, contextlib.suppress(OSError):  # there is no more data
        while True:
            start = os.lseek(file.fileno(), place, os.SEEK_DATA)
            place = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            runs.append((place - start, place))
    return max(runs)[1]


def _wound(path: Path, used_bytes: int, wound: Damage | None, rng: random.Random) -> None:
    """Damage the first so many bytes of a file, or cut off what is behind them."""
    if wound is None:
        with path.open("r+b") as file:
            file.truncate(used_bytes)
        return
    content = bytearray(path.read_bytes()[:used_bytes])
    wound(content, rng)
    with path.open("r+b") as file:
        file.write(content)


def _compare(to: Path, digests: dict[str, bytes]) -> tuple[int, int]:
    """How many files came back as they were, and how many under their own name with other content."""
    back = wrong = 0
    for path in to.rglob("*"):
        if path.is_file() and path.name in digests:
            same = hashlib.sha256(path.read_bytes()).digest() == digests[path.name]
            back, wrong = back + same, wrong + (not same)
    return back, wrong
