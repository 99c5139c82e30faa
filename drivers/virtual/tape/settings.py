"""INQUIRY, MODE SENSE and MODE SELECT, REPORT DENSITY SUPPORT."""

from drivers.scsi import commands
from drivers.virtual.check import bad_field, bad_parameter, number
from drivers.virtual.tape.cartridge import Kind
from drivers.virtual.tape.deck import Deck
from drivers.virtual.tape.recording import MB, RECORDINGS, Recording, checks_blocks, recording
from formats.errors import Damaged
from formats.scsi import inquiry, mode, tape
from formats.scsi.inquiry import DeviceType, Inquiry, Page
from formats.scsi.mode import Compression, Mode
from formats.scsi.tape import Density

_VITAL, _NO_DESCRIPTOR = 1, 8
_OF_MEDIUM = 1
_PARTITION_PAGE = 0x11
_CONFIGURATION_EXTENSION = 0x01
_CLEANING_MEDIUM = 0x01
_EXTENDED_BYTES = 60


def product(deck: Deck, command: bytes, _data: bytes) -> bytes:
    """INQUIRY."""
    if not command[1] & _VITAL:
        if command[2]:
            raise bad_field()
        names = deck.names
        model = names.model or f"LTO-{deck.drive.number} HH"
        return inquiry.build(Inquiry(DeviceType.TAPE, names.vendor, model, names.revision)) + bytes(_EXTENDED_BYTES)
    pages = _product_pages(deck)
    if command[2] == inquiry.SUPPORTED_PAGES:
        return inquiry.build_page(Page(DeviceType.TAPE, 0, bytes((0, *pages))))
    if command[2] not in pages:
        raise bad_field()
    return inquiry.build_page(Page(DeviceType.TAPE, command[2], pages[command[2]]))


def _product_pages(deck: Deck) -> dict[int, bytes]:
    names = deck.names
    serial = names.serial.encode()
    designator = names.vendor.encode().ljust(8) + (names.model or deck.drive.name).encode().ljust(16) + serial
    # Designators (SPC-4, section 7.8.6): T10 vendor id in ASCII; NAA, locally assigned, from the serial number
    naa = (0x3 << 60 | int.from_bytes(serial[-7:])).to_bytes(8)
    identifiers = bytes((2, 1, 0, len(designator))) + designator + bytes((1, 3, 0, len(naa))) + naa
    pages = {
        inquiry.SERIAL_PAGE: serial,
        inquiry.IDENTIFIERS_PAGE: identifiers,
        inquiry.SEQUENTIAL_PAGE: b"\1\0",
        inquiry.MANUFACTURER_SERIAL_PAGE: serial,
    }
    if deck.element_address is not None:
        pages[inquiry.ELEMENT_ADDRESS_PAGE] = deck.element_address.to_bytes(2)
    return pages


def mode_sense(deck: Deck, command: bytes, _data: bytes) -> bytes:
    """MODE SENSE(6) and (10)."""
    is_long = command[0] == commands.MODE_SENSE_10.opcode
    code, subpage = command[2] & 0x3F, command[3]
    pages = _pages(deck)
    if code == mode.ALL_PAGES:
        found = tuple(page for (_, sub), page in pages.items() if not sub or subpage)
    elif not code:
        found = ()
    elif (code, subpage) in pages:
        found = (pages[code, subpage],)
    else:
        raise bad_field()
    made = _head(deck, found, has_descriptor=not command[1] & _NO_DESCRIPTOR)
    return mode.build(made, long=is_long)


def _head(deck: Deck, pages: tuple[bytes, ...], *, has_descriptor: bool) -> Mode:
    cartridge, settings = deck.cartridge, deck.settings
    medium_type, density, is_protected = 0, 0, False
    if cartridge:
        is_worm = cartridge.kind is Kind.WORM
        medium_type = cartridge.recording.worm_medium_type if is_worm else cartridge.recording.medium_type
        if cartridge.kind is Kind.CLEANING:
            medium_type = _CLEANING_MEDIUM
        density, is_protected = cartridge.recording.density, cartridge.is_protected
    return Mode(
        medium_type, is_protected, settings.buffered, 0, density if has_descriptor else None,
        settings.block_bytes, pages,
    )  # fmt: skip


