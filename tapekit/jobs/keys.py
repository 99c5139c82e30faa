"""Keys of people: made, added, taken out, replaced; what is done is noted in the audit log."""

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path

from drivers.base import Drive
from formats import publickey
from formats.errors import Damaged
from formats.paper import PaperKey
from formats.publickey import PublicKeyLine
from tapekit import clock
from tapekit.audit import events as audit
from tapekit.audit.events import Event
from tapekit.cartridge.cartridge import choose, open_cartridge
from tapekit.config.places import Places
from tapekit.errors import KeyNeeded, KeyRefused, UsageError
from tapekit.keys import hand, keyfile, proof, ring
from tapekit.keys.hand import Person
from tapekit.keys.opener import InHand
from tapekit.keys.pair import Pair
from tapekit.keys.seal import sings
from tapekit.keys.secret import PROMPT, protect_memory, write_private
from tapekit.keys.slot import PrivateKey
from tapekit.report.paperkey import Sheet, pdf_sheet, text_sheet

PRINTED = Path("-")
"""In place of a file for the paper key: the sheet as text on standard output, for a printer."""


@dataclasses.dataclass(frozen=True)
class Private:
    """Where the private half goes: a key file, a sheet of paper, or both."""

    file: Path | None
    paper: Path | None
    passphrase_from: str = PROMPT
    language: str = "en"

    def check(self) -> None:
        """Raises UsageError where it goes nowhere, KeyRefused where something is there already."""
        if not self.file and not self.paper:
            raise UsageError("keys: the private half has to go somewhere", "give --file FILE, --paper FILE, or both")
        for path in filter(None, (self.file, self.paper)):
            if path != PRINTED and path.exists():
                raise KeyRefused(f"keys: {path}: is there already", "choose another name; a key is never overwritten")

    @contextlib.contextmanager
    def whole_or_not(self) -> Iterator[None]:
        """What fails within this context leaves no half of a key behind, neither a file nor a sheet."""
        try:
            yield
        except BaseException:
            for path in filter(None, (self.file, self.paper)):
                if path != PRINTED:
                    with contextlib.suppress(OSError):
                        path.unlink()
            raise


@dataclasses.dataclass(frozen=True)
class Made:
    """A new key: its public half, where that went, and the sheet where it is to be printed on standard output."""

    line: PublicKeyLine
    public: Path
    sheet: str = dataclasses.field(default="", repr=False)


@dataclasses.dataclass(frozen=True)
class Tested:
    """What a key was shown to open: an archive, or a cartridge that has none yet."""

    line: PublicKeyLine
    cartridge: str
    archive: str = ""
    job: str = ""
    started: str = ""
    at: str = ""


def new(role: str, name: str, private: Private, person: Person, places: Places, public: Path | None) -> Made:
    """Make a key pair. The public half goes into the site's directory, or to the file `public`.

    Raises KeyRefused, UsageError; then nothing is left behind.
    """
    private.check()
    _check_name(name)
    if public is None and any(name == line.name for line in ring.read(places.keys).recipients):
        raise KeyRefused(f"keys: there is a key of {name}", "tapekit keys rotate replaces it")
    with private.whole_or_not():
        made = _make(role, name, private, person, places.site)
        where = ring.add(places.keys, made.line) if public is None else _write_public(public, made.line)
    _note(Event.KEY_MADE, made.line)
    return dataclasses.replace(made, public=where)


def _write_public(path: Path, line: PublicKeyLine) -> Path:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(publickey.build(line) + "\n")
    except OSError as error:
        raise KeyRefused(f"keys: {path}: {(error.strerror or '').lower()}") from error
    return path


def rotate(name: str, private: Private, person: Person, places: Places) -> Made:
    """A new pair in the place of a key of the site, from the next night on. Old cartridges open with the old one."""
    private.check()
    entry = ring.read(places.keys).named(name)
    if entry.line.role == publickey.SITE:
        raise UsageError(f"keys: {name}: a site's key is not replaced here", "tapekit keys remove, and add its new one")
    with private.whole_or_not():
        made = _make(entry.line.role, entry.line.name, private, person, places.site)
        ring.replace(entry, made.line)
    _note(Event.KEY_REPLACED, made.line, note=f"before: {entry.line.fingerprint}")
    return dataclasses.replace(made, public=entry.path)


