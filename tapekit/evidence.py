"""The evidence ladder: what is known of each copy, and since when.

The journal is a file of JSON lines in the state directory; a cartridge carries what was known when it was last
written (formats/SPEC.md section 6.3, `evidence`).
"""

import json
import os
from pathlib import Path

from formats.segment import Evidence
from tapekit.units import now_text

WRITTEN = "written"
READ_BACK = "read back"
COMPARED = "compared with the source"
RUNGS = (WRITTEN, READ_BACK, COMPARED)
"""From the lowest to the highest."""


def state_directory() -> Path:
    """Where this machine keeps what tapekit knows: TAPEKIT_STATE, /var/lib/tapekit for root, XDG otherwise."""
    if chosen := os.environ.get("TAPEKIT_STATE"):
        return Path(chosen)
    if os.geteuid() == 0:
        return Path("/var/lib/tapekit")
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "tapekit"


class Evidences:
    """The journal. A journal that cannot be read or written never stops a backup."""

    def __init__(self, directory: Path) -> None:
        """Read what is there."""
        self._path = directory / "evidence.jsonl"
        self._highest: dict[tuple[str, str], Evidence] = {}
        self.problem = ""
        self._is_torn = False
        try:
            text = self._path.read_text("utf-8", "replace")
        except FileNotFoundError:
            return
        except OSError as error:
            self.problem = f"{self._path}: {error.strerror}"
            return
        self._is_torn = not text.endswith("\n")
        for line in text.splitlines():
            self._take(line)

    def highest(self, cartridge: str, archive: str) -> Evidence | None:
        """The highest rung that a copy has climbed, and when last."""
        return self._highest.get((cartridge, archive))

    def note(self, cartridge: str, archive: str, rung: str) -> None:
        """Write down that a copy has reached a rung now."""
        line = json.dumps({"cartridge": cartridge, "archive": archive, "rung": rung, "at": now_text()})
        self._take(line)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as journal:
                journal.write("\n" * self._is_torn + line + "\n")
                journal.flush()
                os.fsync(journal.fileno())
            self._is_torn = False
        except OSError as error:
            self.problem = f"{self._path}: {error.strerror}"

    def _take(self, line: str) -> None:
        """Use a line of the journal; a torn or foreign one is passed over."""
        try:
            value = json.loads(line)
            key, rung, at = (value["cartridge"], value["archive"]), value["rung"], value["at"]
            order = RUNGS.index(rung)
        except (ValueError, KeyError, TypeError):
            return
        known = self._highest.get(key)
        if known is None or order >= RUNGS.index(known.rung):
            self._highest[key] = Evidence(rung, str(at))
