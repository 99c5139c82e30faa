"""How media decay, for reports: what the scrubs of cartridges advise."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from tapekit.model import Cartridge
from tapekit.report.night import Note
from tapekit.report.notes import note
from tapekit.scrubs import Advice, Advised, Reason, Scrubs

_KINDS = {Reason.LOST: "scrub-lost", Reason.SHARE: "scrub-share", Reason.TREND: "scrub-trend"}

RETIRE_KINDS = frozenset(_KINDS.values())


def scrubbed(state: Path, cartridges: Iterable[Cartridge]) -> dict[str, Advised]:
    """What is advised of the cartridges that were ever scrubbed, by their names."""
    scrubs = Scrubs(state)
    known = {held.name: scrubs.advice(held.label) for held in cartridges if held.label}
    return {name: advised for name, advised in known.items() if advised is not None}


def retire_notes(scrubbed: Mapping[str, Advised]) -> Iterator[Note]:
    """That cartridges are to be retired."""
    for name, advised in scrubbed.items():
        if advised.advice is Advice.RETIRE:
            latest = advised.latest
            values = {"cartridge": name, "at": latest.at[:10], "drive": latest.drive} | advised.values
            yield note(_KINDS[advised.reason], **values)
