"""Log pages of a virtual tape drive: counters, states and TapeAlert flags."""

from drivers.virtual.check import bad_field
from drivers.virtual.tape.cartridge import Cartridge, Kind
from drivers.virtual.tape.deck import Deck, megabytes
from drivers.virtual.tape.recording import MB
from formats.scsi import logs
from formats.scsi.logs import LogPage, Parameter

_ASCII = 0x01
STOPS = 0x8000
"""Of page 30, as makers have parameters of their own there: times that the tape stopped for want of data."""


def log_sense(deck: Deck, command: bytes, _: bytes) -> bytes:
    """LOG SENSE."""
    code = command[2] & 0x3F
    if code == logs.SUPPORTED_PAGES:
        return logs.build_supported((logs.SUPPORTED_PAGES, *sorted(_PAGES)))
    if code not in _PAGES:
        raise bad_field()
    found = logs.build(LogPage(code, tuple(_PAGES[code](deck))))
    if code == logs.ALERT_PAGE:
        deck.alerts.clear()  # this page forgets what was read; page 12 does not
    return found


def _number(code: int, value: int, size: int = 8) -> Parameter:
    return Parameter(code, max(0, value).to_bytes(size))


def _write_errors(deck: Deck) -> list[Parameter]:
    totals = deck.totals
    return [_number(3, totals.write_retries), _number(5, totals.host_written), _number(6, totals.write_failures)]


def _read_errors(deck: Deck) -> list[Parameter]:
    totals = deck.totals
    return [_number(3, totals.read_retries), _number(5, totals.host_read), _number(6, totals.read_failures)]


def _sequential(deck: Deck) -> list[Parameter]:
    totals, found = deck.totals, []
    amounts = (totals.host_written, totals.medium_written, totals.medium_read, totals.host_read)
    found += [_number(code, amount) for code, amount in enumerate(amounts)]
    if deck.cartridge is not None:
        cartridge = deck.cartridge
        found += [
            _number(4, megabytes(cartridge.used), 4),
            _number(5, megabytes(cartridge.capacity - cartridge.early_warning), 4),
            _number(6, megabytes(cartridge.early_warning), 4),
        ]
    found.append(_number(0x100, int(deck.needs_cleaning)))
    return found


def _status(deck: Deck) -> list[Parameter]:
    present = 0x10 if deck.cartridge else 0
    return [Parameter(0, bytes((0x06 * deck.needs_cleaning, present, 0, 0)))]


def _alerts(deck: Deck) -> list[Parameter]:
    return list(logs.alert_page(frozenset(deck.alerts)).parameters)


def _alerts_one_by_one(deck: Deck) -> list[Parameter]:
    return [Parameter(flag, bytes((int(flag in deck.alerts),))) for flag in range(1, logs.ALERT_FLAGS + 1)]


def _statistics(deck: Deck) -> list[Parameter]:
    totals = deck.totals
    hours = int(deck.clock.now() // 3600)
    values = (totals.loads, totals.cleanings, hours, int(deck.motion.moved_s // 3600), int(deck.motion.moved_s * 5))
    return [_number(code, value) for code, value in enumerate(values)]


def _volume(deck: Deck) -> list[Parameter]:
    cartridge = deck.ready()
    totals, fact = deck.totals, cartridge.fact
    return [
        _number(0, 1), _number(1, fact("loads")), _number(2, totals.medium_written // MB),
        _number(3, totals.write_retries), _number(4, totals.write_failures), _number(7, totals.medium_read // MB),
        _number(8, totals.read_retries), _number(9, totals.read_failures),
        _number(0x10, fact("written") // MB), _number(0x11, fact("read") // MB),
        _number(0x16, cartridge.capacity // MB), _number(0x17, cartridge.used // MB),
        Parameter(0x40, cartridge.serial.encode().ljust(32), _ASCII),
        _number(0x80, int(cartridge.is_protected), 1), _number(0x81, int(cartridge.kind is Kind.WORM), 1),
        *_partition(cartridge),
    ]  # fmt: skip


def _partition(cartridge: Cartridge) -> list[Parameter]:
    """Capacity, used and left of the only partition; each entry is its length, 3 reserved bytes and partition, MB."""
    values = ((0x202, cartridge.capacity), (0x203, cartridge.used), (0x204, cartridge.capacity - cartridge.used))
    return [Parameter(code, bytes((7, 0, 0, 0)) + (value // MB).to_bytes(4)) for code, value in values]


def _compression(deck: Deck) -> list[Parameter]:
    totals = deck.totals
    ratio = 100 * totals.host_written // totals.medium_written if totals.medium_written else 100
    return [_number(0, 100, 2), _number(1, ratio, 2), _number(2, megabytes(totals.host_read), 4)]


def _usage(deck: Deck) -> list[Parameter]:
    return [_number(1, deck.totals.loads, 4), _number(STOPS, deck.motion.stops, 4)]


def _capacity(deck: Deck) -> list[Parameter]:
    cartridge = deck.ready()
    left, whole = cartridge.capacity - cartridge.used, cartridge.capacity
    return [_number(1, left >> 20, 4), _number(2, 0, 4), _number(3, whole >> 20, 4), _number(4, 0, 4)]


_PAGES = {
    logs.WRITE_ERRORS_PAGE: _write_errors, logs.READ_ERRORS_PAGE: _read_errors, logs.SEQUENTIAL_PAGE: _sequential,
    logs.DRIVE_STATUS_PAGE: _status, logs.ALERT_RESPONSE_PAGE: _alerts, logs.DEVICE_STATISTICS_PAGE: _statistics,
    logs.VOLUME_STATISTICS_PAGE: _volume, logs.COMPRESSION_PAGE: _compression, logs.ALERT_PAGE: _alerts_one_by_one,
    logs.USAGE_PAGE: _usage, logs.CAPACITY_PAGE: _capacity,
}  # fmt: skip
