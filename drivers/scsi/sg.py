"""Commands to a device through the kernel's SG_IO (scsi/sg.h; the sg driver of Linux 6.12)."""

import ctypes
import errno
import fcntl
import os

from drivers.errors import translated
from drivers.scsi.transport import Buffer, DeviceGone, Reply, TimedOut, TransportError, WayReset
from formats.errors import Damaged
from formats.scsi import sense as sense_data
from formats.scsi.sense import Key, Sense

_SG_IO = 0x2285
_INTERFACE = ord("S")
_NONE, _TO_DEVICE, _FROM_DEVICE = -1, -2, -3
_SENSE_BYTES = 96
_LONGEST_MS = 0xFFFFFFFF

# host_status (the kernel's DID_ codes)
_NO_CONNECT, _TIME_OUT, _BAD_TARGET, _RESET, _TRANSPORT_DISRUPTED, _TRANSPORT_FAILFAST = 0x1, 0x3, 0x4, 0x8, 0xE, 0xF
_GONE = (_NO_CONNECT, _BAD_TARGET)
_DISRUPTED = (_RESET, _TRANSPORT_DISRUPTED, _TRANSPORT_FAILFAST)
_DRIVER_TIMEOUT = 0x06
_DRIVER_SENSE = 0x08


class _Header(ctypes.Structure):
    """struct sg_io_hdr."""

    _fields_ = (
        ("interface_id", ctypes.c_int), ("dxfer_direction", ctypes.c_int), ("cmd_len", ctypes.c_ubyte),
        ("mx_sb_len", ctypes.c_ubyte), ("iovec_count", ctypes.c_ushort), ("dxfer_len", ctypes.c_uint),
        ("dxferp", ctypes.c_void_p), ("cmdp", ctypes.c_void_p), ("sbp", ctypes.c_void_p), ("timeout", ctypes.c_uint),
        ("flags", ctypes.c_uint), ("pack_id", ctypes.c_int), ("usr_ptr", ctypes.c_void_p),
        ("status", ctypes.c_ubyte), ("masked_status", ctypes.c_ubyte), ("msg_status", ctypes.c_ubyte),
        ("sb_len_wr", ctypes.c_ubyte), ("host_status", ctypes.c_ushort), ("driver_status", ctypes.c_ushort),
        ("resid", ctypes.c_int), ("duration", ctypes.c_uint), ("info", ctypes.c_uint),
    )  # fmt: skip


class SgTransport:
    """A device behind an sg node, or any node that takes SG_IO (st, sd, bsg: those need CAP_SYS_RAWIO for some)."""

    def __init__(self, node: str, *, exclusive: bool = False) -> None:
        """Open the node; never waits for a medium. Raises NoDevice, NoPermission, Busy."""
        self.node = node
        try:
            # O_EXCL of a character device: the sg driver takes it as "nobody else", and says EBUSY
            self._fd = os.open(node, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | (os.O_EXCL if exclusive else 0))
        except OSError as error:
            raise translated(error, node) from error

    def execute(
        self, command: bytes, *, data_out: Buffer = b"", data_in: memoryview | None = None, timeout_s: float
    ) -> Reply:
        """Send a command and wait for its answer."""
        held = _Held(command, data_out, data_in)
        header = held.header(min(int(timeout_s * 1000), _LONGEST_MS))
        try:
            fcntl.ioctl(self._fd, _SG_IO, header)
        except OSError as error:
            if error.errno in (errno.ENODEV, errno.ENXIO):
                raise DeviceGone(f"{self.node}: not there any more", "connect it again") from error
            raise translated(error, self.node) from error
        return self._reply(header, held)

    def _reply(self, header: _Header, held: "_Held") -> Reply:
        # A residual that cannot be is a defect of the way, seen with USB bridges: then nothing is known of it.
        residual = header.resid if 0 <= header.resid <= header.dxfer_len else 0
        found = _sense(held.sense.raw[: header.sb_len_wr]) if header.sb_len_wr else None
        if header.host_status in _GONE:
            raise DeviceGone(f"{self.node}: not there any more", "connect it again")
        if header.host_status == _TIME_OUT or header.driver_status & 0x0F == _DRIVER_TIMEOUT:
            raise TimedOut(f"{self.node}: no answer in {header.timeout / 1000:g} s")
        if header.host_status in _DISRUPTED:
            raise WayReset(f"{self.node}: reset while a command was under way")
        if header.host_status:
            raise TransportError(f"{self.node}: the host adapter reports error {header.host_status:02X}")
        if header.driver_status & ~_DRIVER_SENSE and not (found or header.status):
            raise TransportError(f"{self.node}: the driver reports error {header.driver_status:02X}")
        return Reply(header.status, found, header.dxfer_len - residual)

    def close(self) -> None:
        """Give the node back."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class _Held:
    """What the kernel reads and writes during a command; kept alive as long as the header is."""

    def __init__(self, command: bytes, data_out: Buffer, data_in: memoryview | None) -> None:
        self.command = ctypes.create_string_buffer(command, len(command))
        self.sense = ctypes.create_string_buffer(_SENSE_BYTES)
        self.direction = (
            _TO_DEVICE if len(data_out) else _FROM_DEVICE if data_in is not None and len(data_in) else _NONE
        )
        self.data: ctypes.Array[ctypes.c_char] | None = None
        if self.direction == _TO_DEVICE:
            out = memoryview(data_out)
            # from_buffer needs writable memory; what is read-only is copied once
            self.data = (ctypes.c_char * len(out)).from_buffer(bytearray(out) if out.readonly else out)
        elif self.direction == _FROM_DEVICE and data_in is not None:
            self.data = (ctypes.c_char * len(data_in)).from_buffer(data_in)

    def header(self, timeout_ms: int) -> _Header:
        """The header that names all of it."""
        return _Header(
            interface_id=_INTERFACE, dxfer_direction=self.direction, cmd_len=len(self.command),
            mx_sb_len=_SENSE_BYTES, dxfer_len=len(self.data) if self.data is not None else 0,
            dxferp=ctypes.addressof(self.data) if self.data is not None else None,
            cmdp=ctypes.addressof(self.command), sbp=ctypes.addressof(self.sense), timeout=timeout_ms,
        )  # fmt: skip


def _sense(raw: bytes) -> Sense:
    """Sense data; some that makes no sense is a fault of the device."""
    try:
        return sense_data.parse(raw)
    except Damaged:
        return Sense(Key.HARDWARE_ERROR, 0x44, 0x00)
