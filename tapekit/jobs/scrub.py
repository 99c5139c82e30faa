"""Scrub: a whole cartridge read, corrected where parity can, and what that says of the medium."""

import dataclasses
import time

from drivers.base import Drive
from drivers.errors import MediumError
from tapekit.blocks.correct import Corrected, correcting
from tapekit.blocks.read import BadBlock, FileEnd, read_blocks
from tapekit.cartridge.cartridge import Cartridge, open_cartridge
from tapekit.jobs.interrupt import StopRequest
from tapekit.jobs.label import kit_digest
from tapekit.progress import Progress
from tapekit.scrubs import Advised, Scrub, Scrubs, advised
from tapekit.units import now_text

GOOD, CORRECTED, LOST = ".", "c", "X"
"""How a block stands in the map: letters of one column everywhere, on any terminal, in any file."""
_WORST = LOST + CORRECTED + GOOD
RETRY = "retr"
"""Counters of a drive with this in their names count what it had to try again."""


@dataclasses.dataclass
class FileMap:
    """A file of the cartridge, a letter for each of its blocks."""

    file: int
    blocks: str

    def cells(self, most: int) -> str:
        """At most so many letters: each stands for as many blocks, and shows the worst of them."""
        each = max(1, -(-len(self.blocks) // most))
        pieces = (self.blocks[place : place + each] for place in range(0, len(self.blocks), each))
        return "".join(next(letter for letter in _WORST if letter in piece) for piece in pieces)


@dataclasses.dataclass
class Result:
    """What was found, and what it advises with what was found before."""

    scrub: Scrub
    files: list[FileMap]
    corrected: list[Corrected]
    lost: list[tuple[int, int, str]]
    """File, block and reason."""
    before: list[Scrub]
    advised: Advised


def run(drive: Drive, progress: Progress, scrubs: Scrubs) -> Result:
    """Read everything, and write down what was found. Raises DriveError. Needs no key."""
    begun, counters = time.monotonic(), dict(drive.health().counters)
    reading = correcting(drive)
    with StopRequest() as stop:
        cartridge = open_cartridge(reading)
        files, lost, read_bytes = [_front(cartridge)], [], 0
        lost += [(0, 0, cartridge.label_problem)] if cartridge.label is None else []
        lost += [(1, 0, "rescue kit: not as the label says")] if LOST in files[0].blocks[1:] else []
        used = cartridge.medium.capacity_bytes - cartridge.medium.remaining_bytes
        progress.begin("scrubbing", used if used > 0 else None)
        for file in cartridge.segment_files():
            letters: list[str] = []
            expected = cartridge.read_segment(file).expected()
            with read_blocks(reading, file, 0, expected) as items:
                for item in items:
                    stop.check()
                    if isinstance(item, FileEnd):
                        break
                    if isinstance(item, BadBlock):
                        letters.append(LOST)
                        lost.append((file, item.number, item.why))
                        continue
                    letters.append(CORRECTED if item.corrected else GOOD)
                    read_bytes += len(item.data)
                    progress.advance(len(item.data))
            files.append(FileMap(file, "".join(letters)))
        progress.end()
    after, identity = drive.health().counters, drive.identify()
    corrected = list(reading.corrections.values())
    scrub = Scrub(
        at=now_text(), cartridge=cartridge.label.cartridge if cartridge.label else "", name=cartridge.name,
        drive=drive.url, serial=identity.serial, blocks=sum(len(each.blocks) for each in files),
        corrected=len(corrected), lost=len(lost), read_bytes=read_bytes,
        duration_s=round(time.monotonic() - begun, 3),
        retries=sum(max(0, count - counters.get(name, 0)) for name, count in after.items() if RETRY in name.lower()),
        remaining_bytes=cartridge.medium.remaining_bytes,
    )  # fmt: skip
    before = scrubs.of(scrub.cartridge) if scrub.cartridge else []
    if scrub.cartridge:
        scrubs.note(scrub)
    return Result(scrub, files, corrected, lost, before, advised([*before, scrub]))


def _front(cartridge: Cartridge) -> FileMap:
    """Label and rescue kit, which no parity protects."""
    label = GOOD if cartridge.label else LOST
    try:
        digest, blocks = kit_digest(cartridge.drive)
    except MediumError:
        return FileMap(0, label + LOST)
    is_good = cartridge.label is None or digest == cartridge.label.kit_sha256
    return FileMap(0, label + (GOOD if is_good else LOST) * max(1, blocks))
