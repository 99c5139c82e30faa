"""Labelling: a medium becomes a cartridge. Nothing that is still there is overwritten unasked."""

import dataclasses
import datetime
import hashlib
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from drivers.base import Drive
from drivers.errors import Busy, DeviceFailure, MediumError, NoMedium, WriteProtected
from formats.block import HEADER_BYTES, SMALLEST_BLOCK_BYTES
from formats.errors import Damaged
from formats.label import FORMAT_VERSION, Label, check_block_size
from formats.publickey import PublicKeyLine
from tapekit import __version__
from tapekit.audit import events as audit
from tapekit.audit.events import Event
from tapekit.cartridge import kit
from tapekit.cartridge.cartridge import KIT_FILE, LABEL_FILE, label_block
from tapekit.errors import CartridgeError, UsageError, VerificationFailed
from tapekit.jobs.destroy import Doomed, allow
from tapekit.keys.seal import canary
from tapekit.rotation.loss import Loss
from tapekit.units import now_text

if TYPE_CHECKING:
    from tapekit.jobs.memory import Memory

SMALLEST_SHARE = 16
"""A block is at most a sixteenth of a small medium: an archive needs room for a handful beside label and rescue kit."""


@dataclasses.dataclass(frozen=True)
class Result:
    """The new label; what was on the medium before it, in words, and what is no more anywhere with it."""

    label: Label
    capacity_bytes: int
    destroyed: str
    loss: Loss | None
    """None where no catalog tells of other copies."""


def run(
    drive: Drive, *, barcode: str | None, pool: str | None, block_bytes: int | None, destroy: str | None,
    keys: Sequence[PublicKeyLine] = (), memory: "Memory | None" = None,
) -> Result:  # fmt: skip
    """Label the medium in a drive.

    `destroy` is the name of what may be lost: the cartridge's own, or the word for foreign content that the refusal
    tells. Who holds one of `keys` can try later whether it opens this cartridge. `memory` knows of other copies, and
    learns what happened. Raises WouldDestroy and ForeignMedium, WriteProtected, UsageError; CatalogError where it would
    go on to count what is overwritten.
    """
    medium = drive.medium()
    if not medium.present:
        raise NoMedium(f"{drive.url}: no cartridge in the drive")
    if medium.write_protected:
        raise WriteProtected(f"{drive.url}: write-protected", "move the slider, or open it where it can be written")
    _check_barcode(barcode)
    doomed = allow(drive, destroy, memory)
    size = _block_bytes(drive, block_bytes)
    labelled = now_text()
    tar = kit.build(int(datetime.datetime.fromisoformat(labelled).timestamp()) * 10**9)
    cartridge = os.urandom(16).hex()
    label = Label(
        format=FORMAT_VERSION, cartridge=cartridge, barcode=barcode, pool=pool, labelled=labelled,
        tool=f"tapekit {__version__}", block_size=size, kit_sha256=hashlib.sha256(tar).hexdigest(),
        canary=canary(cartridge, keys),
    )  # fmt: skip
    block = label_block(label)
    if memory is not None:
        _tell(memory, label, doomed)
    if doomed.contents:
        audit.note(Event.DESTROYED, cartridge=destroy or "", subject=doomed.contents)
    if medium.is_tape:
        label = dataclasses.replace(label, block_size=_carried_block_bytes(drive, size))
        block = label_block(label)
    drive.format({**kit.files(), "label.json": block[HEADER_BYTES:]})
    drive.rewind()
    drive.write_block(block)
    drive.write_filemark()
    for start in range(0, len(tar), kit.RECORD_BYTES):
        drive.write_block(tar[start : start + kit.RECORD_BYTES])
    drive.write_filemark()
    _read_back(drive, label, block)
    audit.note(Event.LABELLED, cartridge=label.name, cartridge_id=label.cartridge)
    if memory is not None:
        memory.learn(drive, doomed.label or None, is_admitted=True)
    return Result(label, drive.medium().capacity_bytes, doomed.contents, doomed.loss)


def _tell(memory: "Memory", label: Label, doomed: Doomed) -> None:
    """Write down what goes before it does. Raises CartridgeError, CatalogError."""
    stock = memory.stock()
    other = stock.named(label.name) if stock else None
    if other is not None and other.label not in {"", doomed.label} and other.copies and other.is_in_service:
        raise CartridgeError(
            f"cartridge {label.name}: the catalog knows another one of that name, with {len(other.copies)} archives",
            f"choose another name; or, if that one is gone: tapekit cartridges retire {label.name} --lost",
        )
    if doomed.label and doomed.contents:
        memory.overwritten(doomed.label, doomed.contents)


def _block_bytes(drive: Drive, wanted: int | None) -> int:
    medium = drive.medium()
    if wanted is None:
        share = medium.capacity_bytes // SMALLEST_SHARE // 4096 * 4096
        return max(4096, min(medium.usual_block_bytes, share, medium.largest_block_bytes))
    try:
        check_block_size(wanted)
    except Damaged as error:
        raise UsageError(str(error)) from error
    if wanted > medium.largest_block_bytes:
        raise UsageError(f"block size: {wanted}, the drive carries at most {medium.largest_block_bytes}")
    return wanted


def _carried_block_bytes(drive: Drive, wanted: int) -> int:
    """The largest block, of the wanted size or a half of it and so on, that gets to the medium and back.

    Proven by doing it. A medium that can be written only once is not wasted on that: it gets the wanted size.
    """
    if drive.medium().worm:
        return wanted
    sizes = (wanted >> halvings for halvings in range(wanted.bit_length()))
    for size in (size // SMALLEST_BLOCK_BYTES * SMALLEST_BLOCK_BYTES for size in sizes if size >= SMALLEST_BLOCK_BYTES):
        drive.format({})
        drive.rewind()
        block = os.urandom(size)
        try:
            drive.write_block(block)
            drive.write_filemark()
            drive.rewind()
            if drive.read_block() == block:
                return size
        except (Busy, DeviceFailure, MediumError):  # as the kernel and drives put it, where a block is too large
            continue
    raise VerificationFailed(
        f"{drive.url}: not even blocks of {SMALLEST_BLOCK_BYTES} bytes get to the tape and back",
        "look at cable and host adapter: tapekit doctor",
    )


def _check_barcode(barcode: str | None) -> None:
    if barcode is not None and not (1 <= len(barcode) <= 32 and barcode.isascii() and barcode.isprintable()):  # noqa: PLR2004
        raise UsageError(f"barcode: {barcode!r}: expected 1 to 32 printable ASCII characters")


def _read_back(drive: Drive, label: Label, block: bytes) -> None:
    """Prove that what was written can be read."""
    drive.locate(LABEL_FILE)
    if drive.read_block() != block:
        raise VerificationFailed(f"{drive.url}: the label that was written reads back differently")
    if kit_digest(drive)[0] != label.kit_sha256:
        raise VerificationFailed(f"{drive.url}: the rescue kit that was written reads back differently")


def kit_digest(drive: Drive) -> tuple[str, int]:
    """SHA-256 over file 1, and its number of blocks. Raises MediumError."""
    digest, blocks = hashlib.sha256(), 0
    drive.locate(KIT_FILE)
    while isinstance(block := drive.read_block(), bytes):
        digest.update(block)
        blocks += 1
    return digest.hexdigest(), blocks
