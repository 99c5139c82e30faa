"""A serial port that is ours alone (pyserial), and its errors as this package's own."""

import errno

import serial

from drivers.errors import Busy, DriveError, NoDevice, NoPermission, translated

DIALOUT = "add the user to the group of serial ports: usermod -aG dialout USER, and log in again"


def open_port(
    path: str, baud: int, *, timeout_s: float, data_bits: int = 8, parity: str = "N", stop_bits: float = 1
) -> serial.Serial:
    """Open a port. Raises NoDevice, NoPermission, Busy, DriveError."""
    try:
        return serial.Serial(
            path, baud, bytesize=data_bits, parity=parity, stopbits=stop_bits, timeout=timeout_s,
            write_timeout=max(timeout_s, 1), exclusive=True,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        raise port_error(error, path) from error


def port_error(error: OSError | ValueError, path: str) -> DriveError:
    """The typed error of a port. pyserial's own error is an OSError, whose number is not always set."""
    number = getattr(error, "errno", None)
    if number in {errno.EAGAIN, errno.EBUSY} or "lock port" in str(error):
        return Busy(f"{path}: in use by another program")
    if number == errno.EACCES:
        return NoPermission(f"{path}: permission denied", DIALOUT)
    if number == errno.ENOTTY or "configure port" in str(error):
        return NoDevice(f"{path}: is no serial port")
    if isinstance(error, OSError) and number is not None:
        return translated(error, path)
    return NoDevice(f"{path}: the device went away")
