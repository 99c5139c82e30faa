"""Is the audit log what was written? The chain, the signatures, and what the cartridges remember of it."""

import base64
import binascii
import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from formats import audit
from formats.audit import NO_LINE, AuditLine
from formats.errors import FormatError
from formats.segment import AuditHead
from tapekit.errors import TapekitError
from tapekit.keys.site import is_signed


@dataclasses.dataclass(frozen=True)
class Read:
    """A line of the file, by its number in it; `event` is None where it is none, and `why` says so."""

    number: int
    data: bytes
    event: AuditLine | None
    why: str = ""


@dataclasses.dataclass(frozen=True)
class Finding:
    """What is wrong, and at which line of the file (None: with the log as a whole)."""

    line: int | None
    why: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.why}" if self.line else self.why


@dataclasses.dataclass(frozen=True)
class Witness:
    """What a cartridge's trailer says of the log."""

    cartridge: str
    archive: str
    head: AuditHead


def read(path: Path) -> list[Read]:
    """All lines; none where there is no log. Raises TapekitError where it cannot be read."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise TapekitError(f"audit log: {path}: {(error.strerror or '').lower()}") from error
    lines = content.split(b"\n")
    if not lines[-1]:
        lines.pop()
    return [_read(number, data) for number, data in enumerate(lines, 1)]


def _read(number: int, data: bytes) -> Read:
    try:
        return Read(number, data, audit.parse(data))
    except FormatError as error:
        return Read(number, data, None, str(error))


def check(lines: Sequence[Read], keys: Iterable[bytes], witnesses: Iterable[Witness] = ()) -> Iterator[Finding]:
    """Everything that is not as it was written. `keys` are the public keys of the sites that may sign."""
    known = frozenset(keys)
    sequence, previous = 0, NO_LINE
    for line in lines:
        event = line.event
        if event is None:
            yield Finding(line.number, f"no event: {line.why}; a power cut while it was written leaves that, or a hand")
            continue
        if event.sequence != sequence + 1:
            yield Finding(
                line.number, f"event {event.sequence} stands behind event {sequence}: {_between(event, sequence)}"
            )
        elif event.previous != previous:
            yield Finding(
                line.number, f"event {event.sequence} does not continue the one before: one of them was changed"
            )
        if why := _wrong_signature(line.data, event, known):
            yield Finding(line.number, f"event {event.sequence}: {why}")
        sequence, previous = event.sequence, audit.digest(line.data)
    yield from _against(lines, witnesses)


def _between(event: AuditLine, sequence: int) -> str:
    if event.sequence > sequence:
        return f"{event.sequence - sequence - 1} were removed"
    return "they were put in another order, or an old log was put back"


def _wrong_signature(data: bytes, event: AuditLine, known: frozenset[bytes]) -> str:
    try:
        key = base64.b64decode(event.key, validate=True)
        signature = base64.b64decode(event.signature, validate=True)
    except (binascii.Error, ValueError):
        return "its signature is none"
    if not is_signed(key, audit.signed(data), signature):
        return "its signature is wrong: it was changed"
    return "" if key in known else "signed by a key that is not known here"


def _against(lines: Sequence[Read], witnesses: Iterable[Witness]) -> Iterator[Finding]:
    """What the cartridges remember: whoever rewrites the log cannot rewrite them."""
    digests = {line.event.sequence: audit.digest(line.data) for line in lines if line.event}
    for witness in witnesses:
        found = digests.get(witness.head.sequence)
        where = f"cartridge {witness.cartridge} (archive {witness.archive[:8]})"
        if found is None:
            yield Finding(None, f"{where} knows event {witness.head.sequence}, which is not in the log: it was removed")
        elif found != witness.head.sha256:
            yield Finding(None, f"{where} knows another event {witness.head.sequence}: the log was written anew")
