"""Damage: the same wounds in backups of the same files, how many files come back, and what parity costs."""

import contextlib
import hashlib
import os
import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.benchmarks import parity_cost
from tools.benchmarks.contenders import tapekit
from tools.benchmarks.measure import Command, measure, run_unmeasured
from tools.benchmarks.report import MB, MIB, Grid, Result, Target
from tools.benchmarks.settings import Settings, say
from tools.benchmarks.turns import allocated_bytes

FILES, QUICK_FILES = 512, 96
FILE_BYTES = MIB
CARTRIDGE_BYTES = 1 << 30
CARTRIDGES = 3
PARITY, BARE, DAR, DAR_PAR2, BORG = "tapekit", "tapekit, no parity", "dar", "dar, par2 3 %", "borg"

Damage = Callable[[bytearray | memoryview, random.Random], None]


@dataclass(frozen=True)
class Archiver:
    """How one program backs up, and gives back after damage to its largest file, which it may mend first.

    Args:
        name: For the table.
        programs: What must be on the PATH.
        prepare: What is run before, unmeasured, in a target (1st) for so many pieces (2nd) of a size in bytes (3rd).
        backup: The commands that back up a source (1st) into the target (2nd), cut so (3rd, 4th).
        pieces: What the backup lies in.
        restore: The commands that mend a target (1st) and give back below a directory (2nd).
    """

    name: str
    programs: tuple[str, ...]
    prepare: Callable[[Path, int, int], tuple[Command, ...]]
    backup: Callable[[Path, Path, int, int], tuple[Command, ...]]
    pieces: Callable[[Path], list[Path]]
    restore: Callable[[Path, Path], tuple[Command, ...]]


def _images(target: Path) -> list[Path]:
    return sorted(target.glob("*.img"))


def _drives(target: Path) -> tuple[str, list[str]]:
    """The first drive, and the options that name the others."""
    first, *others = (f"image:{path}" for path in _images(target))
    return first, [argument for other in others for argument in ("--then", other)]


def _tapekit_prepare(target: Path, pieces: int, piece_bytes: int) -> tuple[Command, ...]:
    size = str(CARTRIDGE_BYTES if pieces == 1 else piece_bytes)
    numbers = range(1, pieces + 1)
    return tuple(
        tapekit("label", f"image:{target / f'{number}.img'}", "--size", size, "--barcode", f"D-{number}")
        for number in numbers
    )


def _tapekit_backup(option: str) -> Callable[[Path, Path, int, int], tuple[Command, ...]]:
    def commands(source: Path, target: Path, _: int, __: int) -> tuple[Command, ...]:
        first, then = _drives(target)
        return (tapekit("backup", first, str(source), "--compression", "none", option, *then),)

    return commands


def _tapekit_restore(target: Path, to: Path) -> tuple[Command, ...]:
    first, then = _drives(target)
    return (tapekit("restore", first, "--to", str(to), *then),)


def _nothing(*_: object) -> tuple[Command, ...]:
    return ()


def _dar(source: Path, target: Path, pieces: int, piece_bytes: int) -> tuple[Command, ...]:
    cut = ["-s", str(piece_bytes)] if pieces > 1 else []
    return (Command(["dar", "-c", str(target / "a"), "-R", str(source), "-Q", "-q", *cut]),)


def _dar_slices(target: Path) -> list[Path]:
    return sorted(target.glob("a.*.dar"))


def _dar_par2(source: Path, target: Path, pieces: int, piece_bytes: int) -> tuple[Command, ...]:
    slices = [str(target / f"a.{number}.dar") for number in range(1, pieces + 1)]
    protect = Command(["par2", "create", "-q", "-q", "-r3", str(target / "a.par2"), *slices])
    return (*_dar(source, target, pieces, piece_bytes), protect)


def _dar_restore(target: Path, to: Path) -> tuple[Command, ...]:
    lax = ["-al"] if len(_dar_slices(target)) > 1 else []  # a slice that is missing is no reason to stop
    return (Command(["dar", "-x", str(target / "a"), "-R", str(to), "-O", "-Q", "-q", "-wa", *lax]),)


def _dar_par2_restore(target: Path, to: Path) -> tuple[Command, ...]:
    return (Command(["par2", "repair", "-q", "-q", str(target / "a.par2")]), *_dar_restore(target, to))


def _borg(*arguments: str, target: Path) -> Command:
    home = {"BORG_BASE_DIR": str(target / "home"), "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes"}
    return Command(["borg", *arguments], home | {"BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes"})


def _borg_prepare(target: Path, pieces: int, piece_bytes: int) -> tuple[Command, ...]:
    repository = str(target / "repository")
    made = _borg("init", "-e", "none", repository, target=target)
    if pieces == 1:
        return (made,)
    return (made, _borg("config", repository, "max_segment_size", str(piece_bytes), target=target))


def _borg_backup(source: Path, target: Path, _: int, __: int) -> tuple[Command, ...]:
    return (_borg("create", "-C", "none", f"{target / 'repository'}::a", str(source), target=target),)


def _borg_segments(target: Path) -> list[Path]:
    """The segments that hold content: each commit has a small one as well."""
    found = (path for path in (target / "repository" / "data").rglob("*") if path.is_file())
    return sorted((path for path in found if path.stat().st_size > FILE_BYTES), key=lambda path: int(path.name))


def _borg_restore(target: Path, to: Path) -> tuple[Command, ...]:
    extract = _borg("extract", f"{target / 'repository'}::a", target=target)
    return (Command(["env", "-C", str(to), *extract.arguments], extract.environment),)


