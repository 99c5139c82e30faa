"""The private key that a person has in the hand: a key file and its passphrase, or a paper key."""

import dataclasses
from pathlib import Path

from tapekit.errors import KeyRefused
from tapekit.keys import keyfile, secret
from tapekit.keys.pair import Pair
from tapekit.keys.secret import PROMPT, Ask, Secret, protect_memory
from tapekit.keys.typed import AskLine, Tell, ask_words

PAPER = "paper"
"""In place of a file's name: the words are typed."""


@dataclasses.dataclass(frozen=True)
class Person:
    """How a person is asked. `ask` shows nothing of what is typed, `ask_line` does."""

    ask: Ask
    ask_line: AskLine
    tell: Tell


def take(named: str, passphrase_from: str, person: Person) -> Pair:
    """The key in a file, or `paper`. Raises KeyNeeded, KeyRefused, UsageError."""
    protect_memory()
    if named == PAPER:
        typed = ask_words(person.ask_line, person.tell)
        return Pair(typed.role, PAPER, Secret(typed.secret))
    file = keyfile.read(Path(named))
    with secret.resolve(passphrase_from, f"passphrase of {file.name}'s key", person.ask) as passphrase:
        return keyfile.unseal(file, passphrase)


def new_passphrase(passphrase_from: str, person: Person) -> Secret:
    """A passphrase for a new key file, asked for twice where a person types it. Raises what `resolve` raises."""
    what = "new passphrase"
    first = secret.resolve(passphrase_from, what, person.ask)
    if passphrase_from == PROMPT:
        with secret.resolve(passphrase_from, f"{what}, again", person.ask) as second:
            if first.content != second.content:
                first.wipe()
                raise KeyRefused("passphrase: the two are not the same", "type it again")
    return first
