"""The table of commands: operation code, layout, and how long to wait; and what is asked of every kind of device.

Timeouts are those that the makers' manuals recommend (IBM and HPE, half-height drives of generation 9 where nothing
else is said); older generations are done sooner, and a longer wait for them costs only a broken drive's patience.
"""

import dataclasses

from drivers.errors import DriveError
from drivers.scsi.transport import BUSY, CHECK_CONDITION, RESERVATION_CONFLICT, TASK_SET_FULL, Buffer, Reply, Transport
from formats.scsi import inquiry, logs, mam, mode
from formats.scsi.inquiry import Inquiry, Page
from formats.scsi.logs import LogPage
from formats.scsi.mam import Attribute
from formats.scsi.mode import Mode
from formats.scsi.sense import Key, Sense


@dataclasses.dataclass(frozen=True)
class Command:
    """A row of the table. `size` is that of the command block, `timeout_s` how long its answer may take."""

    name: str
    opcode: int
    size: int
    timeout_s: float
    reference: str
    timeout_of_generation: tuple[tuple[int, float], ...] = ()
    """Up to and including that generation of LTO, this timeout; behind the last one, `timeout_s`."""
    is_relative: bool = False
    """Whether it is done where the tape stands, so that it does something else when it is done twice."""

    def timeout(self, generation: int | None = None) -> float:
        """How long to wait at a drive of that generation."""
        if generation is not None:
            for last, timeout_s in self.timeout_of_generation:
                if generation <= last:
                    return timeout_s
        return self.timeout_s


TEST_UNIT_READY = Command("test unit ready", 0x00, 6, 60, "SPC-4 6.47")
REWIND = Command("rewind", 0x01, 6, 600, "SSC-4 7.11")
REQUEST_SENSE = Command("request sense", 0x03, 6, 60, "SPC-4 6.39")
READ_BLOCK_LIMITS = Command("read block limits", 0x05, 6, 60, "SSC-4 7.4")
INITIALIZE_ELEMENT_STATUS = Command("initialize element status", 0x07, 6, 3600, "SMC-3 6.2")
READ = Command("read", 0x08, 6, 2340, "SSC-4 6.4", ((8, 1500),), is_relative=True)
WRITE = Command("write", 0x0A, 6, 1560, "SSC-4 6.9", ((8, 1500),), is_relative=True)
WRITE_FILEMARKS = Command("write filemarks", 0x10, 6, 1680, "SSC-4 6.10", is_relative=True)
SPACE = Command("space", 0x11, 6, 2940, "SSC-4 7.9", is_relative=True)
INQUIRY = Command("inquiry", 0x12, 6, 60, "SPC-4 6.6")
MODE_SELECT_6 = Command("mode select", 0x15, 6, 60, "SPC-4 6.11")
ERASE = Command("erase", 0x19, 6, 166370, "SSC-4 6.2", ((8, 60000),), is_relative=True)
MODE_SENSE_6 = Command("mode sense", 0x1A, 6, 60, "SPC-4 6.13")
LOAD_UNLOAD = Command("load or unload", 0x1B, 6, 960, "SSC-4 7.2")
START_STOP_UNIT = Command("start or stop", 0x1B, 6, 120, "SBC-4 5.31")
PREVENT_ALLOW = Command("prevent or allow removal", 0x1E, 6, 60, "SPC-4 6.15")
READ_CAPACITY = Command("read capacity", 0x25, 10, 60, "SBC-4 5.20")
LOCATE = Command("locate", 0x2B, 10, 2940, "SSC-4 7.3")
READ_POSITION = Command("read position", 0x34, 10, 60, "SSC-4 7.7")
INITIALIZE_ELEMENT_RANGE = Command("initialize element status with range", 0xE7, 10, 3600, "makers' manuals")
REPORT_DENSITY = Command("report density support", 0x44, 10, 60, "SSC-4 7.8")
LOG_SELECT = Command("log select", 0x4C, 10, 60, "SPC-4 6.7")
LOG_SENSE = Command("log sense", 0x4D, 10, 60, "SPC-4 6.8")
MODE_SELECT_10 = Command("mode select", 0x55, 10, 60, "SPC-4 6.12")
MODE_SENSE_10 = Command("mode sense", 0x5A, 10, 60, "SPC-4 6.14")
READ_ATTRIBUTE = Command("read attribute", 0x8C, 16, 60, "SPC-4 6.18")
WRITE_ATTRIBUTE = Command("write attribute", 0x8D, 16, 60, "SPC-4 6.48")
SPACE_16 = Command("space", 0x91, 16, 2940, "SSC-4 7.10", is_relative=True)
LOCATE_16 = Command("locate", 0x92, 16, 2940, "SSC-4 7.4")
SECURITY_IN = Command("security protocol in", 0xA2, 12, 60, "SPC-4 6.40")
MOVE_MEDIUM = Command("move medium", 0xA5, 12, 1800, "SMC-3 6.6")
EXCHANGE_MEDIUM = Command("exchange medium", 0xA6, 12, 3600, "SMC-3 6.1")
SECURITY_OUT = Command("security protocol out", 0xB5, 12, 60, "SPC-4 6.41")
READ_ELEMENT_STATUS = Command("read element status", 0xB8, 12, 300, "SMC-3 6.10")