def add(source: Path, places: Places) -> Made:
    """Add a public key that somebody has sent."""
    line = ring.read_line(source)
    path = ring.add(places.keys, line)
    _note(Event.KEY_ADDED, line)
    return Made(line, path)


def remove(name: str, places: Places) -> Made:
    """Take a key out; it is kept beside the others, in `retired`."""
    found = ring.read(places.keys)
    entry = found.named(name)
    path = ring.retire(entry, [other for other in found.entries if other is not entry])
    _note(Event.KEY_REMOVED, entry.line)
    return Made(entry.line, path)


def test(drive: Drive, pair: Pair, places: Places, state: Path) -> Tested:
    """Show that a key opens the latest archive of a cartridge, without reading any data, and keep the date.

    Raises KeyNeeded where nothing on it was written for this key, KeyRefused where it does not open, TapekitError where
    the date cannot be kept.
    """
    cartridge = open_cartridge(drive)
    key = PrivateKey(pair)
    public = next((line for line in ring.read(places.keys).recipients if line.key == pair.public), pair.public_line)
    segments = cartridge.segments()
    if segments:
        latest = choose(segments, "latest")
        if latest.header is None or latest.header.cipher is None:
            raise KeyNeeded(
                f"cartridge {cartridge.name}: archive {latest.archive[:8]} is not encrypted: anybody can read it",
                "tapekit keys list says whom the next one is written for",
            )
        cartridge.unlock(latest, InHand(key), for_data=pair.role in ring.OPEN_DATA)
        tested = Tested(public, cartridge.name, latest.archive, latest.job, latest.started)
    elif cartridge.label is not None and sings(cartridge.label, key):
        tested = Tested(public, cartridge.name)
    else:
        raise KeyNeeded(
            f"cartridge {cartridge.name}: it was not labelled for the key of {public.name}", "label it anew"
        )
    at = proof.note(state, public.key_id.hex(), cartridge.label.cartridge if cartridge.label else "")
    audit.note(
        Event.KEY_TESTED, cartridge=cartridge.name, archive=tested.archive, job=tested.job, subject=_subject(public),
        cartridge_id=cartridge.label.cartridge if cartridge.label else "",
    )  # fmt: skip
    return dataclasses.replace(tested, at=at)


def take_over(pair: Pair, private: Private, person: Person, places: Places) -> Made:
    """Write a private key anew: from paper to a file, under another passphrase, or to paper."""
    private.check()
    known = [line for line in ring.read(places.keys).recipients if line.key == pair.public]
    named = Pair(pair.role, known[0].name if known else pair.name, pair.secret)
    with private.whole_or_not():
        return Made(named.public_line, Path(), _write(named, private, person, places.site))


def _make(role: str, name: str, private: Private, person: Person, site: str) -> Made:
    protect_memory()
    pair = Pair.new(role, name)
    with pair.secret:
        return Made(pair.public_line, Path(), _write(pair, private, person, site))


def _write(pair: Pair, private: Private, person: Person, site: str) -> str:
    """Write the private half where it should go; the sheet where it goes to standard output."""
    sheet = ""
    if private.file is not None:
        with hand.new_passphrase(private.passphrase_from, person) as passphrase:
            keyfile.write(private.file, pair, passphrase)
            # Read back: a key that does not open what was just written is found now, not on the day of need.
            keyfile.unseal(keyfile.read(private.file), passphrase).secret.wipe()
    if private.paper is not None:
        words = PaperKey(pair.role, bytes(pair.secret.content))
        described = Sheet(site, pair.name, pair.public_line.fingerprint, clock.now().date(), private.language)
        if private.paper == PRINTED:
            sheet = text_sheet(words, described)
        elif private.paper.suffix == ".pdf":
            write_private(private.paper, pdf_sheet(words, described), "paper key")
        else:
            write_private(private.paper, text_sheet(words, described).encode("utf-8"), "paper key")
    return sheet


def _check_name(name: str) -> None:
    try:
        publickey.check_name(name)
    except Damaged as error:
        raise UsageError(str(error)) from error


def _note(event: Event, line: PublicKeyLine, note: str = "") -> None:
    audit.note(event, subject=_subject(line), note=note)


def _subject(line: PublicKeyLine) -> str:
    return f"{line.role} {line.name} {line.fingerprint}"