def _pages(deck: Deck) -> dict[tuple[int, int], bytes]:
    settings, cartridge = deck.settings, deck.cartridge
    is_worm = cartridge is not None and cartridge.kind is Kind.WORM
    configuration = bytearray(14)
    configuration[12] = int(settings.compresses)
    extension = bytes(2) + (settings.programmable_warning // MB).to_bytes(2) + bytes(24)
    made = {
        (mode.COMPRESSION_PAGE, 0): mode.build_compression(Compression(settings.compresses)),
        (mode.DEVICE_CONFIGURATION_PAGE, 0): bytes(configuration),
        (mode.DEVICE_CONFIGURATION_PAGE, _CONFIGURATION_EXTENSION): extension,
        (_PARTITION_PAGE, 0): bytes((0, 0, 0, 0x03, 0, 0)),
        (mode.MEDIUM_CONFIGURATION_PAGE, 0): bytes((int(is_worm),)) + bytes(29),
    }
    if checks_blocks(deck.drive):
        made[mode.CONTROL_PAGE, mode.PROTECTION_SUBPAGE] = mode.build_protection(settings.protection)
    return {(code, sub): mode.page(code, body, sub) for (code, sub), body in made.items()}


def mode_select(deck: Deck, command: bytes, data: bytes) -> bytes:
    """MODE SELECT(6) and (10)."""
    try:
        wanted = mode.parse(data, long=command[0] == commands.MODE_SELECT_10.opcode)
    except Damaged as error:
        raise bad_parameter() from error
    if wanted.block_bytes > deck.largest_block_bytes:
        raise bad_parameter()
    deck.flush()
    for page in wanted.pages:
        _set(deck, page)
    if wanted.density is not None:
        deck.settings.block_bytes = wanted.block_bytes
    deck.settings.buffered = wanted.buffered
    return b""


def _set(deck: Deck, page: bytes) -> None:
    settings = deck.settings
    has_subpage = bool(page[0] & 0x40)
    place = (page[0] & 0x3F, page[1] if has_subpage else 0)
    body = page[4:] if has_subpage else page[2:]
    if place not in _pages(deck):
        raise bad_parameter()
    if place == (mode.COMPRESSION_PAGE, 0):
        settings.compresses = mode.parse_compression(body).is_on
    elif place == (mode.DEVICE_CONFIGURATION_PAGE, 0):
        settings.compresses = bool(body[12])
    elif place == (mode.DEVICE_CONFIGURATION_PAGE, _CONFIGURATION_EXTENSION):
        settings.programmable_warning = int.from_bytes(body[2:4]) * MB
    elif place == (mode.CONTROL_PAGE, mode.PROTECTION_SUBPAGE):
        protection = mode.parse_protection(body)
        if protection.method not in (mode.NO_PROTECTION, mode.CRC32C):
            raise bad_parameter()
        settings.protection = protection
    elif page != _pages(deck)[place]:
        raise bad_parameter()  # what cannot be changed may be sent as it is


def report_density(deck: Deck, command: bytes, _data: bytes) -> bytes:
    """REPORT DENSITY SUPPORT, of the drive, or of the cartridge in it."""
    if command[1] & _OF_MEDIUM:
        found: tuple[Recording, ...] = (deck.ready().recording,)
    else:
        found = tuple(one for one in RECORDINGS if one.media_id in deck.drive.reads)
    best = recording(deck.drive.media_id)
    return tape.build_densities(
        tuple(
            Density(
                one.density, one.name, one.description, is_writable=one.media_id in deck.drive.writes,
                is_default=one is best, capacity_mb=one.native_mb,
            )
            for one in found
        )
    )  # fmt: skip


def report_luns(_deck: Deck, command: bytes, _data: bytes) -> bytes:
    """REPORT LUNS: one."""
    if number(command, 6, 4) < 16:  # noqa: PLR2004 - the least that SPC-4, section 6.33, allows
        raise bad_field()
    return (8).to_bytes(4) + bytes(12)