COMMANDS = (
    TEST_UNIT_READY, REWIND, REQUEST_SENSE, READ_BLOCK_LIMITS, INITIALIZE_ELEMENT_STATUS, READ, WRITE, WRITE_FILEMARKS,
    SPACE, INQUIRY, MODE_SELECT_6, ERASE, MODE_SENSE_6, LOAD_UNLOAD, START_STOP_UNIT, PREVENT_ALLOW, READ_CAPACITY,
    LOCATE, READ_POSITION, INITIALIZE_ELEMENT_RANGE, REPORT_DENSITY, LOG_SELECT, LOG_SENSE, MODE_SELECT_10,
    MODE_SENSE_10, READ_ATTRIBUTE, WRITE_ATTRIBUTE, SPACE_16, LOCATE_16, SECURITY_IN, MOVE_MEDIUM, EXCHANGE_MEDIUM,
    SECURITY_OUT, READ_ELEMENT_STATUS,
)  # fmt: skip

_ANSWER_BYTES = 0xFC
"""As much as every device gives in one answer with a one-byte length."""
_LONG_ANSWER_BYTES = 0xFFFC


class CommandFailed(DriveError):
    """A device did not do what it was told; `sense` says why, where it does. Drivers make it an error for people."""

    def __init__(self, where: str, command: str, reply: Reply) -> None:
        """Name the device and the command."""
        self.reply = reply
        self.sense = reply.sense or Sense(Key.NO_SENSE)
        why = f"sense {reply.sense}" if reply.sense else f"status {reply.status:02X}"
        super().__init__(f"{where}: {command}: {why}")

    @property
    def is_busy(self) -> bool:
        """Whether the device, or somebody who has reserved it, asks to come again."""
        return self.reply.status in (BUSY, RESERVATION_CONFLICT, TASK_SET_FULL)

    @property
    def is_unsupported(self) -> bool:
        """Whether the device does not know the command, the page or the field."""
        return self.sense.key == Key.ILLEGAL_REQUEST and self.sense.asc in (0x20, 0x24, 0x25, 0x26)


def block(command: Command, *fields: tuple[int, int, int]) -> bytes:
    """A command block: each field is its offset, its size in bytes and its value."""
    raw = bytearray(command.size)
    raw[0] = command.opcode
    for offset, size, value in fields:
        raw[offset : offset + size] = value.to_bytes(size, signed=value < 0)
    return bytes(raw)


def run(
    transport: Transport, command: Command, *fields: tuple[int, int, int], data_out: Buffer = b"",
    data_in: memoryview | None = None, generation: int | None = None,
) -> Reply:  # fmt: skip
    """Send a command. Raises CommandFailed unless it ended well; recovered errors are no failure."""
    reply = transport.execute(
        block(command, *fields), data_out=data_out, data_in=data_in, timeout_s=command.timeout(generation)
    )
    if reply.is_good or (reply.sense and reply.sense.key == Key.RECOVERED_ERROR and not reply.sense.is_deferred):
        return reply
    if reply.status == CHECK_CONDITION or reply.status or reply.sense:
        raise CommandFailed(transport.node, command.name, reply)
    return reply


