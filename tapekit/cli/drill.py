"""`tapekit drill`: bad days to rehearse, on drives that are files in a scratch folder."""

import contextlib
import io
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from tapekit.cli import main
from tapekit.cli.common import json_option, places_of, print_json
from tapekit.cli.tables import folded, show_table
from tapekit.errors import Exit, TapekitError
from tapekit.jobs.drill import run as drills
from tapekit.jobs.drill.drills import DRILLS, Drill
from tapekit.jobs.drill.run import Result
from tapekit.rotation.words import Words

_RIGHT = Words("Right.", "C’est juste.")
_WRONG = Words("Not yet right", "Pas encore juste")
_BETTER = Words("What would have been right", "Ce qui aurait été juste")


@click.command("drill")
@click.argument("name", required=False)
@click.option("--auto", is_flag=True, help="Let it do what is right by itself, and look on.")
@click.option("--language", type=click.Choice(("en", "fr")), help="Without it the site's.")
@click.option(
    "--directory", type=click.Path(path_type=Path), help="Scratch folder, kept; without it one that is removed."
)
@json_option
@click.pass_context
def command(
    context: click.Context, name: str | None, auto: bool, language: str | None, directory: Path | None, as_json: bool
) -> None:
    """Rehearse a bad day: it sets the scene, you type tapekit's commands, it says how it went.

    Without NAME the drills are listed. Exit code 3: it did not end as it should. No real drive is touched.
    """
    chosen = language or places_of(context).language
    if name is None:
        _list(chosen, as_json=as_json)
        return
    drill = drills.named(name)
    with _scratch(directory) as folder:
        with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
            _introduce(drill, chosen)
            lines = _shown(drill.right) if auto else _typed()
            result = drills.run(drill, folder, chosen, _quiet, _tapekit, lines, click.echo)
        if as_json:
            print_json(_json(result, chosen))
        else:
            _conclude(result, chosen)
    if result.wrong:
        context.exit(Exit.WARNINGS)


@contextlib.contextmanager
def _scratch(directory: Path | None) -> Iterator[Path]:
    if directory is not None:
        if directory.exists() and any(directory.iterdir()):
            raise TapekitError(f"drill: {directory}: is not empty", "name a folder that is not there")
        yield directory
        return
    with tempfile.TemporaryDirectory(prefix="tapekit-drill-") as folder:
        yield Path(folder)


def _tapekit(words: Sequence[str]) -> int:
    """A command as a person would run it, in this process; its exit code."""
    try:
        return int(main.cli.main(list(words), prog_name="tapekit", standalone_mode=False) or 0)
    except click.UsageError as error:
        error.show()
        return Exit.USAGE
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.Abort:
        return Exit.FAILED


def _quiet(words: Sequence[str]) -> int:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return _tapekit(words)


def _typed() -> Iterator[str]:
    """What a person types, or a file of lines says."""
    while True:
        if sys.stdin.isatty():
            click.echo("drill> ", nl=False)
        line = sys.stdin.readline()
        if not line:
            return
        yield line


def _shown(lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        click.echo(f"drill> {line}")
        yield line


def _list(language: str, *, as_json: bool) -> None:
    rows = [(drill.name, _said(drill.title, language)) for drill in DRILLS]
    if as_json:
        print_json({"drills": [{"name": name, "title": title} for name, title in rows]})
    else:
        show_table(("", ""), rows, "")


def _introduce(drill: Drill, language: str) -> None:
    click.echo(_said(drill.title, language))
    _paragraph(drill.scene, language)
    _paragraph(drills.HELP, language)


def _conclude(result: Result, language: str) -> None:
    click.echo("")
    if result.wrong:
        click.echo(f"{_said(_WRONG, language)}:")
        for each in result.wrong:
            click.echo(f"  {_said(each, language)}")
        click.echo(f"{_said(_BETTER, language)}:")
        for line in result.drill.right:
            click.echo(f"  {line}")
    else:
        click.echo(_said(_RIGHT, language))
    _paragraph(result.drill.lesson, language)


def _paragraph(words: Words, language: str) -> None:
    click.echo("\n".join(folded("  ", _said(words, language))))


def _said(words: Words, language: str) -> str:
    return words.fr if language == "fr" else words.en


def _json(result: Result, language: str) -> dict[str, Any]:
    return {
        "drill": result.drill.name, "right": not result.wrong,
        "steps": [{"line": step.line, "exit_code": step.exit_code} for step in result.steps],
        "wrong": [_said(each, language) for each in result.wrong], "would_be_right": list(result.drill.right),
        "lesson": _said(result.drill.lesson, language),
    }  # fmt: skip
