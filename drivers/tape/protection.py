"""Logical block protection: a CRC32C goes with each block between computer and drive (SSC-4, section 4.2.29).

It is a state of the drive: who leaves it on makes every other program's writes fail. So it is switched off when the
drive is closed, and at opening where a crash has left it on.
"""

import google_crc32c

from drivers.scsi import commands
from drivers.scsi.commands import CommandFailed
from drivers.scsi.link import Failed, Link
from formats.errors import FormatError
from formats.scsi import mode
from formats.scsi.mode import BlockProtection, Mode

CHECK_BYTES = 4


def check_of(block: "bytes | bytearray | memoryview") -> bytes:
    """The check of a block: CRC32C (Castagnoli), little-endian."""
    return int(google_crc32c.value(bytes(block))).to_bytes(CHECK_BYTES, "little")


def state(link: Link) -> BlockProtection | None:
    """How the drive is set; None where it has no such thing."""
    try:
        page = commands.mode_sense(link.transport, mode.CONTROL_PAGE, mode.PROTECTION_SUBPAGE)
        body = page.page(mode.CONTROL_PAGE, mode.PROTECTION_SUBPAGE)
        return None if body is None else mode.parse_protection(body)
    except (CommandFailed, FormatError):
        return None


def switch(link: Link, *, on: bool) -> bool:
    """Set it; whether it then is as wanted."""
    wanted = BlockProtection(mode.CRC32C if on else mode.NO_PROTECTION, on_write=on, on_read=on)
    page = mode.page(mode.CONTROL_PAGE, mode.build_protection(wanted), mode.PROTECTION_SUBPAGE)
    try:
        commands.mode_select(link.transport, Mode(pages=(page,)), long=True)
    except (CommandFailed, Failed):
        return False
    found = state(link)
    return found is not None and (found.on_write, found.on_read) == (on, on)
