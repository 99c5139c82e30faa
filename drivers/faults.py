"""A drive that fails by script: any other drive with faults put before it, to rehearse what a bad night brings.

A script is a tuple of Fault, read from top to bottom:

    FaultyDrive(drive, (
        Fault(Operation.READ_BLOCK, Position(2, 7), FaultKind.MEDIUM_ERROR),
        Fault(Operation.WRITE_BLOCK, Call(100), FaultKind.EARLY_WARNING, times=FOREVER),
    ))
"""

import contextlib
import dataclasses
import enum
from collections.abc import Mapping

from drivers.base import Drive, Health, Identity, Mark, MediumState, Position
from drivers.errors import Busy, DriveReset, EndOfMedium, MediumError, NoMedium

FOREVER = 1 << 62
"""For `Fault.times`: the fault never goes away."""


class Operation(enum.Enum):
    """What can fail; each is the method of Drive with this name."""

    FORMAT = "format"
    WRITE_BLOCK = "write_block"
    WRITE_FILEMARK = "write_filemark"
    READ_BLOCK = "read_block"
    POSITION = "position"
    LOCATE = "locate"
    REWIND = "rewind"
    TO_END_OF_DATA = "to_end_of_data"
    EJECT = "eject"
    ERASE = "erase"


class FaultKind(enum.Enum):
    """How it fails. Every kind but the two that write is an error, raised before anything is done."""

    MEDIUM_ERROR = "medium error"
    END_OF_MEDIUM = "end of medium"
    RESET = "drive reset"
    NO_MEDIUM = "no medium"
    BUSY = "busy"
    EARLY_WARNING = "early warning"
    """The block is written, and the answer is early warning."""
    TORN_WRITE = "torn write"
    """Only the first `kept_bytes` of the block reach the medium, zeros follow, and the drive says that all is well."""


_OF_WRITE_BLOCK = frozenset((FaultKind.EARLY_WARNING, FaultKind.TORN_WRITE))
_REGAINS_POSITION = frozenset((Operation.LOCATE, Operation.REWIND, Operation.TO_END_OF_DATA))
_NEEDS_POSITION = frozenset((Operation.WRITE_BLOCK, Operation.WRITE_FILEMARK, Operation.READ_BLOCK, Operation.POSITION))


@dataclasses.dataclass(frozen=True)
class Call:
    """The nth call of an operation, counted from 1."""

    number: int


@dataclasses.dataclass(frozen=True)
class Fault:
    """A line of the script: `operation` fails when the drive stands `at` a block, or from a call on, so many times."""

    operation: Operation
    at: Position | Call
    kind: FaultKind
    times: int = 1
    kept_bytes: int = 0

    def __post_init__(self) -> None:
        """Refuse a script that means nothing."""
        if self.kind in _OF_WRITE_BLOCK and self.operation is not Operation.WRITE_BLOCK:
            raise ValueError(f"fault: {self.kind.value} of {self.operation.value}: only write_block has it")
        if isinstance(self.at, Position) and self.operation not in _NEEDS_POSITION:
            raise ValueError(f"fault: {self.operation.value} at a block: give the number of the call")


