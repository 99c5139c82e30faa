"""The private key in a person's hand, for the commands that read: --key, and where its passphrase comes from."""

import contextlib
import functools
import sys
from collections.abc import Iterator

import click

from tapekit.errors import KeyNeeded
from tapekit.keys import hand, secret
from tapekit.keys.pair import Pair

KEY_VARIABLE = "TAPEKIT_KEY_FILE"
SOURCES = "prompt, file:PATH, env:NAME or credential:NAME."

key_option = click.option(
    "--key", envvar=KEY_VARIABLE, metavar="FILE", help=f"Private key: a key file, or the word paper ({KEY_VARIABLE})."
)
passphrase_option = click.option(
    "--passphrase-from", default="prompt", show_default=True, metavar="WHERE", help=SOURCES
)


@contextlib.contextmanager
def key_in_hand(named: str, passphrase_from: str) -> Iterator[Pair]:
    """The private key that --key names; its secret is overwritten at the end."""
    pair = hand.take(named, passphrase_from, person())
    try:
        yield pair
    finally:
        pair.secret.wipe()


def person() -> hand.Person:
    """How a person at the terminal is asked: everything on standard error, which no answer goes to."""
    return hand.Person(secret.ask_on_terminal, _ask_line, functools.partial(click.echo, err=True))


def _ask_line(number: int) -> str:
    if sys.stdin.isatty():
        words: str = click.prompt(f"line {number}", err=True)
        return words
    line = sys.stdin.readline()
    if not line:
        raise KeyNeeded(f"paper key: line {number} is missing", "seven lines of three words, as on the sheet")
    return line
