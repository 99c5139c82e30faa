"""What a drive says of itself and of the cartridge in it, without moving the tape."""

import contextlib
import dataclasses

from drivers.base import Identity
from drivers.scsi import commands
from drivers.scsi.commands import CommandFailed
from drivers.scsi.generations import Generation, media_of, of_model
from drivers.scsi.transport import Transport
from formats.errors import FormatError
from formats.scsi import inquiry, logs, mam, mode
from formats.scsi.inquiry import DeviceType
from formats.scsi.mam import Attribute

MIB = 1 << 20
MB = 10**6
_WORM_BIT = 0x01
_WORM_TYPE, _TYPE_MASK = 0x0C, 0x0F
COUNTERS = (
    (logs.WRITE_ERRORS_PAGE, 3, "write errors corrected"),
    (logs.WRITE_ERRORS_PAGE, 6, "write errors not corrected"),
    (logs.READ_ERRORS_PAGE, 3, "read errors corrected"),
    (logs.READ_ERRORS_PAGE, 6, "read errors not corrected"),
    (logs.SEQUENTIAL_PAGE, 0x100, "cleaning wanted"),
    (logs.DEVICE_STATISTICS_PAGE, 0, "drive: loads"),
    (logs.DEVICE_STATISTICS_PAGE, 1, "drive: cleanings"),
    (logs.DEVICE_STATISTICS_PAGE, 2, "drive: power-on hours"),
    (logs.DEVICE_STATISTICS_PAGE, 3, "drive: motion hours"),
    (logs.DEVICE_STATISTICS_PAGE, 4, "drive: metres of tape"),
    (logs.VOLUME_STATISTICS_PAGE, 1, "cartridge: mounts"),
    (logs.VOLUME_STATISTICS_PAGE, 3, "cartridge: write retries"),
    (logs.VOLUME_STATISTICS_PAGE, 4, "cartridge: writes that failed"),
    (logs.VOLUME_STATISTICS_PAGE, 8, "cartridge: read retries"),
    (logs.VOLUME_STATISTICS_PAGE, 9, "cartridge: reads that failed"),
    (logs.VOLUME_STATISTICS_PAGE, 0x10, "cartridge: MB written in its life"),
    (logs.VOLUME_STATISTICS_PAGE, 0x11, "cartridge: MB read in its life"),
)
"""Page, parameter, and what the counter is called; the unit of the last two differs from maker to maker."""


@dataclasses.dataclass(frozen=True)
class Cartridge:
    """What the drive and the chip tell of the cartridge."""

    density: int = 0
    write_protected: bool = False
    worm: bool = False
    capacity_bytes: int = 0
    remaining_bytes: int = 0
    serial: str = ""
    barcode: str = ""

    @property
    def media_id(self) -> str:
        """As on its barcode: L6; empty where the density is not known."""
        return media_of(self.density) or ""


def identity(transport: Transport) -> tuple[Identity, int, Generation | None]:
    """Who the drive is, its device type, and its generation. Raises CommandFailed, TransportError, Damaged."""
    found = commands.standard_inquiry(transport)
    serial = ""
    with contextlib.suppress(CommandFailed, FormatError):
        serial = inquiry.serial(commands.product_page(transport, inquiry.SERIAL_PAGE))
    who = Identity(transport.node, found.vendor, found.model, serial, found.revision)
    return who, found.device_type, of_model(found.model) if found.device_type == DeviceType.TAPE else None


def cartridge(transport: Transport, generation: Generation | None) -> Cartridge:
    """The cartridge that is loaded. What the drive does not tell is left out."""
    density, protected, worm = 0, False, False
    try:
        found = commands.mode_sense(transport, 0)
        density, protected = found.density or 0, found.is_write_protected
        worm = bool(found.medium_type) and found.medium_type & _TYPE_MASK == _WORM_TYPE
    except (CommandFailed, FormatError):
        pass
    try:
        body = commands.mode_sense(transport, mode.MEDIUM_CONFIGURATION_PAGE).page(mode.MEDIUM_CONFIGURATION_PAGE)
        worm = bool(body[0] & _WORM_BIT) if body else worm
    except (CommandFailed, FormatError):
        pass
    chip = {attribute.id: attribute for attribute in attributes(transport)}
    capacity, remaining = _mib(chip.get(mam.MAXIMUM_MIB)), _mib(chip.get(mam.REMAINING_MIB))
    if not capacity and generation is not None:
        capacity = generation.capacity_gb * 10**9
    return Cartridge(
        density, protected, worm, capacity, min(remaining, capacity) or capacity,
        _text(chip.get(mam.SERIAL)), _text(chip.get(mam.BARCODE)),
    )  # fmt: skip


def attributes(transport: Transport) -> tuple[Attribute, ...]:
    """All that the chip holds; nothing where the drive has no such command, or there is no cartridge."""
    try:
        return commands.read_attributes(transport)
    except (CommandFailed, FormatError):
        return ()


def remaining_bytes(transport: Transport) -> int | None:
    """What the chip says is left."""
    return next((_mib(one) for one in attributes(transport) if one.id == mam.REMAINING_MIB), None)


def alerts(transport: Transport) -> frozenset[int]:
    """TapeAlert flags, from the page whose reading does not clear them where the drive has it."""
    pages = _pages(transport)
    code = logs.ALERT_RESPONSE_PAGE if logs.ALERT_RESPONSE_PAGE in pages else logs.ALERT_PAGE
    if code not in pages:
        return frozenset()
    try:
        return logs.alerts(commands.log_sense(transport, code))
    except (CommandFailed, FormatError):
        return frozenset()


def counters(transport: Transport) -> dict[str, int]:
    """Counters of the drive and of the cartridge, as far as it keeps them."""
    available, found = _pages(transport), {}
    for code in sorted({page for page, _, _ in COUNTERS if page in available}):
        try:
            page = commands.log_sense(transport, code)
        except (CommandFailed, FormatError):
            continue
        for wanted, parameter, name in COUNTERS:
            number = page.number(parameter) if wanted == code else None
            if number is not None:
                found[name] = number
    return found


def _pages(transport: Transport) -> tuple[int, ...]:
    try:
        return commands.log_pages(transport)
    except (CommandFailed, FormatError):
        return ()


def _mib(attribute: Attribute | None) -> int:
    return int.from_bytes(attribute.value) * MIB if attribute else 0


def _text(attribute: Attribute | None) -> str:
    return str(attribute.shown) if attribute else ""
