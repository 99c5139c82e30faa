"""Which keys were proven to open a cartridge, and when: `keys.jsonl` in the state directory.

A key that nobody has tried is a hope, as a backup that nobody has read back.
"""

import dataclasses
import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tapekit.errors import TapekitError
from tapekit.journal import make_private
from tapekit.keys.ring import OPEN_DATA, Entry
from tapekit.units import now_text, parse_time

FILE_NAME = "keys.jsonl"
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclasses.dataclass(frozen=True)
class Unproven:
    """A key of the site that nobody has shown to work lately."""

    name: str
    role: str
    proven: datetime | None
    """When it last was."""


def note(state: Path, key_id: str, cartridge: str) -> str:
    """Write down that a key opened a cartridge now; the time. Raises TapekitError."""
    at = now_text()
    line = json.dumps({"at": at, "key": key_id, "cartridge": cartridge})
    path = state / FILE_NAME
    try:
        make_private(state)
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise TapekitError(f"{path}: {(error.strerror or '').lower()}") from error
    return at


def proven(state: Path) -> dict[str, datetime]:
    """By the id of each key: when it last opened a cartridge. What cannot be read was never proven."""
    found: dict[str, datetime] = {}
    try:
        lines = (state / FILE_NAME).read_text("utf-8", "replace").splitlines()
    except OSError:
        return found
    for line in lines:
        try:
            value = json.loads(line)
            found[str(value["key"])] = parse_time(value["at"])
        except (ValueError, KeyError, TypeError):
            continue  # a line that a power cut has torn
    return found


def unproven(keys: Sequence[Entry], state: Path, within: timedelta, now: datetime) -> tuple[Unproven, ...]:
    """The keys that open data and were not shown to do so within that time. None where one was: that one is enough.

    The one question of `tapekit status`. A key that came to the site less than that time ago counts as shown.
    """
    known = proven(state)
    asked = [key for key in keys if key.line.role in OPEN_DATA]
    for key in asked:
        if now - max(known.get(key.line.key_id.hex(), _LONG_AGO), key.since) <= within:
            return ()
    return tuple(Unproven(key.line.name, key.line.role, known.get(key.line.key_id.hex())) for key in asked)
