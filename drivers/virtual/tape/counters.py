"""LOG SENSE and LOG SELECT: what the drive counts, of itself and of the cartridge (SSC-4, section 8.2)."""

from collections.abc import Callable

from drivers.virtual.check import bad_field
from drivers.virtual.tape.cartridge import Kind
from drivers.virtual.tape.deck import Deck, megabytes
from formats.scsi import logs, mam
from formats.scsi.logs import LogPage, Parameter

STREAMING_PAGE = 0x36
"""A page of this drive's own: 0 stops, 1 flushes, 2 milliseconds that the host waited, 3 milliseconds in motion."""
_CLEAN_REQUESTED, _CLEAN_REQUIRED = 0x02, 0x04
_MEDIUM_PRESENT = 0x10
_ASCII = 0x01


def log_sense(deck: Deck, command: bytes, _data: bytes) -> bytes:
    """LOG SENSE."""
    code = command[2] & 0x3F
    if command[3]:
        raise bad_field()
    if code == logs.SUPPORTED_PAGES:
        return logs.build_supported((0, *sorted(_PAGES)))
    if code not in _PAGES:
        raise bad_field()
    return logs.build(_PAGES[code](deck))


def log_select(deck: Deck, _command: bytes, data: bytes) -> bytes:
    """LOG SELECT: sets the drive's own counters back."""
    if data:
        raise bad_field()
    totals = deck.totals
    totals.write_retries = totals.write_failures = totals.read_retries = totals.read_failures = 0
    return b""


def _counted(code: int, *values: tuple[int, int], size: int = 8) -> LogPage:
    return LogPage(code, tuple(Parameter(number, value.to_bytes(size)) for number, value in values))


def _write_errors(deck: Deck) -> LogPage:
    totals = deck.totals
    return _counted(
        logs.WRITE_ERRORS_PAGE, (2, totals.write_retries), (3, totals.write_retries), (4, 0),
        (5, totals.medium_written), (6, totals.write_failures),
    )  # fmt: skip


def _read_errors(deck: Deck) -> LogPage:
    totals = deck.totals
    return _counted(
        logs.READ_ERRORS_PAGE, (2, totals.read_retries), (3, totals.read_retries), (4, 0), (5, totals.medium_read),
        (6, totals.read_failures),
    )  # fmt: skip


def _sequential(deck: Deck) -> LogPage:
    totals, cartridge = deck.totals, deck.cartridge
    used = cartridge.used if cartridge else 0
    warned_at = cartridge.capacity - cartridge.early_warning if cartridge else 0
    trailer = cartridge.early_warning if cartridge else 0
    return _counted(
        logs.SEQUENTIAL_PAGE, (0, totals.host_written), (1, totals.medium_written), (2, totals.medium_read),
        (3, totals.host_read), (4, megabytes(used)), (5, megabytes(warned_at)), (6, megabytes(trailer)),
        (0x100, int(deck.needs_cleaning)),
    )  # fmt: skip


def _drive_status(deck: Deck) -> LogPage:
    """Very high frequency data (ADC-3, section 6.1.2.2), as far as a host is told."""
    cleaning = (_CLEAN_REQUESTED | _CLEAN_REQUIRED) * deck.needs_cleaning
    return LogPage(
        logs.DRIVE_STATUS_PAGE,
        (Parameter(0, bytes((cleaning, _MEDIUM_PRESENT * (deck.cartridge is not None), 0, 0))),),
    )


def _alert_response(deck: Deck) -> LogPage:
    return logs.alert_page(frozenset(deck.alerts))


def _alerts(deck: Deck) -> LogPage:
    """Page 2E: telling them clears them."""
    told = tuple(Parameter(flag, bytes((flag in deck.alerts,))) for flag in range(1, logs.ALERT_FLAGS + 1))
    deck.alerts.clear()
    return LogPage(logs.ALERT_PAGE, told)