def answer(transport: Transport, command: Command, *fields: tuple[int, int, int], size: int) -> bytes:
    """Send a command that is answered with at most `size` bytes; those that came."""
    room = bytearray(size)
    reply = run(transport, command, *fields, data_in=memoryview(room))
    return bytes(room[: reply.transferred])


def test_unit_ready(transport: Transport) -> None:
    """Raises CommandFailed where the device is not ready, and says why; it reports unit attentions too."""
    run(transport, TEST_UNIT_READY)


def standard_inquiry(transport: Transport) -> Inquiry:
    """What the device is."""
    return inquiry.parse(answer(transport, INQUIRY, (3, 2, _ANSWER_BYTES), size=_ANSWER_BYTES))


def product_page(transport: Transport, code: int) -> Page:
    """A page of vital product data. Raises CommandFailed where the device has no such page."""
    return inquiry.parse_page(
        answer(transport, INQUIRY, (1, 1, 1), (2, 1, code), (3, 2, _ANSWER_BYTES), size=_ANSWER_BYTES)
    )


def mode_sense(transport: Transport, code: int, subpage: int = 0) -> Mode:
    """A mode page; with MODE SENSE(10) where it has a subpage."""
    if subpage:
        fields = ((2, 1, code), (3, 1, subpage), (7, 2, _ANSWER_BYTES))
        return mode.parse(answer(transport, MODE_SENSE_10, *fields, size=_ANSWER_BYTES), long=True)
    return mode.parse(answer(transport, MODE_SENSE_6, (2, 1, code), (4, 1, _ANSWER_BYTES), size=_ANSWER_BYTES))


def mode_select(transport: Transport, parameters: Mode, *, long: bool = False) -> None:
    """Set what the parameters say."""
    data = mode.build(parameters, long=long, for_select=True)
    if long:
        run(transport, MODE_SELECT_10, (1, 1, 0x10), (7, 2, len(data)), data_out=data)
    else:
        run(transport, MODE_SELECT_6, (1, 1, 0x10), (4, 1, len(data)), data_out=data)


def log_sense(transport: Transport, code: int) -> LogPage:
    """A log page with cumulative values."""
    fields = ((2, 1, 0x40 | code), (7, 2, _LONG_ANSWER_BYTES))
    return logs.parse(answer(transport, LOG_SENSE, *fields, size=_LONG_ANSWER_BYTES))


def log_pages(transport: Transport) -> tuple[int, ...]:
    """Codes of the log pages that the device has."""
    return logs.parse_supported(answer(transport, LOG_SENSE, (2, 1, 0x40), (7, 2, _ANSWER_BYTES), size=_ANSWER_BYTES))


def read_attributes(transport: Transport, first: int = 0, partition: int = 0) -> tuple[Attribute, ...]:
    """The attributes of the cartridge's chip from id `first` on.

    To ask for one that is not there fails the command: `attribute_ids` tells which are.
    """
    fields = ((1, 1, mam.VALUES), (7, 1, partition), (8, 2, first), (10, 4, _LONG_ANSWER_BYTES))
    return mam.parse(answer(transport, READ_ATTRIBUTE, *fields, size=_LONG_ANSWER_BYTES))


def attribute_ids(transport: Transport, partition: int = 0) -> tuple[int, ...]:
    """Ids of the attributes that the chip has."""
    fields = ((1, 1, mam.ATTRIBUTE_LIST), (7, 1, partition), (10, 4, _LONG_ANSWER_BYTES))
    return mam.parse_list(answer(transport, READ_ATTRIBUTE, *fields, size=_LONG_ANSWER_BYTES))


def write_attributes(transport: Transport, attributes: tuple[Attribute, ...], partition: int = 0) -> None:
    """Write attributes into the chip."""
    data = mam.build(attributes)
    run(transport, WRITE_ATTRIBUTE, (7, 1, partition), (10, 4, len(data)), data_out=data)


def prevent_removal(transport: Transport, *, prevented: bool) -> None:
    """Forbid, or allow again, taking the medium out."""
    run(transport, PREVENT_ALLOW, (4, 1, int(prevented)))
