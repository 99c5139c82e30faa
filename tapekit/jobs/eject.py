"""Letting a cartridge go: out of the drive where that can do it, and free for the nights to come."""

import contextlib
from typing import TYPE_CHECKING

from drivers.base import Drive
from drivers.errors import DriveError, NoMedium
from formats.errors import FormatError
from tapekit.cartridge.cartridge import open_cartridge

if TYPE_CHECKING:
    from tapekit.jobs.memory import Memory


def run(drive: Drive, memory: "Memory") -> str:
    """Eject what is in a drive, whatever it is; its name, empty where it has none. Raises DriveError."""
    if not drive.medium().present:
        raise NoMedium(f"{drive.url}: no cartridge in the drive")
    label = None
    with contextlib.suppress(DriveError, FormatError):
        label = open_cartridge(drive).label
    drive.eject()
    if label is None:
        return ""
    memory.ejected(label.cartridge)
    return label.name
