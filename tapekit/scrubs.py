"""How media decay: what each scrub found, per cartridge and drive, and what that advises.

The journal is a file of JSON lines in the state directory, as that of the evidence is.

The rule: a cartridge is to be retired when its latest scrub lost a block; when at least one block in a thousand had to
be corrected, and three at least; or when there were more corrected blocks at each of the last two scrubs than at the
one before it. It is to be watched while its latest scrub corrected anything at all.
"""

import dataclasses
import enum
from pathlib import Path
from typing import Any

from tapekit.journal import Journal

MOST_CORRECTED_SHARE = 1000
FEWEST_CORRECTED = 3
"""Fewer say nothing of a cartridge with little on it: a disk has a bad sector now and then."""
TREND = 3
"""Scrubs that make a trend: the last two, each worse than the one before."""


class Advice(enum.Enum):
    """What to do with a cartridge, going by its scrubs."""

    GOOD = "good"
    WATCH = "watch"
    RETIRE = "retire"


class Reason(enum.Enum):
    """What the advice rests on."""

    LOST = "{lost} blocks could not be corrected"
    SHARE = "{corrected} of {blocks} blocks had to be corrected"
    TREND = "more and more blocks have to be corrected: {trend}"
    SOME = "{corrected} of {blocks} blocks had to be corrected, which is not many"
    NONE = "every block was read as it was written"


@dataclasses.dataclass(frozen=True)
class Scrub:
    """What one scrub found. `cartridge` is the label's id; `retries` and the like are the drive's own counters."""

    at: str
    cartridge: str
    name: str
    drive: str
    serial: str
    blocks: int
    corrected: int
    lost: int
    read_bytes: int
    duration_s: float
    retries: int
    remaining_bytes: int

    @property
    def bytes_per_s(self) -> int:
        """How fast it was read."""
        return int(self.read_bytes / max(self.duration_s, 0.001))


@dataclasses.dataclass(frozen=True)
class Advised:
    """What the scrubs of a cartridge advise, and why; `trend` are corrected blocks of the last ones, oldest first."""

    advice: Advice
    reason: Reason
    latest: Scrub
    trend: tuple[int, ...]

    @property
    def values(self) -> dict[str, str]:
        """What the words of a reason name."""
        latest = self.latest
        return {
            "lost": str(latest.lost), "corrected": str(latest.corrected), "blocks": str(latest.blocks),
            "trend": ", ".join(map(str, self.trend)),
        }  # fmt: skip

    @property
    def why(self) -> str:
        """The reason in words."""
        return self.reason.value.format(**self.values)


class Scrubs:
    """The journal. One that cannot be read or written stops nothing: `problem` says so."""

    def __init__(self, directory: Path) -> None:
        """Read what is there; a torn or foreign line is passed over."""
        self._journal = Journal(directory / "scrubs.jsonl")
        self._scrubs = [scrub for line in self._journal.lines() if (scrub := _parse(line)) is not None]

    @property
    def problem(self) -> str:
        """Why the journal could not be read or written; empty where it could."""
        return self._journal.problem

    def of(self, cartridge: str) -> list[Scrub]:
        """The scrubs of a cartridge, oldest first."""
        return [scrub for scrub in self._scrubs if scrub.cartridge == cartridge]

    def note(self, scrub: Scrub) -> None:
        """Write one down."""
        self._scrubs.append(scrub)
        self._journal.add(dataclasses.asdict(scrub))

    def advice(self, cartridge: str) -> Advised | None:
        """What to do with a cartridge; None where it was never scrubbed."""
        scrubs = self.of(cartridge)
        return advised(scrubs) if scrubs else None


def advised(scrubs: list[Scrub]) -> Advised:
    """The rule above, for the scrubs of one cartridge, oldest first."""
    latest, trend = scrubs[-1], tuple(scrub.corrected for scrub in scrubs[-TREND:])
    advice, reason = Advice.GOOD, Reason.NONE
    if latest.lost:
        advice, reason = Advice.RETIRE, Reason.LOST
    elif latest.corrected >= FEWEST_CORRECTED and latest.corrected * MOST_CORRECTED_SHARE >= latest.blocks:
        advice, reason = Advice.RETIRE, Reason.SHARE
    elif len(trend) == TREND and trend[0] < trend[1] < trend[2]:
        advice, reason = Advice.RETIRE, Reason.TREND
    elif latest.corrected:
        advice, reason = Advice.WATCH, Reason.SOME
    return Advised(advice, reason, latest, trend)


def _parse(line: Any) -> Scrub | None:  # noqa: ANN401 - any JSON
    try:
        fields = {field.name: field.type for field in dataclasses.fields(Scrub)}
        scrub = Scrub(**{name: line[name] for name in fields})
    except (KeyError, TypeError):
        return None
    numbers = (scrub.blocks, scrub.corrected, scrub.lost, scrub.read_bytes, scrub.duration_s, scrub.retries)
    return scrub if all(isinstance(number, (int, float)) for number in numbers) else None
