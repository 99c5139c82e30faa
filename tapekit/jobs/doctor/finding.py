"""A finding of the doctor: what, where, why it matters, and the next step."""

import dataclasses
import enum

from tapekit.errors import Exit


class Gravity(enum.IntEnum):
    """How much a finding matters."""

    GOOD = 0
    NOTE = 1
    """Something that a person may want to know."""
    WARNING = 2
    """A night may be spoilt by it, or somebody's time."""
    PROBLEM = 3
    """Something that tapekit needs does not work."""


@dataclasses.dataclass(frozen=True)
class Finding:
    """One answer to one question."""

    gravity: Gravity
    kind: str
    """The question: `permission`, `module`, `kernel`, `adapter`, `competitor`, `clock`, `tool`, `state`, …"""
    where: str
    """The device, file or setting."""
    what: str
    why: str = ""
    to_do: str = ""


def exit_code(findings: "tuple[Finding, ...] | list[Finding]") -> Exit:
    """What the worst of them comes to."""
    worst = max((finding.gravity for finding in findings), default=Gravity.GOOD)
    return {Gravity.PROBLEM: Exit.FAILED, Gravity.WARNING: Exit.WARNINGS}.get(worst, Exit.DONE)
