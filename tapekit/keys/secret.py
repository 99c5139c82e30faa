"""Secrets: where one comes from, and how it is held while it is needed.

A secret is named by a reference, never given: `file:PATH` (its first line), `env:NAME`, `credential:NAME` (of systemd),
or `prompt`. So none stands in a command line, a log or the configuration.
"""

import ctypes
import getpass
import os
import resource
import stat
import sys
import tempfile
import unicodedata
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from tapekit.errors import KeyNeeded, KeyRefused, UsageError

LARGEST_BYTES = 1 << 16
SCHEMES = ("file:PATH", "env:NAME", "credential:NAME", "prompt")
PROMPT = "prompt"
_PR_SET_DUMPABLE = 4
"""prctl(2): no core dump, and no other process of the user reads this one's memory."""
Ask = Callable[[str], str]


class Secret:
    """Bytes that are overwritten when they are no longer needed, and never shown."""

    def __init__(self, content: bytes | bytearray) -> None:
        """Hold a copy."""
        self.content = bytearray(content)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wipe()

    def __repr__(self) -> str:
        return "Secret(…)"

    def wipe(self) -> None:
        """Overwrite it. What Python has copied elsewhere stays until that memory is used again."""
        self.content[:] = bytes(len(self.content))
        self.content.clear()


def protect_memory() -> None:
    """From now on this process leaves no core dump. Where the system does not allow it, nothing is lost."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def resolve(reference: str, what: str, ask: Ask | None = None) -> Secret:
    """The secret that a reference names; `what` is what messages call it. `ask` asks a person.

    Raises UsageError for something that is no reference (which is not repeated: it may be the secret), KeyNeeded where
    nothing is there, KeyRefused where others can read it.
    """
    scheme, _, name = reference.partition(":")
    if reference == PROMPT:
        return passphrase((ask or ask_on_terminal)(what), what)
    if scheme == "file" and name:
        return _first_line(read_private(Path(name), what), what)
    if scheme == "env" and name:
        # Taken out, so that no program that is started later inherits it.
        value = os.environ.pop(name, "")
        if not value:
            raise KeyNeeded(f"{what}: the environment variable {name} is not set")
        return passphrase(value, what)
    if scheme == "credential" and name:
        return _first_line(read_private(_credential(name, what), what), what)
    raise UsageError(f"{what}: expected one of {', '.join(SCHEMES)}", "never write the secret itself there")


def passphrase(text: str, what: str) -> Secret:
    """A passphrase as keys are derived from it: Unicode form NFC, UTF-8. Raises KeyNeeded for an empty one."""
    if not text:
        raise KeyNeeded(f"{what}: it is empty")
    return Secret(unicodedata.normalize("NFC", text).encode("utf-8", "surrogateescape"))


def read_private(path: Path, what: str, largest_bytes: int = LARGEST_BYTES) -> bytes:
    """A file that only its owner reads. Raises KeyNeeded where there is none, KeyRefused where others can read it."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if stat.S_IMODE(status.st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
                raise KeyRefused(
                    f"{what}: {path}: others can read it (mode {stat.S_IMODE(status.st_mode):04o})",
                    f"chmod 600 {path}; on a stick without permissions: mount -o umask=077",
                )
            if status.st_uid not in {os.geteuid(), 0}:
                raise KeyRefused(f"{what}: {path}: belongs to another user")
            content = file.read(largest_bytes + 1)
    except OSError as error:
        raise KeyNeeded(f"{what}: {path}: {(error.strerror or '').lower()}") from error
    if len(content) > largest_bytes:
        raise KeyRefused(f"{what}: {path}: more than {largest_bytes} bytes")
    return content


def write_private(path: Path, content: bytes, what: str) -> None:
    """A new file that only its owner can read, on the disk when this returns.

    After a power cut it is whole, or not there. Raises KeyRefused where one is there, or it cannot be written.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with open(handle, "wb") as file:  # noqa: PTH123 - a descriptor
                file.write(content)
                file.flush()
                os.fsync(handle)
            _link(Path(name), path)
        finally:
            Path(name).unlink(missing_ok=True)
        sync_directory(path.parent)
    except FileExistsError as error:
        raise KeyRefused(
            f"{what}: {path}: is there already", "choose another name; a key is never overwritten"
        ) from error
    except OSError as error:
        raise KeyRefused(f"{what}: {path}: {(error.strerror or '').lower()}") from error


def _link(written: Path, path: Path) -> None:
    """Give a file its name, unless there is one of that name. Raises FileExistsError, OSError."""
    try:
        path.hardlink_to(written)
    except FileExistsError:
        raise
    except OSError:  # a FAT file system, as on most sticks, has no links
        if path.exists():
            raise FileExistsError(path) from None
        written.rename(path)


def sync_directory(path: Path) -> None:
    """The names in a directory are on the disk when this returns. Raises OSError."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def ask_on_terminal(what: str) -> str:
    """Ask a person, who does not see what is typed. Raises KeyNeeded where there is no terminal."""
    if not sys.stdin.isatty():
        raise KeyNeeded(f"{what}: there is no terminal to ask for it on", f"say where it is: {', '.join(SCHEMES[:-1])}")
    return getpass.getpass(f"{what}: ")


def _credential(name: str, what: str) -> Path:
    """Where systemd puts credentials: only the service can read it (systemd.exec(5), LoadCredential=)."""
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    if not directory or "/" in name:
        raise KeyNeeded(f"{what}: credential {name}: systemd gave this service none", "LoadCredential= in the unit")
    return Path(directory) / name


def _first_line(content: bytes, what: str) -> Secret:
    line = content.split(b"\n", 1)[0].rstrip(b"\r")
    return passphrase(line.decode("utf-8", "surrogateescape"), what)
