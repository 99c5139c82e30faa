"""The catalog beside the commands that a person calls on a drive."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from tapekit.evidence import Evidences

if TYPE_CHECKING:
    from tapekit.jobs.memory import Memory


@contextlib.contextmanager
def remembering(context: click.Context, journal: Evidences) -> "Iterator[Memory]":
    """What this machine knows of cartridges; what cannot be asked or told there is said, and stops nothing."""
    from tapekit.jobs.memory import Memory  # noqa: PLC0415 - the database's library takes time

    with Memory(context.find_root().obj, journal) as memory:
        try:
            yield memory
        finally:
            if memory.problem is not None:
                click.echo(f"tapekit: not in the catalog: {memory.problem}", err=True)
                if hint := getattr(memory.problem, "hint", None):
                    click.echo(f"  hint: {hint}", err=True)


def problem_json(memory: "Memory") -> str | None:
    """Why the catalog does not know what was done, for programs."""
    return None if memory.problem is None else str(memory.problem)
