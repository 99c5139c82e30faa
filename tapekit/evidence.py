"""The evidence ladder: what is known of each copy, and since when.

The journal is a file of JSON lines in the state directory: it needs nothing but a disk, so it is kept even where the
catalog cannot be opened, and the catalog takes over from it what it missed. A cartridge carries what was known when it
was last written (formats/SPEC.md section 6.3, `evidence`).
"""

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from formats.segment import Evidence
from tapekit.journal import Journal
from tapekit.model import RUNG_WORDS, Rung
from tapekit.units import now_text

_RUNG_OF_WORDS = {words: rung for rung, words in RUNG_WORDS.items()}
FAILED = "failed"
"""Stands in place of a rung where a copy was read and was not good."""


def state_directory() -> Path:
    """Where this machine keeps what tapekit knows: TAPEKIT_STATE, /var/lib/tapekit for root, XDG otherwise."""
    if chosen := os.environ.get("TAPEKIT_STATE"):
        return Path(chosen)
    if os.geteuid() == 0:
        return Path("/var/lib/tapekit")
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "tapekit"


@dataclasses.dataclass(frozen=True)
class Noted:
    """A line of the journal: a rung that a copy reached, or None where it was found damaged, and when."""

    cartridge: str
    archive: str
    rung: Rung | None
    at: str


class Evidences:
    """The journal. A journal that cannot be read or written never stops a backup."""

    def __init__(self, directory: Path) -> None:
        """Read what is there."""
        self._journal = Journal(directory / "evidence.jsonl")
        self._highest: dict[tuple[str, str], tuple[Rung, str]] = {}
        self._noted: list[Noted] = []
        self._damaged: set[tuple[str, str]] = set()
        for line in self._journal.lines():
            noted = _parse(line)
            if noted is not None:
                self._take(noted)

    @property
    def problem(self) -> str:
        """Why the journal could not be read or written; empty where it could."""
        return self._journal.problem

    def highest(self, cartridge: str, archive: str) -> Evidence | None:
        """The highest rung that a copy has climbed, and when last; none where it was found damaged since."""
        known = self._highest.get((cartridge, archive))
        return Evidence(known[0].words, known[1]) if known else None

    def is_damaged(self, cartridge: str, archive: str) -> bool:
        """Whether a copy was found damaged, and not read well since."""
        return (cartridge, archive) in self._damaged

    def lines(self) -> Iterator[Noted]:
        """Everything noted, oldest first, whether it could be written down or not."""
        return iter(self._noted)

    def note(self, cartridge: str, archive: str, rung: Rung | None) -> None:
        """Write down that a copy has reached a rung now, or (None) was found damaged."""
        noted = Noted(cartridge, archive, rung, now_text())
        self._take(noted)
        words = rung.words if rung else FAILED
        self._journal.add({"cartridge": cartridge, "archive": archive, "rung": words, "at": noted.at})

    def _take(self, noted: Noted) -> None:
        self._noted.append(noted)
        key = (noted.cartridge, noted.archive)
        if noted.rung is None:
            self._highest.pop(key, None)
            self._damaged.add(key)
            return
        if noted.rung >= Rung.READ_BACK:
            self._damaged.discard(key)
        if key not in self._highest or noted.rung >= self._highest[key][0]:
            self._highest[key] = (noted.rung, noted.at)


def _parse(line: Any) -> Noted | None:  # noqa: ANN401 - any JSON
    """A line of the journal; a foreign one is passed over."""
    try:
        words = line["rung"]
        rung = None if words == FAILED else _RUNG_OF_WORDS[words]
        return Noted(str(line["cartridge"]), str(line["archive"]), rung, str(line["at"]))
    except (KeyError, TypeError):
        return None
