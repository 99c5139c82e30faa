"""LOG SENSE: counters and states that a device keeps (SPC-4, section 7.3; SSC-4, section 8.2)."""

import dataclasses

from formats.errors import Damaged

WRITE_ERRORS_PAGE = 0x02
READ_ERRORS_PAGE = 0x03
SEQUENTIAL_PAGE = 0x0C
DRIVE_STATUS_PAGE = 0x11
ALERT_RESPONSE_PAGE = 0x12
DEVICE_STATISTICS_PAGE = 0x14
VOLUME_STATISTICS_PAGE = 0x17
COMPRESSION_PAGE = 0x1B
ALERT_PAGE = 0x2E
USAGE_PAGE = 0x30
CAPACITY_PAGE = 0x31
SUPPORTED_PAGES = 0x00

ALERT_FLAGS = 64
_HEAD_BYTES = 4
_PARAMETER_HEAD_BYTES = 4
_LIST, _BINARY_LIST = 0x00, 0x03


@dataclasses.dataclass(frozen=True)
class Parameter:
    """A parameter of a page: its bytes, and the control byte that says how to read them."""

    code: int
    value: bytes
    control: int = _BINARY_LIST

    @property
    def number(self) -> int:
        """The value of a counter."""
        return int.from_bytes(self.value)


@dataclasses.dataclass(frozen=True)
class LogPage:
    """A log page."""

    code: int
    parameters: tuple[Parameter, ...] = ()

    def get(self, code: int) -> Parameter | None:
        """The parameter of that code."""
        return next((found for found in self.parameters if found.code == code), None)

    def number(self, code: int) -> int | None:
        """The value of that counter; None where the device keeps none."""
        found = self.get(code)
        return None if found is None else found.number


def build(page: LogPage) -> bytes:
    """The page with its head."""
    body = b"".join(
        found.code.to_bytes(2) + bytes((found.control, len(found.value))) + found.value for found in page.parameters
    )
    return bytes((page.code, 0)) + len(body).to_bytes(2) + body


def parse(data: bytes) -> LogPage:
    """The whole parameters of a page. Raises Damaged where there is not even a head."""
    if len(data) < _HEAD_BYTES:
        raise Damaged(f"log page: {len(data)} bytes")
    place, end = _HEAD_BYTES, min(len(data), _HEAD_BYTES + int.from_bytes(data[2:4]))
    found = []
    while place + _PARAMETER_HEAD_BYTES <= end:
        size = data[place + 3]
        value = bytes(data[place + _PARAMETER_HEAD_BYTES : place + _PARAMETER_HEAD_BYTES + size])
        if place + _PARAMETER_HEAD_BYTES + size > end:
            break
        found.append(Parameter(int.from_bytes(data[place : place + 2]), value, data[place + 2]))
        place += _PARAMETER_HEAD_BYTES + size
    return LogPage(data[0] & 0x3F, tuple(found))


def build_supported(codes: tuple[int, ...]) -> bytes:
    """Page 00: the pages that there are."""
    return bytes((SUPPORTED_PAGES, 0)) + len(codes).to_bytes(2) + bytes(codes)


def parse_supported(data: bytes) -> tuple[int, ...]:
    """Raises Damaged where there is not even a head."""
    if len(data) < _HEAD_BYTES:
        raise Damaged(f"log page: {len(data)} bytes")
    return tuple(code & 0x3F for code in data[_HEAD_BYTES : _HEAD_BYTES + int.from_bytes(data[2:4])])


def alert_page(flags: frozenset[int]) -> LogPage:
    """Page 12: TapeAlert flags 1 to 64 as bits, flag 1 first. Reading it clears nothing."""
    bits = sum(1 << (ALERT_FLAGS - flag) for flag in flags)
    return LogPage(ALERT_RESPONSE_PAGE, (Parameter(0, bits.to_bytes(ALERT_FLAGS // 8)),))


def alerts(page: LogPage) -> frozenset[int]:
    """The TapeAlert flags of page 12 or 2E."""
    if page.code == ALERT_PAGE:
        return frozenset(found.code for found in page.parameters if found.value[:1] and found.value[0] & 1)
    found = page.get(0)
    bits = int.from_bytes(found.value[: ALERT_FLAGS // 8].ljust(ALERT_FLAGS // 8, b"\0")) if found else 0
    return frozenset(flag for flag in range(1, ALERT_FLAGS + 1) if bits >> (ALERT_FLAGS - flag) & 1)
