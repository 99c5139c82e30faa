"""For commands that write: whom they write for, and what they sign with."""

import contextlib
from collections.abc import Iterator, Sequence

import click

from tapekit.cli.common import places_of, state_of
from tapekit.cli.hand import person
from tapekit.jobs import sealing as jobs
from tapekit.jobs.sealing import Sealing
from tapekit.keys import hand, secret

AUTO, NONE = "auto", "none"


@contextlib.contextmanager
def sealing(
    context: click.Context, encryption: str, named: Sequence[str], passphrase_from: str | None
) -> Iterator[Sealing]:
    """Whom to write for, and what signs it; keys that cannot be used are told, a passphrase is overwritten after."""
    with contextlib.ExitStack() as taken:
        passphrase = None
        if passphrase_from is not None:
            secret.protect_memory()
            passphrase = taken.enter_context(hand.new_passphrase(passphrase_from, person()))
        found = jobs.sealing(
            places_of(context).keys, state_of(context), is_encrypted=encryption != NONE, named=named,
            passphrase=passphrase,
        )  # fmt: skip
        for problem in found.problems:
            click.echo(f"tapekit: a key that cannot be used: {problem}", err=True)
        yield found
