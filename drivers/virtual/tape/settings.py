"""What a virtual tape drive is, and how it is set: inquiry, block limits, densities, mode pages."""

from drivers.scsi import commands as c
from drivers.virtual.check import Check, bad_field, bad_parameter
from drivers.virtual.tape.cartridge import Kind
from drivers.virtual.tape.deck import Deck
from drivers.virtual.tape.recording import RECORDINGS, checks_blocks
from formats.errors import FormatError
from formats.scsi import inquiry, mode, tape
from formats.scsi.inquiry import DeviceType, Inquiry, Page
from formats.scsi.mode import BlockProtection, Compression, Mode
from formats.scsi.sense import Key
from formats.scsi.tape import BlockLimits, Density

_NO_DESCRIPTOR = 8
_WORM_BIT = 1
_SPECIAL_DENSITY = 0x7F


def inquire(deck: Deck, command: bytes, _: bytes) -> bytes:
    """INQUIRY: the standard answer and the pages 00, 80, 83, B0, B1, B4."""
    names = deck.names
    if not command[1] & 1:
        model = names.model or f"LTO-{deck.drive.number} HH"
        return inquiry.build(Inquiry(DeviceType.TAPE, names.vendor, model, names.revision))
    pages = {
        inquiry.SERIAL_PAGE: names.serial.encode(),
        inquiry.IDENTIFIERS_PAGE: _identifiers(deck),
        inquiry.SEQUENTIAL_PAGE: bytes((1,)),
        inquiry.MANUFACTURER_SERIAL_PAGE: names.serial.encode(),
    }
    if deck.element_address is not None:
        pages[inquiry.ELEMENT_ADDRESS_PAGE] = deck.element_address.to_bytes(2)
    pages[inquiry.SUPPORTED_PAGES] = bytes(sorted({inquiry.SUPPORTED_PAGES, *pages}))
    if command[2] not in pages:
        raise bad_field()
    return inquiry.build_page(Page(DeviceType.TAPE, command[2], pages[command[2]]))


def _identifiers(deck: Deck) -> bytes:
    """One descriptor: vendor, model and serial number in ASCII (T10 vendor id, SPC-4 7.8.6.4)."""
    names = deck.names
    text = names.vendor.encode().ljust(8) + f"LTO-{deck.drive.number} HH".encode().ljust(16) + names.serial.encode()
    return bytes((2, 1, 0, len(text))) + text


def block_limits(deck: Deck, _command: bytes, _data: bytes) -> bytes:
    """READ BLOCK LIMITS."""
    return tape.build_limits(BlockLimits(deck.largest_block_bytes, 1))


def densities(deck: Deck, command: bytes, _: bytes) -> bytes:
    """REPORT DENSITY SUPPORT, of the drive or of the medium."""
    if command[1] & 1:
        wanted: tuple[str, ...] = (deck.ready().recording.media_id,)
    else:
        wanted = deck.drive.reads
    return tape.build_densities(
        tuple(
            Density(
                one.density, one.name, one.description, is_writable=one.media_id in deck.drive.writes,
                is_default=one.media_id == deck.drive.media_id, capacity_mb=one.native_mb,
            )
            for one in RECORDINGS
            if one.media_id in wanted
        )
    )  # fmt: skip


def mode_sense(deck: Deck, command: bytes, _: bytes) -> bytes:
    """MODE SENSE(6) and (10)."""
    code, subpage = command[2] & 0x3F, command[3]
    pages = _pages(deck)
    if code == mode.ALL_PAGES:
        chosen = tuple(pages.values())
    elif code == 0:
        chosen = ()
    elif (code, subpage) in pages:
        chosen = (pages[code, subpage],)
    else:
        raise bad_field()
    cartridge = deck.cartridge
    medium_type = 0
    if cartridge is not None:
        recording = cartridge.recording
        medium_type = recording.worm_medium_type if cartridge.kind is Kind.WORM else recording.medium_type
    density = None if command[1] & _NO_DESCRIPTOR else cartridge.recording.density if cartridge else 0
    found = Mode(
        medium_type, cartridge is not None and cartridge.is_protected, deck.settings.buffered, density=density,
        block_bytes=deck.settings.block_bytes, pages=chosen,
    )  # fmt: skip
    return mode.build(found, long=command[0] == c.MODE_SENSE_10.opcode)


def _pages(deck: Deck) -> dict[tuple[int, int], bytes]:
    settings = deck.settings
    compression = mode.build_compression(Compression(settings.compresses))
    worm = deck.cartridge is not None and deck.cartridge.kind is Kind.WORM
    configuration = bytes(12) + bytes((int(settings.compresses), 0))
    pages = {
        (mode.COMPRESSION_PAGE, 0): mode.page(mode.COMPRESSION_PAGE, compression),
        (mode.DEVICE_CONFIGURATION_PAGE, 0): mode.page(mode.DEVICE_CONFIGURATION_PAGE, configuration),
        (mode.MEDIUM_CONFIGURATION_PAGE, 0): mode.page(
            mode.MEDIUM_CONFIGURATION_PAGE, bytes((_WORM_BIT * worm,)) + bytes(29)
        ),
    }
    if checks_blocks(deck.drive):
        protection = mode.build_protection(settings.protection)
        key = (mode.CONTROL_PAGE, mode.PROTECTION_SUBPAGE)
        pages[key] = mode.page(mode.CONTROL_PAGE, protection, mode.PROTECTION_SUBPAGE)
    return pages


def mode_select(deck: Deck, command: bytes, data: bytes) -> bytes:
    """MODE SELECT(6) and (10): block size, compression, block protection."""
    try:
        found = mode.parse(data, long=command[0] == c.MODE_SELECT_10.opcode)
    except FormatError as error:
        raise Check(Key.ILLEGAL_REQUEST, 0x1A) from error  # parameter list length error
    settings = deck.settings
    if found.density is not None:
        known = {0, _SPECIAL_DENSITY, *(one.density for one in RECORDINGS if one.media_id in deck.drive.writes)}
        if found.density not in known or found.block_bytes > deck.largest_block_bytes:
            raise bad_parameter()
        settings.block_bytes = found.block_bytes
    compression = found.page(mode.COMPRESSION_PAGE)
    if compression is not None:
        settings.compresses = mode.parse_compression(compression).is_on
    protection = found.page(mode.CONTROL_PAGE, mode.PROTECTION_SUBPAGE)
    if protection is not None:
        settings.protection = _protection(deck, protection)
    return b""


def _protection(deck: Deck, body: bytes) -> BlockProtection:
    wanted = mode.parse_protection(body)
    is_on = wanted.on_write or wanted.on_read
    if not checks_blocks(deck.drive) or (is_on and wanted.method != mode.CRC32C):
        raise bad_parameter()
    return wanted
