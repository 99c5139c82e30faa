"""The contract that every driver keeps, and the values it speaks in.

The model is tape: numbered files of blocks, separated by filemarks. tests/drivers/ holds one suite that every driver
passes.
"""

import contextlib
import dataclasses
import enum
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Protocol, runtime_checkable

TELL_LONG: ContextVar[Callable[[str], AbstractContextManager[None]]] = ContextVar(
    "TELL_LONG", default=lambda _: contextlib.nullcontext()
)
"""Called with what a drive does that takes long (`rewinding`): whoever waits may show that something goes on."""


class Mark(enum.Enum):
    """What a read finds where no block is."""

    FILEMARK = "filemark"
    END_OF_DATA = "end of data"


class Content(enum.Enum):
    """What is on a medium, as far as the drive can tell without reading tapekit's own blocks."""

    BLANK = "blank"
    CARTRIDGE = "cartridge"
    FOREIGN = "foreign"


@dataclasses.dataclass(frozen=True)
class Identity:
    """Which device this is. Unknown fields are empty."""

    node: str
    vendor: str = ""
    model: str = ""
    serial: str = ""
    firmware: str = ""
    plain_node: str | None = None
    """By which other programs, the rescue kit above all, read the cartridge; None: by `node`; empty: they cannot."""

    @property
    def for_others(self) -> str:
        """The node by which other programs read the cartridge; empty where they cannot."""
        return self.node if self.plain_node is None else self.plain_node


@dataclasses.dataclass(frozen=True)
class Streaming:
    """What a tape needs to go on without a stop: bytes per second, where its own buffer of so many bytes is empty.

    `now` and `wait` are the time, in seconds, in which its tape moves.
    """

    slowest_bytes_s: int
    buffer_bytes: int
    now: Callable[[], float] = time.monotonic
    wait: Callable[[float], None] = time.sleep


@dataclasses.dataclass(frozen=True)
class MediumState:
    """What is in the drive. `found` names foreign content in one word, `description` in a sentence.

    `usual_block_bytes` is what a block has there unless somebody says otherwise. `is_tape`: blocks that the drive takes
    may be too large for the way to it, and the drive corrects by itself what a stretch of the medium loses.
    `streaming`: how fast blocks must come; None where that does not matter.
    """

    present: bool
    content: Content = Content.BLANK
    write_protected: bool = False
    worm: bool = False
    capacity_bytes: int = 0
    remaining_bytes: int = 0
    serial: str = ""
    barcode: str = ""
    largest_block_bytes: int = 0
    usual_block_bytes: int = 1 << 20
    is_tape: bool = False
    streaming: Streaming | None = None
    found: str = ""
    description: str = ""


@dataclasses.dataclass(frozen=True)
class Position:
    """Where the drive stands: before block `block` of file `file`, both counted from 0."""

    file: int
    block: int


@dataclasses.dataclass(frozen=True)
class Health:
    """What the device reports of its own and the medium's state; reading it clears nothing.

    `flags`: TapeAlert (drivers.scsi.alerts has the words); `notes`: what it said besides, in sense data; the counters
    keep the device's own names.
    """

    flags: frozenset[int] = frozenset()
    notes: tuple[str, ...] = ()
    counters: Mapping[str, int] = dataclasses.field(default_factory=dict)


class Drive(Protocol):
    """A device that holds one cartridge. Not safe for use by two threads at once.

    Every method raises the errors of drivers.errors; after MediumError on reading, the drive stands behind the bad
    block, after DriveReset it stands nowhere until the next locate, rewind or to_end_of_data.
    """

    url: str

    def identify(self) -> Identity:
        """Which device this is."""

    def medium(self) -> MediumState:
        """What is in the drive. Does not move the medium."""

    def format(self, front: Mapping[str, bytes]) -> None:
        """Make the medium ready for file 0 and forget all that was on it.

        `front` (name: content) is laid down where any computer finds it, on media that have such a place.
        """

    def write_block(self, block: "bytes | bytearray | memoryview") -> bool:
        """Write one block here; what was behind this place ceases to exist. True: early warning, end the segment soon.

        Raises EndOfMedium, WriteProtected, MediumError (the block number says which), HostFull.
        """

    def write_filemark(self) -> None:
        """End the file. When this returns, everything before is on the medium."""

    def read_block(self) -> "bytes | Mark":
        """The next block, or the mark that stands there; a filemark is passed over, the end of data is not."""

    def position(self) -> Position:
        """Where the drive stands."""

    def locate(self, file: int, block: int = 0) -> None:
        """Go before block `block` of file `file`; -1 is the last block of the file, -2 the one before it.

        Raises EndOfData where there is no such place.
        """

    def rewind(self) -> None:
        """Go before the first block of file 0."""

    def to_end_of_data(self) -> None:
        """Go behind the last thing written."""

    def load(self) -> None:
        """Draw the cartridge in, where the device can."""

    def eject(self) -> None:
        """Let the cartridge go; whatever was written is durable before."""

    def lock(self, locked: bool) -> None:  # noqa: FBT001 - one thing, in two states
        """Forbid, or allow again, taking the cartridge out."""

    def erase(self) -> None:
        """Make the medium blank: what was on it is not found again by any reader of this format."""

    def health(self) -> Health:
        """What the device reports of itself and the medium."""

    def close(self) -> None:
        """Give the device back. The drive cannot be used any more."""


@runtime_checkable
class Buffering(Protocol):
    """A drive that takes blocks into a buffer of its own, and tells how much of them is not on the medium yet."""

    def buffered_bytes(self) -> int | None:
        """What it has taken and not written; None where it does not know. Raises as `write_block` does."""


@runtime_checkable
class Describing(Protocol):
    """A drive whose cartridges hold a chip with a description of themselves."""

    def attributes(self) -> dict[str, int | str]:
        """All that the chip holds, by name; nothing where it cannot be read."""


@runtime_checkable
class Rewriting(Protocol):
    """A drive that can also write one block again in its place, and leave all others as they are: no tape can."""

    def rewrite_block(self, file: int, block: int, data: bytes) -> None:
        """Write a block that the medium lost, as it was, byte for byte; it is on the medium when this returns.

        Raises MediumError where its place is not known, or cannot be written; WriteProtected.
        """
