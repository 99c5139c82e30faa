"""The label of a cartridge: file 0 (SPEC.md section 4)."""

import dataclasses

from formats import document
from formats.block import LARGEST_BLOCK_BYTES, SMALLEST_BLOCK_BYTES
from formats.errors import Damaged, NewerFormat
from formats.keyslot import KeySlot

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
    label = document.parse("label", Label, data)
    if label.format > FORMAT_VERSION:
        raise NewerFormat(f"label: format version {label.format}, this program reads up to {FORMAT_VERSION}")
    if label.format < 1:
        raise Damaged(f"label: format version {label.format}")
    document.check_id("label.cartridge", label.cartridge)
    document.check_digest("label.kit_sha256", label.kit_sha256)
    check_block_size(label.block_size)
    return label


def check_block_size(block_bytes: int) -> None:
    """Raises Damaged unless the number is a block size that the format allows."""
    if not SMALLEST_BLOCK_BYTES <= block_bytes <= LARGEST_BLOCK_BYTES or block_bytes % SMALLEST_BLOCK_BYTES:
        raise Damaged(
            f"block size: {block_bytes}, expected a multiple of {SMALLEST_BLOCK_BYTES} "
            f"from {SMALLEST_BLOCK_BYTES} to {LARGEST_BLOCK_BYTES}"
        )
