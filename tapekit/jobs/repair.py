"""Repair: blocks that parity gave back, written again in their place, where a medium allows that.

A disk remaps a bad sector when it is written. A tape cannot write in the middle of what is there: its remedy is a copy.
"""

import dataclasses
from collections.abc import Sequence

from drivers.base import Drive, Rewriting
from drivers.errors import MediumError
from tapekit.blocks.correct import Corrected, correcting
from tapekit.blocks.read import Expected, GoodBlock, read_one
from tapekit.cartridge.cartridge import FIRST_SEGMENT_FILE, open_cartridge
from tapekit.errors import UsageError
from tapekit.jobs.interrupt import StopRequest

NOT_BAD = "it reads well now: nothing was written"
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
    expected = {file: _expected(reading, file) for file in {lost.file for lost in corrected}}
    with StopRequest() as stop:
        for lost in corrected:
            stop.check()
            try:
                good = _read(reading, lost, expected[lost.file])
                if good is None or not good.corrected:
                    result.failed.append((lost, NOT_BAD if good else lost.why))
                    continue
                writing.rewrite_block(lost.file, lost.block, good.data)
                again = _read(drive, lost, expected[lost.file])
            except MediumError as error:
                result.failed.append((lost, str(error)))
                continue
            if again is not None and again.data == good.data:
                result.repaired.append(lost)
            else:
                result.failed.append((lost, STILL_BAD))
    return result


def _expected(drive: Drive, file: int) -> Expected | None:
    """Which blocks belong in a file: a good one in the wrong place is bad there."""
    return open_cartridge(drive).read_segment(file).expected() if file >= FIRST_SEGMENT_FILE else None


def _read(drive: Drive, lost: Corrected, expected: Expected | None) -> GoodBlock | None:
    drive.locate(lost.file, lost.block)
    item = read_one(drive, lost.block, expected)
    return item if isinstance(item, GoodBlock) else None
