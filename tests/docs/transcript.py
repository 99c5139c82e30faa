"""The documents, and the shell session in which their examples run.

A fenced block marked `console` is a session: `$ ` begins a command, `> ` goes on with it, everything else is what it
prints, both outputs together. `…` in a line stands for anything, `…` alone in a line for any lines. A command that
fails is followed by `$ echo $?`. A fenced block with a name behind its language (`python by_hand.py`) is that file.
`<!-- needs: PROGRAM… -->` names programs of other people without which a document's examples cannot run.

The blocks of a document are one session in a directory that holds the folder `office`, with two letters and a list.
"""

import dataclasses
import datetime
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NEEDS = re.compile(r"<!-- needs: (.*?) -->")

_SESSION = r"""
status=0
for ((number = 0; number < $COUNT; number++)); do
    command=$(<"$TRANSCRIPT/$number.command")
    (exit $status)
    eval "$command" >"$TRANSCRIPT/$number.output" 2>&1 </dev/null
    status=$?
    echo $status >"$TRANSCRIPT/$number.status"
done
"""


@dataclasses.dataclass(frozen=True)
class Step:
    """A command of a transcript, and the lines that it should print."""

    command: str
    expected: tuple[str, ...]

    def matches(self, output: str) -> bool:
        """Whether the output is what the document says; a newline at its very end does not count."""
        if output and not output.endswith("\n"):
            output += "\n"
        return re.fullmatch("".join(map(_line_pattern, self.expected)), output) is not None


def _line_pattern(line: str) -> str:
    if line.strip() == "…":
        return r"(?:.*\n)*?"
    return ".*".join(map(re.escape, line.split("…"))) + r"\n"


def steps(document: str) -> Iterator[Step]:
    """The commands of all console blocks of a document, in order."""
    for language, _, body in _BLOCK.findall(document):
        if language == "console":
            yield from _steps_of_block(body)


def _steps_of_block(body: str) -> Iterator[Step]:
    command: list[str] = []
    expected: list[str] = []
    for line in body.splitlines():
        if line.startswith("$ "):
            if command:
                yield Step("\n".join(command), tuple(expected))
            command, expected = [line[2:]], []
        elif line.startswith("> ") and not expected:
            command.append(line[2:])
        else:
            assert command, f"a console block begins with a command, not with {line!r}"
            expected.append(line)
    yield Step("\n".join(command), tuple(expected))


def files(document: str) -> dict[str, str]:
    """Content by name of the blocks that are files."""
    return {name: body for _, name, body in _BLOCK.findall(document) if name}


def needs(document: str) -> list[str]:
    """Programs that the examples use beside those of every Debian."""
    return [program for programs in _NEEDS.findall(document) for program in programs.split()]


def _morning() -> str:
    """A time zone in which it is past eight in the morning: a night by daylight belongs to the day before."""
    return f"<morning>{datetime.datetime.now(datetime.UTC).hour - 8:+d}"


class Shell:
    """Runs the steps of one document in one session."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "session"
        self._transcript = directory / "transcript"
        self._environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(self.directory),
            "TAPEKIT_STATE": str(directory / "state"), "LC_ALL": "C.UTF-8", "TZ": _morning(),
            "TRANSCRIPT": str(self._transcript),
        }  # fmt: skip
        self._transcript.mkdir()
        letters, lists = self.directory / "office/letters", self.directory / "office/stock"
        letters.mkdir(parents=True)
        lists.mkdir()
        (letters / "offer.txt").write_text("Dear customer\n")
        (letters / "prices.txt").write_text("price list\n")
        (lists / "stock.dat").write_text("".join(f"{number}\n" for number in range(1, 400_001)))

    def run(self, commands: list[str]) -> list[tuple[str, int]]:
        """Output and exit status of each command."""
        for number, command in enumerate(commands):
            (self._transcript / f"{number}.command").write_text(command)
        subprocess.run(
            ["bash", "-c", _SESSION], cwd=self.directory, check=True,
            env={**self._environment, "COUNT": str(len(commands))},
        )  # fmt: skip
        results = [self._transcript / f"{number}" for number in range(len(commands))]
        return [(p.with_suffix(".output").read_text(), int(p.with_suffix(".status").read_text())) for p in results]
