"""MODE SENSE and MODE SELECT: how a device is set (SPC-4, section 7.5; SSC-4, section 8.3)."""

import dataclasses

from formats.errors import Damaged

COMPRESSION_PAGE = 0x0F
DEVICE_CONFIGURATION_PAGE = 0x10
MEDIUM_CONFIGURATION_PAGE = 0x1D
CONTROL_PAGE = 0x0A
PROTECTION_SUBPAGE = 0xF0
ALL_PAGES = 0x3F

_HEAD_6, _HEAD_10 = 4, 8
_DESCRIPTOR_BYTES = 8
_PROTECTED = 0x80
_SUBPAGE = 0x40
_DCE, _DCC, _DDE = 0x80, 0x40, 0x80
_LBP_WRITE, _LBP_READ = 0x80, 0x40
NO_PROTECTION, REED_SOLOMON, CRC32C = 0, 1, 2


@dataclasses.dataclass(frozen=True)
class Mode:
    """The head, the first block descriptor and the pages, each as its bytes with its own head."""

    medium_type: int = 0
    is_write_protected: bool = False
    buffered: int = 1
    speed: int = 0
    density: int | None = None
    """None: there is no block descriptor."""
    block_bytes: int = 0
    """Of fixed blocks; 0: variable."""
    pages: tuple[bytes, ...] = ()

    def page(self, code: int, subpage: int = 0) -> bytes | None:
        """The body of a page, behind its head."""
        for page in self.pages:
            has_subpage = bool(page[0] & _SUBPAGE)
            if page[0] & 0x3F == code and (page[1] if has_subpage else 0) == subpage:
                return page[4:] if has_subpage else page[2:]
        return None


def page(code: int, body: bytes, subpage: int = 0) -> bytes:
    """A page with its head."""
    if subpage:
        return bytes((code | _SUBPAGE, subpage)) + len(body).to_bytes(2) + body
    return bytes((code, len(body))) + body


def build(mode: Mode, *, long: bool = False, for_select: bool = False) -> bytes:
    """The parameter list; `long` for the 10-byte commands. For MODE SELECT its own length stays zero."""
    descriptor = b""
    if mode.density is not None:
        descriptor = bytes((mode.density, 0, 0, 0, 0)) + mode.block_bytes.to_bytes(3)
    specific = mode.buffered << 4 | mode.speed | (0 if for_select else _PROTECTED * mode.is_write_protected)
    body = descriptor + b"".join(mode.pages)
    if long:
        size = 0 if for_select else _HEAD_10 - 2 + len(body)
        head = size.to_bytes(2) + bytes((mode.medium_type, specific, 0, 0)) + len(descriptor).to_bytes(2)
    else:
        size = 0 if for_select else _HEAD_6 - 1 + len(body)
        head = bytes((min(size, 0xFF), mode.medium_type, specific, len(descriptor)))
    return head + body


def parse(data: bytes, *, long: bool = False) -> Mode:
    """What is there of a parameter list, of MODE SENSE or MODE SELECT. Raises Damaged where there is no whole head."""
    head = _HEAD_10 if long else _HEAD_6
    if len(data) < head:
        raise Damaged(f"mode parameters: {len(data)} bytes")
    medium_type, specific = (data[2], data[3]) if long else (data[1], data[2])
    descriptors = int.from_bytes(data[6:8]) if long else data[3]
    density, block_bytes = None, 0
    if descriptors >= _DESCRIPTOR_BYTES and len(data) >= head + _DESCRIPTOR_BYTES:
        density, block_bytes = data[head], int.from_bytes(data[head + 5 : head + 8])
    return Mode(
        medium_type, bool(specific & _PROTECTED), specific >> 4 & 7, specific & 0xF, density, block_bytes,
        tuple(_pages(bytes(data[head + descriptors :]))),
    )  # fmt: skip


def _pages(data: bytes) -> list[bytes]:
    found = []
    while len(data) >= 2:  # noqa: PLR2004 - a page's head
        size = 4 + int.from_bytes(data[2:4]) if data[0] & _SUBPAGE else 2 + data[1]
        if size > len(data):
            break
        found.append(bytes((data[0] & 0x7F,)) + data[1:size])
        data = data[size:]
    return found


@dataclasses.dataclass(frozen=True)
class Compression:
    """Data compression by the drive (page 0F)."""

    is_on: bool
    is_capable: bool = True
    decompresses: bool = True


def build_compression(compression: Compression) -> bytes:
    """The body of page 0F."""
    flags = _DCE * compression.is_on | _DCC * compression.is_capable
    return bytes((flags, _DDE * compression.decompresses)) + (1).to_bytes(4) + (1).to_bytes(4) + bytes(4)


def parse_compression(body: bytes) -> Compression:
    """Raises Damaged where the page is too short."""
    if len(body) < 2:  # noqa: PLR2004 - what is read of it
        raise Damaged(f"compression page: {len(body)} bytes")
    return Compression(bool(body[0] & _DCE), bool(body[0] & _DCC), bool(body[1] & _DDE))


@dataclasses.dataclass(frozen=True)
class BlockProtection:
    """Logical block protection (page 0A, subpage F0): a check behind each block on the way, not on the tape."""

    method: int = NO_PROTECTION
    on_write: bool = False
    on_read: bool = False
    check_bytes: int = 4


def build_protection(protection: BlockProtection) -> bytes:
    """The body of page 0A/F0."""
    flags = _LBP_WRITE * protection.on_write | _LBP_READ * protection.on_read
    return bytes((protection.method, protection.check_bytes, flags)) + bytes(25)


def parse_protection(body: bytes) -> BlockProtection:
    """Raises Damaged where the page is too short."""
    if len(body) < 3:  # noqa: PLR2004 - what is read of it
        raise Damaged(f"block protection page: {len(body)} bytes")
    return BlockProtection(body[0], bool(body[2] & _LBP_WRITE), bool(body[2] & _LBP_READ), body[1] & 0x3F)
