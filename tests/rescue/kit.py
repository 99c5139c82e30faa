"""Runs the rescue kit as its user does: the one file, with a bare interpreter."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.rescue import disk, writer

RESCUE = Path(__file__).parents[2] / "tapekit" / "rescue" / "rescue.py"
BARE = (sys.executable, "-I", "-S")  # the standard library alone
FULL = (sys.executable, "-I")  # with the packages that are installed here

FINE, USAGE, FAILED, LOSSES, NO_KEY = 0, 2, 4, 6, 7
TIMEOUT_S = 60


@dataclass(frozen=True)
class Run:
    """What a run of the kit left behind."""

    code: int
    out: str
    err: str
    raw: bytes


def rescue(
    *arguments: object,
    python: Sequence[str] = BARE,
    kit: Path = RESCUE,
    environment: Mapping[str, str] | None = None,
    user: int | None = None,
) -> Run:
    """Run the kit with an empty environment. It never shows a traceback, whatever it meets."""
    done = subprocess.run(
        [*python, str(kit), *map(str, arguments)],
        env=dict(environment or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=TIMEOUT_S,
        user=user,
    )
    err = done.stderr.decode(errors="backslashreplace")
    assert "Traceback" not in err, err
    return Run(done.returncode, done.stdout.decode(errors="backslashreplace"), err, done.stdout)


def write_image(path: Path, *archives: writer.Segment, closed: bool = True, front: bool = True) -> disk.Log:
    """Write an image file with these archive segments; returns where everything stands in its log.

    Without a front it is the record log alone, as the second partition of a disk shows it.
    """
    kit = bytes(10240)
    files = [disk.LogFile(writer.label_file(kit)), disk.LogFile(writer.kit_file(kit))]
    files += [disk.LogFile(archive.blocks()) for archive in archives]
    if not closed:
        files[-1] = disk.LogFile(files[-1].blocks, closed=False)
    log = disk.Log(files)
    path.write_bytes(disk.image(log.content) if front else log.content)
    return log


def overwrite(path: Path, position: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(position)
        file.write(content)


def contents(root: Path) -> dict[str, bytes]:
    """All regular files below a directory, by name."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }
