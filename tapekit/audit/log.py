"""The audit log: lines that are only ever added, each signed and chained to the one before (SPEC.md section 18.4).

The head of the chain goes into the trailer of every cartridge that is written, so that whoever would rewrite history
needs all cartridges. A log that cannot be kept never stops anything: `problem` says why.
"""

import base64
import dataclasses
import fcntl
import os
import pwd
import socket
from pathlib import Path
from typing import BinaryIO

from formats import audit
from formats.audit import AUDIT_VERSION, NO_LINE, AuditLine
from formats.errors import FormatError
from formats.segment import AuditHead
from tapekit.audit.events import About, Event
from tapekit.errors import TapekitError
from tapekit.journal import make_private
from tapekit.keys.site import site_key
from tapekit.units import now_text

FILE_NAME = "audit.jsonl"
LONGEST_FIELD = 500


class AuditLog:
    """The log of a site, in its state directory."""

    def __init__(self, state: Path, site: str) -> None:
        """Nothing is read yet."""
        self.path = state / FILE_NAME
        self.problem = ""
        self._state = state
        self._site = site

    def note(self, event: Event, about: About) -> None:
        """Add an event; it is on the disk when this returns. Where that cannot be, `problem` says why."""
        try:
            self._append(event, about)
        except OSError as error:
            self.problem = f"{self.path}: {(error.strerror or '').lower()}"
        except (TapekitError, FormatError) as error:
            self.problem = str(error)

    def head(self) -> AuditHead | None:
        """The latest line's number and digest; None where there is no log, or it cannot be read."""
        try:
            with self.path.open("rb") as file:
                sequence, digest, _ = _tail(file)
        except FileNotFoundError:
            return None
        except OSError as error:
            self.problem = f"{self.path}: {(error.strerror or '').lower()}"
            return None
        return AuditHead(sequence, digest) if sequence else None

    def _append(self, event: Event, about: About) -> None:
        key = site_key(self._state)
        make_private(self._state)
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with open(handle, "r+b", buffering=0) as file:  # noqa: PTH123 - a descriptor
            fcntl.flock(file, fcntl.LOCK_EX)
            sequence, digest, is_torn = _tail(file)
            line = AuditLine(
                AUDIT_VERSION, sequence + 1, now_text(), event.value, self._site, socket.gethostname(), who(), digest,
                base64.b64encode(key.public).decode(),
                **{name: _field(value) for name, value in dataclasses.asdict(about).items()},
            )  # fmt: skip
            signature = key.sign(audit.signed(audit.build(line)))
            line = dataclasses.replace(line, signature=base64.b64encode(signature).decode())
            file.write(b"\n" * is_torn + audit.build(line) + b"\n")
            os.fsync(file.fileno())


def who() -> str:
    """The person who runs this, as the system knows them: behind sudo, who called it."""
    user = os.environ.get("SUDO_USER", "")
    if user:
        return f"{user} (sudo)"
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def _field(value: str) -> str:
    return value.encode("utf-8", "replace").decode("utf-8")[:LONGEST_FIELD]


def _tail(file: BinaryIO) -> tuple[int, str, bool]:
    """Number and digest of the last whole line, and whether a torn one stands behind it.

    A line that cannot be read is gone past: the chain goes on behind the last one that can, and `audit verify` tells.
    """
    size = file.seek(0, os.SEEK_END)
    start = max(0, size - 2 * audit.LONGEST_LINE)
    while True:
        file.seek(start)
        content = file.read(size - start)
        lines = content.split(b"\n")
        torn = lines.pop() if lines else b""
        for line in reversed(lines[1:] if start else lines):
            try:
                return audit.parse(line).sequence, audit.digest(line), bool(torn)
            except FormatError:
                continue
        if not start:
            return 0, NO_LINE, bool(torn)
        start = 0
