"""For commands that write: whom they write for, and what they sign with."""

import contextlib
from collections.abc import Iterator, Sequence

import click

from tapekit.cli.common import places_of, state_of
from tapekit.cli.hand import person
from tapekit.jobs import whom
from tapekit.keys import hand, ring, secret
from tapekit.keys.seal import Recipients
from tapekit.keys.site import SiteKey


@contextlib.contextmanager
def recipients(
    context: click.Context, encryption: str, named: Sequence[str], passphrase_from: str | None
) -> Iterator[Recipients]:
    """Whom to write for; keys that cannot be used are told, a passphrase is overwritten at the end."""
    directory = places_of(context).keys
    with contextlib.ExitStack() as taken:
        passphrase = None
        if passphrase_from is not None:
            secret.protect_memory()
            passphrase = taken.enter_context(hand.new_passphrase(passphrase_from, person()))
        found = whom.recipients(directory, encryption, named, passphrase)
        if found and not named:
            for problem in ring.read(directory).problems:
                click.echo(f"tapekit: not encrypted for this key: {problem}", err=True)
        yield found


def signing_key(context: click.Context) -> SiteKey | None:
    """The site's key; without one, that is told, and what is written is not signed."""
    key, problem = whom.signing_key(state_of(context))
    if problem:
        click.echo(f"tapekit: what is written is not signed: {problem}", err=True)
    return key