ARCHIVERS = (
    Archiver(PARITY, ("tapekit",), _tapekit_prepare, _tapekit_backup("--parity"), _images, _tapekit_restore),
    Archiver(BARE, ("tapekit",), _tapekit_prepare, _tapekit_backup("--no-parity"), _images, _tapekit_restore),
    Archiver(DAR, ("dar",), _nothing, _dar, _dar_slices, _dar_restore),
    Archiver(DAR_PAR2, ("dar", "par2"), _nothing, _dar_par2, _dar_slices, _dar_par2_restore),
    Archiver(BORG, ("borg",), _borg_prepare, _borg_backup, _borg_segments, _borg_restore),
)


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
BEYOND: tuple[tuple[str, Damage], ...] = (("ten random blocks", _ten),)
CUT = "the last tenth cut off"
LOST_CARTRIDGE = "one cartridge of three lost"
BACKUP = "backup"
WOUNDS = (*(name for name, _ in (*COVERED, *BEYOND)), CUT, LOST_CARTRIDGE)


def room_bytes(*, quick: bool) -> int:
    """Return how much room the suite takes."""
    return (QUICK_FILES if quick else FILES) * FILE_BYTES * 5 + CARTRIDGE_BYTES + parity_cost.room_bytes(quick=quick)


def run(settings: Settings) -> Result:
    """Back up, wound, restore, and compare, with each archiver; then what parity costs."""
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
    columns: dict[str, dict[str, str]] = {}
    for archiver in ARCHIVERS:
        missing = [program for program in archiver.programs if program != "tapekit" and not shutil.which(program)]
        if missing:
            result.notes.append(f"{archiver.name}: {', '.join(missing)}: not installed")
            continue
        columns[archiver.name] = _Trial(archiver, source, directory, digests, result).run()
    rows = [(name, *(column[name] for column in columns.values())) for name in (BACKUP, *WOUNDS)]
    title = f"files of {len(digests)} that came back, and the seconds that it took, mending included"
    result.grids.append(Grid(title, ("", *columns), tuple(rows)))
    shutil.rmtree(directory)
    parity_cost.run(settings, result)
    return result


class _Trial:
    """One archiver: its backups, each wounded in its turn."""

    def __init__(
        self, archiver: Archiver, source: Path, directory: Path, digests: dict[str, bytes], result: Result
    ) -> None:
        self._archiver = archiver
        self._source = source
        self._whole, self._target, self._to = directory / "whole", directory / "target", directory / "to"
        self._digests = digests
        self._result = result

    def run(self) -> dict[str, str]:
        """The cells of the archiver's column."""
        cells = {BACKUP: self._back_up(1)}
        used_bytes = _end_of_data(_largest(self._whole)) // 10 * 9
        for name, wound in (*COVERED, *BEYOND, (CUT, None)):
            self._copy()
            same_for_all = random.Random(name)  # noqa: S311 - places of damage
            _wound(self._target / _largest(self._whole).relative_to(self._whole), used_bytes, wound, same_for_all)
            cells[name] = self._restore(name)
        self._back_up(CARTRIDGES)
        self._copy()
        pieces = self._archiver.pieces(self._target)
        for piece in pieces[len(pieces) // 3 : -(len(pieces) // 3)]:
            piece.unlink()
        cells[LOST_CARTRIDGE] = self._restore(LOST_CARTRIDGE)
        return cells

    def _back_up(self, pieces: int) -> str:
        """Back up into so many pieces; in words, the time and bytes it took."""
        shutil.rmtree(self._whole, ignore_errors=True)
        self._whole.mkdir()
        source_bytes = len(self._digests) * FILE_BYTES
        cut = (pieces, source_bytes // pieces * 21 // 20 + 12 * MIB)
        _prepare(self._archiver.prepare(self._whole, *cut))
        before = allocated_bytes(self._whole)
        spent = [measure(command) for command in self._archiver.backup(self._source, self._whole, *cut)]
        if any(cost.exit_code not in (0, 3) for cost in spent):
            message = next(cost.message for cost in spent if cost.exit_code not in (0, 3))
            self._result.notes.append(f"{self._archiver.name}: backup in {pieces}: {message}")
        stored = allocated_bytes(self._whole) - before
        share = (stored / source_bytes - 1) * 100
        return f"{sum(cost.wall_s for cost in spent):.1f} s, {stored / MB:.0f} MB ({share:+.1f} %)"

    def _copy(self) -> None:
        for directory in (self._target, self._to):
            shutil.rmtree(directory, ignore_errors=True)
        _prepare([Command(["cp", "-a", "--sparse=always", str(self._whole), str(self._target)])])
        self._to.mkdir()

    def _restore(self, name: str) -> str:
        wall_s = sum(measure(command).wall_s for command in self._archiver.restore(self._target, self._to))
        back, wrong = _compare(self._to, self._digests)
        archiver, all_files = self._archiver.name, len(self._digests)
        say(f"{archiver}: {name}: {back} of {all_files} files came back in {wall_s:.1f} s")
        if archiver in (PARITY, BARE) and wrong:
            self._result.wrong.append(f"{archiver}: {name}: {wrong} files came back with other content")
        if archiver == PARITY and name in dict(COVERED):
            got = f"{back} of {all_files}"
            self._result.targets.append(Target(f"{name}: nothing is lost", got, back == all_files))
        return f"{back}, {wall_s:.1f} s"


def _prepare(commands: Sequence[Command]) -> None:
    for command in commands:
        if problem := run_unmeasured(command):
            raise SystemExit(f"benchmark: {command.arguments[0]}: {problem}")


def _largest(target: Path) -> Path:
    return max((path for path in target.rglob("*") if path.is_file()), key=lambda path: path.stat().st_blocks)


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
