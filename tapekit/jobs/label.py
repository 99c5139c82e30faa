"""Labelling: a medium becomes a cartridge. Nothing that is still there is overwritten unasked."""

import dataclasses
import datetime
import hashlib
import os
from collections.abc import Sequence

from drivers.base import Content, Drive
from drivers.errors import BlankMedium, ForeignMedium, NoMedium, WriteProtected
from formats.block import HEADER_BYTES
from formats.errors import Damaged
from formats.label import FORMAT_VERSION, Label, check_block_size
from formats.publickey import PublicKeyLine
from tapekit import __version__
from tapekit.audit import events as audit
from tapekit.audit.events import Event
from tapekit.cartridge import kit
from tapekit.cartridge.cartridge import KIT_FILE, LABEL_FILE, Cartridge, label_block, open_cartridge
from tapekit.errors import UsageError, VerificationFailed, WouldDestroy
from tapekit.keys.seal import canary
from tapekit.units import now_text, size_text

UNREADABLE_NAME = "damaged"
"""What --destroy must repeat for a cartridge whose label cannot be read."""
DISK_BLOCK_BYTES = 1 << 20
SMALLEST_SHARE = 16
"""A block is at most a sixteenth of a small medium: an archive needs room for a handful beside label and rescue kit."""


@dataclasses.dataclass(frozen=True)
class Result:
    """The new label, and what was on the medium before it, in words."""

    label: Label
    capacity_bytes: int
    destroyed: str


def run(
    drive: Drive, *, barcode: str | None, pool: str | None, block_bytes: int | None, destroy: str | None,
    keys: Sequence[PublicKeyLine] = (),
) -> Result:  # fmt: skip
    """Label the medium in a drive.

    `destroy` is the name of what may be lost: the cartridge's own, or the word for foreign content that the refusal
    tells. Who holds one of `keys` can try later whether it opens this cartridge. Raises WouldDestroy and ForeignMedium,
    WriteProtected, UsageError.
    """
    medium = drive.medium()
    if not medium.present:
        raise NoMedium(f"{drive.url}: no cartridge in the drive")
    if medium.write_protected:
        raise WriteProtected(f"{drive.url}: write-protected", "move the slider, or open it where it can be written")
    _check_barcode(barcode)
    destroyed = _allow(drive, destroy)
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
    if destroyed:
        audit.note(Event.DESTROYED, cartridge=destroy or "", subject=destroyed)
    drive.format({**kit.files(), "label.json": block[HEADER_BYTES:]})
    drive.rewind()
    drive.write_block(block)
    drive.write_filemark()
    for start in range(0, len(tar), kit.RECORD_BYTES):
        drive.write_block(tar[start : start + kit.RECORD_BYTES])
    drive.write_filemark()
    _read_back(drive, label, block)
    audit.note(Event.LABELLED, cartridge=label.name, cartridge_id=label.cartridge)
    return Result(label, drive.medium().capacity_bytes, destroyed)


def _allow(drive: Drive, destroy: str | None) -> str:
    """What will cease to exist, in words; raises unless there is nothing, or `destroy` names it."""
    medium = drive.medium()
    if medium.content is Content.BLANK:
        return ""
    if medium.content is Content.FOREIGN:
        if destroy == medium.found:
            return medium.description
        raise ForeignMedium(
            f"{drive.url}: not blank: it holds {medium.description}", medium.found,
            f"if that may be lost for good, say so: --destroy {medium.found}",
        )  # fmt: skip
    try:
        cartridge = open_cartridge(drive)
    except BlankMedium:
        return ""  # laid out for a cartridge, and cut off before there was one
    name = cartridge.label.name if cartridge.label else UNREADABLE_NAME
    contents = _contents(cartridge)
    if not contents and cartridge.label:
        return ""
    if destroy == name:
        return contents
    asked = f", and --destroy says {destroy!r}" if destroy is not None else ""
    raise WouldDestroy(
        f"{drive.url}: cartridge {name} holds {contents}{asked}",
        f"all of that would cease to exist; if it may, say so: --destroy {name}",
    )


def _contents(cartridge: Cartridge) -> str:
    """The archives on a cartridge in words; empty where there are none."""
    segments = cartridge.segments()
    if not segments:
        return "" if cartridge.label else "nothing that can be read"
    total = sum(s.trailer.stored_bytes for s in segments if s.trailer)
    first, last = segments[0].started, segments[-1].started
    when = f"of {first}" if len(segments) == 1 else f"from {first} to {last}"
    jobs = ", ".join(sorted({s.job for s in segments}))
    return f"{len(segments)} archive{'s' * (len(segments) > 1)} {when} ({jobs}; {size_text(total)})"


def _block_bytes(drive: Drive, wanted: int | None) -> int:
    medium = drive.medium()
    if wanted is None:
        share = medium.capacity_bytes // SMALLEST_SHARE // 4096 * 4096
        return max(4096, min(DISK_BLOCK_BYTES, share, medium.largest_block_bytes))
    try:
        check_block_size(wanted)
    except Damaged as error:
        raise UsageError(str(error)) from error
    if wanted > medium.largest_block_bytes:
        raise UsageError(f"block size: {wanted}, the drive carries at most {medium.largest_block_bytes}")
    return wanted


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
