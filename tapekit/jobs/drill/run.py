"""Running a drill: line after line of a person's, or the right ones by themselves, and what came of it."""

import dataclasses
import shlex
from collections.abc import Callable, Iterable
from pathlib import Path

from tapekit.errors import TapekitError, UsageError
from tapekit.jobs.drill.drills import DRILLS, Drill
from tapekit.jobs.drill.scene import Command, Scene
from tapekit.rotation.words import Words

END = ("done", "quit")
HELP = Words(
    "tapekit …: a command · put NAME, take: the cartridge · shelf: what lies there · hint · done: how was it? · quit",
    "tapekit … : une commande · put NOM, take : la cartouche · shelf : l’étagère · hint : un indice · done : le"
    " bilan · quit",
)
_FORBIDDEN = frozenset(("drill", "attend", "schedule"))
"""Would start another drill, or touch this machine."""


@dataclasses.dataclass(frozen=True)
class Step:
    """A line that was typed, and the exit code of its command; None of what has none."""

    line: str
    exit_code: int | None


@dataclasses.dataclass(frozen=True)
class Result:
    """How a drill ended."""

    drill: Drill
    steps: tuple[Step, ...]
    wrong: tuple[Words, ...]
    """What is not as it should be; nothing where it went right."""


def named(name: str) -> Drill:
    """The drill of that name. Raises UsageError."""
    found = next((drill for drill in DRILLS if drill.name == name), None)
    if found is None:
        raise UsageError(f"drill: there is no {name!r}", f"drills: {', '.join(drill.name for drill in DRILLS)}")
    return found


def run(
    drill: Drill, folder: Path, language: str, quiet: Command, command: Command, lines: Iterable[str],
    tell: Callable[[str], None],
) -> Result:  # fmt: skip
    """Set the scene in a folder, obey the lines until `done` or their end, and judge.

    `quiet` runs tapekit for the scene, `command` for the person, who is told the rest with `tell`.
    """
    scene = Scene(folder, language, quiet)
    drill.set_up(scene)
    scene.command = command
    steps: list[Step] = []
    for line in lines:
        text = line.strip()
        if text in END:
            break
        if text:
            try:
                steps.append(Step(text, obey(scene, drill, text, language, tell)))
            except TapekitError as error:
                tell(f"{error}\n  {error.hint}" if error.hint else str(error))
    return Result(drill, tuple(steps), tuple(drill.judge(scene)))


def obey(scene: Scene, drill: Drill, line: str, language: str, tell: Callable[[str], None]) -> int | None:
    """Do what a line says; its exit code where it is one of tapekit's commands. Raises UsageError."""
    try:
        first, *words = shlex.split(line)
    except ValueError as error:
        raise UsageError(f"drill: {line!r}: {error}") from error
    match first, words:
        case "tapekit", [name, *_] if name not in _FORBIDDEN and not name.startswith("--config"):
            return scene.tapekit(*words)
        case "put", [name]:
            scene.put(name)
        case "take", _:
            scene.take()
        case "shelf", _:
            tell("\n".join(sorted(path.name for path in scene.shelf.iterdir())))
        case "hint", _:
            tell("\n".join(drill.right))
        case _:
            raise UsageError(f"drill: {line!r}: not here", HELP.of(language))
    return None