def _device_statistics(deck: Deck) -> LogPage:
    totals = deck.totals
    metres = (totals.medium_written + totals.medium_read) // 10**9
    hours, moved = int(deck.clock.now() // 3600), int(deck.motion.moved_s // 3600)
    return _counted(
        logs.DEVICE_STATISTICS_PAGE, (0, totals.loads), (1, totals.cleanings), (2, hours), (3, moved), (4, metres)
    )


def _volume_statistics(deck: Deck) -> LogPage:
    cartridge, totals = deck.cartridge, deck.totals
    if cartridge is None:
        return _counted(logs.VOLUME_STATISTICS_PAGE, (0, 0))
    used = megabytes(cartridge.used)
    numbers = (
        (0x00, 1), (0x01, cartridge.fact("loads")), (0x02, cartridge.fact("written")), (0x03, totals.write_retries),
        (0x04, totals.write_failures), (0x07, cartridge.fact("read")), (0x08, totals.read_retries),
        (0x09, cartridge.fact("read_failures")), (0x0E, megabytes(cartridge.fact("last_written"))),
        (0x0F, megabytes(cartridge.fact("last_read"))), (0x10, megabytes(cartridge.fact("written"))),
        (0x11, megabytes(cartridge.fact("read"))), (0x16, megabytes(cartridge.capacity)), (0x17, used),
    )  # fmt: skip
    flags = ((0x80, int(cartridge.is_protected)), (0x81, int(cartridge.kind is Kind.WORM)))
    texts = [(0x40, cartridge.serial.encode().ljust(32)), (0x43, b"TAPEKIT "), (0x44, _density_name(deck).ljust(4))]
    barcode = next((one.value for one in cartridge.attributes() if one.id == mam.BARCODE), b"")
    if barcode:
        texts.append((0x42, barcode))
    rooms = (
        (0x202, megabytes(cartridge.capacity)), (0x203, used), (0x204, megabytes(cartridge.capacity) - used)
    )  # fmt: skip
    parameters = [Parameter(number, value.to_bytes(8)) for number, value in numbers]
    parameters += [Parameter(number, value, _ASCII) for number, value in sorted(texts)]
    parameters += [Parameter(number, bytes((value,))) for number, value in flags]
    # Of each partition: a record with its own length, two reserved bytes, the partition's number (SSC-4, 8.2.9)
    parameters += [Parameter(number, bytes((7, 0, 0, 0)) + value.to_bytes(4)) for number, value in rooms]
    return LogPage(logs.VOLUME_STATISTICS_PAGE, tuple(parameters))


def _density_name(deck: Deck) -> bytes:
    return deck.cartridge.recording.media_id.encode() if deck.cartridge else b""


def _compression(deck: Deck) -> LogPage:
    totals = deck.totals
    ratio = 100 * totals.host_written // totals.medium_written if totals.medium_written else 100
    read = 100 * totals.host_read // totals.medium_read if totals.medium_read else 100
    whole, rest = divmod(totals.host_written, 10**6)
    from_tape, rest_read = divmod(totals.host_read, 10**6)
    return _counted(
        logs.COMPRESSION_PAGE, (0, min(read, 0xFFFF)), (1, min(ratio, 0xFFFF)), (2, from_tape), (3, rest_read),
        (4, megabytes(totals.medium_read)), (6, whole), (7, rest), (8, megabytes(totals.medium_written)), size=4,
    )  # fmt: skip


def _usage(deck: Deck) -> LogPage:
    """Page 30 differs from maker to maker; here: loads, 1 MB written and read in the cartridge's life."""
    cartridge = deck.cartridge
    written, read, loads = (cartridge.fact(name) if cartridge else 0 for name in ("written", "read", "loads"))
    return _counted(logs.USAGE_PAGE, (1, loads), (2, megabytes(written)), (3, megabytes(read)), size=4)


def _capacity(deck: Deck) -> LogPage:
    """Page 31: what is left and what there is, in MiB, of the only partition and of a second one."""
    cartridge = deck.cartridge
    left = max(cartridge.capacity - cartridge.used, 0) >> 20 if cartridge else 0
    whole = cartridge.capacity >> 20 if cartridge else 0
    return _counted(logs.CAPACITY_PAGE, (1, left), (2, 0), (3, whole), (4, 0), size=4)


def _streaming(deck: Deck) -> LogPage:
    motion = deck.motion
    return _counted(
        STREAMING_PAGE, (0, motion.stops), (1, motion.flushes), (2, int(motion.waited_s * 1000)),
        (3, int(motion.moved_s * 1000)),
    )  # fmt: skip


_PAGES: dict[int, Callable[[Deck], LogPage]] = {
    logs.WRITE_ERRORS_PAGE: _write_errors, logs.READ_ERRORS_PAGE: _read_errors, logs.SEQUENTIAL_PAGE: _sequential,
    logs.DRIVE_STATUS_PAGE: _drive_status, logs.ALERT_RESPONSE_PAGE: _alert_response,
    logs.DEVICE_STATISTICS_PAGE: _device_statistics, logs.VOLUME_STATISTICS_PAGE: _volume_statistics,
    logs.COMPRESSION_PAGE: _compression, logs.ALERT_PAGE: _alerts, logs.USAGE_PAGE: _usage,
    logs.CAPACITY_PAGE: _capacity, STREAMING_PAGE: _streaming,
}  # fmt: skip
