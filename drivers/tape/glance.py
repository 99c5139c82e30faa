"""A glance at a tape drive: who it is, and which cartridge is in it. Nothing is loaded, and the tape stays where it is.

A person may be at work with it: whoever only wants to know whether something changed must not rewind their tape.
"""

import dataclasses
import enum

from drivers.base import Identity
from drivers.errors import DriveError
from drivers.scsi import commands
from drivers.scsi.commands import CommandFailed
from drivers.scsi.link import MOST_ATTENTIONS
from drivers.scsi.transport import Transport
from drivers.tape import state
from formats.errors import FormatError
from formats.scsi import mam
from formats.scsi.sense import Key

_CHANGED, _NO_MEDIUM = 0x28, 0x3A
"""ASC of NOT READY TO READY CHANGE, MEDIUM MAY HAVE CHANGED, and of MEDIUM NOT PRESENT (SPC-4, annex E)."""


class Inside(enum.Enum):
    """What a drive says without looking."""

    NOTHING = "nothing"
    LOADED = "loaded"
    NOT_NOW = "not now"
    """It is busy, threads, or holds a cartridge that is not loaded: that tells nothing."""


@dataclasses.dataclass(frozen=True)
class Glance:
    """What a drive told."""

    identity: Identity
    inside: Inside
    key: str = ""
    """Tells the cartridge from another: the serial number of its chip, else how often it was loaded; else empty."""
    is_changed: bool = False
    """The drive said that another cartridge may be in; it says so once."""


def glance(transport: Transport) -> Glance:
    """Ask a drive, over an open way. Raises DriveError."""
    try:
        who, _, _ = state.identity(transport)
    except FormatError as error:
        raise DriveError(f"{transport.node}: what it says of itself makes no sense: {error}") from error
    is_changed = False
    for _ in range(MOST_ATTENTIONS):
        try:
            commands.test_unit_ready(transport)
        except CommandFailed as failed:
            if failed.sense.key == Key.UNIT_ATTENTION and not failed.is_busy:
                is_changed |= failed.sense.asc == _CHANGED
                continue
            is_empty = failed.sense.key == Key.NOT_READY and failed.sense.asc == _NO_MEDIUM
            return Glance(who, Inside.NOTHING if is_empty else Inside.NOT_NOW)
        return Glance(who, Inside.LOADED, _key(transport), is_changed)
    return Glance(who, Inside.NOT_NOW)


def _key(transport: Transport) -> str:
    """How often it was loaded counts for nothing beside a serial number: people load a cartridge for their own work."""
    chip = {attribute.id: attribute for attribute in state.attributes(transport)}
    serial, loads = chip.get(mam.SERIAL), chip.get(mam.LOAD_COUNT)
    if serial is not None and str(serial.shown).strip():
        return str(serial.shown).strip()
    return f"load {int.from_bytes(loads.value)}" if loads is not None else ""
