"""What holds a cartridge on which a record log lies, and what is known of that cartridge besides its bytes."""

import dataclasses
from collections.abc import Mapping
from typing import Protocol


@dataclasses.dataclass(frozen=True)
class Shell:
    """The cartridge as a thing; unknown fields are empty. `is_worm`: it is written once, and never again."""

    serial: str = ""
    barcode: str = ""
    is_worm: bool = False


class Door(Protocol):
    """The dock around a cartridge: it is told to hold it, and to let it go."""

    def lock(self, *, locked: bool) -> None:
        """Refuse, or allow again, that somebody takes the cartridge out."""

    def let_go(self) -> None:
        """Let the cartridge go; its storage is closed already."""

    def counters(self) -> Mapping[str, int]:
        """What the dock counts of the cartridge, by the names that Health gives it."""

    def close(self) -> None:
        """Give the dock back; the cartridge can be taken out."""
