"""Repair: blocks that parity gave back, written again in their place, where a medium allows that.

A disk remaps a bad sector when it is written. A tape cannot write in the middle of what is there: its remedy is a copy.
"""

import dataclasses
from collections.abc import Sequence

from drivers.base import Drive, Rewriting
from drivers.errors import MediumError
from tapekit.blocks.correct import Corrected, correcting
from tapekit.blocks.read import GoodBlock, read_one
from tapekit.errors import UsageError
from tapekit.jobs.interrupt import StopRequest

STILL_BAD = "it was written again, and is not good on the medium all the same"


@dataclasses.dataclass
class Result:
    """Blocks that are good on the medium now, and those that are not, with the reason."""

    repaired: list[Corrected] = dataclasses.field(default_factory=list)
    failed: list[tuple[Corrected, str]] = dataclasses.field(default_factory=list)


def check(drive: Drive) -> Rewriting:
    """The drive as one that can repair. Raises UsageError."""
    if not isinstance(drive, Rewriting):
        raise UsageError(
            f"{drive.url}: a block cannot be written again in its place on this medium",
            "verify without --repair corrects on reading; back up again on another cartridge, and retire this one",
        )
    return drive


def run(drive: Drive, corrected: Sequence[Corrected]) -> Result:
    """Write what was corrected again, and read it back. Raises UsageError, WriteProtected and DriveError."""
    writing, reading, result = check(drive), correcting(drive), Result()
    with StopRequest() as stop:
        for lost in corrected:
            stop.check()
            try:
                good = _read(reading, lost)
                if good is None or not good.corrected:
                    continue  # it reads well this time
                writing.rewrite_block(lost.file, lost.block, good.data)
                again = _read(drive, lost)
            except MediumError as error:
                result.failed.append((lost, str(error)))
                continue
            if again is not None and again.data == good.data:
                result.repaired.append(lost)
            else:
                result.failed.append((lost, STILL_BAD))
    return result


def _read(drive: Drive, lost: Corrected) -> GoodBlock | None:
    drive.locate(lost.file, lost.block)
    item = read_one(drive, lost.block, None)
    return item if isinstance(item, GoodBlock) else None
