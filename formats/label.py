"""The label of a cartridge: file 0 (SPEC.md section 4)."""

import dataclasses

from formats import document
from formats.block import LARGEST_BLOCK_BYTES, SMALLEST_BLOCK_BYTES
from formats.errors import Damaged
from formats.keyslot import MOST_SLOTS, KeySlot

FORMAT_VERSION = 1


@dataclasses.dataclass(frozen=True)
class Label:
    """What a cartridge says of itself."""

    format: int
    cartridge: str
    barcode: str | None
    pool: str | None
    labelled: str
    tool: str
    block_size: int
    kit_sha256: str
    canary: tuple[KeySlot, ...] = ()

    @property
    def name(self) -> str:
        """What people call the cartridge: its barcode, or else the first 8 characters of its id."""
        return self.barcode or self.cartridge[:8]


def build(label: Label) -> bytes:
    """The label document."""
    return document.build(label)


def parse(data: "bytes | memoryview") -> Label:
    """Raises NewerFormat for a format this program does not know, Damaged for anything that is no label."""
    label = document.parse("label", Label, data, newest_format=FORMAT_VERSION)
    document.check_id("label.cartridge", label.cartridge)
    document.check_digest("label.kit_sha256", label.kit_sha256)
    document.check_time("label.labelled", label.labelled)
    check_block_size(label.block_size)
    if len(label.canary) > MOST_SLOTS:
        raise Damaged(f"label.canary: {len(label.canary)} key slots, limit {MOST_SLOTS}")
    return label


def check_block_size(block_bytes: int) -> None:
    """Raises Damaged unless the number is a block size that the format allows."""
    if not SMALLEST_BLOCK_BYTES <= block_bytes <= LARGEST_BLOCK_BYTES or block_bytes % SMALLEST_BLOCK_BYTES:
        raise Damaged(
            f"block size: {str(block_bytes)[:20]}, expected a multiple of {SMALLEST_BLOCK_BYTES} "
            f"from {SMALLEST_BLOCK_BYTES} to {LARGEST_BLOCK_BYTES}"
        )
