"""The private key in a person's hand, for the commands that read: --key, and where its passphrase comes from."""

import contextlib
import functools
import sys
from collections.abc import Iterator

import click

from tapekit.errors import KeyNeeded
from tapekit.keys import hand, secret
from tapekit.keys.opener import NO_KEY, Asked, InHand, Opener
from tapekit.keys.pair import Pair
from tapekit.keys.slot import Passphrase, PrivateKey

KEY_VARIABLE = "TAPEKIT_KEY_FILE"
SOURCES = "prompt, file:PATH, env:NAME or credential:NAME."

PASSPHRASE = "passphrase"  # noqa: S105 - a word, no password
"""In place of a file's name: an archive's own passphrase."""

key_option = click.option(
    "--key", envvar=KEY_VARIABLE, metavar="FILE",
    help=f"Private key: a key file, or the word paper or passphrase ({KEY_VARIABLE}).",
)  # fmt: skip
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


@contextlib.contextmanager
def opener(named: str | None, passphrase_from: str) -> Iterator[Opener]:
    """What opens archives: the private key that --key names, or a passphrase; asked for when it is needed."""
    if named is None:
        yield NO_KEY
        return
    with contextlib.ExitStack() as taken:

        def take() -> Opener:
            if named == PASSPHRASE:
                secret.protect_memory()
                text = secret.resolve(passphrase_from, "passphrase of the archive", secret.ask_on_terminal)
                return InHand(Passphrase(taken.enter_context(text)))
            return InHand(PrivateKey(taken.enter_context(key_in_hand(named, passphrase_from))))

        yield Asked(take)


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
