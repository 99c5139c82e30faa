"""The site's directory of public keys: who opens what the next nights write, and which sites are known.

One file `NAME.pub` with one line for each key, beside the configuration, so that a person can copy keys into it as well
as `tapekit keys add` can. Keys that were taken out go to `retired/`: old cartridges still name them.
"""

import contextlib
import dataclasses
import os
import re
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from formats import publickey
from formats.errors import FormatError
from formats.publickey import SITE, PublicKeyLine
from tapekit.errors import KeyNeeded, KeyRefused, TapekitError
from tapekit.keys.secret import sync_directory

SUFFIX = ".pub"
RETIRED = "retired"
OPEN_DATA = frozenset(("owner", "recovery"))
"""Roles that get data back. Without a key of one of them, nothing encrypted would ever be read again."""
LARGEST_BYTES = 1 << 16


@dataclasses.dataclass(frozen=True)
class Entry:
    """A key of the directory, and the file that it stands in."""

    path: Path
    line: PublicKeyLine
    since: datetime
    """When the file came there."""


@dataclasses.dataclass(frozen=True)
class Ring:
    """What the directory holds. `problems` says which files cannot be used, and why."""

    directory: Path
    entries: tuple[Entry, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def recipients(self) -> tuple[PublicKeyLine, ...]:
        """Whom the next nights are encrypted for."""
        return tuple(entry.line for entry in self.entries if entry.line.role != SITE)

    @property
    def sites(self) -> tuple[PublicKeyLine, ...]:
        """The other sites whose signatures are known here."""
        return tuple(entry.line for entry in self.entries if entry.line.role == SITE)

    @property
    def is_encrypting(self) -> bool:
        """Whether there are keys: then nothing is written without them unless that is said outright."""
        return bool(self.recipients) or bool(self.problems)

    def checked_recipients(self) -> tuple[PublicKeyLine, ...]:
        """Whom to encrypt for; none where there are no keys at all.

        Raises KeyRefused where there are keys, but none that would give data back: better no archive than one that
        nobody opens, or that everybody reads.
        """
        found = self.recipients
        if self.is_encrypting and not any(line.role in OPEN_DATA for line in found):
            why = "; ".join(self.problems) or "they are technicians' keys alone"
            raise KeyRefused(
                f"keys: {self.directory}: none of an owner or for recovery: {why}", "tapekit keys new owner NAME"
            )
        return found

    def named(self, name: str) -> Entry:
        """The key of that name, or whose id begins like that. Raises KeyNeeded."""
        found = [entry for entry in self.entries if name in (entry.line.name, entry.path.stem)]
        plain = name.replace(" ", "").lower()
        found = found or [entry for entry in self.entries if plain and entry.line.key_id.hex().startswith(plain)]
        if len(found) != 1:
            known = ", ".join(entry.line.name for entry in self.entries) or "none"
            why = "more than one is called that" if found else "there is no such key"
            raise KeyNeeded(f"keys: {name}: {why}", f"keys in {self.directory}: {known}")
        return found[0]


def read(directory: Path) -> Ring:
    """The keys of a directory; one that is not there holds none."""
    entries, problems = [], []
    try:
        paths = sorted(path for path in directory.iterdir() if path.suffix == SUFFIX)
    except FileNotFoundError:
        return Ring(directory)
    except OSError as error:
        return Ring(directory, (), (f"{directory}: {(error.strerror or '').lower()}",))
    for path in paths:
        try:
            entries.append(Entry(path, read_line(path), datetime.fromtimestamp(path.stat().st_mtime, UTC)))
        except TapekitError as error:
            problems.append(str(error))
        except OSError as error:  # gone meanwhile
            problems.append(f"public key: {path}: {(error.strerror or '').lower()}")
    return Ring(directory, tuple(entries), tuple(problems))


def read_line(path: Path) -> PublicKeyLine:
    """The public key in a file. Raises KeyNeeded, KeyRefused."""
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST_BYTES).decode("utf-8")
        return publickey.parse(text)
    except OSError as error:
        raise KeyNeeded(f"public key: {path}: {(error.strerror or '').lower()}") from error
    except (UnicodeDecodeError, FormatError) as error:
        raise KeyRefused(f"public key: {path}: {error}", "ask for it again") from error


def add(directory: Path, line: PublicKeyLine) -> Path:
    """Put a key into the directory; its file. Raises KeyRefused where it, or one of its name, is there."""
    ring = read(directory)
    for entry in ring.entries:
        if entry.line.key == line.key:
            raise KeyRefused(f"keys: {entry.path}: this key is there already, as {entry.line.name}")
        if entry.line.name == line.name:
            raise KeyRefused(f"keys: {entry.path}: there is a key of {line.name}", "tapekit keys rotate replaces it")
    path = directory / f"{file_name(line.name, line.role)}{SUFFIX}"
    if path.exists():
        path = directory / f"{path.stem}-{line.key_id.hex()[:8]}{SUFFIX}"
    _write(path, publickey.build(line) + "\n")
    return path


def retire(entry: Entry, kept: Iterable[Entry]) -> Path:
    """Take a key out; where it is kept. Raises KeyRefused where what remains would give no data back."""
    rest = [other.line.role for other in kept if other.line.role != SITE]
    if entry.line.role in OPEN_DATA and rest and not OPEN_DATA & set(rest):
        raise KeyRefused(
            f"keys: {entry.line.name}: the last key that opens data: what is left are technicians' keys alone",
            "add another owner's key first, or remove those first",
        )
    target = entry.path.parent / RETIRED / f"{entry.path.stem}-{entry.line.key_id.hex()[:8]}{SUFFIX}"
    try:
        target.parent.mkdir(exist_ok=True)
        entry.path.replace(target)
        sync_directory(target.parent)
        sync_directory(entry.path.parent)
    except OSError as error:
        raise KeyRefused(f"keys: {entry.path}: {(error.strerror or '').lower()}") from error
    return target


def replace(entry: Entry, line: PublicKeyLine) -> None:
    """Put another key in the place of one, which is kept in `retired/`; at no time is there none."""
    kept = entry.path.parent / RETIRED / f"{entry.path.stem}-{entry.line.key_id.hex()[:8]}{SUFFIX}"
    _write(kept, publickey.build(entry.line) + "\n")
    _write(entry.path, publickey.build(line) + "\n")


def file_name(name: str, otherwise: str) -> str:
    """A person's name as part of a file's."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or otherwise


def _write(path: Path, text: str) -> None:
    """A file that is there whole or not at all; everybody may read it. Raises KeyRefused."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".")
        try:
            with open(handle, "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor
                file.write(text)
                file.flush()
                os.fchmod(handle, 0o644)
                os.fsync(handle)
            Path(name).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
        sync_directory(path.parent)
    except OSError as error:
        raise KeyRefused(f"keys: {path}: {(error.strerror or '').lower()}") from error