class FaultyDrive:
    """A drive, and the script of its faults. See drivers.base.Drive for the methods.

    After a reset the position is lost until locate, rewind or to_end_of_data; after "no medium" the drive is empty
    until load. Of several faults that meet, the first in the script counts.
    """

    def __init__(self, drive: Drive, script: tuple[Fault, ...]) -> None:
        """Put the script before `drive`."""
        self.url = drive.url
        self._drive = drive
        self._script = script
        self._times_left = [fault.times for fault in script]
        self._calls = dict.fromkeys(Operation, 0)
        self._is_lost = False
        self._is_gone = False

    def identify(self) -> Identity:
        """See Drive."""
        return self._drive.identify()

    def medium(self) -> MediumState:
        """See Drive."""
        return MediumState(present=False) if self._is_gone else self._drive.medium()

    def format(self, front: Mapping[str, bytes]) -> None:
        """See Drive."""
        self._meet(Operation.FORMAT)
        self._drive.format(front)

    def write_block(self, block: "bytes | bytearray | memoryview") -> bool:
        """See Drive."""
        fault = self._meet(Operation.WRITE_BLOCK)
        if fault is not None and fault.kind is FaultKind.TORN_WRITE:
            block = bytes(block[: fault.kept_bytes]).ljust(len(block), b"\0")
        early_warning = self._drive.write_block(block)
        return early_warning or (fault is not None and fault.kind is FaultKind.EARLY_WARNING)

    def write_filemark(self) -> None:
        """See Drive."""
        self._meet(Operation.WRITE_FILEMARK)
        self._drive.write_filemark()

    def read_block(self) -> "bytes | Mark":
        """See Drive."""
        self._meet(Operation.READ_BLOCK)
        return self._drive.read_block()

    def position(self) -> Position:
        """See Drive."""
        self._meet(Operation.POSITION)
        return self._drive.position()

    def locate(self, file: int, block: int = 0) -> None:
        """See Drive."""
        self._meet(Operation.LOCATE)
        self._drive.locate(file, block)

    def rewind(self) -> None:
        """See Drive."""
        self._meet(Operation.REWIND)
        self._drive.rewind()

    def to_end_of_data(self) -> None:
        """See Drive."""
        self._meet(Operation.TO_END_OF_DATA)
        self._drive.to_end_of_data()

    def load(self) -> None:
        """See Drive. A cartridge that went away is back."""
        self._drive.load()
        self._is_gone = False

    def eject(self) -> None:
        """See Drive."""
        self._meet(Operation.EJECT)
        self._drive.eject()

    def lock(self, locked: bool) -> None:  # noqa: FBT001 - the contract's shape
        """See Drive."""
        self._drive.lock(locked)

    def erase(self) -> None:
        """See Drive."""
        self._meet(Operation.ERASE)
        self._drive.erase()

    def health(self) -> Health:
        """See Drive."""
        return self._drive.health()

    def close(self) -> None:
        """See Drive."""
        self._drive.close()

    def _meet(self, operation: Operation) -> Fault | None:
        """Count the call, and raise what the script has for it; a fault that lets the call go on is returned."""
        self._calls[operation] += 1
        if self._is_gone:
            raise NoMedium(f"{self.url}: no cartridge in the drive")
        if self._is_lost and operation in _NEEDS_POSITION:
            raise DriveReset(f"{self.url}: the drive was reset, its position is lost")
        fault = self._next_fault(operation)
        if fault is not None and fault.kind not in _OF_WRITE_BLOCK:
            self._fail(fault)
        if operation in _REGAINS_POSITION:
            self._is_lost = False
        return fault

    def _next_fault(self, operation: Operation) -> Fault | None:
        for number, fault in enumerate(self._script):
            if fault.operation is operation and self._times_left[number] > 0 and self._is_at(fault):
                self._times_left[number] -= 1
                return fault
        return None

    def _is_at(self, fault: Fault) -> bool:
        if isinstance(fault.at, Call):
            return self._calls[fault.operation] >= fault.at.number
        return self._drive.position() == fault.at

    def _fail(self, fault: Fault) -> None:
        what = f"{self.url}: {fault.operation.value}: {fault.kind.value}"
        match fault.kind:
            case FaultKind.MEDIUM_ERROR:
                at = self._drive.position()
                if fault.operation is Operation.READ_BLOCK:
                    with contextlib.suppress(MediumError):
                        self._drive.read_block()  # to stand behind the bad block, as the contract has it
                raise MediumError(f"{what}: block {at.block} of file {at.file}", at.file, at.block)
            case FaultKind.END_OF_MEDIUM:
                raise EndOfMedium(what)
            case FaultKind.RESET:
                self._is_lost = True
                raise DriveReset(f"{what}: its position is lost")
            case FaultKind.NO_MEDIUM:
                self._is_gone = True
                raise NoMedium(f"{what}: the cartridge went away")
            case FaultKind.BUSY:
                raise Busy(what)
            case _:
                raise AssertionError(fault.kind)
