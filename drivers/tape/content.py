"""What is on a tape, and whether this drive can use it."""

import contextlib

from drivers.base import Content, Mark
from drivers.errors import IncompatibleMedium, NoDevice
from drivers.scsi import commands
from drivers.scsi.commands import CommandFailed
from drivers.scsi.generations import Generation
from drivers.scsi.link import Link
from drivers.tape.state import Cartridge
from formats import block
from formats.errors import FormatError
from formats.scsi import mode
from formats.scsi.inquiry import DeviceType
from formats.scsi.mode import Mode

_KINDS = (
    (0, b"VOL1", "ltfs", "a labelled volume (LTFS, or another program's with an ANSI label)"),
    (0, b"PROXMOX TAPE LABEL", "proxmox", "a Proxmox Backup Server tape"),
    (0, b"AMANDA: TAPESTART", "amanda", "an Amanda tape"),
    (12, b"BB02", "bacula", "a Bacula or Bareos volume"),
    (257, b"ustar", "tar", "a tar archive"),
)
"""Offset in the first block, what stands there, the name to type, and a sentence."""
_TYPE_NAMES = {DeviceType.DISK: "a disk", DeviceType.CHANGER: "a changer"}
_DEFAULT_DENSITY = 0


def check_type(url: str, kind: int) -> None:
    """Raises NoDevice where the device is no tape drive."""
    if kind != DeviceType.TAPE:
        what = _TYPE_NAMES.get(DeviceType(kind), "another device") if kind in tuple(DeviceType) else "another device"
        raise NoDevice(f"{url}: is no tape drive, but {what}", "tapekit devices lists them")


def check_generation(url: str, drive: Generation | None, cartridge: Cartridge) -> None:
    """Say it before anything is tried. Raises IncompatibleMedium."""
    if drive is not None and cartridge.media_id and cartridge.media_id not in drive.reads:
        raise IncompatibleMedium(
            f"{url}: an {cartridge.media_id} cartridge: an {drive.name} drive cannot read it",
            f"this drive reads {', '.join(drive.reads)} and writes {', '.join(drive.writes)}",
        )


def set_up(link: Link, *, compression: bool) -> bool:
    """Blocks of any size; the drive's own compression as wanted: whether that was otherwise.

    What a drive does not have is left as it is.
    """
    with contextlib.suppress(CommandFailed, FormatError):  # a drive that knows fixed blocks only: writing says so
        if commands.mode_sense(link.transport, 0).block_bytes:
            commands.mode_select(link.transport, Mode(density=_DEFAULT_DENSITY))
    try:
        body = commands.mode_sense(link.transport, mode.COMPRESSION_PAGE).page(mode.COMPRESSION_PAGE)
        found = mode.parse_compression(body) if body else None
        if found is None or not found.is_capable or found.is_on == compression:
            return False
        wanted = mode.build_compression(mode.Compression(compression))
        commands.mode_select(link.transport, Mode(pages=(mode.page(mode.COMPRESSION_PAGE, wanted),)))
    except (CommandFailed, FormatError):
        return False
    return True


def of_first_block(first: "bytes | Mark") -> tuple[Content, tuple[str, str]]:
    """What the first block tells: content, and of foreign content its name and a sentence."""
    if first is Mark.END_OF_DATA:
        return Content.BLANK, ("", "")
    if isinstance(first, Mark):
        return Content.FOREIGN, ("data", "a filemark, and what may be behind it")
    if first.startswith(block.MAGIC[:7]):
        return Content.CARTRIDGE, ("", "")
    for offset, magic, name, sentence in _KINDS:
        if first.startswith(magic, offset):
            return Content.FOREIGN, (name, sentence)
    return Content.FOREIGN, ("data", "data of another program")
